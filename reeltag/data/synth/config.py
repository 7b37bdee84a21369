"""The configuration of a synthetic corpus."""

from dataclasses import dataclass
from typing import Literal

from reeltag.core.errors import ConfigError

SplitName = Literal["train", "validate", "test"]


@dataclass(frozen=True, kw_only=True)
class LabelNoise:
    """How good the written video labels are, and how much there is to be labelled.

    Attributes:
        precision: share of the written labels that are true, in (0, 1].
        recall: share of the true labels that are written, in (0, 1].
        subjects: mean number of classes drawn for a video, parents not counted; >= 1.
    """

    precision: float
    recall: float
    subjects: float


PRESETS = {
    "moderate": LabelNoise(precision=0.9, recall=0.7, subjects=2.5),
    "clean": LabelNoise(precision=1.0, recall=1.0, subjects=2.5),
    # precision and recall of the labels against human raters: Abu-El-Haija et al. 2016,
    # arXiv:1609.08675; so many subjects that about three labels are left, as there
    "youtube8m": LabelNoise(precision=0.788, recall=0.145, subjects=12.0),
}


@dataclass(frozen=True, kw_only=True)
class SynthConfig:
    """What `reeltag synth` writes; the same config gives the same bytes."""

    videos: int = 2000
    """Videos in all three splits together."""
    classes: int = 200
    """Number of classes (YouTube-8M has 3862)."""
    seed: int = 0
    """Seed of everything that is drawn."""
    level: Literal["frames", "video"] = "frames"
    """Frames at 1 Hz as bytes, or the mean of each video's frames as floats."""
    preset: Literal["moderate", "clean", "youtube8m"] = "moderate"
    """How noisy the labels are; youtube8m: precision 0.788, recall 0.145."""
    precision: float | None = None
    """Share of the written labels that are true, in (0, 1]; by default the preset's."""
    recall: float | None = None
    """Share of the true labels that are written, in (0, 1]; by default the preset's."""
    subjects: float | None = None
    """Mean number of classes drawn for a video, parents not counted; by default the preset's."""
    rated_fraction: float = 1.0
    """Share of the validate and test videos that have rated 5-second segments."""
    held_out: float = 0.15
    """Share of the videos in validate, and as many again in test."""
    shards: int = 0
    """Files of the train split; 0 = one per 250 videos. The other splits' are as long."""
    rgb: int = 1024
    """Width of the visual stream; 0 = none."""
    audio: int = 128
    """Width of the audio stream; 0 = none."""
    min_frames: int = 60
    """Length of the shortest video in seconds."""
    max_frames: int = 180
    """Length of the longest video in seconds (YouTube-8M: 300)."""
    zipf: float = 1.0
    """Exponent of the class frequencies: the class of rank r has weight (r + 1)^-zipf."""

    def __post_init__(self) -> None:
        """Refuse what cannot be written.

        Raises:
            ConfigError: names the field, its value and what is allowed.
        """
        held = self.held_out
        rules: list[tuple[str, bool, str]] = [
            ("videos", self.videos >= 3, "at least 3, one for each split"),
            ("classes", self.classes >= 2, "at least 2"),
            ("rated_fraction", 0 <= self.rated_fraction <= 1, "in [0, 1]"),
            ("held_out", 0 < held < 0.5, "in (0, 0.5)"),
            ("shards", 0 <= self.shards <= self.videos, f"in [0, {self.videos}], 0 = automatic"),
            ("rgb", self.rgb >= 0 and self.rgb + self.audio > 0, "positive where audio is 0"),
            ("audio", self.audio >= 0, "0 or positive"),
            ("min_frames", self.min_frames >= 1, "at least 1"),
            ("max_frames", self.max_frames >= self.min_frames, f"at least {self.min_frames}"),
            ("zipf", 0 <= self.zipf <= 10, "in [0, 10]"),
            ("preset", self.preset in PRESETS, f"one of {', '.join(PRESETS)}"),
            ("level", self.level in ("frames", "video"), "frames or video"),
        ]
        for name in ("precision", "recall"):
            share = getattr(self, name)
            rules.append((name, share is None or 0 < share <= 1, "in (0, 1]"))
        few = self.subjects is None or 1 <= self.subjects <= self.classes
        rules.append(("subjects", few, f"in [1, {self.classes}]"))
        for name, holds, allowed in rules:
            if not holds:
                raise ConfigError(f"{name} must be {allowed}, got {getattr(self, name)!r}")

    @property
    def noise(self) -> LabelNoise:
        """Return the preset with what was set by hand put in its place."""
        preset = PRESETS[self.preset]
        return LabelNoise(
            precision=preset.precision if self.precision is None else self.precision,
            recall=preset.recall if self.recall is None else self.recall,
            subjects=preset.subjects if self.subjects is None else self.subjects,
        )

    @property
    def counts(self) -> dict[SplitName, int]:
        """Return the number of videos per split."""
        held = min(max(1, round(self.videos * self.held_out)), (self.videos - 1) // 2)
        return {"train": self.videos - 2 * held, "validate": held, "test": held}
