"""Sizes and recipes of Samsung 2018: as published, and smaller ones for some thousand videos."""

from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

from annotated_types import Ge, Le

from reeltag.augment.config import AugmentConfig
from reeltag.core.bounds import CheckedFields, Part, Positive
from reeltag.data.dataset import Dataset
from reeltag.data.synth.config import SynthConfig
from reeltag.ensembling import tree_config
from reeltag.ensembling.tree_config import TreeConfig
from reeltag.inference.scoring import InferenceConfig
from reeltag.labels.folds import FoldConfig
from reeltag.models import ModelConfig, resnet_like, second_level
from reeltag.papers.common.recipe import SplitRecipe
from reeltag.papers.common.scale import is_small, with_given
from reeltag.papers.common.splits.assignment import VideoSplitAssignment
from reeltag.papers.common.steps.train import NEVER
from reeltag.papers.samsung2018.first_level import (
    MIXUP,
    PUBLISHED,
    SMALL,
    SOFT_RANKING,
    FirstLevelModel,
    FirstLevelRecipe,
    first_level_models,
)
from reeltag.soft_labels.config import SoftLabelConfig
from reeltag.training.config import LossConfig

SINGLES = ("plain", "mixup", "soft-ranking", "soft")  # ResNetLikes that learn from all videos


@dataclass(frozen=True, kw_only=True)
class SamsungSizes:
    """What depends on the amount of data; the defaults are the authors'."""

    first_level: FirstLevelRecipe = PUBLISHED
    top_k: int = 30
    trees: TreeConfig = tree_config.PUBLISHED
    inner: int = 2048
    blocks: int = 4
    single_dropout: float = 0.6
    single_batch: int = 256
    single_epochs: float = 10.0
    soft_weight: float = 1.0
    divisor: int = 1
    net_batch: int = 1024
    net_rate: float = 0.01
    net_epochs: float = 5.0
    final_epochs: float = 5.0
    input_dropout: float = 0.0
    net_dropout: float = 0.0
    precision: Literal["fp32", "bf16"] = "fp32"


PUBLISHED_SIZES = SamsungSizes()
SMALL_SIZES = SamsungSizes(
    first_level=SMALL,
    top_k=100,
    trees=tree_config.SMALL,
    inner=512,
    blocks=1,
    single_dropout=0.5,
    single_epochs=10.0,
    soft_weight=0.5,
    divisor=4,
    net_batch=256,
    net_rate=2e-3,
    net_epochs=8.0,
    final_epochs=10.0,
    input_dropout=0.2,
    net_dropout=0.3,
    precision="bf16",
)


@dataclass(frozen=True, kw_only=True)
class Config(CheckedFields):
    """Where a number is None, the scale decides; the first one given is the authors'."""

    train: str = ""
    """Pattern of the training shards; empty: the published names."""
    validate: str = ""
    """Pattern of more training shards; empty: the published names."""
    test: str = ""
    """Pattern of the evaluated shards, which need labels; empty: the published names."""
    with_validate: bool = True
    """Train on the validation videos too, as the authors; else they are not used."""
    scale: Literal["auto", "published", "small"] = "auto"
    """First level and sizes: 95 networks and 20 on frames, or a dozen and 10; auto takes the small
    ones below 100,000 training videos."""
    members: tuple[str, ...] = ()
    """Names of the networks of the first level to train, of those of the scale; empty: all."""
    folds: Annotated[int, Ge(2), Le(100)] = 5
    """Parts of the training videos; a member is trained once without each."""
    seed: int = 0
    """Random seed of weights, order and dropout; the folds stay. Results of other seeds stay
    too."""
    frozen: bool = False
    """Freeze the six small nets while the net on top of them learns; else all of the final graph
    learns."""
    bootstrap: int = 1000
    """Draws of the evaluated videos, for the intervals."""

    epochs: float | None = None
    """Passes over the videos of every training; None: each has its own."""
    candidates: Positive | None = None
    """Each member's best classes of a video that become rows of the trees (30)."""
    trees: Positive | None = None
    """Trees of a fold, at most (3000; small 500)."""
    inner: Positive | None = None
    """Units of the ResNetLikes that are compared: soft labels, mixup, plain, ranking (2048; small
    512)."""
    blocks: int | None = None
    """Their residual blocks of each stream, and on all streams together (4; small 1)."""
    single_epochs: float | None = None
    """Their passes over the videos (10)."""
    single_dropout: float | None = None
    """Fraction of the values that each of their blocks drops in training (0.6; small 0.5)."""
    soft_weight: Part | None = None
    """Fraction of the soft labels in the labels of students and of the final graph, the others are
    the data's (1; small 0.5; the authors also tried 0.1 and 0.5)."""
    soft_top_k: Positive = 50
    """Classes of a video that have a soft label."""
    divisor: Positive | None = None
    """How much narrower the final graph is than the authors' 247 M (1; small 4)."""
    net_epochs: float | None = None
    """Passes of each of the six small nets (5; small 8)."""
    final_epochs: float | None = None
    """Passes of the final graph (5; small 10)."""
    net_rate: float | None = None
    """Learning rate of the small nets and of the final graph (0.01; small 2e-3)."""
    input_dropout: float | None = None
    """Fraction of the input that each small net drops in training (0; small 0.2)."""
    net_dropout: float | None = None
    """Fraction of the units that each layer of the final graph drops in training (0; small
    0.3)."""
    precision: Literal["fp32", "bf16"] | None = None
    """Arithmetic of the large products (fp32; small bf16)."""
    threads: int = field(default=0, compare=False)
    """Threads of LightGBM; 0 = as many as there are cores."""
    device: Literal["auto", "cpu", "gpu"] = field(default="auto", compare=False)
    """Where it runs."""


