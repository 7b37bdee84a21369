"""The label relation penalty: the literal matrices, by hand, its laws, and no C x C anywhere."""

import math

import pytest
import torch
from torch import Tensor

from reeltag.losses.label_relation import (
    nuclear_direction,
    nuclear_penalty,
    omega_factor,
    omega_penalty,
)

SHAPES = [(12, 7), (7, 12), (9, 9)]  # (C, H)


def weights(shape: tuple[int, int], rng: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=rng, dtype=torch.float64)


def omega_of(weight_CH: Tensor) -> Tensor:
    """Omega (C, C) as the paper writes it: the root of W^T W over its trace."""
    gram_CC = weight_CH @ weight_CH.T
    values, vectors = torch.linalg.eigh(gram_CC)
    root_CC = vectors @ torch.diag(values.clamp(min=0).sqrt()) @ vectors.T
    omega_CC: Tensor = root_CC / root_CC.trace()
    return omega_CC


def literal(weight_CH: Tensor, omega_CC: Tensor) -> Tensor:
    """tr(W Omega^-1 W^T), W = weight^T, element by element, with the pseudo-inverse."""
    inverse = torch.linalg.pinv(omega_CC, rtol=1e-6, hermitian=True)
    total = torch.zeros((), dtype=torch.float64)
    for h in range(weight_CH.shape[1]):
        for c in range(len(weight_CH)):
            for d in range(len(weight_CH)):
                total = total + weight_CH[c, h] * inverse[c, d] * weight_CH[d, h]
    return total


@pytest.mark.parametrize("shape", SHAPES)
def test_penalty_and_its_gradient_are_those_of_the_literal_matrices(
    shape: tuple[int, int], rng: torch.Generator
) -> None:
    then = weights(shape, rng)
    now = (then + 0.3 * weights(shape, rng)).requires_grad_()  # Omega is some steps old
    ours = omega_penalty(now, omega_factor(then))
    theirs = literal(now, omega_of(then))
    # roots of eigenvalues that should be 0 stand in the literal Omega as sqrt(1e-16)
    torch.testing.assert_close(ours, theirs, rtol=1e-7, atol=0)
    gradients = [torch.autograd.grad(value, now)[0] for value in (ours, theirs)]
    torch.testing.assert_close(*gradients, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_factor_squared_is_the_pseudo_inverse_of_omega(
    shape: tuple[int, int], rng: torch.Generator
) -> None:
    weight_CH = weights(shape, rng)
    factor_RC = omega_factor(weight_CH)
    assert factor_RC.shape == (min(shape), shape[0])
    inverse = torch.linalg.pinv(omega_of(weight_CH), rtol=1e-6, hermitian=True)
    torch.testing.assert_close(factor_RC.T @ factor_RC, inverse, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_at_the_best_omega_both_forms_are_the_square_of_the_nuclear_norm(
    shape: tuple[int, int], dtype: torch.dtype, rng: torch.Generator
) -> None:
    weight_CH = weights(shape, rng)
    exact = torch.linalg.svdvals(weight_CH).sum().square().item()
    weight_CH = weight_CH.to(dtype).requires_grad_()
    fixed = weight_CH.detach()
    omega = omega_penalty(weight_CH, omega_factor(fixed))
    nuclear = nuclear_penalty(weight_CH, nuclear_direction(fixed))
    assert omega.item() == pytest.approx(exact, rel=1e-4)  # what the issue asks for
    assert nuclear.item() == pytest.approx(exact, rel=1e-4)
    assert omega.item() == pytest.approx(nuclear.item(), rel=1e-4)
    gradients = [torch.autograd.grad(value, weight_CH)[0] for value in (omega, nuclear)]
    torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-3 * exact**0.5)


def test_omega_costs_least_of_those_of_trace_one(rng: torch.Generator) -> None:
    weight_CH = weights((5, 8), rng)
    best = literal(weight_CH, omega_of(weight_CH))
    for _ in range(20):
        other = omega_of(weights((5, 8), rng))
        assert literal(weight_CH, 0.9 * omega_of(weight_CH) + 0.1 * other) > best


@pytest.mark.parametrize("shape", SHAPES[:2])
def test_nuclear_gradient_is_that_through_a_singular_value_decomposition(
    shape: tuple[int, int], rng: torch.Generator
) -> None:
    left, right = (torch.linalg.qr(weights((n, min(shape)), rng))[0] for n in shape)
    apart = torch.arange(1, min(shape) + 1, dtype=torch.float64)
    weight_CH = (left @ torch.diag(apart) @ right.T).requires_grad_()
    ours = nuclear_penalty(weight_CH, nuclear_direction(weight_CH.detach()))
    theirs = torch.linalg.svd(weight_CH, full_matrices=False).S.sum().square()
    gradients = [torch.autograd.grad(value, weight_CH)[0] for value in (ours, theirs)]
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-9)


