"""Labels and weights of a batch: dense, as the lists say, whatever the buffer held before."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from reeltag.data.items import VideoSet
from reeltag.data.loader import Loader, ReadConfig
from reeltag.data.splits import Splits
from reeltag.labels.targets import Targets
from tests.data.batches import kept
from tests.data.corpora import NUM_CLASSES, Corpus, a_video, frame_corpus

Dense = NDArray[np.float32]


@pytest.fixture(scope="module")
def rated(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Twelve videos of 20 frames, each rated at 0, 5 and 10 s for one or two classes."""
    some = [
        a_video(str(n), 20, [(s, (n + s) % NUM_CLASSES, float(n % 2)) for s in (0, 5, 5, 10)])
        for n in range(11)
    ]
    more = a_video("m", 20, [(0, 1, 1.0), (0, 2, 0.0), (5, 1, 0.0), (0, 3, 1.0)])
    return frame_corpus(tmp_path_factory.mktemp("rated"), {"train0": [*some, more]})


@pytest.fixture(scope="module")
def segments(rated: Corpus) -> VideoSet:
    return rated.data.with_splits(Splits(holdout=0)).rated_segments()


def dense(targets: Targets) -> tuple[Dense, Dense]:
    """Return (N, C) labels and weights, cell by cell."""
    labels = np.zeros((len(targets), NUM_CLASSES), np.float32)
    weights = np.zeros_like(labels)
    for item in range(len(targets)):
        for c in range(NUM_CLASSES):
            counts = targets.class_mask is None or targets.class_mask[c]
            weights[item, c] = targets.unlisted_weights()[item] if counts else 0
        for at in range(targets.indptr[item], targets.indptr[item + 1]):
            labels[item, targets.classes[at]] = targets.entry_values()[at]
            weights[item, targets.classes[at]] = targets.entry_weights()[at]
    return labels, weights


def assert_loaded(items: VideoSet) -> None:
    """Every batch of two epochs, the second from used buffers, in an order of its own."""
    assert items.targets is not None
    labels, weights = dense(items.targets)
    place = {
        (name, float(second)): at
        for at, (name, second) in enumerate(
            zip(items.ids(np.arange(len(items))), items.first, strict=True)
        )
    }
    reading = ReadConfig(prefetch=1)
    loader = Loader(items, batch_size=5, shuffle="global", reuse_buffers=True, reading=reading)
    for batch in kept(loader) + kept(loader):
        starts = [0] * len(batch.ids) if batch.starts is None else batch.starts
        rows = [place[key] for key in zip(batch.ids, starts, strict=True)]
        np.testing.assert_array_equal(batch.labels, labels[rows])
        np.testing.assert_array_equal(batch.weights, weights[rows])


def test_rated_segments_weigh_one_where_they_were_rated_and_zero_elsewhere(
    segments: VideoSet,
) -> None:
    assert segments.targets is not None and segments.targets.unlisted_weight == 0.0
    assert_loaded(segments)
    (batch,) = kept(Loader(segments, batch_size=len(segments)))
    assert batch.weights is not None and batch.weights.sum() == len(segments.targets.classes)


COUNTED = np.arange(NUM_CLASSES) % 3 > 0


@pytest.mark.parametrize("counted", [None, COUNTED])
@pytest.mark.parametrize("each", [False, True])
def test_unlisted_classes_weigh_what_their_item_gives_if_the_class_counts(
    segments: VideoSet, each: bool, counted: NDArray[np.bool_] | None
) -> None:
    assert segments.targets is not None
    own = np.random.default_rng(3).random(len(segments)).astype(np.float32)
    rest = own if each else 0.1
    targets = replace(segments.targets, unlisted_weight=rest, class_mask=counted)
    assert_loaded(replace(segments, targets=targets))


@pytest.mark.parametrize("each", [False, True])
def test_entries_have_targets_and_weights_of_their_own(segments: VideoSet, each: bool) -> None:
    assert segments.targets is not None
    rng = np.random.default_rng(4)
    size = len(segments.targets.classes)
    values, weights = rng.random((2, size), np.float32)
    weights[::3] = 0  # listed, and unrated
    rest = rng.random(len(segments), np.float32) if each else 0.25
    targets = replace(segments.targets, values=values, weights=weights, unlisted_weight=rest)
    assert_loaded(replace(segments, targets=targets))


def test_items_of_two_sources_keep_their_own_weights(segments: VideoSet) -> None:
    assert segments.targets is not None
    half = len(segments) // 2
    left, right = np.arange(half), np.arange(half, len(segments))
    soft = replace(segments.targets.take(right), unlisted_weight=0.5)
    assert_loaded(
        replace(segments, targets=Targets.concatenate([segments.targets.take(left), soft]))
    )


def test_whole_videos_have_no_weights_unless_something_counts_less(rated: Corpus) -> None:
    items = rated.data.with_splits(Splits(holdout=0)).videos()
    assert items.targets is not None
    assert all(batch.weights is None for batch in kept(Loader(items, batch_size=5)))
    assert_loaded(replace(items, targets=replace(items.targets, class_mask=COUNTED)))


def test_loader_without_labels_has_neither(segments: VideoSet) -> None:
    (batch,) = kept(Loader(segments, batch_size=len(segments), labels=False))
    assert batch.labels is None and batch.weights is None
