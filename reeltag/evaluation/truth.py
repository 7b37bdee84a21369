"""Labels of the videos of a data set, and the ratings of their segments.

Predictions are looked up by binary search among ascending 64-bit numbers, so that millions of them
take no dense matrix.

Letters in shapes: V videos, S rated segments, Q ratings, N predictions or rows.
"""

import dataclasses
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from reeltag.core.id_places import IdPlaces
from reeltag.core.sparse import SparseRows, find, from_cells, is_among
from reeltag.data.blank_videos import blank_rows
from reeltag.data.class_list import ClassList
from reeltag.data.dataset import Dataset
from reeltag.data.selection import Records
from reeltag.data.splits import Split
from reeltag.predictions.rows import window_keys

Numbers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RatedSegments(SparseRows):
    """S windows by video, start and end, ascending, each with the classes it was rated for.

    Attributes:
        values: (Q,) float32, 1 where the class is present, 0 where it is absent.
        videos: (S,) int64, the video of each.
        starts: (S,) float64, seconds at which each begins.
        ends: (S,) float64, seconds at which each ends.
    """

    ROW_COLUMNS: ClassVar[tuple[str, ...]] = ("videos", "starts", "ends")

    values: NDArray[np.float32] = field()
    videos: Numbers = field(kw_only=True)
    starts: NDArray[np.float64] = field(kw_only=True)
    ends: NDArray[np.float64] = field(kw_only=True)

    @classmethod
    def none(cls) -> Self:
        """Return the ratings of data that have none."""
        return cls(
            np.zeros(1, np.int64),
            np.empty(0, np.int32),
            np.empty(0, np.float32),
            videos=np.empty(0, np.int64),
            starts=np.empty(0),
            ends=np.empty(0),
        )

    @cached_property
    def is_positive(self) -> NDArray[np.bool_]:
        """(Q,) which ratings are positive: the class is present."""
        return self.values > 0

    def video_of_rating(self) -> Numbers:
        """Return (Q,) the video of each rating."""
        return self.videos[self.row_of_entry()]


@dataclass(frozen=True, eq=False)
class Truth:
    """Labels and ratings of V videos.

    Attributes:
        data: the data folder.
        ids: (V,) strings, each once.
        num_classes: C.
        names: C class names, None where the data come without a class list.
        labels: of the V videos, ascending in each.
        ratings: of the S rated segments.
    """

    data: Path
    ids: pa.Array
    num_classes: int
    names: tuple[str, ...] | None
    labels: SparseRows
    ratings: RatedSegments = field(default_factory=RatedSegments.none)

    def __len__(self) -> int:
        """Return V."""
        return len(self.ids)

    @cached_property
    def _label_cells(self) -> Numbers:
        return self.labels.cells(self.num_classes)

    @cached_property
    def _rating_cells(self) -> Numbers:
        return self.ratings.cells(self.num_classes)

    @cached_property
    def _segment_keys(self) -> tuple[Numbers, Numbers]:
        """The keys of the rated windows ascending, and the window of each."""
        ratings = self.ratings
        keys = window_keys(ratings.videos, ratings.starts, ratings.ends).view(np.int64)
        order = np.argsort(keys, kind="stable")
        return keys[order], order

    def videos_of(self, ids: pa.Array) -> Numbers:
        """Return (N,) the video of each id, -1 where it is unknown."""
        return self._places.of(ids)

    @cached_property
    def _places(self) -> IdPlaces:
        return IdPlaces(self.ids)

    def segments_of(
        self, videos: Numbers, starts: NDArray[np.float64], ends: NDArray[np.float64]
    ) -> Numbers:
        """Return (N,) the rated window of each video, start and end, -1 where it is unrated."""
        rising, order = self._segment_keys
        found = find(rising, window_keys(videos, starts, ends).view(np.int64))
        return np.where((found < 0) | (videos < 0), -1, np.append(order, -1)[found])

    def ratings_of(self, segments: Numbers, classes: NDArray[np.integer]) -> Numbers:
        """Return (N,) the rating of each segment (-1 = unrated) and class, -1 without one."""
        return find(self._rating_cells, segments * self.num_classes + classes)

    def has_label(self, videos: Numbers, classes: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Return (N,) whether each video has the class as a label."""
        return is_among(videos * self.num_classes + classes, self._label_cells)

    def select(self, labelled: NDArray[np.bool_], rated: NDArray[np.bool_]) -> "Truth":
        """Return the labels of the videos where `labelled` (V,), the ratings where `rated` (V,).

        The videos keep their numbers; the others have no labels, or no ratings.
        """
        return dataclasses.replace(
            self,
            labels=self.labels.keep(labelled[self.labels.row_of_entry()]),
            ratings=self.ratings.where(rated[self.ratings.videos]),
        )


def read_truth(
    data: Dataset,
    split: Split,
    num_classes: int,
    *,
    blank_std: float = 0.0,
    quiet: bool = False,
) -> Truth:
    """Return labels and ratings of a split; of records with the same id the first counts.

    Args:
        data: with labels and ratings.
        split: which part.
        num_classes: C, which the data must agree with.
        blank_std: videos whose mean rgb frame has at most this standard deviation are left out.
        quiet: show no progress.

    Raises:
        ConfigError: the split is empty.
        DataError: the shards cannot be read, or have other classes.
    """
    data.classes.check_same(
        ClassList.numbered(num_classes), where=data.location, other_where="the file of predictions"
    )
    rows = ~blank_rows(data, split, blank_std, quiet=quiet) if blank_std else None
    return truth_of(data.select(split, rows=rows), num_classes)


def truth_of(records: Records, num_classes: int) -> Truth:
    """Return the labels and ratings of `records`; see `read_truth`."""
    ids = records.table["id"].combine_chunks()
    ids = pa.concat_arrays(ids.chunks) if isinstance(ids, pa.ChunkedArray) else ids
    first = pc.index_in(ids, value_set=ids).to_numpy()
    single = first == np.arange(len(ids))
    number = np.cumsum(single) - 1  # of each record among the first ones
    labels = SparseRows(*records.lists("labels"))
    record = labels.row_of_entry()
    kept = single[record] & (labels.classes < num_classes)
    cells = np.unique(number[record[kept]] * num_classes + labels.classes[kept])
    num_videos = int(single.sum())
    data = records.dataset
    return Truth(
        data.path,
        ids.filter(pa.array(single)),
        num_classes,
        None if data.classes.inferred else data.classes.names,
        SparseRows(*from_cells(cells, num_videos, num_classes)),
        _ratings(records, np.where(single, number, -1), num_classes),
    )


def _ratings(records: Records, video: Numbers, num_classes: int) -> RatedSegments:
    """Return the ratings of the records with a video; of a class rated twice the last counts."""
    indptr, starts = records.lists("segment_starts")
    ends = records.lists("segment_ends")[1]
    classes, values = records.lists("segment_labels")[1], records.lists("segment_scores")[1]
    owner = np.repeat(video, np.diff(indptr))
    kept = (owner >= 0) & (classes < num_classes)
    windows = np.stack([owner[kept].astype(np.float64), starts[kept], ends[kept]])
    distinct, segment = np.unique(windows, axis=1, return_inverse=True)
    cells, from_the_end = np.unique(
        (segment * num_classes + classes[kept])[::-1], return_index=True
    )
    return RatedSegments(
        *from_cells(cells, distinct.shape[1], num_classes),
        values[kept][::-1][from_the_end],
        videos=distinct[0].astype(np.int64),
        starts=distinct[1],
        ends=distinct[2],
    )
