"""Sizes and recipes of Autohome 2019: as published, and smaller ones for some thousand videos."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from reeltag.augment.config import AugmentConfig
from reeltag.core.bounds import CheckedFields, Rate
from reeltag.core.errors import ConfigError
from reeltag.data.sampling import FrameChoice
from reeltag.data.synth.config import SynthConfig
from reeltag.labels.folds import FoldConfig, NumFolds
from reeltag.labels.vectors import LabelVectors
from reeltag.models import ModelConfig, autohome_mix, dbof, dbof_gcn
from reeltag.papers.common.recipe import SplitRecipe
from reeltag.papers.common.scale import is_small, with_given
from reeltag.papers.common.splits.assignment import EvalSplit, SplitAssignment
from reeltag.papers.common.steps.train import NEVER
from reeltag.training.config import Optimisation
from reeltag.training.relabel_config import RelabelConfig

_STRIDE = FrameChoice(how="stride")
_THIRTY = FrameChoice(how="random", num_frames=30)


@dataclass(frozen=True, kw_only=True)
class AutohomeSizes:
    """What depends on the amount of data; the defaults are the paper's (table 1, sec. 4.2)."""

    clusters: tuple[int, ...] = (112, 136, 112)
    hidden: int = 2048
    gru_hidden: int = 512
    bag_clusters: int = 8192
    bag_hidden: int = 1024
    batch_size: int = 80
    steps: int = 200_000
    epochs: float = 5.0
    rate: float = 2e-4
    schedule: Literal["staircase", "constant", "one-cycle"] = "staircase"
    rated_steps: int = 250_000
    rated_epochs: float = 7.0
    rated_rate: float = 1e-5
    rated_schedule: Literal["staircase", "constant", "one-cycle"] = "staircase"
    all_frames: bool = True
    min_videos: int = 1
    precision: Literal["fp32", "bf16"] = "fp32"


PUBLISHED = AutohomeSizes()
SMALL = AutohomeSizes(
    clusters=(32, 40, 32),
    hidden=512,
    gru_hidden=128,
    bag_clusters=2048,
    bag_hidden=512,
    steps=0,
    epochs=20.0,
    rate=2e-3,
    schedule="one-cycle",
    rated_steps=0,
    rated_rate=2e-4,
    rated_schedule="constant",
    all_frames=False,
    min_videos=20,
    precision="bf16",
)


