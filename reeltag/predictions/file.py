"""Prediction files: what a checkpoint says about videos and segments, as Parquet.

One row is a video or a 5-second segment of it:

    id        string
    start_s   int32          first second of the segment; null for a whole video
    classes   list<int32>    best first
    scores    list<float32>  logits, in the order of `classes`

What the file is stands in its metadata under `reeltag`, as JSON (`About`). All rows of whole
videos come before all rows of segments, in row groups of their own, so that either can be read
without the other. Any other tool opens the file too: pandas, polars, DuckDB.
"""

import dataclasses
import importlib.metadata
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reeltag.core.errors import DataError, reason_of
from reeltag.core.files import whole_file
from reeltag.predictions.rows import SCHEMA, Kind, Rows

__all__ = [
    "SCHEMA",
    "About",
    "Kind",
    "PredictionWriter",
    "Predictions",
    "Rows",
    "open_predictions",
    "prediction_writer",
]

_GROUP_PAIRS = 1 << 17  # pairs, or rows, in a row group: 1 MB of classes and scores
_READ_ROWS = 4096
_HINT = "Predictions are written by `reeltag predict RUN --data DATA --out P`."


@dataclass(frozen=True, kw_only=True)
class About:
    """Where predictions come from; stored in the file.

    Attributes:
        num_classes: C; every class is in 0..C-1.
        top_k: classes a video's row holds at most; 0 = not known.
        segment_top_k: classes a segment's row holds at most; 0 = not known.
        per_class: rows a class was limited to; 0 = no limit.
        policy: how segments were scored, where that is not plainly: "candidates 20, ...". Fused
            scores are logits of video^a * segment^b.
        fake_std: largest standard deviation of the mean rgb frame of videos that were not scored;
            0 = all were.
        fakes: how many these are; a row of theirs holds no class.
        family: of the model.
        run: folder of the checkpoint.
        data: data folder.
        split: part of the data.
        version: of reeltag.
    """

    num_classes: int
    top_k: int = 0
    segment_top_k: int = 0
    per_class: int = 0
    policy: str = ""
    fake_std: float = 0.0
    fakes: int = 0
    family: str = ""
    run: str = ""
    data: str = ""
    split: str = ""
    version: str = importlib.metadata.version("reeltag")

    def to_metadata(self) -> dict[bytes, bytes]:
        """Return the metadata of the file, all that `from_metadata` needs."""
        about = {"scores": "logit", **dataclasses.asdict(self)}
        return {b"reeltag": json.dumps(about, ensure_ascii=False).encode()}

    @classmethod
    def from_metadata(cls, metadata: dict[bytes, bytes] | None, path: Path) -> "About":
        """Read what `to_metadata` wrote; unknown keys are of later versions and left alone.

        Raises:
            DataError: the file is not one of predictions, or its scores are not logits.
        """
        try:
            about: dict[str, Any] = json.loads((metadata or {})[b"reeltag"])
            scores, known = about["scores"], {field.name for field in dataclasses.fields(cls)}
            found = cls(**{key: value for key, value in about.items() if key in known})
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                "does not say what its scores are: the metadata key 'reeltag' is missing or broken",
                where=path,
                hint="Predictions are written by `reeltag predict`, or by prediction_writer().",
            ) from error
        if scores != "logit":
            raise DataError(f"scores must be 'logit', got {scores!r}", where=path, hint=_HINT)
        return found


class PredictionWriter:
    """Gathers rows into row groups; see `prediction_writer`.

    Rows are copied into buffers that are made once: small arrays kept for long between the large
    ones of a model would leave holes that the allocator cannot use again, and memory would grow.
    """

    def __init__(self, file: pq.ParquetWriter) -> None:
        self._file = file
        self._kind: Kind | None = None
        self._num_rows = self._num_pairs = 0
        self._ids: list[str] = []
        self._starts = np.empty(_GROUP_PAIRS, np.int32)
        self._lengths = np.empty(_GROUP_PAIRS, np.int64)
        self._classes = np.empty(_GROUP_PAIRS, np.int32)
        self._scores = np.empty(_GROUP_PAIRS, np.float32)

    def write(self, rows: Rows) -> None:
        """Append `rows`; all rows of videos must be written before those of segments."""
        kind: Kind = "videos" if rows.starts is None else "segments"
        if kind != self._kind:
            if kind == "videos" and self._kind is not None:
                raise ValueError("rows of videos must be written before those of segments")
            self.flush()
            self._kind = kind
        if max(len(rows) + self._num_rows, len(rows.classes) + self._num_pairs) > _GROUP_PAIRS:
            self.flush()
        if max(len(rows), len(rows.classes)) > _GROUP_PAIRS:
            self._file.write_batch(rows.to_arrow())
        else:
            self._gather(rows)

    def _gather(self, rows: Rows) -> None:
        num_rows, num_pairs = self._num_rows + len(rows), self._num_pairs + int(rows.offsets[-1])
        if rows.starts is not None:
            self._starts[self._num_rows : num_rows] = rows.starts
        self._lengths[self._num_rows : num_rows] = np.diff(rows.offsets)
        self._classes[self._num_pairs : num_pairs] = rows.classes
        self._scores[self._num_pairs : num_pairs] = rows.scores
        self._ids.extend(rows.ids.to_pylist())
        self._num_rows, self._num_pairs = num_rows, num_pairs

    def flush(self) -> None:
        """Write what is gathered as one row group."""
        if not self._num_rows:
            return
        lengths = self._lengths[: self._num_rows]
        rows = Rows(
            pa.array(self._ids, pa.string()),
            None if self._kind == "videos" else self._starts[: self._num_rows],
            np.concatenate([[0], np.cumsum(lengths)]),
            self._classes[: self._num_pairs],
            self._scores[: self._num_pairs],
        )
        self._file.write_batch(rows.to_arrow())
        self._num_rows = self._num_pairs = 0
        self._ids.clear()


