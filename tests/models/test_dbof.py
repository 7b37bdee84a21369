"""Deep bag of frames: published size, its options, what raises."""

from dataclasses import replace

import pytest
import torch

from reeltag.core.errors import ConfigError
from reeltag.models import dbof


def test_parameters_are_those_of_the_starter_code() -> None:
    with torch.device("meta"):
        model = dbof.Config().build()
    words, hidden, mixture = 1152 * 8192, 8192 * 1024, 1024 * 3862 * 5 + 2 * 3862
    norms = 1152 + 2 * 8192 + 2 * 1024  # the shift of the frames' norm makes no difference
    assert sum(p.numel() for p in model.parameters()) == words + hidden + mixture + norms


@pytest.mark.parametrize("pooling", ["max", "mean"])
def test_frame_drawn_twice_counts_once_for_the_maximum_only(
    pooling: str, rng: torch.Generator
) -> None:
    model = replace(dbof.TINY, pooling=pooling).build().eval()  # type: ignore[arg-type]
    frames = torch.randn(1, 3, 8, generator=rng)
    twice, mask = frames[:, [0, 1, 2, 2]], torch.ones(1, 4, dtype=torch.bool)
    alike = torch.allclose(model(frames, mask[:, :3]), model(twice, mask), atol=1e-6)
    assert alike == (pooling == "max")


def test_biases_replace_batch_norm() -> None:
    names = dict(replace(dbof.TINY, batch_norm=False).build().named_parameters())
    assert {"pool.words.bias", "hidden.bias"} <= names.keys()
    assert not any("norm" in name for name in names)


@pytest.mark.parametrize("field", ["num_clusters", "hidden", "num_experts"])
def test_zero_sizes_raise(field: str) -> None:
    with pytest.raises(ConfigError, match=f"{field} is 0; allowed: an integer >= 1"):
        replace(dbof.TINY, **{field: 0})  # type: ignore[arg-type]
