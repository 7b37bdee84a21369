"""The configuration of a synthetic corpus."""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt

from reeltag.core.bounds import CheckedFields, NotNegative, Part, Positive

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
class SynthConfig(CheckedFields):
    """What `reeltag synth` writes; the same config gives the same bytes."""

    videos: Annotated[int, Ge(3)] = 2000
    """Videos in all three splits together."""
    classes: Annotated[int, Ge(2)] = 200
    """Number of classes (YouTube-8M has 3862)."""
    seed: int = 0
    """Random seed of everything that is drawn."""
    level: Literal["frames", "video"] = "frames"
    """Frames at 1 Hz as bytes, or the mean of each video's frames as floats."""
    preset: Literal["moderate", "clean", "youtube8m"] = "moderate"
    """How noisy the labels are; youtube8m: precision 0.788, recall 0.145."""
    precision: Part | None = None
    """Fraction of the written labels that are true, in (0, 1]; by default the preset's."""
    recall: Part | None = None
    """Fraction of the true labels that are written, in (0, 1]; by default the preset's."""
    subjects: Annotated[float, Ge(1)] | None = None
    """Mean number of classes drawn for a video, parents not counted; by default the preset's."""
    rated_fraction: Annotated[float, Ge(0), Le(1)] = 1.0
    """Fraction of the validate and test videos that have rated 5-second segments."""
    held_out: Annotated[float, Gt(0), Lt(0.5)] = 0.15
    """Fraction of the videos in validate, and as many again in test."""
    shards: NotNegative = 0
    """Files of the train split; 0 = one per 250 videos. The other splits' are as long."""
    rgb: NotNegative = 1024
    """Width of the visual stream; 0 = none."""
    audio: NotNegative = 128
    """Width of the audio stream; 0 = none."""
    min_frames: Positive = 60
    """Length of the shortest video in seconds."""
    max_frames: Positive = 180
    """Length of the longest video in seconds (YouTube-8M: 300)."""
    zipf: Annotated[float, Ge(0), Le(10)] = 1.0
    """Exponent of the class frequencies: the class of rank r has weight (r + 1)^-zipf."""

    def check(self) -> None:
        """Raise ConfigError where fields do not fit each other."""
        self.check_field("shards", self.shards <= self.videos, f"in [0, {self.videos}]")
        self.check_field("rgb", self.rgb + self.audio > 0, "positive where audio is 0")
        longer = self.max_frames >= self.min_frames
        self.check_field("max_frames", longer, f"at least {self.min_frames}")
        few = self.subjects is None or self.subjects <= self.classes
        self.check_field("subjects", few, f"in [1, {self.classes}]")

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
