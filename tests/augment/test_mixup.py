"""Mixup: lambda, and labels and ratings of what is mixed."""

import pytest
import torch
from torch import Tensor

from reeltag.augment.mixup import draw_lambda, draw_mix, frame_weights, mixed_labels
from reeltag.core.batch import FrameBatch
from reeltag.losses.cross_entropy import binary_cross_entropy

B, C = 6, 7


def some_labels(rng: torch.Generator) -> tuple[Tensor, Tensor]:
    return torch.rand(B, C, generator=rng), torch.rand(B, C, generator=rng)


def some_weights(rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Ratings of about half of the classes, of various weights."""
    weights = [torch.rand(B, C, generator=rng) * 3 for _ in range(2)]
    rated = [torch.rand(B, C, generator=rng) < 0.5 for _ in range(2)]
    return weights[0] * rated[0], weights[1] * rated[1]


@pytest.mark.parametrize("alpha", [0.2, 0.4, 1.0])
def test_lambda_is_beta_distributed(alpha: float) -> None:
    torch.manual_seed(0)
    lambda_B = draw_lambda(alpha, 20_000, per_sample=True).double()
    assert lambda_B.min() >= 0 and lambda_B.max() <= 1
    variance = 1 / (4 * (2 * alpha + 1))
    # 5 standard errors: of the mean at most sqrt(.18 / 20000), of the variance less than that / 2
    assert float(lambda_B.mean()) == pytest.approx(0.5, abs=0.015)
    assert float(lambda_B.var()) == pytest.approx(variance, abs=0.0075)


def test_lambda_is_one_per_batch_or_per_item() -> None:
    assert len(draw_lambda(0.4, 50, per_sample=False).unique()) == 1
    assert len(draw_lambda(0.4, 50, per_sample=True).unique()) > 40


def test_mixed_labels_equal_loops_over_the_formula(rng: torch.Generator) -> None:
    share, labels, weights = torch.rand(B, generator=rng), some_labels(rng), some_weights(rng)
    found_y, found_w = mixed_labels(share, labels, weights)
    assert found_w is not None
    for b in range(B):
        s = float(share[b])
        for c in range(C):
            own, other = s * float(weights[0][b, c]), (1 - s) * float(weights[1][b, c])
            y = own * float(labels[0][b, c]) + other * float(labels[1][b, c])
            y = y / (own + other) if own + other else 0.0
            assert float(found_w[b, c]) == pytest.approx(own + other, abs=1e-6)
            assert float(found_y[b, c]) == pytest.approx(y, abs=1e-6)


def test_mixed_loss_is_the_weighted_sum_of_both_losses(rng: torch.Generator) -> None:
    share, labels, weights = torch.rand(B, generator=rng), some_labels(rng), some_weights(rng)
    logits = 5 * torch.randn(B, C, generator=rng, dtype=torch.float64)
    share, labels = share.double(), (labels[0].double(), labels[1].double())
    weights = weights[0].double(), weights[1].double()
    for rated in (weights, None):
        own, other = rated or (None, None)
        mixed = binary_cross_entropy(logits, *mixed_labels(share, labels, rated))
        two = share * binary_cross_entropy(logits, labels[0], own)
        two = two + (1 - share) * binary_cross_entropy(logits, labels[1], other)
        torch.testing.assert_close(mixed, two, rtol=1e-6, atol=1e-6)  # reference 4.4


def test_mixed_labels_of_rated_classes_follow_the_papers_equation(rng: torch.Generator) -> None:
    share, labels = torch.rand(B, generator=rng), some_labels(rng)
    ones = torch.ones(B, C)
    mixed, weights = mixed_labels(share, labels, (ones, ones))
    plain, none = mixed_labels(share, labels, None)
    s = share.unsqueeze(1)
    torch.testing.assert_close(mixed, s * labels[0] + (1 - s) * labels[1])
    torch.testing.assert_close(mixed, plain)
    assert none is None and weights is not None
    torch.testing.assert_close(weights, ones)


def test_lambda_of_1_gives_back_labels_and_weights_to_the_bit(rng: torch.Generator) -> None:
    labels, weights = some_labels(rng), some_weights(rng)
    mixed_y, mixed_w = mixed_labels(torch.ones(B), labels, weights)
    assert mixed_w is not None and torch.equal(mixed_w, weights[0])
    rated = weights[0] > 0
    assert torch.equal(mixed_y[rated], labels[0][rated]) and not mixed_y[~rated].any()
    assert torch.equal(mixed_labels(torch.ones(B), labels, None)[0], labels[0])
    mixed_y, mixed_w = mixed_labels(torch.zeros(B), labels, weights)
    assert mixed_w is not None and torch.equal(mixed_w, weights[1])


def test_mixed_labels_of_equal_items_stay(rng: torch.Generator) -> None:
    ones = torch.ones(B, C)
    weights = (0.1 * ones, 2.5 * ones)
    for share in torch.rand(200, generator=rng).unsqueeze(1).expand(200, B):
        assert torch.equal(mixed_labels(share, (ones, ones), weights)[0], ones)
        assert torch.equal(mixed_labels(share, (ones, ones), None)[0], ones)


def test_class_rated_by_neither_has_no_loss_and_no_gradient(rng: torch.Generator) -> None:
    labels, weights = some_labels(rng), some_weights(rng)
    mixed = mixed_labels(torch.rand(B, generator=rng), labels, weights)
    logits = torch.randn(B, C, generator=rng, requires_grad=True)
    binary_cross_entropy(logits, *mixed).sum().backward()
    unrated = (weights[0] == 0) & (weights[1] == 0)
    assert logits.grad is not None and unrated.any()
    assert (logits.grad[unrated] == 0).all() and (logits.grad[~unrated] != 0).any()


def test_frame_weights_are_lambda_and_the_mask_is_the_union() -> None:
    own = torch.tensor([[True, True, False], [True, False, False]])
    other = torch.tensor([[True, False, False], [True, True, True]])
    mine, theirs = frame_weights(torch.tensor([0.25, 1.0]), own, other)
    assert mine.tolist() == [[0.25, 0.25, 0], [1, 0, 0]]
    assert theirs.tolist() == [[0.75, 0, 0], [0, 0, 0]]


def batch_of(num_frames: int, lengths: list[int], rng: torch.Generator) -> FrameBatch:
    return FrameBatch(
        frames=torch.randint(
            0, 256, (len(lengths), num_frames, 3), generator=rng, dtype=torch.uint8
        ),
        mask=torch.arange(num_frames) < torch.tensor(lengths).unsqueeze(1),
        labels=torch.rand(len(lengths), C, generator=rng),
    )


def test_partners_are_a_permutation_or_of_the_batch_before(
    rng: torch.Generator,
) -> None:
    batch, before = batch_of(4, [4, 2, 1], rng), batch_of(6, [6, 1, 2], rng)
    torch.manual_seed(0)
    orders = set[tuple[int, ...]]()
    for _ in range(100):
        _, mix = draw_mix(batch, None, 0.4, per_sample=False)
        assert mix.order.sort().values.tolist() == [0, 1, 2]
        orders.add(tuple(mix.order.tolist()))
    assert len(orders) == 6  # all orders of three occur: missed with odds of 6 * (5/6)^100
    longer, mix = draw_mix(batch, before, 0.4, per_sample=True)
    assert mix.order.tolist() == [0, 1, 2] and longer.frames.shape == (3, 6, 3)
    assert mix.mask.sum(1).tolist() == [6, 2, 2] and longer.mask.sum(1).tolist() == [4, 2, 1]


def test_mixup_raises_for_items_without_labels(rng: torch.Generator) -> None:
    batch = batch_of(4, [4, 2], rng)
    bare = FrameBatch(frames=batch.frames, mask=batch.mask)
    with pytest.raises(ValueError, match="mixup needs batches with labels"):
        draw_mix(bare, None, 0.4, per_sample=False)[1].labels(bare)