@dataclass(frozen=True, kw_only=True)
class Config(CheckedFields):
    """Where a number is None, the scale decides; the first one given is the paper's."""

    scale: Literal["auto", "published", "small"] = "auto"
    """Sizes: as published, or small ones for some thousand videos; auto takes the small ones below
    100,000 training videos."""
    seed: int = 0
    """Random seed of weights, order and dropout; the evaluated videos stay. Results of other seeds
    stay."""
    folds: NumFolds = 5
    """Parts of the rated videos; one is held out, and every row of the tables is evaluated on
    it."""
    implications: Path | None = None
    """Folder of TFRecords whose video labels say which class implies which, or a file of `reeltag
    labels`: of the clips that reels and mosaics are made of, whose own labels show nothing. None:
    the training videos."""

    rated_weight: float = 2.5
    """m: weight of rated classes, in table 4 and the final model (table 3 tries 2, 2.5 and 3)."""
    unrated_weight: Rate = 0.1
    """n: weight of unrated classes, and of implied ones in table 4."""
    tau: float = 0.5
    """Least probability of an implication in the final model (table 4 tries 0.4, 0.5 and 0.6)."""
    noise: float = 0.0
    """Deviation of the noise on half of the features of a segment, in units of each feature's, in
    the final model and a row of its own (0.1 is usual; the paper has no figure). 0 is off."""

    clusters: tuple[int, ...] | None = None
    """Clusters of each NeXtVLAD (112 136 112; small 32 40 32)."""
    reduction: tuple[int, ...] = (16, 16, 8)
    """Each gate's bottleneck has the hidden units divided by this many."""
    hidden: int | None = None
    """Units of each member between pooling and head (2048; small 512)."""
    gru_hidden: int | None = None
    """Units of the GRU each way (512; small 128)."""
    gru_chunk: int = 0
    """Frames of a chunk, where the GRU has two levels of attention; 0 = one level."""
    mixture: Literal["input", "scalars"] = "input"
    """Weights of the members: from a gate that sees the mean frame, or one number each."""
    bag_clusters: int | None = None
    """Words of DBoF (8192; small 2048)."""
    bag_hidden: int | None = None
    """Units of DBoF between pooling and classifier (1024; small 512)."""
    train_graph: bool = True
    """Train the matrix of the GCN from the counts on, as the paper; ML-GCN leaves it as counted."""
    graph_rate: Rate = 1.0
    """The matrix of the GCN learns at so many times the learning rate."""
    vectors: Path | None = None
    """What the label vectors of the GCN begin as: a file of `reeltag labels DATA --vectors FILE`;
    without one they begin at random."""
    batch_size: int | None = None
    """Videos or segments per step (80; small 80)."""
    steps: int | None = None
    """Steps on whole videos (200,000; small 0: `epochs` decides)."""
    epochs: float | None = None
    """Passes over the whole videos, in place of steps (small 20)."""
    rate: float | None = None
    """Learning rate on whole videos (2e-4; small 2e-3)."""
    all_frames: bool | None = None
    """Learn from all frames of a video, as published (DBoF from 30 random ones), or from every 5th
    to 10th (small)."""
    rated_steps: int | None = None
    """Steps on rated segments (250,000; small 0: `rated_epochs` decides)."""
    rated_epochs: float | None = None
    """Passes over the rated segments, in place of steps (small 7)."""
    rated_rate: float | None = None
    """Learning rate on rated segments (1e-5; small 2e-4)."""
    min_videos: int | None = None
    """Videos that a class must have been counted in to imply another (1; small 20)."""
    precision: Literal["fp32", "bf16"] | None = None
    """Arithmetic of the large products (fp32; small bf16)."""
    bootstrap: int = 1000
    """Draws of the evaluated videos, for the intervals."""
    device: Literal["auto", "cpu", "gpu"] = field(default="auto", compare=False)
    """Where it runs."""

    def check(self) -> None:
        """Raise ConfigError for numbers with which a late step would fail."""
        AugmentConfig(noise=self.noise)
        RelabelConfig(rated_weight=self.rated_weight, tau=self.tau)
        if self.graph_rate != 1 and not self.train_graph:
            raise ConfigError("graph_rate has no effect on a matrix that is not trained")


TINY_DATA = SynthConfig(
    videos=60, classes=4, rgb=16, audio=4, min_frames=15, max_frames=30, shards=1, held_out=0.25
)
TINY = Config(
    scale="small",
    clusters=(4, 6, 4),
    reduction=(2, 2, 4),
    hidden=16,
    gru_hidden=4,
    bag_clusters=16,
    bag_hidden=8,
    batch_size=4,
    steps=2,
    rated_steps=2,
    min_videos=1,
    precision="fp32",
    bootstrap=8,
)


