"""Prediction files: the scores of videos and segments, as Parquet.

One row is a video or a window of it:

    id        string
    start_s   float64        second at which the window begins; null for a whole video
    end_s     float64        second at which it ends; null for a whole video
    classes   list<int32>    best first
    scores    list<float32>  logits, in the order of `classes`

Its metadata, under `reeltag`, hold a `PredictionInfo` as JSON. All rows of whole videos come before
all rows of segments, in row groups of their own, so that either can be read without the other. Any
other tool opens the file too: pandas, polars, DuckDB.
"""

import dataclasses
import importlib.metadata
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reeltag.core.errors import DataError, reason_of
from reeltag.core.files import PathLike, scratch_folder, whole_file
from reeltag.core.sparse import indptr_of
from reeltag.predictions.metadata import RowsInfo
from reeltag.predictions.rows import Kind, PredictionRows, StoredRows
from reeltag.predictions.sealed_parquet import open_checked, sealed_parquet_writer

_GROUP_PAIRS = 1 << 17  # pairs, or rows, in a row group: 1 MB of classes and scores
_READ_ROWS = 4096


@dataclass(frozen=True, kw_only=True)
class PredictionInfo(RowsInfo):
    """Where predictions come from; stored in the file.

    Attributes:
        num_classes: C; every class is in 0..C-1.
        top_k: most classes of a video's row; 0 = not known.
        segment_top_k: most classes of a segment's row; 0 = not known.
        per_class: most rows per class; 0 = no limit.
        policy: how segments were scored, where not by the plain model: "candidates 20, ...". Fused
            scores are logits of video^a * segment^b.
        blank_std: largest standard deviation of the mean rgb frame of videos that were not scored;
            0 = all were.
        blank: how many these are; their rows hold no class.
        family: of the model.
        run: folder of the checkpoint.
        weights: hash of the model's weights.
        data: data folder.
        split: part of the data.
        device: that scored, "cpu" or "cuda (NVIDIA H200)"; "" = not known.
        batch_size: videos that were scored at once; 0 = not known.
        version: of reeltag.
        inferred: whether the file did not say its classes: C is the largest one + 1, and there may
            be more.
        ranks: whether scores are -ln(rank within the class), for nothing else was known: in the
            order of a class they are right, and no probability is meant.
    """

    ROWS: ClassVar[type[StoredRows]] = PredictionRows
    MARK: ClassVar[tuple[str, str]] = ("scores", "logit")
    WHAT: ClassVar[str] = "a prediction file"
    HINT: ClassVar[str] = "Predictions are written by `reeltag predict RUN --data DATA --out P`."

    num_classes: int
    top_k: int = 0
    segment_top_k: int = 0
    per_class: int = 0
    policy: str = ""
    blank_std: float = 0.0
    blank: int = 0
    family: str = ""
    run: str = ""
    weights: str = ""
    data: str = ""
    split: str = ""
    device: str = ""
    batch_size: int = 0
    version: str = importlib.metadata.version("reeltag")
    inferred: bool = False
    ranks: bool = False


class PredictionWriter:
    """Gathers rows into row groups; see `prediction_writer`.

    Rows are copied into buffers that are allocated once: small arrays kept for long between the
    large ones of a model would leave holes that the allocator cannot use, and memory would grow.
    """

    def __init__(self, file: pq.ParquetWriter) -> None:
        self._file = file
        self._kind: Kind | None = None
        self._num_rows = self._num_pairs = 0
        self._ids: list[str] = []
        self._times = np.empty((2, _GROUP_PAIRS))
        self._lengths = np.empty(_GROUP_PAIRS, np.int64)
        self._classes = np.empty(_GROUP_PAIRS, np.int32)
        self._scores = np.empty(_GROUP_PAIRS, np.float32)

    def write(self, rows: PredictionRows) -> None:
        """Append `rows`; all rows of videos must be written before those of segments."""
        if not len(rows):
            return
        if rows.kind != self._kind:
            if rows.kind == "videos" and self._kind is not None:
                raise ValueError("rows of videos must be written before those of segments")
            self.flush()
            self._kind = rows.kind
        if max(len(rows) + self._num_rows, len(rows.classes) + self._num_pairs) > _GROUP_PAIRS:
            self.flush()
        if max(len(rows), len(rows.classes)) > _GROUP_PAIRS:
            self._file.write_batch(rows.to_arrow())
        else:
            self._gather(rows)

    def _gather(self, rows: PredictionRows) -> None:
        num_rows, num_pairs = self._num_rows + len(rows), self._num_pairs + len(rows.classes)
        self._times[:, self._num_rows : num_rows] = rows.starts, rows.ends
        self._lengths[self._num_rows : num_rows] = rows.counts()
        self._classes[self._num_pairs : num_pairs] = rows.classes
        self._scores[self._num_pairs : num_pairs] = rows.scores
        self._ids.extend(rows.ids.to_pylist())
        self._num_rows, self._num_pairs = num_rows, num_pairs

    def flush(self) -> None:
        """Write the gathered rows as one row group."""
        if not self._num_rows:
            return
        rows = PredictionRows(
            indptr_of(self._lengths[: self._num_rows]),
            self._classes[: self._num_pairs],
            self._scores[: self._num_pairs],
            ids=pa.array(self._ids, pa.string()),
            starts=self._times[0, : self._num_rows],
            ends=self._times[1, : self._num_rows],
        )
        self._file.write_batch(rows.to_arrow())
        self._num_rows = self._num_pairs = 0
        self._ids.clear()


