"""Sizes and recipes of the moment finder: they follow the data where none are given."""

import sys
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from reeltag.core.bounds import CheckedFields, Positive
from reeltag.core.console import say
from reeltag.data.sampling import FrameChoice
from reeltag.data.synth.config import SynthConfig
from reeltag.labels.folds import FoldConfig, NumFolds
from reeltag.models import nextvlad
from reeltag.papers.common.recipe import SplitRecipe
from reeltag.papers.common.splits.own_videos import OwnVideos
from reeltag.papers.common.steps.train import NEVER
from reeltag.tagger.thresholds import Between
from reeltag.training.config import Optimisation
from reeltag.training.frame_regression import FrameRegressionConfig
from reeltag.training.relabel_config import RelabelConfig

# where the rules were measured (reels); they reach what is published for 3.9 M videos
_VIDEOS, _RATINGS = 4_000, 5_000
_LONG = 60  # seconds from which on every 5th to 10th frame will do
_STEPS = 200  # at least, on rated segments
_FEW = 1_000  # videos below which every frame is regressed


@dataclass(frozen=True, kw_only=True)
class Config(CheckedFields):
    """Where a number is None, the data decide.

    V: videos to train on, R: ratings, C: classes with ratings, D: values of a frame. For 4,000
    videos and 5,000 ratings these are the numbers measured on reels, for 3.9 M videos nearly those
    that OPPO 2019 published; powers join the two. Fewer were not tried.
    """

    seed: int = 0
    """Random seed of weights, order and dropout; the evaluated videos stay."""
    without_ratings: bool = False
    """Stop after stage I: the model of whole videos scores segments. For NeXtVLAD with less than
    100 ratings; if there are some, they are evaluated."""
    folds: NumFolds = 5
    """Parts of the rated videos, one of which is held out for evaluation; the final model learns
    from it too. Not used where videos of `test` are rated: these are evaluated then."""
    bootstrap: int = 1000
    """Draws of the evaluated videos, for the intervals."""
    target_precision: Between = 0.9
    """Precision that the thresholds of moments promise, in (0, 1): chosen for each class on the
    ratings of the evaluated videos, written into the final run."""

    finder: Literal["auto", "frames", "nextvlad"] = "auto"
    """frames: a logistic regression of every frame, fitted on labels and ratings at once, for few
    videos, from two ratings on; nextvlad: NeXtVLAD on whole videos, then on ratings; auto: frames
    below 1,000 videos."""
    frame_steps: Positive = FrameRegressionConfig().steps
    """Steps of the regression of every frame."""
    clusters: int | None = None
    """Clusters of NeXtVLAD. None: 64 (V / 4000)^0.1, a multiple of 8."""
    hidden: int | None = None
    """Units between pooling and head, a multiple of 8. None: 1024 (V / 4000)^0.1, at most 8 D and
    16 C, a multiple of 64."""
    batch_size: int | None = None
    """Videos per step. None: 80 (V / 4000)^0.1, at most V / 32, at least 16."""
    epochs: float | None = None
    """Passes over the videos. None: 20 (4000 / V)^0.2."""
    rate: float | None = None
    """Learning rate on videos at its peak. None: 0.002 (4000 / V)^(1/3), at most 0.002."""
    rated_batch_size: int | None = None
    """Segments per step. None: as `batch_size` but at most R / 32, at least 16."""
    rated_epochs: float | None = None
    """Passes over the rated segments. None: 7, or up to 20 until there are 200 steps."""
    rated_rate: float | None = None
    """Learning rate on segments. None: 0.0002 (5000 / R)^0.5, at most 0.0002."""
    rated_weight: float = 2.5
    """m: weight of rated classes."""
    unrated_weight: float = 0.1
    """n: weight of the unrated classes of a segment, which count as absent."""
    precision: Literal["fp32", "bf16"] = "bf16"
    """Arithmetic of the large products."""
    device: Literal["auto", "cpu", "gpu"] = field(default="auto", compare=False)
    """Where it runs."""

    def check(self) -> None:
        """Raise ConfigError for weights with which stage II would fail."""
        self.labels()

    @property
    def regressed_below(self) -> int:
        """Videos to train on below which every frame is regressed, in place of NeXtVLAD."""
        return {"auto": _FEW, "frames": sys.maxsize, "nextvlad": 0}[self.finder]

    def labels(self) -> RelabelConfig:
        """Return how rated segments are relabelled."""
        return RelabelConfig(rated_weight=self.rated_weight, unrated_weight=self.unrated_weight)


TINY_DATA = SynthConfig(
    videos=120, classes=4, rgb=16, audio=4, min_frames=15, max_frames=30, shards=1, held_out=0.3
)
TINY = Config(
    finder="nextvlad",
    frame_steps=20,
    clusters=4,
    hidden=8,
    batch_size=8,
    epochs=2.0,
    rated_batch_size=16,
    rated_epochs=1.0,
    precision="fp32",
    bootstrap=20,
)


@dataclass(frozen=True, kw_only=True)
class MomentsSizes:
    """What depends on the amount of data; fields as those of `Config`."""

    clusters: int
    hidden: int
    batch_size: int
    epochs: float
    rate: float
    rated_batch_size: int
    rated_epochs: float
    rated_rate: float


