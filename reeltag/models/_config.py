"""What every Config of a model has: classes, streams, and how to build it."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from reeltag.core.bounds import CheckedFields
from reeltag.models._fields import Positive, Widths


@dataclass(frozen=True, kw_only=True)
class ModelConfig(CheckedFields):
    """The sizes of a model; a family extends it by fields of its own and by `build`.

    Fields are checked by their annotations, and by a `check` of the family's own.
    """

    prefix: ClassVar[str] = "model"
    KEY_NAME: ClassVar[str]  # in keys of steps: nextvlad.Config, wherever the file is

    num_classes: Positive = 3862
    """Number of classes."""
    dims: Widths = (1024, 128)
    """Width of each stream."""

    def __init_subclass__(cls) -> None:
        """Name the class by its file and itself, as families are alike in the name Config."""
        cls.KEY_NAME = f"{cls.__module__.rpartition('.')[2]}.{cls.__qualname__}"

    def build(self) -> nn.Module:
        """Return the model with freshly drawn weights: (frames (B, T, D), mask (B, T)) -> (B, C).

        The mask, true at real frames, may be left out: `resolve_mask`.
        """
        raise NotImplementedError


def resolve_mask(frames_BTD: Tensor, mask_BT: Tensor | None) -> Tensor:
    """Return the mask (B, T), true at real frames; where it is None, all of them are real."""
    if mask_BT is None:
        return torch.ones(frames_BTD.shape[:2], dtype=torch.bool, device=frames_BTD.device)
    return mask_BT


def path_of(config: type) -> str:
    """Return the import path of a class.

    >>> path_of(ModelConfig)
    'reeltag.models._config:ModelConfig'
    """
    return f"{config.__module__}:{config.__qualname__}"
