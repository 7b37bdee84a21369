"""Submission files of the two Kaggle challenges (see `predictions.challenges`), out of predictions.

Google's writer differs (docs/reference/departures.md): it writes six digits, which makes ties; a
blank before each line's end, which costs its own scorer the last entry; and leaves out classes that
were never predicted. Here probabilities are the sigmoid in float64 with all digits (logits above
36.7 are 1.0, still in the right order), and every requested class has a row, possibly empty, since
the challenge divides by all of them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from reeltag.core.errors import DataError
from reeltag.core.files import PathLike, whole_file
from reeltag.core.probability import sigmoid
from reeltag.predictions.challenges import HEADERS, MAX_LABELS, MAX_SEGMENTS, Challenge
from reeltag.predictions.file import Predictions
from reeltag.predictions.rows import PredictionRows
from reeltag.predictions.top_k import BestOfClass


@dataclass(frozen=True, kw_only=True)
class Submission:
    """Summary of a written submission.

    Attributes:
        path: of the file.
        challenge: whose format it has.
        rows: videos (2018) or classes (2019).
        entries: labels (2018) or segments (2019), over all rows.
        repeated: videos or segments that the predictions had twice; the second was left out.
        empty: rows without an entry.
    """

    path: Path
    challenge: Challenge
    rows: int
    entries: int
    repeated: int
    empty: int


def write_videos(predictions: Predictions, out: PathLike) -> Submission:
    """Write the submission of 2018: up to 20 labels of every video, in the order of the file.

    Raises DataError if there are no videos in the predictions, the scores of one are not best
    first, or an id cannot be written in the format, OutputError if the disk is full.
    """
    out = Path(out)
    seen: set[str] = set()
    repeated = entries = empty = 0
    with whole_file(out) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        file.write(HEADERS[2018] + "\n")
        for rows in predictions.rows("videos"):
            _check_ids(rows.ids, predictions.path)
            _check_ranking(rows, predictions.path)
            for name, pairs in zip(rows.ids.to_pylist(), _label_pairs(rows), strict=True):
                if name in seen:
                    repeated += 1
                    continue
                seen.add(name)
                entries += len(pairs)
                empty += not pairs
                file.write(f"{name},{' '.join(pairs)}\n")
        if not seen:
            raise _no_predictions(predictions, "videos", "Predict without --no-videos.")
    return Submission(
        path=out, challenge=2018, rows=len(seen), entries=entries, repeated=repeated, empty=empty
    )


def write_segments(
    predictions: Predictions,
    out: PathLike,
    classes: Sequence[int],
    *,
    max_segments: int = MAX_SEGMENTS,
) -> Submission:
    """Write the submission of 2019: a row for each of `classes`, in that order.

    Segments with equal scores are in the order of the predictions. Memory: 8 bytes *
    `max_segments` per class (0.8 GB for the challenge) and the names of the segments.

    Raises DataError if there are no segments in the predictions, a class is not one of theirs, or
    an id cannot be written in the format, OutputError if the disk is full.
    """
    out = Path(out)
    wanted = np.zeros(predictions.info.num_classes, bool)
    if bad := [c for c in classes if not 0 <= c < len(wanted)]:
        raise DataError(
            f"class {bad[0]} is requested; the predictions have classes 0..{len(wanted) - 1}",
            where=predictions.path,
            hint="Give the list of classes that belongs to these data (--classes).",
        )
    wanted[list(classes)] = True
    best, names = _rank_segments(predictions, wanted, max_segments)
    if not len(names):
        raise _no_predictions(predictions, "segments", "Predict with --segments.")
    repeated = entries = empty = 0
    with whole_file(out) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        file.write(HEADERS[2019] + "\n")
        for c in classes:
            mine = names.take(pa.array(best.best(c)[1]))
            listed = mine.unique()
            repeated += len(mine) - len(listed)
            entries += len(listed)
            empty += not len(listed)
            file.write(f"{c},{_joined(listed)}\n")
    return Submission(
        path=out,
        challenge=2019,
        rows=len(classes),
        entries=entries,
        repeated=repeated,
        empty=empty,
    )


def _label_pairs(rows: PredictionRows) -> Iterable[list[str]]:
    probs = sigmoid(rows.scores).tolist()
    pairs = [f"{c} {p!r}" for c, p in zip(rows.classes.tolist(), probs, strict=True)]
    for begin, end in pairwise(rows.indptr.tolist()):
        yield pairs[begin : min(end, begin + MAX_LABELS)]


def _rank_segments(
    predictions: Predictions, wanted: NDArray[np.bool_], max_segments: int
) -> tuple[BestOfClass, pa.Array]:
    """Return the best row numbers of each wanted class, and the name of every row."""
    best = BestOfClass(len(wanted), max_segments)
    names = [pa.array([], pa.string())]
    before = 0
    for rows in predictions.rows("segments"):
        _check_ids(rows.ids, predictions.path)
        _check_published_segments(rows, predictions.path)
        starts = pa.array(rows.starts.astype(np.int64)).cast(pa.string())
        names.append(pc.binary_join_element_wise(rows.ids, starts, ":"))
        positions = rows.row_of_entry() + before
        before += len(rows)
        use = wanted[rows.classes]
        use[use] = best.may_enter(rows.classes[use], rows.scores[use], positions[use])
        best.add(rows.classes[use], rows.scores[use], positions[use])
    return best, pa.concat_arrays(names)


def _check_published_segments(rows: PredictionRows, path: Path) -> None:
    """Raise DataError where a window is no segment of YouTube-8M: 5 s from a multiple of 5 on."""
    bad = (rows.starts % 5 != 0) | (rows.ends - rows.starts != 5)
    if bad.any():
        at = int(bad.argmax())
        raise DataError(
            f"{rows.row_name(at)} ends at {rows.ends[at]:g} s; a submission has segments of 5 s",
            where=path,
            hint="Predict again without --length and --hop.",
        )


def _joined(names: pa.Array) -> str:
    if not len(names):
        return ""
    as_list = pa.ListArray.from_arrays(pa.array([0, len(names)], pa.int32()), names)
    text: str = pc.binary_join(as_list, " ")[0].as_py()
    return text


def _check_ids(ids: pa.Array, path: Path) -> None:
    bad = ids.filter(pc.match_substring_regex(ids, r'[\s,"]|^$'))
    if len(bad):
        raise DataError(
            f"id {bad[0].as_py()!r} is empty or holds a blank, comma or quote, which the format "
            "of the challenges does not allow",
            where=path,
        )


def _check_ranking(rows: PredictionRows, path: Path) -> None:
    rises = rows.rises()
    if rises.any():
        name = rows.ids[int(rows.row_of_entry()[rises.argmax()])].as_py()
        raise DataError(f"the scores of {name!r} are not best first", where=path)


def _no_predictions(predictions: Predictions, kind: str, hint: str) -> DataError:
    return DataError(f"holds no predictions of {kind}", where=predictions.path, hint=hint)
