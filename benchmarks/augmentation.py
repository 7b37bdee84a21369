"""What each augmentation of a batch adds to a NeXtVLAD step, in percent of it.

The step, of the published size (80 videos of 300 frames, 1024 + 128), is timed in turns with the
preparation of its batch: plain, and with each augmentation alone. What an augmentation costs is the
difference between the two preparations, so that frames it drops do not count in its favour.
"""

import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from benchmarks.figure import figure
from benchmarks.models import has_bfloat16
from benchmarks.results import Row
from benchmarks.update import update
from reeltag.augment.config import AugmentConfig
from reeltag.core.batch import FrameBatch
from reeltag.core.system.allocator import keep_freed_memory
from reeltag.models import nextvlad
from reeltag.tagger.tagger import Tagger
from reeltag.training.augmenting import Augmented
from reeltag.training.config import Optimisation
from reeltag.training.optimiser import make_optimiser

TARGET = "< 3 %"
STREAMS = (("rgb", 1024), ("audio", 128))
CONFIGS = {
    "mixup": AugmentConfig(mixup=0.4),
    "mixup, per sample": AugmentConfig(mixup=0.4, mixup_per="sample"),
    "mixup, batch before": AugmentConfig(mixup=0.4, mixup_partner="previous"),
    "mixup, after the norm": AugmentConfig(mixup=0.4, mixup_space="normalised"),
    "noise": AugmentConfig(noise=0.1),
    "noise, per frame": AugmentConfig(noise=0.1, noise_per="frame"),
    "noise, absolute": AugmentConfig(noise=0.03, noise_scale="absolute"),
    "frame drop": AugmentConfig(frame_drop=0.2),
    "similar frames": AugmentConfig(similar_frames=0.95),
    "stream dropout": AugmentConfig(stream_dropout=0.2),
}
Preparation = Callable[[], Tensor]


def run(quick: bool) -> list[Row]:
    """Return the seconds of a step, and what each augmentation adds, in percent."""
    keep_freed_memory()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    batch, tagger = _batch(quick).to(device), _tagger(quick).to(device).train()
    step = _step(batch, tagger)
    plain = _preparation(batch, tagger, None)
    ways = {name: _preparation(batch, tagger, config) for name, config in CONFIGS.items()}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    steps, extra = [], {name: list[float]() for name in ways}
    for turn in range(3 if quick else 9):
        steps.append(_time(step))
        for name, prepare in ways.items():
            # plain and varied next to each other, so that both have the same machine
            without, with_it = _time(plain), _time(prepare)
            if turn:  # the first turn warms up
                seconds[name].append(with_it)
                extra[name].append(with_it - without)
    a_step = statistics.median(steps[1:])
    added = (
        figure(
            name,
            round(100 * statistics.median(extra[name]) / a_step, 2),
            "%",
            TARGET,
            {
                "added_ms": [round(1000 * value, 2) for value in extra[name]],
                "preparation_ms": [round(1000 * value, 2) for value in seconds[name]],
            },
        )
        for name in ways
    )
    return [figure(f"nextvlad step, {len(batch)} videos", round(a_step, 4), "s"), *added]


def _batch(quick: bool) -> FrameBatch:
    num_videos, num_frames, num_classes = (8, 60, 3862) if quick else (80, 300, 3862)
    rng = torch.Generator().manual_seed(0)
    shape = (num_videos, num_frames, sum(width for _, width in STREAMS))
    return FrameBatch(
        frames=torch.randint(0, 256, shape, dtype=torch.uint8, generator=rng),
        mask=torch.ones(shape[:2], dtype=torch.bool),
        labels=(torch.rand((num_videos, num_classes), generator=rng) < 1e-3).float(),
        weights=torch.ones((num_videos, num_classes)),
    )


def _tagger(quick: bool) -> Tagger:
    torch.manual_seed(0)
    config = nextvlad.Config(num_clusters=8, hidden=64) if quick else nextvlad.Config()
    names = [str(c) for c in range(config.num_classes)]
    return Tagger(config, STREAMS, names)


def _autocast(batch: FrameBatch) -> torch.autocast:
    device = batch.frames.device.type
    return torch.autocast(device, torch.bfloat16, enabled=device == "cuda" or has_bfloat16())


def _step(batch: FrameBatch, tagger: Tagger) -> Callable[[], None]:
    optimiser = make_optimiser(tagger.parameters(), Optimisation())

    def step() -> None:
        update(tagger, optimiser, batch, _autocast(batch))

    return step


def _preparation(batch: FrameBatch, tagger: Tagger, config: AugmentConfig | None) -> Preparation:
    """Return what turns the batch into what the model reads, with or without augmentation."""
    if config is None:

        def plain() -> Tensor:
            with _autocast(batch):
                features_BTD: Tensor = tagger.prepare(batch.frames, batch.mask)
            return features_BTD

        return plain

    def read(varied: FrameBatch, model: nn.Module) -> tuple[Tensor, dict[str, Tensor]]:
        return varied.frames, {}

    objective = Augmented(read, config)

    def prepare() -> Tensor:
        with _autocast(batch):
            return objective(batch, tagger)[0]

    return prepare


def _time(act: Callable[[], object]) -> float:
    """Return the seconds that `act` takes, on a GPU until its work is done."""
    _wait()
    began = time.perf_counter()
    act()
    _wait()
    return time.perf_counter() - began


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
