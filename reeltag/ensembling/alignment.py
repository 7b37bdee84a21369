"""Prediction files of several models, aligned by id: the scores of all models for the same rows.

Files in one order are read side by side, a few thousand rows at a time. One in another order is
first brought into that of the first file, through temporary files (in $TMPDIR) that are read one
at a time. Memory grows with the number of models, and by 16 bytes a row (40 where orders differ).

Letters in shapes: N rows, P entries (a class of a row), M models, C classes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reeltag.core.errors import DataError
from reeltag.core.files import scratch_folder
from reeltag.core.probability import sigmoid
from reeltag.core.sparse import from_cells
from reeltag.ensembling.members import open_members
from reeltag.ensembling.ordering import in_order_of, order_digest, row_keys
from reeltag.predictions.file import Predictions
from reeltag.predictions.rows import Kind, PredictionRows, TimedRows

_CELLS = 1 << 22  # rows * C of a block: tables of 5 bytes a cell, which stay near the processor
_SCORES = 1 << 25  # listed pairs * M of a block: at most 128 MB of scores, mostly a third


@dataclass(frozen=True, eq=False)
class AlignedRows(TimedRows):
    """The scores of M models for N whole videos, or N segments.

    A row has the classes that any model lists, ascending.

    Attributes:
        values: (P, M) float32 logits; -inf, a probability of 0, where a model does not list the
            class.
    """

    @property
    def logits(self) -> NDArray[np.float32]:
        """(P, M) logits."""
        return self.values

    @cached_property
    def probs(self) -> NDArray[np.float32]:
        """(P, M) probabilities, 0 where a model does not list the class."""
        return sigmoid(self.values, np.float32)


def align_predictions(
    files: Sequence[Path], kind: Kind = "videos", top_k: int = 0
) -> Iterator[AlignedRows]:
    """Yield the rows of all files in the order of the first, some thousand rows at a time.

    Args:
        files: of `reeltag predict`, one per model, with the same rows in any order.
        kind: whole videos or segments.
        top_k: classes that are among this many best of at least one model are kept; 0 keeps all.
            A kept class has the scores of all models that list it.

    Raises:
        ConfigError: there is no file, or one is given twice.
        DataError: a file is none of predictions or damaged, has other classes or rows than the
            first one, or a row or the class of a row twice; or there are no rows.
    """
    members = open_members(files)
    with scratch_folder() as folder:
        streams = _streams(members, kind, folder)
        for parts in _side_by_side(members, streams, kind):
            yield _aligned(members, parts, top_k)


def _streams(
    files: Sequence[Predictions], kind: Kind, folder: Path
) -> list[Iterator[PredictionRows]]:
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
    files: Sequence[Predictions], streams: Sequence[Iterator[PredictionRows]], kind: Kind
) -> Iterator[list[PredictionRows]]:
    """Yield the same rows of each file, some at a time."""
    held: list[PredictionRows | None] = [None] * len(streams)
    num_classes = files[0].info.num_classes
    while True:
        for at, stream in enumerate(streams):
            held[at] = held[at] if held[at] is not None else next(stream, None)
        there = [rows for rows in held if rows is not None]
        if not there:
            return
        if len(there) < len(files):
            raise _changed(files[held.index(None)])
        count = min(_rows_at_once(there, num_classes), *map(len, there))
        parts = [rows.slice(0, count) for rows in there]
        for file, part in zip(files[1:], parts[1:], strict=True):
            first = parts[0]
            same = part.ids.equals(first.ids) and np.array_equal(part.starts, first.starts)
            same = same and np.array_equal(part.ends, first.ends)
            if not same:
                raise _changed(file)
        yield parts
        held = [rows.slice(count, len(rows)) if len(rows) > count else None for rows in there]


def _rows_at_once(parts: Sequence[PredictionRows], num_classes: int) -> int:
    """Return how many rows are aligned at once, so that their memory is bounded."""
    pairs_a_row = sum(len(rows.classes) / len(rows) for rows in parts)
    by_scores = _SCORES / max(pairs_a_row * len(parts), 1)
    return max(1, int(min(_CELLS / num_classes, by_scores)))


def _changed(file: Predictions) -> DataError:
    return DataError("was changed while it was read", where=file.path, hint="Try again.")


def _aligned(
    files: Sequence[Predictions], parts: Sequence[PredictionRows], top_k: int
) -> AlignedRows:
    """Return the union of the classes that M parts of the same N rows list, and all scores.

    A table of rows * C cells takes the place of a sort: it is faster by far at some 100 classes a
    row of 4,000.
    """
    first, num_classes = parts[0], files[0].info.num_classes
    is_listed = np.zeros(len(first) * num_classes, bool)
    place = np.empty(len(first) * num_classes, np.int32)
    cells = []
    for file, rows in zip(files, parts, strict=True):
        cell = rows.cells(num_classes)
        _check_scores(file, rows, cell, place, best_first=top_k > 0)
        is_listed[cell[rows.place_in_row() < top_k] if top_k else cell] = True
        cells.append(cell)
    listed = np.flatnonzero(is_listed)
    place[listed] = np.arange(len(listed), dtype=np.int32)
    logits_PM = np.full((len(listed), len(parts)), -np.inf, np.float32)
    for number, (cell, rows) in enumerate(zip(cells, parts, strict=True)):
        kept = is_listed[cell] if top_k else slice(None)
        logits_PM[place[cell[kept]], number] = rows.scores[kept]
    return AlignedRows(
        *from_cells(listed, len(first), num_classes),
        logits_PM,
        ids=first.ids,
        starts=first.starts,
        ends=first.ends,
    )


def _check_scores(
    file: Predictions,
    rows: PredictionRows,
    cell: NDArray[np.int64],
    place: NDArray[np.int32],
    *,
    best_first: bool,
) -> None:
    """Raise DataError where a score is infinite, scores rise, or a row holds a class twice.

    Args:
        file: that the rows are of, for the error.
        rows: to check.
        cell: (P,) row * C + class of each entry.
        place: of rows * C cells, to be written over.
        best_first: whether the order of classes matters.
    """
    number = np.arange(len(cell), dtype=np.int32)
    place[cell] = number
    problems = [
        (np.isinf(rows.scores), "an infinite score: scores are logits, all finite"),
        (place[cell] != number, "a class twice"),
    ]
    if best_first:
        problems.append((rows.rises(), "scores that are not best first"))
    for is_bad, what in problems:
        if is_bad.any():
            at = int(is_bad.argmax())
            name = rows.row_name(int(rows.row_of_entry()[at]))
            raise file.broken(f"the row of {name} holds {what} (class {rows.classes[at]})")
