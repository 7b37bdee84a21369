"""Data sets in an object store: what is read of them is what is in them, within a bounded cache."""

import os
import shutil
import threading
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from reeltag.core.errors import ConfigError, DataError, OutputError
from reeltag.data import dataset as dataset_module
from reeltag.data.dataset import Dataset
from reeltag.data.findings import find
from reeltag.data.items import VideoSet
from reeltag.data.loader import Loader, ReadConfig
from reeltag.data.remote import cache, ranged
from reeltag.data.remote.mirror import Mirror
from reeltag.data.remote.store import ObjectStore
from reeltag.data.shards import ShardFiles, read_record
from tests.data.corpora import many_videos
from tests.data.remote.buckets import Bucket, reads
from tests.processes import wait_until

NUM_SHARDS = 6


@pytest.fixture
def local(tmp_path: Path) -> Dataset:
    """A data set in a folder."""
    return many_videos(tmp_path / "data", NUM_SHARDS).data


def opened(address: str) -> Dataset:
    return Dataset.open(address, jobs=1, quiet=True)


def mirror_of(data: Dataset) -> Mirror:
    assert data.index.mirror is not None
    return data.index.mirror


def content(loader: Loader) -> list[tuple[tuple[str, ...], bytes]]:
    """Return ids and frames of the batches, without padding."""
    return [(batch.ids, batch.frames[batch.mask].numpy().tobytes()) for batch in loader]


def kept(data: Dataset) -> int:
    """Return the bytes of the shards that are kept."""
    folder = data.path / ".reeltag" / "shards"
    return sum(path.stat().st_size for path in folder.glob("*.tfrecord"))


def forget_shards(data: Dataset) -> None:
    shutil.rmtree(data.path / ".reeltag" / "shards")


def small_cache(monkeypatch: pytest.MonkeyPatch, data: Dataset, shards: float) -> int:
    """Let the cache hold so many of the largest shards; return its bytes."""
    size = int(shards * max(shard.size for shard in mirror_of(data).shards))
    monkeypatch.setenv("REELTAG_CACHE_GB", str(size / 1e9))
    return size


def test_remote_data_are_those_of_the_folder(bucket: Bucket, local: Dataset) -> None:
    address = bucket.put(local.path)
    data = opened(address)
    assert data.table.equals(local.table)
    assert data.shards == local.shards and data.classes.names == local.classes.names
    assert data.streams == local.streams and data.location == data.whole_location == address
    for row in (0, 17, 59):
        for name, frames in read_record(local.index, row).items():
            assert (read_record(data.index, row)[name] == frames).all()
    assert content(Loader(data.videos("all"), batch_size=7)) == content(
        Loader(local.videos("all"), batch_size=7)
    )


def test_folder_of_an_address_opens_the_address(bucket: Bucket, local: Dataset) -> None:
    data = opened(bucket.put(local.path))
    again = Dataset.open(data.path, jobs=1, quiet=True)
    assert again.location == data.location and again.index.mirror is not None


def test_one_shard_is_an_address_too(bucket: Bucket, local: Dataset) -> None:
    data = opened(bucket.put(local.path) + "/train03.tfrecord")
    assert data.shards == ("train03.tfrecord",) and data.num_classes == local.num_classes
    mine = local.table["shard"].to_numpy() == 3
    assert data.table["id"].to_pylist() == local.table.filter(mine)["id"].to_pylist()


def test_classes_are_those_of_a_folder_above(bucket: Bucket, local: Dataset) -> None:
    named = "index,name\n" + "".join(f"{number},name {number}\n" for number in range(12))
    (local.path / "classes.csv").unlink()
    bucket.put(local.path, "a/b/frames")
    bucket.write("a/b/features.json", b"of others")
    bucket.write("a/classes.csv", named.encode())
    assert opened(bucket.address("a/b/frames")).classes.names[3] == "name 3"


