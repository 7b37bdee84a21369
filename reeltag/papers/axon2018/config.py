"""Sizes and recipes of Axon 2018: as published, and smaller ones for some thousand videos."""

from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, MinLen

from reeltag.augment.plan import PUBLISHED_PIVOT, PlanConfig
from reeltag.augment.writing import SampleConfig
from reeltag.core.bounds import CheckedFields, Positive
from reeltag.core.errors import ConfigError, DataError
from reeltag.data.dataset import Dataset
from reeltag.data.sampling import FrameChoice
from reeltag.data.synth.config import SynthConfig
from reeltag.ensembling.fitting import SgdConfig
from reeltag.models import (
    ModelConfig,
    family_of,
    gru,
    lstm,
    moe,
    netfv,
    netvlad,
    soft_dbow,
)
from reeltag.papers.common.costs import model_bytes
from reeltag.papers.common.recipe import SplitRecipe
from reeltag.papers.common.scale import is_small, with_given
from reeltag.papers.common.splits.assignment import VideoSplitAssignment
from reeltag.soft_labels.config import SoftLabelConfig
from reeltag.training.config import Optimisation, RelationConfig

YT8M_LABELS = 3885  # videos of a label on average: 5,001,275 videos, 3.0 labels each, 3862 classes
SGD_STEPS = 867  # a pass over the 111,022 held-out videos of the paper, 128 at a time
TOP_K = 50  # classes that a model predicts of a video, as in the authors' code


@dataclass(frozen=True, kw_only=True)
class AxonSizes:
    """What depends on the amount of data; the defaults are the paper's (table 1, sec. 3.5)."""

    clusters: int = 256
    fisher_clusters: int = 128
    gated_words: int = 4096
    words: int = 8000
    hidden: int = 1024
    cells: int = 1024
    experts: int = 16
    student_hidden: int = 800
    batch_size: int = 64
    student_batch_size: int = 40
    moe_batch_size: int = 1024
    steps: int = 350_000
    student_steps: int = 647_000
    relation_steps: int = 40_000
    epochs: float = 5.0
    rate: float = 2e-4
    recurrent_rate: float = 2e-4
    relation_rate: float = 2e-4
    student_rate: float = 4e-4
    moe_rate: float = 0.01
    relation: float = 0.2
    pivot: float = PUBLISHED_PIVOT
    validate_every: int = 10_000
    patience: int = 3
    schedule: Literal["staircase", "constant", "one-cycle"] = "staircase"
    precision: Literal["fp32", "bf16"] = "fp32"


PUBLISHED = AxonSizes()
SMALL = AxonSizes(  # those of benchmarks/zoo_entries.py, race "audioset"
    clusters=64,
    fisher_clusters=32,
    gated_words=1024,
    words=1024,
    hidden=512,
    cells=256,
    batch_size=128,
    student_batch_size=128,
    moe_batch_size=128,
    steps=0,
    student_steps=0,
    relation_steps=0,
    epochs=3.0,
    rate=1e-3,
    recurrent_rate=5e-3,
    student_rate=1e-3,
    moe_rate=0.03,
    relation=1e-6,
    pivot=0.0,
    validate_every=0,
    patience=0,
    schedule="one-cycle",
    precision="bf16",
)


