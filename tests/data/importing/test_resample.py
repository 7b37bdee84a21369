"""Rates brought to one, worked by hand."""

import numpy as np
import pytest

from reeltag.core.errors import DataError
from reeltag.data.importing.resample import align, resample


def column(*values: float) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.array(values, np.float32)[:, None]


@pytest.mark.parametrize(
    ("values", "rate", "new", "wanted"),
    [
        ([1, 3, 5, 7], 2, 1, [2, 6]),
        ([1, 3, 5], 2, 1, [2, 5]),  # half a second at the end has its own frame
        ([1, 2, 3, 4, 5, 6], 3, 1, [2, 5]),
        ([1, 2, 3, 4, 5], 2.5, 1, [1.5, 4]),  # middles at .2 .6 | 1.0 1.4 1.8
        ([1, 2], 1, 2, [1, 1, 2, 2]),
        ([1, 2, 3], 1, 0.5, [1.5, 3]),
        ([1, 2, 3], 2, 3, [1, 2, 2, 3, 3]),  # middles .25 .75 1.25 | else 1/2 and 3/2 s
        ([4], 25, 1, [4]),
        ([1, 2, 3], 1.0000001, 1, [1, 2, 3]),
    ],
)
def test_new_frame_is_the_mean_of_the_middles_in_it(
    values: list[float], rate: float, new: float, wanted: list[float]
) -> None:
    found = resample(column(*values), rate, new)[:, 0]
    np.testing.assert_allclose(found, wanted)


@pytest.mark.parametrize("rate", [0.7, 2.0, 3.3, 29.97])
def test_resample_to_a_lower_rate_uses_all_frames(rate: float) -> None:
    values = np.random.default_rng(0).normal(size=(57, 3)).astype(np.float32)
    new = 0.61
    found = resample(values, rate, new)
    middles = (np.arange(57) + 0.5) / rate
    bins = np.floor(middles * new + 1e-6).astype(int)
    wanted = np.stack([values[bins == k].mean(axis=0) for k in range(bins[-1] + 1)])
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_streams_one_frame_apart_are_cut_to_the_shorter() -> None:
    streams, cut = align({"a": column(1, 2, 3), "b": column(1, 2)})
    assert {name: len(values) for name, values in streams.items()} == {"a": 2, "b": 2}
    assert cut == 1


def test_streams_further_apart_are_refused_with_the_way_out() -> None:
    with pytest.raises(DataError, match="a has 3 frames, b has 1") as caught:
        align({"a": column(1, 2, 3), "b": column(1)})
    assert "--rates" in caught.value.hint
