"""A step of every family at its authors' size: with and without torch.compile, in three precisions.

Several processes build and compile models at once, for compiling takes a core some ten seconds;
what is timed is timed by one of them at a time, under a lock. Another one may then still try out
kernels for a compilation, so the fastest of the rounds is given next to the median.
"""

import multiprocessing
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from multiprocessing.synchronize import Lock
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.figure import figure
from benchmarks.gpu.device import (
    PRECISIONS,
    Precision,
    autocast,
    forget_peak,
    matmul_rate,
    median,
    peak_gib,
    seconds_per_call,
    use_tf32,
)
from benchmarks.models import Case, frames_of
from benchmarks.originals import originals
from benchmarks.results import Row
from reeltag.losses.cross_entropy import binary_cross_entropy
from reeltag.models import families, model_config, penalty
from reeltag.training.config import Optimisation
from reeltag.training.optimiser import clip_per_tensor, make_optimiser

SECONDS = 0.4  # timed for a figure
_LOCK: Lock | None = None  # of this process: held while something is timed


@dataclass(frozen=True, kw_only=True)
class StepTask:
    """What a process measures: a family in all precisions.

    Attributes:
        case: the model, its batch and number of frames.
        device: where.
        compiled: by torch.compile.
        quick: few classes and videos: does it run at all?
        skip: precisions that are known.
    """

    case: Case
    device: str
    compiled: bool
    quick: bool = False
    skip: frozenset[Precision] = frozenset()


def cases() -> list[Case]:
    """Return the first variant of each family, with its authors' batch and number of frames."""
    found = []
    for family in families():
        variant = next(iter(family.variants))
        original = originals().get(variant)
        frames = frames_of(family) if original is None else original.frames
        batch = family.recipe["batch_size"]
        found.append(Case(family=family.name, variant=variant, batch=batch, frames=frames))
    return found


def name_of(case: Case, precision: Precision, *, compiled: bool) -> str:
    """Return the name of a figure."""
    return f"step {case.variant} {precision}{' compiled' if compiled else ''}"


def step_names() -> list[tuple[str, str]]:
    """Return the names of all figures, and the variant of each."""
    return [
        (name_of(case, precision, compiled=compiled), case.variant)
        for compiled in (False, True)
        for case in cases()
        for precision in PRECISIONS
    ]


def tasks(device: str, known: frozenset[str], *, quick: bool) -> list[StepTask]:
    """Return what is to be measured: first all that is not compiled, for that is quick.

    Args:
        device: where.
        known: names of figures that are not measured again.
        quick: see `StepTask`.
    """
    found = []
    for compiled in (False, True):
        for case in cases():
            skip = [p for p in PRECISIONS if name_of(case, p, compiled=compiled) in known]
            if len(skip) < len(PRECISIONS):
                task = StepTask(case=case, device=device, compiled=compiled, quick=quick)
                found.append(replace(task, skip=frozenset(skip)))
    return found


def measure_steps(
    wanted: list[StepTask], rates: dict[str, float], *, workers: int, deadline: float
) -> Iterator[Row]:
    """Yield the figures of tasks as they end, and a row with an error for each that fails.

    Args:
        wanted: tasks, in the order in which they are begun.
        rates: operations per second of a matrix product, by precision.
        workers: processes.
        deadline: when what is not measured is given up, on the monotonic clock.
    """
    context = multiprocessing.get_context("spawn")
    lock = context.Lock()
    with context.Pool(workers, _begin, (lock,)) as pool:
        results = pool.imap_unordered(_measure_task, wanted)
        for _ in wanted:
            try:
                rows = results.next(timeout=max(0.01, deadline - time.monotonic()))
            except multiprocessing.TimeoutError:
                return
            for row in rows:
                yield _with_rate(row, rates)


def _begin(lock: Lock) -> None:
    globals()["_LOCK"] = lock
    torch.set_num_threads(1)
    use_tf32()


