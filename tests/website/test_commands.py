"""The pages of the commands: the options that each command really takes, with help and default."""

import re

import pytest

from reeltag.cli.main import COMMANDS, run
from website import commands
from website.commands import options_of_command, page
from website.options import escape_words

FLAG = re.compile(r"(?<![\w-])--[a-z][a-z0-9.-]*")
BY_MODEL = ("train", "tune", "import-weights")  # their help is our own: tests/cli has it
PLAIN = [name for name in COMMANDS if name not in (*BY_MODEL, "solve")]


def flags(text: str) -> set[str]:
    """Return the flags that a help text explains: words about them are farther to the right."""
    before, _, after = text.partition("-h, --help")
    start, lines = len(before.rpartition("\n")[2]), after.splitlines()[1:]
    terms = (re.split(r"\s{2,}", line[start:])[0] for line in lines if line[start:][:1] == "-")
    return {flag for term in terms for flag in FLAG.findall(term)}


@pytest.mark.parametrize("name", PLAIN)
def test_options_of_a_command_are_those_of_its_help(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run([name, "--help"])
    shown = flags(capsys.readouterr().out)
    listed = {flag for of in options_of_command(name) for flag in FLAG.findall(of.name)}
    assert listed == shown


def test_options_of_a_program_are_those_of_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    text = page("solve")
    for name in re.findall(r"^## `reeltag solve (\w+)`$", text, re.MULTILINE):
        with pytest.raises(SystemExit):
            run(["solve", name, "--help"])
        shown = flags(capsys.readouterr().out)
        section = text.partition(f"## `reeltag solve {name}`")[2].partition("\n## ")[0]
        common = text.partition("## Options")[2].partition("\n## ")[0]
        terms = re.findall(r"^<code>(.*)</code>$", section + common, re.MULTILINE)
        assert {flag for term in terms for flag in FLAG.findall(term)} == shown, name


def test_option_has_words_and_a_required_one_says_so() -> None:
    for name in COMMANDS:
        assert not [of.name for of in options_of_command(name) if not of.words], name
    needed = {of.name for of in options_of_command("train") if "required" in of.notes}
    assert needed == {"--data", "--out"}


def test_page_says_value_default_and_bound_of_an_option() -> None:
    text = page("evaluate")
    assert "    reeltag evaluate P --data PATH [options]" in text
    assert "<code>--bootstrap INT</code>\n:   Replicates for the intervals" in text
    assert "(an integer &gt;= 0; default: `200`)" in text
    assert "<code>--json, --no-json</code>" in text


def test_index_lists_every_command() -> None:
    index = commands.pages()["reference/cli/index.md"]
    assert re.findall(r"^\| \[`([\w-]+)`\]", index, re.MULTILINE) == list(COMMANDS)


@pytest.mark.parametrize(
    ("text", "shown"),
    [("*.csv", "\\*.csv"), ("a `b_c` d_e", "a `b_c` d\\_e"), ("one ` alone", "one \\` alone")],
)
def test_escaped_words_show_the_text(text: str, shown: str) -> None:
    assert escape_words(text) == shown


def test_tyro_marks_are_not_taken_for_bounds() -> None:
    words = {of.name: of.notes for of in options_of_command("moments")}
    assert words["--class"] == ("may be given several times",)
    assert words["RUN|MODEL.onnx"] == ()
