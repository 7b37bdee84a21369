"""What a tagger says of one batch: of each video, and of each of its 5-second segments.

The frames are moved to the device once; segments are rows of the same tensor.

Letters in shapes: B videos, T frames, D feature size, S segments of a video, N segments of the
batch, C classes.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reeltag.core.batch import FrameBatch
from reeltag.core.errors import ConfigError, DataError
from reeltag.inference.predictions import Rows
from reeltag.inference.ranking import top_classes

SEGMENT_SECONDS = 5


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What is predicted of each video, and how."""

    videos: bool = True
    """Score whole videos."""
    segments: bool = False
    """Score every 5-second segment of each video."""
    top_k: int = 20
    """Classes kept for a video."""
    segment_top_k: int = 1000
    """Classes kept for a segment."""
    per_class: int = 0
    """Best segments kept for a class (best videos, if no segments are scored), out of what the
    options above keep; 0 keeps all. The challenge of 2019 wants 100000."""
    segment_classes: tuple[int, ...] = ()
    """Classes that segments are scored for; empty means all."""
    drop_head: int = 0
    """Seconds at the head of a video whose segments are left out (nobody rated the first 30)."""
    drop_tail: int = 0
    """Seconds at the tail whose segments are left out, counted from the end of the last, perhaps
    partial segment (nobody rated the last 10)."""
    max_frames: int = 300
    """Seconds, from its beginning, that a whole video is judged by (300 as published and as in
    training); 0 means all. Segments are scored to the end of the video."""
    batch_size: int = 64
    """Videos scored at once; results do not depend on it."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Arithmetic of the large products."""
    device: str = "auto"
    """cpu, cuda, cuda:1, ...; auto takes a GPU where there is one."""

    def __post_init__(self) -> None:
        """Refuse what is out of range with ConfigError."""
        for name in ("top_k", "segment_top_k", "batch_size"):
            _require(getattr(self, name) >= 1, name, getattr(self, name), ">= 1")
        for name in ("per_class", "drop_head", "drop_tail", "max_frames"):
            _require(getattr(self, name) >= 0, name, getattr(self, name), ">= 0")
        if not (self.videos or self.segments):
            raise ConfigError("neither videos nor segments are asked for")

    def torch_device(self) -> torch.device:
        """Return the device that is meant.

        Raises:
            ConfigError: there is no such device.
        """
        name = self.device
        if name == "auto":
            name = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            torch.zeros(1, device=name)
        except (RuntimeError, AssertionError) as error:
            raise ConfigError(f"device {name!r} cannot be used ({error})") from error
        return torch.device(name)


def _require(holds: bool, name: str, value: object, allowed: str) -> None:
    if not holds:
        raise ConfigError(f"{name} must be {allowed}, got {value}")


