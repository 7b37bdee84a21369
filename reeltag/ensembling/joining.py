"""Prediction files of several models, joined by id: what each model says of the same things.

Files in one order are read side by side, a few thousand rows at a time. One in another order is
first brought into that of the first file, through temporary files (in $TMPDIR) that are read one
at a time. Memory grows with the number of models, not with that of videos, but for 16 bytes of
each, or 40 where orders differ.

Letters in shapes: N rows, P pairs of a row and a class, M models, C classes.
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reeltag.core.errors import DataError
from reeltag.ensembling.members import open_members
from reeltag.ensembling.ordering import in_order_of, order_digest, row_keys
from reeltag.predictions.file import Kind, Predictions, Rows

_CELLS = 1 << 22  # rows * C of a block: tables of 5 bytes a cell, which stay near the processor
_SCORES = 1 << 25  # listed pairs * M of a block: at most 128 MB of scores, mostly a third


@dataclass(frozen=True, eq=False)
class Block:
    """What M models say of N videos, or of N segments: row i owns pairs offsets[i]:offsets[i+1].

    The classes of a row are those that any model lists.

    Attributes:
        ids: (N,) strings, an Arrow array.
        starts: (N,) int32 seconds; None for whole videos.
        offsets: (N + 1,) int64.
        classes: (P,) int32, rising within a row.
        logits_PM: (P, M) float32; -inf, a probability of 0, where a model does not list the class.
    """

    ids: pa.Array
    starts: NDArray[np.int32] | None
    offsets: NDArray[np.int64]
    classes: NDArray[np.int32]
    logits_PM: NDArray[np.float32]  # noqa: N815  (shape letters)

    def __len__(self) -> int:
        """Return N."""
        return len(self.ids)

    def row_of_pair(self) -> NDArray[np.int64]:
        """Return (P,) the row that each pair belongs to."""
        return np.repeat(np.arange(len(self), dtype=np.int64), np.diff(self.offsets))

    @cached_property
    def probs_PM(self) -> NDArray[np.float32]:  # noqa: N802  (shape letters)
        """Return (P, M) probabilities, 0 where a model does not list the class."""
        small = np.exp(-np.abs(self.logits_PM))  # of -inf: 0
        probs: NDArray[np.float32] = np.where(self.logits_PM >= 0, 1, small) / (1 + small)
        return probs


def joined(files: Sequence[Path], kind: Kind = "videos", top_k: int = 0) -> Iterator[Block]:
    """Yield what all files say, in the order of the first file, some thousand rows at a time.

    Args:
        files: of `reeltag predict`, one a model; all are about the same things, in any order.
        kind: whole videos or segments.
        top_k: classes that are among this many best of at least one model are kept; 0 keeps all.
            What the other models say of a kept class counts, however far down they list it.

    Raises:
        ConfigError: there is no file, or one stands twice.
        DataError: a file is none of predictions or damaged, is about other classes or other things
            than the first one, or has two rows for one thing or one class; or there are no rows.
    """
    members = open_members(files)
    with tempfile.TemporaryDirectory(prefix="reeltag-") as folder:
        streams = _streams(members, kind, Path(folder))
        for parts in _side_by_side(members, streams, kind):
            yield _block(members, parts, top_k)


def _streams(files: Sequence[Predictions], kind: Kind, folder: Path) -> list[Iterator[Rows]]:
    """Return the rows of each file, in the order of the first."""
    first, *others = files
    keys = row_keys(first, kind)
    if not len(keys):
        raise DataError(
            f"holds no {kind}: an empty join",
            where=first.path,
            hint="`reeltag predict` scores whole videos by default, segments with --segments.",
        )
    order = np.argsort(keys)
    streams = [first.rows(kind)]
    digest = order_digest(first, kind) if others else b""
    for number, file in enumerate(others):
        if order_digest(file, kind) == digest:
            streams.append(file.rows(kind))
        else:
            streams.append(in_order_of(first, keys, order, file, kind, folder / str(number)))
    return streams


def _side_by_side(
    files: Sequence[Predictions], streams: Sequence[Iterator[Rows]], kind: Kind
) -> Iterator[list[Rows]]:
    """Yield as many rows of each file at a time; all are about the same."""
    held: list[Rows | None] = [None] * len(streams)
    num_classes = files[0].about.num_classes
    while True:
        for at, stream in enumerate(streams):
            held[at] = held[at] if held[at] is not None else next(stream, None)
        there = [rows for rows in held if rows is not None]
        if not there:
            return
        if len(there) < len(files):
            raise _moved(files[held.index(None)])
        count = min(_rows_at_once(there, num_classes), *map(len, there))
        parts = [cut(rows, 0, count) for rows in there]
        for file, part in zip(files[1:], parts[1:], strict=True):
            if not _about_the_same(parts[0], part):
                raise _moved(file)
        yield parts
        held = [cut(rows, count, len(rows)) if len(rows) > count else None for rows in there]


def _rows_at_once(parts: Sequence[Rows], num_classes: int) -> int:
    """Return how many rows make a block, so that its memory is bounded."""
    pairs_a_row = sum(len(rows.classes) / len(rows) for rows in parts)
    by_scores = _SCORES / max(pairs_a_row * len(parts), 1)
    return max(1, int(min(_CELLS / num_classes, by_scores)))


def _about_the_same(ours: Rows, its: Rows) -> bool:
    return ours.ids.equals(its.ids) and (
        ours.starts is None or its.starts is None or np.array_equal(ours.starts, its.starts)
    )


def _moved(file: Predictions) -> DataError:
    return DataError("was changed while it was read", where=file.path, hint="Try again.")


def cut(rows: Rows, first: int, last: int) -> Rows:
    """Return the rows from `first` to before `last`."""
    if (first, last) == (0, len(rows)):
        return rows
    pairs = slice(int(rows.offsets[first]), int(rows.offsets[last]))
    return Rows(
        rows.ids.slice(first, last - first),
        None if rows.starts is None else rows.starts[first:last],
        rows.offsets[first : last + 1] - rows.offsets[first],
        rows.classes[pairs],
        rows.scores[pairs],
    )


def _block(files: Sequence[Predictions], parts: Sequence[Rows], top_k: int) -> Block:
    """Return the union of the classes that M parts of the same N rows list, and all scores.

    A table of rows * C cells takes the place of a sort: it is faster by far at some 100 classes a
    row of 4,000.
    """
    num_rows, num_classes = len(parts[0]), files[0].about.num_classes
    is_listed = np.zeros(num_rows * num_classes, bool)
    place = np.empty(num_rows * num_classes, np.int32)
    cells = []
    for file, rows in zip(files, parts, strict=True):
        owner = rows.row_of_pair()
        cell = owner * num_classes + rows.classes
        _refuse_scores(file, rows, owner, cell, place, best_first=top_k > 0)
        rank = np.arange(len(cell)) - rows.offsets[owner] if top_k else None
        is_listed[cell if rank is None else cell[rank < top_k]] = True
        cells.append(cell)
    pairs = np.flatnonzero(is_listed)
    place[pairs] = np.arange(len(pairs), dtype=np.int32)
    logits_PM = np.full((len(pairs), len(parts)), -np.inf, np.float32)
    for number, (cell, rows) in enumerate(zip(cells, parts, strict=True)):
        kept = is_listed[cell] if top_k else slice(None)
        logits_PM[place[cell[kept]], number] = rows.scores[kept]
    offsets = np.searchsorted(pairs, np.arange(num_rows + 1) * num_classes)
    classes = (pairs % num_classes).astype(np.int32)
    return Block(parts[0].ids, parts[0].starts, offsets, classes, logits_PM)


def _refuse_scores(
    file: Predictions,
    rows: Rows,
    owner: NDArray[np.int64],
    cell: NDArray[np.int64],
    place: NDArray[np.int32],
    *,
    best_first: bool,
) -> None:
    """Raise DataError where a score is infinite, scores rise, or a row holds a class twice.

    Args:
        file: that the rows are of, for the error.
        rows: to be looked at.
        owner: (P,) the row of each pair.
        cell: (P,) row * C + class of each pair.
        place: of rows * C cells, to be written over.
        best_first: whether the order of classes matters.
    """
    number = np.arange(len(cell), dtype=np.int32)
    place[cell] = number
    found = [
        (np.isinf(rows.scores), "an infinite score: scores are logits, all finite"),
        (place[cell] != number, "a class twice"),
    ]
    if best_first:
        rises = (np.diff(rows.scores, prepend=rows.scores[:1]) > 0) & (
            np.diff(owner, prepend=owner[:1]) == 0
        )
        found.append((rises, "scores that are not best first"))
    for is_bad, what in found:
        if is_bad.any():
            at = int(is_bad.argmax())
            start = "" if rows.starts is None else f" at {rows.starts[owner[at]]} s"
            raise file.broken(
                f"the row of {rows.ids[int(owner[at])]}{start} holds {what} "
                f"(class {rows.classes[at]})"
            )
