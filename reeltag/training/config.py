"""Everything that determines a training run, as one dataclass: the flags of `reeltag train`."""

import math
from dataclasses import dataclass, field
from typing import Annotated, Literal

import tyro

from reeltag.augment.config import AugmentConfig
from reeltag.core.errors import ConfigError
from reeltag.core.fields import ADDED
from reeltag.data.blank_videos import check_blank_std
from reeltag.data.sampling import FrameChoice
from reeltag.data.splits import Splits
from reeltag.labels.folds import FoldConfig
from reeltag.soft_labels.student import SoftLabelConfig
from reeltag.training.losses import LossConfig
from reeltag.training.relabelling import RelabelConfig
from reeltag.training.relation import RelationConfig


@dataclass(frozen=True, kw_only=True)
class Optimisation:
    """How the weights are moved. Defaults are those of the starter code where a family has none."""

    learning_rate: float = 2e-4
    """Step size of Adam at the start (one-cycle: at its peak)."""
    schedule: Literal["staircase", "constant", "one-cycle"] = "staircase"
    """staircase: times `decay` after every `decay_examples` examples seen; one-cycle: up over the
    first 30 % of the steps, then down by a cosine."""
    decay: float = 0.8
    """Factor of the staircase, in (0, 1]."""
    decay_examples: int = 2_000_000
    """Examples seen between two stairs."""
    weight_decay: float = 0.0
    """Decoupled weight decay (AdamW) a step; 0 is plain Adam, as in the papers."""
    clip: Literal["per-tensor", "global", "none"] = "per-tensor"
    """What the gradient's norm is limited over: every tensor alone (the papers) or all at once."""
    clip_norm: float = 1.0
    """Largest norm that clipping lets through."""
    ema: float = 0.0
    """Decay of the exponential moving average of the weights, per step, from the first weights on;
    0 keeps none. The averaged weights are validated and saved. Published: 0.9995, over two epochs
    from a trained run (--init) at a rate of 8e-5."""
    swa_from: float = field(default=0.0, metadata=ADDED)
    """Step from which on the weights are averaged, all alike (SWA); below 1: share of all steps,
    such as 0.75; 0 averages none. From there on the mean is validated and saved. Made for rates
    that stay up: --schedule constant."""
    swa_every: int = field(default=10, metadata=ADDED)
    """Steps between two weights that go into the mean."""

    def __post_init__(self) -> None:
        finite = 0 < self.learning_rate < math.inf
        _require(finite, "learning_rate", self.learning_rate, "> 0 and finite")
        _require(0 < self.decay <= 1, "decay", self.decay, "in (0, 1]")
        _require(self.decay_examples >= 1, "decay_examples", self.decay_examples, ">= 1")
        _require(self.clip_norm > 0, "clip_norm", self.clip_norm, "> 0")
        _require(0 <= self.ema < 1, "ema", self.ema, "in [0, 1)")
        _require(self.weight_decay >= 0, "weight_decay", self.weight_decay, ">= 0")
        step = self.swa_from >= 1 and float(self.swa_from).is_integer()
        allowed = "0, a share in (0, 1) or a whole number of steps"
        _require(step or 0 <= self.swa_from < 1, "swa_from", self.swa_from, allowed)
        _require(self.swa_every >= 1, "swa_every", self.swa_every, ">= 1")
        if self.ema and self.swa_from:
            raise ConfigError("ema and swa_from both average the weights; give one")


