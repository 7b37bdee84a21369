"""The zoo. To add a family: write its file, add its name to the tuple below. Nothing else."""

import difflib
from types import ModuleType
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from reeltag.core.errors import ConfigError
from reeltag.models import (
    attention_net,
    attentive_fcn,
    autohome_mix,
    bigru,
    bilstm,
    bottleneck,
    cyclic_fcn,
    dbof,
    dbof_gcn,
    early_concat_fcn,
    early_concat_lstm,
    gru,
    kmeans_resnet,
    linear_combinations,
    logistic,
    lstm,
    lstm_bi_attention,
    mix_nextvlad,
    moe,
    multi_attention,
    netfv,
    netvlad,
    nextvlad,
    non_local_netvlad,
    resnet_like,
    samsung_transformer,
    second_level,
    soft_dbow,
    sub_nets,
    time_distributed_conv,
    time_distributed_max,
    time_distributed_sort,
    transformer,
    vlad_bow,
)


class ModelConfig(Protocol):
    """A frozen dataclass that can build its model: (frames (B, T, D), mask (B, T)) -> (B, C)."""

    @property
    def num_classes(self) -> int:
        """Number of classes."""

    @property
    def dims(self) -> tuple[int, ...]:
        """Width of each stream."""

    def build(self) -> nn.Module:
        """Return the model with freshly drawn weights."""


@runtime_checkable
class Penalised(Protocol):
    """A module with a penalty of its own."""

    def penalty(self) -> Tensor:
        """Return a scalar in nats."""


@runtime_checkable
class KnowsClassWeights(Protocol):
    """A linear output layer, a mixture of them, or a model that ends in one."""

    def class_weights(self) -> Tensor:
        """Return the weights of each class (C, H) for the H inputs of the layer."""


@runtime_checkable
class Mixture(Protocol):
    """A model made of several, its members, each of which can be asked."""

    def members(self, frames_BTD: Tensor, mask_BT: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of the mixture (B, C), and of each member (M, B, C)."""


@runtime_checkable
class KnowsCooccurrence(Protocol):
    """A model that begins with which classes appear together in the training split."""

    def set_cooccurrence(self, counts_CC: Tensor) -> None:
        """Take (C, C): videos with both classes; on the diagonal, videos with the class."""


FAMILIES = (
    logistic,
    moe,
    nextvlad,
    mix_nextvlad,
    autohome_mix,
    netvlad,
    non_local_netvlad,
    netfv,
    soft_dbow,
    dbof,
    dbof_gcn,
    attention_net,
    multi_attention,
    resnet_like,
    bottleneck,
    attentive_fcn,
    cyclic_fcn,
    early_concat_fcn,
    sub_nets,
    second_level,
    linear_combinations,
    vlad_bow,
    kmeans_resnet,
    time_distributed_conv,
    time_distributed_sort,
    time_distributed_max,
    samsung_transformer,
    transformer,
    lstm,
    gru,
    bilstm,
    bigru,
    early_concat_lstm,
    lstm_bi_attention,
)
VARIANTS: dict[str, ModelConfig] = {k: v for family in FAMILIES for k, v in family.VARIANTS.items()}


def penalty(model: nn.Module) -> Tensor:
    """Return the sum of the authors' L2 penalties of all heads in `model`, a scalar in nats.

    It is added to the mean loss of a batch (it goes through the optimiser, unlike weight decay).
    """
    found = [module.penalty() for module in model.modules() if isinstance(module, Penalised)]
    return torch.stack(found).sum() if found else torch.zeros(())


def output_layers(model: nn.Module) -> list[KnowsClassWeights]:
    """Return the output layers of `model`, one a member for a mixture; empty if it has none.

    A module that knows its class weights speaks for all that is inside it.
    """
    if isinstance(model, KnowsClassWeights):
        return [model]
    return [layer for child in model.children() for layer in output_layers(child)]


def family_name(family: ModuleType) -> str:
    """Return the name of a family: that of its file."""
    return family.__name__.rpartition(".")[-1]


def family_named(name: str) -> ModuleType:
    """Return the family called `name`; ConfigError naming all families where there is none."""
    for family in FAMILIES:
        if family_name(family) == name:
            return family
    names = ", ".join(map(family_name, FAMILIES))
    raise ConfigError(f"there is no model family {name!r}", hint=f"There are: {names}.")


def family_or_variant(name: str) -> tuple[ModuleType, ModelConfig]:
    """Return the family and the sizes that `name`, a family or one of its variants, stands for.

    Raises:
        ConfigError: there is neither; names those that look like it, and all families.
    """
    for family in FAMILIES:
        if name in family.VARIANTS:
            return family, family.VARIANTS[name]
    names = list(map(family_name, FAMILIES))
    if name in names:
        family = family_named(name)
        return family, family.Config()
    alike = difflib.get_close_matches(name, [*names, *VARIANTS], n=3)
    raise ConfigError(
        f"there is no model family or variant {name!r}",
        hint=(f"Did you mean {' or '.join(alike)}? " if alike else "")
        + f"Families: {', '.join(names)}. `reeltag models` lists their variants.",
    )