@contextmanager
def prediction_writer(path: PathLike, info: PredictionInfo) -> Iterator[PredictionWriter]:
    """Yield a writer of rows; the file appears whole or not at all.

    OutputError where the disk is full, or the folder cannot be written to.
    """
    path = Path(path)
    with (
        whole_file(path) as part,
        sealed_parquet_writer(part, info.schema(), "classes") as file,
    ):
        writer = PredictionWriter(file)
        yield writer
        writer.flush()


class ConvertedFile:
    """A prediction file in a folder of $TMPDIR, which goes with the last reference to it.

    Attributes:
        path: of the file.
        line_of_largest: line of the source that has the largest class; 0 = not known.
    """

    def __init__(self) -> None:
        stack = ExitStack()
        self.path = stack.enter_context(scratch_folder()) / "predictions.parquet"
        self.line_of_largest = 0
        self.remove = weakref.finalize(self, stack.close)


@dataclass(frozen=True)
class Predictions:
    """A prediction file, read a few thousand rows at a time.

    Attributes:
        path: of the file.
        info: where it comes from.
        converted: what holds its rows as Parquet, where the file is another one.
    """

    path: Path
    info: PredictionInfo
    converted: ConvertedFile | None = None

    @property
    def parquet(self) -> Path:
        """The Parquet file of the rows: `path`, or what it was converted to."""
        return self.path if self.converted is None else self.converted.path

    def with_classes(self, num_classes: int) -> "Predictions":
        """Return a file that did not say its classes as one of so many.

        Args:
            num_classes: C.

        Raises:
            DataError: it has a class beyond them.
        """
        own = self.info.num_classes
        if own > num_classes:
            what = f"has class {own - 1}, outside 0..{num_classes - 1}"
            hint = "Give the data, and the class list, that its classes are numbers of."
            line = self.converted.line_of_largest if self.converted else 0
            raise DataError(
                what, where=f"{self.path}, line {line:,}" if line else self.path, hint=hint
            )
        info = dataclasses.replace(self.info, num_classes=num_classes, inferred=False)
        return dataclasses.replace(self, info=info)

    def rows(self, kind: Kind) -> Iterator[PredictionRows]:
        """Yield the rows of whole videos or of segments, in the order of the file.

        DataError where the file is damaged, the lists of a row differ in length, a class is outside
        0..C-1, a score is not a number, or a start is below 0 s.
        """
        try:
            yield from self._read(kind)
        except (OSError, ValueError, pa.ArrowException) as error:
            raise self.broken(f"cannot be read ({reason_of(error)})") from error

    def holds(self, kind: Kind) -> bool:
        """Return whether the file has at least one row of that kind."""
        return next(self.rows(kind), None) is not None

    def _read(self, kind: Kind) -> Iterator[PredictionRows]:
        with open_checked(self.parquet, pre_buffer=False) as file:  # else memory grows
            groups = [i for i in range(file.num_row_groups) if _may_hold(file, i, kind)]
            if not groups:
                return
            for batch in file.iter_batches(_READ_ROWS, groups, columns=PredictionRows.SCHEMA.names):
                is_video = pc.is_null(batch.column("start_s"))
                mine = batch.filter(is_video if kind == "videos" else pc.invert(is_video))
                if len(mine):
                    mine = mine.select(PredictionRows.SCHEMA.names).cast(PredictionRows.SCHEMA)
                    self._check(mine)
                    yield PredictionRows.from_arrow(mine)

    def _check(self, batch: pa.RecordBatch) -> None:
        classes, scores = batch.column("classes"), batch.column("scores")
        if not pc.list_value_length(classes).equals(pc.list_value_length(scores)):
            raise self.broken("has a row whose classes and scores differ in number")
        start, end = batch.column("start_s"), batch.column("end_s")
        in_order = pc.and_(pc.greater_equal(start, 0), pc.greater(end, start))
        if not pc.all(in_order, min_count=0).as_py():
            raise self.broken("has a row that does not begin at 0 s or later and end after that")
        if not pc.is_null(start).equals(pc.is_null(end)):
            raise self.broken("has a row with a start and no end, or with an end and no start")
        flat = classes.flatten().to_numpy(zero_copy_only=False)
        logits = scores.flatten().to_numpy(zero_copy_only=False)
        nulls = batch.column("id").null_count + classes.null_count + scores.null_count
        if nulls or flat.dtype != np.int32 or np.isnan(logits).any():
            raise self.broken("has a row without an id, a class or a score that is a number")
        if len(flat) and not (flat.min() >= 0 and flat.max() < self.info.num_classes):
            raise self.broken(
                f"has classes {flat.min()}..{flat.max()}, outside 0..{self.info.num_classes - 1}"
            )

    def broken(self, what: str) -> DataError:
        """Return the error to raise where the file is damaged."""
        return DataError(what, where=self.path, hint="Write it again with `reeltag predict`.")


def open_predictions(path: Path | str) -> Predictions:
    """Open a prediction file; its rows are read later.

    Args:
        path: what `reeltag predict` or `reeltag.predict` wrote.

    Raises:
        DataError: there is no such file, it is not Parquet, or not one of predictions.
    """
    path = Path(path)
    return Predictions(path, PredictionInfo.read(path))


def _may_hold(file: pq.ParquetFile, group: int, kind: Kind) -> bool:
    """Return whether a row group can have rows of that kind, by its statistics alone."""
    described = file.metadata.row_group(group)
    columns = map(described.column, range(described.num_columns))
    statistics = next(c.statistics for c in columns if c.path_in_schema == "start_s")
    if statistics is None or not statistics.has_null_count:
        return True
    nulls = statistics.null_count
    return bool(nulls > 0 if kind == "videos" else nulls < described.num_rows)
