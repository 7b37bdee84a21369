"""The mixture's logit: the definition in loops, saturated scores, and its gradients."""

import math
from pathlib import Path

import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from reeltag.layers.experts import mixture_logits
from reeltag.layers.kernels import mixture_logits as kernel


def scores(rng: torch.Generator, *, videos: int = 3, experts: int = 2) -> tuple[Tensor, Tensor]:
    gates = torch.randn(videos, experts + 1, 4, generator=rng, dtype=torch.float64)
    return gates, 3 * torch.randn(videos, experts, 4, generator=rng, dtype=torch.float64)


@pytest.mark.parametrize("experts", [1, 2, 16])
def test_mixture_logit_matches_mixed_probability(experts: int, rng: torch.Generator) -> None:
    gates, votes = scores(rng, experts=experts)
    logits = mixture_logits(gates, votes)
    for b in range(3):
        for c in range(4):
            shares = [math.exp(g) for g in gates[b, :, c].tolist()]
            sigmoids = [1 / (1 + math.exp(-e)) for e in votes[b, :, c].tolist()]
            p = sum(s * v for s, v in zip(shares, sigmoids, strict=False)) / sum(shares)
            assert logits[b, c].item() == pytest.approx(math.log(p / (1 - p)), abs=1e-12)


def test_mixture_gradients_match_differences(
    rng: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel, "CACHE", 13)  # so that videos go one by one
    inputs = tuple(part.requires_grad_() for part in scores(rng))
    assert torch.autograd.gradcheck(mixture_logits, inputs)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_mixture_keeps_value_and_gradient_where_scores_saturate(dtype: torch.dtype) -> None:
    gates = torch.zeros(1, 3, 2, dtype=dtype)
    gates[0, 2] = -300.0  # the dummy has no share
    votes = torch.tensor([[[200.0, -200.0], [200.0, -200.0]]], dtype=dtype)
    inputs = gates.requires_grad_(), votes.requires_grad_()
    logits = mixture_logits(*inputs)
    torch.testing.assert_close(logits, torch.tensor([[200.0, -200.0]]))
    logits.sum().backward()
    for part in inputs:
        assert part.grad is not None and part.grad.isfinite().all()
    assert votes.grad is not None
    # a float32 logarithm of about 200 is known to 1.5e-5, and so is what its exponential gives
    assert votes.grad.sum().item() == pytest.approx(2.0, rel=1e-4)


def test_mixture_compiled_matches_eager(
    rng: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    gates, votes = scores(rng)
    eager = mixture_logits(gates, votes)
    monkeypatch.setattr("torch.compiler.is_compiling", lambda: True)
    torch.testing.assert_close(mixture_logits(gates, votes), eager, rtol=0, atol=1e-14)


def test_mixture_of_no_videos_is_empty() -> None:
    assert mixture_logits(torch.zeros(0, 3, 4), torch.zeros(0, 2, 4)).shape == (0, 4)


@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")  # of torch, to itself
def test_mixture_exported_is_exact_where_scores_saturate(tmp_path: Path) -> None:
    class Mixture(nn.Module):
        def forward(self, gates: Tensor, votes: Tensor) -> Tensor:
            return mixture_logits(gates, votes)

    gates, votes = torch.zeros(1, 3, 2), torch.tensor([[[200.0, -200.0], [200.0, -200.0]]])
    gates[0, 2] = -300.0  # the dummy has no weight
    program = torch.onnx.export(Mixture().eval(), (gates, votes), dynamo=True, verbose=False)
    assert program is not None
    program.save(tmp_path / "mixture.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "mixture.onnx"))
    names = [given.name for given in session.get_inputs()]
    (logits,) = session.run(None, dict(zip(names, (gates.numpy(), votes.numpy()), strict=True)))
    assert logits.tolist() == [[200.0, -200.0]]  # log(sigmoid(-200)) would be -infinity
