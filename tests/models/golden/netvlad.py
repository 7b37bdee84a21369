"""NetVLAD, NetRVLAD and NetVLAGD: the layers alone and the whole models."""

from typing import Any

from torch import nn

from reeltag.layers.vlad import Kind, NetVLAD
from reeltag.models import netvlad
from tests.models.golden.file import Builder, Golden, l2, sizes


def head(golden: Golden) -> dict[str, Any]:
    """Return the settings that all WILLOW pooling models share."""
    gated = golden.setting("moe_prob_gating", False)
    source = "input" if golden.setting("moe_prob_gating_input") == "input" else "probabilities"
    return {
        "num_classes": sizes(golden)[1],
        "dims": (golden.setting("video_dim", 1024), golden.setting("audio_dim", 128)),
        "num_clusters": golden.setting("cluster_size"),
        "hidden": golden.setting("hidden_size"),
        "gate": golden.setting("gating", False),
        "num_experts": golden.setting("moe_num_mixtures", 2),
        "gate_rank": max(0, golden.setting("moe_low_rank_gating", 0)),
        "probability_gate": source if gated else "none",
        "remove_diagonal": golden.setting("gating_remove_diag", False),
        "l2": l2(golden),
    }


def netvlad_layer(kind: Kind) -> Builder:
    return lambda golden: NetVLAD(
        golden.setting("feature_size"), golden.setting("cluster_size"), kind
    )


def netvlad_model(golden: Golden) -> nn.Module:
    kind: Kind = "vlad"
    if golden.setting("lightvlad", False):
        kind = "rvlad"
    elif golden.setting("vlagd", False):
        kind = "vlagd"
    relu = golden.setting("netvlad_relu", True)
    return netvlad.Config(pooling=kind, relu=relu, **head(golden)).build()


BUILDERS: dict[str, Builder] = {
    "willow_netvlad": netvlad_layer("vlad"),
    "willow_netrvlad": netvlad_layer("rvlad"),
    "willow_netvlagd": netvlad_layer("vlagd"),
    "willow_netvlad_gated": netvlad_model,  # the file with the true 1024 + 128 input
    "willow_model_netvlad": netvlad_model,
    "willow_model_netrvlad": netvlad_model,
    "willow_model_netvlagd": netvlad_model,
}
