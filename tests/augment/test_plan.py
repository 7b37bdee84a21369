"""The plan: every number of the published formula, the rarest label, the hash, the volume."""

from pathlib import Path

import numpy as np
import pytest

from reeltag.augment.plan import (
    YT8M_VIDEOS,
    PlanConfig,
    decision_labels,
    divisors_for,
    is_kept,
    neighbours_for,
    plan_of,
    target_count,
)
from reeltag.augment.volume import chunks_of, volume_of
from reeltag.augment.writing import SampleConfig
from reeltag.core.errors import ConfigError
from tests.augment.vectors import Made, write_data

PUBLISHED = PlanConfig(rare="published")


@pytest.mark.parametrize(
    ("count", "expected"),
    [(150, 6), (200, 8), (272, 8), (500, 7), (1000, 6), (3000, 3), (9999, 2), (10_000, 2)],
)
def test_neighbours_follow_the_published_formula(count: int, expected: int) -> None:
    assert neighbours_for(np.array([count]), PUBLISHED).tolist() == [expected]
    assert divisors_for(np.array([count]), PUBLISHED).tolist() == [1]


@pytest.mark.parametrize(
    ("count", "expected"),
    [(10_001, 1), (50_000, 3), (100_000, 6), (400_000, 22), (800_000, 40)],
)
def test_divisors_follow_the_published_formula(count: int, expected: int) -> None:
    assert divisors_for(np.array([count]), PlanConfig()).tolist() == [expected]
    assert neighbours_for(np.array([count]), PlanConfig()).tolist() == [0]


def test_target_count_worked_by_hand() -> None:
    # t(1000) = (-1 / 2 + 1) * 1e4; t(10) is negative: two thirds of what nobody can have
    found = target_count(np.array([10, 100, 1000, 10_000, 1_000_000]), PlanConfig())
    assert found.tolist() == [-5000, 0, 5000, 10_000, 20_000]


def test_rare_labels_get_most_neighbours_by_peak_and_none_as_published() -> None:
    rare = np.array([1, 50, 99, 100, 150, 271, 272])
    assert neighbours_for(rare, PUBLISHED).tolist() == [0, 0, 0, 1, 6, 8, 8]
    assert neighbours_for(rare, PlanConfig()).tolist() == [8] * 7


def test_neighbours_do_not_fall_with_fewer_videos() -> None:
    every = np.arange(1, 10_001)
    for config in (PlanConfig(), PlanConfig(alpha=2.5), PlanConfig(pivot=700, decades=1)):
        assert (np.diff(neighbours_for(every, config)) <= 0).all()
        assert neighbours_for(every, config)[0] == neighbours_for(every, config).max() > 0


def test_alpha_multiplies_the_neighbours() -> None:
    # int(2 * 5000 / 1000 + 1)
    assert neighbours_for(np.array([1000]), PlanConfig(alpha=2)).tolist() == [11]


