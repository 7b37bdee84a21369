"""NeXtVLAD: the layer alone and the whole model."""

from torch import nn

from reeltag.layers.nextvlad import NeXtVLAD
from reeltag.models import nextvlad
from tests.models.golden.file import Builder, Golden, l2, sizes


def nextvlad_layer(golden: Golden) -> nn.Module:
    return NeXtVLAD(
        golden.setting("feature_size"),
        golden.setting("cluster_size"),
        golden.setting("groups"),
        expansion=golden.setting("expansion"),
        count_padding=True,
    )


def nextvlad_model(golden: Golden) -> nn.Module:
    moe = golden.setting("video_level_classifier_model") == "MoeModel"
    return nextvlad.Config(
        num_classes=sizes(golden)[1],
        dims=(golden.setting("video_dim"), golden.setting("audio_dim")),
        num_clusters=golden.setting("cluster_size"),
        groups=golden.setting("groups"),
        expansion=golden.setting("expansion"),
        hidden=golden.setting("hidden_size"),
        reduction=golden.setting("gating_reduction"),
        dropout=golden.setting("drop_rate"),
        head="moe" if moe else "logistic",
        num_experts=golden.setting("moe_num_mixtures", 4),
        l2=l2(golden),
        count_padding=True,
    ).build()


BUILDERS: dict[str, Builder] = {
    "lin_nextvlad": nextvlad_layer,
    "lin_model_nextvlad": nextvlad_model,
    "linv3_model_nextvlad": nextvlad_model,
}