TINY_DATA = SynthConfig(
    videos=60, classes=4, rgb=8, audio=4, level="video", shards=2, held_out=0.25
)
TINY = Config(
    scale="small",
    members=("fcn", "sub-net-b", "video-only"),
    folds=2,
    epochs=1.0,
    trees=5,
    inner=8,
    divisor=64,
    precision="fp32",
    bootstrap=20,
)


@dataclass(frozen=True, kw_only=True)
class SamsungPlan:
    """A Config with all numbers filled in: the first level, and the recipes of all trainings."""

    config: Config
    sizes: SamsungSizes
    assignment: VideoSplitAssignment
    members: tuple[FirstLevelModel, ...]
    dims: tuple[int, ...]
    frames: bool

    @property
    def trees(self) -> TreeConfig:
        """How the trees of the second level grow; the folds are the first level's."""
        trees, config = self.sizes.trees, self.config
        return replace(
            trees,
            folds=config.folds,
            candidates=config.candidates or trees.candidates,
            num_trees=config.trees or trees.num_trees,
        )

    @property
    def inference(self) -> InferenceConfig:
        """How networks predict."""
        sizes = self.sizes
        return InferenceConfig(top_k=sizes.top_k, batch_size=256, precision=sizes.precision)

    @property
    def single(self) -> ModelConfig:
        """The ResNetLike that the slides' techniques are compared on."""
        sizes = self.sizes
        return resnet_like.Config(
            inner=sizes.inner,
            stream_blocks=sizes.blocks,
            concat_blocks=sizes.blocks,
            dropout=sizes.single_dropout,
        )

    @property
    def final(self) -> second_level.Config:
        """The final graph."""
        sizes = self.sizes
        return second_level.Config(
            dims=self.dims,
            divisor=sizes.divisor,
            input_dropout=sizes.input_dropout,
            dropout=sizes.net_dropout,
        )

    @property
    def nets(self) -> dict[str, ModelConfig]:
        """The six small nets A to F, each alone, as wide as they are in the final graph."""
        return dict(zip("abcdef", [net for net, _ in self.final.nets()], strict=True))

    def first_level(self, member: FirstLevelModel, fold: int) -> SplitRecipe:
        """Return how a member learns without a fold."""
        return self._all(member.recipe, FoldConfig(count=self.config.folds, hold_out=fold))

    def single_recipe(self, name: str) -> SplitRecipe:
        """Return how one of `SINGLES` learns, from all training videos."""
        recipe = self.sizes.first_level.recipe(
            batch_size=self._batch(self.sizes.single_batch),
            epochs=self.sizes.single_epochs,
            augment=MIXUP if name == "mixup" else AugmentConfig(),
            loss=SOFT_RANKING if name == "soft-ranking" else LossConfig(),
            soft=self._soft if name == "soft" else SoftLabelConfig(),
        )
        return self._all(recipe)

    def net_recipe(self, *, final: bool = False) -> SplitRecipe:
        """Return how a small net, or the final graph, learns from soft labels."""
        sizes = self.sizes
        shared = replace(
            sizes.first_level,
            rate=sizes.net_rate,
            batch_size=sizes.net_batch,
            clip="per-tensor",
            clip_norm=1.0,
        )
        epochs = sizes.final_epochs if final else sizes.net_epochs
        recipe = shared.recipe(epochs=epochs, soft=self._soft)
        if shared.schedule != "one-cycle":  # the starter code's trainer, which the authors kept
            stairs = replace(
                recipe.optim, schedule="staircase", decay=0.95, decay_examples=4_000_000
            )
            recipe = replace(recipe, optim=stairs)
        frozen = ("nets.*.towers.*",) if final and self.config.frozen else ()
        return self._all(replace(recipe, frozen=frozen))

    @property
    def _soft(self) -> SoftLabelConfig:
        return SoftLabelConfig(weight=self.sizes.soft_weight)

    def _batch(self, size: int) -> int:
        """Return a batch that the training videos fill."""
        return min(size, max(1, self.assignment.counts["train"] // 2))

    def _all(self, recipe: SplitRecipe, fold: FoldConfig | None = None) -> SplitRecipe:
        """Return a recipe with what all share: no validation, the last weights count."""
        return replace(
            recipe,
            splits=self.assignment.splits,
            fold=fold or FoldConfig(),
            batch_size=self._batch(recipe.batch_size),
            epochs=self.config.epochs or recipe.epochs,
            precision=self.sizes.precision,
            seed=self.config.seed,
            validate_every=NEVER,
        )


def make_plan(config: Config, assignment: VideoSplitAssignment, data: Dataset) -> SamsungPlan:
    """Return the config with the numbers of its scale; log which scale that is.

    Args:
        config: with None where the scale decides.
        assignment: what each part of the data is for.
        data: the data set.

    Raises:
        ConfigError: a member is none of the scale's.
    """
    small, frames = is_small(config.scale, assignment.counts["train"]), data.kind == "frames"
    sizes = SMALL_SIZES if small else PUBLISHED_SIZES
    trees = sizes.trees  # a TreeConfig here, a number there
    members = first_level_models(
        small=small, frames=frames, num_streams=len(data.streams), names=config.members
    )
    return SamsungPlan(
        config=config,
        sizes=replace(with_given(sizes, config), trees=trees),
        assignment=assignment,
        members=members,
        dims=tuple(stream.width for stream in data.streams),
        frames=frames,
    )
