"""Checks that a graph agrees with PyTorch: on random input, and by its score on data."""

import tempfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from reeltag.core.errors import OutputError
from reeltag.data.dataset import Dataset
from reeltag.data.splits import PUBLISHED_SPLITS, Split
from reeltag.deploy.budget import Precision
from reeltag.evaluation.config import EvaluationConfig
from reeltag.evaluation.scores import evaluate
from reeltag.inference.predict import predict
from reeltag.inference.scoring import InferenceConfig
from reeltag.tagger.onnx import OnnxTagger
from reeltag.tagger.tagger import AnyTagger

TOLERANCE = 1e-4  # of a probability, in fp32: sums in another order differ by some 1e-6
GAP_TOP_K = 20


def max_probability_difference(tagger: AnyTagger, graph: OnnxTagger, precision: Precision) -> float:
    """Return the largest difference of a probability between a graph and PyTorch.

    Two batches of random frames of other sizes than the graph was traced with, with padding.

    Raises OutputError if it is above 1e-4 in fp32, the graph's output is not finite, or its best
    classes are not those of its logits. In a lower precision weights are rounded, and any
    difference is allowed.
    """
    worst, width = 0.0, sum(width for _, width in tagger.streams)
    rng = np.random.default_rng(0)
    floats = graph.about["input"] == "float32"
    batches = ((4, 1), (1, 1)) if floats else ((4, 37), (1, 300))
    for videos, length in batches:
        mask = torch.arange(length) < torch.tensor([[length], [20], [5], [1]])[:videos]
        shape = videos, length, width
        values = (
            rng.normal(size=shape).astype("f4")
            if floats
            else rng.integers(256, size=shape, dtype="u1")
        )
        frames = torch.from_numpy(values)
        with torch.inference_mode():
            expected, found = tagger.eval()(frames, mask).float(), graph(frames, mask)
        classes, probs = graph.best(frames, mask)
        best = found.gather(1, classes).sigmoid()
        if not found.isfinite().all() or not torch.allclose(best, probs, atol=1e-6):
            raise OutputError(
                "the output of the graph is not finite, or not that of its best classes"
            )
        worst = max(worst, float((expected.sigmoid() - found.sigmoid()).abs().max()))
    if precision == "fp32" and worst > TOLERANCE:
        raise OutputError(
            f"the graph does not agree with PyTorch: a probability differs by {worst:.2g}; "
            f"allowed: {TOLERANCE:g}. Nothing was written",
            hint="Please report it with the command and the model's config.json.",
        )
    return worst


def gap_before_and_after(
    tagger: AnyTagger,
    graph: Path,
    data: Dataset,
    *,
    split: Split,
    videos: int = 0,
) -> dict[str, float | None]:
    """Return GAP@20 of the tagger in PyTorch (`gap_before`) and of its graph (`gap_after`).

    The third entry is the number of `videos`. The scores are None where none of them has a label.

    Args:
        tagger: as it was exported.
        graph: the file.
        data: with labels.
        split: which shards.
        videos: of the split, drawn at random; 0 = all.

    Raises:
        ConfigError: the data do not fit, or the split is empty.
    """
    rows = _sample(data, split, videos)
    config, whole = InferenceConfig(top_k=GAP_TOP_K), data.with_splits(PUBLISHED_SPLITS)
    found: dict[str, float | None] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, scored in (("gap_before", tagger), ("gap_after", OnnxTagger(graph))):
            out = Path(folder, name + ".parquet")
            done = predict(scored, data, out, config, split=split, rows=rows)
            found[name] = evaluate(out, whole, EvaluationConfig(bootstrap=0), quiet=True)["gap@20"]
            found["videos"] = done.videos
    return found


def _sample(data: Dataset, split: Split, videos: int) -> NDArray[np.bool_] | None:
    """Return which rows of the table are scored, (R,) bool; None for all."""
    available = data.rows(split)
    if not videos or videos >= len(available):
        return None
    rows = np.zeros(len(data), np.bool_)
    rows[np.random.default_rng(0).choice(available, videos, replace=False)] = True
    return rows
