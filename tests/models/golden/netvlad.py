"""NetVLAD: the layer alone and the whole model."""

from torch import nn

from reeltag.layers.vlad import NetVLAD
from reeltag.models import netvlad
from tests.models.golden.file import Builder, Golden, l2, sizes


def netvlad_layer(golden: Golden) -> nn.Module:
    return NetVLAD(golden.setting("feature_size"), golden.setting("cluster_size"))


def netvlad_model(golden: Golden) -> nn.Module:
    return netvlad.Config(
        num_classes=sizes(golden)[1],
        dims=(golden.setting("video_dim"), golden.setting("audio_dim")),
        num_clusters=golden.setting("cluster_size"),
        hidden=golden.setting("hidden_size"),
        relu=golden.setting("netvlad_relu"),
        gate=golden.setting("gating", False),
        probability_gate="probabilities" if golden.setting("moe_prob_gating") else "none",
        l2=l2(golden),
    ).build()


BUILDERS: dict[str, Builder] = {
    "willow_netvlad": netvlad_layer,
    "willow_model_netvlad": netvlad_model,
}
