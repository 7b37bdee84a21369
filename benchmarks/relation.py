"""What the label relation penalty adds to a step, next to a NeXtVLAD step in the same minutes.

Omega (nuclear: the singular vectors) is computed from the weights every EVERY steps; between two
updates a step pays for the penalty and its gradient. Both are timed alone, on the layer's weights,
in turns with whole steps of NeXtVLAD (80 videos of 300 frames, forward to Adam).

By counting, at 3862 x 2048 (C H^2 = 16.2 G): an update is 4 C H^2 + about 9 H^3, 142 GFLOP in
float32, most of it the eigenvectors; a step of omega is 4 C H^2, 65 GFLOP in the training's dtype;
a step of nuclear reads the weights and writes their gradient. NeXtVLAD's step is 383 GFLOP.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from benchmarks.figure import figure
from benchmarks.models import has_bfloat16
from benchmarks.results import Row
from benchmarks.update import update
from reeltag.core.batch import FrameBatch
from reeltag.core.system.allocator import keep_freed_memory
from reeltag.layers.experts import LogisticHead, MixtureOfExperts
from reeltag.models import nextvlad
from reeltag.training.config import Optimisation, RelationConfig
from reeltag.training.optimiser import make_optimiser
from reeltag.training.relation import FORMS

EVERY = RelationConfig().every
CLASSES = 3862
CPU_TARGET, GPU_TARGET = "< 25 %", "< 10 %"  # of a NeXtVLAD step
TURNS, STEPS = 5, 2


def run(quick: bool) -> list[Row]:
    """Return the NeXtVLAD step, and for each layer and form what the penalty adds to it."""
    keep_freed_memory()
    torch.manual_seed(0)
    gpu = torch.cuda.is_available()
    device = torch.device("cuda" if gpu else "cpu")
    bf16 = gpu or has_bfloat16()
    heads = _heads(quick, device)
    actions: dict[str, Callable[[], object]] = {"step": _nextvlad_step(quick, device, bf16)}
    for layer, head in heads.items():
        for form in FORMS:
            actions |= _actions(f"{layer}, {form}", head, form, bf16)
    seconds = _in_turns(actions, 2 if quick else TURNS, device)
    step = seconds.pop("step")
    precision = "bf16" if bf16 else "fp32"
    rows = [
        figure(f"nextvlad_8g_k128 {precision} step, {device.type}", round(1000 * step, 1), "ms")
    ]
    target = GPU_TARGET if gpu else CPU_TARGET
    for name in (f"{layer}, {form}" for layer in heads for form in FORMS):
        update, between = seconds[f"{name} update"], seconds[f"{name} penalty"]
        added = update / EVERY + between
        details = {
            "added_ms": round(1000 * added, 1),
            "update_ms": round(1000 * update, 1),
            "penalty_and_gradient_ms": round(1000 * between, 1),
            "every": EVERY,
            "threads": torch.get_num_threads(),
        }
        value = round(100 * added / step, 1)
        rows.append(figure(name, value, "% of the step", target, details))
    return rows


def _heads(quick: bool, device: torch.device) -> dict[str, LogisticHead | MixtureOfExperts]:
    """Return the output layers, their weights as a training begins."""
    classes, hidden, dim = (386, 205, 115) if quick else (CLASSES, 2048, 1152)
    return {
        f"NeXtVLAD's layer ({hidden} x {classes})": LogisticHead(hidden, classes).to(device),
        f"moe_16 ({dim} x {classes})": MixtureOfExperts(dim, classes, 16).to(device),
    }


def _actions(
    name: str, head: LogisticHead | MixtureOfExperts, form: str, bf16: bool
) -> dict[str, Callable[[], object]]:
    """Return the two things to time: an update, and the penalty with its gradient."""
    make, penalty = FORMS[form]
    device = head.class_weights().device.type

    def update() -> Tensor:
        with torch.no_grad():
            return make(head.class_weights())

    kept = update()

    def between() -> None:
        head.zero_grad()
        with torch.autocast(device, torch.bfloat16, enabled=bf16):
            value = penalty(head.class_weights(), kept)
        value.backward()

    return {f"{name} update": update, f"{name} penalty": between}


def _nextvlad_step(quick: bool, device: torch.device, bf16: bool) -> Callable[[], None]:
    """Return one whole step on a batch that stays in memory."""
    config = nextvlad.Config()
    config = replace(config, num_classes=386, num_clusters=8, hidden=64) if quick else config
    size, length = (8, 30) if quick else (80, 300)
    model: nn.Module = config.build().train().to(device)
    optimiser = make_optimiser(model.parameters(), Optimisation())
    batch = FrameBatch(
        frames=nn.functional.normalize(torch.randn(size, length, 1152), dim=-1),
        mask=torch.ones(size, length, dtype=torch.bool),
        labels=(torch.rand(size, config.num_classes) < 1e-3).float(),
    ).to(device)

    def step() -> None:
        update(model, optimiser, batch, torch.autocast(device.type, torch.bfloat16, enabled=bf16))

    return step


def _in_turns(
    actions: dict[str, Callable[[], object]], turns: int, device: torch.device
) -> dict[str, float]:
    """Return the median seconds of each, all of them measured in every turn; the first warms up."""
    found: dict[str, list[float]] = {name: [] for name in actions}
    for turn in range(turns + 1):
        for name, action in actions.items():
            for _ in range(STEPS):
                began = time.perf_counter()
                action()
                if device.type == "cuda":
                    torch.cuda.synchronize()
                if turn:
                    found[name].append(time.perf_counter() - began)
    return {name: statistics.median(seconds) for name, seconds in found.items()}
