"""The reference of the command line: a page for each command, from its dataclass."""

import inspect
import re
from collections.abc import Iterator
from importlib import import_module

from reeltag import papers
from reeltag.cli.main import COMMANDS, module_of
from website.options import Option, as_markdown, escape_words, options_of

FOLDER = "reference/cli"
# the commands whose flags depend on a model or a program: what they have whatever it is
_OPTIONS = {
    "train": "TrainOptions",
    "tune": "TuneOptions",
    "import-weights": "ImportOptions",
    "solve": "SolveOptions",
}
_MODEL = """## Options of the model

Each field of the model's config is a flag, `--model.hidden 512`; `--preprocessing.*` are what is
done to frames before it. `reeltag {name} MODEL --help` lists them with the defaults of the model;
those of its authors' recipe take the place of the defaults above."""
_INTRODUCTION = """# Command line

`reeltag COMMAND --help` shows a command in the terminal; of `train` and `tune`, `--help-all` shows
every option. These pages are made from the same declarations, so they say the same.

{table}

## Everywhere

- `--json` prints one JSON object on stdout and nothing else there. Progress, warnings and errors go
  to stderr.
- `--debug` shows the traceback of an error.
- A switch has two names: `--json` turns it on, `--no-json` off. `--name=value` and `--name value`
  are the same.
- `reeltag --version` prints the version.

## Exit status

| status | meaning |
|---|---|
| 0 | done |
| 1 | done, and something is wrong: a record under `info --strict`, a file under `submit --check` |
| 2 | not done: an option, a file or the data are wrong, and the message names them |
| 130 | interrupted by Ctrl-C |
"""


def pages() -> dict[str, str]:
    """Return the Markdown of each page by its path below docs/."""
    rows = [f"| [`{name}`]({name}.md) | {words} |" for name, (_, words) in COMMANDS.items()]
    table = "\n".join(["| command | what it does |", "|---|---|", *rows])
    index = {f"{FOLDER}/index.md": _INTRODUCTION.format(table=table)}
    return index | {f"{FOLDER}/{name}.md": page(name) for name in COMMANDS}


def page(name: str) -> str:
    """Return the page of a command.

    Args:
        name: of the command, as it is typed.
    """
    return "\n\n".join([f"---\ntitle: {name}\n---", f"# reeltag {name}", *_parts(name)]) + "\n"


def options_of_command(name: str) -> list[Option]:
    """Return the options of a command; of those that depend on a model, what all models have."""
    module = import_module(module_of(name))
    return list(options_of(getattr(module, _OPTIONS.get(name) or COMMANDS[name][0])))


def _parts(name: str) -> Iterator[str]:
    module, options = import_module(module_of(name)), options_of_command(name)
    if name in _OPTIONS:
        yield as_prose(re.sub(r"(?m)^usage: ", "    ", module.USAGE, count=1))
    else:
        yield f"    {usage(name, options)}"
        yield as_prose(inspect.getdoc(getattr(module, COMMANDS[name][0])) or "")
    yield as_markdown(options)
    if name == "train":
        yield "## Options of `--resume`"
        yield as_markdown(list(options_of(module.Resume)), level=3)
    if name in ("train", "tune"):
        yield _MODEL.format(name=name)
    if name == "solve":
        yield from _programs()


def _programs() -> Iterator[str]:
    for program in papers.PROGRAMS:
        yield f"## `reeltag solve {program.name}`"
        yield escape_words(program.title)
        for word in ("needs", "cost", "reaches", "departs"):
            yield f"{word}\n:   {escape_words(getattr(program, word))}"
        yield as_markdown(list(options_of(program.config)), level=3)


def usage(name: str, options: list[Option]) -> str:
    """Return how a command is called: `reeltag evaluate P --data PATH [options]`."""
    needed = [of.usage for of in options if of.positional or "required" in of.notes]
    more = any(not of.positional and "required" not in of.notes for of in options)
    return " ".join(["reeltag", name, *needed, *(["[options]"] if more else [])])


def as_prose(text: str) -> str:
    """Return a help text as Markdown: indented lines are code, all others prose."""
    blocks = re.split(r"\n\s*\n", text.strip("\n"))
    return "\n\n".join(of if of.startswith("    ") else escape_words(of) for of in blocks)
