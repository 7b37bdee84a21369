"""Submission files of the challenges as predictions, for whoever compares or joins scores.

    2018    a row is a video; scores are the logits of its probabilities (1 counts as the float64
            before it, 0 as the one after it)
    2019    a row is a segment; all that the file knows is the order of each class: scores are
            -ln(rank), so that MAP@K is that of the file, and nothing that needs probabilities is

The rows go to a temporary Parquet file, 4,096 videos or a few million segments at a time. Which
number of classes there is a submission does not say: it is the largest class + 1 (`info.inferred`)
until the data, or another file, tell.
"""

import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from reeltag.core.arrow_files import arrow_sink, arrow_source
from reeltag.core.errors import DataError
from reeltag.core.files import PathLike, scratch_folder, writing_scratch
from reeltag.core.seeding import mixed
from reeltag.core.sparse import indptr_of
from reeltag.predictions.challenges import SEGMENT_SECONDS, Challenge, quoted_headers
from reeltag.predictions.file import (
    ConvertedFile,
    PredictionInfo,
    Predictions,
    PredictionWriter,
    open_predictions,
    prediction_writer,
)
from reeltag.predictions.rows import WHOLE_VIDEO, PredictionRows
from reeltag.predictions.submission_lines import (
    challenge_of_file,
    id_at,
    labelled_videos,
    raise_at,
    ranked_segments,
)

FAMILY = "submission"  # in place of that of a model
MAX_CLASSES = 1 << 31
_LEAST = float(np.nextafter(0, 1))
_MOST = float(np.nextafter(1, 0))
_BUCKET_BYTES = 16 << 20  # of a submission, whose segments are sorted at a time
_MOST_BUCKETS = 256
_HELD = 1 << 18  # segments that are held on the way into the buckets
_ROWS = 4096
_PAIRS = pa.schema([("segment", pa.string()), ("class", pa.int32()), ("score", pa.float32())])
_OPEN: "weakref.WeakValueDictionary[tuple[object, ...], _Submission]" = (
    weakref.WeakValueDictionary()
)


class _Submission(ConvertedFile):
    """A submission that was converted, and what is known of it."""

    info: PredictionInfo


def open_scores(path: PathLike, num_classes: int | None = None) -> Predictions:
    """Open a prediction file or a submission of 2018 or 2019, by what the file is.

    A submission is read through, checked and converted once, as long as it is open anywhere.

    Args:
        path: of the file.
        num_classes: C, for a file that does not say it; None: as many as its classes need.

    Raises:
        DataError: it is neither, or damaged; a line breaks a rule, which is named; a video, a class
            or a segment of one is there twice; a class is not below `num_classes`.
        OutputError: $TMPDIR has no space for the rows.
    """
    path = Path(path)
    challenge = challenge_of_file(path)
    if challenge is None and path.suffix.lower() == ".csv" and path.is_file():
        what = f"line 1: the header must be {quoted_headers()}"
        hint = "Predictions are Parquet files of `reeltag predict`, or submissions."
        raise DataError(what, where=path, hint=hint)
    if challenge is None:
        found = open_predictions(path)
    else:
        converted = _converted(path, challenge)
        found = Predictions(path, converted.info, converted)
    is_open = num_classes is not None and found.info.inferred
    return found.with_classes(num_classes) if is_open and num_classes else found


def _converted(path: Path, challenge: Challenge) -> _Submission:
    """Return the rows of a submission, which are there already where it is open."""
    status = path.stat()
    key = (path.resolve(), status.st_size, status.st_mtime_ns, status.st_ino)
    known = _OPEN.get(key)
    if known is not None:
        return known
    new = _Submission()
    convert = _convert_videos if challenge == 2018 else _convert_segments
    with prediction_writer(new.path, PredictionInfo(num_classes=MAX_CLASSES)) as writer:
        largest, longest, new.line_of_largest = convert(path, writer)
    new.info = PredictionInfo(
        num_classes=largest + 1,
        inferred=True,
        ranks=challenge == 2019,
        top_k=longest if challenge == 2018 else 0,
        segment_top_k=longest if challenge == 2019 else 0,
        family=FAMILY,
    )
    _OPEN[key] = new
    return new


def _convert_videos(path: Path, writer: PredictionWriter) -> tuple[int, int, int]:
    """Write the rows; return the largest class, the length of the longest row, and its line."""
    largest, longest, line = 0, 0, 0
    hashes = list[NDArray[np.int64]]()
    for block in labelled_videos(path):
        hashes.append(np.fromiter(map(hash, block.ids), np.int64, len(block.ids)))
        if len(block.classes) and (line == 0 or block.classes.max() > largest):
            entry = int(block.classes.argmax())
            largest = int(block.classes[entry])
            line = int(block.lines[np.searchsorted(block.indptr, entry, side="right") - 1])
        longest = max(longest, int(np.diff(block.indptr).max()))
        probs = np.clip(block.probs, _LEAST, _MOST)
        logits = (np.log(probs) - np.log1p(-probs)).astype(np.float32)
        whole = np.full(len(block.ids), WHOLE_VIDEO)
        ids = pa.array(block.ids, pa.string())
        writer.write(
            PredictionRows(block.indptr, block.classes, logits, ids=ids, starts=whole, ends=whole)
        )
    _check_once(path, np.concatenate(hashes))
    return largest, longest, line


