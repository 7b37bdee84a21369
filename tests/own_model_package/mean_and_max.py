"""A model of somebody else's: mean and maximum of the frames, one hidden layer."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from reeltag.models import ModelConfig, register_model, resolve_mask


@register_model(
    "mean_and_max",
    recipe={"batch_size": 8, "optim": {"learning_rate": 0.01}},
    tiny={"hidden": 16},
    variants={"mean_and_max_256": {}, "mean_and_max_1024": {"hidden": 1024}},
)
@dataclass(frozen=True, kw_only=True)
class Config(ModelConfig):
    """Mean and maximum over time, one hidden layer."""

    hidden: int = 256
    """Units of the hidden layer."""

    def build(self) -> nn.Module:
        return MeanAndMax(self)


class MeanAndMax(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        self.hidden = nn.Linear(2 * sum(config.dims), config.hidden)
        self.output = nn.Linear(config.hidden, config.num_classes)

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor | None = None) -> Tensor:
        mask_BT1 = resolve_mask(frames_BTD, mask_BT).unsqueeze(-1)
        mean_BD = (frames_BTD * mask_BT1).sum(dim=1) / mask_BT1.sum(dim=1)
        max_BD = torch.where(mask_BT1, frames_BTD, -torch.inf).amax(dim=1)
        logits_BC: Tensor = self.output(self.hidden(torch.cat((mean_BD, max_BD), dim=-1)).relu())
        return logits_BC.float()
