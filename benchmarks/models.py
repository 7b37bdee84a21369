"""How fast the models train: forward, backward, per-tensor clipping and Adam on one batch.

Each model runs in a process of its own, so that the peak of memory is its own.
    python -m benchmarks.models [--quick]
"""

import json
import multiprocessing
import resource
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from reeltag.core.memory import keep_freed_memory
from reeltag.losses.cross_entropy import binary_cross_entropy
from reeltag.models import VARIANTS, penalty

BAR = 60.0  # videos/s of NeXtVLAD on two cores; TensorFlow's original does 28.9 to 32.7
CASES = [  # variant, videos a step, frames
    ("nextvlad_8g_k128", 80, 300),
    ("netvlad_k64_h512", 80, 300),
    ("moe_2", 1024, 1),
    ("moe_16", 256, 1),
]


def run(quick: bool) -> list[dict[str, Any]]:
    """Return one row a model and precision: name, value, unit, bar, details."""
    rows = []
    precisions = ["fp32"] + (["bf16"] if has_bfloat16() else [])
    for variant, batch, frames in CASES:
        for precision in precisions:
            arguments = (variant, batch // 10 if quick else batch, frames, precision, quick)
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                details = pool.apply(measure, arguments)
            best = (variant, precision) == ("nextvlad_8g_k128", precisions[-1])
            bar = BAR if best and not quick else None
            value = details["videos_per_second"]
            rows.append(
                {
                    "name": f"train {variant} {precision}",
                    "value": value,
                    "unit": "videos/s",
                    "bar": bar and f">= {bar:g}",
                    "met": bar and value >= bar,
                    "details": details,
                }
            )
    return rows


def has_bfloat16() -> bool:
    """Return whether this CPU multiplies bfloat16 faster than float32."""
    exact = torch.ones(1024, 1024)
    rough = exact.bfloat16()
    return min(seconds_of(3, lambda: rough @ rough)) < min(seconds_of(3, lambda: exact @ exact))


def seconds_of(repeats: int, action: Callable[[], object]) -> list[float]:
    """Return how long `action` took each time, after one call to warm up."""
    action()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return times


def measure(variant: str, batch: int, frames: int, precision: str, quick: bool) -> dict[str, Any]:
    """Return step time and memory of one model; called in a fresh process."""
    keep_freed_memory()
    torch.manual_seed(0)
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    config: Any = VARIANTS[variant]
    config = replace(config, num_classes=386) if quick else config
    model = config.build().train()
    adam = torch.optim.Adam(model.parameters(), lr=2e-4, fused=True)
    x = torch.nn.functional.normalize(torch.randn(batch, frames, 1152), dim=-1)
    mask = torch.ones(batch, frames, dtype=torch.bool)
    labels = (torch.rand(batch, config.num_classes) < 1e-3).float()

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            loss = binary_cross_entropy(model(x, mask), labels).mean() + penalty(model)
        adam.zero_grad()
        loss.backward()
        clip_per_tensor([p.grad for p in model.parameters() if p.grad is not None])
        adam.step()

    with FlopCounterMode(display=False) as counter:
        step()
    times = seconds_of(2 if quick else 9, step)
    left, right = torch.randn(24_000, 1024).to(dtype), torch.randn(1024, 2048).to(dtype)
    matmul_rate = 2 * left.shape[0] * right.numel() / min(seconds_of(3, lambda: left @ right))
    seconds = statistics.median(times)
    return {
        "videos_per_second": round(batch / seconds, 1),
        "step_s": round(seconds, 4),
        "fastest_step_s": round(min(times), 4),
        "batch": batch,
        "frames": frames,
        "parameters": sum(p.numel() for p in model.parameters()),
        "peak_rss_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
        "step_gflop": round(counter.get_total_flops() / 1e9, 1),
        "matmul_gflop_s": round(matmul_rate / 1e9, 1),
        "fraction_of_matmul_rate": round(counter.get_total_flops() / seconds / matmul_rate, 3),
        "threads": torch.get_num_threads(),
    }


def clip_per_tensor(gradients: list[torch.Tensor]) -> None:
    """Scale each gradient to norm 1 at most, as the papers do."""
    norms = torch._foreach_norm(gradients)
    long = [(g, n) for g, n in zip(gradients, norms, strict=True) if n > 1]
    if long:
        torch._foreach_div_([g for g, _ in long], [n for _, n in long])


if __name__ == "__main__":
    print(json.dumps(run("--quick" in sys.argv), indent=2))
