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
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.figure import figure
from benchmarks.results import Row
from reeltag.core.console import say
from reeltag.core.system.allocator import keep_freed_memory
from reeltag.losses.cross_entropy import binary_cross_entropy
from reeltag.models import families, model_config, penalty

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
TENSORFLOW = {  # videos/s of the originals on two such cores, lowest and highest
    "nextvlad_8g_k128": (28.9, 32.7),
    "mix_nextvlad_3x_k112_r16": (10.5, 10.5),
    "netvlad_k256_h1024": (38.1, 41.6),
    "soft_dbow_k8000_h1024": (16.5, 16.5),
    "dbof_k8192_h1024": (108.0, 108.0),
    "moe_16": (350.0, 364.0),
    "moe_2": (1650.0, 1650.0),
    "lstm_2x1024": (6.3, 6.3),
    "lstm_willow_2x1024": (11.2, 11.2),
    "gru_2x1200": (6.5, 6.5),
}
FRAMES = {"lstm_2x1024": 300}  # where a variant has others than its family's recipe
FASTER = 2.0  # than TensorFlow, by the middle of its figures
SMALLER = {  # variant -> videos per step: the authors' takes minutes, or is for two GPUs
    "nextvlad_8g_k128": 80,
    "nextvlad_8g_k112_r16": 80,
    "mix_nextvlad_3x_k112_r16": 80,
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


@dataclass(frozen=True, kw_only=True)
class Case:
    """A model at its authors' size, with their batch and number of frames."""

    family: str
    variant: str
    batch: int
    frames: int

    @property
    def target(self) -> str | None:
        """Videos/s to reach, where the original's are known."""
        found = TENSORFLOW.get(self.variant)
        return None if found is None else f">= {FASTER * sum(found) / 2:g}"


def cases() -> list[Case]:
    """Return the first variant of every family, and those that TENSORFLOW or MORE names."""
    chosen = []
    for family in families():
        for place, variant in enumerate(family.variants):
            if place == 0 or variant in TENSORFLOW or variant in MORE:
                drawn = family.recipe.get("frames", {}).get("num_frames", 300)
                frames = FRAMES.get(variant, drawn)
                batch = SMALLER.get(variant, family.recipe["batch_size"])
                name = family.name
                level = 1 if name in VIDEO_LEVEL else frames or 300
                chosen.append(Case(family=name, variant=variant, batch=batch, frames=level))
    return chosen


def parts() -> dict[str, str]:
    """Return the variants that can be measured one by one, and the family of each."""
    return {case.variant: case.family for case in cases()}


def run(quick: bool, only: Collection[str] = ()) -> list[Row]:
    """Return a row for each model (of `only`, if any) and precision."""
    precisions = ["fp32"] + (["bf16"] if has_bfloat16() else [])
    chosen = [case for case in cases() if not only or case.variant in only]
    return [_row(case, precision, quick) for case in chosen for precision in precisions]


def _row(case: Case, precision: str, quick: bool) -> Row:
    """Return how fast a model trains, measured in a fresh process."""
    if quick:
        case = replace(case, batch=max(2, case.batch // 20))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        details = pool.apply(measure, (case, precision, quick))
    value = details["videos_per_second"]
    say(f"{case.variant} {precision}: {value} videos/s")
    target = case.target if precision == "bf16" else None
    return figure(f"train {case.variant} {precision}", value, "videos/s", target, details)


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
    adam = torch.optim.Adam(model.parameters(), lr=2e-4, fused=True)
    x = torch.nn.functional.normalize(torch.randn(case.batch, case.frames, 1152), dim=-1)
    mask = torch.ones(case.batch, case.frames, dtype=torch.bool)
    labels = (torch.rand(case.batch, config.num_classes) < 1e-3).float()

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            loss = binary_cross_entropy(model(x, mask), labels).mean() + penalty(model)
        adam.zero_grad()
        loss.backward()
        clip_per_tensor([p.grad for p in model.parameters() if p.grad is not None])
        adam.step()

    times = seconds_of(9, step, at_most=2.0 if quick else TIMED)
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
        "tensorflow": TENSORFLOW.get(case.variant),
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


def clip_per_tensor(gradients: list[torch.Tensor]) -> None:
    """Scale each gradient to norm 1 at most, as the papers do."""
    norms = torch._foreach_norm(gradients)
    long = [(g, n) for g, n in zip(gradients, norms, strict=True) if n > 1]
    if long:
        torch._foreach_div_([g for g, _ in long], [n for _, n in long])
