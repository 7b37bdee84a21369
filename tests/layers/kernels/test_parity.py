"""Every kernel against its plain layer: values, gradients, and what a layer keeps."""

import copy
import pkgutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import reeltag.layers
import reeltag.models
from reeltag.layers import (
    aggregation,
    assignment,
    bag_of_frames,
    decision_attention,
    experts,
    input_norm,
    nextvlad,
    norm,
    preprocessing,
    recurrent,
    wide_linear,
)
from reeltag.layers.kernels.dispatch import Dispatched, kernels_of
from reeltag.models import vlad_bow

LENGTHS = (5, 3, 1, 0, 5)  # one video has no frame
MASK = torch.arange(5) < torch.tensor(LENGTHS).unsqueeze(1)
EPS = 1e-3


@dataclass(frozen=True)
class Draw:
    """Draws arguments of one dtype on one device, the same for the same seed."""

    rng: torch.Generator
    dtype: torch.dtype
    device: str

    def leaf(self, *shape: int) -> Tensor:
        """Return random numbers whose gradient is compared."""
        return self.constant(torch.randn(*shape, generator=self.rng)).requires_grad_()

    def constant(self, values: Tensor) -> Tensor:
        """Return numbers without a gradient."""
        return values.to(self.device, self.dtype)

    def mask(self) -> Tensor:
        return MASK.to(self.device)

    def counted(self) -> Tensor:
        return self.constant(MASK)

    def attention(self) -> Tensor:
        weights = torch.rand(5, 5, 2, generator=self.rng) * MASK.unsqueeze(-1)
        return self.constant(weights).requires_grad_()

    def statistics(self, size: int) -> tuple[Tensor, Tensor]:
        return self.constant(torch.full((size,), 0.5)), self.constant(torch.full((size,), 2.0))

    def layers(self, *gates: int) -> list[tuple[Tensor, ...]]:
        """Return weights and biases of two layers of 4 units, on an input of 3."""
        return [
            tuple(x for rows in gates for x in (self.leaf(rows, size), self.leaf(rows)))
            for size in (3 + 4, 4 + 4)
        ]

    def nextvlad(self, *, training: bool) -> nn.Module:
        torch.manual_seed(0)
        layer = nextvlad.NeXtVLAD(6, 3, 2).train(training)
        return layer.to(self.device, self.dtype)

    def frames(self, size: int) -> Tensor:
        """Return frames that are 0 in the padding, as preprocessing leaves them."""
        return self.constant(torch.randn(5, 5, size, generator=self.rng) * MASK.unsqueeze(-1))


Case = tuple[Any, Callable[[Draw], tuple[Any, ...]]]
CASES: dict[str, Case] = {
    "mixture_logits": (experts.mixture_logits, lambda d: (d.leaf(5, 4, 7), d.leaf(5, 3, 7))),
    "half_square": (experts.half_square, lambda d: (d.leaf(5, 4),)),
    "decision_pool": (
        decision_attention.decision_pool,
        lambda d: (d.leaf(5, 5, 6), d.leaf(5, 5, 6), d.mask(), 2),
    ),
    "weighted_sum": (aggregation.weighted_sum, lambda d: (d.leaf(5, 5, 3), d.leaf(5, 5, 4))),
    "normalised_sums": (
        aggregation.normalised_sums,
        lambda d: (d.leaf(5, 5, 4), d.leaf(5, 5, 3), d.leaf(5, 3), d.leaf(4, 1), d.leaf(4, 3)),
    ),
    "soft_assign": (
        assignment.soft_assign,
        lambda d: (d.leaf(5, 5, 6), d.attention(), d.counted(), d.leaf(6), d.leaf(6), EPS, None),
    ),
    "soft_counts": (
        assignment.soft_counts,
        lambda d: (d.leaf(5, 5, 6), d.counted(), d.leaf(6), d.leaf(6), EPS, None, True),
    ),
    "soft_counts in eval": (
        assignment.soft_counts,
        lambda d: (
            *(d.leaf(5, 5, 6), d.counted(), d.leaf(6), d.leaf(6)),
            *(EPS, d.statistics(6), False),
        ),
    ),
    "normalised_maximum": (
        bag_of_frames.normalised_maximum,
        lambda d: (d.leaf(5, 5, 6), d.counted(), d.leaf(6), d.leaf(6), EPS, None),
    ),
    "normalised_maximum in eval": (
        bag_of_frames.normalised_maximum,
        lambda d: (d.leaf(5, 5, 6), d.counted(), d.leaf(6), d.leaf(6), EPS, d.statistics(6)),
    ),
    "power_counts": (
        vlad_bow.power_counts,
        lambda d: (
            d.leaf(5, 5, 6),
            d.constant(torch.tensor(2.6)).requires_grad_(),
            d.counted(),
        ),
    ),
    "batch_norm": (
        norm.batch_norm,
        lambda d: (d.leaf(5, 5, 6), None, d.leaf(6), d.leaf(6), EPS),
    ),
    "unit_variance": (
        input_norm.unit_variance,
        lambda d: (d.frames(4), d.mask(), EPS, None, d.dtype),
    ),
    "unit_variance in eval": (
        input_norm.unit_variance,
        lambda d: (d.frames(4), d.mask(), EPS, d.statistics(4), d.dtype),
    ),
    "prepared": (
        preprocessing.prepared,
        lambda d: (
            torch.randint(0, 256, (5, 5, 4), generator=d.rng, dtype=torch.uint8).to(d.device),
            d.mask(),
            d.dtype,
            preprocessing.dequantise,
            lambda x, mask: x * mask.unsqueeze(-1),
        ),
    ),
    "assigned_sums": (
        nextvlad.assigned_sums,
        lambda d: (d.frames(6), d.mask(), d.nextvlad(training=True)),
    ),
    "assigned_sums in eval": (
        nextvlad.assigned_sums,
        lambda d: (d.frames(6), d.mask(), d.nextvlad(training=False)),
    ),
    "assigned_sums of few": (
        nextvlad.assigned_sums,
        lambda d: (d.frames(6)[:2], d.mask()[:2], d.nextvlad(training=True)),
    ),
    "read_by_lstm": (
        recurrent.read_by_lstm,
        lambda d: (d.leaf(5, 5, 3), d.mask(), d.layers(16), False),
    ),
    "read_by_lstm back": (
        recurrent.read_by_lstm,
        lambda d: (d.leaf(5, 5, 3), d.mask(), d.layers(16), True),
    ),
    "read_by_lstm nothing": (
        recurrent.read_by_lstm,
        lambda d: (d.leaf(5, 5, 3), torch.zeros_like(d.mask()), d.layers(16), False),
    ),
    "read_by_gru": (
        recurrent.read_by_gru,
        lambda d: (d.leaf(5, 5, 3), d.mask(), d.layers(8, 4), False),
    ),
    "read_by_gru back": (
        recurrent.read_by_gru,
        lambda d: (d.leaf(5, 5, 3), d.mask(), d.layers(8, 4), True),
    ),
}
ELSEWHERE = {
    wide_linear.wide_product: "tests/layers/test_wide_linear.py, under autocast",
    recurrent.loop: "tests/layers/test_recurrent.py, where its twin is: in an exported graph",
}
# float64: sums of some ten numbers in another order. float32: the same, and two batch norms that
# divide by standard deviations down to 0.03 (the root of eps) after a difference of such sums.
TOLERANCE = {  # rtol, atol
    torch.float64: (1e-9, 1e-11),
    torch.float32: (1e-4, 2e-5),
}


