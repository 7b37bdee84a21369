"""How segments are scored: which of them, for which classes, by which frames."""

from dataclasses import dataclass, fields
from typing import Annotated, Literal

from reeltag.core.bounds import Amount, CheckedFields, NotNegative, Rule
from reeltag.core.errors import ConfigError

_SHIFTS = Rule(
    lambda shifts: 0 in shifts and len(set(shifts)) == len(shifts), "numbers with 0, and none twice"
)


@dataclass(frozen=True, kw_only=True)
class SegmentPolicy(CheckedFields):
    """How the systems of 2019 scored segments better; the default is the plain model.

    Sources: the third challenge: its ratings (head and tail), its 3rd place (candidates, fusion),
    5th and 7th (windows) and 9th (shifts); docs/reference/departures.md.
    """

    skip_head: NotNegative = 0
    """Segments at the head of a video that are not scored (the first 6 are never rated)."""
    skip_tail: NotNegative = 0
    """Segments at the tail, perhaps a partial one included (the last 2 are never rated)."""
    candidates: NotNegative = 0
    """Score segments only for the K best classes of their video (3rd place 20), of those that
    segments are scored for at all; 0 = for all."""
    video_power: Amount = 0.0
    """a of the score video^a * segment^b, a product of probabilities, written as its logit (3rd
    place 0.05); 0 = the video has no effect."""
    segment_power: Amount = 1.0
    """b of that score (3rd place 0.95)."""
    window_before: NotNegative = 0
    """Seconds before a segment that are in its window too (7th place 3, 5th place 2)."""
    window_after: NotNegative = 0
    """Seconds after it (7th place 2, 5th place 2)."""
    shifts: Annotated[tuple[int, ...], _SHIFTS] = (0,)
    """Seconds that the window is moved by, for the mean of several scores (9th place -2 -1 0 1 2).
    A window ends where the video does; one that is wholly outside is left out."""
    shift_mean: Literal["logits", "probs"] = "logits"
    """What the mean is over."""

    def check(self) -> None:
        """Raise ConfigError for a power of segments without one of videos."""
        if self.video_power == 0 and self.segment_power != 1:
            raise ConfigError(
                f"segment_power must be 1 where video_power is 0, got {self.segment_power}",
                hint="Fuse both: --video-power 0.05 --segment-power 0.95 (3rd place of 2019).",
            )

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
