"""Everything that determines a training run, as one dataclass: the flags of `reeltag train`."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Annotated, Any, ClassVar, Literal

import tyro
from annotated_types import Ge, Le

from reeltag.augment.config import AugmentConfig
from reeltag.core.bounds import (
    Amount,
    CheckedFields,
    Fraction,
    NotNegative,
    Part,
    Positive,
    Rate,
    Rule,
    fits,
)
from reeltag.core.errors import ConfigError
from reeltag.core.fields import ADDED
from reeltag.data.sampling import FrameChoice
from reeltag.labels.folds import FoldConfig
from reeltag.soft_labels.config import SoftLabelConfig
from reeltag.training.relabel_config import RelabelConfig

LoggerName = Literal["tensorboard", "wandb", "mlflow"]
SWA_START = Rule(
    lambda start: 0 <= start < 1 or (float(start).is_integer() and start >= 1),
    "0, a fraction in (0, 1) or a whole number of steps",
)


@dataclass(frozen=True, kw_only=True)
class Optimisation(CheckedFields):
    """How the weights are moved. Defaults are those of the starter code where a family has none."""

    learning_rate: Rate = 2e-4
    """Step size of Adam at the start (one-cycle: at its peak)."""
    rates: tuple[str, ...] = field(default=(), metadata=ADDED)
    """PATTERN=FACTOR (*, ?): the model's tensors of such names learn at so many times the rate, as
    in head.graph=0.1. The first that names a tensor counts."""
    schedule: Literal["staircase", "constant", "one-cycle"] = "staircase"
    """staircase: times `decay` after every `decay_examples` examples seen; one-cycle: up over the
    first 30 % of the steps, then down by a cosine."""
    decay: Part = 0.8
    """Factor of the staircase, in (0, 1]."""
    decay_examples: Positive = 2_000_000
    """Examples seen between two stairs."""
    weight_decay: Amount = 0.0
    """Decoupled weight decay (AdamW) a step; 0 is plain Adam, as in the papers."""
    clip: Literal["per-tensor", "global", "none"] = "per-tensor"
    """What the gradient's norm is limited over: every tensor alone (the papers) or all at once."""
    clip_norm: Rate = 1.0
    """Largest norm that clipping lets through."""
    ema: Fraction = 0.0
    """Decay of the exponential moving average of the weights, per step, from the first weights on;
    0 keeps none. The averaged weights are validated and saved. Published: 0.9995, over two epochs
    from a trained run (--init) at a rate of 8e-5."""
    swa_from: Annotated[float, SWA_START] = field(default=0.0, metadata=ADDED)
    """Step from which on the weights are averaged, all alike (SWA); below 1: share of all steps,
    such as 0.75; 0 averages none. From there on the mean is validated and saved. Made for rates
    that stay up: --schedule constant."""
    swa_every: Positive = field(default=10, metadata=ADDED)
    """Steps between two weights that go into the mean."""

    def check(self) -> None:
        """Check that rates are such, and that one mean is taken at most; raise ConfigError."""
        for given in self.rates:
            words = "PATTERN=FACTOR, FACTOR > 0 (--frozen PATTERN for none)"
            self.check_field("rates", _factor(given) is not None, words)
        if self.ema and self.swa_from:
            raise ConfigError("ema and swa_from both average the weights; give one")

    def factors(self) -> list[tuple[str, float]]:
        """Return `rates` as patterns and factors."""
        parts = [(given.rpartition("=")[0], _factor(given)) for given in self.rates]
        return [(pattern, factor) for pattern, factor in parts if factor is not None]


def _factor(given: str) -> float | None:
    """Return the FACTOR of PATTERN=FACTOR; None where it is none."""
    pattern, _, text = given.rpartition("=")
    try:
        factor = float(text)
    except ValueError:
        return None
    return factor if pattern and 0 < factor < math.inf else None


@dataclass(frozen=True, kw_only=True)
class MemberLoss(CheckedFields):
    """What the members of a mixture learn but the labels; other models have no members."""

    prefix: ClassVar[str] = "members"
    weight: Amount = 0.0
    """Weight of the divergence of each member from the mixture; 0 leaves it out."""
    temperature: Rate = 3.0
    """What the logits are divided by for the divergence; the larger, the more the unlikely classes
    count."""
    stop_gradient: bool = False
    """Let only the members learn from the divergence, not the mixture (the authors' code lets
    both)."""


LossName = Literal[
    "cross-entropy",
    "epsilon-cross-entropy",
    "focal",
    "asymmetric",
    "softmax",
    "hinge",
    "hinge-ranking",
    "soft-ranking",
    "sigmoid-ranking",
    "pairwise",
    "pairwise-mean",
]

