"""Bounds of a segment policy, its text, and when it needs scores of videos."""

from typing import Any

import pytest

from reeltag.core.errors import ConfigError
from reeltag.inference.policy import SegmentPolicy
from reeltag.inference.scoring import InferenceConfig


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        ({"skip_head": -1}, "skip_head is -1; allowed: an integer >= 0"),
        ({"skip_tail": -5}, "skip_tail is -5; allowed"),
        ({"candidates": -1}, "candidates is -1; allowed"),
        ({"window_after": -2}, "window_after is -2; allowed"),
        ({"video_power": float("nan")}, "video_power is nan; allowed: a finite number >= 0"),
        ({"segment_power": 0.95}, "segment_power must be 1 where video_power is 0"),
        ({"shifts": ()}, r"shifts is \(\); allowed: numbers with 0, and none twice"),
        ({"shifts": (-1, 1)}, r"shifts is \(-1, 1\); allowed"),
        ({"shifts": (0, 1, 1)}, r"shifts is \(0, 1, 1\); allowed"),
        ({"shift_mean": "ranks"}, "shift_mean is .ranks.; allowed: .logits. or .probs."),
    ],
)
def test_policy_raises_out_of_range(wrong: dict[str, Any], rule: str) -> None:
    with pytest.raises(ConfigError, match=rule):
        SegmentPolicy(**wrong)


def test_policy_uses_videos_for_candidates_and_fusion() -> None:
    assert not SegmentPolicy(skip_head=6, window_before=3, shifts=(0, 1)).uses_videos
    assert SegmentPolicy(candidates=20).uses_videos
    assert SegmentPolicy(video_power=0.05, segment_power=0.95).uses_videos


def test_policy_raises_without_segments() -> None:
    with pytest.raises(ConfigError, match=r"no effect on videos(.|\n)*--segments"):
        InferenceConfig(policy=SegmentPolicy(skip_head=6))


def test_policy_text_names_changes() -> None:
    assert str(SegmentPolicy()) == ""
    policy = SegmentPolicy(skip_head=6, video_power=0.05, segment_power=0.95, shifts=(-1, 0))
    assert str(policy) == "skip_head 6, video_power 0.05, segment_power 0.95, shifts -1 0"
