"""Sets of items joined into one: each keeps its frames, its targets and its place."""

import dataclasses

import numpy as np
import pytest

from reeltag.core.batch import FrameBatch
from reeltag.data.items import VideoSet
from reeltag.data.joining import joined
from reeltag.data.loader import Loader
from reeltag.labels.targets import Targets
from tests.data.corpora import Corpus, a_video, frame_corpus, segment_grid


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return frame_corpus(
        tmp_path_factory.mktemp("joining"),
        {
            "train0": [a_video("a", 23), a_video("b", 14, [(5, 3, 1.0), (0, 4, 0.0)])],
            "train1": [a_video("c", 12, [(5, 1, 1.0)]), a_video("d", 9)],
            "validate0": [a_video("e", 9, [(0, 1, 1.0)])],
        },
    )


def soft_grid(corpus: Corpus) -> VideoSet:
    """Return every segment of train, taught class s / 5 with the value 0.5."""
    grid = segment_grid(corpus.data.videos("train"))
    classes = (grid.first // 5).astype(np.int32)
    values = np.full(len(grid), 0.5, np.float32)
    targets = Targets(np.arange(len(grid) + 1), classes, values, unlisted_weight=0.0)
    return dataclasses.replace(grid, targets=targets)


def items_of(batch: FrameBatch) -> list[tuple[str, int, bytes, bytes]]:
    """Return of each item what identifies it and what it is taught."""
    assert batch.times is not None and batch.labels is not None and batch.weights is not None
    return [
        (
            batch.ids[n],
            int(batch.times[n, 0]),
            batch.frames[n, batch.mask[n]].numpy().tobytes(),
            (batch.labels[n] * batch.weights[n] + 2 * batch.weights[n]).numpy().tobytes(),
        )
        for n in range(len(batch))
    ]


def all_of(items: VideoSet) -> list[tuple[str, int, bytes, bytes]]:
    return [item for batch in Loader(items, batch_size=3) for item in items_of(batch)]


def test_items_are_those_of_the_parts_with_their_frames_and_targets(corpus: Corpus) -> None:
    rated = corpus.data.rated_segments("train", rows=np.array([1]))
    every = corpus.data.rated_segments("all", rows=np.array([2, 4]))  # c and, of validate, e
    parts = [rated, soft_grid(corpus), every]
    union = joined(parts)
    assert len(union) == sum(map(len, parts)) == 2 + 13 + 2
    assert sorted(all_of(union)) == sorted(item for part in parts for item in all_of(part))
    assert len(union.records) == 5 and set(union.records.table["id"].to_pylist()) == set("abcde")


def test_order_is_that_of_the_shards(corpus: Corpus) -> None:
    union = joined([corpus.data.rated_segments("all"), soft_grid(corpus)])
    place = list(zip(union.shard, union.offset, union.first, strict=True))
    assert place == sorted(place) and (np.diff(union.video) >= 0).all()
    twice = np.flatnonzero((union.first == 5) & (union.video == 1))
    assert union.targets is not None
    assert union.targets.take(twice).entry_values().tolist() == [1.0, 0.5]  # rated, then soft


def test_parts_that_do_not_fit_raise(corpus: Corpus) -> None:
    with pytest.raises(ValueError, match="nothing to join"):
        joined([])
    with pytest.raises(ValueError, match="different data, streams or kinds"):
        joined([soft_grid(corpus), corpus.data.videos("train")])
    with pytest.raises(ValueError, match="different data, streams or kinds"):
        joined([soft_grid(corpus), corpus.data.rated_segments("train", streams=("rgb",))])
    with pytest.raises(ValueError, match="has no targets"):
        joined([soft_grid(corpus), segment_grid(corpus.data.videos("train"))])