@dataclass(frozen=True, kw_only=True)
class Config(CheckedFields):
    """Where a number is None, the scale decides; the first one given is the paper's."""

    train: str = ""
    """Pattern of the training shards; empty: train* and validate???[!5], or the published
    names."""
    validate: str = ""
    """Pattern of the held-out shards, for weights and to watch trainings; empty: validate???5, or
    the published names."""
    test: str = ""
    """Pattern of the test shards, which are evaluated; empty: the published names; without labels
    there the held-out ones are evaluated."""
    scale: Literal["auto", "published", "small"] = "auto"
    """Sizes: as published, or small ones for some thousand videos; auto takes the small ones below
    100,000 training videos."""
    seed: int = 0
    """Random seed of weights, order, dropout and noise. Results of other seeds stay."""
    sets: Positive = 2
    """Sets of the seven models, each with its own seed."""
    ablations: bool = True
    """Also train what only the comparisons need: the mixture of experts without augmentation, and
    fine-tuning without the penalty."""
    lambdas: Annotated[tuple[Annotated[float, Ge(0), Le(1)], ...], MinLen(1)] = (0.0, 0.5, 1.0)
    """Distillation: fractions of the ensemble's labels, the others are the data's."""
    bootstrap: int = 200
    """Draws of the evaluated videos, for the intervals."""
    max_bytes: int = 1 << 30
    """What the weights of the distilled model may take, in single precision (1 GB, as 2^30: with
    800 units NetVLAD takes 1.02e9)."""

    clusters: int | None = None
    """Clusters of NetVLAD and NetRVLAD (256; small 64)."""
    fisher_clusters: int | None = None
    """Clusters of NetFV (128; small 32)."""
    gated_words: int | None = None
    """Words of the gated Soft-DBoW (4096; small 1024)."""
    words: int | None = None
    """Words of the plain Soft-DBoW (8000; small 1024)."""
    hidden: int | None = None
    """Units between pooling and experts (1024; small 512)."""
    cells: int | None = None
    """Units of each of the two layers of GRU and LSTM (1024; small 256)."""
    experts: int | None = None
    """Experts of the video-level mixture (16)."""
    student_hidden: int | None = None
    """Units between pooling and experts of the distilled NetVLAD (800)."""
    batch_size: int | None = None
    """Videos per step (64; small 128); of all trainings, where it is given."""
    steps: int | None = None
    """Steps of each of the seven models (350,000; small: 0, `epochs` decides)."""
    epochs: float | None = None
    """Passes of the small scale, and of the mixture of experts (5; small 3)."""
    rate: float | None = None
    """Learning rate of the pooling models (2e-4; small 1e-3)."""
    recurrent_rate: float | None = None
    """Learning rate of GRU and LSTM (2e-4; small 5e-3)."""
    relation: float | None = None
    """Weight of the penalty on the output layer (0.2; small 1e-6)."""
    relation_steps: int | None = None
    """Steps of fine-tuning with the penalty (40,000; small: 0, one pass)."""
    student_steps: int | None = None
    """Steps of the distillation (647,000; small: 0, `epochs` decides)."""
    pivot: float | None = None
    """Videos of a label above which it is thinned out, and up to which samples are added (10,000;
    small: 0, 2.6 times as many as a label has on average, as there)."""
    precision: Literal["fp32", "bf16"] | None = None
    """Arithmetic of the large products (fp32; small bf16)."""
    shuffle: Literal["global", "shards"] = "global"
    """Order of the videos; shards for disks and object stores, see `reeltag train`."""
    device: Literal["auto", "cpu", "gpu"] = field(default="auto", compare=False)
    """Where it runs."""

    def check(self) -> None:
        """Raise ConfigError where a fraction is named twice."""
        if len(set(self.lambdas)) < len(self.lambdas):
            raise ConfigError(f"names a fraction twice: {self.lambdas}", where="--lambdas")


TINY_DATA = SynthConfig(
    videos=72, classes=4, rgb=8, audio=4, min_frames=4, max_frames=8, shards=12, held_out=0.25
)
TINY = Config(
    scale="small",
    sets=1,
    clusters=4,
    fisher_clusters=4,
    gated_words=8,
    words=8,
    hidden=8,
    cells=8,
    experts=2,
    student_hidden=6,
    batch_size=8,
    epochs=1.0,
    pivot=20.0,
    precision="fp32",
    bootstrap=20,
)