FOCUS = Annotated[float, Rule(lambda value: value == 0 or value >= 1, "0, or finite and >= 1")]
LOSS_NUMBERS: Mapping[LossName, Mapping[str, Any]] = {
    "cross-entropy": {},
    "epsilon-cross-entropy": {"epsilon": Rate},
    "focal": {"gamma": Amount, "alpha": Annotated[float, Ge(0), Le(1)]},
    "asymmetric": {"gamma_pos": FOCUS, "gamma_neg": FOCUS, "margin": Fraction},
    "softmax": {},
    "hinge": {"margin": Amount},
    "hinge-ranking": {"margin": Amount, "hardest": Positive},
    "soft-ranking": {"margin": Amount, "hardest": Positive},
    "sigmoid-ranking": {"hardest": Positive},
    "pairwise": {},
    "pairwise-mean": {},
}  # a loss -> those of its numbers that are flags, and what they may be


@dataclass(frozen=True, kw_only=True)
class LossConfig(CheckedFields):
    """What a wrong prediction costs. A number that is None is that of the loss's authors."""

    prefix: ClassVar[str] = "loss"
    name: LossName = "cross-entropy"
    """cross-entropy: binary, summed over classes (epsilon-: as the papers' code wrote it); focal,
    asymmetric: easy classes count less; softmax; hinge, of logits; ranking: every label of the
    batch above the batch's hardest negatives (hinge, soft = log(1 + exp), sigmoid); pairwise:
    every label of a video above its other classes (LSEP; sum or mean over the pairs)."""
    cross_entropy_weight: Amount = 0.0
    """Weight of the cross-entropy that is added to another loss. Samsung's mean over classes + 0.1
    x soft-ranking is, with our sum over C classes, a weight of 10 / C."""
    gamma: float | None = None
    """focal: how little an easy class counts (2)."""
    alpha: float | None = None
    """focal: share of the positives, the negatives have the rest (0.25)."""
    gamma_pos: float | None = None
    """asymmetric: focus on hard positives (0)."""
    gamma_neg: float | None = None
    """asymmetric: focus on hard negatives (4)."""
    margin: float | None = None
    """asymmetric: probability below which a negative costs nothing (0.05); hinge: what a logit, and
    hinge- and soft-ranking: what the difference of two logits must exceed (1)."""
    hardest: int | None = None
    """Rankings: negatives taken into account, per video of the batch (30)."""
    epsilon: float | None = None
    """epsilon-cross-entropy: what is added inside the logarithms (1e-5; in NeXtVLAD 1e-8)."""

    def check(self) -> None:
        """Check that the numbers are those of the loss; raise ConfigError."""
        numbers = LOSS_NUMBERS[self.name]
        for number in sorted({name for of in LOSS_NUMBERS.values() for name in of}):
            value = getattr(self, number)
            if value is not None and number not in numbers:
                users = [name for name, of in LOSS_NUMBERS.items() if number in of]
                raise ConfigError(
                    f"loss.{number} is {value}, but {self.name} has no such number",
                    hint=f"It belongs to {', '.join(users)}: choose one as loss.name, or leave "
                    f"loss.{number} out.",
                )
            if value is not None:
                self.check_field(number, fits(value, numbers[number]), numbers[number])
        if self.cross_entropy_weight and self.name == "cross-entropy":
            raise ConfigError(
                f"loss.cross_entropy_weight is {self.cross_entropy_weight}, but cross-entropy is "
                "the loss already",
                hint="It is added to another loss: choose one as loss.name.",
            )


@dataclass(frozen=True, kw_only=True)
class RelationConfig(CheckedFields):
    """A penalty that draws the weights of related classes together, for fine-tuning (`--init`)."""

    prefix: ClassVar[str] = "relation"
    weight: Amount = 0.0
    """Weight of the penalty; 0 leaves it out. Axon have 0.2. At first the penalty is (sum of the
    singular values of the output layer's weights)^2: look at `relation_penalty` in the logs."""
    form: Literal["omega", "nuclear"] = "omega"
    """omega: tr(W Omega^-1 W^T), as published; nuclear: the square of the nuclear norm, which is
    its value at the best Omega and costs next to nothing between two updates."""
    every: Positive = 10
    """Steps after which Omega (nuclear: the singular vectors) is computed from the weights."""


