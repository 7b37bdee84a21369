"""A tagger's scores of one batch: of each video, and of each of its 5-second segments.

The frames are moved to the device once; segments are rows of the same tensor.

Letters in shapes: B videos, N segments of the batch, C classes, K classes that segments are scored
for.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from reeltag.core.batch import FrameBatch
from reeltag.core.bounds import Amount, CheckedFields, NotNegative, Positive, Rate
from reeltag.core.devices import torch_device
from reeltag.core.errors import ConfigError, DataError
from reeltag.core.fields import ADDED, default_was
from reeltag.core.probability import MeanLogits, fused_logits
from reeltag.core.sparse import indptr_of
from reeltag.data.blank_videos import BlankRule
from reeltag.data.features import PUBLISHED_FRAMES, Features
from reeltag.inference.policy import SegmentPolicy
from reeltag.inference.video_scores import VideoScores
from reeltag.inference.windows import SEGMENT_SECONDS, Grid
from reeltag.predictions.rows import WHOLE_VIDEO, PredictionRows
from reeltag.predictions.top_k import top_classes
from reeltag.tagger.sharing import window_logits
from reeltag.tagger.tagger import AnyTagger
from reeltag.tagger.windows import LongVideo, Segments, find_windows, video_lengths

__all__ = ["SEGMENT_SECONDS", "InferenceConfig", "Scorer", "check_no_nan"]


@dataclass(frozen=True, kw_only=True)
class InferenceConfig(CheckedFields):
    """What is predicted for each video, and how."""

    videos: bool = True
    """Score whole videos."""
    segments: bool = False
    """Score every segment of each video."""
    length: Rate = field(default=5.0, metadata=ADDED)
    """Seconds of a segment (5 as published)."""
    hop: Rate = field(default=5.0, metadata=ADDED)
    """Seconds from the beginning of one segment to that of the next."""
    rated: bool = field(default=False, metadata=ADDED)
    """Score exactly the windows that are rated, in place of all segments."""
    top_k: Positive = 20
    """Classes kept for a video."""
    segment_top_k: Positive = 1000
    """Classes kept for a segment."""
    per_class: NotNegative = 0
    """Best segments kept for a class (best videos, if no segments are scored), out of what the
    options above keep; 0 keeps all. The challenge of 2019 wants 100000."""
    segment_classes: tuple[int, ...] = ()
    """Classes that segments are scored for; empty means all."""
    policy: SegmentPolicy = field(default_factory=SegmentPolicy)
    """How segments are scored."""
    max_frames: NotNegative | None = field(default=None, metadata=default_was(300))
    """Frames, from its beginning, that a whole video is scored by; 0 means all, of a video of more
    than 12,000 as many that are spread over its length. None: 300 of features as YouTube-8M
    published them, all of others. Segments are scored to the end of the video."""
    blank_std: Amount = 0.0
    """Videos whose mean rgb frame has at most this standard deviation are not scored: they get a
    row without classes, and no segments. 0 scores all; 0.1 finds the 576,949 of YouTube-8M's test
    videos that are none."""
    batch_size: Positive = 64
    """Videos scored at once; scores depend on it in their last bits alone (1e-5)."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Arithmetic of the large products."""
    device: str = "auto"
    """cpu, cuda, cuda:1, ...; auto takes a GPU where there is one."""

    def check(self) -> None:
        """Raise ConfigError where nothing is scored, or a policy has no segments."""
        if not (self.videos or self.segments):
            raise ConfigError("neither videos nor segments are to be scored")
        if self.rated and not self.segments:
            raise ConfigError("rated windows are segments", hint="Add --segments.")
        if self.rated and (self.policy.skip_head or self.policy.skip_tail):
            raise ConfigError(
                "the rated windows are scored, wherever they are: skip_head and skip_tail have no "
                "effect",
                hint="Leave out --rated, or these two.",
            )
        if not self.segments and self.policy != SegmentPolicy():
            raise ConfigError(
                "what applies to segments (head, tail, candidates, powers, window, shifts) has no "
                "effect on videos",
                hint="Add --segments.",
            )

    def most_frames(self, features: Features | None) -> int:
        """Return by how many frames a whole video is scored; 0 = by all."""
        if self.max_frames is not None:
            return self.max_frames
        return features.most_frames if features else PUBLISHED_FRAMES

    def grid(self, rate: float) -> Grid:
        """Return which segments are scored of videos of `rate` frames/s."""
        head, tail = self.policy.skip_head, self.policy.skip_tail
        return Grid(self.length, self.hop, head, tail, rate)

    def torch_device(self) -> torch.device:
        """Return the device.

        Raises:
            ConfigError: there is no such device.
        """
        return torch_device(self.device)

    def device_name(self) -> str:
        """Return the name of the device, as files of scores keep it: cpu, or cuda (NVIDIA H200).

        Raises:
            ConfigError: there is no such device.
        """
        device = self.torch_device()
        if device.type != "cuda":
            return device.type
        return f"cuda ({torch.cuda.get_device_name(device)})"


