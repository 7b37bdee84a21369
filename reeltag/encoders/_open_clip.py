"""open_clip:ARCH/TAG, pictures and texts in one space: CLIP, SigLIP, MetaCLIP, EVA-CLIP, ...

open_clip:ViT-B-32/laion2b_s34b_b79k         weights from the internet, kept in $HF_HOME
open_clip:ViT-B-32//path/open_clip_model.safetensors      weights of a file
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from torch import Tensor

from reeltag.core.errors import ConfigError
from reeltag.encoders._devices import Place
from reeltag.encoders._torch_models import (
    PictureInput,
    TorchPictureEncoder,
    TorchTextEncoder,
    loading,
)
from reeltag.encoders.base import EncoderInfo, Precision

INFO = EncoderInfo(
    name="open_clip:ARCH/TAG",
    kind="picture",
    licence="differs: see the model's card",
    weights_from="internet (Hugging Face), or open_clip:ARCH/FILE",
    extra="encoders",
    packages=("open_clip",),
    description="pictures and texts in one space (CLIP, SigLIP): weak labels, search by text",
)
_BY_HAND = (
    "copy the model's folder of $HF_HOME/hub from a machine that has it, or give its file of "
    "weights, open_clip:ARCH//path/open_clip_model.safetensors."
)
_MEAN, _STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)  # CLIP's


def load(argument: str, *, device: str, precision: Precision) -> TorchPictureEncoder:
    """Return the encoder of ARCH/TAG.

    Args:
        argument: what is behind `open_clip:`.
        device: see `Place.of`.
        precision: see `Place.of`.

    Raises:
        ConfigError: there is no such model, or its weights cannot be fetched.
    """
    import open_clip

    place = Place.of(device, precision)
    arch, slash, tag = argument.partition("/")
    if not slash or not tag:
        raise ConfigError(
            f"open_clip:{argument} names no weights",
            hint=f"Write {INFO.name}, as in open_clip:ViT-B-32/laion2b_s34b_b79k.",
        )
    known = open_clip.list_pretrained_tags_by_model(arch)
    if "/" not in tag and tag not in known:
        names = ", ".join(known) or f"none of {arch!r}; see open_clip.list_pretrained()"
        raise ConfigError(f"open_clip has no weights {tag!r} of {arch!r}; there are {names}")
    with loading(f"open_clip:{argument}", _BY_HAND):
        net = open_clip.create_model(arch, pretrained=tag)
        tokenizer = open_clip.get_tokenizer(arch)
    return wrap(f"open_clip:{argument}", net, tokenizer, place)


def wrap(
    name: str,
    net: Any,  # noqa: ANN401
    tokenizer: Callable[[list[str]], Tensor],
    place: Place,
) -> TorchPictureEncoder:
    """Return the encoder of a model of open_clip.

    Args:
        name: of the encoder.
        net: model of pictures and texts.
        tokenizer: texts -> tokens.
        place: where it computes.
    """
    from open_clip import get_model_preprocess_cfg

    config = get_model_preprocess_cfg(net)
    size = config["size"]
    wants = PictureInput(
        (size, size) if isinstance(size, int) else (int(size[0]), int(size[1])),
        "stretch" if config.get("resize_mode") == "squash" else "crop",
        tuple(config.get("mean") or _MEAN),
        tuple(config.get("std") or _STD),
    )
    info = replace(INFO, name=name)
    texts = TorchTextEncoder(
        replace(info, kind="text"),
        net,
        lambda some: net.encode_text(tokenizer(list(some)).to(place.device)),
        place,
        "tokens of the model's own tokenizer",
    )
    return TorchPictureEncoder(info, net, net.encode_image, wants, place, texts=texts)
