"""The mean over real frames, and dropout."""

import pytest
import torch

from reeltag.layers.dropout import Dropout
from reeltag.layers.pooling import masked_mean


def test_masked_mean_is_over_real_frames() -> None:
    frames = torch.tensor([[[1.0, 2.0], [3.0, 4.0], [99.0, 99.0]], [[5.0, 6.0], [0, 0], [0, 0]]])
    mask = torch.tensor([[True, True, False], [True, False, False]])
    torch.testing.assert_close(masked_mean(frames, mask), torch.tensor([[2.0, 3.0], [5.0, 6.0]]))


def test_masked_mean_of_no_frames_is_zero() -> None:
    assert not masked_mean(torch.ones(1, 3, 2), torch.zeros(1, 3, dtype=torch.bool)).any()


def test_masked_mean_is_float32_under_autocast() -> None:
    frames = torch.full((1, 300, 1), 1.001)
    with torch.autocast("cpu", torch.bfloat16):
        mean = masked_mean(frames, torch.ones(1, 300, dtype=torch.bool))
    torch.testing.assert_close(mean, torch.full((1, 1), 1.001))


@pytest.mark.parametrize("p", [0.2, 0.5])
def test_dropout_zeroes_a_fraction_p_and_keeps_the_mean(p: float) -> None:
    torch.manual_seed(0)
    out = Dropout(p)(torch.ones(200, 500))
    assert (out == 0).float().mean().item() == pytest.approx(p, abs=0.01)
    assert out.unique().tolist() == pytest.approx([0.0, 1 / (1 - p)])


def test_dropout_does_nothing_in_eval_mode_or_at_p_0() -> None:
    x = torch.ones(10)
    assert Dropout(0.5).eval()(x) is x and Dropout(0.0)(x) is x
