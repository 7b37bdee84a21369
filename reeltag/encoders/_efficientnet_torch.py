"""EfficientNet-Lite0 by torch, for GPUs: the package's own net."""

import contextlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from reeltag.encoders._devices import Place
from reeltag.encoders.base import Float32, Precision


def load(path: Path, device: str, precision: Precision) -> Callable[[NDArray[np.uint8]], Float32]:
    """Return what computes features (N, 1280) of pictures (N, 224, 224, 3).

    Args:
        path: of the weights.
        device: where.
        precision: of the arithmetic.

    Raises:
        ConfigError: the device cannot be used, or not with this precision.
    """
    from efficientnet_lite_pytorch import EfficientNet

    with contextlib.redirect_stdout(io.StringIO()):  # it prints that it is loaded
        net = EfficientNet.from_pretrained("efficientnet-lite0", str(path)).eval()
    return by_torch(net, Place.of(device, precision))


def by_torch(net: Any, place: Place) -> Callable[[NDArray[np.uint8]], Float32]:  # noqa: ANN401
    """Return what computes features with a net at a place; see `load`."""
    net = net.to(place.device, memory_format=torch.channels_last)

    @torch.inference_mode()
    def run(pictures_NHWC: NDArray[np.uint8]) -> Float32:
        pictures = torch.from_numpy(np.array(pictures_NHWC)).to(place.device)
        x_NCHW = (pictures.permute(0, 3, 1, 2).float() - 127) / 128
        with place.autocast():
            places = net.extract_features(x_NCHW)
        features: Float32 = places.float().mean((2, 3)).cpu().numpy()
        return features

    return run
