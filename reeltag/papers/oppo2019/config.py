"""Sizes and recipes of OPPO 2019: as published, and smaller ones for some thousand videos."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from reeltag.augment.config import AugmentConfig
from reeltag.core.bounds import CheckedFields
from reeltag.data.sampling import FrameChoice
from reeltag.data.synth.config import SynthConfig
from reeltag.labels.folds import NumFolds
from reeltag.models import ModelConfig, mix_nextvlad, nextvlad
from reeltag.papers.common.recipe import SplitRecipe
from reeltag.papers.common.scale import is_small, with_given
from reeltag.papers.common.splits.assignment import SplitAssignment
from reeltag.papers.common.steps.train import NEVER
from reeltag.soft_labels.teacher import TeacherConfig
from reeltag.training.config import MemberLoss, Optimisation


@dataclass(frozen=True, kw_only=True)
class OppoSizes:
    """What depends on the amount of data; the defaults are the paper's (sec. 4.1)."""

    clusters: int = 128
    hidden: int = 2048
    mix_clusters: int = 112
    mix_hidden: int = 2048
    batch_size: int = 160
    epochs: float = 5.0
    rate: float = 2e-4
    schedule: Literal["staircase", "constant", "one-cycle"] = "staircase"
    rated_epochs: float = 7.0
    rated_rate: float = 2e-5
    mix_rated_rate: float = 4e-5
    rated_schedule: Literal["staircase", "constant", "one-cycle"] = "staircase"
    per_class: int = 1000
    precision: Literal["fp32", "bf16"] = "fp32"


PUBLISHED = OppoSizes()
SMALL = OppoSizes(
    clusters=64,
    hidden=1024,
    mix_clusters=56,
    mix_hidden=1024,
    batch_size=80,
    epochs=20.0,
    rate=2e-3,
    schedule="one-cycle",
    rated_rate=2e-4,
    mix_rated_rate=2e-4,
    rated_schedule="constant",
    per_class=100,
    precision="bf16",
)


@dataclass(frozen=True, kw_only=True)
class Config(CheckedFields):
    """Where a number is None, the scale decides; the first one given is the paper's."""

    scale: Literal["auto", "published", "small"] = "auto"
    """Sizes: as published, or small ones for some thousand videos; auto takes the small ones below
    100,000 training videos."""
    seed: int = 0
    """Random seed of weights, order, dropout and draws; evaluation does not depend on it. Results
    of other seeds stay."""
    ablations: bool = True
    """Also train what only the comparisons need: stage I on all frames, and table 2."""
    folds: NumFolds = 5
    """Where no test video is rated: parts of the rated videos, one of which is evaluated."""
    bootstrap: int = 1000
    """Draws of the evaluated videos, for the intervals."""

    clusters: int | None = None
    """Clusters of NeXtVLAD (128; small 64)."""
    hidden: int | None = None
    """Units of NeXtVLAD between pooling and head (2048; small 1024)."""
    mix_clusters: int | None = None
    """Clusters of each member of MixNeXtVLAD (112; small 56)."""
    mix_hidden: int | None = None
    """Units of each member of MixNeXtVLAD (2048; small 1024)."""
    mix_members: int = 3
    """Members of MixNeXtVLAD."""
    distillation: float = 9.0
    """Weight of the members' divergence from the mixture, at temperature 3."""
    batch_size: int | None = None
    """Videos or segments per step (160; small 80)."""
    epochs: float | None = None
    """Passes over the videos in stage I (5; small 20)."""
    rate: float | None = None
    """Learning rate of stage I, and of all that starts from fresh weights (2e-4; small 2e-3)."""
    stride: tuple[int, int] = (5, 10)
    """Stage I sees every r-th frame, r drawn once per batch from this range."""
    rated_epochs: float | None = None
    """Passes over the segments in stages II and III (7; small 7)."""
    rated_rate: float | None = None
    """Learning rate of stage II (2e-5; small 2e-4)."""
    mix_rated_rate: float | None = None
    """Learning rate of stage III on segments (4e-5; small 2e-4)."""
    decay: float = 0.8
    """Factor of the learning rate after every 2 M examples (MixNeXtVLAD: 2.5 M); small: none."""
    mixup: float = 0.4
    """Alpha of mixup in stages II and III; 0 is off."""
    per_label: int = 2
    """n: segments drawn for each label of a training video."""
    per_class: int | None = None
    """m: segments of the Equal set for each class (1000; small 100)."""
    precision: Literal["fp32", "bf16"] | None = None
    """Arithmetic of the large products (fp32; small bf16)."""
    shuffle: Literal["global", "shards"] = "global"
    """Order of the videos in stage I; shards for disks and object stores, see `reeltag train`."""
    device: Literal["auto", "cpu", "gpu"] = field(default="auto", compare=False)
    """Where it runs."""


