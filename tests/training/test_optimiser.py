"""The schedule over examples seen and per-tensor clipping, by hand and against torch's own."""

import pytest
import torch
from torch import nn

from reeltag.training.config import Optimisation
from reeltag.training.optimiser import clip_per_tensor, learning_rate_factor, make_optimiser


def test_staircase_falls_after_so_many_examples_of_all_devices() -> None:
    config = Optimisation(decay=0.8, decay_examples=1000)
    factors = [learning_rate_factor(config, step, 160, 100) for step in (0, 6, 7, 12, 13)]
    assert factors == pytest.approx([1, 1, 0.8, 0.8, 0.64])  # 7 * 160 = 1120, 13 * 160 = 2080


@pytest.mark.parametrize(
    ("learning_rate", "decay_examples", "examples", "expected"),
    [
        (2e-4, 2_000_000, 19_200_000, 2e-4 * 0.8**9),  # stage I: 5 epochs, 2.68e-5
        (2e-5, 2_000_000, 7 * 237_788, 2e-5),  # II-A: never decays
        (2e-5, 2_000_000, 7 * 1_240_000, 2e-5 * 0.8**4),  # II-B and C
    ],
)
def test_the_rates_of_oppos_stages(
    learning_rate: float, decay_examples: int, examples: int, expected: float
) -> None:
    """Checks of reference/segment-level.md 4.4, at the last step of each stage."""
    config = Optimisation(learning_rate=learning_rate, decay=0.8, decay_examples=decay_examples)
    factor = learning_rate_factor(config, examples // 160 - 1, 160, examples // 160)
    assert learning_rate * factor == pytest.approx(expected, rel=1e-9)


def test_one_cycle_is_that_of_torch() -> None:
    config = Optimisation(schedule="one-cycle", learning_rate=0.3)
    weight = nn.Parameter(torch.zeros(1))
    theirs = torch.optim.SGD([weight], lr=1.0, momentum=0.9)
    schedule = torch.optim.lr_scheduler.OneCycleLR(theirs, max_lr=1.0, total_steps=101)
    for step in range(101):
        # torch counts the rise to 0.3 * total - 1, we to 0.3 * total: at most one step apart
        ours = learning_rate_factor(config, step, 1, 101)
        assert ours == pytest.approx(theirs.param_groups[0]["lr"], abs=0.06)
        theirs.step()
        schedule.step()


def test_one_cycle_starts_low_peaks_at_one_and_ends_at_nearly_nothing() -> None:
    config = Optimisation(schedule="one-cycle")
    factors = [learning_rate_factor(config, step, 1, 100) for step in range(100)]
    assert factors[0] == pytest.approx(1 / 25) and factors[30] == pytest.approx(1)
    assert factors[99] == pytest.approx(1e-4 / 25) and max(factors) <= 1


def test_each_tensor_is_clipped_by_its_own_norm() -> None:
    big, small = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(2))
    big.grad, small.grad = torch.tensor([3.0, 4.0]), torch.tensor([0.3, 0.4])
    norms = clip_per_tensor([big, small, nn.Parameter(torch.zeros(1))], 1.0)
    torch.testing.assert_close(norms, torch.tensor([5.0, 0.5]))
    torch.testing.assert_close(big.grad, torch.tensor([0.6, 0.8]))
    torch.testing.assert_close(small.grad, torch.tensor([0.3, 0.4]))


def test_first_adam_step_moves_every_weight_by_the_learning_rate() -> None:
    weight = nn.Parameter(torch.zeros(3))
    weight.grad = torch.tensor([1.0, -2.0, 0.5])
    make_optimiser([weight], Optimisation(learning_rate=0.1)).step()
    torch.testing.assert_close(
        weight.detach(), torch.tensor([-0.1, 0.1, -0.1]), rtol=1e-6, atol=1e-6
    )
