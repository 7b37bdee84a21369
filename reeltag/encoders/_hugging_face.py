"""hf:REPO, a model of transformers for pictures, sound or texts, by its class.

    hf:google/siglip2-base-patch16-224      pictures, and texts in the same space
    hf:facebook/dinov2-small                pictures
    hf:laion/clap-htsat-unfused             sound, and texts in the same space
    hf:MIT/ast-finetuned-audioset-10-10-0.4593      sound, with AudioSet's classes
    hf:sentence-transformers/all-MiniLM-L6-v2       texts
    hf:/path/folder                         as `save_pretrained` writes it, without internet

Features are the pooled output of the net (of texts the mean over tokens), before a last layer.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from reeltag.core.errors import ConfigError
from reeltag.encoders._devices import Place
from reeltag.encoders._torch_models import (
    OwnClasses,
    PictureInput,
    TorchPictureEncoder,
    TorchTextEncoder,
    loading,
)
from reeltag.encoders._torch_sound import TorchSoundEncoder
from reeltag.encoders.base import Encoder, EncoderInfo, Float32, Precision

INFO = EncoderInfo(
    name="hf:REPO",
    kind=None,
    licence="differs: see the model's card",
    weights_from="internet (Hugging Face), or hf:/FOLDER",
    extra="encoders",
    packages=("transformers",),
    description="a model of transformers: CLIP, SigLIP2, DINOv2 and v3, CLAP, AST, texts, ...",
)
_BY_HAND = (
    "copy the model's folder of $HF_HOME/hub from a machine that has it, or give a folder that "
    "save_pretrained wrote, hf:/path/folder."
)
_HEADS = {
    "ForImageClassification": "AutoModelForImageClassification",
    "ForAudioClassification": "AutoModelForAudioClassification",
}


def load(argument: str, *, device: str, precision: Precision) -> Encoder:
    """Return the encoder of a repository or a folder.

    Args:
        argument: what is behind `hf:`.
        device: see `Place.of`.
        precision: see `Place.of`.

    Raises:
        ConfigError: there is no such model, its weights cannot be fetched, or it encodes neither
            pictures nor sound nor texts.
    """
    import transformers

    place, name = Place.of(device, precision), f"hf:{argument}"
    with loading(name, _BY_HAND):
        config = transformers.AutoConfig.from_pretrained(argument)
        net = _net(argument, config)
    has_texts, wants = hasattr(net, "get_text_features"), net.main_input_name

    def part(auto: str) -> Any:  # noqa: ANN401
        with loading(name, _BY_HAND):
            return getattr(transformers, auto).from_pretrained(argument)

    tokenizer = part("AutoTokenizer") if has_texts or wants == "input_ids" else None
    if hasattr(net, "get_audio_features") or wants in ("input_values", "input_features"):
        return wrap_sound(name, net, part("AutoFeatureExtractor"), tokenizer, place)
    if hasattr(net, "get_image_features") or wants == "pixel_values":
        return wrap_pictures(name, net, part("AutoImageProcessor"), tokenizer, place)
    if tokenizer is None:
        raise ConfigError(f"{name} encodes neither pictures nor sound nor texts, but {wants}")
    return wrap_texts(name, net, tokenizer, place)


def _net(argument: str, config: Any) -> Any:  # noqa: ANN401
    """Return the net of a repository, all of whose weights are loaded."""
    import transformers

    written = (config.architectures or [""])[0]
    head = next((auto for ending, auto in _HEADS.items() if written.endswith(ending)), "AutoModel")
    auto = getattr(transformers, head)
    net, info = auto.from_pretrained(argument, output_loading_info=True)
    missing = sorted(info["missing_keys"])
    if missing and all("pooler" in name for name in missing):  # it would be random
        net, info = auto.from_pretrained(
            argument, output_loading_info=True, add_pooling_layer=False
        )
        missing = sorted(info["missing_keys"])
    if missing:
        what = f"holds no weights of {', '.join(missing[:3])}" + ", ..." * (len(missing) > 3)
        raise ConfigError(f"{what}: they would be random", where=f"hf:{argument}")
    return net


def wrap_pictures(
    name: str,
    net: Any,  # noqa: ANN401
    processor: Any,  # noqa: ANN401
    tokenizer: Callable[..., Any] | None,
    place: Place,
) -> TorchPictureEncoder:
    """Return the encoder of a model of pictures.

    Args:
        name: of the encoder.
        net: model of transformers.
        processor: of images, whose configuration is taken.
        tokenizer: of texts, where the model has them too.
        place: where it computes.

    Raises:
        ConfigError: the model wants no pictures of a fixed size.
    """
    info = replace(INFO, name=name, kind="picture")
    features = getattr(net, "get_image_features", _base_of(net))
    wants = _picture_input(name, processor)

    def run(x_NCHW: Tensor) -> Tensor:
        return _pooled(features(pixel_values=x_NCHW))

    example = {"pixel_values": torch.rand(1, 3, *wants.size)}
    return TorchPictureEncoder(
        info,
        net,
        run,
        wants,
        place,
        own=_own_classes(net, lambda of: _pooled(features(**of)), example, one_class=True),
        texts=_texts(info, net, tokenizer, place),
    )


def wrap_sound(
    name: str,
    net: Any,  # noqa: ANN401
    extractor: Callable[..., Any],
    tokenizer: Callable[..., Any] | None,
    place: Place,
) -> TorchSoundEncoder:
    """Return the encoder of a model of sound.

    Args:
        name: of the encoder.
        net: model of transformers.
        extractor: of features of sound.
        tokenizer: of texts, where the model has them too.
        place: where it computes.
    """
    info = replace(INFO, name=name, kind="sound")
    features = getattr(net, "get_audio_features", _base_of(net))
    rate = int(getattr(extractor, "sampling_rate", 16_000))

    def inputs_of(windows: Sequence[Float32]) -> dict[str, Tensor]:
        found = dict(extractor(list(windows), sampling_rate=rate, return_tensors="pt"))
        if "is_longer" in found:  # the extractor draws one window that would count as longer
            found["is_longer"] = torch.zeros_like(found["is_longer"])
        return found

    def run(windows: Sequence[Float32]) -> Tensor:
        inputs = {key: of.to(place.device) for key, of in inputs_of(windows).items()}
        return _pooled(features(**inputs))

    noise: Float32 = torch.rand(2 * rate).numpy()
    example = inputs_of([noise - np.float32(0.5)])
    return TorchSoundEncoder(
        info,
        net,
        run,
        rate,
        place,
        preprocessing=type(extractor).__name__,
        own=_own_classes(net, lambda of: _pooled(features(**of)), example, one_class=False),
        texts=_texts(info, net, tokenizer, place),
    )


def wrap_texts(
    name: str,
    net: Any,  # noqa: ANN401
    tokenizer: Callable[..., Any],
    place: Place,
) -> TorchTextEncoder:
    """Return the encoder of a model of texts: the mean over their tokens.

    Args:
        name: of the encoder.
        net: model of transformers.
        tokenizer: of texts.
        place: where it computes.
    """

    def run(texts: Sequence[str]) -> Tensor:
        tokens = tokenizer(list(texts), padding=True, truncation=True, return_tensors="pt")
        inputs = {key: of.to(place.device) for key, of in dict(tokens).items()}
        hidden_NTD = net(**inputs).last_hidden_state
        mask_NT1 = inputs["attention_mask"].unsqueeze(-1).to(hidden_NTD.dtype)
        mean: Tensor = (hidden_NTD * mask_NT1).sum(1) / mask_NT1.sum(1).clamp(min=1)
        return mean

    info = replace(INFO, name=name, kind="text")
    return TorchTextEncoder(info, net, run, place, "tokens of the model's own tokenizer; mean")


def _texts(
    info: EncoderInfo,
    net: Any,  # noqa: ANN401
    tokenizer: Callable[..., Any] | None,
    place: Place,
) -> TorchTextEncoder | None:
    """Return the encoder of texts of a model that has one."""
    if tokenizer is None or not hasattr(net, "get_text_features"):
        return None
    # SigLIP was trained with texts of one length
    padding = "max_length" if net.config.model_type.startswith("siglip") else True

    def run(texts: Sequence[str]) -> Tensor:
        tokens = tokenizer(list(texts), padding=padding, truncation=True, return_tensors="pt")
        inputs = {key: of.to(place.device) for key, of in dict(tokens).items()}
        inputs.pop("token_type_ids", None)
        return _pooled(net.get_text_features(**inputs))

    own = replace(info, kind="text")
    return TorchTextEncoder(own, net, run, place, "tokens of the model's own tokenizer")


def _base_of(net: Any) -> Any:  # noqa: ANN401
    """Return the net without its last layer."""
    return getattr(net, net.base_model_prefix, net)


def _pooled(output: Any) -> Tensor:  # noqa: ANN401
    """Return one vector (N, D) of what a model returns: its pooled output, or the mean."""
    if isinstance(output, Tensor):
        return output
    pooled = getattr(output, "pooler_output", None)
    if pooled is not None:
        found: Tensor = pooled.flatten(1)
        return found
    hidden: Tensor = output.last_hidden_state
    return hidden.flatten(2).mean(2) if hidden.ndim == 4 else hidden[:, 0]


@torch.inference_mode()
def _own_classes(
    net: Any,  # noqa: ANN401
    features: Callable[[dict[str, Tensor]], Tensor],
    example: dict[str, Tensor],
    *,
    one_class: bool,
) -> OwnClasses | None:
    """Return the classes of a net whose last layer computes its logits of these features."""
    layer = getattr(net, "classifier", None)
    if not isinstance(layer, nn.Module):
        return None
    net.eval()
    try:
        logits, expected = layer(features(example)), net(**example).logits
    except (RuntimeError, TypeError):  # it wants something else, such as all tokens
        return None
    if logits.shape != expected.shape or not torch.allclose(logits, expected, atol=1e-4):
        return None
    names = tuple(str(net.config.id2label[at]) for at in range(expected.shape[1]))
    many = getattr(net.config, "problem_type", None) == "multi_label_classification"
    return OwnClasses(layer, names, one_class=one_class and not many)


def _picture_input(name: str, processor: Any) -> PictureInput:  # noqa: ANN401
    """Return what an image processor makes of a picture."""
    config = processor.to_dict()
    size = dict(config.get("size") or {})
    crop = dict(config.get("crop_size") or {}) if config.get("do_center_crop") else {}
    wanted = crop or size
    edge = wanted.get("shortest_edge")
    height, width = wanted.get("height") or edge, wanted.get("width") or edge
    if not height or not width:
        raise ConfigError(f"{name} wants no pictures of a fixed size, but {wanted or 'any'}")
    mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    if config.get("do_normalize"):
        mean, std = (tuple(config[key]) for key in ("image_mean", "image_std"))
    fit = "crop" if crop or size.get("shortest_edge") else "stretch"
    return PictureInput((int(height), int(width)), fit, mean, std)  # type: ignore[arg-type]