def test_labels_of_a_remote_file_are_read_again_when_they_change(
    bucket: Bucket, local: Dataset
) -> None:
    address, ids = bucket.put(local.path), local.table["id"].to_pylist()

    def labels(label: int) -> list[list[int]]:
        bucket.write("data/labels.csv", f"id,class\n{ids[5]},{label}\n".encode())
        found: list[list[int]] = opened(address).table["labels"].to_pylist()
        return found

    assert [at for at in enumerate(labels(3)) if at[1]] == [(5, [3])]
    assert [at for at in enumerate(labels(4)) if at[1]] == [(5, [4])]
    bucket.remove("data/labels.csv")
    assert opened(address).table["labels"].equals(local.table["labels"])


def test_index_is_kept_and_new_shards_alone_are_read(
    bucket: Bucket, local: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = bucket.put(local.path)
    forget_shards(opened(address))
    with reads(monkeypatch) as seen:
        opened(address)
    assert not seen
    more = many_videos(tmp_path / "more", NUM_SHARDS + 1).data
    new = (more.path / "train06.tfrecord").read_bytes()
    bucket.write("data/train06.tfrecord", new)
    with reads(monkeypatch) as seen:
        assert opened(address).table.equals(more.table)
    assert {name for name, _, _ in seen} == {"train06.tfrecord"}


def test_data_larger_than_the_cache_are_indexed_in_passing(
    bucket: Bucket, local: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    block = 1000
    monkeypatch.setattr(ranged, "BLOCK", block)
    monkeypatch.setattr("reeltag.data.records.file_bytes._AHEAD", block)
    address = bucket.put(local.path)
    size = max(path.stat().st_size for path in local.path.glob("*.tfrecord"))
    monkeypatch.setenv("REELTAG_CACHE_GB", str(1.5 * size / 1e9))
    with reads(monkeypatch) as seen:
        data = opened(address)
    assert data.table.equals(local.table) and kept(data) == 0
    times = Counter(place for place in seen if place[0].endswith("tfrecord"))
    assert max(end - begin for _, begin, end in times) == block < size
    assert not [place for place, number in times.items() if number > 2]  # probe and scan


def test_shard_that_changes_while_it_is_indexed_in_passing_is_an_error(
    bucket: Bucket, local: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranged, "BLOCK", 1000)
    monkeypatch.setattr("reeltag.data.records.file_bytes._AHEAD", 1000)
    address = bucket.put(local.path)
    monkeypatch.setenv("REELTAG_CACHE_GB", "1e-9")
    other, read = (local.path / "train03.tfrecord").read_bytes(), ObjectStore.read

    def changing(self: ObjectStore, name: str, begin: int, end: int) -> bytes:
        some = read(self, name, begin, end)
        if name == "train02.tfrecord" and begin == 1000:
            bucket.write("data/train02.tfrecord", other[: len(other) // 2])
        return some

    monkeypatch.setattr(ObjectStore, "read", changing)
    with pytest.raises(DataError, match=r"^s3://.*/train02.tfrecord: has changed since"):
        opened(address)


def test_shards_are_fetched_before_they_are_read(
    bucket: Bucket, local: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = opened(bucket.put(local.path))
    forget_shards(data)
    mirror = mirror_of(data)
    batches = iter(in_order(data.videos("all"), reading=ReadConfig(prefetch=1)))
    next(batches)  # of 15, the next two are made meanwhile
    wait_until(lambda: all(mirror.cache.is_here(shard) for shard in mirror.shards))


def test_epoch_keeps_no_more_shards_than_the_cache_holds(
    bucket: Bucket, local: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = opened(bucket.put(local.path))
    limit = small_cache(monkeypatch, data, 3.5)
    forget_shards(data)
    most, make_room = [0], cache.ShardCache._make_room

    def noting(self: cache.ShardCache, *arguments: object) -> None:
        make_room(self, *arguments)  # type: ignore[arg-type]
        most.append(sum(size for _, size, _ in cache._kept_shards()))

    monkeypatch.setattr(cache.ShardCache, "_make_room", noting)
    assert content(in_order(data.videos("all"))) == content(in_order(local.videos("all")))
    assert limit // 2 < max(most) <= limit and len(most) == 1 + NUM_SHARDS


def in_order(items: VideoSet, **options: object) -> Loader:
    return Loader(items, batch_size=4, **options)  # type: ignore[arg-type]


def test_shuffle_reads_shard_after_shard_and_each_item_once(
    bucket: Bucket, local: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = opened(bucket.put(local.path))
    small_cache(monkeypatch, data, 3.2)
    forget_shards(data)
    loader = in_order(data.videos("all"), shuffle="global", seed=5, reading=ReadConfig(window=6))
    as_asked = in_order(local.videos("all"), shuffle="shards", seed=5, reading=ReadConfig(window=6))
    assert "mixed within 6 places" in loader.order_taken and not as_asked.order_taken
    with reads(monkeypatch) as seen:
        first, second = content(loader), content(loader)
    assert first == content(as_asked) and second == content(as_asked) and first != second
    names = Counter(name for name, _, _ in seen)  # of the second epoch some are still there
    assert len(names) == NUM_SHARDS and max(names.values()) <= 3


def test_loader_resumes_in_the_middle_of_an_epoch(bucket: Bucket, local: Dataset) -> None:
    data = opened(bucket.put(local.path))
    whole = content(in_order(data.videos("all"), shuffle="global", seed=3))
    loader = in_order(data.videos("all"), shuffle="global", seed=3)
    batches = iter(loader)
    for _ in range(4):
        next(batches)
    state = loader.state_dict()
    del batches
    forget_shards(data)
    other = in_order(opened(data.location).videos("all"), shuffle="global", seed=3)
    other.load_state_dict(state)
    assert content(other) == whole[4:]


def test_shuffle_that_the_cache_cannot_hold_is_refused(
    bucket: Bucket, local: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = opened(bucket.put(local.path))
    small_cache(monkeypatch, data, 2.5)
    items = data.videos("all")
    with pytest.raises(ConfigError, match="REELTAG_CACHE_GB: shards of .* needed at a time"):
        in_order(items, shuffle="global")
    in_order(items, shuffle="global", reading=ReadConfig(window=1))  # one shard is like another
    in_order(items)


def test_shard_larger_than_the_cache_is_refused(
    bucket: Bucket, local: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = opened(bucket.put(local.path))
    forget_shards(data)
    small_cache(monkeypatch, data, 0.5)
    largest = int(np.argmax([shard.size for shard in mirror_of(data).shards]))
    with pytest.raises(ConfigError, match=r"cannot hold s3://bucket.*\.tfrecord.*\n.*GB to the"):
        ShardFiles(data.index).read(largest, 0, 10)


@pytest.mark.parametrize("size", ["0", "much", "nan", "inf"])
def test_cache_size_must_be_a_number(size: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELTAG_CACHE_GB", size)
    with pytest.raises(ConfigError, match="^REELTAG_CACHE_GB: must be a number of gigabytes"):
        cache.cache_limit()


def test_shard_that_changed_after_it_was_indexed_is_an_error_that_names_it(
    bucket: Bucket, local: Dataset
) -> None:
    data = opened(bucket.put(local.path))
    forget_shards(data)
    flipped = ~np.fromfile(local.path / "train02.tfrecord", np.uint8)
    bucket.write("data/train02.tfrecord", flipped.tobytes())
    with pytest.raises(DataError, match="^s3://.*/data/train02.tfrecord: has changed since"):
        content(in_order(data.videos("all")))
    bucket.write("data/train02.tfrecord", (local.path / "train03.tfrecord").read_bytes())
    ids = opened(data.location).table["id"].to_pylist()
    assert "3-0" in ids[20:30] and "2-0" not in ids
    bucket.remove("data/train02.tfrecord")
    assert "train02.tfrecord" not in opened(data.location).shards


def test_shard_that_is_gone_is_an_error_that_names_it(bucket: Bucket, local: Dataset) -> None:
    data = opened(bucket.put(local.path))
    forget_shards(data)
    bucket.remove("data/train04.tfrecord")
    with pytest.raises(DataError, match=r"^s3://.*/train04.tfrecord: there is no such"):
        content(in_order(data.videos("all"), shuffle="global"))


def test_kept_shard_that_was_cut_is_fetched_again(bucket: Bucket, local: Dataset) -> None:
    data = opened(bucket.put(local.path))
    os.truncate(data.index.path(1), 100)
    whole = (local.path / "train01.tfrecord").read_bytes()
    assert ShardFiles(data.index).read(1, 0, len(whole)).tobytes() == whole


def test_kept_shard_that_is_cut_while_it_is_read_is_an_error(
    bucket: Bucket, local: Dataset
) -> None:
    data = opened(bucket.put(local.path))
    files = ShardFiles(data.index)
    files.read(1, 0, 10)
    os.truncate(data.index.path(1), 100)
    with pytest.raises(DataError, match=r"s3://.*train01.tfrecord: has changed"):
        files.read(1, 0, 10)


def test_threads_that_want_one_shard_fetch_it_once(
    bucket: Bucket, local: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = opened(bucket.put(local.path))
    forget_shards(data)
    mirror = mirror_of(data)
    with reads(monkeypatch) as seen:
        threads = [
            threading.Thread(target=mirror.cache.fetch, args=(mirror.shards[0],)) for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(seen) == 1 and mirror.cache.is_here(mirror.shards[0])


def test_look_into_remote_data_reads_few_shards(
    bucket: Bucket, local: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = opened(bucket.put(local.path))
    forget_shards(data)
    monkeypatch.setattr(dataset_module, "_LOOKED_INTO", 2)
    with reads(monkeypatch) as seen:
        found = find(data)
    assert {name for name, _, _ in seen} == {"train00.tfrecord", "train05.tfrecord"}
    assert any("20 records looked into" in finding.why for finding in found) or not [
        finding for finding in found if finding.topic == "not used"
    ]


def test_file_of_another_address_is_not_read(bucket: Bucket, local: Dataset) -> None:
    address = bucket.put(local.path)
    bucket.write("other/labels.csv", b"id,class\n0-0,1\n")
    with pytest.raises(DataError, match="^s3://.*/other/labels.csv: is not read: such files are"):
        Dataset.open(address, labels=f"s3://{bucket.name}/other/labels.csv", jobs=1, quiet=True)


def test_disk_that_keeps_other_times_is_named(
    bucket: Bucket, local: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = opened(bucket.put(local.path))
    forget_shards(data)
    utime = os.utime

    def inexact(path: Path, ns: tuple[int, int]) -> None:
        utime(path, ns=(ns[0], ns[1] + 3 * 10**9))

    monkeypatch.setattr("os.utime", inexact)
    with pytest.raises(OutputError, match="has another time .*\n.*REELTAG_CACHE"):
        ShardFiles(data.index).read(0, 0, 10)


def test_what_is_not_read_of_an_address_is_named(bucket: Bucket, local: Dataset) -> None:
    address = bucket.put(local.path)
    bucket.write("data/notes.txt", b"-")
    bucket.write("data/train07.tfrecord.part", b"-")
    found = [finding.what for finding in find(opened(address)) if finding.topic == "not used"]
    assert {"notes.txt", "train07.tfrecord.part"} <= set(found) and "classes.csv" not in found


def test_address_without_shards_and_compressed_ones_are_refused(
    bucket: Bucket, local: Dataset
) -> None:
    bucket.write("data/a.txt", b"-")
    with pytest.raises(DataError, match=f"^{bucket.address()}: has no shard"):
        opened(bucket.address())
    bucket.write("data/a.tfrecord.gz", b"-")
    with pytest.raises(
        DataError, match=r"has 1 compressed shards, such as a.tfrecord.gz\n.*gunzip"
    ):
        opened(bucket.address())