TINY_DATA = SynthConfig(
    videos=40, classes=4, rgb=16, audio=4, min_frames=15, max_frames=30, shards=1, held_out=0.25
)
TINY = Config(
    scale="small",
    clusters=4,
    hidden=8,
    mix_clusters=4,
    mix_hidden=16,
    mix_members=2,
    batch_size=8,
    epochs=1.0,
    rated_epochs=1.0,
    per_class=2,
    precision="fp32",
    bootstrap=20,
)


@dataclass(frozen=True, kw_only=True)
class OppoPlan:
    """A Config with all numbers filled in: models, and the recipe of each stage."""

    config: Config
    sizes: OppoSizes
    assignment: SplitAssignment

    @property
    def single(self) -> ModelConfig:
        """NeXtVLAD."""
        sizes = self.sizes
        return nextvlad.Config(num_clusters=sizes.clusters, hidden=sizes.hidden, reduction=8)

    @property
    def mix(self) -> ModelConfig:
        """MixNeXtVLAD."""
        return mix_nextvlad.Config(
            num_members=self.config.mix_members,
            num_clusters=self.sizes.mix_clusters,
            hidden=self.sizes.mix_hidden,
            reduction=16,
        )

    def videos(self, *, mix: bool = False, all_frames: bool = False) -> SplitRecipe:
        """Stage I: whole videos with their labels, down-sampled unless `all_frames`."""
        frames = FrameChoice(how="stride", stride_range=self.config.stride)
        return SplitRecipe(
            splits=self.assignment.videos,
            frames=FrameChoice() if all_frames else frames,
            shuffle=self.config.shuffle,
            epochs=self.sizes.epochs,
            optim=self._optim(self.sizes.rate, self.sizes.schedule, mix=mix),
            **self._common(mix=mix),
        )

    def segments(self, *, mix: bool = False, fresh: bool = False) -> SplitRecipe:
        """Stages II and III: rated segments, mask, mixup; `fresh` weights learn as in stage I."""
        rate = self.sizes.mix_rated_rate if mix else self.sizes.rated_rate
        optim = self._optim(rate, self.sizes.rated_schedule, mix=mix)
        fresh_optim = self._optim(self.sizes.rate, self.sizes.schedule, mix=mix)
        return SplitRecipe(
            splits=self.assignment.rated,
            fold=self.assignment.fold,
            items="segments",
            epochs=self.sizes.rated_epochs,
            optim=fresh_optim if fresh else optim,
            augment=AugmentConfig(mixup=self.config.mixup),
            **self._common(mix=mix),
        )

    def drawn(self, equal: int) -> TeacherConfig:
        """Return which segments the teacher scores: the Original set (0), or the Equal one (m)."""
        return TeacherConfig(
            per_label=self.config.per_label,
            equal=equal,
            skip_head=self.assignment.skip_head,
            skip_tail=self.assignment.skip_tail,
            seed=self.config.seed,
            precision=self.sizes.precision,
        )

    def _common(self, *, mix: bool) -> Mapping[str, Any]:
        """Return what all stages share: no validation, the last weights count."""
        weight = self.config.distillation if mix else 0.0
        return {
            "batch_size": self.sizes.batch_size,
            "members": MemberLoss(weight=weight, temperature=3.0),
            "precision": self.sizes.precision,
            "seed": self.config.seed,
            "validate_every": NEVER,
        }

    def _optim(self, rate: float, schedule: str, *, mix: bool) -> Optimisation:
        return Optimisation(
            learning_rate=rate,
            schedule=schedule,  # type: ignore[arg-type]
            decay=self.config.decay,
            decay_examples=2_500_000 if mix else 2_000_000,
        )


def make_plan(config: Config, assignment: SplitAssignment) -> OppoPlan:
    """Return the config with the numbers of its scale; log which scale that is."""
    sizes = SMALL if is_small(config.scale, assignment.num_videos) else PUBLISHED
    return OppoPlan(config=config, sizes=with_given(sizes, config), assignment=assignment)
