"""Commands in the pages can be typed: the command is one, and so is each of its options."""

import re
import shlex
from collections.abc import Iterator
from functools import cache

import pytest

from benchmarks.results import PROJECT
from reeltag import papers
from reeltag.cli.main import COMMANDS
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.models import family_of, list_models, model_config
from website.commands import options_of_command
from website.options import options_of

FOLDERS = ("tutorials", "how-to", "reference", "explanation", "results", ".")
PAGES = [path for of in FOLDERS for path in sorted((PROJECT / "docs" / of).glob("*.md"))]
FENCED = re.compile(r"^```(?:sh|bash|console)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"^((?: {4}[^\n]*\n)+)", re.MULTILINE)
EVERYWHERE = {"--help", "--help-all", "--debug", "--json", "--version"}


def commands(text: str) -> Iterator[list[str]]:
    """Yield the words of each `reeltag ...` in the code of a page."""
    for block in (*FENCED.findall(text), *INDENTED.findall(FENCED.sub("", text))):
        for line in re.sub(r"\\\n\s*", " ", block).splitlines():
            for part in re.split(r"\s&&\s|\s\|\s", re.sub(r"\s#\s.*", "", line)):
                words = part.replace("$ ", "").strip()
                if words.startswith("reeltag ") and "..." not in words and "[" not in words:
                    yield shlex.split(words)[1:]


@cache
def flags(name: str, of: str) -> set[str]:
    """Return the options of a command; those of a model or a program where `of` is one."""
    found = list(options_of_command(name))
    if name in ("train", "tune", "import-weights"):
        model = model_config(of if of in list_models() else "nextvlad")
        found += options_of(family_of(model).config, prefix=("model",))
        found += options_of(PreprocessingConfig, prefix=("preprocessing",))
    if name == "solve":
        configs = [program.config for program in papers.PROGRAMS if of in ("", program.name)]
        found += [option for config in configs for option in options_of(config)]
    spelled = {flag for option in found for flag in option.name.split(", ")}
    return spelled | EVERYWHERE | ({"--resume", "--config"} if name == "train" else set())


@pytest.mark.parametrize(
    "page", [*PAGES, PROJECT / "README.md"], ids=lambda page: str(page.relative_to(PROJECT))
)
def test_commands_of_a_page_can_be_typed(page: object) -> None:
    wrong = []
    for name, *words in commands((PROJECT / str(page)).read_text()):
        if name not in {*COMMANDS, "--version", "--help", "COMMAND"}:
            wrong.append(f"reeltag {name}")
            continue
        if name in COMMANDS:
            given = {word.partition("=")[0] for word in words if word.startswith("--")}
            of = words[0] if words and not words[0].startswith("-") else ""
            wrong += [f"reeltag {name} {flag}" for flag in given - flags(name, of)]
    assert not wrong


def test_commands_are_found_in_the_code_of_a_page() -> None:
    text = (
        "see `reeltag x`\n\n```sh\nreeltag info DATA --top 3   # words\nreeltag train a \\\n"
        "    --b && reeltag serve D\n```\n\n    reeltag models   # lists\n    make x\n\ntext\n"
    )
    assert list(commands(text)) == [
        ["info", "DATA", "--top", "3"],
        ["train", "a", "--b"],
        ["serve", "D"],
        ["models"],
    ]