@dataclass(frozen=True, kw_only=True)
class AutohomePlan:
    """A Config with all numbers filled in: models, and the recipes of both stages."""

    config: Config
    sizes: AutohomeSizes
    assignment: SplitAssignment
    label_size: int | None = None  # of given label vectors

    @property
    def rates(self) -> tuple[str, ...]:
        """Learning rates of the GCN's tensors that are not the common one."""
        rate = self.config.graph_rate
        return () if rate == 1 else (f"head.graph={rate:g}",)

    @property
    def fifth(self) -> FoldConfig:
        """The held-out part of the rated videos: the same for all rows and seeds."""
        return FoldConfig(count=self.config.folds, by="ratings")

    @property
    def evaluation(self) -> EvalSplit:
        """What the rows of the tables are evaluated on: the fifth, by the classes that count."""
        assignment = self.assignment
        return EvalSplit(
            split="train",
            splits=assignment.rated,
            fold=self.fifth,
            classes=assignment.evaluation.classes,
        )

    @property
    def rated_weights(self) -> list[float]:
        """Weights m of table 3, and of what builds on it."""
        return sorted({2.0, 2.5, 3.0, self.config.rated_weight})

    @property
    def taus(self) -> list[float]:
        """Thresholds of table 4, and of the final model."""
        return sorted({0.4, 0.5, 0.6, self.config.tau})

    @property
    def four(self) -> autohome_mix.Config:
        """Three different NeXtVLAD models and the attention GRU."""
        return autohome_mix.Config(
            num_clusters=self.sizes.clusters,
            reduction=self.config.reduction,
            hidden=self.sizes.hidden,
            gru_hidden=self.sizes.gru_hidden,
            gru_chunk=self.config.gru_chunk,
            mixture=self.config.mixture,
        )

    @property
    def different(self) -> autohome_mix.Config:
        """Without the GRU."""
        return replace(self.four, gru=False)

    @property
    def same(self) -> autohome_mix.Config:
        """As many NeXtVLAD models, all like the first."""
        count, four = len(self.sizes.clusters), self.four
        clusters, reduction = four.num_clusters[:1] * count, four.reduction[:1] * count
        return replace(self.different, num_clusters=clusters, reduction=reduction)

    @property
    def graph(self) -> dbof_gcn.Config:
        """DBoF whose classifier comes from two layers over a graph of the labels."""
        model = dbof_gcn.Config(
            num_clusters=self.sizes.bag_clusters,
            hidden=self.sizes.bag_hidden,
            train_graph=self.config.train_graph,
        )
        return model if self.label_size is None else replace(model, label_size=self.label_size)

    @property
    def bag(self) -> dbof.Config:
        """DBoF."""
        return self.graph.base()

    def videos(self, model: ModelConfig) -> SplitRecipe:
        """Whole videos with their labels; all frames, of which a bag sees 30 as published."""
        sizes = self.sizes
        all_frames = _THIRTY if isinstance(model, dbof.Config | dbof_gcn.Config) else FrameChoice()
        return SplitRecipe(
            splits=self.assignment.videos,
            frames=all_frames if sizes.all_frames else _STRIDE,
            max_steps=sizes.steps,
            epochs=sizes.epochs,
            optim=Optimisation(learning_rate=sizes.rate, schedule=sizes.schedule),
            **self._common(),
        )

    def segments(self, labels: RelabelConfig, noise: float, fold: FoldConfig) -> SplitRecipe:
        """Rated segments of all folds but one, or of all, relabelled."""
        sizes = self.sizes
        return SplitRecipe(
            splits=self.assignment.rated,
            fold=fold,
            items="segments",
            max_steps=sizes.rated_steps,
            epochs=sizes.rated_epochs,
            optim=Optimisation(learning_rate=sizes.rated_rate, schedule=sizes.rated_schedule),
            labels=labels,
            augment=AugmentConfig(noise=noise),
            **self._common(),
        )

    @property
    def absent(self) -> RelabelConfig:
        """Unrated classes count as absent: the loss of sec. 3.2 eq. 1."""
        return RelabelConfig(unrated_weight=1.0)

    def reweighted(self, m: float) -> RelabelConfig:
        """Rated classes weigh m, all others n: eq. 3."""
        return RelabelConfig(rated_weight=m, unrated_weight=self.config.unrated_weight)

    def correlated(self, tau: float) -> RelabelConfig:
        """Rated classes add what they imply: eq. 6."""
        labels = self.reweighted(self.config.rated_weight)
        return replace(labels, tau=tau, min_videos=self.sizes.min_videos)

    def _common(self) -> dict[str, Any]:
        """Return what all stages share: no validation, the last weights count."""
        return {
            "batch_size": self.sizes.batch_size,
            "precision": self.sizes.precision,
            "seed": self.config.seed,
            "validate_every": NEVER,
        }


def make_plan(config: Config, assignment: SplitAssignment) -> AutohomePlan:
    """Return the config with the numbers of its scale; log which scale that is.

    Args:
        config: with None where the scale decides.
        assignment: what each part of the data is for.

    Raises:
        ConfigError: the sizes do not fit each other.
    """
    sizes = SMALL if is_small(config.scale, assignment.num_videos) else PUBLISHED
    sizes = with_given(sizes, config)
    if config.steps is None and config.epochs is not None:
        sizes = replace(sizes, steps=0)
    if config.rated_steps is None and config.rated_epochs is not None:
        sizes = replace(sizes, rated_steps=0)
    size = None if config.vectors is None else LabelVectors.load(config.vectors).vectors.shape[1]
    plan = AutohomePlan(config=config, sizes=sizes, assignment=assignment, label_size=size)
    _ = plan.same, plan.graph  # sizes that do not fit raise here
    return plan
