"""Positions against their formulas written as loops, and what rotations promise."""

import math

import torch

from reeltag.layers.rotary import rotated, sine_codes


def test_rotation_matches_loops(rng: torch.Generator) -> None:
    x = torch.randn(2, 3, 5, 6, generator=rng).double()
    expected = torch.zeros_like(x)
    for t in range(5):
        for i in range(3):
            angle = t * 10_000 ** (-2 * i / 6)
            turned = complex(math.cos(angle), math.sin(angle))
            for b in range(2):
                for h in range(3):
                    pair = complex(x[b, h, t, i], x[b, h, t, i + 3]) * turned
                    expected[b, h, t, i], expected[b, h, t, i + 3] = pair.real, pair.imag
    torch.testing.assert_close(rotated(x), expected, rtol=1e-10, atol=1e-12)


def test_rotation_products_depend_on_distance_alone(rng: torch.Generator) -> None:
    query, key = torch.randn(2, 1, 8, generator=rng).double()
    products = rotated(query.expand(9, 8)) @ rotated(key.expand(9, 8)).T
    for distance in range(-8, 9):
        same = products.diagonal(distance)
        torch.testing.assert_close(same, same[:1].expand_as(same), rtol=1e-10, atol=1e-12)


def test_sine_codes_match_loops() -> None:
    for dim in (6, 5):
        codes = sine_codes(torch.zeros(1, 4, dim).double())
        assert codes.shape == (4, dim)
        for t in range(4):
            for d in range(dim):
                angle = t * 10_000 ** (-2 * (d // 2) / dim)
                expected = math.cos(angle) if d % 2 else math.sin(angle)
                assert math.isclose(codes[t, d], expected, abs_tol=1e-12)


def test_rotation_half_precision_has_exact_angles() -> None:
    x = torch.ones(1, 1, 301, 4, dtype=torch.bfloat16)
    turned = rotated(x)
    assert turned.dtype == torch.bfloat16
    expected = math.cos(300) - math.sin(300)  # 300 itself is not a bfloat16
    assert abs(float(turned[0, 0, 300, 0]) - expected) < 0.01
