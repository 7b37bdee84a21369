"""Layers that compute across videos, on two ranks (threads, here) as on one."""

import copy
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reeltag.layers.bag_of_frames import BagOfFrames, GatedBagOfWords, SoftBagOfWords
from reeltag.layers.fisher import NetFV
from reeltag.layers.input_norm import InputNorm
from reeltag.layers.kernels.dispatch import kernels_of
from reeltag.layers.nextvlad import NeXtVLAD
from reeltag.layers.norm import MaskedBatchNorm
from reeltag.layers.vlad import NetVLAD
from tests.processes import HANG_S

LENGTHS = ((4, 2, 1), (3, 6, 5))  # of the videos of each rank, padded to 4 and to 6 frames
MASKS = [torch.arange(max(own)) < torch.tensor(own).unsqueeze(1) for own in LENGTHS]


class TwoRanks:
    """Two threads that sum tensors as two processes would."""

    def __init__(self) -> None:
        self.barrier, self.given = threading.Barrier(2, timeout=HANG_S), [Tensor(), Tensor()]
        self.rank = threading.local()

    def all_reduce(self, tensor: Tensor) -> None:
        """Sum `tensor` over both threads, in place."""
        self.given[self.rank.number] = tensor.clone()
        self.barrier.wait()
        total = self.given[0] + self.given[1]
        self.barrier.wait()
        tensor.copy_(total)

    def run(self, function: Callable[[int], "Found"]) -> list["Found"]:
        """Return what `function` returns on each rank."""

        def on_rank(number: int) -> Found:
            self.rank.number = number
            return function(number)

        with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(2) as pool:
            patch.setattr("torch.distributed.is_initialized", lambda: True)
            patch.setattr("torch.distributed.get_world_size", lambda: 2)
            patch.setattr("torch.distributed.all_reduce", self.all_reduce)
            return list(pool.map(on_rank, range(2)))


@dataclass(frozen=True)
class Found:
    """What a layer makes of some videos."""

    out: Tensor
    frames_grad: Tensor
    gradients: list[Tensor]
    buffers: list[Tensor]


def found(layer: nn.Module, frames: Tensor, mask: Tensor, weights: Tensor) -> Found:
    """Return results of real rows, their gradients, and the running statistics."""
    layer = copy.deepcopy(layer)
    frames = frames.clone().requires_grad_(not isinstance(layer, Standardised))
    out = layer(frames, mask)
    out = out[mask] if out.ndim == 3 else out
    (out * weights[: len(out), : out.shape[1]]).sum().backward()
    frames_grad = torch.zeros_like(frames) if frames.grad is None else frames.grad
    gradients = [p.grad for p in layer.parameters() if p.grad is not None]
    return Found(out.detach(), frames_grad[mask], gradients, list(layer.buffers()))


class Standardised(InputNorm):
    """The norm of frames that need no gradient."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        assert mask is not None
        return self.standardise(x, mask) * self.weight


class Unmasked(MaskedBatchNorm):
    """The norm of a vector per video."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return super().forward(x[:, 0])


LAYERS: dict[str, Callable[[], nn.Module]] = {
    "norm": lambda: MaskedBatchNorm(4),
    "norm of vectors": lambda: Unmasked(4),
    "norm of the input": lambda: Standardised(4),
    "nextvlad": lambda: NeXtVLAD(4, 3, 2),
    "netvlad": lambda: NetVLAD(4, 3),
    "netfv": lambda: NetFV(4, 3),
    "soft words": lambda: SoftBagOfWords(4, 5, maximum=True),
    "gated words": lambda: GatedBagOfWords(4, 5),
    "words": lambda: BagOfFrames(4, 5),
}


@pytest.mark.parametrize("place", ["plain", "cpu"])
@pytest.mark.parametrize("name", LAYERS)
def test_layers_on_two_ranks_match_one_rank(name: str, place: str, rng: torch.Generator) -> None:
    torch.manual_seed(0)
    layer = LAYERS[name]().double()
    frames = [1 + torch.randn(*mask.shape, 4, generator=rng).double() for mask in MASKS]
    frames = [x * mask.unsqueeze(-1) for x, mask in zip(frames, MASKS, strict=True)]
    whole = torch.cat([F.pad(frames[0], (0, 0, 0, 2)), frames[1]])
    mask = torch.cat([F.pad(MASKS[0], (0, 2)), MASKS[1]])
    weights = torch.randn(int(mask.sum()), 64, generator=rng).double()
    with kernels_of(place):
        expected = found(layer, whole, mask, weights)
        first = 3 if len(expected.out) == 6 else int(MASKS[0].sum())  # rows of the first rank
        parts = TwoRanks().run(
            lambda rank: found(layer, frames[rank], MASKS[rank], weights[first * rank :])
        )
    # float64 sums in another order
    assert_close = partial(torch.testing.assert_close, rtol=1e-9, atol=1e-11)
    joined = torch.cat([part.out for part in parts])
    assert_close(joined, expected.out)
    joined = torch.cat([part.frames_grad for part in parts])
    assert_close(joined, expected.frames_grad)
    sums = [a + b for a, b in zip(parts[0].gradients, parts[1].gradients, strict=True)]
    assert_close(sums, expected.gradients)
    for part in parts:
        assert_close(part.buffers, expected.buffers)
