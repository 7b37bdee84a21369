"""How segments are scored: which of them, of which classes, by which frames, with whose help."""

import math
from dataclasses import dataclass, fields
from typing import Literal

from reeltag.core.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class SegmentPolicy:
    """How the systems of 2019 scored segments better; by default none of it is done.

    Sources: the third challenge: its ratings (head and tail), its 3rd place (candidates, fusion),
    5th and 7th (windows) and 9th (shifts); docs/departures.md.
    """

    skip_head: int = 0
    """Segments at the head of a video that are not scored (the first 6 are never rated)."""
    skip_tail: int = 0
    """Segments at the tail, perhaps a partial one included (the last 2 are never rated)."""
    candidates: int = 0
    """Score segments only for the K best classes of their video (3rd place 20), of those that
    segments are scored for at all; 0 = for all."""
    video_power: float = 0.0
    """a of the score video^a * segment^b, a product of probabilities, written as its logit (3rd
    place 0.05); 0 = the video does not count."""
    segment_power: float = 1.0
    """b of that score (3rd place 0.95)."""
    window_before: int = 0
    """Seconds before a segment that the model sees too (7th place 3, 5th place 2)."""
    window_after: int = 0
    """Seconds after it (7th place 2, 5th place 2)."""
    shifts: tuple[int, ...] = (0,)
    """Seconds that the window is moved by, for the mean of several scores (9th place -2 -1 0 1 2).
    A window ends where the video does; one that is wholly outside does not count."""
    shift_mean: Literal["logits", "probs"] = "logits"
    """What the mean is taken of."""

    def __post_init__(self) -> None:
        """Raise ConfigError for what is out of range."""
        for name in ("skip_head", "skip_tail", "candidates", "window_before", "window_after"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} must be >= 0, got {getattr(self, name)}")
        for name in ("video_power", "segment_power"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ConfigError(f"{name} must be >= 0 and finite, got {value}")
        if self.video_power == 0 and self.segment_power != 1:
            raise ConfigError(
                f"segment_power must be 1 where video_power is 0, got {self.segment_power}",
                hint="Fuse both: --video-power 0.05 --segment-power 0.95 (3rd place of 2019).",
            )
        if 0 not in self.shifts or len(set(self.shifts)) < len(self.shifts):
            found = " ".join(map(str, self.shifts)) or "none"
            raise ConfigError(f"shifts must hold 0, and none twice, got {found}")
        if self.shift_mean not in ("logits", "probs"):
            raise ConfigError(f"shift_mean must be logits or probs, got {self.shift_mean!r}")

    def __str__(self) -> str:
        """Return what is not as by default, as in "candidates 20, shifts -1 0 1"; "" = nothing."""
        parts = []
        for each in fields(self):
            value = getattr(self, each.name)
            if value != each.default:
                shown = " ".join(map(str, value)) if isinstance(value, tuple) else value
                parts.append(f"{each.name} {shown}")
        return ", ".join(parts)

    @property
    def uses_videos(self) -> bool:
        """Whether scores of whole videos are needed."""
        return self.candidates > 0 or self.video_power > 0
