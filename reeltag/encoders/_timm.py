"""timm:NAME, any model of pytorch-image-models: features before its last layer, and its classes.

    timm:vit_small_patch14_dinov2        weights from the internet, kept in $HF_HOME
    timm:resnet18@/path/weights.safetensors      weights of a file

Pictures are as the model's own configuration wants them, but for its margin: the whole height or
width is seen, not the middle 87 to 95 %, for what happens at the edge of a picture happens too.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from reeltag.core.errors import ConfigError
from reeltag.encoders._devices import Place
from reeltag.encoders._imagenet import imagenet_groups, imagenet_names
from reeltag.encoders._torch_models import (
    OwnClasses,
    PictureInput,
    TorchPictureEncoder,
    loading,
)
from reeltag.encoders.base import EncoderInfo, Precision

INFO = EncoderInfo(
    name="timm:NAME",
    kind="picture",
    licence="differs: see the model's card",
    weights_from="internet (Hugging Face), or timm:NAME@FILE",
    extra="encoders",
    packages=("timm",),
    description="any picture model of timm: ConvNeXt, ViT, EVA, DINOv2 and v3, ...",
)
_BY_HAND = (
    "copy the model's folder of $HF_HOME/hub from a machine that has it, or give its file of "
    "weights, timm:NAME@/path/model.safetensors."
)


def load(argument: str, *, device: str, precision: Precision) -> TorchPictureEncoder:
    """Return the encoder of a name, or NAME@FILE.

    Args:
        argument: what is behind `timm:`.
        device: see `Place.of`.
        precision: see `Place.of`.

    Raises:
        ConfigError: there is no such model, or its weights cannot be fetched.
    """
    import timm

    place = Place.of(device, precision)
    model, _, file = argument.partition("@")
    if file and not Path(file).is_file():
        raise ConfigError(
            "is not there", where=file, hint=f"{INFO.name} without internet: {_BY_HAND}"
        )
    with loading(f"timm:{argument}", _BY_HAND):
        options = {"pretrained_cfg_overlay": {"file": file}} if file else {}
        net = timm.create_model(model, pretrained=True, in_chans=3, **options)
    return wrap(f"timm:{argument}", net, place)


def wrap(name: str, net: Any, place: Place) -> TorchPictureEncoder:  # noqa: ANN401
    """Return the encoder of a model of timm.

    Args:
        name: of the encoder.
        net: model with or without a last layer.
        place: where it computes.
    """
    from timm.data import resolve_model_data_config

    config = resolve_model_data_config(net)
    _, height, width = config["input_size"]
    wants = PictureInput(
        (height, width),
        "stretch" if config.get("crop_mode") == "squash" else "crop",
        tuple(config["mean"]),
        tuple(config["std"]),
    )
    return TorchPictureEncoder(
        replace(INFO, name=name),
        net,
        lambda x_NCHW: net.forward_head(net.forward_features(x_NCHW), pre_logits=True),
        wants,
        place,
        own=_own_classes(net),
    )


def _own_classes(net: Any) -> OwnClasses | None:  # noqa: ANN401
    """Return the classes of a model whose last layer is linear and of a list that timm names."""
    from timm.data import ImageNetInfo, infer_imagenet_subset

    layer, subset = net.get_classifier(), infer_imagenet_subset(net)
    if not isinstance(layer, nn.Linear) or subset is None:
        return None
    if subset == "imagenet-1k":
        return OwnClasses(layer, imagenet_names(), one_class=True, groups=imagenet_groups())
    info = ImageNetInfo(subset)
    found = [info.index_to_description(at) for at in range(layer.out_features)]
    names = tuple(
        name if found.count(name) == 1 else f"{name} ({info.index_to_label_name(at)})"
        for at, name in enumerate(found)
    )
    return OwnClasses(layer, names, one_class=True)
