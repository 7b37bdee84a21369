"""The loader: any order, resumed anywhere, shared among ranks, and no thread left."""

import gc
import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from reeltag.core.batch import FrameBatch
from reeltag.core.errors import ConfigError
from reeltag.data.items import VideoSet
from reeltag.data.loader import Loader, ReadConfig
from reeltag.data.sampling import FrameChoice, Shuffle
from tests.data.batches import Kept, assert_same, kept, loader_threads
from tests.data.corpora import (
    Corpus,
    a_video,
    frame_corpus,
    vector_corpus,
)

RANDOM = FrameChoice(how="random", num_frames=4, replace=False)
STRIDE = FrameChoice(how="stride", stride_range=(2, 4))


@pytest.mark.parametrize("shuffle", ["global", "shards"])
def test_epoch_takes_every_item_once_and_the_next_in_another_order(
    corpus: Corpus, items: VideoSet, shuffle: Shuffle
) -> None:
    loader = Loader(items, batch_size=7, shuffle=shuffle, reading=ReadConfig(window=10))
    epochs = [[name for batch in loader for name in batch.ids] for _ in range(2)]
    assert sorted(epochs[0]) == sorted(epochs[1]) == sorted(corpus.videos)
    assert epochs[0] != epochs[1]


def test_loader_draws_other_frames_in_each_batch_and_epoch(tmp_path: Path) -> None:
    alike = frame_corpus(tmp_path, {"train0": [a_video(str(n), 20) for n in range(8)]})
    loader = Loader(alike.data.videos("all"), batch_size=4, frames=RANDOM)
    drawn = []
    for batch in kept(loader) + kept(loader):
        for name, frames in zip(batch.ids, batch.frames, strict=True):
            stored = alike.videos[name].frames.tolist()
            drawn.append(tuple(stored.index(frame) for frame in frames.tolist()))
    assert len(set(drawn)) == len(drawn) == 16


@pytest.mark.parametrize("shuffle", ["no", "global", "shards"])
@pytest.mark.parametrize("choice", [RANDOM, STRIDE], ids=lambda choice: choice.how)
def test_loader_resumed_anywhere_goes_on_bit_by_bit(
    items: VideoSet, shuffle: Shuffle, choice: FrameChoice
) -> None:
    def fresh() -> Loader:
        return Loader(items, batch_size=9, frames=choice, shuffle=shuffle, seed=5)

    whole = fresh()
    expected = kept(whole) + kept(whole)
    for done in range(2 * len(whole)):
        first, position = fresh(), fresh().state_dict()
        taken = 0
        while taken < done:
            for _ in first:
                taken += 1
                position = first.state_dict()
                if taken == done:
                    break
        second = fresh()
        second.load_state_dict(position)
        rest = kept(second)
        assert_same(rest, expected[done : done + len(whole) - done % len(whole)])


def test_epoch_that_was_broken_off_is_not_repeated(items: VideoSet) -> None:
    loader = Loader(items, batch_size=9, shuffle="global")
    for _ in loader:
        break
    assert loader.state_dict()["epoch"] == 0
    second = kept(loader)
    other = Loader(items, batch_size=9, shuffle="global")
    other.set_epoch(1)
    assert_same(second, kept(other))
    assert len(second) == len(loader)


def test_naming_the_epoch_again_keeps_a_position_just_loaded_and_another_discards_it(
    items: VideoSet,
) -> None:
    loader = Loader(items, batch_size=9)
    loader.load_state_dict({"epoch": 3, "batches": 2})
    loader.set_epoch(3)
    assert len(list(loader)) == len(loader) - 2
    loader.load_state_dict({"epoch": 3, "batches": 2})
    loader.set_epoch(4)
    assert len(list(loader)) == len(loader)
    assert loader.state_dict()["epoch"] == 5


def test_position_in_other_batches_raises(items: VideoSet) -> None:
    state = Loader(items, batch_size=9, seed=1).state_dict()
    with pytest.raises(ConfigError, match="batch_size: was 9 when the state was saved, and is 8"):
        Loader(items, batch_size=8, seed=1).load_state_dict(state)
    with pytest.raises(ConfigError, match="seed: was 1 .* and is 2"):
        Loader(items, batch_size=9, seed=2).load_state_dict(state)
    with pytest.raises(ConfigError, match=r"batches: must be in \[0, 5\], got 6"):
        Loader(items, batch_size=9).load_state_dict({"epoch": 0, "batches": 6})


