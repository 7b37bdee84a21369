"""A device that is measured: its clock, its memory, its arithmetic."""

import resource
import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Literal, get_args

import torch

Precision = Literal["tf32", "fp16", "bf16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
DTYPES: dict[Precision, torch.dtype] = {
    "tf32": torch.float32,
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
}


def use_tf32() -> None:
    """Let products of float32 be computed in TF32, where there is such arithmetic."""
    torch.set_float32_matmul_precision("high")


def wait(device: torch.device) -> None:
    """Wait until a device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds_per_call(
    action: Callable[[], object], device: torch.device, *, seconds: float, warm: int = 3
) -> list[float]:
    """Return how long an action takes, in rounds of about a sixth of `seconds`.

    Args:
        action: called again and again; the device is waited for after each round only.
        device: that it uses.
        seconds: that all rounds take together, about; there are two rounds at least.
        warm: calls before the first round.
    """
    for _ in range(max(1, warm)):
        action()
    wait(device)
    began = time.perf_counter()
    action()
    wait(device)
    calls = max(1, int(seconds / 6 / max(time.perf_counter() - began, 1e-6)))
    found, left = list[float](), time.perf_counter() + seconds
    while len(found) < 2 or (len(found) < 6 and time.perf_counter() < left):
        began = time.perf_counter()
        for _ in range(calls):
            action()
        wait(device)
        found.append((time.perf_counter() - began) / calls)
    return found


def matmul_rate(precision: Precision, device: torch.device, *, quick: bool = False) -> float:
    """Return the operations per second of a large product of matrices."""
    use_tf32()
    size = 256 if quick else 8192
    left = torch.randn(size, size, device=device, dtype=DTYPES[precision])
    right = torch.randn(size, size, device=device, dtype=DTYPES[precision])
    times = seconds_per_call(lambda: left @ right, device, seconds=0.05 if quick else 1.0)
    return 2 * size**3 / min(times)


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Return what computes large products in a precision."""
    return torch.autocast(device.type, DTYPES[precision], enabled=precision != "tf32")


def peak_gib(device: torch.device) -> float:
    """Return the most memory that was allocated since `forget_peak`; on a CPU of the process."""
    if device.type == "cuda":
        return round(torch.cuda.max_memory_allocated(device) / 2**30, 3)
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 3)


def forget_peak(device: torch.device) -> None:
    """Begin to measure the most memory that is allocated."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def median(values: list[float]) -> float:
    """Return the median."""
    return statistics.median(values)
