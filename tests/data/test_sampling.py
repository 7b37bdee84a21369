"""Choice of frames and order of items: bounds, counts, and what chance may and may not do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from reeltag.core.errors import ConfigError
from reeltag.data.features import Features
from reeltag.data.sampling import (
    EVERY,
    ChosenFrames,
    FrameChoice,
    FrameLimits,
    Shuffle,
    epoch_order,
)
from reeltag.data.streams import Stream
from reeltag.pipeline.keys import canonical
from tests.data.described import described

CHOICES = [
    FrameChoice(),
    FrameChoice(max_frames=7),
    FrameChoice(how="first", num_frames=5),
    FrameChoice(how="regular", num_frames=5),
    FrameChoice(how="contiguous", num_frames=5),
    FrameChoice(how="stride", stride_range=(2, 4)),
    FrameChoice(how="random", num_frames=5),
    FrameChoice(how="random", num_frames=5, ordered=True),
    FrameChoice(how="random", num_frames=5, replace=False),
    FrameChoice(how="random", num_frames=5, replace=False, ordered=True, max_frames=12),
]
every_choice = pytest.mark.parametrize("choice", CHOICES, ids=str)


def choose(choice: FrameChoice, *lengths: int, seed: int = 0, rows: slice = EVERY) -> ChosenFrames:
    return choice.choose(np.array(lengths), np.random.default_rng(seed), rows)


def numbers(chosen: ChosenFrames, row: int = 0) -> list[int]:
    count, first = int(chosen.count[row]), int(chosen.first[row])
    if chosen.listed is not None:
        return [first + int(number) for number in chosen.listed[row, :count]]
    return list(range(first, first + count * chosen.step, chosen.step))


@every_choice
@given(lengths=st.lists(st.integers(1, 40), min_size=1, max_size=6), seed=st.integers(0, 99))
def test_frame_choice_takes_frames_that_exist(
    choice: FrameChoice, lengths: list[int], seed: int
) -> None:
    chosen = choose(choice, *lengths, seed=seed)
    for row, length in enumerate(lengths):
        frames = numbers(chosen, row)
        assert frames
        assert min(frames) >= 0
        assert max(frames) < min(length, choice.max_frames or length)
        assert max(frames) - int(chosen.first[row]) < chosen.span[row]
    assert chosen.num_steps == max(chosen.count)
    assert chosen.num_steps <= choice.most(max(lengths))


@every_choice
def test_rank_gets_what_the_whole_batch_would_give_it(choice: FrameChoice) -> None:
    lengths = [9, 30, 4, 17, 1]
    whole = choose(choice, *lengths)
    for rank in range(2):
        part = choose(choice, *lengths, rows=slice(rank, None, 2))
        assert part.num_steps == whole.num_steps
        for row, number in enumerate(range(rank, 5, 2)):
            assert numbers(part, row) == numbers(whole, number)


def test_frame_choice_all_first_and_regular_by_hand() -> None:
    assert numbers(choose(FrameChoice(), 4)) == [0, 1, 2, 3]
    assert numbers(choose(FrameChoice(max_frames=3), 4)) == [0, 1, 2]
    assert numbers(choose(FrameChoice(how="first", num_frames=2), 4)) == [0, 1]
    regular = FrameChoice(how="regular", num_frames=4)
    assert numbers(choose(regular, 16)) == [2, 6, 10, 14]
    assert numbers(choose(regular, 6)) == [0, 2, 3, 5]
    assert numbers(choose(regular, 3)) == [0, 1, 2]


def test_run_begins_anywhere_it_fits() -> None:
    choice = FrameChoice(how="contiguous", num_frames=3)
    runs = {tuple(numbers(choose(choice, 5, seed=seed))) for seed in range(50)}
    assert runs == {(0, 1, 2), (1, 2, 3), (2, 3, 4)}
    assert numbers(choose(choice, 2)) == [0, 1]


def test_stride_draws_one_factor_a_batch_and_a_phase_an_item() -> None:
    choice = FrameChoice(how="stride", stride_range=(2, 3))
    seen: dict[int, set[int]] = {2: set(), 3: set()}
    for seed in range(60):
        chosen = choose(choice, 10, 10, seed=seed)
        for row in range(2):
            frames = numbers(chosen, row)
            assert frames == list(range(frames[0], 10, chosen.step))
            seen[chosen.step].add(frames[0])
    assert seen == {2: {0, 1}, 3: {0, 1, 2}}


def test_stride_leaves_a_short_video_one_frame() -> None:
    choice = FrameChoice(how="stride", stride_range=(9, 9))
    assert {tuple(numbers(choose(choice, 2, seed=seed))) for seed in range(20)} == {(0,), (1,)}


def test_random_with_replacement_gives_the_number_requested_even_of_a_short_video() -> None:
    frames = numbers(choose(FrameChoice(how="random", num_frames=40), 6))
    assert len(frames) == 40 and set(frames) == set(range(6))
    assert frames != sorted(frames)
    ordered = numbers(choose(FrameChoice(how="random", num_frames=40, ordered=True), 6))
    assert ordered == sorted(frames)


def test_random_without_replacement_gives_distinct_frames_and_all_of_a_short_video() -> None:
    choice = FrameChoice(how="random", num_frames=8, replace=False)
    chosen = choose(choice, 20, 5)
    long, short = numbers(chosen, 0), numbers(chosen, 1)
    assert len(set(long)) == 8 and long != sorted(long)
    assert sorted(short) == list(range(5))
    ordered = FrameChoice(how="random", num_frames=8, replace=False, ordered=True)
    chosen = choose(ordered, 20, 5)
    assert numbers(chosen, 0) == sorted(long) and numbers(chosen, 1) == list(range(5))


@pytest.mark.parametrize("replace", [True, False])
def test_random_frames_are_uniform(replace: bool) -> None:
    choice = FrameChoice(how="random", num_frames=4, replace=replace)
    chosen = choose(choice, *[10] * 5000)
    assert chosen.listed is not None
    counts = np.bincount(chosen.listed.ravel(), minlength=10)
    assert len(counts) == 10
    assert abs(counts - 2000).max() < 200  # 4.7 standard deviations


def test_batch_is_as_long_as_its_longest_choice() -> None:
    assert choose(FrameChoice(how="first", num_frames=9), 4, 6).num_steps == 6
    assert choose(FrameChoice(how="random", num_frames=9), 4, 6).num_steps == 9


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"how": "random"}, "num_frames: must be at least 1 to choose frames by 'random', got 0"),
        ({"max_frames": 0}, "max_frames: must be at least 1, got 0"),
        ({"stride_range": (5, 4)}, "stride_range: must be 1 <= low <= high, got 5, 4"),
        ({"stride_range": (0, 4)}, "stride_range: must be 1 <= low <= high, got 0, 4"),
    ],
)
def test_numbers_that_choose_nothing_raise(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{message}"):
        FrameChoice(**values)  # type: ignore[arg-type]


def some_shards() -> NDArray[np.int32]:
    return np.repeat(np.arange(20, dtype=np.int32), 50)


@pytest.mark.parametrize("shuffle", ["no", "global", "shards"])
def test_epoch_order_has_each_item_once(shuffle: Shuffle) -> None:
    order = epoch_order(some_shards(), shuffle, buffer=30, seed=1)
    assert sorted(order.tolist()) == list(range(1000))


@pytest.mark.parametrize("shuffle", ["global", "shards"])
def test_seed_and_nothing_else_decides_the_order(shuffle: Shuffle) -> None:
    orders = [epoch_order(some_shards(), shuffle, buffer=30, seed=seed) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(orders[0], orders[1])
    assert (orders[0] != orders[2]).mean() > 0.9


def test_without_shuffling_the_order_is_that_of_the_index() -> None:
    assert epoch_order(some_shards(), "no", buffer=1, seed=1).tolist() == list(range(1000))


def test_shuffling_by_shards_touches_few_shards_at_a_time_and_takes_them_in_random_order() -> None:
    shard = some_shards()
    order = epoch_order(shard, "shards", buffer=60, seed=1)
    windows = shard[order].reshape(-1, 25)
    assert max(len(set(window)) for window in windows.tolist()) <= 5  # (25 + 2 * 60) / 50, + 2
    globally = shard[epoch_order(shard, "global", buffer=60, seed=1)].reshape(-1, 25)
    assert min(len(set(window)) for window in globally.tolist()) > 5
    first_seen = list(dict.fromkeys(shard[order].tolist()))
    assert first_seen != sorted(first_seen)


def test_shuffling_by_shards_mixes_within_the_buffer_and_no_further() -> None:
    one_shard = np.zeros(2000, np.int32)
    moved = abs(epoch_order(one_shard, "shards", buffer=100, seed=3) - np.arange(2000))
    assert moved.max() < 100
    assert moved.mean() > 20


PUBLISHED = Features.published([Stream("rgb", 4, "uint8")])
DESCRIBED = described({"rgb": (4, "uint8")}, rate_hz=2)
ALL_OR_STRIDE = [FrameChoice(batch_frames=48), FrameChoice(how="stride", batch_frames=48)]


def limited(choice: FrameChoice, features: Features, *lengths: int, seed: int = 0) -> ChosenFrames:
    limits = choice.limits(features, 4, at_random=True)
    chosen = choice.choose(np.array(lengths), np.random.default_rng(seed), EVERY, limits)
    assert chosen.num_steps == max(chosen.count) <= choice.most(max(lengths), limits)
    return chosen


def test_published_features_give_300_frames_without_a_random_number() -> None:
    rng = np.random.default_rng(0)
    limits = FrameChoice().limits(PUBLISHED, 80, at_random=True)
    assert limits == FrameLimits(300)
    chosen = FrameChoice().choose(np.array([9, 5000]), rng, EVERY, limits)
    assert numbers(chosen, 1) == list(range(300)) and chosen.listed is None
    assert rng.random() == np.random.default_rng(0).random()


def test_described_features_give_all_frames_within_the_batch() -> None:
    chosen = limited(FrameChoice(), DESCRIBED, 9, 900, 301, 2)
    assert [numbers(chosen, row)[-1] for row in range(4)] == [8, 899, 300, 1]
    assert chosen.count.tolist() == [9, 900, 301, 2] and chosen.listed is None


@pytest.mark.parametrize("choice", ALL_OR_STRIDE, ids=["all", "stride"])
def test_longer_videos_give_one_frame_of_each_equal_part(choice: FrameChoice) -> None:
    seen = set[int]()
    for seed in range(300):
        chosen = limited(choice, DESCRIBED, 1200, 9, 11, 2, seed=seed)
        frames = numbers(chosen)
        assert len(frames) == 12 and max(numbers(chosen, 1)) <= 8
        reach = 50 if choice.how == "all" else 60
        assert np.abs(np.array(frames) - (50 + 100 * np.arange(12))).max() <= reach
        seen |= set(frames)
    assert min(seen) < 10 and max(seen) >= 1190 and len(seen) > 900


def test_middle_frames_are_taken_where_nothing_is_drawn() -> None:
    choice = FrameChoice(batch_frames=12)
    limits = choice.limits(DESCRIBED, 4, at_random=False)
    chosen = choice.choose(np.array([30, 3, 4, 1]), np.random.default_rng(0), EVERY, limits)
    assert [numbers(chosen, row) for row in range(4)] == [[5, 15, 25], [0, 1, 2], [0, 2, 3], [0]]


def test_frame_limits_are_the_choice_s_own_where_it_has_some() -> None:
    for features in (PUBLISHED, DESCRIBED):
        assert FrameChoice(max_frames=7).limits(features, 4, at_random=True) == FrameLimits(7)
    contiguous = FrameChoice(how="contiguous", num_frames=700)
    assert contiguous.limits(DESCRIBED, 80, at_random=True) == FrameLimits()


def test_frame_choice_keeps_the_step_keys_of_when_300_was_its_default() -> None:
    before = ["stride_range", "how", "max_frames", "num_frames", "ordered", "replace"]
    named = canonical(FrameChoice(), "frames")
    assert isinstance(named, list) and set(named[2]) == set(before)
    assert named == canonical(FrameChoice(max_frames=300), "frames")
    assert named != canonical(FrameChoice(batch_frames=9), "frames")


def test_random_frames_of_many_long_videos_are_those_of_one_pass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    choice = FrameChoice(how="random", num_frames=5, replace=False)
    whole = choose(choice, 9, 30, 4, 17, 1)
    monkeypatch.setattr("reeltag.data.sampling._KEYS_AT_ONCE", 31)
    apart = choose(choice, 9, 30, 4, 17, 1)
    assert [numbers(apart, row) for row in range(5)] == [numbers(whole, row) for row in range(5)]


@pytest.mark.parametrize(
    ("choice", "features", "words"),
    [
        (
            FrameChoice(),
            PUBLISHED,
            "all frames of each of 3 videos, but only of the first 300 of 1 longer ones",
        ),
        (FrameChoice(), DESCRIBED, "all frames of each of 3 videos"),
        (
            FrameChoice(batch_frames=480),
            DESCRIBED,
            "all frames of each of 3 videos; of 2 longer ones 120: one at random of each of 120 "
            "equal parts (480 frames a batch)",
        ),
        (FrameChoice(how="stride"), DESCRIBED, "every 5th to 10th frame of each of 3 videos"),
    ],
)
def test_frame_choice_words(choice: FrameChoice, features: Features, words: str) -> None:
    limits = choice.limits(features, 4, at_random=True)
    assert choice.words(np.array([9, 900, 150], np.int32), limits, "videos") == words
