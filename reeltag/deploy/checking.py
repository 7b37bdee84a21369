"""Checks that a graph agrees with PyTorch: on random input, and by its score on data."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reeltag.core.errors import OutputError
from reeltag.core.files import scratch_folder
from reeltag.data.dataset import Dataset
from reeltag.data.splits import PUBLISHED_SPLITS, Split
from reeltag.deploy.budget import Precision
from reeltag.deploy.combined import BlendedTagger
from reeltag.deploy.graph import MEMBERS
from reeltag.evaluation.config import EvaluationConfig
from reeltag.evaluation.scores import evaluate
from reeltag.inference.predict import predict
from reeltag.inference.scoring import InferenceConfig
from reeltag.tagger.onnx import OnnxTagger
from reeltag.tagger.tagger import AnyTagger

EXACT = 1e-4  # of a probability, in fp32: sums in another order differ by some 1e-6
TOLERANCE: Mapping[Precision | Literal["int8"], float] = {
    "fp32": EXACT,
    "fp16": 0.01,
    "uint8": 0.05,
    "int8": 0.05,
}
"""Largest difference of a probability that is right. Rounding the weights of trained models moves
one by 0.001 in uint8 (results/bench_export.json, results/deployable.json), and that of small random
networks by 0.03; in fp16 by a tenth of it. What moves one further is no rounding, or weights that
256 numbers do not hold.
"""
GAP_TOP_K = 20


class GraphDifference(NamedTuple):
    """How far a graph is from PyTorch on random frames.

    Attributes:
        of_graph: largest difference of a probability. Of a blend, of the mean in which all classes
            count: where a rounded weight moves a class across the end of a member's list, one side
            counts it and the other does not, which says nothing about the weights.
        of_files: largest difference of a probability between the blend, in PyTorch, and the same
            blend of prediction files; 0 where they are the same.
    """

    of_graph: float
    of_files: float


def compare_with_torch(
    tagger: AnyTagger,
    graph: OnnxTagger,
    tolerance: float = EXACT,
    of_files: BlendedTagger | None = None,
) -> GraphDifference:
    """Return how far a graph is from PyTorch on two batches of random frames, with padding.

    Args:
        tagger: that was exported.
        graph: with the output `MEMBERS` where `tagger` is a blend.
        tolerance: largest difference of a probability that is right.
        of_files: the blend as it is of prediction files, where that is another one.

    Raises:
        OutputError: a probability differs by more; or the graph's output is not finite, or is not
            that of its members, or its best classes are not those of its logits.
    """
    worst = GraphDifference(0.0, 0.0)
    for frames, mask in _random_batches(tagger, graph):
        with torch.inference_mode():
            found = graph(frames, mask)
            _check_output(graph, found, frames, mask)
            if isinstance(tagger, BlendedTagger):
                of_members = tagger.eval().member_logits(frames, mask)
                (of_graph,) = graph.outputs([MEMBERS], frames, mask)
                _check(found, tagger.blend(of_graph), EXACT)
                found, expected = tagger.mean(of_graph), tagger.mean(of_members)
                far = _largest(tagger.blend(of_members), of_files, of_members)
            else:
                expected, far = tagger.eval()(frames, mask).float(), 0.0
        worst = GraphDifference(
            max(worst.of_graph, _check(found, expected, tolerance)), max(worst.of_files, far)
        )
    return worst


def _random_batches(tagger: AnyTagger, graph: OnnxTagger) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield frames and mask, of other sizes than a graph is traced with."""
    rng, width = np.random.default_rng(0), sum(width for _, width in tagger.streams)
    floats = graph.about["input"] == "float32"
    for videos, length in ((4, 1), (1, 1)) if floats else ((4, 37), (1, 300)):
        mask = torch.arange(length) < torch.tensor([[length], [20], [5], [1]])[:videos]
        shape = videos, length, width
        if floats:
            yield torch.from_numpy(rng.normal(size=shape).astype("f4")), mask
        else:
            yield torch.from_numpy(rng.integers(256, size=shape, dtype="u1")), mask


def _check_output(graph: OnnxTagger, found: Tensor, frames: Tensor, mask: Tensor) -> None:
    """Raise OutputError where logits are not finite, or the best classes are not theirs."""
    classes, probs = graph.best(frames, mask)
    best = found.gather(1, classes).sigmoid()
    if not found.isfinite().all() or not torch.allclose(best, probs, atol=1e-6):
        raise OutputError("the output of the graph is not finite, or not that of its best classes")


def _check(found: Tensor, expected: Tensor, tolerance: float) -> float:
    """Return the largest difference of a probability; OutputError where it is above `tolerance`."""
    worst = float((expected.sigmoid() - found.sigmoid()).abs().max())
    if worst > tolerance:
        raise OutputError(
            f"the graph does not agree with PyTorch: a probability differs by {worst:.2g}; "
            f"allowed: {tolerance:g}. Nothing was written",
            hint="Please report it with the command and the model's config.json."
            if tolerance <= EXACT
            else "Round less: --codebook kmeans, --precision fp16 or fp32, --arithmetic fp32. "
            "Or allow it, with --tolerance.",
        )
    return worst


def _largest(logits: Tensor, of_files: BlendedTagger | None, of_members: Tensor) -> float:
    """Return the largest difference of a probability from that of the blend of files."""
    if of_files is None:
        return 0.0
    return float((logits.sigmoid() - of_files.blend(of_members).sigmoid()).abs().max())


def gap_before_and_after(
    tagger: AnyTagger,
    graph: Path,
    data: Dataset,
    *,
    split: Split,
    videos: int = 0,
    of_files: AnyTagger | None = None,
) -> dict[str, float | None]:
    """Return GAP@20 of the tagger in PyTorch (`gap_before`) and of its graph (`gap_after`).

    `gap_of_files` is that of `of_files`, where given. The last entry is the number of `videos`. The
    scores are None where none of them has a label.

    Args:
        tagger: as it was exported.
        graph: the file.
        data: with labels.
        split: which shards.
        videos: of the split, drawn at random; 0 = all.
        of_files: the blend as it is of prediction files, where that is another one.

    Raises:
        ConfigError: the data do not fit, or the split is empty.
    """
    rows = _sample(data, split, videos)
    config, whole = InferenceConfig(top_k=GAP_TOP_K), data.with_splits(PUBLISHED_SPLITS)
    found: dict[str, float | None] = {}
    with scratch_folder() as folder:
        taggers = {"gap_before": tagger, "gap_after": OnnxTagger(graph)}
        for name, scored in (taggers | ({"gap_of_files": of_files} if of_files else {})).items():
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
