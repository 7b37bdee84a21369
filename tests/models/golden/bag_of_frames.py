"""Bags of frames: the layers alone and the whole models."""

import torch
from torch import Tensor, nn

from reeltag.layers.bag_of_frames import BagOfFrames, GatedBagOfWords, SoftBagOfWords, unit
from reeltag.layers.input_norm import Affine
from reeltag.models import dbof, soft_dbow
from tests.models.golden.file import Builder, Golden, l2, sizes
from tests.models.golden.netvlad import head


class MeanAndMaximum(BagOfFrames):
    """WILLOW's DBoF layer, in no model of theirs that runs: mean and maximum, of norm 1 each."""

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor, affine: Affine | None = None) -> Tensor:
        before = {name: value.clone() for name, value in self.named_buffers()}
        self.pooling = "mean"
        mean_BK = super().forward(frames_BTD, mask_BT, affine)
        for name, value in self.named_buffers():  # the second pass counts alone
            value.copy_(before[name])
        self.pooling = "max"
        max_BK = super().forward(frames_BTD, mask_BT, affine)
        return torch.cat([unit(mean_BK), unit(max_BK)], dim=-1)


def dbof_layer(golden: Golden) -> nn.Module:
    size, words = golden.setting("feature_size"), golden.setting("cluster_size")
    return MeanAndMaximum(size, words, activation="none")


def soft_layer(golden: Golden) -> nn.Module:
    size, words = golden.setting("feature_size"), golden.setting("cluster_size")
    return SoftBagOfWords(size, words, maximum=golden.setting("max_pool"))


def gated_layer(golden: Golden) -> nn.Module:
    return GatedBagOfWords(golden.setting("feature_size"), golden.setting("cluster_size"))


def soft_model(golden: Golden) -> nn.Module:
    maximum, relu = golden.setting("softdbof_maxpool", False), golden.setting("dbof_relu", True)
    return soft_dbow.Config(maximum=maximum, relu=relu, **head(golden)).build()


def gated_model(golden: Golden) -> nn.Module:
    relu = golden.setting("dbof_relu", True)
    return soft_dbow.Config(pooling="gated", relu=relu, **head(golden)).build()


def starter_model(golden: Golden) -> nn.Module:
    dim, num_classes = sizes(golden)
    return dbof.Config(
        num_classes=num_classes,
        dims=(dim,),
        num_clusters=golden.arrays["var.cluster_weights"].shape[1],
        hidden=golden.arrays["var.hidden1_weights"].shape[1],
        activation=golden.setting("activation"),
        pooling="max" if golden.setting("pooling") == "max" else "mean",
        batch_norm=golden.setting("add_batch_norm", True),
        num_experts=golden.setting("moe_num_mixtures", 2),
        l2=l2(golden),
    ).build()


BUILDERS: dict[str, Builder] = {
    "willow_dbof": dbof_layer,
    "willow_softdbow": soft_layer,
    "willow_gateddbow": gated_layer,
    "willow_model_softdbow": soft_model,
    "willow_model_gateddbow": gated_model,
    "google_dbof": starter_model,
}