class Scorer:
    """Scores batches with a tagger.

    Args:
        tagger: maps frames (B, T, D) and mask (B, T) to logits (B, C); put into eval mode.
        num_classes: C.
        choices: what is scored, and how.
        video_scores: source of candidates and fusion; None = the same tagger's.
        pool: classes that candidates are taken from; empty = those that segments are scored for.
        blank: the rule by which videos are not scored; None scores all.
        rated: id of a video -> (n, 2) the windows of it that are scored as its segments; None:
            those of the grid of `choices`.

    Attributes:
        num_blank: videos that were not scored.
    """

    def __init__(
        self,
        tagger: nn.Module,
        num_classes: int,
        choices: InferenceConfig,
        *,
        video_scores: VideoScores | None = None,
        pool: Sequence[int] = (),
        blank: BlankRule | None = None,
        rated: Mapping[str, NDArray[np.float64]] | None = None,
    ) -> None:
        self.blank, self.num_blank = blank, 0
        features = tagger.features if isinstance(tagger, AnyTagger) else None
        self._rate = features.rate_hz if features else 1.0
        self._most_frames = choices.most_frames(features)
        self._grid, self._rated = choices.grid(self._rate), rated
        self.choices, self.device = choices, choices.torch_device()
        self.tagger = tagger.to(self.device).eval()
        self._video_scores, self._num_classes = video_scores, num_classes
        bad = [c for c in (*choices.segment_classes, *pool) if not 0 <= c < num_classes]
        if bad:
            raise ConfigError(f"class {bad[0]} is not one of the checkpoint's {num_classes}")
        chosen = sorted(set(choices.segment_classes)) or list(range(num_classes))
        self._restricted = len(chosen) < num_classes
        self._chosen = torch.tensor(chosen, device=self.device)
        self._pool = torch.tensor(sorted(set(pool)), device=self.device) if pool else self._chosen

    def score(
        self, batch: FrameBatch, floors: NDArray[np.float32] | None = None
    ) -> tuple[PredictionRows | None, PredictionRows | None]:
        """Return the rows of the videos and those of their segments; None where not scored.

        Args:
            batch: of videos.
            floors: (C,) lower scores will be dropped from the rows of segments, and need not be
                ranked. Ranking the 1000 classes of a segment takes 50 us of a CPU, and of a long
                stream few are among the best of their class.

        Raises:
            DataError: a logit is not a number.
        """
        videos: PredictionRows | None = None
        parts = []
        for of_videos, of_segments in self.score_parts(batch, floors):
            videos = videos if of_videos is None else of_videos
            parts += [] if of_segments is None else [of_segments]
        return videos, PredictionRows.concatenate(parts) if parts else None

    def score_parts(
        self, batch: FrameBatch, floors: NDArray[np.float32] | None = None
    ) -> Iterator[tuple[PredictionRows | None, PredictionRows | None]]:
        """Yield what `score` returns in parts, so that the rows of a long video need no memory.

        Args:
            batch: of videos.
            floors: as of `score`.

        Raises:
            DataError: a logit is not a number.
        """
        is_blank = None if self.blank is None else self.blank.find(batch)
        if is_blank is None or not is_blank.any():
            yield from self._score(batch, floors)
            return
        self.num_blank += int(is_blank.sum())
        sound = iter(()) if is_blank.all() else self._score(_select(batch, ~is_blank), floors)
        videos, segments = next(sound, (None, None))
        empty = _with_empty(videos, batch.ids, is_blank) if self.choices.videos else None
        yield empty, segments
        yield from sound

    def _score(
        self, batch: FrameBatch, floors: NDArray[np.float32] | None
    ) -> Iterator[tuple[PredictionRows | None, PredictionRows | None]]:
        """Score all videos of a batch; what comes first holds the rows of the videos."""
        batch = batch.to(self.device)
        uses_videos = self.choices.segments and self.choices.policy.uses_videos
        with torch.inference_mode(), self.autocast():
            videos_BC = videos = None
            if self.choices.videos or (uses_videos and self._video_scores is None):
                videos_BC = self._video_logits(batch)
            if self.choices.videos and videos_BC is not None:
                best = top_classes(videos_BC, self.choices.top_k)
                videos = _rows(batch.ids, None, *best)
            if uses_videos and self._video_scores is not None:
                videos_BC = self._video_scores.logits(batch)
                check_no_nan(videos_BC, batch, batch.ids)
        if not self.choices.segments:
            yield videos, None
            return
        parts = self._segments(batch, videos_BC if uses_videos else None, floors)
        if not isinstance(batch, LongVideo):
            with torch.inference_mode(), self.autocast():
                segments = PredictionRows.concatenate(parts)
            yield videos, segments
            return
        yield videos, None
        while True:
            with torch.inference_mode(), self.autocast():  # not while others run
                rows = next(parts, None)
            if rows is None:
                return
            yield None, rows

    def autocast(self) -> AbstractContextManager[None]:
        """Return the context of the configured arithmetic."""
        if self.choices.precision == "fp32":
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)

    def _video_logits(self, batch: FrameBatch) -> Tensor:
        """Return (B, C)."""
        seen = slice(None, self._most_frames or None)
        logits_BC: Tensor = self.tagger(batch.frames[:, seen], batch.mask[:, seen]).float()
        check_no_nan(logits_BC, batch, batch.ids)
        return logits_BC

    def _segments(
        self,
        batch: FrameBatch,
        videos_BC: Tensor | None,
        floors: NDArray[np.float32] | None,
    ) -> Iterator[PredictionRows]:
        """Yield the rows of the segments, with candidates and fusion by the scores of videos."""
        policy = self.choices.policy
        lengths = video_lengths(batch)
        has_candidate = None
        k = min(self.choices.segment_top_k, len(self._chosen))
        videos_BK = None if videos_BC is None else self._candidates(videos_BC)
        floor_K = None
        if videos_BK is not None:
            wanted_BK = videos_BK > -torch.inf
            has_candidate = wanted_BK.any(dim=1).tolist()
            k = min(k, int(wanted_BK.sum(dim=1).max()))
        elif floors is not None and k == len(self._chosen):  # else the cut at k comes first
            floor_K = torch.from_numpy(floors).to(self.device)[self._chosen]
        times = [self._times(name, length) for name, length in zip(batch.ids, lengths, strict=True)]
        for at, has_any in enumerate(has_candidate or ()):
            times[at] = times[at] if has_any else times[at][:0]
        segments = Segments.at(times, lengths)
        ids = [batch.ids[video] for video in segments.video.tolist()]
        margin = policy.window_before + policy.window_after
        for here in segments.parts(4 * self.choices.batch_size, self._rate, margin=margin):
            part = segments.part(here)
            logits_NK = self._segment_logits(batch, part, ids[here])
            if videos_BK is not None:
                logits_NK = _fused(videos_BK[torch.from_numpy(part.video)], logits_NK, policy)
            if floor_K is not None:
                may_stay_NK = logits_NK >= floor_K
                logits_NK = logits_NK.where(may_stay_NK, -torch.inf)
                k = int(may_stay_NK.sum(dim=1).max())
            best, column = top_classes(logits_NK, k)
            rows = _rows(ids[here], part.times, best, self._chosen[column])
            if videos_BK is not None or floor_K is not None:
                rows = rows.keep((best > -torch.inf).cpu().flatten().numpy()).without_empty()
            yield rows

    def _times(self, video: str, num_frames: int) -> NDArray[np.float64]:
        """Return (n, 2) the seconds of the segments of a video that are scored."""
        if self._rated is None:
            return self._grid.times(num_frames)
        return self._rated.get(video, np.zeros((0, 2)))

    def _segment_logits(self, batch: FrameBatch, part: Segments, ids: Sequence[str]) -> Tensor:
        """Return (n, K), the mean over the shifts of their windows."""
        policy = self.choices.policy
        mean = MeanLogits(of_probs=policy.shift_mean == "probs")
        for shift in policy.shifts:
            before, after = policy.window_before, policy.window_after
            windows, held = find_windows(
                batch, part, self._rate, before=before, after=after, shift=shift
            )
            if not len(held):
                continue
            logits_NC = window_logits(self.tagger, windows).float()
            check_no_nan(logits_NC, batch, [ids[row] for row in held.tolist()])
            if self._restricted:
                logits_NC = logits_NC.index_select(1, self._chosen)
            if len(policy.shifts) == 1:
                return logits_NC
            mean.add(logits_NC, held.to(self.device), len(part))
        return mean.mean()

    def _candidates(self, videos_BC: Tensor) -> Tensor:
        """Return (B, K), scores of the videos; -inf for classes that are no candidates."""
        if self.choices.policy.candidates:
            best, column = top_classes(
                videos_BC.index_select(1, self._pool), self.choices.policy.candidates
            )
            videos_BC = torch.full_like(videos_BC, -torch.inf).scatter_(1, self._pool[column], best)
        return videos_BC.index_select(1, self._chosen)


