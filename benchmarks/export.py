"""How fast an exported NeXtVLAD predicts: onnxruntime next to PyTorch, on the CPU.

The published sizes (8 groups, 128 clusters, 3,862 classes), 300 frames of raw bytes per video, the
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

import torch

from benchmarks.figure import figure
from benchmarks.results import Row
from reeltag.deploy.export import export
from reeltag.deploy.export_config import ExportConfig
from reeltag.deploy.graph import input_of
from reeltag.deploy.sources import ExportSource
from reeltag.models import nextvlad
from reeltag.tagger.onnx import OnnxTagger
from reeltag.tagger.tagger import Tagger

STREAMS = (("rgb", 1024), ("audio", 128))
TOP_K, ROUNDS = 20, 7


def run(quick: bool) -> list[Row]:
    """Return the figures: videos/s of both, batch by batch, and the size by precision."""
    config = nextvlad.TINY if quick else nextvlad.Config()
    streams = (("rgb", 6), ("audio", 2)) if quick else STREAMS
    torch.manual_seed(0)
    names = [f"class {number}" for number in range(config.num_classes)]
    tagger = Tagger(config, streams, names).eval()
    source = ExportSource(tagger=tagger, method="run", members=[], prefixes={"": "nextvlad"})
    assert input_of(tagger) == "uint8"
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        graphs = {}
        for precision in ("fp32", "fp16", "uint8"):
            graphs[precision] = Path(folder, f"{precision}.onnx")
            about = export(source, graphs[precision], ExportConfig(precision=precision))
            off = about["max_difference"]
            rows += [
                figure(f"size in {precision}", about["bytes"] / 1e6, "MB"),
                figure(f"largest difference, {precision}", off, "probability"),
            ]
        graph = OnnxTagger(graphs["fp32"])
        for videos in (2,) if quick else (1, 16):
            rows += _compared(tagger, graph, videos, 5 if quick else 300)
    return rows


def _compared(tagger: Tagger, graph: OnnxTagger, videos: int, length: int) -> list[Row]:
    """Return videos/s of both on one batch, medians, and how many times as fast the graph is."""
    width = sum(width for _, width in tagger.streams)
    frames = torch.randint(0, 256, (videos, length, width), dtype=torch.uint8)
    mask = torch.ones(videos, length, dtype=torch.bool)

    def torch_predicts() -> None:
        best = tagger(frames, mask).float().topk(min(TOP_K, tagger.num_classes))
        best.values.sigmoid()

    def graph_predicts() -> None:
        graph.best(frames, mask)

    seconds: dict[Callable[[], None], list[float]] = {torch_predicts: [], graph_predicts: []}
    with torch.inference_mode():
        for turn in range(-2, ROUNDS):
            for predict, times in seconds.items():
                begun = time.perf_counter()
                predict()
                if turn >= 0:
                    times.append(time.perf_counter() - begun)
    ours, theirs = (statistics.median(seconds[each]) for each in (graph_predicts, torch_predicts))
    where = f"{videos} x {length} frames, {torch.get_num_threads()} threads"
    load = round(os.getloadavg()[0], 1)
    return [
        figure(f"onnxruntime, {where}", videos / ours, "videos/s"),
        figure(f"PyTorch, {where}", videos / theirs, "videos/s"),
        figure(
            f"onnxruntime over PyTorch, {where}", theirs / ours, "times", ">= 1", {"load": load}
        ),
    ]