@dataclass(frozen=True, kw_only=True)
class NoisyConfig(CheckedFields):
    """What is done about labels that are wrong or missing. By default all count as they are."""

    prefix: ClassVar[str] = "noisy"
    present: Fraction = 0.0
    """Fraction of a batch's labels that do not count: those that cost most, so are likely wrong.
    About 1 - precision of the labels. Of several processes, and with `accumulate`, it is rounded
    down in each part of the batch."""
    absent: Amount = 0.0
    """As many classes that are no label do not count, measured in labels of the batch: those that
    cost most, so are likely missing. About precision * (1 - recall) / recall of the labels."""
    correct: bool = False
    """Take those missing ones as labels, in place of leaving them out."""
    consistency: Amount = 0.0
    """Weight, in nats, of how far the model on a window of a video is from its own slow copy on the
    whole video; 0 leaves it out. Costs about as much again as the training."""
    window: Part = 0.5
    """Fraction of a video's frames in such a window."""
    teacher_decay: Fraction = 0.999
    """Of the slow copy, an exponential moving average of the weights, per step."""
    rise: NotNegative = 200
    """Batches over which all of these rise from 0."""

    @property
    def selects(self) -> bool:
        """Whether some labels do not count."""
        return self.present > 0 or self.absent > 0

    def check(self) -> None:
        """Raise ConfigError for options that have no effect."""
        other = {field.name: field.default for field in fields(self)}
        for name, needs, flags in (
            ("correct", self.absent, "--noisy.absent"),
            ("window", self.consistency, "--noisy.consistency"),
            ("teacher_decay", self.consistency, "--noisy.consistency"),
            ("rise", self.selects or self.consistency, "--noisy.present, absent or consistency"),
        ):
            if getattr(self, name) != other[name] and not needs:
                what = f"noisy.{name} has no effect without {flags}"
                raise ConfigError(what, hint=f"Give {flags} too, or leave it out.")


@dataclass(frozen=True, kw_only=True)
class Recipe(CheckedFields):
    """A training run but for the model and the data."""

    items: Literal["videos", "segments"] = "videos"
    """Whole videos with their labels, or rated windows (segments) with their ratings."""
    soft: SoftLabelConfig = field(default_factory=SoftLabelConfig)
    """Labels of a teacher to learn from in addition to these."""
    fold: FoldConfig = field(default_factory=FoldConfig)
    """Folds of the training split, one of which is not trained on."""
    blank_std: Amount = field(default=0.0, metadata=ADDED)
    """Videos whose mean rgb frame has at most this standard deviation neither train nor evaluate; 0
    takes all. 0.1 finds what in YouTube-8M is no video; costs a pass over the rgb frames."""
    streams: tuple[str, ...] = ()
    """Streams to use, in this order; empty means all."""
    frames: FrameChoice = field(default_factory=FrameChoice)
    """Which frames of a training video are shown to the model."""
    validation_frames: FrameChoice = field(default_factory=FrameChoice)
    """Which frames of a validation video are shown to the model."""
    shuffle: Literal["global", "shards"] = "global"
    """global: any order; shards: a few shards at a time, for disks and object stores."""

    init: str = ""
    """Weights to start from: a run folder or a run on the hub (hf://user/name) with the same model,
    or a .safetensors file whose tensors are loaded by name; empty starts afresh."""
    eigenvalues: str = field(default="", metadata=ADDED)
    """.npy file with the eigenvalues of the PCA behind the first stream (YouTube-8M publishes those
    of rgb as yt8m_pca/eigenvals.npy); with it whitening is reversed, as NeXtVLAD's authors do."""
    frozen: tuple[str, ...] = field(default=(), metadata=ADDED)
    """Patterns (*, ?) of the model's tensors that keep their first values, such as those that
    `init` gave; what has nothing left to learn works as in service (norms, dropout)."""
    batch_size: Positive = 80
    """Videos a step, over all devices together."""
    epochs: Rate = 5.0
    """Passes over the training items; `max_steps` overrides it."""
    max_steps: NotNegative = 0
    """Optimiser steps in all; 0 means `epochs` decides."""
    accumulate: Positive = 1
    """Batches whose gradients are summed up for one step."""
    optim: Annotated[Optimisation, tyro.conf.arg(name="")] = field(default_factory=Optimisation)
    """Optimiser, schedule and clipping."""
    loss: LossConfig = field(default_factory=LossConfig)
    """What a wrong prediction costs."""
    labels: RelabelConfig = field(default_factory=RelabelConfig)
    """What the labels of the training items are made into first."""
    noisy: NoisyConfig = field(default=NoisyConfig(), metadata=ADDED)
    """What is done about labels that are wrong or missing."""
    members: MemberLoss = field(default_factory=MemberLoss)
    """On-line distillation, for mixtures of models."""
    relation: RelationConfig = field(default_factory=RelationConfig)
    """A penalty on the output layer that draws related classes together."""
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    """How training batches are varied."""

    validate_every: NotNegative = 0
    """Steps between validations; 0 means once an epoch."""
    validate_batches: NotNegative = 0
    """Batches a validation is limited to; 0 means all."""
    metric: Literal["gap", "map"] = "gap"
    """What decides which weights are kept: GAP@20 or mean average precision."""
    patience: NotNegative = 0
    """Stop after so many validations without improvement; 0 never stops early."""
    save_minutes: Amount = 5.0
    """Minutes between checkpoints: what a kill can cost at most."""
    log_every: Positive = 10
    """Steps between two lines of metrics.csv."""

    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Arithmetic of the large products; bf16 where the CPU or GPU has it, fp16 on GPUs only."""
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    """Where it runs; several devices or nodes by starting it with torchrun."""
    seed: int = 0
    """Random seed of the initial weights, the order of the videos, the frames and the dropout."""
