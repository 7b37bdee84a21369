"""What is in a batch: the stored bytes, the chosen frames, the labels; and damaged shards."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from reeltag.core.errors import DataError
from reeltag.data.indexing.locations import Shard
from reeltag.data.items import VideoSet
from reeltag.data.loader import Loader, ReadConfig
from reeltag.data.records.example import Values, encode_example
from reeltag.data.sampling import FrameChoice
from reeltag.data.splits import Splits
from tests.data.batches import Kept, assert_same, kept, loader_threads
from tests.data.corpora import (
    NUM_CLASSES,
    Corpus,
    a_video,
    frame_corpus,
    many_videos,
    segment_grid,
    vector_corpus,
)
from tests.data.described import described, described_corpus
from tests.data.made import frame_record, indexed, rows, write_shard

RANDOM = FrameChoice(how="random", num_frames=4, replace=False)
STRIDE = FrameChoice(how="stride", stride_range=(2, 4))


def test_batch_holds_the_stored_bytes_padded_to_the_longest(
    corpus: Corpus, items: VideoSet
) -> None:
    seen = list[str]()
    for batch in Loader(items, batch_size=16):
        lengths = [len(corpus.videos[name].frames) for name in batch.ids]
        assert batch.frames.dtype == torch.uint8
        assert batch.frames.shape == (len(batch.ids), max(lengths), 9)
        assert batch.mask.sum(dim=1).tolist() == lengths
        assert batch.times is None and batch.weights is None
        for row, name in enumerate(batch.ids):
            stored = corpus.videos[name].frames
            np.testing.assert_array_equal(batch.frames[row, : lengths[row]].numpy(), stored)
            assert batch.mask[row, : lengths[row]].all()
        seen += batch.ids
    assert seen == list(corpus.videos)


@pytest.mark.parametrize("epochs", [1, 3])
def test_labels_are_those_of_the_batch_and_of_none_before_it(
    corpus: Corpus, items: VideoSet, epochs: int
) -> None:
    reading = ReadConfig(prefetch=1)
    loader = Loader(items, batch_size=3, shuffle="global", reuse_buffers=True, reading=reading)
    for _ in range(epochs):  # each of the 3 buffers is used again several times
        for batch in loader:
            expected = torch.zeros(len(batch), NUM_CLASSES)
            for row, name in enumerate(batch.ids):
                expected[row, list(corpus.videos[name].labels)] = 1
            torch.testing.assert_close(batch.labels, expected)


def test_without_labels_a_batch_has_none(items: VideoSet) -> None:
    batch = next(iter(Loader(items, batch_size=3, labels=False)))
    assert batch.labels is None and batch.weights is None


def test_streams_are_side_by_side_in_the_order_requested(corpus: Corpus) -> None:
    for streams, columns in (
        (("audio",), [6, 7, 8]),
        (("audio", "rgb"), [6, 7, 8, 0, 1, 2, 3, 4, 5]),
    ):
        chosen = corpus.data.videos("all", streams=streams)
        for batch in Loader(chosen, batch_size=8):
            for row, name in enumerate(batch.ids):
                stored = corpus.videos[name].frames[:, columns]
                np.testing.assert_array_equal(batch.frames[row][batch.mask[row]].numpy(), stored)


@pytest.mark.parametrize(
    "choice",
    [
        FrameChoice(how="first", num_frames=6),
        FrameChoice(how="regular", num_frames=6),
        FrameChoice(how="contiguous", num_frames=6),
        FrameChoice(how="random", num_frames=6, ordered=True),
        FrameChoice(how="random", num_frames=6, replace=False),
        FrameChoice(max_frames=9),
        STRIDE,
    ],
    ids=str,
)
def test_chosen_frames_are_the_stored_ones(
    corpus: Corpus, items: VideoSet, choice: FrameChoice
) -> None:
    for batch in Loader(items, batch_size=16, frames=choice):
        for row, name in enumerate(batch.ids):
            stored = corpus.videos[name].frames.tolist()
            frames = batch.frames[row][batch.mask[row]].tolist()
            places = [stored.index(frame) for frame in frames]  # no two frames are alike
            assert len(frames) <= 9 or choice is STRIDE
            if choice is STRIDE:
                assert len(set(np.diff(places))) <= 1 and places[-1] + 4 >= len(stored)
            elif not (choice.how == "random" and not choice.ordered):
                assert places == sorted(places)


@pytest.mark.parametrize("reach", [1, 40, 400])
@pytest.mark.parametrize(
    "choice",
    [
        FrameChoice(),
        FrameChoice(how="regular", num_frames=6),
        FrameChoice(how="random", num_frames=6, replace=False),
        STRIDE,
    ],
    ids=["all", "regular", "random", "stride"],
)
def test_frames_too_far_apart_are_read_in_pieces(
    corpus: Corpus,
    items: VideoSet,
    choice: FrameChoice,
    reach: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def batches() -> list[Kept]:
        return kept(Loader(items, batch_size=16, frames=choice))

    expected = batches()
    monkeypatch.setattr("reeltag.data.loading.reading._AT_ONCE", reach)
    assert_same(batches(), expected)


def test_long_videos_of_described_features_are_seen_to_their_end(tmp_path: Path) -> None:
    features = described({"rgb": (3, "uint8"), "audio": (2, "float16")}, rate_hz=2)
    items = described_corpus(tmp_path, features, [700, 40]).videos("all")
    batch = next(iter(Loader(items, batch_size=2)))
    assert batch.mask.sum(dim=1).tolist() == [700, 40]
    spread = FrameChoice(batch_frames=200)
    (again,) = Loader(items, batch_size=2, frames=spread)
    assert again.mask.sum(dim=1).tolist() == [100, 40]
    torch.testing.assert_close(again.frames[0], batch.frames[0, 3::7])
    drawn = Loader(items, batch_size=2, frames=spread, shuffle="global", seed=3)
    (one,), (other,) = list(drawn), list(drawn)
    assert one.frames.shape == other.frames.shape and not torch.equal(one.frames, other.frames)


def test_rated_segments_have_frames_scores_weights_and_starts(tmp_path: Path) -> None:
    ratings = [(10, 3, 1.0), (5, 7, 0.0), (10, 1, 0.0), (15, 3, 1.0)]
    corpus = frame_corpus(tmp_path, {"train0": [a_video("a", 17, ratings)]})
    segments = corpus.data.with_splits(Splits(holdout=0)).rated_segments()
    loader = Loader(segments, batch_size=2, reuse_buffers=True, reading=ReadConfig(prefetch=1))
    for _ in range(3):
        first, second = kept(loader)
        assert (first.starts, second.starts) == ([5, 10], [15])
        assert first.labels is not None and first.weights is not None
        assert second.labels is not None and second.weights is not None
        assert np.argwhere(first.labels).tolist() == [[1, 3]]
        assert np.argwhere(first.weights).tolist() == [[0, 7], [1, 1], [1, 3]]
        assert (
            np.argwhere(second.labels).tolist() == np.argwhere(second.weights).tolist() == [[0, 3]]
        )
        stored = corpus.videos["a"].frames
        for frames, start in zip((*first.frames, *second.frames), (5, 10, 15), strict=True):
            np.testing.assert_array_equal(frames, stored[start : start + 5])


@pytest.mark.parametrize("choice", [FrameChoice(), FrameChoice(how="regular", num_frames=3)])
def test_grid_gives_back_every_frame_of_every_video(corpus: Corpus, choice: FrameChoice) -> None:
    found: dict[str, list[NDArray[np.uint8]]] = {}
    for batch in kept(Loader(segment_grid(corpus.data.videos("all")), batch_size=7, frames=choice)):
        assert batch.labels is None and batch.starts is not None
        for name, start, frames in zip(batch.ids, batch.starts, batch.frames, strict=True):
            stored = corpus.videos[name].frames[int(start) : int(start) + 5]
            if choice.how == "all":
                np.testing.assert_array_equal(frames, stored)
            assert all(frame in stored.tolist() for frame in frames.tolist())
            found.setdefault(name, []).append(frames)
    assert len(found) == 40
    if choice.how == "all":
        for name, parts in found.items():
            np.testing.assert_array_equal(np.concatenate(parts), corpus.videos[name].frames)


def test_video_level_vectors_are_read_wherever_the_streams_lie(tmp_path: Path) -> None:
    dataset, vectors = vector_corpus(tmp_path)
    for shuffle in ("no", "global"):
        for batch in Loader(dataset.videos("all"), batch_size=8, shuffle=shuffle):
            numbers = [int(name.lstrip("v")) for name in batch.ids]
            assert batch.frames.dtype == torch.float32 and batch.mask.all()
            np.testing.assert_array_equal(batch.frames[:, 0].numpy(), vectors[numbers])
            assert batch.labels is not None
            assert batch.labels.sum(dim=1).tolist() == [number % 4 for number in numbers]
    second = Loader(dataset.videos("all", rows=np.arange(5)), batch_size=4, ranks=(1, 2))
    assert [len(batch) for batch in second] == [2, 0]
    audio = next(iter(Loader(dataset.videos("all", streams=("mean_audio",)), batch_size=30)))
    np.testing.assert_array_equal(audio.frames[:, 0].numpy(), vectors[:, 6:])


def test_records_at_no_constant_stride_are_decoded(corpus: Corpus, items: VideoSet) -> None:
    walked = _without_strides(items)
    for choice in (FrameChoice(), RANDOM, STRIDE):
        straight = kept(Loader(items, batch_size=8, frames=choice, seed=2))
        assert_same(kept(Loader(walked, batch_size=8, frames=choice, seed=2)), straight)
    grid = segment_grid(corpus.data.videos("all"))
    walked = _without_strides(grid)
    assert_same(kept(Loader(walked, batch_size=8)), kept(Loader(grid, batch_size=8)))


def test_video_level_records_that_are_not_packed_are_decoded(tmp_path: Path) -> None:
    items = vector_corpus(tmp_path)[0].videos("all")
    walked = _without_strides(items)
    assert_same(kept(Loader(walked, batch_size=8)), kept(Loader(items, batch_size=8)))


def _without_strides(items: VideoSet) -> VideoSet:
    stride = np.zeros_like(items.records.stride)
    return replace(items, records=replace(items.records, stride=stride))


def test_shard_that_vanished_or_shrank_is_named(tmp_path: Path) -> None:
    dataset = many_videos(tmp_path, num_shards=2).data
    loader = Loader(dataset.videos("all"), batch_size=10)
    assert len(kept(loader)) == 2
    second = tmp_path / "train01.tfrecord"
    os.truncate(second, second.stat().st_size - 40)
    with pytest.raises(
        DataError, match=r"train01.tfrecord: has (changed since|.*bytes, but).*\n.*`reeltag info`"
    ):
        kept(loader)
    second.unlink()
    with pytest.raises(DataError, match=r"train01.tfrecord: cannot be .*No such file"):
        kept(loader)
    assert not loader_threads()


@pytest.mark.parametrize("choice", [FrameChoice(), STRIDE])
def test_shard_that_is_cut_short_in_mid_epoch_is_named(tmp_path: Path, choice: FrameChoice) -> None:
    dataset = many_videos(tmp_path, num_shards=1).data
    reading = ReadConfig(prefetch=1)
    batches = iter(Loader(dataset.videos("all"), batch_size=2, frames=choice, reading=reading))
    next(batches)
    os.truncate(tmp_path / "train00.tfrecord", 700)  # mapped bytes would end the process
    with pytest.raises(DataError, match=r"train00.tfrecord: ends at byte 700.*\n.*`reeltag info`"):
        list(batches)
    assert not loader_threads()


def test_more_shards_than_files_may_be_open_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = many_videos(tmp_path).data.videos("all")  # nobody else has these shards open
    found = []
    with monkeypatch.context() as patch:
        patch.setattr("resource.getrlimit", lambda _: (8, 8))  # so 2 of the 4 shards
        for batch in Loader(items, batch_size=8, shuffle="global"):
            found.append(Kept(batch))
            links = [Path("/proc/self/fd", name) for name in os.listdir("/proc/self/fd")]
            open_files = [str(link.resolve()) for link in links]
            assert sum(file.startswith(str(tmp_path)) for file in open_files) <= 2
    assert_same(found, kept(Loader(items, batch_size=8, shuffle="global")))


def far_record(name: str, behind: int) -> bytes:
    """Return a record whose vectors are behind so many bytes of something else."""
    means: dict[str, Values] = {
        "mean_rgb": np.arange(6, dtype=np.float32),
        "mean_audio": np.arange(3, dtype=np.float32) + behind,
    }
    return encode_example({"a_url": [b"u" * behind], **means, "id": [name.encode()]})


def test_vectors_far_from_their_header_are_read(tmp_path: Path) -> None:
    behind = [0, 700, 300, 499, 500, 1000, 0, 2000]
    records = [far_record(f"v{n}", size) for n, size in enumerate(behind)]
    write_shard(tmp_path / "train0.tfrecord", records)
    items = indexed(tmp_path).videos("all")
    (batch,) = Loader(items, batch_size=8)
    columns = {stream.name: stream.width for stream in items.streams}
    parts = batch.frames[:, 0].split(list(columns.values()), dim=1)
    found = dict(zip(columns, parts, strict=True))
    assert found["mean_rgb"].tolist() == [[0, 1, 2, 3, 4, 5]] * 8
    assert found["mean_audio"].tolist() == [[size, size + 1, size + 2] for size in behind]


@pytest.mark.parametrize("kind", ["frames", "vectors", "vectors far from the header"])
def test_shard_that_became_another_is_an_error(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order of its records is reversed; size and time of change stay."""
    behind = 600 if "far" in kind else 0  # bytes before the vectors
    records = [
        frame_record(f"v{n}", 3 + n) if kind == "frames" else far_record(f"v{n}", behind + n)
        for n in range(4)
    ]
    path = write_shard(tmp_path / "train0.tfrecord", records)
    before = path.stat()
    items = indexed(tmp_path).videos("all")
    write_shard(path, records[::-1])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    loader = Loader(items, batch_size=4)
    with pytest.raises(DataError, match=r"train0.tfrecord: has changed since it was indexed"):
        kept(loader)
    monkeypatch.setattr(Shard, "is_still", lambda *_: True)  # a disk whose stamps do not change
    with pytest.raises(DataError, match=r"byte \d+ is not the begin of a record of \d+ bytes"):
        kept(loader)
    monkeypatch.undo()
    assert [row["id"] for row in rows(indexed(tmp_path))] == ["v3", "v2", "v1", "v0"]
