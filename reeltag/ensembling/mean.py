"""The mean of what several models say: of their probabilities, item by item and class by class.

The files must be about the same videos and segments in the same order, and of each about the same
classes: then they are read side by side, a few thousand rows at a time, whatever their length.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reeltag.core.errors import ConfigError, DataError
from reeltag.inference.predictions import (
    Kind,
    Predictions,
    Rows,
    open_predictions,
    prediction_writer,
)

KINDS: tuple[Kind, ...] = ("videos", "segments")


def mean(predictions: Sequence[Path], out: Path) -> dict[Kind, int]:
    """Write the logit of the mean probability of several prediction files; return rows by kind.

    The result is a prediction file as any other, with the classes of a row best first.

    Args:
        predictions: files of `reeltag predict`.
        out: the file to make.

    Raises:
        ConfigError: there is no file.
        DataError: a file is none of predictions, or two are not about the same things.
        OutputError: `out` cannot be written.
    """
    if not predictions:
        raise ConfigError("a mean needs at least one file of predictions")
    files = [open_predictions(path) for path in predictions]
    abouts = [file.about for file in files]
    for file in files[1:]:
        if file.about.num_classes != abouts[0].num_classes:
            raise _unequal(file, files[0], "knows another number of classes than")
    families = dict.fromkeys(about.family for about in abouts)
    about = dataclasses.replace(abouts[0], family=f"mean of {', '.join(families)}", run="")
    written: dict[Kind, int] = {}
    with prediction_writer(out, about) as writer:
        for kind in KINDS:
            count = 0
            for rows in _side_by_side(files, kind):
                writer.write(averaged(rows))
                count += len(rows[0])
            written |= {kind: count} if count else {}
    return written


def averaged(members: Sequence[Rows]) -> Rows:
    """Return the logits of the mean probabilities of equal rows, each row's best class first.

    In double precision, and through log-sigmoids, so that logits of -200 do not become -inf.
    """
    owner = members[0].row_of_pair()
    order = [np.lexsort((rows.classes, owner)) for rows in members]
    logits = np.stack(
        [rows.scores[by].astype(np.float64) for rows, by in zip(members, order, strict=True)]
    )
    log_yes = _log_mean(-np.logaddexp(0, -logits))
    log_no = _log_mean(-np.logaddexp(0, logits))
    logit = log_yes - log_no
    best = np.lexsort((-logit, owner))  # `owner` is rising and stays so
    return dataclasses.replace(
        members[0],
        classes=members[0].classes[order[0]][best],
        scores=logit[best].astype(np.float32),
    )


def _log_mean(logs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the log of the mean of what (M, P) logs are of: (P,)."""
    found: NDArray[np.float64] = np.logaddexp.reduce(logs, axis=0) - np.log(len(logs))
    return found


def _side_by_side(files: Sequence[Predictions], kind: Kind) -> Iterator[list[Rows]]:
    """Yield as many rows of each file at a time, and see that they are about the same."""
    streams = [file.rows(kind) for file in files]
    held: list[Rows | None] = [None] * len(files)
    while True:
        for at, stream in enumerate(streams):
            held[at] = held[at] if held[at] is not None else next(stream, None)
        if all(rows is None for rows in held):
            return
        there = [rows for rows in held if rows is not None]
        if len(there) < len(files):
            at = next(at for at, rows in enumerate(held) if rows is None)
            other = next(at for at, rows in enumerate(held) if rows is not None)
            raise _unequal(files[at], files[other], f"has fewer rows of {kind} than")
        count = min(map(len, there))
        parts = [_cut(rows, 0, count) for rows in there]
        for file, part in zip(files[1:], parts[1:], strict=True):
            _refuse_other(parts[0], part, files[0], file, kind)
        yield parts
        held = [_cut(rows, count, len(rows)) if len(rows) > count else None for rows in there]


def _cut(rows: Rows, first: int, last: int) -> Rows:
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


def _refuse_other(ours: Rows, its: Rows, first: Predictions, file: Predictions, kind: Kind) -> None:
    """Raise DataError where two stretches of rows are about different things."""
    same = ours.ids.equals(its.ids) and (
        ours.starts is None or its.starts is None or np.array_equal(ours.starts, its.starts)
    )
    if not same:
        raise _unequal(file, first, f"is about other {kind}, or in another order, than")
    owner = ours.row_of_pair()
    if not np.array_equal(ours.offsets, its.offsets) or not np.array_equal(
        ours.classes[np.lexsort((ours.classes, owner))],
        its.classes[np.lexsort((its.classes, owner))],
    ):
        raise _unequal(file, first, f"holds other classes of its {kind} than")


def _unequal(file: Predictions, first: Predictions, what: str) -> DataError:
    return DataError(
        f"{what} {first.path}",
        where=file.path,
        hint="Predict with each model on the same data with the same options, all classes kept: "
        "--segment-top-k (--top-k for videos) as large as the number of classes.",
    )
