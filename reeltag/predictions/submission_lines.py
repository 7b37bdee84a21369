"""Submission files line by line: each field is checked, and an error names file, line and rule.

They may be of any system. What other writers do is taken as meant: a blank before a line's end,
lines that end in CR LF, a byte order mark, labels in any order or more than 20 of them. What could
mean two things, or nothing, is an error.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from reeltag.core.errors import DataError
from reeltag.core.sparse import indptr_of
from reeltag.predictions.challenges import (
    MAX_SEGMENTS,
    SEGMENT_SECONDS,
    Challenge,
    challenge_of,
    quoted_headers,
)

_LONGEST = 64 << 20  # bytes of a line: six million segments
_HINT = "`reeltag submit --check FILE` lists all that is wrong with it."
_ID = r'^[^\s,"]+$'
_CLASS = r"^(?:0|[1-9]\d{0,8})$"
_PROB = r"^\+?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$"
_SEGMENT = r'^[^\s,"]+:(?:0|5|[1-9]\d{0,7}[05])$'
_LONGEST_SHOWN = 60


class Line(NamedTuple):
    """A line after the header: its number in the file (from 1) and its two fields."""

    number: int
    name: str
    cell: str


@dataclass(frozen=True, eq=False)
class LabelledVideos:
    """N videos of a submission of 2018, and the E labels in their rows, best first.

    Attributes:
        lines: (N,) where each is in the file.
        ids: (N,).
        indptr: (N + 1,) labels of each video.
        classes: (E,) int32.
        probs: (E,) float64 in [0, 1].
    """

    lines: NDArray[np.int64]
    ids: list[str]
    indptr: NDArray[np.int64]
    classes: NDArray[np.int32]
    probs: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RankedSegments:
    """A class of a submission of 2019, and its segments, best first.

    Attributes:
        line: where it is in the file.
        category: the class.
        segments: strings "<id>:<start>", an Arrow array.
    """

    line: int
    category: int
    segments: pa.Array


def challenge_of_file(path: Path) -> Challenge | None:
    """Return whose submission a file is, by its header; None where it is none.

    Args:
        path: of a file; one that is not there is none.
    """
    try:
        with path.open("rb") as file:
            first = file.readline(256)
    except OSError:
        return None
    return challenge_of(first.decode("utf-8", errors="replace"))


def labelled_videos(path: Path, rows_at_once: int = 4096) -> Iterator[LabelledVideos]:
    """Yield the rows of a submission of 2018, some at a time.

    Args:
        path: of the file.
        rows_at_once: rows that are held.

    Raises:
        DataError: a line breaks a rule, or the file cannot be read.
    """
    held = list[Line]()
    for line in _lines(path):
        held.append(line)
        if len(held) == rows_at_once:
            yield _parsed(held, path)
            held = []
    if held:
        yield _parsed(held, path)


def ranked_segments(path: Path) -> Iterator[RankedSegments]:
    """Yield the classes of a submission of 2019, one at a time.

    Args:
        path: of the file.

    Raises:
        DataError: a line breaks a rule, a class has two lines, or the file cannot be read.
    """
    seen = dict[int, int]()
    for line in _lines(path):
        category = _class_of(line, path)
        if category in seen:
            what = f"class {category} has a row already, at line {seen[category]:,}"
            raise_at(path, line.number, what)
        seen[category] = line.number
        segments = pa.array(line.cell.split(), pa.string())
        if len(segments) > MAX_SEGMENTS:
            what = f"a class has at most {MAX_SEGMENTS:,} segments, got {len(segments):,}"
            raise_at(path, line.number, what)
        if (bad := _first_unlike(segments, _SEGMENT)) is not None:
            what = (
                f"a segment is <id>:<start>, start a multiple of {SEGMENT_SECONDS}, "
                f"got {_short(segments[bad].as_py())}"
            )
            raise_at(path, line.number, what)
        if len(segments.unique()) < len(segments):
            first = pc.index_in(segments, value_set=segments).to_numpy()
            again = int((first != np.arange(len(segments))).argmax())
            what = f"segment {_short(segments[again].as_py())} is in the row of its class twice"
            raise_at(path, line.number, what)
        yield RankedSegments(line.number, category, segments)


def id_at(path: Path, number: int) -> str:
    """Return the first field of a line.

    Args:
        path: of the file.
        number: of the line, from 1.
    """
    return next((line.name for line in _lines(path) if line.number == number), "")


def raise_at(path: Path, number: int, what: str) -> NoReturn:
    """Raise the error of a line.

    Args:
        path: of the file.
        number: of the line, from 1.
        what: is wrong with it.

    Raises:
        DataError: in any case.
    """
    raise DataError(what, where=f"{path}, line {number:,}", hint=_HINT)


def _lines(path: Path) -> Iterator[Line]:
    """Yield the lines after the header, cut into their two fields."""
    try:
        with path.open("rb") as file:
            number = 0
            while data := file.readline(_LONGEST + 1):
                number += 1
                if len(data) > _LONGEST:
                    raise_at(path, number, f"has more than {_LONGEST:,} bytes")
                text = _decoded(data, path, number)
                if number > 1:
                    yield _cut(text, path, number)
                elif challenge_of(text) is None:
                    raise_at(path, 1, f"the header must be {quoted_headers()}, got {_short(text)}")
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror or error})", where=path) from error
    if number < 2:
        raise DataError("has no row after the header", where=path, hint=_HINT)


def _decoded(data: bytes, path: Path, number: int) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise_at(path, number, f"is not UTF-8 text ({error.reason} at its byte {error.start + 1})")


def _cut(text: str, path: Path, number: int) -> Line:
    name, comma, cell = text.rstrip().partition(",")
    if not comma or "," in cell or '"' in text:
        what = f"a row has two fields and one comma and no quotes, got {_short(text)}"
        raise_at(path, number, what)
    return Line(number, name, cell)


def _class_of(line: Line, path: Path) -> int:
    name = line.name
    if not (name.isascii() and name.isdecimal() and len(name) < 10):
        raise_at(path, line.number, f"a class is a whole number, got {_short(name)}")
    return int(name)


def _parsed(lines: Sequence[Line], path: Path) -> LabelledVideos:
    """Return the rows of some lines; their labels are sorted, equal ones as they were."""
    tokens = [line.cell.split() for line in lines]
    for line, row in zip(lines, tokens, strict=True):
        if len(row) % 2:
            what = f"labels and probabilities come in pairs, got {len(row)} entries"
            raise_at(path, line.number, what)
        if len({*row[::2]}) < len(row) // 2:
            again = next(label for label in row[::2] if row[::2].count(label) > 1)
            raise_at(path, line.number, f"label {_short(again)} is in the row twice")
    indptr = indptr_of(np.array([len(row) // 2 for row in tokens], np.int64))
    owner = np.repeat(np.arange(len(lines)), np.diff(indptr))

    def check(bad: int | None, of: pa.Array, what: str, rows: NDArray[np.int64] = owner) -> None:
        if bad is not None:
            raise_at(path, lines[rows[bad]].number, f"{what}, got {_short(of[bad].as_py())}")

    ids = pa.array([line.name for line in lines], pa.string())
    rule = "an id is not empty and holds no blank, comma or quote"
    check(_first_unlike(ids, _ID), ids, rule, np.arange(len(lines)))
    labels = pa.array([label for row in tokens for label in row[::2]], pa.string())
    check(_first_unlike(labels, _CLASS), labels, "a class is a whole number")
    texts = pa.array([text for row in tokens for text in row[1::2]], pa.string())
    check(_first_unlike(texts, _PROB), texts, "a probability is a number in [0, 1]")
    probs = np.array(list(map(float, texts.to_pylist())), np.float64)
    outside = np.flatnonzero(probs > 1)
    first = int(outside[0]) if len(outside) else None
    check(first, texts, "a probability is a number in [0, 1]")
    order = np.lexsort((-probs, owner))
    classes = labels.cast(pa.int32()).to_numpy(zero_copy_only=False)
    numbers = np.array([line.number for line in lines], np.int64)
    return LabelledVideos(numbers, ids.to_pylist(), indptr, classes[order], probs[order])


def _first_unlike(texts: pa.Array, pattern: str) -> int | None:
    """Return the place of the first text that a pattern does not match; None: all do."""
    unlike = ~pc.match_substring_regex(texts, pattern).to_numpy(zero_copy_only=False)
    return int(unlike.argmax()) if unlike.any() else None


def _short(text: str) -> str:
    text = text.rstrip("\r\n")
    return repr(text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 3]}...")
