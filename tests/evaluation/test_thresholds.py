"""Thresholds: exact bounds by hand, and promises that are kept on data of a known precision."""

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import ndtr
from scipy.stats import binomtest

from reeltag.core.errors import ConfigError, DataError, OutputError
from reeltag.evaluation.thresholds import choose_thresholds, clopper_pearson
from reeltag.tagger.thresholds import ClassThreshold, Thresholds

FEWEST = 29  # positives that a precision of 0.9 takes at 0.95: 0.9^29 <= 0.05


def choose(
    scores: list[float], hits: list[bool], precision: float = 0.9, videos: list[int] | None = None
) -> ClassThreshold:
    found = choose_thresholds(
        scores, hits, [0] * len(hits), ["a"], precision=precision, videos=videos
    )
    return found.classes[0]


@dataclass(frozen=True)
class Simulated:
    """Ratings of classes: scores of positives are normal about `shift`, of negatives about 0."""

    scores: NDArray[np.float64]
    hits: NDArray[np.bool_]
    classes: NDArray[np.int64]
    videos: NDArray[np.int64]
    base: NDArray[np.float64]
    shift: NDArray[np.float64]

    def precision(self, thresholds: Thresholds) -> NDArray[np.float64]:
        """Return the true precision of each class that has a threshold."""
        high = thresholds.high_logits
        true, false = self.base * ndtr(self.shift - high), (1 - self.base) * ndtr(-high)
        has = np.isfinite(high)
        precision: NDArray[np.float64] = true[has] / (true[has] + false[has])
        return precision


def simulate(seed: int, num_classes: int, ratings: int, *, copies: int = 1) -> Simulated:
    """Return so many ratings of each class; copies of a rating belong to the same video."""
    draw = np.random.default_rng(seed)
    base, shift = draw.uniform(0.2, 0.6, num_classes), draw.uniform(1.5, 3.5, num_classes)
    classes = np.repeat(np.arange(num_classes), ratings)
    hits = draw.random(len(classes)) < base[classes]
    scores = draw.standard_normal(len(classes)) + shift[classes] * hits
    rows = np.repeat(np.arange(len(classes)), copies)
    return Simulated(scores[rows], hits[rows], classes[rows], rows, base, shift)


def chosen(data: Simulated, *, videos: bool = False) -> Thresholds:
    names = [f"class {c}" for c in range(len(data.base))]
    owners = data.videos if videos else None
    return choose_thresholds(data.scores, data.hits, data.classes, names, videos=owners)


def best_looking(data: Simulated) -> Thresholds:
    """Return the lowest thresholds at which the precision of ten ratings or more is 0.9."""
    found = []
    for c in range(len(data.base)):
        mine = data.classes == c
        order = np.argsort(-data.scores[mine])
        precision = np.cumsum(data.hits[mine][order]) / np.arange(1, mine.sum() + 1)
        good = np.flatnonzero(precision[9:] >= 0.9)
        logit = float(data.scores[mine][order][good[-1] + 9]) if len(good) else None
        found.append(ClassThreshold(name=str(c), logit=logit))
    return Thresholds(classes=tuple(found))


@pytest.mark.parametrize("ratings", [150, 400, 1500])
def test_promise_is_kept_by_nine_classes_of_ten(ratings: int) -> None:
    kept, naive, reached = [], [], 0
    for seed in range(4):
        data = simulate(seed, 60, ratings)
        thresholds = chosen(data)
        kept += (data.precision(thresholds) >= 0.9).tolist()
        naive += (data.precision(best_looking(data)) >= 0.9).tolist()
        reached += 60 - len(thresholds.unreached)
    assert np.mean(kept) >= 0.9
    assert np.mean(naive) < 0.7  # what the bound is for
    assert reached / 240 > {150: 0.3, 400: 0.75, 1500: 0.9}[ratings]


def test_promise_is_kept_where_ratings_of_a_video_agree() -> None:
    data = [simulate(seed, 60, 200, copies=5) for seed in range(3)]
    with_videos, without = ([chosen(d, videos=v) for d in data] for v in (True, False))
    shares = [
        np.mean(np.concatenate([d.precision(t) >= 0.9 for d, t in zip(data, found, strict=True)]))
        for found in (with_videos, without)
    ]
    assert shares[0] >= 0.9 and shares[1] < 0.85
    assert all(t.correlation == pytest.approx(1, abs=0.05) for t in with_videos)
    alone = chosen(simulate(0, 60, 200), videos=True)
    assert alone.correlation == pytest.approx(0, abs=0.05)


def test_smallest_threshold_that_promises_is_chosen() -> None:
    # 47 of 48, then 47 of 49, 50, ...: what is certain enough is found by exact binomial tests
    hits = [True] * 30 + [False] + [True] * 17 + [False] * 20
    scores = [float(-k) for k in range(len(hits))]
    found = choose(scores, hits)
    above = np.cumsum(hits)
    sure = [
        k
        for k in range(1, len(hits) + 1)
        if hits[k - 1]  # a negative more would not add to the recall
        and binomtest(int(above[k - 1]), k, 0.9, "greater").pvalue <= 0.05
    ]
    assert found.logit == scores[max(sure) - 1] and found.num_above == max(sure)
    assert found.prob == pytest.approx(1 / (1 + math.exp(max(sure) - 1)))
    assert found.precision == 47 / max(sure) and found.recall == 1
    assert (found.num_rated, found.num_positive, found.reason) == (68, 47, "")
    expected = binomtest(47, max(sure)).proportion_ci(0.95, "exact")
    assert found.interval == pytest.approx((expected.low, expected.high))


