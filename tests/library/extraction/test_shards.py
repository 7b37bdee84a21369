"""Shards: by split, in order, of a size; the same bytes whatever came when."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from reeltag.core.errors import DataError
from reeltag.data.dataset import Dataset
from reeltag.data.features import Features, StreamFeatures
from reeltag.data.record_contents import describe_records
from reeltag.data.shards import read_record
from reeltag.library.extraction.parts import FeaturePartWriter
from reeltag.library.extraction.shards import EncodedVideo, ShardAssembler, WrittenShard

FEATURES = Features(
    streams=(
        StreamFeatures(name="rgb", width=2, dtype="uint8", scale=(1.0,) * 2, offset=(-1.0,) * 2),
        StreamFeatures(name="audio", width=1, dtype="uint8", scale=(0.5,), offset=(0.0,)),
    )
)


def video(work: Path, name: str, split: str, frames: int = 10) -> EncodedVideo:
    with FeaturePartWriter(work / "parts", name, [("rgb", 2), ("audio", 1)], "now") as writer:
        values = np.full((frames, 3), ord(name[0]), np.float32)
        has = np.ones((frames, 2), bool)
        has[3:5, 1] = False
        writer.add(values, has)
        part = writer.finish()
    return EncodedVideo(id=name, content=name, split=split, part=part)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    FEATURES.save(folder)
    return folder


def assemble(
    data: Path, names: str, commit: Callable[[WrittenShard, Callable[[], None]], None] | None = None
) -> list[WrittenShard]:
    """Write videos named "tA": split t(rain) or v(alidate), id A."""
    written = list[WrittenShard]()

    def place(shard: WrittenShard, rename: Callable[[], None]) -> None:
        written.append(shard)
        rename()

    work = data.parent / "work"
    assembler = ShardAssembler(
        data, work, FEATURES, {"validate": 3}, commit or place, shard_bytes=60
    )
    for name in names.split():
        split = {"t": "train", "v": "validate"}[name[0]]
        assembler.add(video(work, name[1:], split))
    assembler.finish()
    return written


def test_shard_is_closed_when_full_and_numbered_after_those_there(data: Path) -> None:
    written = assemble(data, "tA tB vC tD vE vF")
    assert [(shard.name, "".join(video.id for video in shard.videos)) for shard in written] == [
        ("train0000.tfrecord", "AB"),
        ("validate0003.tfrecord", "CE"),
        ("train0001.tfrecord", "D"),
        ("validate0004.tfrecord", "F"),
    ]
    dataset = Dataset.open(data, quiet=True)
    assert dataset.table["id"].to_pylist() == ["A", "B", "D", "C", "E", "F"]
    assert len(dataset.rows("validate")) == 3
    assert not dataset.table["skip"].to_numpy().any()
    values = read_record(dataset.index, 0)
    assert (values["rgb"] == ord("A") + 1).all()
    assert (values["audio"] == 2 * ord("A")).all()
    assert not list((data.parent / "work" / "parts").iterdir())
    assert written[0].num_bytes == (data / "train0000.tfrecord").stat().st_size


def test_clipped_values_are_counted(data: Path) -> None:
    work = data.parent / "work"
    written = list[WrittenShard]()
    assembler = ShardAssembler(
        data, work, FEATURES, {}, lambda shard, _: written.append(shard), shard_bytes=100
    )
    assembler.add(video(work, "\u0200", "train"))  # 512: beyond both ranges
    assembler.finish()
    assert written[0].outliers == {"rgb": 20, "audio": 10}


def test_missing_frames_are_kept_in_the_record_and_explained(data: Path) -> None:
    assemble(data, "tA tB")
    found = describe_records(Dataset.open(data, quiet=True), 100)
    assert found.unused == [
        (
            "context key missing_audio",
            "frames without this stream, which a model sees as 0, or as silence; in 2 of 2 records",
        )
    ]


def test_part_that_is_gone_names_the_file(data: Path) -> None:
    work = data.parent / "work"
    assembler = ShardAssembler(data, work, FEATURES, {}, lambda *_: None, shard_bytes=100)
    lost = video(work, "A", "train")
    lost.part.path.unlink()
    assembler.add(lost)
    with pytest.raises(DataError, match=r"A\.frames: has changed or is gone"):
        assembler.finish()
    assert not list(data.glob("*.tfrecord"))


def test_shard_that_cannot_be_committed_keeps_its_parts(data: Path) -> None:
    def refuse(shard: WrittenShard, rename: Callable[[], None]) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        assemble(data, "tA tB", refuse)
    assert not list(data.glob("*.tfrecord"))
    assert len(list((data.parent / "work" / "parts").iterdir())) == 4
