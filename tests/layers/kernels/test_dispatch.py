"""Which function computes a layer, and what happens where torch has no private operator."""

import sys
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from reeltag.core.errors import ConfigError
from reeltag.layers.kernels import dispatch
from reeltag.layers.kernels.dispatch import faster, kernels_of
from reeltag.layers.recurrent import GRU, LSTM

X = torch.zeros(1)
both_cells = pytest.mark.parametrize("cell", [LSTM, GRU])


def named(name: str) -> object:
    return lambda x, *_: name


@faster(cpu=named("for cpu"), export=named("for export"), when=lambda x, *_: x.dtype == X.dtype)  # type: ignore[arg-type]
def where(x: Tensor, *rest: str) -> str:
    """The plain way."""
    return "plain"


def test_dispatch_takes_the_twin_of_the_device_by_default() -> None:
    assert where(X) == "for cpu" and where.plain(X) == "plain"
    with kernels_of("plain"):
        assert where(X) == "plain"
        with kernels_of("export"):
            assert where(X) == "for export"
    with kernels_of("cuda"):
        assert where(X) == "plain"  # no twin there
    assert where(X.double()) == "plain"  # `when` returns False
    assert where.__doc__ == "The plain way."


def test_dispatch_takes_plain_layers_in_compiled_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.compiler.is_compiling", lambda: True)
    assert where(X) == "plain"
    monkeypatch.setattr("torch.compiler.is_exporting", lambda: True)
    assert where(X) == "for export"


def test_dispatch_switches_autocast_off_but_where_it_is_wanted() -> None:
    def is_on(x: Tensor) -> bool:
        return torch.is_autocast_enabled("cpu")

    with torch.autocast("cpu", torch.bfloat16):
        assert not faster(cpu=is_on)(is_on)(X)
        assert faster(cpu=is_on, autocast=True)(is_on)(X)


def test_unknown_place_in_the_environment_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "_forced", ["gpu"])
    with pytest.raises(ConfigError, match="REELTAG_KERNELS: must be one of plain, cpu, .* 'gpu'"):
        where(X)


@both_cells
def test_recurrent_nets_compute_the_same_without_onednn(
    cell: type[LSTM | GRU], rng: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer, frames = cell(6, 8), torch.randn(3, 7, 6, generator=rng)
    mask = torch.ones(3, 7, dtype=torch.bool)
    results = []
    for removed in (False, True):
        if removed:
            monkeypatch.setattr(torch.ops, "mkldnn", SimpleNamespace())
        outputs, state = layer(frames, mask)
        gradients = torch.autograd.grad(outputs.sum() + state.sum(), list(layer.parameters()))
        results.append([outputs, state, *gradients])
    # float32 sums of 14 numbers in another order
    torch.testing.assert_close(results[1], results[0], rtol=1e-5, atol=1e-6)


@both_cells
def test_recurrent_nets_export_for_one_length_without_scan(
    cell: type[LSTM | GRU], rng: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch._higher_order_ops.scan", None)
    layer, mask = cell(3, 4, reverse=True).eval(), torch.ones(2, 5, dtype=torch.bool)
    example = torch.zeros(2, 5, 3), mask
    with torch.no_grad():
        exported = torch.export.export(layer, example).module()
        frames = torch.randn(2, 5, 3, generator=rng)
        mask = mask.clone()
        mask[1, 2:] = False
        # float32 sums of 7 numbers in another order
        torch.testing.assert_close(
            exported(frames, mask), layer(frames, mask), rtol=1e-5, atol=1e-6
        )
        free = {1: torch.export.Dim("length", min=1)}
        with pytest.raises(ConfigError, match="has no scan operator, .* one number of frames only"):
            torch.export.export(layer, example, dynamic_shapes=(free, free))
