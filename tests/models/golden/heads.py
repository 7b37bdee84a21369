"""Classifier heads alone, on one frame."""

from torch import Tensor, nn

from reeltag.layers.experts import LogisticHead, MixtureOfExperts
from reeltag.layers.gating import ProbabilityGate
from tests.models.golden.file import Builder, Golden, l2, sizes


class VideoLevel(nn.Module):
    """A head, and a gate behind it, on one frame."""

    def __init__(self, head: nn.Module, gate: ProbabilityGate | None = None) -> None:
        super().__init__()
        self.head, self.gate = head, gate

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        x_BD = frames_BTD.squeeze(1)
        logits_BC: Tensor = self.head(x_BD)
        return logits_BC if self.gate is None else self.gate(logits_BC, x_BD)

    def tensorflow_names(self) -> dict[str, str]:
        if isinstance(self.head, LogisticHead):
            return {"head.linear": "fully_connected"}
        names = {"head.gates": "gates", "head.experts": "experts"}
        if self.gate is not None:
            names |= {
                "gate.linear.weight": "gating_prob_weights",
                "gate.norm": "gating_prob_bn",
            }
        return names


def logistic_head(golden: Golden) -> nn.Module:
    on_bias = golden.meta["repo"].startswith("linrongc")
    return VideoLevel(LogisticHead(*sizes(golden), l2=l2(golden), l2_on_bias=on_bias))


def mixture(golden: Golden) -> nn.Module:
    experts = golden.setting("num_mixtures", golden.setting("moe_num_mixtures"))
    dim, num_classes = sizes(golden)
    gate = None
    if golden.setting("moe_prob_gating"):
        gate = ProbabilityGate(
            num_classes,
            dim if golden.setting("moe_prob_gating_input") == "input" else None,
            remove_diagonal=golden.setting("gating_remove_diag", False),
        )
    return VideoLevel(MixtureOfExperts(dim, num_classes, experts, l2=l2(golden)), gate)


BUILDERS: dict[str, Builder] = {
    "google_logistic": logistic_head,
    "google_moe": mixture,
    "lin_logistic": logistic_head,
    "lin_moe": mixture,
    "willow_moe": mixture,
}
