"""Gates: their formulas, the diagonal, and logits that stay exact."""

from pathlib import Path

import onnxruntime
import pytest
import torch

from reeltag.layers.gating import BottleneckGate, ContextGate, ProbabilityGate
from reeltag.layers.norm import MaskedBatchNorm


def batch_norm(x: torch.Tensor) -> torch.Tensor:
    return (x - x.mean(dim=0)) / (x.var(dim=0, correction=0) + 1e-3).sqrt()


@pytest.mark.parametrize("remove_diagonal", [False, True])
def test_context_gate_matches_formula(remove_diagonal: bool, rng: torch.Generator) -> None:
    gate, x = ContextGate(3, remove_diagonal=remove_diagonal).double(), torch.randn(5, 3).double()
    expected = torch.zeros(5, 3).double()
    for h in range(3):
        for j in range(3):
            if h != j or not remove_diagonal:
                expected[:, h] += gate.linear.weight[h, j] * x[:, j]
    expected = x * batch_norm(expected).sigmoid()
    torch.testing.assert_close(gate(x), expected, rtol=1e-12, atol=1e-12)


def test_bottleneck_gate_matches_formula(rng: torch.Generator) -> None:
    gate, x = BottleneckGate(4, 2).double(), torch.randn(5, 4, generator=rng).double()
    inner = batch_norm(x @ gate.squeeze.weight.T).clamp(min=0)
    expected = x / (1 + torch.exp(-(inner @ gate.excite.weight.T)))
    torch.testing.assert_close(gate(x), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("input_size", [None, 4])
def test_probability_gate_multiplies_the_probability(
    input_size: int | None, rng: torch.Generator
) -> None:
    gate = ProbabilityGate(3, input_size).double()
    logits, inputs = torch.randn(5, 3, generator=rng).double(), torch.randn(5, 4).double()
    source = logits.sigmoid() if input_size is None else inputs
    expected = logits.sigmoid() * batch_norm(source @ gate.linear.weight.T).sigmoid()
    torch.testing.assert_close(gate(logits, inputs).sigmoid(), expected, rtol=1e-12, atol=1e-12)


def test_probability_gate_without_diagonal_ignores_its_own_class(rng: torch.Generator) -> None:
    gate = ProbabilityGate(2, remove_diagonal=True).eval()
    logits = torch.zeros(1, 2)
    changed = torch.tensor([[3.0, 0.0]])
    before, after = gate(logits, logits), gate(changed, changed)
    factors = [y.sigmoid() / x.sigmoid() for x, y in ((logits, before), (changed, after))]
    torch.testing.assert_close(factors[0][0, 0], factors[1][0, 0])  # its own changed: same gate
    assert not torch.isclose(factors[0][0, 1], factors[1][0, 1])  # the other's gate moved


@pytest.mark.parametrize("logit", [-200.0, -30.0, 30.0, 200.0])
def test_probability_gate_stays_exact_where_probabilities_saturate(logit: float) -> None:
    gate = ProbabilityGate(1).eval()
    assert isinstance(gate.norm, MaskedBatchNorm)
    torch.nn.init.zeros_(gate.linear.weight)
    torch.nn.init.constant_(gate.norm.bias, 40.0)  # s = 1 - e^-40
    value = torch.tensor([[logit]], dtype=torch.float64)
    ours = gate(value.float(), value).double()
    # 1 - p s = (1 - p) + p (1 - s); with p near 1 it is e^-logit + e^-40
    expected = value if logit < 0 else -torch.logaddexp(-value, torch.tensor(-40.0).double())
    torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-5)


class Gates(torch.nn.Module):
    """Gates of one class, one for each bias of their norm, side by side."""

    def __init__(self, biases: tuple[float, ...]) -> None:
        super().__init__()
        gates = [ProbabilityGate(1) for _ in biases]
        for gate, bias in zip(gates, biases, strict=True):
            torch.nn.init.zeros_(gate.linear.weight)
            torch.nn.init.constant_(gate.norm.bias, bias)
        self.gates = torch.nn.ModuleList(gates)

    def forward(self, logits_B1: torch.Tensor) -> torch.Tensor:
        return torch.cat([gate(logits_B1, logits_B1) for gate in self.gates], dim=1)


@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")  # of torch, to itself
def test_probability_gate_exported_is_exact_where_probabilities_saturate(tmp_path: Path) -> None:
    gates = Gates((-300.0, 0.0, 300.0)).eval()
    logits = torch.tensor([[-200.0], [-30.0], [0.0], [30.0], [200.0]])
    program = torch.onnx.export(gates, (logits,), dynamo=True, verbose=False)
    assert program is not None
    program.save(tmp_path / "gate.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "gate.onnx"))
    (exported,) = session.run(None, {session.get_inputs()[0].name: logits.numpy()})
    exact = gates.double()(logits.double())
    torch.testing.assert_close(torch.from_numpy(exported).double(), exact, rtol=1e-5, atol=1e-5)
