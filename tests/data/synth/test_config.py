"""What cannot be written is refused before anything is written."""

from typing import Any

import pytest

from reeltag.core.errors import ConfigError
from reeltag.data.synth.config import SynthConfig


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("videos", 2, "at least 3"),
        ("classes", 1, "at least 2"),
        ("precision", 0.0, r"in \(0, 1\]"),
        ("recall", 1.5, r"in \(0, 1\]"),
        ("subjects", 0.5, r"in \[1, 200\]"),
        ("rated_fraction", -0.1, r"in \[0, 1\]"),
        ("held_out", 0.5, r"in \(0, 0.5\)"),
        ("shards", -1, r"in \[0, 2000\]"),
        ("rgb", -1, "positive"),
        ("audio", -1, "0 or positive"),
        ("min_frames", 0, "at least 1"),
        ("max_frames", 10, "at least 60"),
        ("zipf", -1.0, r"in \[0, 10\]"),
        ("preset", "perfect", "one of moderate, clean, youtube8m"),
        ("level", "shots", "frames or video"),
    ],
)
def test_what_cannot_be_written_is_refused_by_name(field: str, value: Any, allowed: str) -> None:
    with pytest.raises(ConfigError, match=f"{field} must be .*{allowed}.*, got {value!r}"):
        SynthConfig(**{field: value})
