"""results/*.json: lists of rows; a row replaces the one with the same key, all others stay.

Every row carries `measured`: the command that repeats it, commit, date, hardware and versions.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from reeltag.core.files import write_json

PROJECT = Path(__file__).resolve().parent.parent
RESULTS = PROJECT / "results"
Row = dict[str, Any]


def read_rows(name: str, part: str = "rows", *, folder: Path = RESULTS) -> list[Row]:
    """Return the rows of a list in `results/<name>.json`; none where the file or list is absent."""
    rows: list[Row] = _read(folder / f"{name}.json").get(part, [])
    return rows


def write_rows(
    name: str,
    rows: Iterable[Row],
    *,
    key: Sequence[str],
    measured: Mapping[str, Any],
    part: str = "rows",
    folder: Path = RESULTS,
) -> Path:
    """Merge rows into a list of `results/<name>.json`; the file appears whole or stays as it was.

    Args:
        name: of the file.
        rows: each replaces the row with the same key in its place, or is appended.
        key: fields that name a row; one that a row lacks counts as None.
        measured: what every row is marked with (`environment.environment`).
        part: the list in the file.
        folder: of the file.
    """
    path = folder / f"{name}.json"
    content = _read(path)
    known = {_key(row, key): row for row in content.get(part, [])}
    known |= {_key(row, key): {**row, "measured": dict(measured)} for row in rows}
    write_json(path, {**content, part: [*known.values()]})
    return path


def _key(row: Row, key: Sequence[str]) -> tuple[Any, ...]:
    return tuple(row.get(field) for field in key)


def _read(path: Path) -> dict[str, list[Row]]:
    content: dict[str, list[Row]] = (
        json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    )
    return content
