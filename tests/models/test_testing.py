"""`reeltag.testing`: what passes, and that what fails is named."""

from dataclasses import dataclass

import pytest
from torch import Tensor, nn

from reeltag.encoders import create_encoder
from reeltag.models import ModelConfig, _registry, register_model
from reeltag.testing import check_encoder, check_model, encoders, models


def test_model_and_encoder_of_the_package_pass() -> None:
    assert check_model("logistic") == len(models.CHECKS)
    assert check_encoder(create_encoder("log_mel", device="cpu")) == len(encoders.CHECKS)


def test_check_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_registry, "_registered", {})

    @register_model("no_mask", variants={"no_mask_1": {}})
    @dataclass(frozen=True, kw_only=True)
    class Config(ModelConfig):
        """Mean over frames and padding alike."""

        def build(self) -> nn.Module:
            return _NoMask(self)

    with pytest.raises(AssertionError, match=r"^more padding changes nothing: not so\n"):
        check_model("no_mask")


class _NoMask(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.linear = nn.Linear(sum(config.dims), config.num_classes)

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor | None = None) -> Tensor:
        logits_BC: Tensor = self.linear(frames_BTD.mean(dim=1))
        return logits_BC
