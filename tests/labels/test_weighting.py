"""Weights of rated and unrated classes: the mask, the starter code, and values between."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from reeltag.labels.targets import Targets
from reeltag.labels.weighting import mask_classes, reweighted, weak_negatives
from reeltag.losses.cross_entropy import binary_cross_entropy

NUM_CLASSES = 30


@pytest.fixture
def rated() -> Targets:
    """40 segments of which one class is rated (of some two), as in YouTube-8M."""
    rng = np.random.default_rng(0)
    count = rng.integers(1, 3, 40)
    classes = [rng.choice(NUM_CLASSES, n, replace=False) for n in count]
    scores = rng.integers(0, 2, count.sum()).astype(np.float32)
    indptr = np.append(0, np.cumsum(count))
    return Targets(indptr, np.concatenate(classes).astype(np.int32), scores, unlisted_weight=0.0)


@pytest.fixture
def video_labels(rated: Targets) -> Targets:
    """Labels of the segments' videos: most of what is rated, and others; one lists one twice."""
    rng = np.random.default_rng(1)
    lists = []
    for item in range(len(rated)):
        own = rated.classes[rated.indptr[item] : rated.indptr[item + 1]]
        lists.append(np.concatenate([own[:1], rng.choice(NUM_CLASSES, item % 4, replace=False)]))
    indptr = np.cumsum([0, *map(len, lists)])
    return Targets(indptr, np.concatenate(lists).astype(np.int32))


def dense(targets: Targets, num_classes: int = NUM_CLASSES) -> tuple[Tensor, Tensor]:
    """Return labels and weights (N, C), as a loader writes them."""
    labels = targets.to_dense(num_classes)
    weights = np.repeat(targets.unlisted_weights()[:, None], num_classes, axis=1)
    if targets.class_mask is not None:
        weights[:, ~targets.class_mask] = 0
    weights[targets.row_of_entry(), targets.classes] = targets.entry_weights()
    return torch.from_numpy(labels), torch.from_numpy(weights)


def rated_mask(targets: Targets) -> NDArray[np.bool_]:
    return replace(targets, values=None).to_dense(NUM_CLASSES) > 0


def loss_and_gradient(targets: Targets) -> tuple[Tensor, Tensor]:
    logits = torch.randn(len(targets), NUM_CLASSES, generator=torch.Generator().manual_seed(5))
    logits.requires_grad_()
    labels, weights = dense(targets)
    loss = binary_cross_entropy(logits, labels, weights if targets.weighted else None)
    loss.sum().backward()
    assert logits.grad is not None
    return loss.detach(), logits.grad


def test_mask_gives_unrated_classes_no_gradient(rated: Targets) -> None:
    _, gradient = loss_and_gradient(rated)
    np.testing.assert_array_equal(gradient.numpy() != 0, rated_mask(rated))


def test_reweighting_gives_m_to_rated_and_n_to_unrated(rated: Targets) -> None:
    labels, weights = dense(reweighted(rated))
    mask = rated_mask(rated)
    assert set(weights.unique().tolist()) == {2.5, np.float32(0.1).item()}
    np.testing.assert_array_equal(weights.numpy() == 2.5, mask)
    np.testing.assert_array_equal(labels, dense(rated)[0])  # the target of an unrated class is 0


def test_reweighted_loss_is_m_rated_plus_n_unrated(rated: Targets) -> None:
    loss, _ = loss_and_gradient(reweighted(rated, rated=3.0, unrated=0.2))
    masked, _ = loss_and_gradient(rated)
    every, _ = loss_and_gradient(reweighted(rated, rated=1.0, unrated=1.0))
    # sums of 30 float32 terms in another order
    torch.testing.assert_close(loss, 3.0 * masked + 0.2 * (every - masked), rtol=1e-5, atol=1e-5)


def test_reweighting_by_one_and_zero_is_the_mask(rated: Targets) -> None:
    for mine, masked in zip(
        loss_and_gradient(reweighted(rated, rated=1.0, unrated=0.0)),
        loss_and_gradient(rated),
        strict=True,
    ):
        assert torch.equal(mine, masked)


