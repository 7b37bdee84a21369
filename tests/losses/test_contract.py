"""What every loss must do. A new one is tested by being listed in `training.losses.LOSSES`."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from reeltag.losses.distillation import distillation_loss
from reeltag.training.losses import LOSSES

Loss = Callable[..., Tensor]


def taught(logits: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
    """Distillation from a teacher that always says the same."""
    teacher = torch.linspace(0, 1, logits.shape[1], dtype=labels.dtype).expand_as(logits)
    return distillation_loss(logits, labels, teacher, weights, share=0.3, temperature=3.0)


EVERY: dict[str, Loss] = {str(name): loss for name, loss in LOSSES.items()}
EVERY |= {"distillation": taught}
every_loss = pytest.mark.parametrize("loss", EVERY.values(), ids=EVERY.keys())


def some_input(rng: torch.Generator, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """Logits, soft labels on both sides of 0.5, and weights of which a third are 0."""
    logits = 3 * torch.randn(5, 7, generator=rng, dtype=torch.float64)
    labels = torch.rand(5, 7, generator=rng, dtype=torch.float64)
    weights = torch.rand(5, 7, generator=rng, dtype=torch.float64)
    weights[torch.rand(5, 7, generator=rng) < 1 / 3] = 0
    return logits.to(dtype), labels.to(dtype), weights.to(dtype)


def gradient(loss: Loss, logits: Tensor, labels: Tensor, weights: Tensor | None) -> Tensor:
    logits = logits.clone().requires_grad_()
    (found,) = torch.autograd.grad(loss(logits, labels, weights).sum(), logits)
    return found


@every_loss
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_one_number_a_video_of_float32_or_better(
    loss: Loss, dtype: torch.dtype, rng: torch.Generator
) -> None:
    logits, labels, weights = some_input(rng, dtype)
    for value in (loss(logits, labels, weights), loss(logits, labels)):
        assert value.shape == (5,) and value.isfinite().all() and (value >= 0).all()
        assert value.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)


@every_loss
def test_gradient_is_that_of_finite_differences(loss: Loss, rng: torch.Generator) -> None:
    logits, labels, weights = some_input(rng, torch.float64)
    logits.requires_grad_()
    assert torch.autograd.gradcheck(lambda z: loss(z, labels), (logits,))
    assert torch.autograd.gradcheck(lambda z: loss(z, labels, weights), (logits,))


@every_loss
def test_unrated_terms_move_nothing_and_counts_nothing(loss: Loss, rng: torch.Generator) -> None:
    logits, labels, weights = some_input(rng, torch.float32)
    unrated = weights == 0
    found = gradient(loss, logits, labels, weights)
    assert (found[unrated] == 0).all() and (found[~unrated] != 0).any()
    others = torch.where(unrated, 90.0, logits), torch.where(unrated, 1 - labels, labels)
    torch.testing.assert_close(loss(*others, weights), loss(logits, labels, weights))


@every_loss
def test_weights_of_one_are_no_weights(loss: Loss, rng: torch.Generator) -> None:
    logits, labels, _ = some_input(rng, torch.float32)
    torch.testing.assert_close(loss(logits, labels, torch.ones(5, 7)), loss(logits, labels))


@every_loss
@pytest.mark.parametrize("given", [0.0, 1.0])
def test_videos_without_ratings_or_with_one_side_only(
    loss: Loss, given: float, rng: torch.Generator
) -> None:
    logits, labels, _ = some_input(rng, torch.float32)
    nothing = torch.zeros(5, 7)
    assert (loss(logits, labels, nothing) == 0).all()
    assert (gradient(loss, logits, labels, nothing) == 0).all()
    labels = torch.full((5, 7), given)
    assert loss(logits, labels).isfinite().all()
    assert gradient(loss, logits, labels, None).isfinite().all()


@every_loss
@pytest.mark.parametrize("size", [200.0, 1e30])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_saturated_logits_keep_value_and_gradient_finite(
    loss: Loss, dtype: torch.dtype, size: float
) -> None:
    logits = torch.tensor([[-size, size, 0.0], [size, -size, size]], dtype=dtype)
    labels = torch.tensor([[1.0, 0.0, 1.0], [1.0, 0.0, 0.3]])
    weights = torch.tensor([[1.0, 1.0, 0.0], [0.0, 2.0, 1.0]])
    for given in (None, weights):
        assert loss(logits, labels, given).isfinite().all()
        assert gradient(loss, logits, labels, given).isfinite().all()


@every_loss
def test_loss_of_a_video_is_the_same_in_another_order(loss: Loss, rng: torch.Generator) -> None:
    logits, labels, weights = some_input(rng, torch.float64)
    order = torch.tensor([3, 1, 4, 0, 2])
    torch.testing.assert_close(
        loss(logits[order], labels[order], weights[order]), loss(logits, labels, weights)[order]
    )


@every_loss
def test_right_answer_costs_less_than_none_and_the_wrong_one_more(loss: Loss) -> None:
    labels = torch.eye(6)[:4]
    right = 4 * labels - 2
    costs = [loss(logits, labels).mean() for logits in (right, 0 * right, -right)]
    assert costs[0] < costs[1] < costs[2]


@every_loss
def test_shapes_that_differ_are_named(loss: Loss) -> None:
    with pytest.raises(ValueError, match=r"logits \(2, 3\), labels \(2, 4\) differ"):
        loss(torch.zeros(2, 3), torch.zeros(2, 4))
    with pytest.raises(ValueError, match=r"logits \(2, 3\), weights \(3,\) differ"):
        loss(torch.zeros(2, 3), torch.zeros(2, 3), torch.zeros(3))
