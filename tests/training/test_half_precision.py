"""Training in lower precision: gradients are clipped at their own size, whatever the scale."""

import dataclasses
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.plugins import MixedPrecision
from torch import Tensor, nn

from reeltag.core.errors import TrainingError
from reeltag.data.dataset import Dataset
from reeltag.models import lstm, nextvlad
from reeltag.training import fit, module
from reeltag.training.config import Optimisation, Recipe
from reeltag.training.fit import check_start, train
from reeltag.training.optimiser import clip_per_tensor
from tests.training.exploding import InfiniteAtStepOne

SCALE = 2.0**16
MODEL = dataclasses.replace(nextvlad.TINY, dropout=0.0)
OPTIM = Optimisation(learning_rate=0.01)
RECIPE = Recipe(batch_size=8, max_steps=4, validate_every=4, log_every=1, optim=OPTIM)


@pytest.fixture
def float16_on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let trainings compute in float16 with a scaled loss, as on a GPU."""

    def trainer(**options: Any) -> Trainer:
        scaler = torch.amp.GradScaler("cpu", init_scale=SCALE)
        options["precision"] = None
        options["plugins"] = [*options["plugins"], MixedPrecision("16-mixed", "cpu", scaler)]
        return Trainer(**options)

    monkeypatch.setattr(fit, "Trainer", trainer)


def norms_seen(
    corpus: Path, out: Path, clip: str, monkeypatch: pytest.MonkeyPatch
) -> tuple[list[float], list[float]]:
    """Return the norm of all gradients before each clipping, and the losses."""
    norms: list[float] = []

    def clipping(old: Any) -> Any:
        def clip(parameters: Iterable[nn.Parameter], limit: float) -> Tensor:
            parameters = list(parameters)
            gradients = [p.grad for p in parameters if p.grad is not None]
            norms.append(math.hypot(*(float(g.norm()) for g in gradients)))
            clipped: Tensor = old(parameters, limit)
            return clipped

        return clip

    with monkeypatch.context() as patch:
        patch.setattr(module, "clip_per_tensor", clipping(clip_per_tensor))
        patch.setattr(nn.utils, "clip_grad_norm_", clipping(nn.utils.clip_grad_norm_))
        optim = dataclasses.replace(OPTIM, clip=cast(Any, clip))
        train(
            Dataset.open(corpus, quiet=True), out, MODEL, dataclasses.replace(RECIPE, optim=optim)
        )
    rows = (out / "metrics.csv").read_text().splitlines()[1:]
    return norms, [float(loss) for row in rows if (loss := row.split(",")[3])]


@pytest.mark.parametrize("clip", ["per-tensor", "global"])
def test_float16_clips_gradients_at_their_own_size(
    clip: str, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: Any
) -> None:
    exact = norms_seen(corpus, tmp_path / "fp32", clip, monkeypatch)
    request.getfixturevalue("float16_on_a_cpu")
    half = norms_seen(corpus, tmp_path / "fp16", clip, monkeypatch)
    # float16 has 11 bits; sums of some hundred roundings of 5e-4, in norms of a few units
    assert half[0] == pytest.approx(exact[0], rel=0.02)
    assert half[1] == pytest.approx(exact[1], rel=0.01)


@pytest.mark.usefixtures("float16_on_a_cpu")
def test_float16_keeps_the_weights_before_a_loss_that_is_not_finite(
    corpus: Path, tmp_path: Path
) -> None:
    objective = InfiniteAtStepOne()
    recipe = dataclasses.replace(RECIPE, log_every=4)
    with pytest.raises(TrainingError, match="the loss is inf at step 1, batch of"):
        train(
            Dataset.open(corpus, quiet=True), tmp_path / "run", MODEL, recipe, objective=objective
        )
    assert len(objective.states) == 4
    objective.assert_weights_stay()


@pytest.mark.gpu
@pytest.mark.parametrize(
    ("precision", "rel"),
    [("fp32", 1e-3), ("bf16", 0.05), ("fp16", 0.02)],  # 24, 8 and 11 bits; products in TF32
)
@pytest.mark.parametrize("config", [MODEL, lstm.TINY], ids=["nextvlad", "lstm"])
def test_gpu_gives_the_loss_curve_of_the_cpu(
    config: Any, precision: Any, rel: float, corpus: Path, tmp_path: Path
) -> None:
    losses = []
    for accelerator, dtype in (("cpu", "fp32"), ("gpu", precision)):
        recipe = dataclasses.replace(
            RECIPE, accelerator=cast(Any, accelerator), precision=cast(Any, dtype)
        )
        train(Dataset.open(corpus, quiet=True), tmp_path / accelerator, config, recipe)
        rows = (tmp_path / accelerator / "metrics.csv").read_text().splitlines()[1:]
        losses.append([float(loss) for row in rows if (loss := row.split(",")[3])])
    assert losses[1] == pytest.approx(losses[0], rel=rel)


@pytest.mark.parametrize(("capability", "is_slow"), [("AVX2", True), ("AVX512", False)])
def test_bf16_that_is_emulated_is_logged(
    capability: str,
    is_slow: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    check_start(tmp_path / "run", Recipe(precision="bf16"))
    assert ("bf16 is emulated on this processor" in capfd.readouterr().err) == is_slow