@contextmanager
def prediction_writer(path: Path, about: About) -> Iterator[PredictionWriter]:
    """Yield a writer of rows; the file appears whole or not at all.

    Raises:
        OutputError: the disk is full, or the folder cannot be written to.
    """
    schema = SCHEMA.with_metadata(about.to_metadata())
    with (
        whole_file(path) as part,
        pq.ParquetWriter(part, schema, compression="zstd", use_dictionary=["classes"]) as file,
    ):
        writer = PredictionWriter(file)
        yield writer
        writer.flush()


@dataclass(frozen=True)
class Predictions:
    """A prediction file, read a few thousand rows at a time.

    Attributes:
        path: of the file.
        about: where it comes from.
    """

    path: Path
    about: About

    def rows(self, kind: Kind) -> Iterator[Rows]:
        """Yield the rows of whole videos or of segments, in the order of the file.

        Raises:
            DataError: the file is damaged, the lists of a row differ in length, a class is outside
                0..C-1, or a score is not a number.
        """
        try:
            yield from self._read(kind)
        except (OSError, pa.ArrowException) as error:
            raise self.broken(f"cannot be read ({reason_of(error)})") from error

    def holds(self, kind: Kind) -> bool:
        """Tell whether the file has at least one row of that kind."""
        return next(self.rows(kind), None) is not None

    def _read(self, kind: Kind) -> Iterator[Rows]:
        with pq.ParquetFile(self.path, pre_buffer=False) as file:  # else memory grows
            groups = [i for i in range(file.num_row_groups) if _may_hold(file, i, kind)]
            if not groups:
                return
            for batch in file.iter_batches(_READ_ROWS, groups, columns=SCHEMA.names):
                is_video = pc.is_null(batch.column("start_s"))
                mine = batch.filter(is_video if kind == "videos" else pc.invert(is_video))
                if len(mine):
                    yield self._checked(mine.select(SCHEMA.names).cast(SCHEMA), kind)

    def _checked(self, batch: pa.RecordBatch, kind: Kind) -> Rows:
        classes, scores = batch.column("classes"), batch.column("scores")
        if not pc.list_value_length(classes).equals(pc.list_value_length(scores)):
            raise self.broken("has a row whose classes and scores differ in number")
        flat = classes.flatten().to_numpy(zero_copy_only=False)
        logits = scores.flatten().to_numpy(zero_copy_only=False)
        nulls = batch.column("id").null_count + classes.null_count + scores.null_count
        if nulls or flat.dtype != np.int32 or np.isnan(logits).any():
            raise self.broken("has a row without an id, a class or a score that is a number")
        if len(flat) and not (flat.min() >= 0 and flat.max() < self.about.num_classes):
            raise self.broken(
                f"has classes {flat.min()}..{flat.max()}, outside 0..{self.about.num_classes - 1}"
            )
        return Rows.from_arrow(batch, kind)

    def broken(self, what: str) -> DataError:
        """Return the error that says what is wrong with the file, to be raised."""
        return DataError(what, where=self.path, hint="Write it again with `reeltag predict`.")


def open_predictions(path: Path) -> Predictions:
    """Open a prediction file; rows are read only when asked for.

    Raises:
        DataError: there is no such file, it is not Parquet, or not one of predictions.
    """
    if not path.is_file():
        what = "is a folder, not a prediction file" if path.is_dir() else "is not there"
        raise DataError(what, where=path, hint=_HINT)
    try:
        schema = pq.read_schema(path)
    except (OSError, pa.ArrowException) as error:
        what = f"cannot be read as Parquet ({reason_of(error)})"
        raise DataError(what, where=path, hint=_HINT) from error
    if missing := [name for name in SCHEMA.names if name not in schema.names]:
        raise DataError(
            f"lacks the columns {', '.join(missing)} of a prediction file", where=path, hint=_HINT
        )
    return Predictions(path, About.from_metadata(schema.metadata, path))


def _may_hold(file: pq.ParquetFile, group: int, kind: Kind) -> bool:
    """Tell from the statistics alone whether a row group can have rows of that kind."""
    described = file.metadata.row_group(group)
    columns = map(described.column, range(described.num_columns))
    statistics = next(c.statistics for c in columns if c.path_in_schema == "start_s")
    if statistics is None or not statistics.has_null_count:
        return True
    nulls = statistics.null_count
    return bool(nulls > 0 if kind == "videos" else nulls < described.num_rows)
