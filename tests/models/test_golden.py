"""Our models against numbers that the authors' own code computed."""

from collections.abc import Callable, Iterable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from reeltag.models._tensorflow import in_our_layout
from tests.conftest import golden_files
from tests.models.golden import Golden, builder_of
from tests.models.golden.file import SaysMore

ELSEWHERE = {  # prefix -> where it is checked, or why it is not
    "google_losses": "tests/losses",
    "lin_losses": "tests/losses",
    "willow_loss_": "tests/losses",
    "lin_input_transform": "tests/layers/test_preprocessing.py",
    "google_sampling": "tests/data/test_sampling_golden.py",
    "ceshine_": "tests/models/test_ceshine.py",
    "google_framelogistic": "tests/models/test_families.py",
    "lin_distill": "tests/losses/test_distillation.py",
}
BETAS, EPSILON = np.array([0.9, 0.999], np.float32), float(np.float32(1e-8))
FILES = [
    Golden(path, make) for path in golden_files("layers/*.npz") if (make := builder_of(path.stem))
]
WITH_STEPS = [golden for golden in FILES if "steps_f64.loss" in golden.names]

pytestmark = pytest.mark.golden
every_file = pytest.mark.parametrize("golden", FILES, ids=lambda g: str(g.path.stem))
both_precisions = pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [(torch.float32, 1e-5), (torch.float64, 1e-9)],
    ids=["float32", "float64"],
)


def test_golden_layer_files_are_checked_or_have_a_reason() -> None:
    stems = [path.stem for path in golden_files("layers/*.npz")]
    unknown = [stem for stem in stems if not (builder_of(stem) or stem.startswith((*ELSEWHERE,)))]
    assert unknown == []
    assert len(FILES) >= 20


def predicted(
    golden: Golden, model: nn.Module, logits: Tensor, mode: str
) -> list[tuple[Tensor, Tensor]]:
    """Return (ours, theirs) for every output in the file."""
    outputs = {"out": logits, "logits": logits, "predictions": logits.sigmoid()}
    if isinstance(model, SaysMore):
        outputs |= model.more_outputs()
    return [
        (outputs[name], torch.from_numpy(array))
        for name, array in golden.group(f"{mode}_f64").items()
    ]


@every_file
@both_precisions
@pytest.mark.parametrize("mode", ["eval", "train"])
def test_outputs_are_the_authors(
    golden: Golden, dtype: torch.dtype, tolerance: float, mode: str
) -> None:
    model = golden.build(dtype).train(mode == "train")
    pairs = predicted(golden, model, model(*golden.inputs(dtype)), mode)
    assert pairs
    for ours, theirs in pairs:
        torch.testing.assert_close(ours.double(), theirs, rtol=tolerance, atol=tolerance)


@every_file
def test_running_statistics_after_a_batch_are_the_authors(golden: Golden) -> None:
    model = golden.build(torch.float64)
    model(*golden.inputs(torch.float64))
    names, state = golden.ours(model), model.state_dict()
    for name, theirs in golden.group("newstat_f64").items():
        expected = torch.from_numpy(theirs).double()
        torch.testing.assert_close(state[names[name]], expected, rtol=1e-7, atol=1e-9)


@every_file
def test_loss_and_gradients_are_the_authors(golden: Golden) -> None:
    model = golden.build(torch.float64)
    loss = golden.loss(model(*golden.inputs(torch.float64)), model)
    loss.backward()
    assert loss.item() == pytest.approx(golden.arrays["loss_f64.loss"].item(), rel=1e-7)
    names = golden.ours(model)
    gradients = golden.group("grad_f64")
    assert gradients
    parameters = dict(model.named_parameters())
    for name, theirs in gradients.items():
        if names[name] not in parameters:  # a shift that the next batch norm takes away
            assert np.abs(theirs).max() < 1e-9
            continue
        ours = parameters[names[name]].grad
        assert ours is not None
        expected = in_our_layout(model, names[name], theirs).double()
        torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("golden", WITH_STEPS, ids=lambda g: str(g.path.stem))
def test_weights_after_steps_of_adam_are_the_authors(golden: Golden) -> None:
    model, inputs = golden.build(torch.float64), golden.inputs(torch.float64)
    adam = TensorflowAdam(model.parameters(), golden.meta["steps"]["lr"])
    losses = []
    for _ in range(golden.meta["steps"]["n"]):
        loss = golden.loss(model(*inputs), model)
        losses.append(loss.item())
        adam.zero_grad()
        loss.backward()
        for parameter in model.parameters():
            nn.utils.clip_grad_norm_(parameter, 1.0)
        adam.step()
    np.testing.assert_allclose(losses, golden.arrays["steps_f64.loss"], rtol=1e-6)
    names, state = golden.ours(model), model.state_dict()
    for name, theirs in golden.group("steps_f64.var").items():
        expected = in_our_layout(model, names[name], theirs).double()
        torch.testing.assert_close(state[names[name]], expected, rtol=1e-6, atol=1e-6)


class TensorflowAdam(torch.optim.Optimizer):
    """Adam as TensorFlow 1 computes it: epsilon is added before the bias is corrected."""

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float) -> None:
        super().__init__(parameters, {"lr": float(np.float32(lr))})
        self.powers = np.ones(2, np.float32)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        self.powers *= BETAS
        power1, power2 = self.powers.astype(np.float64)
        for group in self.param_groups:
            rate = group["lr"] * (1 - power2) ** 0.5 / (1 - power1)
            for p in group["params"]:
                state = self.state[p]
                for name, beta, value in (("m", BETAS[0], p.grad), ("v", BETAS[1], p.grad**2)):
                    average = state.setdefault(name, torch.zeros_like(p))
                    average.lerp_(value, 1 - float(beta))
                p.sub_(rate * state["m"] / (state["v"].sqrt() + EPSILON))
