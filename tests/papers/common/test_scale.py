"""Sizes follow the amount of data unless somebody says otherwise."""

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


def test_the_amount_of_data_decides_and_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    assert is_small("auto", FEW - 1) and not is_small("auto", FEW)
    told = capfd.readouterr().err
    assert "99,999 training videos: small sizes" in told and "100,000 training videos: pub" in told


def test_who_says_it_is_not_asked_again(capfd: pytest.CaptureFixture[str]) -> None:
    assert is_small("small", FEW) and not is_small("published", 1)
    assert not capfd.readouterr().err


def test_what_is_given_replaces_what_the_scale_has() -> None:
    assert with_given(Sizes(), Config()) == Sizes()
    assert with_given(Sizes(), Config(hidden=0)) == Sizes(hidden=0)
