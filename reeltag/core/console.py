"""Words and progress go to stderr; stdout carries results only."""

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sized
from contextlib import suppress
from typing import Any, TextIO, TypeVar

from rich.console import Console
from rich.measure import Measurement
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from reeltag.core.text import json_text

T = TypeVar("T")
# characters that command a terminal, or turn the order of what follows
_COMMANDS = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class _Terminal(Console):
    """Shows any text, from whatever file it is: nothing in it can command the terminal."""

    @property
    def encoding(self) -> str:
        """Encoding of the stream, which may change."""
        return (getattr(self.file, "encoding", None) or "utf-8").lower()

    def render_str(self, text: str, **options: Any) -> Text:  # noqa: ANN401
        """Return a text with its styles; rich does this with all that is printed."""
        return super().render_str(self.printable(text), **options)

    def printable(self, text: str) -> str:
        r"""Return a text with escapes for what the terminal cannot show, or must not see.

        >>> print(_Terminal().printable("a\x1b[31m \udce9"))
        a\x1b[31m \udce9
        """
        shown = _COMMANDS.sub(lambda found: _escape(found[0]), text)
        return shown.encode(self.encoding, "backslashreplace").decode(self.encoding)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


class _Stdout(_Terminal):
    def on_broken_pipe(self) -> None:
        """Leave it to the command line what `reeltag ... | head` means; rich would exit with 1."""
        raise BrokenPipeError


class _Stderr(_Terminal):
    def on_broken_pipe(self) -> None:
        """Go on without words, which nobody reads; rich would end the program."""
        discard(sys.stderr)


STDERR = _Stderr(stderr=True)
STDOUT = _Stdout()


def say(text: str) -> None:
    """Print a text for the person at the terminal to stderr; stdout is for results."""
    STDERR.print(text, highlight=False, markup=False, soft_wrap=True)


def discard(stream: TextIO) -> None:
    """Let all that a stream is given be lost from now on, for nobody reads it."""
    with suppress(OSError):  # one that is no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def print_table(table: Table) -> None:
    """Print a table on stdout; into a pipe or file as wide as it is, with nothing cut."""
    if STDOUT.is_terminal:
        STDOUT.print(table)
        return
    unbounded = STDOUT.options.update(width=10_000)
    natural = Measurement.get(STDOUT, unbounded, table).maximum
    _Stdout(width=max(STDOUT.width, natural)).print(table)  # none prints beyond its own width


def print_json(value: object) -> None:
    """Print one JSON object on stdout, the whole output of a command run with --json."""
    print(json_text(value, encoding=STDOUT.encoding, allow_nan=False))


def print_json_list(facts: Mapping[str, object], name: str, items: Iterable[object]) -> None:
    """Print one JSON object on stdout, the last field of which is a list that is not held.

    Args:
        facts: the other fields, one at least.
        name: of the list.
        items: of the list, each of which is forgotten when it is printed.
    """

    def text(value: object) -> str:
        return json_text(value, encoding=STDOUT.encoding, allow_nan=False)

    print(f"{text(dict(facts))[:-1]}, {text(name)}: [", end="")
    for number, item in enumerate(items):
        print(", " * (number > 0) + text(item), end="")
    print("]}")


def progress_bar() -> Progress:
    """Return a progress display on stderr: bar, count, elapsed and remaining time."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=STDERR,
        transient=True,
        disable=not STDERR.is_terminal,  # a log file wants no bars, nor the blank lines they leave
    )


def track(items: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
    """Yield `items` while a progress bar on stderr shows how far it is."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    with progress_bar() as bar:
        yield from bar.track(items, total=total, description=what)
