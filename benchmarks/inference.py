"""Inference on a CPU, per core: torch next to onnxruntime, int8, and windows that share frames.

    python -m benchmarks inference [PART ...] [--quick]

Parts:

    nextvlad, early_concat_fcn_norm, dbof, frame_logistic
                videos/s and windows/s of a model of its published size (of frame_logistic, the
                moments finder's: 1280 values, 50 classes), random weights: torch in float32 and
                bfloat16, onnxruntime in float32 and with products in int8, one thread each; and how
                long the export takes. All take turns, so that whatever else runs hits all.
    windows     frames/s at windows of 5 frames and a hop of 1: each window alone, and sharing what
                is computed of a frame (`reeltag.tagger.sharing`), in torch, one thread.
    loss        models trained for some minutes on real data (../shared): what a probability and
                the score change by in bfloat16, and in graphs of fp16 and uint8 weights and int8.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.figure import figure
from benchmarks.inference_loss import losses
from benchmarks.results import Row
from reeltag.deploy.export import export
from reeltag.deploy.export_config import ExportConfig
from reeltag.deploy.sources import ExportSource
from reeltag.models import family_of, model_config
from reeltag.tagger.onnx import OnnxTagger
from reeltag.tagger.sharing import window_logits
from reeltag.tagger.tagger import Tagger
from reeltag.tagger.windows import Windows

PUBLISHED = (("rgb", 1024), ("audio", 128))
PICTURES = (("efficientnet", 1280),)
ROUNDS, LONGEST = 5, 2.0  # of each figure, and the seconds of one round beyond which it is the only
WINDOW = 5  # frames
AT_ONCE = 256  # windows, as `reeltag predict` scores together by default


@dataclass(frozen=True, kw_only=True)
class Speed:
    """A model, and what it is given: videos, frames of a video."""

    videos: tuple[int, int]
    streams: tuple[tuple[str, int], ...] = PUBLISHED
    classes: int = 3862
    stored: str = "uint8"


SPEEDS = {
    "nextvlad": Speed(videos=(8, 300)),
    "early_concat_fcn_norm": Speed(videos=(64, 1), stored="float32"),
    "dbof": Speed(videos=(8, 300)),
    "frame_logistic": Speed(videos=(16, 300), streams=PICTURES, classes=50),
}
SHARED: Mapping[tuple[str, int], str | None] = {  # model, classes -> how many times as fast
    ("frame_logistic", 50): ">= 3",
    ("frame_logistic", 527): ">= 3",
    ("multi_attention", 1000): None,
    ("time_distributed_sort", 50): None,
    ("dbof", 50): None,
    ("dbof", 1000): None,
    ("soft_dbow", 1000): None,
    ("kmeans_resnet", 1000): None,
    ("vlad_bow", 1000): None,
    ("time_distributed_max", 1000): None,
    ("nextvlad", 1000): None,
    ("logistic", 50): None,
    ("early_concat_fcn_norm", 1000): None,
    ("netvlad_k64_h512", 1000): None,
}


def parts() -> dict[str, str]:
    """Return what can be measured by itself."""
    return {part: part for part in (*SPEEDS, "windows", "loss")}


def run(quick: bool, only: Collection[str] = ()) -> list[Row]:
    """Return the figures of all parts, or of some."""
    rows = []
    with _one_thread():
        for name in only or parts():
            if name in SPEEDS:
                rows += _speeds(name, SPEEDS[name], quick)
            elif name == "windows":
                for (model, classes), target in SHARED.items():
                    rows += _windows(model, classes, target, quick)
    if not only or "loss" in only:
        rows += losses(quick)
    return rows


def tagger_of(
    model: str, streams: tuple[tuple[str, int], ...], classes: int, *, quick: bool = False
) -> Tagger:
    """Return a tagger with random weights, and statistics that are none of a new model."""
    torch.manual_seed(0)
    config = model_config(model, num_classes=classes, dims=tuple(width for _, width in streams))
    if quick:
        config, streams, classes = family_of(config).tiny, (("rgb", 6), ("audio", 2)), 5
    tagger = Tagger(config, streams, [f"class {number}" for number in range(classes)]).eval()
    for name, value in tagger.named_buffers():
        if name.endswith("running_var"):
            value.uniform_(0.5, 2.0)
        elif name.endswith("centroids_KD"):
            value.normal_()
    return tagger


def _speeds(name: str, speed: Speed, quick: bool) -> list[Row]:
    """Return videos/s and windows/s of a model in each runtime."""
    tagger = tagger_of(name, speed.streams, speed.classes, quick=quick)
    source = ExportSource(tagger=tagger, method="run", members=[], prefixes={"": name})
    graphs, rows = {}, []
    with tempfile.TemporaryDirectory() as folder:
        for arithmetic in ("fp32", "int8"):
            path = Path(folder, f"{arithmetic}.onnx")
            options: dict[str, Any] = {"arithmetic": arithmetic, "input": speed.stored}
            about = export(source, path, ExportConfig(**options, tolerance=0.5))
            graphs[arithmetic] = OnnxTagger(path, threads=1)
            rows += [
                figure(f"{name}, export, onnxruntime {arithmetic}", about["seconds"], "s"),
                figure(f"{name}, size, onnxruntime {arithmetic}", about["bytes"] / 1e6, "MB"),
            ]
        for job, unit, shape in (
            ("tagging", "videos/s", (2, speed.videos[1]) if quick else speed.videos),
            ("windows of 5 frames", "windows/s", (2 if quick else AT_ONCE, WINDOW)),
        ):
            batch = _batch(tagger, shape, speed.stored)
            seconds = _turns(_runtimes(tagger, graphs, *batch))
            best = seconds["torch fp32"]
            rows += [
                figure(
                    f"{name}, {job}, {runtime}",
                    shape[0] / each,
                    unit,
                    details={"times_of_torch_fp32": round(best / each, 3), "shape": shape},
                )
                for runtime, each in seconds.items()
            ]
    return rows


def _runtimes(
    tagger: Tagger, graphs: Mapping[str, OnnxTagger], frames: Tensor, mask: Tensor
) -> dict[str, Callable[[], object]]:
    """Return what scores a batch, by the name of its runtime."""

    def bfloat16() -> object:
        with torch.autocast("cpu", torch.bfloat16):
            return tagger(frames, mask)

    return {
        "torch fp32": partial(tagger, frames, mask),
        "torch bf16": bfloat16,
        **{
            f"onnxruntime {arithmetic}": partial(graph, frames, mask)
            for arithmetic, graph in graphs.items()
        },
    }


def _windows(model: str, classes: int, target: str | None, quick: bool) -> list[Row]:
    """Return frames/s of windows at a hop of one frame, each alone and sharing their frames."""
    streams = PICTURES if model == "frame_logistic" else PUBLISHED
    tagger = tagger_of(model, streams, classes, quick=quick)
    number = 12 if quick else AT_ONCE
    (frames,), _ = _batch(tagger, (1, number + WINDOW - 1), "uint8")
    places = torch.arange(number).unsqueeze(1) + torch.arange(WINDOW)
    windows = Windows(frames, places, torch.ones(places.shape, dtype=torch.bool), float(WINDOW))
    ways: dict[str, Callable[[], Tensor]] = {
        "alone": lambda: tagger(*windows.cut()),
        "shared": lambda: window_logits(tagger, windows),
    }
    seconds = _turns(ways)
    with torch.inference_mode():
        off = (ways["alone"]() - ways["shared"]()).abs().max().item()
    name = f"windows of 5 frames at a hop of 1, {model} of {classes} classes"
    times = seconds["alone"] / seconds["shared"]
    details = {"largest_difference_of_a_logit": off}
    return [
        *(figure(f"{name}, {way}", number / each, "frames/s") for way, each in seconds.items()),
        figure(f"{name}, sharing", times, "times", target, details),
    ]


def _batch(tagger: Tagger, shape: tuple[int, int], stored: str) -> tuple[Tensor, Tensor]:
    """Return random frames and the mask of all."""
    width = sum(width for _, width in tagger.streams)
    frames = torch.randint(0, 256, (*shape, width), dtype=torch.uint8)
    if stored == "float32":
        frames = frames.float() / 128 - 1
    return frames, torch.ones(shape, dtype=torch.bool)


def _turns(ways: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Return the median seconds of each way; they take turns, after a round that is not clocked."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    with torch.inference_mode():
        for turn in range(-1, ROUNDS):
            for name, way in ways.items():
                if len(found[name]) and found[name][0] > LONGEST:
                    continue
                begun = time.perf_counter()
                way()
                if turn >= 0:
                    found[name].append(time.perf_counter() - begun)
    return {name: statistics.median(each) for name, each in found.items()}


@contextmanager
def _one_thread() -> Any:  # noqa: ANN401
    """Let torch compute in one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
