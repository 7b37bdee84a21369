"""A config that cannot be written raises before anything is."""

from typing import Any

import pytest

from reeltag.core.errors import ConfigError
from reeltag.data.synth.config import SynthConfig


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("videos", 2, ">= 3"),
        ("classes", 1, ">= 2"),
        ("precision", 0.0, r"in \(0, 1\]"),
        ("recall", 1.5, r"in \(0, 1\]"),
        ("subjects", 0.5, ">= 1"),
        ("subjects", 201.0, r"in \[1, 200\]"),
        ("rated_fraction", -0.1, r"in \[0, 1\]"),
        ("held_out", 0.5, r"in \(0, 0.5\)"),
        ("shards", -1, ">= 0"),
        ("shards", 2001, r"in \[0, 2000\]"),
        ("rgb", -1, ">= 0"),
        ("audio", -1, ">= 0"),
        ("min_frames", 0, ">= 1"),
        ("max_frames", 10, "at least 60"),
        ("zipf", -1.0, r"in \[0, 10\]"),
        ("preset", "perfect", "'moderate' or 'clean' or 'youtube8m'"),
        ("level", "shots", "'frames' or 'video'"),
    ],
)
def test_synth_config_names_fields_out_of_range(field: str, value: Any, allowed: str) -> None:
    with pytest.raises(ConfigError, match=f"{field} is {value!r}; allowed: .*{allowed}"):
        SynthConfig(**{field: value})