@dataclass(frozen=True, kw_only=True)
class AxonPlan:
    """A Config with all numbers filled in: models, and the recipe of each stage."""

    config: Config
    sizes: AxonSizes
    assignment: VideoSplitAssignment
    frames: bool
    student_bytes: int

    @property
    def seven(self) -> dict[str, ModelConfig]:
        """Table 1, in its order."""
        hidden, cells, words = self.sizes.hidden, self.sizes.cells, self.sizes.gated_words
        clusters, fisher = self.sizes.clusters, self.sizes.fisher_clusters
        return {
            "netvlad": netvlad.Config(num_clusters=clusters, hidden=hidden),
            "netfv": netfv.Config(num_clusters=fisher, hidden=hidden),
            "gated-dbow": soft_dbow.Config(
                num_clusters=words, hidden=hidden, pooling="gated", l2=1e-6
            ),
            "dbow": soft_dbow.Config(num_clusters=self.sizes.words, hidden=hidden),
            "netrvlad": netvlad.Config(num_clusters=clusters, hidden=hidden, pooling="rvlad"),
            "gru": gru.Config(cells=cells),
            "lstm": lstm.Config(cells=cells),
        }

    @property
    def experts(self) -> ModelConfig:
        """The video-level mixture of experts."""
        return moe.Config(num_experts=self.sizes.experts)

    @property
    def student(self) -> ModelConfig:
        """The gated NetVLAD that the ensemble is distilled into."""
        return _student(self.sizes)

    @property
    def augmentation(self) -> tuple[PlanConfig, SampleConfig]:
        """How many samples there are to be, and how they are computed."""
        there = max(1.0, round(PUBLISHED_PIVOT * self.assignment.videos_per_label / YT8M_LABELS))
        return PlanConfig(pivot=self.sizes.pivot or there), SampleConfig()

    @property
    def descent(self) -> SgdConfig:
        """How weights are learned by SGD: a pass over few videos is as many steps as over many."""
        batch = round(self.assignment.counts["validate"] / SGD_STEPS)
        return SgdConfig(batch_size=min(max(batch, 1), 128))

    def seed(self, number: int) -> int:
        """Return the seed of a set of models: no two sets of any two seeds share one."""
        return self.config.seed * self.config.sets + number

    def single(self, model: ModelConfig, seed: int) -> SplitRecipe:
        """One of the seven: random frames as in WILLOW's code, Adam, stairs (sec. 3.5)."""
        sizes = self.sizes
        recurrent = isinstance(model, gru.Config | lstm.Config)
        rate = sizes.recurrent_rate if recurrent else sizes.rate
        return self._recipe(model, rate, sizes.steps, seed=seed)

    def video_level(self) -> SplitRecipe:
        """The mixture of experts: as many steps on the augmented set as on the plain one."""
        batch = self.sizes.moe_batch_size
        steps = max(1, round(self.sizes.epochs * self.assignment.counts["train"] / batch))
        recipe = self._recipe(self.experts, self.sizes.moe_rate, steps, seed=self.seed(0))
        optim = replace(recipe.optim, decay=0.95)  # the starter code's
        return replace(recipe, batch_size=batch, frames=FrameChoice(), optim=optim)

    def fine_tuned(self, model: ModelConfig, weight: float) -> SplitRecipe:
        """Fine-tuning of a trained model with the penalty (sec. 3.2); 0: without."""
        rate, steps = self.sizes.relation_rate, self.sizes.relation_steps
        recipe = self._recipe(model, rate, steps, seed=self.seed(0))
        if recipe.optim.schedule == "one-cycle":  # which restarts, far too fast
            recipe = replace(recipe, optim=replace(recipe.optim, schedule="constant"))
        return replace(recipe, epochs=1.0, relation=RelationConfig(weight=weight))

    def distilled(self, share: float) -> SplitRecipe:
        """The student, trained on this fraction of the ensemble's labels, else on the data's."""
        sizes = self.sizes
        recipe = self._recipe(
            self.student, sizes.student_rate, sizes.student_steps, seed=self.seed(0)
        )
        soft = SoftLabelConfig(weight=share)
        return replace(recipe, batch_size=sizes.student_batch_size, soft=soft)

    def _recipe(self, model: ModelConfig, rate: float, steps: int, *, seed: int) -> SplitRecipe:
        """Return what all trainings share: the weights best on the held-out videos count."""
        chosen: Any = family_of(model).recipe.get("frames", {})
        as_published = self.frames and self.sizes.schedule == "staircase"
        return SplitRecipe(
            splits=self.assignment.splits,
            frames=FrameChoice(**chosen) if as_published else FrameChoice(),
            shuffle=self.config.shuffle,
            batch_size=self.sizes.batch_size,
            epochs=self.sizes.epochs,
            max_steps=steps,
            optim=Optimisation(
                learning_rate=rate, schedule=self.sizes.schedule, decay_examples=4_000_000
            ),
            validate_every=self.sizes.validate_every,
            patience=self.sizes.patience,
            precision=self.sizes.precision,
            seed=seed,
        )


def make_plan(config: Config, assignment: VideoSplitAssignment, data: Dataset) -> AxonPlan:
    """Return the config with the numbers of its scale; log which scale that is.

    Args:
        config: with None where the scale decides.
        assignment: which videos train.
        data: the data set.

    Raises:
        DataError: a batch is larger than the training set.
        ConfigError: the student has more bytes than are allowed.
    """
    count = assignment.counts["train"]
    sizes = with_given(SMALL if is_small(config.scale, count) else PUBLISHED, config)
    if config.batch_size:
        batch = config.batch_size
        sizes = replace(sizes, student_batch_size=batch, moe_batch_size=batch)
    batch = max(sizes.batch_size, sizes.student_batch_size, sizes.moe_batch_size)
    if count < batch:
        raise DataError(
            f"has {count:,} videos with labels to train on; a batch takes {batch:,}",
            where=data.root,
            hint="Name more training shards with --train GLOB, or take a smaller --batch-size; "
            "`reeltag info DATA` lists them.",
        )
    student_bytes = model_bytes(_student(sizes), data)
    if student_bytes > config.max_bytes:
        raise ConfigError(
            f"the student of {sizes.student_hidden} units and {sizes.clusters} clusters has "
            f"{student_bytes:,} bytes, and {config.max_bytes:,} are allowed",
            where="--max-bytes",
            hint="Take fewer units (--student-hidden) or clusters (--clusters).",
        )
    return AxonPlan(
        config=config,
        sizes=sizes,
        assignment=assignment,
        frames=data.kind == "frames",
        student_bytes=student_bytes,
    )


def _student(sizes: AxonSizes) -> ModelConfig:
    return netvlad.Config(num_clusters=sizes.clusters, hidden=sizes.student_hidden)
