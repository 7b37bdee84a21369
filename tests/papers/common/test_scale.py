"""Sizes follow the amount of data unless a scale or a number is given."""

from dataclasses import dataclass

import pytest

from reeltag.papers.common.scale import FEW, is_small, with_given


@dataclass(frozen=True)
class Sizes:
    hidden: int = 2048
    rate: float = 2e-4


@dataclass(frozen=True)
class Config:
    hidden: int | None = None
    seed: int = 3


def test_scale_follows_and_logs_the_amount_of_data(capfd: pytest.CaptureFixture[str]) -> None:
    assert is_small("auto", FEW - 1) and not is_small("auto", FEW)
    logged = capfd.readouterr().err
    assert "99,999 training videos: small sizes" in logged
    assert "100,000 training videos: published sizes" in logged


def test_given_scale_ignores_the_amount_of_data(capfd: pytest.CaptureFixture[str]) -> None:
    assert is_small("small", FEW) and not is_small("published", 1)
    assert not capfd.readouterr().err


def test_given_numbers_replace_those_of_the_scale() -> None:
    assert with_given(Sizes(), Config()) == Sizes()
    assert with_given(Sizes(), Config(hidden=0)) == Sizes(hidden=0)