def test_equal_scores_are_above_a_threshold_together() -> None:
    scores = [1.0] * FEWEST + [0.0] * 10
    assert choose(scores, [True] * FEWEST + [False] * 10).num_above == FEWEST
    mixed = [*[2.0] * 10, *[1.0] * 40]
    hits = [True] * 40 + [False] * 10  # the negatives have the score of 30 of the positives
    assert choose(mixed, hits).logit is None


@pytest.mark.parametrize(
    ("num_positive", "num_negative", "reason"),
    [
        (0, 0, "too few positive ratings: 0, at least 29 are needed"),
        (28, 50, "too few positive ratings: 28, at least 29 are needed"),
    ],
)
def test_class_with_few_positives_has_no_threshold(
    num_positive: int, num_negative: int, reason: str
) -> None:
    hits = [True] * num_positive + [False] * num_negative
    found = choose([float(-k) for k in range(len(hits))], hits)
    assert (found.logit, found.prob, found.interval) == (None, None, None)
    assert (found.reason, found.num_rated) == (reason, len(hits))


def test_class_that_is_never_precise_has_no_threshold() -> None:
    hits = [True, True, False] * 40
    found = choose([float(-k) for k in range(len(hits))], hits)
    assert found.logit is None
    assert found.reason == "best precision 0.69, of 29 ratings"
    assert choose([float(-k) for k in range(len(hits))], hits, 0.5).num_above == 119


def test_ratings_of_few_videos_are_little_evidence() -> None:
    # each video is wholly positive or wholly negative: ten ratings count as one
    hits = [True] * 60 + [False] * 10 + [True] * 40 + [False] * 100
    falling = [float(-k) for k in range(210)]
    assert choose(falling, hits).num_above == 60  # as if they were independent
    found = choose_thresholds(falling, hits, [0] * 210, ["a"], videos=[k // 10 for k in range(210)])
    assert found.correlation == 1
    reason = "too few videos: 210 ratings count as 21 independent ones, at least 29 are needed"
    assert found.unreached == {"a": reason}


def test_ratings_that_are_all_alike_count_once_per_video() -> None:
    hits, videos = [True] * 60 + [False] * 60, [k // 2 for k in range(120)]
    falling = [float(-k) for k in range(120)]
    found = choose_thresholds(falling, hits, [0] * 120, ["a"], videos=videos)
    assert found.correlation == 1
    pairs, independent = found.classes[0], choose(falling, hits)
    assert pairs.num_above == independent.num_above == 60
    assert pairs.interval == pytest.approx((0.025 ** (1 / 30), 1))
    assert independent.interval == pytest.approx((0.025 ** (1 / 60), 1))
    lone = choose_thresholds(falling, hits, [0] * 120, ["a"], videos=list(range(120)))
    assert lone.correlation == 0 and lone.classes[0] == choose(falling, hits)


@pytest.mark.parametrize(("hits", "trials"), [(0, 5), (5, 5), (3, 10), (450, 500)])
def test_clopper_pearson_interval_is_exact(hits: int, trials: int) -> None:
    expected = binomtest(hits, trials).proportion_ci(0.95, "exact")
    assert clopper_pearson(hits, trials) == pytest.approx((expected.low, expected.high))


def test_thresholds_at_a_probability_are_its_logit() -> None:
    thresholds = Thresholds.at_prob(["a", "b"], 0.5)
    assert thresholds.names == ("a", "b") and not thresholds.unreached
    np.testing.assert_allclose(thresholds.high_logits, 0)


def test_thresholds_file_is_read_as_it_was_saved(tmp_path: Path) -> None:
    thresholds = replace(chosen(simulate(0, 8, 100), videos=True), confidence=0.9)
    assert thresholds.unreached and len(thresholds.unreached) < 8
    names = thresholds.names
    assert Thresholds.find(tmp_path, names) is None
    thresholds.save(tmp_path)
    assert Thresholds.find(tmp_path, names) == thresholds
    with pytest.raises(DataError, match="has 8 classes"):
        Thresholds.find(tmp_path, names[:-1])
    has = np.isfinite(thresholds.high_logits)
    assert list(thresholds.unreached) == [
        n for n, h in zip(thresholds.names, has, strict=True) if not h
    ]
    with pytest.raises(OutputError):
        thresholds.save(tmp_path / "thresholds.json")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 2}, "is of version 2, and not 1"),
        ({"precision": 1.5}, r"precision is 1.5; allowed: a number in \(0, 1\), or None"),
        ({"classes": [{"name": "a", "logit": "high"}]}, r"classes\[0\].logit must be a number"),
        ({"classes": [{"logit": 1.0}]}, r"lacks the field thresholds.classes\[0\].name"),
    ],
)
def test_thresholds_file_with_a_wrong_field_is_reported(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    path = tmp_path / "thresholds.json"
    Thresholds.at_prob(["a"], 0.5).save(tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(DataError, match=message):
        Thresholds.open(path)
    path.write_text("{")
    with pytest.raises(DataError, match="cannot be read"):
        Thresholds.open(path)


def test_ratings_are_checked() -> None:
    with pytest.raises(ConfigError, match="--precision: must be in"):
        choose([0.0], [True], 1.0)
    with pytest.raises(DataError, match="not a number"):
        choose([math.nan], [True])
    with pytest.raises(DataError, match="columns of one length"):
        choose([0.0, 1.0], [True])
    with pytest.raises(DataError, match=r"class of a rating is not in \[0, 1\)"):
        choose_thresholds([0.0], [True], [1], ["a"])
