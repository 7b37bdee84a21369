"""How fast the models train: forward, backward, per-tensor clipping and Adam on one batch.

Each model runs in a process of its own, so that the peak of memory is its own.

    python -m benchmarks models [FAMILY|VARIANT|PATTERN ...] [--quick] [--json] [--resume]
"""

import math
import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.environment import machine
from benchmarks.figure import figure
from benchmarks.originals import originals
from benchmarks.results import Row
from reeltag.core.console import say
from reeltag.core.system.allocator import keep_freed_memory
from reeltag.layers.wide_linear import factor_gradients
from reeltag.losses.cross_entropy import binary_cross_entropy
from reeltag.models import Family, families, model_config, penalty
from reeltag.training.config import Optimisation
from reeltag.training.optimiser import clip_per_tensor, make_optimiser

VIDEO_LEVEL = {
    "logistic",
    "moe",
    "resnet_like",
    "bottleneck",
    "attentive_fcn",
    "cyclic_fcn",
    "early_concat_fcn",
    "sub_nets",
    "second_level",
}
SMALLER = {  # variant -> videos per step: the authors' takes minutes, or is for two GPUs
    "nextvlad_8g_k112_r16": 80,
    "attention_net_3x1024": 32,
    "multi_attention_decision_h4": 8,
    "linear_combinations_1": 128,
    "vlad_bow_1000": 32,
    "kmeans_resnet_10000": 32,
    "samsung_transformer_1x500": 32,
    "transformer_4x512": 16,
    "time_distributed_conv_2048_512": 16,
    "time_distributed_sort_303": 4,
    "time_distributed_max_1024": 32,
    "bilstm_512_512_1024": 32,
    "bigru_512_512_1024": 32,
    "early_concat_lstm": 64,
    "lstm_bi_attention": 32,
}
MORE = (
    "nextvlad_8g_k112_r16",
    "netvlad_k64_h512",
    "resnet_like_1024",
)  # in addition to the first of each family
TIMED = 2.0  # seconds of steps, at most, for one figure
COMPARED = 10.0  # the same where there is an original to compare with


@dataclass(frozen=True, kw_only=True)
class Case:
    """A model at its authors' size, with their batch and number of frames."""

    family: str
    variant: str
    batch: int
    frames: int


def cases() -> list[Case]:
    """Return the first variant of every family, those with an original, and those of MORE.

    Where there is an original, its batch and number of frames are taken.
    """
    chosen = []
    for family in families():
        for place, variant in enumerate(family.variants):
            original = originals().get(variant)
            if original is not None:
                sizes = {"batch": original.batch, "frames": original.frames}
            elif place == 0 or variant in MORE:
                batch = SMALLER.get(variant, family.recipe["batch_size"])
                sizes = {"batch": batch, "frames": frames_of(family)}
            else:
                continue
            chosen.append(Case(family=family.name, variant=variant, **sizes))
    return chosen


def frames_of(family: Family) -> int:
    """Return how many frames of a video the authors train on."""
    if family.name in VIDEO_LEVEL:
        return 1
    drawn: int = family.recipe.get("frames", {}).get("num_frames", 300) or 300
    return drawn


def parts() -> dict[str, str]:
    """Return the variants that can be measured one by one, and the family of each."""
    return {case.variant: case.family for case in cases()}


def run(quick: bool, only: Collection[str] = ()) -> list[Row]:
    """Return a row for each model (of `only`, if any) and precision, and its ratio to a peer."""
    precisions = ["fp32"] + (["bf16"] if has_bfloat16() else [])
    rows = []
    for case in cases():
        if not only or case.variant in only:
            of_case = [_row(case, precision, quick) for precision in precisions]
            rows += of_case + ([] if quick else ratio_rows(case.variant, of_case[-1], machine()))
    return rows


def ratio_rows(variant: str, row: Row, where: str) -> list[Row]:
    """Return a row with the ratio of our rate to that of the original, where there is one.

    It has no target on another machine than the original's: then the ratio says nothing.

    Args:
        variant: of the model.
        row: its rate in the precision that is compared.
        where: it was measured, as `environment.machine` names it.
    """
    original = originals().get(variant)
    if original is None:
        return []
    details: dict[str, Any] = asdict(original)
    ratio = original.ratio({**row, "machine": where})
    if ratio is None:
        say(f"{variant}: not compared; the original ran on {original.source.machine}, this {where}")
        return []
    name = row["name"].replace("train", "ratio", 1)
    return [figure(name, ratio, "times TensorFlow", f">= {original.target:g}", details)]