def sizes_for(own: OwnVideos, given: Config) -> MomentsSizes:
    """Return the numbers for an amount of data; those that are given stay."""
    videos, ratings = max(1, own.assignment.num_videos), max(1, own.ratings)
    growth = videos / _VIDEOS
    largest = min(1024 * growth**0.1, 8 * sum(own.widths), 16 * own.classes)
    batch = given.batch_size or round(max(16, min(80 * growth**0.1, videos / 32)))
    rated_batch = given.rated_batch_size or round(max(16, min(batch, ratings / 32)))
    sizes: dict[str, Any] = {
        "clusters": max(8, 8 * round(64 * growth**0.1 / 8)),
        "hidden": max(64, 64 * round(largest / 64)),
        "batch_size": batch,
        "epochs": round(20 * growth**-0.2, 1),
        "rate": min(2e-3, round(2e-3 * growth ** (-1 / 3), 6)),
        "rated_batch_size": rated_batch,
        "rated_epochs": round(min(20.0, max(7.0, _STEPS * rated_batch / ratings)), 1),
        "rated_rate": min(2e-4, round(2e-4 * (_RATINGS / ratings) ** 0.5, 7)),
    }
    for of in fields(MomentsSizes):
        value = getattr(given, of.name)
        sizes[of.name] = sizes[of.name] if value is None else value
    return MomentsSizes(**sizes)


@dataclass(frozen=True, kw_only=True)
class MomentsPlan:
    """A Config with all numbers filled in: the model, and the recipe of each stage."""

    config: Config
    sizes: MomentsSizes
    own: OwnVideos

    @property
    def model(self) -> nextvlad.Config:
        """NeXtVLAD with as many groups, 8 at most, as the widths of the streams can be cut into."""
        sizes, wide = self.sizes, [2 * width for width in self.own.widths]
        groups = next(
            (n for n in (8, 4) if not (wide[0] % n or any(w % (n // 2) for w in wide[1:]))), 2
        )
        return nextvlad.Config(num_clusters=sizes.clusters, hidden=sizes.hidden, groups=groups)

    @property
    def is_regression(self) -> bool:
        """Whether every frame is regressed, in place of NeXtVLAD."""
        return self.own.assignment.num_videos < self.config.regressed_below

    def regressed_videos(self) -> SplitRecipe:
        """The whole videos that a regression of frames learns from."""
        return SplitRecipe(splits=self.own.assignment.videos, fold=self.own.video_fold)

    def regressed_segments(self, fold: FoldConfig) -> SplitRecipe:
        """The rated windows that a regression of frames learns from, without a fold."""
        return SplitRecipe(splits=self.own.assignment.rated, fold=fold, items="segments")

    def videos(self) -> SplitRecipe:
        """Stage I: whole videos with their labels, down-sampled if they are long."""
        sizes = self.sizes
        return SplitRecipe(
            splits=self.own.assignment.videos,
            fold=self.own.video_fold,
            frames=self._frames(),
            batch_size=sizes.batch_size,
            epochs=sizes.epochs,
            optim=Optimisation(learning_rate=sizes.rate, schedule="one-cycle"),
            **self._common(),
        )

    def _frames(self) -> FrameChoice:
        """Return all frames, or of long videos every 5th to 10th second, at any rate above 1 Hz."""
        if self.own.seconds < _LONG:
            return FrameChoice(how="all")
        low, high = FrameChoice().stride_range
        rate = max(1.0, self.own.rate_hz)
        return FrameChoice(how="stride", stride_range=(round(low * rate), round(high * rate)))

    def segments(self, fold: FoldConfig) -> SplitRecipe:
        """Stage II: rated segments but those of a fold; unrated classes hardly count."""
        sizes = self.sizes
        return SplitRecipe(
            splits=self.own.assignment.rated,
            fold=fold,
            items="segments",
            batch_size=sizes.rated_batch_size,
            epochs=sizes.rated_epochs,
            optim=Optimisation(learning_rate=sizes.rated_rate, schedule="constant"),
            labels=self.config.labels(),
            **self._common(),
        )

    def all_segments(self) -> SplitRecipe:
        """The final fit: all rated segments."""
        return self.segments(FoldConfig())

    def _common(self) -> dict[str, Any]:
        """Return what both stages share: no validation, the last weights count."""
        config = self.config
        return {"precision": config.precision, "seed": config.seed, "validate_every": NEVER}


def make_plan(config: Config, own: OwnVideos) -> MomentsPlan:
    """Return the config with the numbers that follow the data; log which these are.

    Args:
        config: with None where the data decide.
        own: what the data hold.

    Raises:
        ConfigError: a number that was given is not possible.
    """
    sizes = sizes_for(own, config)
    plan = MomentsPlan(config=config, sizes=sizes, own=own)
    _ = plan.model, plan.videos(), plan.all_segments()  # impossible sizes raise here
    _log_plan(plan)
    return plan


def _log_plan(plan: MomentsPlan) -> None:
    """Log the numbers that follow the data."""
    own, sizes = plan.own, plan.sizes
    videos = f"{own.assignment.num_videos:,} videos"
    ratings = f"{own.ratings:,} ratings of {own.classes:,} classes"
    if plan.is_regression:
        with_ratings = "" if plan.config.without_ratings else f" and {ratings}"
        say(f"{videos}{with_ratings}: a logistic regression of every frame (--finder)")
        return
    say(
        f"{videos}: {sizes.clusters} clusters, {sizes.hidden} units, "
        f"{sizes.epochs:g} epochs of batch {sizes.batch_size} at {sizes.rate:g}"
    )
    if not plan.config.without_ratings:
        say(
            f"{ratings}: {sizes.rated_epochs:g} epochs of "
            f"batch {sizes.rated_batch_size} at {sizes.rated_rate:g}"
        )
