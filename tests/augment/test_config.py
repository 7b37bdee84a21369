"""The flags of augmentation: off by default, and errors that name what cannot be."""

import math

import pytest

from reeltag.augment.config import AugmentConfig
from reeltag.core.errors import ConfigError


def test_augment_config_varies_nothing_by_default() -> None:
    assert not AugmentConfig().active
    for name, value in (
        ("mixup", 0.4),
        ("noise", 0.1),
        ("frame_drop", 0.2),
        ("similar_frames", 0.9),
        ("stream_dropout", 0.1),
    ):
        assert AugmentConfig(**{name: value}).active, name  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mixup", -0.4),
        ("mixup", math.inf),
        ("mixup", math.nan),
        ("noise", -1.0),
        ("noise_share", 0.0),
        ("noise_share", 1.5),
        ("frame_drop", 1.0),
        ("frame_drop", -0.1),
        ("similar_frames", 1.1),
        ("similar_frames", -0.1),
        ("stream_dropout", 2.0),
    ],
)
def test_augment_config_names_numbers_out_of_range(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=rf"augment\.{name} is {value}; allowed: a"):
        AugmentConfig(**{name: value})  # type: ignore[arg-type]
