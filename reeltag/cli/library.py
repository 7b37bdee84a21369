"""`reeltag library DATA`: which videos a data folder has, and what became of each."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro
from rich.markup import escape
from rich.table import Table

from reeltag.core.console import STDOUT, print_json, print_table, say
from reeltag.core.extras import check_extra
from reeltag.core.formatting import format_size
from reeltag.library.media.finding import LIBRARY_FILE

if TYPE_CHECKING:  # the extra `video` is not needed for the help
    from reeltag.library.database.summary import LibrarySummary

_COLUMNS = (
    "id",
    "state",
    "duration_s",
    "split",
    "group",
    "has_picture",
    "has_sound",
    "frames",
    "shard",
    "path",
    "size",
    "error",
    "note",
    "added_at",
)
_KINDS = 10  # of errors that are printed


@dataclass(frozen=True, kw_only=True)
class LibraryList:
    """List the videos of a data folder: state, length, split, path, error.

    The states are new (waits for `reeltag extract`), extracted, error and missing (its file has
    vanished; what was extracted of it stays).
    """

    data: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]
    """Folder of `reeltag extract`."""
    state: tuple[Literal["new", "extracted", "error", "missing"], ...] = ()
    """Only videos in these states."""
    errors: bool = False
    """Only videos that could not be extracted, or not to their end, with why."""
    json: bool = False
    """Print one JSON object on stdout and nothing else there."""

    def run(self) -> int:
        """Print the list; 0."""
        check_extra("video", "alembic", "sqlalchemy")
        from reeltag.library.database.library import Library
        from reeltag.library.database.summary import summarise_library

        with Library.open(self.data) as library:
            rows = [dict(zip(_COLUMNS, of, strict=True)) for of in library.values(*_COLUMNS)]
            summary = summarise_library(library)
        rows = [of for of in rows if self._is_listed(of)]
        if self.json:
            print_json({"data": str(self.data), **asdict(summary), "list": _as_json(rows)})
            return 0
        self._print(rows)
        _print_facts(summary)
        print_errors(summary)
        return 0

    def _is_listed(self, row: dict[str, Any]) -> bool:
        has_error = row["error"] or row["note"] or not self.errors
        return bool(has_error) and (not self.state or row["state"] in self.state)

    def _print(self, rows: list[dict[str, Any]]) -> None:
        table = Table(box=None, pad_edge=False)
        last = "error" if self.errors else "path"
        for column in ("id", "state", "seconds", "split", last):
            table.add_column(column, justify="right" if column == "seconds" else "left")
        for row in rows:
            seconds = "" if row["duration_s"] is None else f"{row['duration_s']:,.1f}"
            text = row["error"] or row["note"] if self.errors else _path(row)
            cells = (row["id"], row["state"], seconds, row["split"], text)
            table.add_row(*(escape(cell) for cell in cells))
        if rows:
            print_table(table)
        else:
            say("no such videos")


def _as_json(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for row in rows:
        row["path"] = _path(row)
        row["added_at"] = row["added_at"].isoformat() + "Z"
    return rows


def _path(row: dict[str, Any]) -> str:
    """Return the path of a video's file; "" = it has none."""
    return "" if row["path"] == Path() else str(row["path"])


def library_of(data: Path) -> "LibrarySummary | None":
    """Return what the library of a data folder holds; None = there is none, or no extra `video`."""
    folder = data if data.is_dir() else data.parent
    if not (folder / LIBRARY_FILE).is_file() or find_spec("sqlalchemy") is None:
        return None
    check_extra("video", "alembic", "sqlalchemy")
    from reeltag.library.database.library import Library
    from reeltag.library.database.summary import summarise_library

    with Library.open(folder) as library:
        return summarise_library(library)


def library_facts(summary: "LibrarySummary") -> Iterator[tuple[str, str]]:
    """Yield what a library holds, a name and a text each."""
    states = ", ".join(f"{number:,} {state}" for state, number in summary.states.items() if number)
    size = f"{summary.hours:,.2f} h, {format_size(summary.bytes)}"
    if summary.records:
        yield "rated videos without a file", f"{summary.records:,}"
    if summary.records and not summary.videos:
        return
    yield "own videos", f"{summary.videos:,} ({states or 'none'}), {size}"
    more = {
        "without pictures": summary.without["picture"],
        "without sound": summary.without["sound"],
        "decoded in part": summary.noted,
        "copies of another": summary.copies,
        "groups of near copies": summary.groups,
    }
    listed = [f"{number:,} {what}" for what, number in more.items() if number]
    if listed:
        yield "", ", ".join(listed)


def print_errors(summary: "LibrarySummary") -> None:
    """Print the kinds of errors of a library, if there are any."""
    if not summary.errors:
        return
    table = Table(box=None, pad_edge=False, title=" ", title_justify="left")
    for column in ("not extracted", "videos", "such as"):
        table.add_column(column, justify="right" if column == "videos" else "left")
    for kind in summary.errors[:_KINDS]:
        cells = (kind.error, f"{kind.videos:,}", kind.first)
        table.add_row(*(escape(cell) for cell in cells))
    print_table(table)


def _print_facts(summary: "LibrarySummary") -> None:
    STDOUT.print()
    for name, fact in library_facts(summary):
        STDOUT.print(f"{name}: {fact}" if name else fact, highlight=False, markup=False)
