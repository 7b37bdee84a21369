"""Weights of rated and unrated classes: the mask, the starter code, and what lies between."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from reeltag.labels.targets import Targets
from reeltag.labels.weighting import counting, reweighted, weak_negatives
from reeltag.losses.cross_entropy import binary_cross_entropy
from reeltag.losses.weak_negative import weak_negative_loss

NUM_CLASSES = 30


@pytest.fixture
def rated() -> Targets:
    """40 segments of which one class is rated (of some two), as in YouTube-8M: rest 0."""
    rng = np.random.default_rng(0)
    count = rng.integers(1, 3, 40)
    classes = [rng.choice(NUM_CLASSES, n, replace=False) for n in count]
    scores = rng.integers(0, 2, count.sum()).astype(np.float32)
    bounds = np.append(0, np.cumsum(count))
    return Targets(bounds, np.concatenate(classes).astype(np.int32), scores, rest=0.0)


@pytest.fixture
def video_labels(rated: Targets) -> Targets:
    """Labels of the segments' videos: most of what is rated, and others; one lists one twice."""
    rng = np.random.default_rng(1)
    lists = []
    for item in range(len(rated)):
        own = rated.classes[rated.bounds[item] : rated.bounds[item + 1]]
        lists.append(np.concatenate([own[:1], rng.choice(NUM_CLASSES, item % 4, replace=False)]))
    bounds = np.cumsum([0, *map(len, lists)])
    return Targets(bounds, np.concatenate(lists).astype(np.int32))


def dense(targets: Targets) -> tuple[Tensor, Tensor]:
    """Return labels and weights (N, C), as a loader writes them."""
    labels = np.zeros((len(targets), NUM_CLASSES), np.float32)
    weights = np.repeat(targets.given_rest()[:, None], NUM_CLASSES, axis=1)
    if targets.counted is not None:
        weights[:, ~targets.counted] = 0
    labels[targets.item(), targets.classes] = targets.given_values()
    weights[targets.item(), targets.classes] = targets.given_weights()
    return torch.from_numpy(labels), torch.from_numpy(weights)


def rated_mask(targets: Targets) -> NDArray[np.bool_]:
    mask = np.zeros((len(targets), NUM_CLASSES), bool)
    mask[targets.item(), targets.classes] = True
    return mask


def loss_and_gradient(targets: Targets) -> tuple[Tensor, Tensor]:
    logits = torch.randn(len(targets), NUM_CLASSES, generator=torch.Generator().manual_seed(5))
    logits.requires_grad_()
    labels, weights = dense(targets)
    loss = binary_cross_entropy(logits, labels, weights if targets.weighted else None)
    loss.sum().backward()
    assert logits.grad is not None
    return loss.detach(), logits.grad


def test_a_class_that_nobody_rated_has_no_gradient_at_all(rated: Targets) -> None:
    _, gradient = loss_and_gradient(rated)
    np.testing.assert_array_equal(gradient.numpy() != 0, rated_mask(rated))


def test_weights_are_m_where_somebody_rated_and_n_elsewhere(rated: Targets) -> None:
    labels, weights = dense(reweighted(rated))
    mask = rated_mask(rated)
    assert set(weights.unique().tolist()) == {2.5, np.float32(0.1).item()}
    np.testing.assert_array_equal(weights.numpy() == 2.5, mask)
    np.testing.assert_array_equal(labels, dense(rated)[0])  # an unrated class is taught as absent


def test_the_loss_is_m_times_the_rated_and_n_times_the_other_classes(rated: Targets) -> None:
    loss, _ = loss_and_gradient(reweighted(rated, rated=3.0, unrated=0.2))
    masked, _ = loss_and_gradient(rated)
    every, _ = loss_and_gradient(reweighted(rated, rated=1.0, unrated=1.0))
    # sums of 30 float32 terms in another order
    torch.testing.assert_close(loss, 3.0 * masked + 0.2 * (every - masked), rtol=1e-5, atol=1e-5)


def test_one_and_zero_are_the_mask_exactly(rated: Targets) -> None:
    for mine, masked in zip(
        loss_and_gradient(reweighted(rated, rated=1.0, unrated=0.0)),
        loss_and_gradient(rated),
        strict=True,
    ):
        assert torch.equal(mine, masked)