def _with_rate(row: Row, rates: dict[str, float]) -> Row:
    """Add which share of the rate of a matrix product a step reaches."""
    details = row.get("details", {})
    rate = rates.get(details.get("precision", ""))
    if rate is None:
        return row
    share = details["gflop_a_video"] * 1e9 * row["value"] / rate
    more = {"matmul_tflop_s": round(rate / 1e12, 1), "fraction_of_matmul_rate": round(share, 3)}
    return {**row, "details": {**details, **more}}


def _measure_task(task: StepTask) -> list[Row]:
    """Return the rows of a task; called in a process of the pool."""
    device, rows = torch.device(task.device), list[Row]()
    try:
        flops = flops_per_video(task.case, quick=task.quick)
    except Exception as error:
        return [_problem(task.case.variant, error)]
    for precision in PRECISIONS:
        if precision in task.skip:
            continue
        name = name_of(task.case, precision, compiled=task.compiled)
        try:
            details = measure(task, precision, device)
        except Exception as error:  # of whatever a compiler or a device raises
            rows.append(_problem(name, error))
            continue
        details |= {"gflop_a_video": round(flops / 1e9, 3), "precision": precision}
        rows.append(figure(name, details["videos_per_second"], "videos/s", None, details))
    return rows


def _problem(name: str, error: Exception) -> Row:
    line = (str(error).strip().splitlines() or [""])[0]
    return {"name": name, "error": f"{type(error).__name__}: {line}"[:300]}


def flops_per_video(case: Case, *, quick: bool = False) -> float:
    """Return the operations of a step for a video, counted on the CPU with two videos."""
    step = training_step(replace(case, batch=2), "tf32", torch.device("cpu"), quick=quick)
    with FlopCounterMode(display=False) as counter:
        step()
    return float(counter.get_total_flops()) / 2


def measure(task: StepTask, precision: Precision, device: torch.device) -> dict[str, Any]:
    """Return speed and memory of one model in one precision."""
    case = replace(task.case, batch=max(2, task.case.batch // 40)) if task.quick else task.case
    began = time.perf_counter()
    torch.compiler.reset()
    forget_peak(device)
    step = training_step(case, precision, device, compiled=task.compiled, quick=task.quick)
    step()
    first = time.perf_counter() - began
    lock = _LOCK or multiprocessing.Lock()
    with lock:
        times = seconds_per_call(step, device, seconds=0.02 if task.quick else SECONDS)
    peak = peak_gib(device)
    del step
    forget_peak(device)  # the others need the memory
    return {
        "videos_per_second": round(case.batch / median(times), 1),
        "step_s": round(median(times), 6),
        "fastest_step_s": round(min(times), 6),
        "first_step_s": round(first, 2),  # with what is compiled
        "batch": case.batch,
        "frames": case.frames,
        "peak_gib": peak,
    }


def training_step(
    case: Case,
    precision: Precision,
    device: torch.device,
    *,
    compiled: bool = False,
    quick: bool = False,
) -> Callable[[], object]:
    """Return a training step on one batch: forward, backward, clipping and Adam."""
    torch.manual_seed(0)
    config: Any = model_config(case.variant)
    config = replace(config, num_classes=386) if quick else config
    with device:
        model = config.build().train()
        x = torch.nn.functional.normalize(torch.randn(case.batch, case.frames, 1152), dim=-1)
        mask = torch.ones(case.batch, case.frames, dtype=torch.bool)
        labels = (torch.rand(case.batch, config.num_classes) < 1e-3).float()
    parameters = list(model.parameters())
    adam = make_optimiser(parameters, Optimisation())
    scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")
    forward = torch.compile(model, dynamic=False) if compiled else model

    def step() -> None:
        with autocast(precision, device):
            loss = binary_cross_entropy(forward(x, mask), labels).mean() + penalty(model)
        adam.zero_grad()
        scaler.scale(loss).backward()
        scaler.unscale_(adam)
        clip_per_tensor(parameters, 1.0)
        scaler.step(adam)
        scaler.update()

    return step


def rates(device: torch.device, *, quick: bool = False) -> list[Row]:
    """Return the rates of matrix products, a row for each precision."""
    return [
        figure(f"matrix product {of}", matmul_rate(of, device, quick=quick) / 1e12, "TFLOP/s")
        for of in PRECISIONS
    ]
