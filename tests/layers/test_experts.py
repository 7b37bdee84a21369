"""Heads: probabilities written as loops, exactness where they saturate, penalties."""

import pytest
import torch

from reeltag.layers.experts import LogisticHead, MixtureOfExperts, mixture_logits
from reeltag.layers.kernels import mixture_logits as kernel


def mixture_by_loops(head: MixtureOfExperts, x: torch.Tensor, experts: int) -> torch.Tensor:
    gates, scores = head.gates(x), head.experts(x)
    out = torch.zeros(len(x), head.num_classes, dtype=x.dtype)
    for b in range(len(x)):
        for c in range(head.num_classes):
            gate = gates[b, c :: head.num_classes].softmax(dim=0)
            for m in range(experts):
                out[b, c] += gate[m] * scores[b, m * head.num_classes + c].sigmoid()
    return out


@pytest.mark.parametrize("experts", [1, 2, 5])
def test_mixture_of_experts_matches_loops(experts: int, rng: torch.Generator) -> None:
    head = MixtureOfExperts(4, 3, experts).double()
    x = 3 * torch.randn(5, 4, generator=rng).double()
    ours = head(x).sigmoid()
    torch.testing.assert_close(ours, mixture_by_loops(head, x, experts), rtol=1e-12, atol=1e-14)


def test_mixture_logits_are_exact_where_the_probability_rounds_to_one() -> None:
    head = MixtureOfExperts(1, 1, 1)
    with torch.no_grad():
        head.gates.weight.copy_(torch.tensor([[60.0], [-60.0]]))
        head.experts.weight.fill_(50.0)
    logit = head(torch.ones(1, 1))
    # 1 - p = gate_dummy + gate * (1 - sigmoid(50)) = e^-120 + e^-50
    torch.testing.assert_close(logit, torch.tensor([[50.0]]))


@pytest.mark.parametrize(
    ("gate", "expert"),
    [(0.1, 79.8), (79.8, 0.1), (39.9, 39.9), (40.1, 40.1), (0.1, 500.0), (500.0, 500.0)],
)
def test_mixture_logits_are_exact_in_float32_at_any_size(
    gate: float, expert: float, rng: torch.Generator
) -> None:
    gates = gate * (2 * torch.rand(50, 4, 3, generator=rng) - 1)
    experts = expert * (2 * torch.rand(50, 3, 3, generator=rng) - 1)
    found = []
    for dtype in (torch.float32, torch.float64):
        leaves = [x.to(dtype).requires_grad_() for x in (gates, experts)]
        logits = mixture_logits(*leaves) if dtype == torch.float32 else plain_logits(*leaves)
        found.append([logits, *torch.autograd.grad(logits.sum(), leaves)])
    # some ten roundings of numbers up to |gate| + |expert|, and of what they are exponents of
    size = 1e-6 * (gate + expert)
    for ours, exact in zip(*found, strict=True):
        torch.testing.assert_close(ours.double(), exact, rtol=size, atol=size)


def plain_logits(gates: torch.Tensor, experts: torch.Tensor) -> torch.Tensor:
    yes = gates[:, :-1] + torch.nn.functional.logsigmoid(experts)
    no = torch.cat([gates[:, :-1] + torch.nn.functional.logsigmoid(-experts), gates[:, -1:]], 1)
    return yes.logsumexp(dim=1) - no.logsumexp(dim=1)


def test_mixture_logits_of_moderate_scores_are_those_of_the_logarithms(
    rng: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = [torch.randn(6, n, 5, generator=rng).double().requires_grad_() for n in (4, 3)]
    found = []
    for largest in (kernel.LARGEST, -1.0):
        monkeypatch.setattr(kernel, "LARGEST", largest)
        logits = mixture_logits(*scores)
        found.append([logits, *torch.autograd.grad(logits.square().sum(), scores)])
    torch.testing.assert_close(found[0], found[1], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_mixture_stays_finite_with_its_gradient(scale: float, rng: torch.Generator) -> None:
    head = MixtureOfExperts(4, 3)
    logits = head(scale * torch.randn(6, 4, generator=rng))
    logits.sum().backward()
    assert logits.isfinite().all() and head.gates.weight.grad is not None
    assert head.gates.weight.grad.isfinite().all()


def test_mixture_of_experts_starts_at_m_halves_of_its_gates() -> None:
    prob = MixtureOfExperts(4, 3, 2)(torch.zeros(1, 4)).sigmoid()
    torch.testing.assert_close(prob, torch.full((1, 3), 2 / 3 / 2))


def test_logistic_head_is_a_linear_map_with_zero_bias(rng: torch.Generator) -> None:
    head, x = LogisticHead(4, 3), torch.randn(2, 4, generator=rng)
    torch.testing.assert_close(head(x), x @ head.linear.weight.T)


@pytest.mark.parametrize("on_bias", [False, True])
def test_logistic_penalty_is_half_the_sum_of_squares(on_bias: bool) -> None:
    head = LogisticHead(2, 1, l2=0.1, l2_on_bias=on_bias)
    torch.nn.init.constant_(head.linear.weight, 3.0)
    torch.nn.init.constant_(head.linear.bias, 2.0)
    assert head.penalty().item() == pytest.approx(0.1 * (18 + (4 if on_bias else 0)) / 2)


def test_mixture_penalty_covers_the_weights_of_gates_and_experts() -> None:
    head = MixtureOfExperts(1, 1, 1, l2=1.0)
    for parameter, value in zip(head.parameters(), (1.0, 2.0, 3.0), strict=True):
        torch.nn.init.constant_(parameter, value)
    assert head.penalty().item() == pytest.approx((2 * 1 + 4) / 2)


def test_half_square_of_zero_has_a_zero_gradient() -> None:
    head = LogisticHead(2, 2, l2=1.0)
    torch.nn.init.zeros_(head.linear.weight)
    head.penalty().backward()
    assert head.linear.weight.grad is not None and not head.linear.weight.grad.any()


def test_mixture_gates_of_low_rank_are_a_product_of_two_matrices(rng: torch.Generator) -> None:
    low, full = MixtureOfExperts(4, 3, 2, gate_rank=2, l2=0.1), MixtureOfExperts(4, 3, 2)
    assert low.gate_input is not None
    with torch.no_grad():
        full.gates.weight.copy_(low.gates.weight @ low.gate_input.weight)
    full.experts.load_state_dict(low.experts.state_dict())
    x = torch.randn(5, 4, generator=rng)
    torch.testing.assert_close(low(x), full(x))
    squares = sum(p.square().sum() for name, p in low.named_parameters() if "bias" not in name)
    torch.testing.assert_close(low.penalty(), 0.1 * squares / 2)
