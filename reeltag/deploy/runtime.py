"""PyTorch or onnxruntime: which of the two scores a run faster on this CPU.

Both compute the same, to 1e-4 of a probability; which is faster depends on the model, on the
windows (PyTorch shares frames between windows that overlap) and on the CPU. So both are clocked on
one batch like those of the job, where the job is long enough to be worth an export. Predictions
that were interrupted go on with what they began with.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from reeltag.core.batch import FrameBatch
from reeltag.core.console import say
from reeltag.core.errors import ConfigError, ReeltagError
from reeltag.core.extras import check_extra
from reeltag.core.files import scratch_folder
from reeltag.data.dataset import Dataset
from reeltag.data.sampling import WHOLE_FRAMES
from reeltag.inference.predict import weights_digest
from reeltag.inference.scoring import InferenceConfig
from reeltag.predictions.parts import parts_of, settings_in
from reeltag.tagger.sharing import window_logits
from reeltag.tagger.tagger import AnyTagger, Tagger
from reeltag.tagger.windows import Segments, find_windows

Runtime = Literal["auto", "torch", "onnx"]

LONG = 300.0  # seconds of a job in PyTorch from which on an export may pay: it takes 5 to 40
FASTER = 1.2  # times that onnxruntime must be as fast
FEW = 2000  # videos and windows that are not clocked: no job of them is long
VIDEOS, WINDOWS = 16, 256  # that are clocked

Score = Callable[[AnyTagger], object]


@contextmanager
def scored_by(
    runtime: Runtime,
    tagger: AnyTagger,
    data: Dataset,
    choices: InferenceConfig,
    *,
    rows: NDArray[np.int64],
    out: Path | None,
) -> Iterator[AnyTagger]:
    """Yield what scores the videos of a run: its tagger, or a graph of it that is removed later.

    Args:
        runtime: torch; onnx, for which a graph is exported; auto, the faster, which is logged.
        tagger: of the run; another graph stays what it is.
        data: that are scored.
        choices: what is scored, and how.
        rows: of the data's table that are scored.
        out: the prediction file; of an interrupted one, the runtime is kept. None: it is not.

    Raises:
        ConfigError: onnx is wanted of a GPU, of bf16 or of another graph.
        MissingPackageError: onnx is wanted, and the extra `export` is not installed.
        OutputError: the graph that is wanted does not agree with PyTorch.
    """
    possible = isinstance(tagger, Tagger) and choices.precision == "fp32"
    possible = possible and choices.torch_device().type == "cpu"
    if runtime == "onnx" and not possible:
        raise ConfigError("onnxruntime scores a run on a CPU, in fp32", where="--runtime onnx")
    if runtime == "auto":
        begun = None if out is None else settings_in(parts_of(out))
        if begun is not None:
            runtime = "onnx" if begun.get("runtime") == "onnx" else "torch"
    if runtime == "torch" or not isinstance(tagger, Tagger) or not possible:
        yield tagger
        return
    jobs, in_torch = list[tuple[float, Score]](), 0.0
    if runtime == "auto":
        jobs = _jobs(tagger, data.table["frames"].to_numpy()[rows], choices)
        in_torch = _seconds_if_many(tagger, jobs)
        if in_torch < LONG:
            yield tagger
            return
    with scratch_folder() as folder:
        graph = _graph(tagger, data, folder, wanted=runtime == "onnx")
        if runtime == "auto" and graph is not None and not _is_faster(graph, jobs, in_torch):
            graph = None
        yield graph or tagger


def _graph(tagger: Tagger, data: Dataset, folder: Path, *, wanted: bool) -> AnyTagger | None:
    """Return the graph of a tagger; None where none can be made and none is wanted."""
    try:
        check_extra("export")
        from reeltag.deploy.export import export
        from reeltag.deploy.export_config import ExportConfig
        from reeltag.deploy.sources import ExportSource
        from reeltag.tagger.onnx import OnnxTagger

        say("exporting the run for onnxruntime ...")
        names = [name for name, _ in tagger.streams]
        codes = all(each.dtype == "uint8" for each in data.features.of(names).streams)
        source = ExportSource(tagger=tagger, method="run", members=[], prefixes={"": tagger.family})
        config = ExportConfig(max_bytes="100GB", input="uint8" if codes else "float32")
        export(source, folder / "run.onnx", config)
        graph = OnnxTagger(folder / "run.onnx")
    except ReeltagError as error:
        if wanted:
            raise
        say(f"PyTorch scores: onnxruntime cannot be tried ({error.what})")
        return None
    graph.made_of = weights_digest(tagger)
    return graph


def _seconds_if_many(tagger: AnyTagger, jobs: list[tuple[float, Score]]) -> float:
    """Return how long PyTorch takes; 0 for so few batches that they are not clocked."""
    few = sum(number for number, _ in jobs) * VIDEOS < FEW
    return 0.0 if few else seconds_of(tagger, jobs)


def _is_faster(graph: AnyTagger, jobs: list[tuple[float, Score]], in_torch: float) -> bool:
    """Return whether a graph is faster by enough, and log which of both scores.

    Args:
        graph: of the tagger.
        jobs: as of `seconds_of`.
        in_torch: seconds that they take in PyTorch.
    """
    in_graph = seconds_of(graph, jobs)
    is_graph = in_torch >= FASTER * in_graph
    ratio = in_torch / in_graph if is_graph else in_graph / in_torch
    name, other = ("onnxruntime", "PyTorch") if is_graph else ("PyTorch", "onnxruntime")
    say(f"{name} scores: {ratio:.2f} times as fast as {other} (--runtime torch|onnx chooses)")
    return is_graph


def seconds_of(tagger: AnyTagger, jobs: list[tuple[float, Score]]) -> float:
    """Return how long jobs take: numbers of batches, and what scores one of them."""
    total = 0.0
    with torch.inference_mode():
        for number, score in jobs:
            times = []
            for _ in range(2):
                begun = time.perf_counter()
                score(tagger.eval())
                times.append(time.perf_counter() - begun)
            total += number * min(times)
    return total


def _jobs(
    tagger: AnyTagger, lengths: NDArray[np.int64], choices: InferenceConfig
) -> list[tuple[float, Score]]:
    """Return how many batches of random frames are scored of videos of these lengths, and how."""
    jobs: list[tuple[float, Score]] = []
    if not len(lengths):
        return jobs
    rate, policy = tagger.features.rate_hz, choices.policy
    typical, width = int(np.median(lengths)), sum(width for _, width in tagger.streams)
    seen = min(typical, choices.most_frames(tagger.features) or WHOLE_FRAMES)
    stored = all(stream.dtype == "uint8" for stream in tagger.features.streams)

    def some_frames(videos: int, length: int) -> tuple[torch.Tensor, torch.Tensor]:
        frames = torch.randint(0, 256, (videos, length, width), dtype=torch.uint8)
        mask = torch.ones(videos, length, dtype=torch.bool)
        return frames if stored else frames.float() / 128 - 1, mask

    if choices.videos or (choices.segments and policy.uses_videos):
        videos = some_frames(VIDEOS, seen)
        jobs.append((len(lengths) / VIDEOS, lambda scorer: scorer(*videos)))
    times = choices.grid(rate).times(min(typical, WHOLE_FRAMES))[:WINDOWS]
    if choices.segments and not choices.rated and len(times):
        length = min(typical, WHOLE_FRAMES)
        frames, mask = some_frames(1, length)
        windows, _ = find_windows(
            FrameBatch(frames=frames, mask=mask, ids=("a video",)),
            Segments.at([times], [length]),
            rate,
            before=policy.window_before,
            after=policy.window_after,
        )
        count = choices.grid(rate).count(typical) * len(lengths) * len(policy.shifts)
        jobs.append((count / len(times), lambda scorer: window_logits(scorer, windows)))
    return jobs
