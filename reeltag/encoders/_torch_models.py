"""Encoders around nets of torch that other libraries load by name.

What they compute depends on the weights; so the identity holds a hash of all of them.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from reeltag.core.errors import ConfigError, ReeltagError, reason_of
from reeltag.data.features import EncoderIdentity
from reeltag.encoders._devices import Place
from reeltag.encoders.base import EncoderInfo, Fit, Float32, PictureEncoder, TextEncoder

_BATCH_CPU, _BATCH_GPU = 8, 64
_REASON = 160  # characters of an error of a library that are shown


def weights_hash(net: nn.Module) -> str:
    """Return a hash of names, shapes, types and values of all weights and buffers of a net."""
    digest = hashlib.sha256()
    for name, value in sorted(net.state_dict().items()):
        array = value.detach().cpu().contiguous()
        digest.update(f"{name} {tuple(array.shape)} {array.dtype}".encode())
        digest.update(array.flatten().view(torch.uint8).numpy().tobytes() if array.numel() else b"")
    return digest.hexdigest()[:16]


@contextmanager
def loading(name: str, by_hand: str) -> Iterator[None]:
    """Raise ConfigError, in one line and with the way out, where a library cannot load a net.

    Args:
        name: of the encoder.
        by_hand: how its weights are placed without internet.
    """
    try:
        yield
    except ReeltagError:
        raise
    except Exception as error:  # libraries raise whatever their libraries do
        reason = reason_of(error)[:_REASON]
        raise ConfigError(
            f"{name} cannot be loaded ({reason})",
            hint=f"Its weights come from the internet. Without it: {by_hand}",
        ) from error


@dataclass(frozen=True)
class PictureInput:
    """What a net wants to see: (pixel / 255 - mean) / std of a picture of a size."""

    size: tuple[int, int]
    fit: Fit
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __str__(self) -> str:
        """Return it in words, as features.json keeps it."""
        height, width = self.size
        how = "cropped" if self.fit == "crop" else "stretched"
        mean, std = (" ".join(f"{value:.4g}" for value in of) for of in (self.mean, self.std))
        return f"RGB {height} x {width}, {how}; (x / 255 - mean) / std, mean {mean}, std {std}"

    def prepared(self, pictures_NHWC: NDArray[np.uint8], device: torch.device) -> Tensor:
        """Return the input of the net, (N, 3, H, W) float32."""
        pictures = torch.from_numpy(np.array(pictures_NHWC)).to(device)
        mean, std = (torch.tensor(of, device=device).view(-1, 1, 1) for of in (self.mean, self.std))
        return (pictures.permute(0, 3, 1, 2).float() / 255 - mean) / std


@dataclass(frozen=True)
class OwnClasses:
    """The last layer of a net, features (N, D) -> logits (N, K), and what its classes are."""

    layer: Callable[[Tensor], Tensor]
    names: tuple[str, ...]
    one_class: bool
    groups: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @torch.inference_mode()
    def classify(self, features_ND: Float32, device: torch.device) -> Float32:
        """Return the logits (N, K) of features, computed where the net is."""
        logits: Float32 = self.layer(torch.tensor(features_ND).to(device)).float().cpu().numpy()
        return logits


class TorchPictureEncoder(PictureEncoder):
    """Features of a net that torch computes.

    Args:
        info: with the whole name.
        net: that holds all weights; it is put into eval mode, and moved to the place.
        features: input (N, 3, H, W) -> features (N, D).
        wants: of the net.
        place: where it computes.
        own: its classes; None: it has none.
        texts: encoder into the same space; None: there is none.
    """

    def __init__(
        self,
        info: EncoderInfo,
        net: nn.Module,
        features: Callable[[Tensor], Tensor],
        wants: PictureInput,
        place: Place,
        *,
        own: OwnClasses | None = None,
        texts: TextEncoder | None = None,
    ) -> None:
        self.info, self.size, self.fit = info, wants.size, wants.fit
        self._net, self._features, self._wants = net.eval().to(place.device), features, wants
        self._place, self._own, self._texts = place, own, texts
        self._batch = _BATCH_CPU if place.is_cpu else _BATCH_GPU
        if own is not None:
            self.class_names, self.one_class = own.names, own.one_class
            self.class_groups = own.groups
        self.width = self._run(np.zeros((1, *self.size, 3), np.uint8)).shape[1]
        self.identity = EncoderIdentity(
            name=info.name, version="1", weights=weights_hash(net), preprocessing=str(wants)
        )

    def encode(self, pictures_NHWC: NDArray[np.uint8]) -> Float32:
        """Return features (N, D) of RGB pictures (N, height, width, 3)."""
        starts = range(0, len(pictures_NHWC), self._batch)
        parts = [self._run(pictures_NHWC[start : start + self._batch]) for start in starts]
        return np.concatenate([np.zeros((0, self.width), np.float32), *parts])

    @torch.inference_mode()
    def _run(self, pictures_NHWC: NDArray[np.uint8]) -> Float32:
        inputs = self._wants.prepared(pictures_NHWC, self._place.device)
        with self._place.autocast():
            features = self._features(inputs)
        found: Float32 = features.float().cpu().numpy()
        return found

    def classify(self, features_ND: Float32) -> Float32:
        """Return logits (N, K) of its own classes; ConfigError without any."""
        if self._own is None:
            return super().classify(features_ND)
        return self._own.classify(features_ND, self._place.device)

    def text_encoder(self) -> TextEncoder | None:
        """Return the encoder of texts into the same space; None where there is none."""
        return self._texts


class TorchTextEncoder(TextEncoder):
    """Features of texts, of unit norm.

    Args:
        info: with the whole name.
        net: that holds all weights; it is put into eval mode, and moved to the place.
        features: texts -> (N, D), at the place.
        place: where it computes.
        preprocessing: in words.
    """

    def __init__(
        self,
        info: EncoderInfo,
        net: nn.Module,
        features: Callable[[Sequence[str]], Tensor],
        place: Place,
        preprocessing: str,
    ) -> None:
        self.info, self._features, self._place = info, features, place
        net.eval().to(place.device)
        self.width = self._run(["a"]).shape[1]
        self.identity = EncoderIdentity(
            name=info.name, version="1", weights=weights_hash(net), preprocessing=preprocessing
        )

    def encode(self, texts: Sequence[str]) -> Float32:
        """Return (N, D) of N texts, each of unit norm."""
        starts = range(0, len(texts), _BATCH_GPU)
        parts = [self._run(texts[start : start + _BATCH_GPU]) for start in starts]
        return np.concatenate([np.zeros((0, self.width), np.float32), *parts])

    @torch.inference_mode()
    def _run(self, texts: Sequence[str]) -> Float32:
        with self._place.autocast():
            features = self._features(texts).float()
        unit: Float32 = nn.functional.normalize(features, dim=-1).cpu().numpy()
        return unit