@pytest.mark.parametrize("world_size", [2, 4])
@pytest.mark.parametrize("choice", [FrameChoice(), RANDOM, STRIDE], ids=lambda choice: choice.how)
def test_ranks_together_give_the_batches_of_one_process(
    items: VideoSet, world_size: int, choice: FrameChoice
) -> None:
    def batches(rank: int, world_size: int) -> list[Kept]:
        return kept(
            Loader(
                items,
                batch_size=12,
                frames=choice,
                shuffle="global",
                seed=3,
                ranks=(rank, world_size),
            )
        )

    whole = batches(0, 1)
    parts = [batches(rank, world_size) for rank in range(world_size)]
    for number, batch in enumerate(whole):
        for row, name in enumerate(batch.ids):
            part = parts[row % world_size][number]
            assert part.ids[row // world_size] == name
            assert part.shape[1:] == batch.shape[1:]
            np.testing.assert_array_equal(part.frames[row // world_size], batch.frames[row])
        assert sum(len(part[number].ids) for part in parts) == len(batch.ids)


def test_ranks_have_as_many_batches_and_a_part_of_the_last_may_be_empty(
    items: VideoSet,
) -> None:
    few = items.dataset.videos("all", rows=np.arange(13))
    parts = [kept(Loader(few, batch_size=12, ranks=(rank, 2))) for rank in range(2)]
    assert [[len(batch.ids) for batch in part] for part in parts] == [[6, 1], [6, 0]]
    assert parts[1][1].shape == (0, *parts[0][1].shape[1:])
    dropped = [Loader(few, batch_size=12, ranks=(r, 2), drop_last=True) for r in range(2)]
    assert [len(loader) for loader in dropped] == [1, 1]
    assert [[len(batch.ids) for batch in kept(loader)] for loader in dropped] == [[6], [6]]


def test_endless_stream_is_epoch_after_epoch_from_any_batch_on(items: VideoSet) -> None:
    def fresh() -> Loader:
        return Loader(items, batch_size=9, frames=RANDOM, shuffle="global", seed=5)

    loader = fresh()
    expected = kept(loader) + kept(loader) + kept(loader)
    for start in (0, 1, 5, 8):
        stream = fresh().endless(start)
        some = [Kept(batch) for batch in itertools.islice(stream, 6)]
        assert_same(some, expected[start : start + 6])
    untouched = fresh()
    next(untouched.endless(3))
    assert untouched.state_dict() == fresh().state_dict()


def test_how_far_it_reads_ahead_changes_nothing(items: VideoSet) -> None:
    def batches(prefetch: int) -> list[Kept]:
        reading = ReadConfig(window=9, prefetch=prefetch)
        loader = Loader(items, batch_size=7, frames=RANDOM, shuffle="shards", reading=reading)
        return kept(loader) + kept(loader)

    expected = batches(2)
    for prefetch in (1, 3, 9):
        assert_same(batches(prefetch), expected)


def test_reused_batch_is_good_until_prefetch_further_ones_were_taken(items: VideoSet) -> None:
    expected = kept(Loader(items, batch_size=2))
    for prefetch in (1, 3):
        taken: list[FrameBatch] = []
        reading = ReadConfig(prefetch=prefetch)
        loader = Loader(items, batch_size=2, reuse_buffers=True, reading=reading)
        for number, batch in enumerate(loader):
            taken.append(batch)
            good = slice(max(0, number + 1 - prefetch), number + 1)
            assert_same([Kept(old) for old in taken[good]], expected[good])


def test_batches_are_safe_to_keep(items: VideoSet) -> None:
    expected = kept(Loader(items, batch_size=7, shuffle="global", reuse_buffers=True))
    batches = list(Loader(items, batch_size=7, shuffle="global"))
    assert_same([Kept(batch) for batch in batches], expected)
    assert len({batch.frames.data_ptr() for batch in batches}) == len(batches)
    labels = [batch.labels for batch in batches if batch.labels is not None]
    labels[0].fill_(7)  # nobody else's
    assert len(labels) == len(batches) and all(float(some.max()) == 1 for some in labels[1:])


def test_reused_buffers_give_the_same_endless_stream(items: VideoSet) -> None:
    def taken(reuse: bool) -> list[Kept]:
        loader = Loader(items, batch_size=9, frames=RANDOM, shuffle="global", reuse_buffers=reuse)
        return [Kept(batch) for batch in itertools.islice(loader.endless(2), 12)]

    assert_same(taken(False), taken(True))


@pytest.mark.parametrize("start", [None, "fork", "spawn"])
@pytest.mark.parametrize("size", [{}, {"batch_size": None}], ids=["plain", "batch_size=None"])
def test_torch_data_loader_gives_every_batch_once(
    items: VideoSet, start: str | None, size: dict[str, Any]
) -> None:
    """By itself, and with workers that are forked (Linux) or started (macOS, Windows)."""
    expected = kept(Loader(items, batch_size=9, frames=RANDOM, shuffle="global"))
    loader = Loader(items, batch_size=9, frames=RANDOM, shuffle="global")
    workers = 2 if start else 0
    taken = DataLoader(loader, num_workers=workers, multiprocessing_context=start, **size)
    assert len(taken) == len(expected)
    found = [Kept(batch) for batch in taken]
    assert_same(sorted(found, key=by_ids), sorted(expected, key=by_ids))


def test_torch_data_loader_that_would_join_batches_raises(items: VideoSet) -> None:
    with pytest.raises(ConfigError, match="joins 2 things, and a Loader gives whole batches"):
        list(DataLoader(Loader(items, batch_size=9), batch_size=2))


def by_ids(batch: Kept) -> tuple[str, ...]:
    return batch.ids


def test_reused_buffers_serve_the_next_epoch_too(items: VideoSet) -> None:
    loader = Loader(items, batch_size=8, reuse_buffers=True)
    addresses = [{batch.frames.data_ptr() for batch in loader} for _ in range(3)]
    assert addresses[1] == addresses[2] == addresses[0]
    assert len(addresses[0]) == 5


@pytest.mark.parametrize("reuse", [False, True])
def test_iterations_of_one_loader_do_not_share_buffers(items: VideoSet, reuse: bool) -> None:
    loader = Loader(items, batch_size=3, reuse_buffers=reuse)  # more batches than buffers
    expected = kept(loader)
    for number, outer in enumerate(loader):
        loader.set_epoch(0)
        assert_same(kept(loader), expected)
        assert_same([Kept(outer)], [expected[number]])


def test_leaving_the_loop_ends_the_thread(items: VideoSet) -> None:
    for _ in Loader(items, batch_size=2):
        assert len(loader_threads()) == 1
        break
    gc.collect()
    assert not loader_threads()
    with pytest.raises(RuntimeError, match="left"):
        raise_in_loop(Loader(items, batch_size=2))
    gc.collect()
    assert not loader_threads()


def raise_in_loop(loader: Loader) -> None:
    for _ in loader:
        raise RuntimeError("left")


def test_iterator_that_is_never_finished_leaves_no_thread_or_file(items: VideoSet) -> None:
    before = set(os.listdir("/proc/self/fd"))
    begun: Iterator[FrameBatch] = iter(Loader(items, batch_size=2))
    next(begun)
    never_begun = iter(Loader(items, batch_size=2))
    del begun, never_begun
    gc.collect()
    assert not loader_threads()
    assert set(os.listdir("/proc/self/fd")) <= before


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"batch_size": 0}, "batch_size: must be a positive multiple of the 1 ranks"),
        ({"ranks": (0, 3)}, "batch_size: must be a positive multiple of the 3 ranks .* got 8"),
        ({"ranks": (1, 1)}, r"ranks: must be in \[0, 1\), got 1"),
        ({"batch_size": 41, "drop_last": True}, "40 items do not fill one batch of 41"),
    ],
)
def test_numbers_out_of_range_raise(items: VideoSet, values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Loader(items, **{"batch_size": 8, **values})


@pytest.mark.parametrize("name", ["prefetch", "window"])
def test_read_config_refuses_numbers_below_one(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} is 0; allowed: an integer >= 1"):
        ReadConfig(**{name: 0})  # type: ignore[arg-type]


def test_choosing_frames_of_video_level_records_raises(tmp_path: Path) -> None:
    items = vector_corpus(tmp_path)[0].videos("all")
    with pytest.raises(ConfigError, match="frames: video-level records have one vector each"):
        Loader(items, batch_size=8, frames=RANDOM)


@pytest.mark.gpu
def test_pinned_buffers_are_not_overwritten_while_they_are_copied_to_the_gpu(
    items: VideoSet,
) -> None:
    expected = kept(Loader(items, batch_size=2))
    reading = ReadConfig(prefetch=1, pin=True)
    loader = Loader(items, batch_size=2, reuse_buffers=True, reading=reading)
    busy = torch.randn(4096, 4096, device="cuda")
    moved: list[FrameBatch] = []
    for batch in loader:
        assert batch.frames.is_pinned()
        for _ in range(20):  # the copy waits in the queue behind this
            busy = busy @ busy
        moved.append(batch.to("cuda"))
    assert_same([Kept(batch.to("cpu")) for batch in moved], expected)
