"""MixNeXtVLAD with its on-line distillation."""

import torch
from torch import Tensor, nn

from reeltag.losses.distillation import mixture_divergence
from reeltag.models import mix_nextvlad
from tests.models.golden.file import Builder, Golden, l2, sizes


class Distilled(nn.Module):
    """Mixture that keeps the logits of its members."""

    def __init__(self, mixture: nn.Module, temperature: float, weight: float) -> None:
        super().__init__()
        self.mixture, self.temperature, self.weight = mixture, temperature, weight

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        logits, self.members = self.mixture.members(frames_BTD, mask_BT)  # type: ignore[operator]
        divergence = mixture_divergence(
            logits, self.members, temperature=self.temperature, epsilon=1e-8
        )
        self.distillation = self.weight * divergence.mean()
        assert isinstance(logits, Tensor)
        return logits

    def more_outputs(self) -> dict[str, Tensor]:
        probs = {f"aux_predictions{m}": x.sigmoid() for m, x in enumerate(self.members)}
        return {"regularization_loss": self.distillation, **probs}

    def more_loss(self, golden: Golden) -> Tensor:
        return self.distillation + torch.stack([*map(golden.label_loss, self.members)]).sum()

    def tensorflow_names(self) -> dict[str, str]:
        names = self.mixture.tensorflow_names()  # type: ignore[operator]
        return {f"mixture.{ours}": theirs for ours, theirs in names.items()}


def mix_nextvlad_model(golden: Golden) -> nn.Module:
    mixture = mix_nextvlad.Config(
        num_classes=sizes(golden)[1],
        dims=(golden.setting("video_dim"), golden.setting("audio_dim")),
        num_members=golden.setting("mix_number"),
        num_clusters=golden.setting("cluster_size"),
        groups=golden.setting("groups"),
        expansion=golden.setting("expansion"),
        hidden=golden.setting("hidden_size"),
        reduction=golden.setting("gating_reduction"),
        dropout=golden.setting("drop_rate"),
        l2=l2(golden),
        count_padding=True,
    ).build()
    return Distilled(mixture, golden.setting("cl_temperature"), golden.setting("cl_lambda"))


BUILDERS: dict[str, Builder] = {"lin_model_mix": mix_nextvlad_model}
