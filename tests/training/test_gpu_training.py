"""Training on a device: resumed to the bit in each precision, and steps that do not wait for it."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback
from torch.profiler import ProfilerActivity, profile

from reeltag.data.dataset import Dataset
from reeltag.models import lstm, nextvlad
from reeltag.training.fit import resume, train
from tests.training.short_runs import FAST, RECIPE, last_state

WAITS = {  # calls that wait for a GPU, and the operator behind .item(), float(tensor), if tensor
    "cudaStreamSynchronize",
    "cudaDeviceSynchronize",
    "cudaEventSynchronize",
    "Memcpy DtoH (Device -> Pageable)",
    "aten::_local_scalar_dense",
}
FIRST, LAST = 3, 9  # steps that are traced: the first ones allocate, and choose kernels


class Traced(Callback):
    """Profiles some steps, from the batch that is there to the step that is done."""

    def __init__(self) -> None:
        self.waits: list[str] = []
        self.names: set[str] = set()
        self._profile: Any = None

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:
        if batch_idx == FIRST:
            kinds = [ProfilerActivity.CPU]
            kinds += [ProfilerActivity.CUDA] if torch.cuda.is_available() else []
            self._profile = profile(activities=kinds).__enter__()

    def on_train_batch_end(self, trainer: Any, module: Any, *_: Any) -> None:
        if trainer.global_step == LAST:
            self._profile.__exit__(None, None, None)
            events = self._profile.events()
            self.names = {event.name for event in events}
            self.waits = [e.name for e in events if e.name in WAITS and not in_fused_adam(e)]


def in_fused_adam(event: Any) -> bool:
    """Return whether an event is of fused Adam, which reads the number of its step on a CPU."""
    while event is not None and event.name != "aten::_fused_adam_":
        event = event.cpu_parent
    return event is not None and not torch.cuda.is_available()


@pytest.mark.parametrize(
    ("accelerator", "clip"),
    [
        ("cpu", "global"),  # per tensor a CPU reads the norms, which costs nothing there
        pytest.param("gpu", "global", marks=pytest.mark.gpu),
        pytest.param("gpu", "per-tensor", marks=pytest.mark.gpu),
    ],
)
def test_step_does_not_wait_for_its_device(
    accelerator: Any, clip: Any, corpus: Path, tmp_path: Path
) -> None:
    recipe = dataclasses.replace(
        RECIPE,
        accelerator=accelerator,
        max_steps=12,
        validate_every=100,
        log_every=100,
        optim=dataclasses.replace(FAST, clip=clip),
    )
    traced = Traced()
    train(
        Dataset.open(corpus, quiet=True),
        tmp_path / "run",
        nextvlad.TINY,
        recipe,
        callbacks=[traced],
    )
    assert any("addmm" in name or "matmul" in name or "linear" in name for name in traced.names)
    assert not traced.waits


@pytest.mark.parametrize(
    ("accelerator", "precision"),
    [
        ("cpu", "fp32"),
        ("cpu", "bf16"),
        *(pytest.param("gpu", of, marks=pytest.mark.gpu) for of in ("fp32", "bf16", "fp16")),
    ],
)
@pytest.mark.parametrize("config", [nextvlad.TINY, lstm.TINY], ids=["nextvlad", "lstm"])
def test_training_is_resumed_to_the_bit_in_each_precision(
    accelerator: Any, precision: Any, config: Any, corpus: Path, tmp_path: Path
) -> None:
    short = dataclasses.replace(
        RECIPE, accelerator=accelerator, precision=precision, max_steps=3, optim=FAST
    )
    data = Dataset.open(corpus, quiet=True)
    train(data, tmp_path / "whole", config, dataclasses.replace(short, max_steps=6))
    train(data, tmp_path / "pieces", config, short)
    resume(tmp_path / "pieces", max_steps=6)
    whole, pieces = last_state(tmp_path / "whole"), last_state(tmp_path / "pieces")
    assert all(torch.equal(whole[name], pieces[name]) for name in whole)
