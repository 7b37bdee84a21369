"""The schedule over examples seen and per-tensor clipping, by hand and against torch's own."""

import math
from collections.abc import Sequence
from typing import Literal

import pytest
import torch
from torch import nn

from reeltag.core.errors import ConfigError
from reeltag.training.config import Optimisation
from reeltag.training.optimiser import (
    clip_per_tensor,
    learning_groups,
    make_optimiser,
    make_schedule,
)


def rates(
    config: Optimisation, steps: Sequence[int], examples_per_step: int = 1, num_steps: int = 100
) -> list[float]:
    """Return the learning rate at each of the (0-based) steps."""
    optimiser = make_optimiser([nn.Parameter(torch.zeros(1))], config)
    schedule = make_schedule(optimiser, config, examples_per_step, num_steps)
    found = {0: optimiser.param_groups[0]["lr"]}
    optimiser.step()
    for step in steps:
        if step:
            schedule.last_epoch = step - 1
            schedule.step()
            found[step] = optimiser.param_groups[0]["lr"]
    return [found[step] for step in steps]


def test_staircase_falls_with_the_examples_of_all_devices() -> None:
    config = Optimisation(learning_rate=1, decay=0.8, decay_examples=1000)
    found = rates(config, (0, 6, 7, 12, 13), examples_per_step=160)
    assert found == pytest.approx([1, 1, 0.8, 0.8, 0.64])  # 7 * 160 = 1120, 13 * 160 = 2080


@pytest.mark.parametrize(
    ("learning_rate", "decay_examples", "examples", "expected"),
    [
        (2e-4, 2_000_000, 19_200_000, 2e-4 * 0.8**9),  # stage I: 5 epochs, 2.68e-5
        (2e-5, 2_000_000, 7 * 237_788, 2e-5),  # II-A: never decays
        (2e-5, 2_000_000, 7 * 1_240_000, 2e-5 * 0.8**4),  # II-B and C
    ],
)
def test_oppo_stages_end_at_the_published_learning_rates(
    learning_rate: float, decay_examples: int, examples: int, expected: float
) -> None:
    config = Optimisation(learning_rate=learning_rate, decay=0.8, decay_examples=decay_examples)
    (last,) = rates(config, (examples // 160 - 1,), 160, examples // 160)
    assert last == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("num_steps", [3, 7, 100, 1234])
def test_one_cycle_follows_the_published_curve(num_steps: int) -> None:
    low, end, peak = 1 / 25, 1e-4 / 25, 0.3 * num_steps
    steps = range(num_steps)
    expected = [
        low + (1 - low) * (1 - math.cos(math.pi * step / peak)) / 2
        if step < peak
        else end + (1 - end) * (1 + math.cos(math.pi * (step - peak) / (num_steps - 1 - peak))) / 2
        for step in steps
    ]
    found = rates(Optimisation(schedule="one-cycle", learning_rate=0.3), steps, 160, num_steps)
    # the same sums in another order, in float64
    assert found == pytest.approx([0.3 * factor for factor in expected], rel=1e-9)


@pytest.mark.parametrize("num_steps", [1, 2])
def test_one_cycle_of_a_step_or_two_begins_low(num_steps: int) -> None:
    config = Optimisation(schedule="one-cycle", learning_rate=0.3)
    assert rates(config, range(num_steps), 1, num_steps)[0] == pytest.approx(0.3 / 25)


def test_one_cycle_ends_low_and_stays_there() -> None:
    config = Optimisation(schedule="one-cycle", learning_rate=0.3)
    optimiser = make_optimiser([nn.Parameter(torch.zeros(1))], config)
    schedule = make_schedule(optimiser, config, 1, 5)
    optimiser.step()
    for _ in range(7):
        schedule.step()
    assert optimiser.param_groups[0]["lr"] == pytest.approx(0.3 * 1e-4 / 25)


def test_one_cycle_leaves_adams_betas_alone() -> None:
    config = Optimisation(schedule="one-cycle")
    optimiser = make_optimiser([nn.Parameter(torch.zeros(1))], config)
    make_schedule(optimiser, config, 1, 100)
    assert optimiser.param_groups[0]["betas"] == (0.9, 0.999)


def test_one_cycle_resumed_for_more_steps_follows_the_longer_curve() -> None:
    config = Optimisation(schedule="one-cycle", learning_rate=0.3)
    short, long = (make_optimiser([nn.Parameter(torch.zeros(1))], config) for _ in range(2))
    begun, longer = make_schedule(short, config, 1, 10), make_schedule(long, config, 1, 20)
    short.step()
    for _ in range(10):
        begun.step()
    long.load_state_dict(short.state_dict())
    longer.load_state_dict(begun.state_dict())
    long.step()
    for step in range(11, 21):
        longer.step()
        if step < 20:
            assert long.param_groups[0]["lr"] == pytest.approx(rates(config, (step,), 1, 20)[0])


def test_clipping_is_by_the_norm_of_each_tensor() -> None:
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


@pytest.mark.parametrize("removed", ["_foreach_norm", "_foreach_mul_"])
def test_clipping_works_without_torchs_private_operators(
    removed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for gone in (False, True):
        if gone:
            monkeypatch.delattr(torch, removed)
        weights = [nn.Parameter(torch.zeros(2)) for _ in range(2)]
        weights[0].grad, weights[1].grad = torch.tensor([3.0, 4.0]), torch.tensor([0.3, 0.4])
        found.append([clip_per_tensor(weights, 1.0), *(w.grad for w in weights)])
    torch.testing.assert_close(found[1], found[0])


def test_tensors_of_a_pattern_learn_at_their_own_rate() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    config = Optimisation(learning_rate=0.1, rates=("0.weight=0.5", "0.*=2", "1.bias=1"))
    model[1].weight.requires_grad_(False)
    groups = {group["lr"]: group["params"] for group in learning_groups(model, config)}
    found = {rate: [id(value) for value in of] for rate, of in groups.items()}
    assert found == {
        0.1: [id(model[1].bias)],
        0.05: [id(model[0].weight)],
        0.2: [id(model[0].bias)],
    }


@pytest.mark.parametrize("schedule", ["staircase", "one-cycle"])
def test_schedule_keeps_the_ratio_of_the_rates(schedule: Literal["staircase", "one-cycle"]) -> None:
    config = Optimisation(
        learning_rate=0.1, schedule=schedule, decay_examples=20, rates=("bias=0.25",)
    )
    optimiser = make_optimiser(learning_groups(nn.Linear(2, 1), config), config)
    scheduler = make_schedule(optimiser, config, examples_per_step=10, num_steps=20)
    seen = set()
    for _ in range(20):
        plain, own = (group["lr"] for group in optimiser.param_groups)
        assert own == pytest.approx(plain / 4)
        seen.add(plain)
        optimiser.step()
        scheduler.step()
    assert len(seen) > 5


def test_rates_of_frozen_tensors_raise() -> None:
    model = nn.Linear(2, 1).requires_grad_(False)
    with pytest.raises(ConfigError, match="'bias' names frozen tensors alone"):
        learning_groups(model, Optimisation(rates=("bias=0.1",)))


def test_rates_of_nothing_raise() -> None:
    with pytest.raises(ConfigError, match="no parameter 'graph'"):
        learning_groups(nn.Linear(2, 1), Optimisation(rates=("graph=0.1",)))


@pytest.mark.parametrize("given", ["graph", "graph=", "=0.1", "graph=0", "graph=-1", "a=nan"])
def test_rate_that_is_none_raises(given: str) -> None:
    with pytest.raises(ConfigError, match="PATTERN=FACTOR"):
        Optimisation(rates=(given,))
