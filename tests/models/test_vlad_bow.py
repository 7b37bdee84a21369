"""Soft counts with a learned power: formula, gradients, and where the authors' are no numbers."""

from dataclasses import replace

import pytest
import torch

from reeltag.core.errors import ConfigError
from reeltag.layers.kernels import power_counts as kernel
from reeltag.models.vlad_bow import TINY, power_counts

MASK = torch.arange(4) < torch.tensor([[4], [2], [0]])


@pytest.mark.parametrize("power", [1.0, 3.0, 3.7])
def test_counts_match_loops(power: float, rng: torch.Generator) -> None:
    scores = torch.randn(3, 4, 5, generator=rng).double()
    expected = torch.zeros(3, 5).double()
    for b in range(3):
        for t in range(int(MASK[b].sum())):
            raised = [s.sign() * s.abs() ** power for s in scores[b, t]]
            total = sum(z.exp() for z in raised)
            for k in range(5):
                expected[b, k] += raised[k].exp() / total
    found = power_counts(scores, torch.tensor(power, dtype=torch.float64), MASK.double())
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_power_starts_at_the_authors_three(rng: torch.Generator) -> None:
    scores = torch.randn(3, 4, 5, generator=rng).double()
    expected = ((scores**3).softmax(dim=-1) * MASK.unsqueeze(-1)).sum(dim=1)
    torch.testing.assert_close(
        power_counts(scores, torch.tensor(3.0).double(), MASK.double()), expected
    )


def test_gradients_are_those_of_finite_differences(
    rng: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel, "CPU_SCORES", 40)  # two videos at a time
    scores = torch.randn(3, 4, 5, generator=rng).double().requires_grad_()
    power = torch.tensor(2.6).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda s, p: power_counts(s, p, MASK.double()), (scores, power))


@pytest.mark.parametrize("size", [0.0, 1e-20, 1e4, 1e30])
def test_counts_and_gradients_are_finite_for_extreme_scores(size: float) -> None:
    scores = (size * torch.tensor([[[1.0, -1.0, 0.5]] * 4] * 3)).requires_grad_()
    power = torch.tensor(8.0, requires_grad=True)
    counts = power_counts(scores, power, MASK.float())
    torch.testing.assert_close(counts.sum(dim=1), MASK.sum(dim=1).float())
    (counts * torch.arange(3)).sum().backward()
    assert scores.grad is not None and scores.grad.isfinite().all()
    assert power.grad is not None and power.grad.isfinite()


def test_power_is_shared_and_kept_in_its_range() -> None:
    model = TINY.build()
    assert [name for name, _ in model.named_parameters()].count("power") == 1
    assert model.power.item() == 3.0
    batch = torch.randn(2, 3, 8), torch.ones(2, 3, dtype=torch.bool)
    model.eval().power.data.fill_(50.0)
    limited = model(*batch)
    model.power.data.fill_(8.0)
    torch.testing.assert_close(model(*batch), limited, rtol=0, atol=0)


@pytest.mark.parametrize("power", [0.5, 9.0])
def test_power_out_of_range_raises(power: float) -> None:
    with pytest.raises(ConfigError, match=r"power is .*; allowed: a number in \[1, 8\]"):
        replace(TINY, power=power)