def _check_once(path: Path, hashes: NDArray[np.int64]) -> None:
    """Raise DataError where a video has two rows; row n is in line n + 2."""
    order = np.argsort(hashes, kind="stable")
    same = np.flatnonzero(hashes[order][1:] == hashes[order][:-1])
    for at in same.tolist():
        first, again = (int(order[at + more]) + 2 for more in (0, 1))
        name = id_at(path, again)
        if name == id_at(path, first):  # else two ids have one hash
            raise_at(path, again, f"video {name!r} has a row already, at line {first:,}")


def _convert_segments(path: Path, writer: PredictionWriter) -> tuple[int, int, int]:
    """Write the rows; return the largest class, the length of the longest row, and its line.

    The file has a line for each class, and a row of ours is a segment: its pairs are sorted into
    temporary files by a hash of the segment, and each of these is then sorted by itself.
    """
    largest, longest, line = 0, 0, 0
    number = min(_MOST_BUCKETS, 1 + path.stat().st_size // _BUCKET_BYTES)
    with scratch_folder() as folder, writing_scratch(folder):
        buckets = [
            pa.ipc.new_stream(arrow_sink(folder / f"{at}.arrow"), _PAIRS) for at in range(number)
        ]
        for pairs, category, at in _pairs(path):
            if line == 0 or category > largest:
                largest, line = category, at
            _distribute(pairs, buckets)
        for bucket in buckets:
            bucket.close()
        for each in [folder / f"{at}.arrow" for at in range(number)]:
            with arrow_source(each) as file, pa.ipc.open_stream(file) as stream:
                rows = _rows_of(stream.read_all())
            each.unlink()
            longest = max(longest, int(rows.counts().max(initial=0)))
            for first in range(0, len(rows), _ROWS):
                writer.write(rows.slice(first, min(first + _ROWS, len(rows))))
    return largest, longest, line


def _pairs(path: Path) -> Iterator[tuple[pa.Table, int, int]]:
    """Yield pairs of a segment and a class, and the largest class so far with its line."""
    held, size, largest, line = list[pa.RecordBatch](), 0, -1, 0
    for found in ranked_segments(path):
        count = len(found.segments)
        scores = -np.log(np.arange(1, count + 1)).astype(np.float32) + np.float32(0)  # no -0
        classes = np.full(count, found.category, np.int32)
        columns = [found.segments, pa.array(classes), pa.array(scores)]
        held.append(pa.RecordBatch.from_arrays(columns, schema=_PAIRS))
        size += count
        if found.category > largest:
            largest, line = found.category, found.line
        if size > _HELD:
            yield pa.Table.from_batches(held, _PAIRS), largest, line
            held, size = [], 0
    yield pa.Table.from_batches(held, _PAIRS), largest, line


def _distribute(pairs: pa.Table, buckets: list[pa.RecordBatchStreamWriter]) -> None:
    """Append each pair to the bucket of its segment."""
    pairs = pairs.combine_chunks()
    if len(buckets) == 1 or not len(pairs):
        buckets[0].write_table(pairs)
        return
    bucket = _text_hashes(pairs["segment"].combine_chunks()) % np.uint64(len(buckets))
    order = np.argsort(bucket, kind="stable")
    bounds = np.searchsorted(bucket[order], np.arange(len(buckets) + 1))
    pairs = pairs.take(pa.array(order))
    for at in np.flatnonzero(np.diff(bounds)).tolist():
        buckets[at].write_table(pairs.slice(bounds[at], bounds[at + 1] - bounds[at]))


def _text_hashes(texts: pa.Array) -> NDArray[np.uint64]:
    """Return (N,) a hash of each text, none of which is empty: a sum over its bytes and places."""
    _, ends, letters = texts.buffers()
    offsets = np.frombuffer(ends, np.int32, len(texts) + 1, 4 * texts.offset).astype(np.int64)
    codes = np.frombuffer(letters, np.uint8)[offsets[0] : offsets[-1]]
    place = np.arange(len(codes)) - np.repeat(offsets[:-1] - offsets[0], np.diff(offsets))
    summed: NDArray[np.uint64] = np.add.reduceat(
        mixed(codes.astype(np.uint64), place), offsets[:-1] - offsets[0]
    )
    return summed


def _rows_of(pairs: pa.Table) -> PredictionRows:
    """Return a row for each segment of a bucket, its classes best first."""
    segments = pairs["segment"].combine_chunks().dictionary_encode()
    scores, classes = (pairs[name].to_numpy() for name in ("score", "class"))
    owner = segments.indices.to_numpy(zero_copy_only=False)
    order = np.lexsort((classes, -scores, owner))
    names = pc.extract_regex(segments.dictionary, r"^(?P<id>.*):(?P<start>\d+)$")
    starts = pc.struct_field(names, "start").cast(pa.float64()).to_numpy(zero_copy_only=False)
    return PredictionRows(
        indptr_of(np.bincount(owner, minlength=len(segments.dictionary))),
        classes[order],
        scores[order],
        ids=pc.struct_field(names, "id"),
        starts=starts,
        ends=starts + SEGMENT_SECONDS,
    )