def _fused(videos_NK: Tensor, logits_NK: Tensor, policy: SegmentPolicy) -> Tensor:
    """Return the segments' logits, fused with those of their videos; -inf = no candidate."""
    if policy.video_power == 0:
        return logits_NK.where(videos_NK > -torch.inf, -torch.inf)
    return fused_logits(
        videos_NK, logits_NK, video_power=policy.video_power, segment_power=policy.segment_power
    )


def _rows(ids: Sequence[str], times: NDArray[np.float64] | None, *best: Tensor) -> PredictionRows:
    scores, classes = (tensor.cpu() for tensor in best)
    return PredictionRows.of_matrix(ids, times, classes.numpy().astype(np.int32), scores.numpy())


def _select(batch: FrameBatch, keep: Tensor) -> FrameBatch:
    """Return the videos where `keep` (B,), without labels."""
    ids = tuple(name for name, kept in zip(batch.ids, keep.tolist(), strict=True) if kept)
    return FrameBatch(frames=batch.frames[keep], mask=batch.mask[keep], ids=ids)


def _with_empty(
    rows: PredictionRows | None, ids: Sequence[str], is_empty: Tensor
) -> PredictionRows:
    """Return the rows of videos, and between them one without classes where `is_empty` (B,)."""
    lengths = np.zeros(len(ids), np.int64)
    if rows is not None:
        lengths[~is_empty.numpy()] = rows.counts()
    return PredictionRows(
        indptr_of(lengths),
        np.empty(0, np.int32) if rows is None else rows.classes,
        np.empty(0, np.float32) if rows is None else rows.scores,
        ids=pa.array(ids, pa.string()),
        starts=np.full(len(ids), WHOLE_VIDEO),
        ends=np.full(len(ids), WHOLE_VIDEO),
    )


def check_no_nan(logits_NC: Tensor, batch: FrameBatch, ids: Sequence[str]) -> None:
    """Raise DataError where a logit is not a number; `ids` (N,) are the videos of the rows."""
    bad = logits_NC.isnan().any(dim=1)
    if not bad.any():
        return
    names = list(dict.fromkeys(ids[i] for i in bad.nonzero().flatten().tolist()))
    shown = ", ".join(map(repr, names[:5])) + (", ..." if len(names) > 5 else "")
    sound = bool(batch.frames[batch.mask].isfinite().all())
    cause = "the features are sound" if sound else "features hold NaN or infinity"
    raise DataError(
        f"the tagger's logit is not a number; {cause}",
        where=f"video {shown}",
        hint="Look at the checkpoint: its training may have diverged."
        if sound
        else "Repair or remove these records; `reeltag info DATA` lists broken ones.",
    )
