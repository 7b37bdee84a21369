"""What is true of the videos of a data set, and which of their segments were rated.

Labels and ratings are kept as sorted 64-bit keys, so that millions of predictions are looked up
with one binary search each and no dense matrix.

Letters in shapes: V videos, P positive labels, S rated segments, Q ratings, N anything asked for.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from reeltag.data.blank_videos import fake_rows
from reeltag.data.class_list import ClassList
from reeltag.data.dataset import Dataset
from reeltag.data.selection import Records
from reeltag.data.splits import Split

Numbers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Truth:
    """Labels and ratings of V videos.

    Attributes:
        data: the data folder.
        ids: (V,) strings, each once.
        num_classes: C.
        names: C class names, None where the data come without a vocabulary.
        label_keys: (P,) rising, video * C + class.
        segment_keys: (S,) rising, video * 2^32 + start in seconds.
        rating_keys: (Q,) rising, segment * C + class, each once.
        is_positive: (Q,) bool, what was rated.
    """

    data: Path
    ids: pa.Array
    num_classes: int
    names: tuple[str, ...] | None
    label_keys: Numbers
    segment_keys: Numbers
    rating_keys: Numbers
    is_positive: NDArray[np.bool_]

    def __len__(self) -> int:
        """Return V."""
        return len(self.ids)

    def segment_video(self) -> Numbers:
        """Return (S,) the video of each rated segment."""
        return self.segment_keys >> 32

    def rating_video(self) -> Numbers:
        """Return (Q,) the video of each rating."""
        return self.segment_video()[self.rating_keys // self.num_classes]

    def videos_of(self, ids: pa.Array) -> Numbers:
        """Return (N,) the video of each id, -1 where it is unknown."""
        found = pc.fill_null(pc.index_in(ids, value_set=self.ids), -1)
        return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.int64)

    def segments_of(self, videos: Numbers, starts: Numbers) -> Numbers:
        """Return (N,) the rated segment of each video and start, -1 where nobody rated it."""
        return find(self.segment_keys, np.where(videos < 0, -1, videos << 32 | starts))

    def only(self, labelled: NDArray[np.bool_], judged: NDArray[np.bool_]) -> "Truth":
        """Return the labels of the videos where `labelled` (V,), the ratings where `judged`.

        The videos keep their numbers; the others have no labels, or no ratings, any more.
        """
        rated = judged[self.segment_video()]
        number = np.cumsum(rated) - 1
        segment, category = np.divmod(self.rating_keys, self.num_classes)
        ratings = rated[segment]
        return dataclasses.replace(
            self,
            label_keys=self.label_keys[labelled[self.label_keys // self.num_classes]],
            segment_keys=self.segment_keys[rated],
            rating_keys=(number[segment] * self.num_classes + category)[ratings],
            is_positive=self.is_positive[ratings],
        )


def find(keys: Numbers, wanted: Numbers) -> Numbers:
    """Return the place of each wanted number in rising `keys`, -1 where it is not there."""
    if not len(keys):
        return np.full(len(wanted), -1)
    place = np.searchsorted(keys, wanted)
    place[place == len(keys)] = 0
    return np.where(keys[place] == wanted, place, -1)


def read_truth(
    data: Dataset,
    split: Split,
    num_classes: int,
    *,
    fake_std: float = 0.0,
    quiet: bool = False,
) -> Truth:
    """Return what a split of a data folder says; of records with the same id the first counts.

    Args:
        data: with labels and ratings.
        split: which part.
        num_classes: C, which the data must agree with.
        fake_std: videos whose mean rgb frame has at most this standard deviation are left out.
        quiet: show no progress.

    Raises:
        ConfigError: the split is empty.
        DataError: the shards cannot be read, or have other classes.
    """
    data.classes.check_same(
        ClassList.numbered(num_classes), where=data.path, other_where="the file of predictions"
    )
    rows = ~fake_rows(data, split, fake_std, quiet=quiet) if fake_std else None
    return truth_of(data.select(split, rows=rows), num_classes)


def truth_of(records: Records, num_classes: int) -> Truth:
    """Return the labels and ratings of `records`; see `read_truth`."""
    ids = records.table["id"].combine_chunks()
    ids = pa.concat_arrays(ids.chunks) if isinstance(ids, pa.ChunkedArray) else ids
    first = pc.index_in(ids, value_set=ids).to_numpy()
    single = first == np.arange(len(ids))
    number = np.cumsum(single) - 1  # of each record among the first ones
    label_record, labels = _flat(records, "labels")
    kept = single[label_record] & (labels < num_classes)
    starts_record, starts = _flat(records, "segment_starts")
    _, categories = _flat(records, "segment_labels")
    _, scores = _flat(records, "segment_scores")
    rated = single[starts_record] & (categories < num_classes)
    segment_keys, rating_keys, positive = _ratings(
        number[starts_record[rated]] << 32 | starts[rated].astype(np.int64),
        categories[rated].astype(np.int64),
        scores[rated] > 0,
        num_classes,
    )
    data = records.dataset
    return Truth(
        data.path,
        ids.filter(pa.array(single)),
        num_classes,
        None if data.classes.inferred else data.classes.names,
        np.unique(number[label_record[kept]] * num_classes + labels[kept]),
        segment_keys,
        rating_keys,
        positive,
    )


def _flat(records: Records, name: str) -> tuple[Numbers, NDArray[Any]]:
    """Return a column of lists as the record of each value, and the values."""
    offsets, values = records.lists(name)
    return np.repeat(np.arange(len(records)), np.diff(offsets)), values


def _ratings(
    segments: Numbers, categories: Numbers, positive: NDArray[np.bool_], num_classes: int
) -> tuple[Numbers, Numbers, NDArray[np.bool_]]:
    """Return segment keys, rating keys and verdicts; of a pair rated twice the last counts."""
    segment_keys, segment = np.unique(segments, return_inverse=True)
    keys = segment * num_classes + categories
    rating_keys, from_the_end = np.unique(keys[::-1], return_index=True)
    return segment_keys, rating_keys, positive[::-1][from_the_end]