def segment_starts(num_frames: int, *, drop_head: int = 0, drop_tail: int = 0) -> range:
    """Return the starts, in seconds, of a video's segments; the last one may be partial.

    >>> list(segment_starts(17))
    [0, 5, 10, 15]
    >>> list(segment_starts(17, drop_head=5, drop_tail=10))
    [5]
    """
    step = SEGMENT_SECONDS
    end = -(-num_frames // step) * step - drop_tail
    return range(-(-drop_head // step) * step, end - step + 1, step)


class Scorer:
    """Scores batches with a tagger.

    Args:
        tagger: maps frames (B, T, D) and mask (B, T) to logits (B, C); put into eval mode.
        num_classes: C.
        choices: what is scored, and how.
    """

    def __init__(self, tagger: nn.Module, num_classes: int, choices: Choices) -> None:
        self.choices, self.device = choices, choices.torch_device()
        self.tagger = tagger.to(self.device).eval()
        bad = [c for c in choices.segment_classes if not 0 <= c < num_classes]
        if bad:
            raise ConfigError(f"class {bad[0]} is not one of the checkpoint's {num_classes}")
        chosen = sorted(set(choices.segment_classes)) or list(range(num_classes))
        self._restricted = len(chosen) < num_classes
        self._chosen = torch.tensor(chosen, device=self.device)

    def score(self, batch: FrameBatch) -> tuple[Rows | None, Rows | None]:
        """Return the rows of the videos and those of their segments; None where not asked for.

        Raises:
            DataError: a logit is not a number.
        """
        batch = batch.to(self.device)
        with torch.inference_mode(), self.autocast():
            videos = self._videos(batch) if self.choices.videos else None
            segments = self._segments(batch) if self.choices.segments else None
        return videos, segments

    def autocast(self) -> AbstractContextManager[None]:
        """Return the context of the arithmetic that is asked for."""
        if self.choices.precision == "fp32":
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)

    def _videos(self, batch: FrameBatch) -> Rows:
        seen = slice(None, self.choices.max_frames or None)
        logits_BC = self.tagger(batch.frames[:, seen], batch.mask[:, seen]).float()
        refuse_nan(logits_BC, batch, batch.ids)
        return _rows(batch.ids, None, *top_classes(logits_BC, self.choices.top_k))

    def _segments(self, batch: FrameBatch) -> Rows:
        lengths = batch.mask.sum(dim=1).tolist()
        head, tail = self.choices.drop_head, self.choices.drop_tail
        grid = [segment_starts(n, drop_head=head, drop_tail=tail) for n in lengths]
        ids = [name for name, starts in zip(batch.ids, grid, strict=True) for _ in starts]
        starts = torch.tensor([s for starts in grid for s in starts], dtype=torch.int32)
        k = min(self.choices.segment_top_k, len(self._chosen))
        scores, classes = torch.empty(len(ids), k), torch.empty(len(ids), k, dtype=torch.int64)
        done = 0
        for frames, mask in self._cut(batch, grid):
            logits_NC = self.tagger(frames, mask).float()
            here = slice(done, done + len(frames))
            refuse_nan(logits_NC, batch, ids[here])
            if self._restricted:
                logits_NC = logits_NC.index_select(1, self._chosen)
            best, column = top_classes(logits_NC, k)
            scores[here], classes[here] = best.cpu(), self._chosen[column].cpu()
            done += len(frames)
        return _rows(ids, starts, scores, classes)

    def _cut(self, batch: FrameBatch, grid: list[range]) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield frames (n, 5, D) and mask (n, 5), video by video, a bounded number at a time."""
        missing = -batch.frames.shape[1] % SEGMENT_SECONDS
        frames = F.pad(batch.frames, (0, 0, 0, missing)) if missing else batch.frames
        mask = F.pad(batch.mask, (0, missing)) if missing else batch.mask
        a_video = frames.shape[1] // SEGMENT_SECONDS
        frames = frames.reshape(-1, SEGMENT_SECONDS, frames.shape[2])
        mask = mask.reshape(-1, SEGMENT_SECONDS)
        wanted = [
            video * a_video + start // SEGMENT_SECONDS
            for video, starts in enumerate(grid)
            for start in starts
        ]
        if not wanted:
            return
        for some in torch.tensor(wanted, device=self.device).split(4 * self.choices.batch_size):
            yield frames[some], mask[some]


def _rows(ids: Sequence[str], starts: Tensor | None, *best: Tensor) -> Rows:
    scores, classes = (tensor.cpu() for tensor in best)
    return Rows.of_matrix(
        ids,
        None if starts is None else starts.numpy(),
        classes.numpy().astype(np.int32),
        scores.numpy(),
    )


def refuse_nan(logits_NC: Tensor, batch: FrameBatch, ids: Sequence[str]) -> None:
    """Raise DataError where a logit is not a number; `ids` (N,) are the videos of the rows."""
    bad = logits_NC.isnan().any(dim=1)
    if not bad.any():
        return
    names = list(dict.fromkeys(ids[i] for i in bad.nonzero().flatten().tolist()))
    shown = ", ".join(map(repr, names[:5])) + (", ..." if len(names) > 5 else "")
    sound = bool(batch.frames[batch.mask].isfinite().all())
    cause = "the features are sound" if sound else "features hold NaN or infinity"
    raise DataError(
        f"the tagger's answer is not a number; {cause}",
        where=f"video {shown}",
        hint="Look at the checkpoint: its training may have diverged."
        if sound
        else "Mend or remove these records; `reeltag info DATA` lists broken ones.",
    )
