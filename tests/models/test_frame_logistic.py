"""Linear softmax pooling of frames: by the formula, and what it obeys."""

import pytest
import torch

from reeltag.models import frame_logistic
from reeltag.models.frame_logistic import linear_softmax


def test_linear_softmax_is_the_formula() -> None:
    torch.manual_seed(0)
    logits_BTC = torch.randn(3, 7, 4, dtype=torch.float64) * 2
    mask_BT = torch.arange(7) < torch.tensor([[7], [3], [1]])
    p_BTC = logits_BTC.sigmoid() * mask_BT.unsqueeze(-1)
    pooled_BC = (p_BTC**2).sum(1) / p_BTC.sum(1)
    torch.testing.assert_close(linear_softmax(logits_BTC, mask_BT), torch.logit(pooled_BC))


@pytest.mark.parametrize("value", [-60.0, -9.5, 0.0, 12.25, 60.0])
def test_single_frame_keeps_its_logit(value: float) -> None:
    """Also where its probability is 0 or 1 in float32."""
    logits_BTC = torch.full((1, 1, 1), value)
    assert linear_softmax(logits_BTC, torch.ones(1, 1, dtype=torch.bool)).item() == value


def test_class_of_one_frame_is_not_diluted_by_a_long_video() -> None:
    """One frame of probability .99 in 100 of .01: .5; their mean has .02."""
    model = frame_logistic.Config(num_classes=1, dims=(1,)).build()
    with torch.no_grad():
        model.head.linear.weight.fill_(2 * 4.595)
        model.head.linear.bias.fill_(-4.595)
    frames_BTD = torch.zeros(1, 100, 1)
    frames_BTD[0, 40] = 1.0
    assert model(frames_BTD).sigmoid().item() == pytest.approx(0.5, abs=0.02)