def test_equal_singular_values_and_none_keep_the_gradient_finite() -> None:
    for weight_CH in (torch.eye(4, 6), torch.ones(6, 4), torch.zeros(6, 4)):
        weight_CH.requires_grad_()
        fixed = weight_CH.detach()
        omega = omega_penalty(weight_CH, omega_factor(fixed))
        nuclear = nuclear_penalty(weight_CH, nuclear_direction(fixed))
        (omega + nuclear).backward()
        assert weight_CH.grad is not None and weight_CH.grad.isfinite().all()


def test_classes_that_point_the_same_way_cost_less_than_classes_that_share_nothing() -> None:
    # Two unit vectors. Apart: singular values 1, 1, so (1 + 1)^2. Together: sqrt(2), so 2.
    apart, together = torch.eye(2), torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    # At right angles but for cos 60 degrees: W^T W = [[1, .5], [.5, 1]], eigenvalues 1.5 and 0.5.
    half = torch.tensor([[1.0, 0.0], [0.5, math.sqrt(0.75)]])
    costs = [4.0, 2.0, (math.sqrt(1.5) + math.sqrt(0.5)) ** 2]
    for weight_CH, cost in zip((apart, together, half), costs, strict=True):
        assert omega_penalty(weight_CH, omega_factor(weight_CH)).item() == pytest.approx(cost)
        direction = nuclear_direction(weight_CH)
        assert nuclear_penalty(weight_CH, direction).item() == pytest.approx(cost)
    # By Omega of the parallel pair, [[.5, .5], [.5, .5]] with inverse V diag(1) V^T of the rank it
    # has, the part of the orthogonal pair along (1, 1) / sqrt(2) costs 1, the rest nothing.
    assert omega_penalty(apart, omega_factor(together)).item() == pytest.approx(1.0)


def test_unused_directions_cost_nothing_until_omega_is_computed_again() -> None:
    then = torch.tensor([[3.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    now = torch.tensor([[3.0, 0.0], [0.0, 5.0], [0.0, 0.0]])
    assert omega_penalty(now, omega_factor(then)).item() == pytest.approx(9.0)
    assert omega_penalty(now, omega_factor(now)).item() == pytest.approx(64.0)


def test_nothing_is_classes_times_classes(rng: torch.Generator) -> None:
    weight_CH = torch.randn(200_000, 8, generator=rng)  # C x C floats would be 149 GiB
    exact = torch.linalg.svdvals(weight_CH).sum().square().item()
    omega = omega_penalty(weight_CH, omega_factor(weight_CH)).item()
    nuclear = nuclear_penalty(weight_CH, nuclear_direction(weight_CH)).item()
    # sums of 1.6 million float32 products
    assert omega == pytest.approx(exact, rel=1e-4) and nuclear == pytest.approx(exact, rel=1e-4)


def test_bfloat16_products_move_the_gradient_by_a_percent_at_most(rng: torch.Generator) -> None:
    # Singular values over two decades, as a trained layer's
    left, right = (torch.linalg.qr(weights((n, 64), rng))[0] for n in (200, 64))
    values = torch.logspace(0, -2, 64, dtype=torch.float64)
    exact_CH = (left @ torch.diag(values) @ right.T).requires_grad_()
    weight_CH = exact_CH.detach().float().requires_grad_()
    factor_RC = omega_factor(weight_CH.detach())
    with torch.autocast("cpu", torch.bfloat16):
        rough = omega_penalty(weight_CH, factor_RC)
    rough.backward()
    exact = omega_penalty(exact_CH, omega_factor(exact_CH.detach()))
    exact.backward()
    assert weight_CH.grad is not None and exact_CH.grad is not None
    assert rough.item() == pytest.approx(exact.item(), rel=0.01)
    cosine = torch.cosine_similarity(weight_CH.grad.flatten(), exact_CH.grad.flatten().float(), 0)
    assert cosine > 0.99


def test_weights_that_are_not_finite_make_the_penalty_so() -> None:
    weight_CH = torch.full((3, 4), torch.inf)
    assert omega_penalty(weight_CH, omega_factor(weight_CH)).isnan()
    assert nuclear_penalty(weight_CH, nuclear_direction(weight_CH)).isnan()
