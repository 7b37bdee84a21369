"""What a model may offer in addition to its logits, and how it is found in one."""

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn


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
    """A model made of several, its members, each of which can be run alone."""

    def members(self, frames_BTD: Tensor, mask_BT: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of the mixture (B, C), and of each member (M, B, C)."""


@runtime_checkable
class PoolsFrames(Protocol):
    """A model that looks at each frame alone, pools what it finds, and classifies the result.

    In eval mode its logits are `pooled_logits(pooled_terms(frame_terms(frames), mask))`, but for
    rounding. So what is computed of a frame serves all windows that hold it.
    """

    def frame_terms(self, frames_BTD: Tensor) -> Tensor:
        """Return what is found in each frame (B, T, S), whatever the other frames are."""

    def pooled_terms(self, terms_BTS: Tensor, mask_BT: Tensor) -> Tensor:
        """Return what is found in the real frames together, (B, P); at least one each is real."""

    def pooled_logits(self, pooled_BP: Tensor) -> Tensor:
        """Return logits (B, C)."""


@runtime_checkable
class KnowsCooccurrence(Protocol):
    """A model that begins with which classes appear together in the training split."""

    def set_cooccurrence(self, counts_CC: Tensor) -> None:
        """Take (C, C): videos with both classes; on the diagonal, videos with the class."""


@runtime_checkable
class KnowsLabelVectors(Protocol):
    """A model that begins with a vector for each class."""

    def set_label_vectors(self, vectors_CV: Tensor) -> None:
        """Take (C, V); ValueError, which says what it needs, for another V."""


def penalty(model: nn.Module) -> Tensor:
    """Return the sum of the authors' L2 penalties of all heads in `model`, a scalar in nats.

    It is added to the mean loss of a batch (it goes through the optimiser, unlike weight decay).
    """
    found = [module.penalty() for module in model.modules() if isinstance(module, Penalised)]
    return torch.stack(found).sum() if found else torch.zeros(())


def output_layers(model: nn.Module) -> list[KnowsClassWeights]:
    """Return the output layers of `model`, one per member of a mixture; empty if it has none.

    A module that knows its class weights speaks for all that is inside it.
    """
    if isinstance(model, KnowsClassWeights):
        return [model]
    return [layer for child in model.children() for layer in output_layers(child)]
