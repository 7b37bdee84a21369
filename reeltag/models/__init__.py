"""The zoo. To add a family: write its file, add its name to the tuple below. Nothing else."""

from types import ModuleType
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from reeltag.core.errors import ConfigError
from reeltag.models import logistic, moe, netvlad, nextvlad


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


FAMILIES = (logistic, moe, nextvlad, netvlad)
VARIANTS: dict[str, ModelConfig] = {k: v for family in FAMILIES for k, v in family.VARIANTS.items()}


def penalty(model: nn.Module) -> Tensor:
    """Return the sum of the authors' L2 penalties of all heads in `model`, a scalar in nats.

    It is added to the mean loss of a batch (it goes through the optimiser, unlike weight decay).
    """
    found = [module.penalty() for module in model.modules() if isinstance(module, Penalised)]
    return torch.stack(found).sum() if found else torch.zeros(())


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