@dataclass(frozen=True, kw_only=True)
class MemberLoss:
    """What the members of a mixture learn beside the labels; other models have no members."""

    weight: float = 0.0
    """Weight of the divergence of each member from the mixture; 0 leaves it out."""
    temperature: float = 3.0
    """What the logits are divided by for the divergence; the larger, the more the unlikely classes
    count."""
    stop_gradient: bool = False
    """Let only the members learn from the divergence, not the mixture (the authors' code lets
    both)."""

    def __post_init__(self) -> None:
        _require(0 <= self.weight < math.inf, "members.weight", self.weight, ">= 0 and finite")
        positive = 0 < self.temperature < math.inf
        _require(positive, "members.temperature", self.temperature, "> 0 and finite")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A training run but for the model and the data."""

    splits: Annotated[Splits, tyro.conf.arg(name="")] = field(default_factory=Splits)
    """Which shards are trained on, validated and tested with."""
    items: Literal["videos", "segments"] = "videos"
    """Whole videos with their labels, or rated 5-second segments with their ratings."""
    soft: SoftLabelConfig = field(default_factory=SoftLabelConfig)
    """Labels of a teacher to learn from beside these."""
    fold: FoldConfig = field(default_factory=FoldConfig)
    """Folds of the training split, one of which is not trained on."""
    blank_std: float = field(default=0.0, metadata=ADDED)
    """Videos whose mean rgb frame has at most this standard deviation neither teach nor judge; 0
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
    """Weights to start from: a run folder with the same model, or a .safetensors file whose tensors
    are loaded by name; empty starts afresh."""
    eigenvalues: str = field(default="", metadata=ADDED)
    """.npy file with the eigenvalues of the PCA behind the first stream (YouTube-8M publishes those
    of rgb as yt8m_pca/eigenvals.npy); with it whitening is reversed, as NeXtVLAD's authors do."""
    frozen: tuple[str, ...] = field(default=(), metadata=ADDED)
    """Patterns (*, ?) of the model's tensors that keep their first values, such as those that
    `init` gave; what has nothing left to learn works as in service (norms, dropout)."""
    batch_size: int = 80
    """Videos a step, over all devices together."""
    epochs: float = 5.0
    """Passes over the training items; `max_steps` overrides it."""
    max_steps: int = 0
    """Optimiser steps in all; 0 means `epochs` decides."""
    accumulate: int = 1
    """Batches whose gradients are summed up for one step."""
    optim: Annotated[Optimisation, tyro.conf.arg(name="")] = field(default_factory=Optimisation)
    """Optimiser, schedule and clipping."""
    loss: LossConfig = field(default_factory=LossConfig)
    """What a wrong answer costs."""
    labels: RelabelConfig = field(default_factory=RelabelConfig)
    """What the labels of the training items are made into first."""
    members: MemberLoss = field(default_factory=MemberLoss)
    """On-line distillation, for mixtures of models."""
    relation: RelationConfig = field(default_factory=RelationConfig)
    """A penalty on the output layer that draws related classes together."""
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    """How training batches are varied."""

    validate_every: int = 0
    """Steps between validations; 0 means once an epoch."""
    validate_batches: int = 0
    """Batches a validation is limited to; 0 means all."""
    metric: Literal["gap", "map"] = "gap"
    """What decides which weights are kept: GAP@20 or mean average precision."""
    patience: int = 0
    """Stop after so many validations without improvement; 0 never stops early."""
    save_minutes: float = 5.0
    """Minutes between checkpoints: what a kill can cost at most."""
    log_every: int = 10
    """Steps between two lines of metrics.csv."""

    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Arithmetic of the large products; bf16 where the CPU or GPU has it, fp16 on GPUs only."""
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    """Where it runs; several devices or nodes by starting it with torchrun."""
    seed: int = 0
    """Of the initial weights, the order of the videos, the frames and the dropout."""

    def __post_init__(self) -> None:
        check_blank_std(self.blank_std)
        _require(self.batch_size >= 1, "batch_size", self.batch_size, ">= 1")
        _require(0 < self.epochs < math.inf, "epochs", self.epochs, "> 0 and finite")
        for name in ("max_steps", "validate_every", "validate_batches", "patience"):
            _require(getattr(self, name) >= 0, name, getattr(self, name), ">= 0")
        _require(self.accumulate >= 1, "accumulate", self.accumulate, ">= 1")
        _require(self.log_every >= 1, "log_every", self.log_every, ">= 1")
        _require(self.save_minutes >= 0, "save_minutes", self.save_minutes, ">= 0")


def _require(holds: bool, name: str, value: object, allowed: str) -> None:
    if not holds:
        raise ConfigError(f"{name} must be {allowed}, got {value}")
