"""Masked noise: how much, of what distribution, on which dimensions; and how items share it."""

import pytest
import torch

from reeltag.augment import noise as module
from reeltag.augment.noise import draw_noise, gaussian_field, standard_deviation


def test_noise_leaves_half_of_the_dimensions_untouched() -> None:
    torch.manual_seed(0)
    noise = draw_noise((80, 5, 1152), torch.full((1152,), 0.1), 0.5, per_frame=False)
    x = noise.add_(torch.zeros(80, 5, 1152), torch.ones(80, 5, dtype=torch.bool), slice(0, 80))
    untouched = (x == 0).all(dim=1)
    assert torch.equal(untouched, (x == 0).any(dim=1))  # the same for all frames of an item
    # 92160 coins: a standard error of .0016; each item's 1152: .015; five of them
    assert float(untouched.double().mean()) == pytest.approx(0.5, abs=0.008)
    assert float(untouched.double().mean(1).sub(0.5).abs().max()) < 0.075
    assert float(x[x != 0].std()) == pytest.approx(0.1, rel=0.01)


def test_noise_per_frame_chooses_dimensions_for_each_frame() -> None:
    torch.manual_seed(0)
    noise = draw_noise((8, 20, 500), torch.ones(500), 0.25, per_frame=True)
    touched = noise.field != 0
    assert float(touched.double().mean()) == pytest.approx(0.25, abs=0.008)  # 5 standard errors
    assert not torch.equal(touched[:, 0], touched[:, 1])


def test_noise_of_all_dimensions_leaves_none_out() -> None:
    for per_frame in (False, True):
        noise = draw_noise((3, 4, 50), torch.ones(50), 1.0, per_frame=per_frame)
        assert (noise.spread == 1).all() and (noise.field != 0).all()


def test_noise_keeps_padding_zero() -> None:
    noise = draw_noise((2, 3, 4), torch.ones(4), 1.0, per_frame=False)
    mask = torch.tensor([[True, True, False], [True, False, False]])
    x = noise.add_(torch.zeros(2, 3, 4), mask, slice(0, 2))
    assert torch.equal((x != 0).all(-1), mask) and torch.equal((x != 0).any(-1), mask)


def test_noise_windows_of_items_are_independent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shape = (12, 40, 50)
    torch.manual_seed(0)
    assert gaussian_field(shape).is_contiguous()
    monkeypatch.setattr(module, "EXACT", 1000)
    field = gaussian_field(shape).double()
    assert field.shape == shape
    flat = field.flatten(1)
    # 2000 numbers an item: standard errors of .022 (mean) and .016 (sd), five of each
    assert float(flat.mean(1).abs().max()) < 0.11
    assert float(flat.std(1).sub(1).abs().max()) < 0.08
    assert float(field.pow(4).mean()) == pytest.approx(3, abs=0.3)  # of the normal distribution
    # no two items have the same number at the same place, nor go together there
    together = torch.corrcoef(flat) - torch.eye(12)
    assert float(together.abs().max()) < 0.11
    # what the docstring says of neighbours: 16 frames and one dimension apart
    assert torch.equal(field[1, :-16, :-1], field[0, 16:, 1:])
    # frame to frame and dimension to dimension inside an item
    assert abs(float((field[:, 1:] * field[:, :-1]).mean())) < 0.04
    assert abs(float((field[:, :, 1:] * field[:, :, :-1]).mean())) < 0.04


def test_standard_deviation_is_of_the_real_frames(rng: torch.Generator) -> None:
    x = torch.randn(200, 3, generator=rng) * torch.tensor([0.01, 1.0, 20.0]) + 5
    mask = torch.rand(200, generator=rng) < 0.7
    found = standard_deviation(x * mask.unsqueeze(1), mask)
    torch.testing.assert_close(found, x[mask].std(dim=0, correction=0), rtol=1e-5, atol=1e-6)
    assert not standard_deviation(torch.zeros(4, 3), torch.zeros(4, dtype=torch.bool)).any()
