"""LSTM and GRU against their formulas written as loops; packing, directions, dtypes."""

import pytest
import torch
from torch import nn

from reeltag.layers.kernels import laid_out_product
from reeltag.layers.kernels.packing import packing_of
from reeltag.layers.recurrent import GRU, LSTM, Bidirectional, bidirectional
from tests.layers.recurrent_loops import loops

LENGTHS = (3, 5, 1, 0, 5)
MASK = torch.arange(5) < torch.tensor(LENGTHS).unsqueeze(1)


def layer_of(cell: type[LSTM | GRU], **options: bool) -> LSTM | GRU:
    """Return two layers in float64, biases not 0."""
    torch.manual_seed(0)
    layer = cell(3, 4, 2, **options).double()
    for parameter in layer.parameters():
        if parameter.ndim == 1:
            nn.init.normal_(parameter)
    return layer


both_cells = pytest.mark.parametrize("cell", [LSTM, GRU])
both_ways = pytest.mark.parametrize("reverse", [False, True], ids=["ahead", "back"])


@both_cells
@both_ways
def test_recurrent_matches_loops(
    cell: type[LSTM | GRU], reverse: bool, rng: torch.Generator
) -> None:
    layer = layer_of(cell, reverse=reverse)
    frames = torch.randn(5, 5, 3, generator=rng).double().requires_grad_()
    weights = [torch.randn(5, *size, generator=rng).double() for size in ((5, 4), (2, 1, 4))]
    found = []
    for way in (layer, lambda *inputs: loops(layer, *inputs)):
        outputs, state = way(frames, MASK)
        loss = (outputs * weights[0]).sum() + (state.reshape(5, 2, -1, 4) * weights[1]).sum()
        gradients = torch.autograd.grad(loss, [frames, *layer.parameters()])
        found.append((outputs, state, *gradients))
    torch.testing.assert_close(found[0], found[1], rtol=1e-10, atol=1e-12)


@both_cells
@both_ways
def test_recurrent_gradients_match_differences(
    cell: type[LSTM | GRU], reverse: bool, rng: torch.Generator
) -> None:
    layer, mask = layer_of(cell, reverse=reverse), MASK[:3, :3]
    frames = torch.randn(3, 3, 3, generator=rng).double().requires_grad_()
    inputs = (frames, *layer.parameters())
    assert torch.autograd.gradcheck(lambda x, *_: layer(x, mask), inputs, fast_mode=True)


@both_cells
def test_recurrent_last_state_alone_has_a_gradient(
    cell: type[LSTM | GRU], rng: torch.Generator
) -> None:
    layer, frames = layer_of(cell), torch.randn(5, 5, 3, generator=rng).double()
    for way in (layer, lambda *inputs: loops(layer, *inputs)):
        layer.zero_grad()
        way(frames, MASK)[1].square().sum().backward()
        gradients = [p.grad for p in layer.parameters()]
        if way is layer:
            expected = gradients
    torch.testing.assert_close(gradients, expected, rtol=1e-10, atol=1e-12)