def test_reweighting_by_one_and_one_is_the_starter_code(rated: Targets) -> None:
    same = reweighted(rated, rated=1.0, unrated=1.0)
    assert not same.weighted  # a batch has no weights, as in the starter code
    logits = torch.randn(len(rated), NUM_CLASSES, generator=torch.Generator().manual_seed(5))
    loss, _ = loss_and_gradient(same)
    assert torch.equal(loss, binary_cross_entropy(logits, dense(rated)[0]))


def test_reweighting_multiplies_weights_of_entries(rated: Targets) -> None:
    own = np.linspace(0, 1, len(rated.classes), dtype=np.float32)
    again = reweighted(replace(rated, weights=own), rated=2.0, unrated=0.1)
    np.testing.assert_array_equal(again.entry_weights(), 2 * own)


def test_class_mask_sets_unrated_classes_to_zero(rated: Targets) -> None:
    kept = np.arange(NUM_CLASSES) < 10
    _, weights = dense(mask_classes(reweighted(rated), kept))
    mask = rated_mask(rated)
    assert (weights.numpy()[mask] == 2.5).all()
    assert (weights.numpy()[~mask & ~kept] == 0).all()
    assert (weights.numpy()[~mask & kept] == np.float32(0.1)).all()
    fewer = mask_classes(mask_classes(rated, kept), np.arange(NUM_CLASSES) > 7)
    assert fewer.class_mask is not None and np.flatnonzero(fewer.class_mask).tolist() == [8, 9]


@pytest.mark.parametrize("kept", [None, np.arange(NUM_CLASSES) % 2 > 0])
@pytest.mark.parametrize("alpha", [1.0, 0.3])
def test_weak_negatives_weigh_alpha_in_total_without_video_labels(
    rated: Targets, video_labels: Targets, kept: NDArray[np.bool_] | None, alpha: float
) -> None:
    targets = rated if kept is None else mask_classes(rated, kept)
    labels, weights = dense(weak_negatives(targets, video_labels, NUM_CLASSES, alpha=alpha))
    every = set(range(NUM_CLASSES) if kept is None else np.flatnonzero(kept).tolist())
    mask = rated_mask(rated)
    for item in range(len(rated)):
        own = set(video_labels.classes[slice(*video_labels.indptr[item : item + 2])].tolist())
        for c in range(NUM_CLASSES):
            if mask[item, c]:
                expected = 1.0
            else:
                expected = alpha / len(every - own) if c in every - own else 0.0
            assert weights[item, c] == np.float32(expected)
    np.testing.assert_array_equal(labels, dense(rated)[0])


def test_weak_negative_loss_worked_by_hand() -> None:
    # rated: class 0, present; the video has 0 and 1, so that 2 and 3 are weak negatives
    rated = Targets(np.array([0, 1]), np.array([0], np.int32), unlisted_weight=0.0)
    video_labels = Targets(np.array([0, 2]), np.array([0, 1], np.int32))
    labels, weights = dense(weak_negatives(rated, video_labels, 4, alpha=2.0), num_classes=4)
    logits = torch.tensor([[0.0, 9.0, math.log(3), -math.log(3)]])
    expected = math.log(2) + 2 / 2 * (math.log(4) + math.log(4 / 3))
    loss = binary_cross_entropy(logits, labels, weights)
    torch.testing.assert_close(loss, torch.tensor([expected]))


def test_video_with_every_class_has_no_weak_negatives() -> None:
    rated = Targets(
        np.array([0, 1]), np.array([1], np.int32), np.ones(1, np.float32), unlisted_weight=0.0
    )
    every = Targets(np.array([0, 3]), np.arange(3, dtype=np.int32))
    targets = weak_negatives(rated, every, 3)
    assert targets.unlisted_weights().tolist() == [0.0]
    assert targets.entry_weights().tolist() == [1.0, 0.0, 0.0]


def test_weights_out_of_range_and_labels_of_other_items_raise(rated: Targets) -> None:
    for wrong in (-0.1, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="rated must be >= 0 and finite"):
            reweighted(rated, rated=wrong)
        with pytest.raises(ValueError, match="unrated must be >= 0 and finite"):
            reweighted(rated, unrated=wrong)
        with pytest.raises(ValueError, match="alpha must be > 0"):
            weak_negatives(rated, rated, NUM_CLASSES, alpha=wrong)
    with pytest.raises(ValueError, match="40 items, but the labels of 1 videos"):
        weak_negatives(rated, rated.take(np.array([0])), NUM_CLASSES)
