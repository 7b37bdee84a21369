"""NetFV: the layer alone and the whole model."""

from torch import nn

from reeltag.layers.fisher import NetFV
from reeltag.models import netfv
from tests.models.golden.file import Builder, Golden
from tests.models.golden.netvlad import head


def netfv_layer(golden: Golden) -> nn.Module:
    return NetFV(
        golden.setting("feature_size"),
        golden.setting("cluster_size"),
        coupled=golden.setting("fv_couple_weights"),
    )


def netfv_model(golden: Golden) -> nn.Module:
    coupled, relu = golden.setting("fv_couple_weights", True), golden.setting("fv_relu", True)
    return netfv.Config(coupled=coupled, relu=relu, **head(golden)).build()


BUILDERS: dict[str, Builder] = {"willow_netfv": netfv_layer, "willow_model_netfv": netfv_model}
