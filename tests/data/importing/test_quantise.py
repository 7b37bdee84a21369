"""Values to bytes and back: steps, clipping, constants, bounds, and what is kept."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from reeltag.core.errors import DataError
from reeltag.data.features import StreamFeatures
from reeltag.data.importing.quantise import encode, fit_scale, kept_cosine


def floats(values: Any) -> NDArray[np.float32]:
    return np.asarray(values, np.float32)


def fitted(sample: NDArray[np.float32]) -> StreamFeatures:
    scale, offset = fit_scale(sample)
    return StreamFeatures(
        name="x", width=sample.shape[1], dtype="uint8", scale=scale, offset=offset
    )


def plain(width: int, dtype: str) -> StreamFeatures:
    return StreamFeatures(name="x", width=width, dtype=dtype)  # type: ignore[arg-type]


@pytest.fixture
def normal() -> NDArray[np.float32]:
    rng = np.random.default_rng(0)
    spread = floats([0.01, 1, 1, 100])
    return (rng.normal(size=(5000, 4)) * spread + floats([5, 0, 1000, 0])).astype(np.float32)


def test_code_is_the_nearest_step_by_hand() -> None:
    stream = StreamFeatures(name="x", width=1, dtype="uint8", scale=(0.5,), offset=(-1.0,))
    values = floats([[-1.0], [-0.76], [-0.74], [0.0], [126.5], [126.7], [500.0], [-9.0]])
    encoded = encode(values, stream)
    assert encoded.stored[:, 0].tolist() == [0, 0, 1, 2, 255, 255, 255, 0]
    assert encoded.outliers == 2


def test_fitted_scale_keeps_values_within_half_a_step(normal: NDArray[np.float32]) -> None:
    stream = fitted(normal)
    encoded = encode(normal, stream)
    error = np.abs(stream.dequantise(encoded.stored) - normal)
    inside = error <= floats(stream.scale) * 0.51
    assert (~inside).sum() == encoded.outliers < 0.001 * normal.size
    quantiles = np.quantile(normal, [0.0005, 0.9995], axis=0)
    low, high = (
        floats(stream.offset),
        floats(stream.offset) + 255 * floats(stream.scale),
    )
    np.testing.assert_allclose(high - low, 1.1 * (quantiles[1] - quantiles[0]), rtol=1e-3)


def test_bound_that_values_reach_is_the_first_code() -> None:
    sample = np.maximum(np.random.default_rng(0).normal(size=(3000, 3)), 0).astype(np.float32)
    stream = fitted(sample)
    assert stream.offset == (0, 0, 0)
    stored = encode(sample, stream).stored
    assert (stream.dequantise(stored)[sample == 0] == 0).all()


def test_constant_dimension_is_kept_and_has_room() -> None:
    sample = np.repeat(floats([[0.0, 3.7, -1e-4, 2.5e5]]), 50, axis=0)
    scale, offset = fit_scale(sample)
    stream = StreamFeatures(name="x", width=4, dtype="uint8", scale=scale, offset=offset)
    np.testing.assert_allclose(stream.dequantise(encode(sample, stream).stored), sample, rtol=1e-6)
    changed = encode(sample * 1.5, stream)
    assert changed.outliers == 0


def test_kept_cosine_by_hand() -> None:
    stream = StreamFeatures(name="x", width=2, dtype="uint8", scale=(1, 1), offset=(0, 0))
    sample = floats([[3, 4], [0, 0], [0.4, 0], [1, 0.4]])
    kept = kept_cosine(sample, stream)
    assert kept.mean == pytest.approx((1 + 1 + 0 + 1 / np.hypot(1, 0.4)) / 4, abs=1e-6)
    assert kept.low == pytest.approx(0.03 * (1 / np.hypot(1, 0.4)), abs=1e-6)


def test_uint8_keeps_more_than_clipping_does(normal: NDArray[np.float32]) -> None:
    assert kept_cosine(normal, fitted(normal)).low > 0.999
    assert kept_cosine(normal, plain(4, "float32")) == (1, 1)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_floats_are_stored_little_endian(dtype: str, normal: NDArray[np.float32]) -> None:
    for values in (normal, normal.astype(">f8"), normal[:, ::-1]):
        stored = encode(values, plain(4, dtype)).stored
        assert stored.shape == (5000, 4 * np.dtype(dtype).itemsize)
        back = stored.view(np.dtype(dtype).newbyteorder("<"))
        np.testing.assert_array_equal(back, values.astype(dtype))


@pytest.mark.parametrize("kind", ["uint8", "float16", "float32"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_not_finite_value_is_named_by_row(
    kind: str, value: float, normal: NDArray[np.float32]
) -> None:
    stream = fitted(normal) if kind == "uint8" else plain(4, kind)
    values = np.tile(normal, (8, 1))
    values[39_000, 2] = value
    with pytest.raises(DataError, match=rf"row 39000 of x: value 2 is {value}"):
        encode(values, stream)


def test_value_beyond_float16_is_refused_with_the_way_out() -> None:
    values = floats([[65504, 1], [1, 70000]])
    with pytest.raises(DataError, match="row 1 of x: 70000 is too large for float16") as caught:
        encode(values, plain(2, "float16"))
    assert "--dtype" in caught.value.hint
    assert encode(values, plain(2, "float32")).outliers == 0