@both_cells
@both_ways
def test_recurrent_chunks_change_nothing_without_gradient(
    cell: type[LSTM | GRU], reverse: bool, rng: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer, frames = layer_of(cell, reverse=reverse), torch.randn(5, 5, 3, generator=rng).double()
    expected = layer(frames, MASK)
    monkeypatch.setattr(laid_out_product, "CHUNK", 4)
    with torch.no_grad():
        torch.testing.assert_close(layer(frames, MASK), expected, rtol=1e-12, atol=1e-14)


@both_cells
def test_recurrent_exported_loop_matches(cell: type[LSTM | GRU], rng: torch.Generator) -> None:
    torch.manual_seed(0)
    layer = layer_of(cell, reverse=True)  # the contract of models exports both directions
    free = {0: torch.export.Dim("batch", min=1), 1: torch.export.Dim("length", min=1)}
    with torch.no_grad():
        example = torch.zeros(5, 7, 3).double(), torch.ones(5, 7, dtype=torch.bool)
        exported = torch.export.export(layer, example, dynamic_shapes=(free, free)).module()
        for mask in (MASK, MASK[:1, :1]):
            frames = torch.randn(*mask.shape, 3, generator=rng).double()
            expected = layer(frames, mask)
            torch.testing.assert_close(exported(frames, mask), expected, rtol=1e-10, atol=1e-12)


@both_cells
@pytest.mark.parametrize("frames", [0, 3])
def test_recurrent_state_of_no_frames_is_zero(cell: type[LSTM | GRU], frames: int) -> None:
    layer, mask = layer_of(cell), torch.zeros(2, frames, dtype=torch.bool)
    outputs, state = layer(torch.ones(2, frames, 3).double(), mask)
    assert outputs.shape == (2, frames, 4) and not outputs.any() and not state.any()
    state.sum().backward()
    assert all(p.grad is not None and not p.grad.any() for p in layer.parameters())


@both_cells
def test_recurrent_skips_gaps_between_real_frames(
    cell: type[LSTM | GRU], rng: torch.Generator
) -> None:
    layer, frames = layer_of(cell, reverse=True), torch.randn(1, 5, 3, generator=rng).double()
    mask = torch.tensor([[True, False, True, True, False]])
    outputs, state = layer(frames, mask)
    whole, last = layer(frames[mask].unsqueeze(0), torch.ones(1, 3, dtype=torch.bool))
    torch.testing.assert_close(outputs[mask], whole[0])
    torch.testing.assert_close(state, last)
    assert not outputs[~mask].any()


@both_cells
def test_recurrent_bfloat16_is_close_with_float32_states(
    cell: type[LSTM | GRU], rng: torch.Generator
) -> None:
    layer, frames = layer_of(cell).float(), torch.randn(5, 5, 3, generator=rng)
    expected = layer(frames, MASK)
    with torch.autocast("cpu", torch.bfloat16):
        outputs, state = layer(frames, MASK)
    assert outputs.dtype == torch.bfloat16 and state.dtype == torch.float32
    torch.testing.assert_close(outputs.float(), expected[0], rtol=0, atol=2e-2)
    torch.testing.assert_close(state, expected[1], rtol=0, atol=2e-2)
    gradients = []
    for found in ((outputs, state), expected):
        loss = found[0].float().square().sum() + found[1].square().sum()
        gradients.append(torch.autograd.grad(loss, list(layer.parameters())))
    for ours, exact in zip(*gradients, strict=True):
        assert (ours - exact).norm() < 0.03 * exact.norm()


@both_cells
def test_bidirectional_concatenates_both_directions(
    cell: type[LSTM | GRU], rng: torch.Generator
) -> None:
    torch.manual_seed(0)
    pair, frames = bidirectional(cell, 3, 4), torch.randn(5, 5, 3, generator=rng)
    assert isinstance(pair, Bidirectional) and pair.back.reverse and not pair.ahead.reverse
    outputs, state = pair(frames, MASK)
    for half, part in ((pair.ahead, slice(0, 4)), (pair.back, slice(4, 8))):
        expected = half(frames, MASK)
        torch.testing.assert_close((outputs[..., part], state[..., part]), expected)


def test_packing_orders_frames_by_step_longest_video_first() -> None:
    mask = torch.arange(3) < torch.tensor([[1], [3], [2]])
    ahead, back = packing_of(mask), packing_of(mask, reverse=True)
    assert ahead.counts == back.counts == [3, 2, 1]
    assert ahead.order.tolist() == [1, 2, 0]
    assert ahead.places.tolist() == [3, 6, 0, 4, 7, 5]
    assert back.places.tolist() == [5, 7, 0, 4, 6, 3]
    assert ahead.earlier().tolist() == [0, 1, 3]
    assert list(ahead.chunks(3)) == [range(1), range(1, 3)]


def test_recurrent_initial_biases_are_tensorflows() -> None:
    named = {**dict(GRU(3, 4).named_parameters()), **dict(LSTM(3, 4).named_parameters())}
    biases = {name: p.unique().tolist() for name, p in named.items() if name.endswith("bias")}
    assert biases == {"gates.0.bias": [1.0], "candidates.0.bias": [0.0], "kernels.0.bias": [0.0]}
    assert LSTM(3, 4).forget.reshape(4, 4).sum(dim=1).tolist() == [0, 0, 4, 0]
