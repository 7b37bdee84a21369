"""Commands that a command prints, run as they are printed."""

import shlex
from pathlib import Path

import pytest

from reeltag.cli.main import run


def next_command(printed: str) -> list[str]:
    """Return the words of the last `next:` line of an output, without `reeltag`."""
    line = [line for line in printed.splitlines() if line.startswith("next: ")][-1]
    first, *words = shlex.split(line.removeprefix("next: "))
    assert first == "reeltag"
    return words


def run_next(printed: str, folder: Path, monkeypatch: pytest.MonkeyPatch, *more: str) -> list[str]:
    """Run the command that was printed in an empty folder, and return its words.

    Args:
        printed: the output.
        folder: to be the working folder.
        monkeypatch: of the test.
        *more: options that make it quick.
    """
    words = next_command(printed)
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert run([*words, *more]) == 0, shlex.join(words)
    return words
