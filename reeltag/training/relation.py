"""The label relation regulariser as an objective: any loss, and a penalty on the output layer.

The penalty is Axon's (`losses.relation`). They fine-tuned a trained model with it:

    reeltag train MODEL --data DATA --init RUN --out RUN2 --relation.weight W
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from reeltag.core.batch import FrameBatch
from reeltag.core.errors import ConfigError
from reeltag.losses.label_relation import (
    nuclear_direction,
    nuclear_penalty,
    omega_factor,
    omega_penalty,
)
from reeltag.models import KnowsClassWeights, families, output_layers
from reeltag.tagger.tagger import Tagger
from reeltag.training.config import RelationConfig
from reeltag.training.losses import Objective

FORMS = {"omega": (omega_factor, omega_penalty), "nuclear": (nuclear_direction, nuclear_penalty)}


def with_relation(
    objective: Objective, tagger: Tagger, config: RelationConfig, *, accumulate: int = 1
) -> Objective:
    """Return `objective` plus the penalty on the output layer; itself where its weight is 0.

    Args:
        objective: what the model learns otherwise.
        tagger: whose model has a linear output layer or a mixture of experts, or several: the
            members of a mixture have one each, and the penalties are added up.
        config: of the penalty.
        accumulate: batches a step.

    Raises:
        ConfigError: the model has no such layer; names the families that have one.
    """
    if not config.weight:
        return objective
    layers = output_layers(tagger.model)
    if not layers:
        able = [of.name for of in families() if output_layers(of.tiny.build())]
        raise ConfigError(
            f"relation.weight is {config.weight}, but {tagger.family} has no linear output layer "
            "or mixture of experts, with these options, whose weights the penalty could draw "
            "together",
            hint=f"Leave it out, or take one of {', '.join(able)}.",
        )
    return Related(objective, layers, config, accumulate)


class Related:
    """An objective with the penalty added; its state is kept for some steps.

    Args:
        objective: gives the loss without the penalty.
        layers: the output layers.
        config: of the penalty.
        accumulate: batches a step.
    """

    name = "relation"

    def __init__(
        self,
        objective: Objective,
        layers: Sequence[KnowsClassWeights],
        config: RelationConfig,
        accumulate: int = 1,
    ) -> None:
        self.objective, self.layers, self.config = objective, layers, config
        self.every = config.every * accumulate
        self.batches = 0
        self.kept: list[Tensor] = []

    def __call__(self, batch: FrameBatch, model: nn.Module) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss with the penalty, and the logs with `relation_penalty`, in nats."""
        loss, logs = self.objective(batch, model)
        make, penalty = FORMS[self.config.form]
        weights = [layer.class_weights() for layer in self.layers]
        if self.batches % self.every == 0:
            device = weights[0].device.type
            with torch.no_grad(), torch.autocast(device, enabled=False):
                self.kept = [make(weight_CH) for weight_CH in weights]
        self.batches += 1
        self.kept = [kept.to(of.device) for kept, of in zip(self.kept, weights, strict=True)]
        paid = torch.stack([penalty(*pair) for pair in zip(weights, self.kept, strict=True)]).sum()
        added = self.config.weight * paid
        return loss + added, logs | {"relation_penalty": added.detach()}

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed training needs to go on exactly as this one."""
        return {"batches": self.batches, "kept": self.kept}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        self.batches, self.kept = state["batches"], list(state["kept"])