def leaves_of(arguments: object) -> Iterator[Tensor]:
    """Yield the tensors, also of layers, that have a gradient."""
    if isinstance(arguments, nn.Module):
        yield from arguments.parameters()
    elif isinstance(arguments, list | tuple):
        for argument in arguments:
            yield from leaves_of(argument)
    elif isinstance(arguments, Tensor) and arguments.requires_grad:
        yield arguments


def found(function: Callable[..., Any], arguments: tuple[Any, ...]) -> list[Any]:
    """Return results, gradients of a weighted sum of them, and the buffers of layers."""
    arguments = copy.deepcopy(arguments)  # running statistics move
    results = function(*arguments)
    results = [results] if isinstance(results, Tensor) else list(results)
    draw, leaves = torch.Generator().manual_seed(1), list(leaves_of(arguments))
    gradients: tuple[Tensor | None, ...] = ()
    if leaves:
        finite = [result.masked_fill(result.isinf(), 0.0) for result in results]
        weighted = [
            (torch.randn(result.shape, generator=draw).to(result) * result).sum()
            for result in finite
            if result.requires_grad
        ]
        gradients = torch.autograd.grad(
            sum(weighted, torch.zeros(()).to(weighted[0])), leaves, allow_unused=True
        )
    layers = [part for part in arguments if isinstance(part, nn.Module)]
    return [*results, *gradients, *(b for layer in layers for b in layer.buffers())]


devices = pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])


@devices
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("name", CASES)
def test_kernel_computes_what_the_plain_layer_computes(
    name: str, dtype: torch.dtype, device: str, rng: torch.Generator
) -> None:
    function, make = CASES[name]
    rtol, atol = TOLERANCE[dtype]
    arguments = make(Draw(rng, dtype, device))
    places = function.twins if device == "cpu" else [device]  # a CPU can compute each of them
    with kernels_of("plain"):
        expected = found(function, arguments)
    with torch.backends.cudnn.flags(allow_tf32=False):
        for place in places:
            with kernels_of(place):
                ours = found(function, arguments)
            for one, other in zip(ours, expected, strict=True):
                assert (one is None) == (other is None)
                if one is not None:
                    torch.testing.assert_close(one, other, rtol=rtol, atol=atol)


def test_kernels_are_all_compared_with_their_plain_layers() -> None:
    tested = {function for function, _ in CASES.values()} | set(ELSEWHERE)
    for package in (reeltag.layers, reeltag.models):
        for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
            for name, value in vars(import_module(module.name)).items():
                assert not isinstance(value, Dispatched) or value in tested, (module.name, name)


def test_lstm_of_long_videos_matches_torchs(rng: torch.Generator) -> None:
    layer = recurrent.LSTM(6, 8, 2)
    frames, mask = torch.randn(3, 300, 6, generator=rng), torch.ones(3, 300, dtype=torch.bool)
    mask[1, 120:] = False
    with ExitStack() as stack:
        expected = layer(frames, mask)
        stack.enter_context(kernels_of("cuda"))
        # float32 over 300 steps of a net that forgets
        torch.testing.assert_close(layer(frames, mask), expected, rtol=1e-4, atol=1e-5)
