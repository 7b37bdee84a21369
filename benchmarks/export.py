"""How fast an exported NeXtVLAD answers: onnxruntime beside PyTorch, on the CPU.

The published sizes (8 groups, 128 clusters, 3,862 classes), 300 frames of raw bytes a video, the
same threads; the two take turns, so that whatever else runs hits both. Both give what the graph
gives: the 20 best classes and their probabilities.
    python -m benchmarks export [--quick]
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from reeltag.deploy.export import ExportConfig, export
from reeltag.deploy.graph import input_of
from reeltag.deploy.sources import Source
from reeltag.models import nextvlad
from reeltag.tagger.onnx import OnnxTagger
from reeltag.tagger.tagger import Tagger

STREAMS = (("rgb", 1024), ("audio", 128))
TOP_K, ROUNDS = 20, 7


def run(quick: bool) -> list[dict[str, Any]]:
    """Return the figures: videos/s of both, batch by batch, and the size by precision."""
    config = nextvlad.TINY if quick else nextvlad.Config()
    streams = (("rgb", 6), ("audio", 2)) if quick else STREAMS
    torch.manual_seed(0)
    names = [f"class {number}" for number in range(config.num_classes)]
    tagger = Tagger("nextvlad", config, nextvlad.PREPROCESSING, streams, names).eval()
    source = Source(tagger=tagger, method="run", members=[], prefixes={"": "nextvlad"})
    assert input_of(tagger) == "uint8"
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        graphs = {}
        for precision in ("fp32", "fp16", "uint8"):
            graphs[precision] = Path(folder, f"{precision}.onnx")
            answer = export(source, graphs[precision], ExportConfig(precision=precision))
            figures += [
                _figure(f"size in {precision}", answer["bytes"] / 1e6, "MB"),
                _figure(
                    f"largest difference, {precision}", answer["max_difference"], "probability"
                ),
            ]
        graph = OnnxTagger(graphs["fp32"])
        for videos in (2,) if quick else (1, 16):
            figures += _compared(tagger, graph, videos, 5 if quick else 300)
    return figures


def _compared(tagger: Tagger, graph: OnnxTagger, videos: int, length: int) -> list[dict[str, Any]]:
    """Return videos/s of both on one batch, medians, and how many times as fast the graph is."""
    width = sum(width for _, width in tagger.streams)
    frames = torch.randint(0, 256, (videos, length, width), dtype=torch.uint8)
    mask = torch.ones(videos, length, dtype=torch.bool)

    def torch_answers() -> None:
        best = tagger(frames, mask).float().topk(min(TOP_K, tagger.num_classes))
        best.values.sigmoid()

    def graph_answers() -> None:
        graph.best(frames, mask)

    seconds: dict[Callable[[], None], list[float]] = {torch_answers: [], graph_answers: []}
    with torch.inference_mode():
        for turn in range(-2, ROUNDS):
            for answers, times in seconds.items():
                begun = time.perf_counter()
                answers()
                if turn >= 0:
                    times.append(time.perf_counter() - begun)
    ours, theirs = (statistics.median(seconds[each]) for each in (graph_answers, torch_answers))
    where = f"{videos} x {length} frames, {torch.get_num_threads()} threads"
    load = round(os.getloadavg()[0], 1)
    return [
        _figure(f"onnxruntime, {where}", videos / ours, "videos/s"),
        _figure(f"PyTorch, {where}", videos / theirs, "videos/s"),
        {
            **_figure(f"onnxruntime over PyTorch, {where}", theirs / ours, "times"),
            "bar": 1.0,
            "met": theirs >= ours,
            "load": load,
        },
    ]


def _figure(name: str, value: float, unit: str) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": unit}
