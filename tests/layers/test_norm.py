"""Masked batch norm: real rows only, slim's constants, running statistics."""

import pytest
import torch
import torch.nn.functional as F

from reeltag.layers.norm import MaskedBatchNorm


@pytest.mark.parametrize("masked", [False, True])
def test_norm_matches_formula_on_real_rows(masked: bool, rng: torch.Generator) -> None:
    norm, x = MaskedBatchNorm(3).double(), 2 + torch.randn(4, 5, 3, generator=rng).double()
    norm.settle()
    mask = torch.rand(4, 5, generator=rng) < 0.6
    real = x[mask] if masked else x.flatten(end_dim=1)
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([1.0, 2.0, -1.0]))
        norm.bias.fill_(0.5)
    mean, var = real.mean(dim=0), real.var(dim=0, correction=0)
    expected = norm.weight * (x - mean) / (var + 1e-3).sqrt() + 0.5
    torch.testing.assert_close(norm(x, mask if masked else None), expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(norm.running_mean, 0.001 * mean)
    torch.testing.assert_close(norm.running_var, 0.999 + 0.001 * var)


def test_norm_gradients_agree_with_and_without_full_mask(rng: torch.Generator) -> None:
    x, weight = torch.randn(6, 3, generator=rng).double(), torch.randn(6, 3, generator=rng)
    gradients = []
    for mask in (None, torch.ones(6, dtype=torch.bool)):
        norm, leaf = MaskedBatchNorm(3).double(), x.clone().requires_grad_()
        (norm(leaf, mask) * weight).sum().backward()
        gradients.append((leaf.grad, norm.weight.grad, norm.bias.grad))
    torch.testing.assert_close(gradients[0], gradients[1])


def test_norm_takes_a_gradient_that_is_a_slice(rng: torch.Generator) -> None:
    norm, x = MaskedBatchNorm(3), torch.randn(6, 3, generator=rng, requires_grad=True)
    weight = torch.randn(6, 5, generator=rng)
    (torch.cat([norm(x), torch.zeros(6, 2)], dim=-1) * weight).sum().backward()
    other = x.detach().clone().requires_grad_()
    (F.batch_norm(other, None, None, training=True, eps=1e-3) * weight[:, :3]).sum().backward()
    torch.testing.assert_close(x.grad, other.grad)


def test_norm_in_eval_uses_and_keeps_running_statistics(rng: torch.Generator) -> None:
    norm, x = MaskedBatchNorm(2).eval(), torch.randn(4, 2, generator=rng)
    norm.running_mean.fill_(1.0)
    norm.running_var.fill_(4.0)
    torch.testing.assert_close(norm(x), (x - 1) / (4 + 1e-3) ** 0.5)
    assert norm.running_mean.eq(1).all() and norm.running_var.eq(4).all()


@pytest.mark.parametrize("masked", [False, True])
def test_norm_of_a_single_row_is_the_bias(masked: bool) -> None:
    norm = MaskedBatchNorm(2)
    out = norm(torch.ones(1, 2), torch.ones(1, dtype=torch.bool) if masked else None)
    torch.testing.assert_close(out, torch.zeros(1, 2))


def test_norm_without_real_rows_is_finite() -> None:
    assert MaskedBatchNorm(2)(torch.zeros(3, 2), torch.zeros(3, dtype=torch.bool)).isfinite().all()


def test_norm_of_half_precision_is_float32(rng: torch.Generator) -> None:
    x = (100 + torch.randn(50, 2, generator=rng)).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        for mask in (None, torch.ones(50, dtype=torch.bool)):
            out = MaskedBatchNorm(2)(x, mask)
            assert out.dtype == torch.float32
            torch.testing.assert_close(
                out, F.batch_norm(x.float(), None, None, training=True, eps=1e-3)
            )


def test_norm_running_statistics_follow_the_last_tenth_of_batches(
    rng: torch.Generator,
) -> None:
    norm, expected = MaskedBatchNorm(1).double(), torch.zeros(1).double()
    for n in range(1, 301):
        x = n + torch.randn(50, 1, generator=rng).double()
        norm(x)
        expected += 10 / (n + 9) * (x.mean(dim=0) - expected)  # 10 / 10 at first: no 0 stays
    torch.testing.assert_close(norm.running_mean, expected)
    assert 265 < norm.running_mean.item() < 280  # a tenth of 300 behind: 300 * 10 / 11 = 273


def test_norm_after_many_batches_has_slims_momentum(rng: torch.Generator) -> None:
    norm = MaskedBatchNorm(1)
    norm.num_batches.fill_(50_000)
    norm(torch.full((4, 1), 1000.0))
    torch.testing.assert_close(norm.running_mean, torch.ones(1))  # 0.001 of it