def test_auto_pivot_scales_with_the_number_of_videos() -> None:
    tenth = PlanConfig(pivot="auto").for_videos(YT8M_VIDEOS // 10)
    assert tenth.number == pytest.approx(1000, rel=1e-5)
    tenths = np.array([25, 50, 90, 310])  # none at a whole number, where rounding decides
    assert (neighbours_for(tenths, tenth) == neighbours_for(10 * tenths, PlanConfig())).all()
    assert divisors_for(np.array([40_000]), tenth).tolist() == [22]
    assert PlanConfig(pivot="auto").for_videos(3).number == 1  # never below one video


def test_decision_label_is_the_rarest_and_the_first_of_equals() -> None:
    counts = np.array([9, 2, 5, 2])
    bounds = np.array([0, 2, 2, 4, 5])
    classes = np.array([0, 2, 1, 3, 0], np.int32)
    assert decision_labels(bounds, classes, counts).tolist() == [2, -1, 1, 0]
    nothing = decision_labels(np.array([0, 0]), np.empty(0, np.int32), counts)
    assert nothing.tolist() == [-1]


def test_is_kept_has_its_rate_and_is_the_same_everywhere() -> None:
    kept = [is_kept(f"{number:04x}", 5) for number in range(5000)]
    # 5000 draws at 1/5: sd 28; 4 sd
    assert abs(sum(kept) - 1000) < 113
    assert [name for name in "abcdefghijkl" if is_kept(name, 3)] == list("cefgij")


MADE = {  # label 0: 8 videos; label 1: 3 of them; label 2: 1, alone; one video without labels
    "train0": [Made("a0", (0,)), Made("a1", (0, 1)), Made("a2", (0,)), Made("a3", ())],
    "train1": [Made("b0", (0, 1)), Made("b1", (0, 1)), Made("b2", (0,)), Made("b3", (0, 2))],
    "train2": [Made("c0", (0,)), Made("c1", (0,))],
    "validate0": [Made("v0", (0, 2))],
}
SMALL = PlanConfig(pivot=4, decades=1)


def test_plan_follows_the_rarest_label_of_each_video(tmp_path: Path) -> None:
    items = write_data(tmp_path, MADE).videos()
    plan = plan_of(items, SMALL)
    assert plan.counts.tolist() == [9, 3, 1]
    assert plan.decision.tolist() == [0, 1, 0, -1, 1, 1, 0, 2, 0, 0]
    # label 0: t(9) = (log10(9 / 4) + 1) * 4 = 5.41, 9 / t = 1.66: all stay;
    # label 1: t(3) = (log10(3 / 4) + 1) * 4 = 3.50, 3.50 / 3 + 1 = 2.17; the peak is at 4e / 10
    # = 1.09, where t = (log10(0.272) + 1) * 4 = 1.74: label 2 gets int(1.74 / 1.09 + 1) = 2
    assert plan.neighbours.tolist() == [0, 2, 0, 0, 2, 2, 0, 2, 0, 0]
    assert plan.kept.all()


def test_plan_thins_out_frequent_labels_by_id_and_seed(tmp_path: Path) -> None:
    items = write_data(tmp_path, MADE).videos()
    config = PlanConfig(pivot=1)  # t(9) = 1.48: one of 6
    plan = plan_of(items, config)
    names = items.ids(np.arange(len(items)))
    of_0 = [plan.kept[place] for place in np.flatnonzero(plan.decision == 0)]
    assert of_0 == [is_kept(names[place], 6) for place in np.flatnonzero(plan.decision == 0)]
    assert plan.kept[plan.decision < 0].all()  # nothing decides about it
    others = [plan_of(items, config, seed=seed).kept.tolist() for seed in range(5)]
    assert len(set(map(tuple, others))) > 1


def test_volume_and_chunks_worked_by_hand(tmp_path: Path) -> None:
    items = write_data(tmp_path, MADE).videos()
    plan = plan_of(items, SMALL)
    whole = chunks_of(items, 256)
    assert [(chunk.shards, chunk.first, chunk.stop) for chunk in whole] == [((0, 1, 2), 0, 10)]
    volume = volume_of(items, plan, whole, SampleConfig())
    # 3 videos of label 1, each the neighbour of each: 3 pairs, 6 samples; b3 alone: 2 noisy
    assert (volume.over_sampled, volume.alone, volume.noisy) == (4, 1, 2)
    assert (volume.least, volume.most, volume.dropped, volume.chunks) == (8, 8, 0, 1)
    assert volume.memory == (4 + 3) * 4 * 9
    single = chunks_of(items, 1)
    assert [chunk.stop for chunk in single] == [4, 8, 10]
    volume = volume_of(items, plan, single, SampleConfig())
    # a1 and b3 alone, two noisy each; b0 and b1: one pair
    assert (volume.alone, volume.noisy, volume.least, volume.most) == (2, 4, 6, 6)
    noise = volume_of(items, plan, single, SampleConfig(method="noise"))
    assert (noise.noisy, noise.least, noise.most) == (8, 8, 8)


def test_plan_raises_for_a_split_without_labels(tmp_path: Path) -> None:
    items = write_data(tmp_path, {"train0": [Made("a", ()), Made("b", ())]}).videos()
    with pytest.raises(ConfigError, match="none of the 2 videos of the split 'train' has a label"):
        plan_of(items, PlanConfig())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("alpha", value) for value in (0.0, -1.0, float("nan"), 1e9)),
        *(("decades", value) for value in (0.4, float("inf"), float("nan"))),
        *(("pivot", value) for value in (0.5, float("inf"), float("nan"))),
    ],
)
def test_plan_config_names_numbers_out_of_range(field: str, value: float) -> None:
    with pytest.raises(ConfigError, match=rf"^{field} is {value}; allowed: "):
        PlanConfig(**{field: value})  # type: ignore[arg-type]
