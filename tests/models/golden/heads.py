"""Classifier heads alone, on one frame."""

from torch import Tensor, nn

from reeltag.layers.experts import LogisticHead
from reeltag.layers.gated_head import GatedMixture, GateSource
from tests.models.golden.file import Builder, Golden, l2, sizes


class VideoLevel(nn.Module):
    """A head on one frame."""

    def __init__(self, head: LogisticHead | GatedMixture) -> None:
        super().__init__()
        self.head = head

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        logits_BC: Tensor = self.head(frames_BTD.squeeze(1))
        return logits_BC

    def tensorflow_names(self) -> dict[str, str]:
        if isinstance(self.head, LogisticHead):
            return {"head.linear": "fully_connected"}
        return {f"head.{ours}": theirs for ours, theirs in self.head.tensorflow_names().items()}


def logistic_head(golden: Golden) -> nn.Module:
    on_bias = golden.meta["repo"].startswith("linrongc")
    return VideoLevel(LogisticHead(*sizes(golden), l2=l2(golden), l2_on_bias=on_bias))


def mixture(golden: Golden) -> nn.Module:
    dim, num_classes = sizes(golden)
    source: GateSource = "none"
    if golden.setting("moe_prob_gating"):
        given = golden.setting("moe_prob_gating_input") == "input"
        source = "input" if given else "probabilities"
    return VideoLevel(
        GatedMixture(
            dim,
            num_classes,
            golden.setting("num_mixtures", golden.setting("moe_num_mixtures")),
            l2=l2(golden),
            gate_rank=max(0, golden.setting("moe_low_rank_gating", 0)),
            probability_gate=source,
            remove_diagonal=golden.setting("gating_remove_diag", False),
        )
    )


BUILDERS: dict[str, Builder] = {
    "google_logistic": logistic_head,
    "google_moe": mixture,
    "lin_logistic": logistic_head,
    "lin_moe": mixture,
    "willow_moe": mixture,
}