def test_one_and_one_are_the_starter_code_exactly(rated: Targets) -> None:
    same = reweighted(rated, rated=1.0, unrated=1.0)
    assert not same.weighted  # a batch has no weights, as in the starter code
    logits = torch.randn(len(rated), NUM_CLASSES, generator=torch.Generator().manual_seed(5))
    loss, _ = loss_and_gradient(same)
    assert torch.equal(loss, binary_cross_entropy(logits, dense(rated)[0]))


def test_entries_keep_the_share_they_had(rated: Targets) -> None:
    own = np.linspace(0, 1, len(rated.classes), dtype=np.float32)
    again = reweighted(replace(rated, weights=own), rated=2.0, unrated=0.1)
    np.testing.assert_array_equal(again.given_weights(), 2 * own)


def test_unrated_classes_that_do_not_count_weigh_nothing(rated: Targets) -> None:
    counted = np.arange(NUM_CLASSES) < 10
    _, weights = dense(counting(reweighted(rated), counted))
    mask = rated_mask(rated)
    assert (weights.numpy()[mask] == 2.5).all()
    assert (weights.numpy()[~mask & ~counted] == 0).all()
    assert (weights.numpy()[~mask & counted] == np.float32(0.1)).all()
    fewer = counting(counting(rated, counted), np.arange(NUM_CLASSES) > 7)
    assert fewer.counted is not None and np.flatnonzero(fewer.counted).tolist() == [8, 9]


@pytest.mark.parametrize("counted", [None, np.arange(NUM_CLASSES) % 2 > 0])
@pytest.mark.parametrize("alpha", [1.0, 0.3])
def test_weak_negatives_weigh_alpha_together_and_are_no_labels_of_the_video(
    rated: Targets, video_labels: Targets, counted: NDArray[np.bool_] | None, alpha: float
) -> None:
    targets = rated if counted is None else counting(rated, counted)
    labels, weights = dense(weak_negatives(targets, video_labels, NUM_CLASSES, alpha=alpha))
    every = set(range(NUM_CLASSES) if counted is None else np.flatnonzero(counted).tolist())
    mask = rated_mask(rated)
    for item in range(len(rated)):
        own = set(video_labels.classes[slice(*video_labels.bounds[item : item + 2])].tolist())
        for c in range(NUM_CLASSES):
            if mask[item, c]:
                expected = 1.0
            else:
                expected = alpha / len(every - own) if c in every - own else 0.0
            assert weights[item, c] == np.float32(expected)
    np.testing.assert_array_equal(labels, dense(rated)[0])


def test_weak_negatives_are_the_loss_of_that_name(rated: Targets, video_labels: Targets) -> None:
    logits = torch.randn(len(rated), NUM_CLASSES, generator=torch.Generator().manual_seed(5))
    loss, _ = loss_and_gradient(weak_negatives(rated, video_labels, NUM_CLASSES, alpha=0.7))
    expected = weak_negative_loss(logits, *dense(rated), dense(video_labels)[0], alpha=0.7)
    # the same terms, float32, in another order
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-6)


def test_a_video_that_has_every_class_has_no_weak_negatives() -> None:
    rated = Targets(np.array([0, 1]), np.array([1], np.int32), np.ones(1, np.float32), rest=0.0)
    every = Targets(np.array([0, 3]), np.arange(3, dtype=np.int32))
    targets = weak_negatives(rated, every, 3)
    assert targets.given_rest().tolist() == [0.0]
    assert targets.given_weights().tolist() == [1.0, 0.0, 0.0]


def test_weights_out_of_range_and_labels_of_other_items_are_refused(rated: Targets) -> None:
    for wrong in (-0.1, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="rated must be >= 0 and finite"):
            reweighted(rated, rated=wrong)
        with pytest.raises(ValueError, match="unrated must be >= 0 and finite"):
            reweighted(rated, unrated=wrong)
        with pytest.raises(ValueError, match="alpha must be > 0"):
            weak_negatives(rated, rated, NUM_CLASSES, alpha=wrong)
    with pytest.raises(ValueError, match="40 items, but the labels of 1 videos"):
        weak_negatives(rated, rated.taken(np.array([0])), NUM_CLASSES)
