"""Every policy of segment scoring against a plain loop over the segments of each video."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from reeltag.core.batch import FrameBatch
from reeltag.core.errors import ConfigError
from reeltag.inference.policy import SegmentPolicy
from reeltag.inference.scoring import InferenceConfig, Scorer
from tests.inference.standin import NUM_CLASSES, MeanTagger, make_batch, make_videos

VIDEOS = make_videos([13, 4, 20, 41, 26], seed=5)
Scores = dict[tuple[str, int, int], float]


class Harsher(MeanTagger):
    """Another video model."""

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        logits_BC: Tensor = 3 * super().forward(frames_BTD, mask_BT).flip(1) - 2
        return logits_BC


class OfHarsher:
    """Its scores, as a scorer takes them."""

    def logits(self, batch: FrameBatch) -> Tensor:
        logits_BC: Tensor = Harsher()(batch.frames, batch.mask)
        return logits_BC


def sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))


def logits_of(frames: Tensor, tagger: MeanTagger) -> list[float]:
    """Return the logits of some frames alone."""
    mask = torch.ones(1, len(frames), dtype=torch.bool)
    logits: list[float] = tagger(frames[None], mask)[0].tolist()
    return logits


def by_loops(
    policy: SegmentPolicy,
    *,
    classes: Sequence[int] = range(NUM_CLASSES),
    pool: Sequence[int] | None = None,
    keep: int = NUM_CLASSES,
    video_tagger: MeanTagger | None = None,
) -> Scores:
    """Return (id, start, class) -> logit, one segment, shift and class after the other."""
    found: Scores = {}
    for number, video in enumerate(VIDEOS):
        of_video = logits_of(video, video_tagger or MeanTagger())
        candidates = sorted(classes if pool is None else pool, key=lambda c: (-of_video[c], c))
        if policy.candidates:
            candidates = candidates[: policy.candidates]
        else:
            candidates = list(range(NUM_CLASSES))
        starts = list(range(0, len(video), 5))
        for start in starts[policy.skip_head : len(starts) - policy.skip_tail]:
            outputs = []
            for shift in policy.shifts:
                first = max(start - policy.window_before + shift, 0)
                last = max(start + 5 + policy.window_after + shift, 0)
                if len(video[first:last]):
                    outputs.append(logits_of(video[first:last], MeanTagger()))
            scores = {}
            for c in set(classes) & set(candidates):
                if policy.shift_mean == "probs":
                    mean = sum(sigmoid(output[c]) for output in outputs) / len(outputs)
                else:
                    mean = sigmoid(sum(output[c] for output in outputs) / len(outputs))
                p = sigmoid(of_video[c]) ** policy.video_power * mean**policy.segment_power
                scores[c] = math.log(p / (1 - p))
            for c in sorted(scores, key=lambda c: -scores[c])[:keep]:
                found[f"v{number}", start, c] = scores[c]
    return found


def by_scorer(policy: SegmentPolicy, choices: dict[str, Any], **scorer: Any) -> Scores:
    found: Scores = {}
    config = InferenceConfig(segments=True, videos=False, policy=policy, device="cpu", **choices)
    _, rows = Scorer(MeanTagger(), NUM_CLASSES, config, **scorer).score(make_batch(VIDEOS))
    assert rows is not None
    for row in range(len(rows)):
        pairs = slice(rows.indptr[row], rows.indptr[row + 1])
        assert pairs.stop > pairs.start, "a segment without a class has no row"
        assert (np.diff(rows.scores[pairs]) <= 0).all(), "best first"
        for c, score in zip(rows.classes[pairs], rows.scores[pairs].tolist(), strict=True):
            found[rows.ids[row].as_py(), int(rows.starts[row]), int(c)] = score
    return found


def same(found: Scores, expected: Scores) -> None:
    assert found.keys() == expected.keys()
    assert found == pytest.approx(expected, abs=1e-4)  # logits of some 5, float32 against float64


POLICIES = {
    "nothing": {},
    "head and tail": {"skip_head": 2, "skip_tail": 1},
    "context": {"window_before": 3, "window_after": 2},
    "shifts, logits": {"shifts": (-2, -1, 0, 1, 2)},
    "shifts, probabilities": {"shifts": (0, 4, -7), "shift_mean": "probs"},
    "candidates": {"candidates": 4},
    "fusion": {"video_power": 0.05, "segment_power": 0.95},
    "the video alone": {"video_power": 1.0, "segment_power": 0.0},
    "everything": {
        "skip_head": 1,
        "candidates": 5,
        "video_power": 0.3,
        "segment_power": 0.7,
        "window_before": 1,
        "shifts": (-1, 0, 3),
        "shift_mean": "probs",
    },
}


@pytest.mark.parametrize("batch_size", [1, 64])
@pytest.mark.parametrize("name", POLICIES)
def test_policy_scores_match_plain_loops(name: str, batch_size: int) -> None:
    policy = SegmentPolicy(**POLICIES[name])  # type: ignore[arg-type]
    same(by_scorer(policy, {"batch_size": batch_size}), by_loops(policy))


def test_policy_uses_the_given_video_scores() -> None:
    policy = SegmentPolicy(candidates=3, video_power=0.5, segment_power=0.5)
    expected = by_loops(policy, video_tagger=Harsher())
    same(by_scorer(policy, {}, video_scores=OfHarsher()), expected)
    assert expected.keys() != by_loops(policy).keys()


def test_candidates_are_of_the_scored_classes_or_the_pool() -> None:
    policy, classes = SegmentPolicy(candidates=2), (1, 4, 8, 11)
    alone = by_scorer(policy, {"segment_classes": classes})
    same(alone, by_loops(policy, classes=classes))
    pool = range(1, NUM_CLASSES)
    found = by_scorer(policy, {"segment_classes": classes}, pool=pool)
    same(found, by_loops(policy, classes=classes, pool=pool))
    assert found.keys() < alone.keys()


def test_videos_without_candidate_are_not_scored() -> None:
    tagger, config = MeanTagger(), SegmentPolicy(candidates=1)
    best = int(np.argmax(logits_of(VIDEOS[0], MeanTagger())))
    other = (best + 1) % NUM_CLASSES
    choices = InferenceConfig(
        videos=False, segments=True, segment_classes=(other,), policy=config, device="cpu"
    )
    scorer = Scorer(tagger, NUM_CLASSES, choices, pool=(best, other))
    _, rows = scorer.score(make_batch(VIDEOS[:1]))
    assert rows is not None and len(rows) == 0 and len(tagger.calls) == 1


def test_segment_top_k_cuts_after_the_fusion() -> None:
    policy = SegmentPolicy(candidates=6, video_power=0.5, segment_power=0.5)
    same(by_scorer(policy, {"segment_top_k": 2}), by_loops(policy, keep=2))


def test_default_policy_equals_plain_cuts() -> None:
    batch, tagger = make_batch(VIDEOS), MeanTagger()
    cuts, masks = [], []
    for row, video in enumerate(VIDEOS):
        for start in range(0, len(video), 5):
            cut, mask = torch.zeros(5, 8, dtype=torch.uint8), torch.zeros(5, dtype=torch.bool)
            steps = min(5, batch.frames.shape[1] - start)
            cut[:steps] = batch.frames[row, start : start + steps]
            mask[:steps] = batch.mask[row, start : start + steps]
            cuts.append(cut)
            masks.append(mask)
    expected = tagger(torch.stack(cuts), torch.stack(masks))
    _, rows = Scorer(tagger, NUM_CLASSES, InferenceConfig(segments=True, device="cpu")).score(batch)
    assert rows is not None
    order = torch.from_numpy(rows.classes.astype(np.int64)).reshape(len(cuts), -1)
    assert torch.equal(
        torch.from_numpy(rows.scores).reshape(len(cuts), -1), expected.gather(1, order)
    )


def test_pool_raises_beyond_the_classes() -> None:
    with pytest.raises(ConfigError, match="class 12 is not one of the checkpoint's 12"):
        Scorer(MeanTagger(), NUM_CLASSES, InferenceConfig(device="cpu"), pool=(12,))
