"""Modality dropout: one whole stream, with the probability given, never all of them."""

import pytest
import torch

from reeltag.augment.modality import surviving_streams


@pytest.mark.parametrize("dims", [(3, 2), (4, 1, 2)])
def test_stream_dropout_drops_one_stream_of_some_items_evenly(dims: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    alive = surviving_streams(9000, dims, 0.3)
    streams = torch.stack([part.mean(1) for part in alive.split(dims, dim=1)], dim=1)
    assert set(streams.unique().tolist()) == {0.0, 1.0}  # whole streams
    lost = 1 - streams
    assert lost.sum(1).max() == 1
    # 9000 coins of .3: a standard error of .005, five of them
    assert float(lost.sum(1).mean()) == pytest.approx(0.3, abs=0.025)
    assert float((lost.mean(0) - 0.3 / len(dims)).abs().max()) < 0.02


def test_stream_dropout_of_1_leaves_the_other_streams() -> None:
    alive = surviving_streams(100, (3, 2), 1.0)
    assert (alive.sum(1) > 0).all() and (alive.sum(1) < 5).all()
    assert surviving_streams(100, (3, 2), 0.0).all()


def test_stream_dropout_raises_for_the_only_stream() -> None:
    with pytest.raises(ValueError, match="one of 1 streams cannot be dropped"):
        surviving_streams(4, (5,), 0.5)