def _row(case: Case, precision: str, quick: bool) -> Row:
    """Return how fast a model trains, measured in a fresh process."""
    if quick:
        case = replace(case, batch=max(2, case.batch // 20))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        details = pool.apply(measure, (case, precision, quick))
    value = details["videos_per_second"]
    say(f"{case.variant} {precision}: {value} videos/s")
    return figure(f"train {case.variant} {precision}", value, "videos/s", details=details)


@cache
def has_bfloat16() -> bool:
    """Return whether this CPU multiplies bfloat16 faster than float32, measured once."""
    exact = torch.ones(1024, 1024)
    rough = exact.bfloat16()
    return min(seconds_of(3, lambda: rough @ rough)) < min(seconds_of(3, lambda: exact @ exact))


def seconds_of(
    repeats: int, action: Callable[[], object], at_most: float = math.inf
) -> list[float]:
    """Return how long `action` takes each time, after one call to warm up.

    It is repeated until `at_most` seconds are spent, but at least twice.
    """
    action()
    times = list[float]()
    while len(times) < 2 or (len(times) < repeats and sum(times) < at_most):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return times


def measure(case: Case, precision: str, quick: bool) -> Row:
    """Return step time and memory of one model; called in a fresh process."""
    keep_freed_memory()
    torch.manual_seed(0)
    config: Any = model_config(case.variant)
    config = replace(config, num_classes=386) if quick else config
    model = config.build().train()
    factor_gradients(model)
    adam = make_optimiser(model.parameters(), Optimisation())
    x = torch.nn.functional.normalize(torch.randn(case.batch, case.frames, 1152), dim=-1)
    mask = torch.ones(case.batch, case.frames, dtype=torch.bool)
    labels = (torch.rand(case.batch, config.num_classes) < 1e-3).float()

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            loss = binary_cross_entropy(model(x, mask), labels).mean() + penalty(model)
        adam.zero_grad()
        loss.backward()
        clip_per_tensor(model.parameters(), 1.0)
        adam.step()

    seconds = COMPARED if case.variant in originals() else TIMED
    times = seconds_of(9, step, at_most=2.0 if quick else seconds)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    counted = {torch.ops.mkldnn._linear_pointwise: _linear_flops}
    with FlopCounterMode(display=False, custom_mapping=counted) as counter:
        step()  # last: steps after it are slower
    rate = matmul_rate(torch.bfloat16 if precision == "bf16" else torch.float32)
    seconds, flops = statistics.median(times), counter.get_total_flops()
    return {
        "videos_per_second": round(case.batch / seconds, 1),
        "step_s": round(seconds, 4),
        "fastest_step_s": round(min(times), 4),
        "steps": len(times),
        "batch": case.batch,
        "frames": case.frames,
        "parameters": sum(p.numel() for p in model.parameters()),
        "peak_rss_gib": round(memory / 2**20, 2),
        "gflop_a_video": round(flops / case.batch / 1e9, 3),
        "matmul_gflop_s": round(rate / 1e9, 1),
        "fraction_of_matmul_rate": round(flops / seconds / rate, 3),
        "videos_per_second_at_matmul_rate": round(case.batch * rate / max(flops, 1), 1),
        "threads": torch.get_num_threads(),
    }


def _linear_flops(
    x_shape: Sequence[int], *_: object, out_shape: Sequence[int], **__: object
) -> int:
    """Return the operations of oneDNN's linear layer, which PyTorch's counter does not know."""
    return 2 * math.prod(x_shape) * out_shape[-1]


def matmul_rate(dtype: torch.dtype) -> float:
    """Return the operations per second of a large matrix product."""
    left, right = torch.randn(24_000, 1024).to(dtype), torch.randn(1024, 2048).to(dtype)
    return 2 * left.shape[0] * right.numel() / min(seconds_of(3, lambda: left @ right))
