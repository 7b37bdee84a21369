"""Files that change while they are read: an error that names the file, never its end or other data.

Each reader has a file open and has read from it when the file is changed; then it reads again, in a
process of its own, which a mapped file that is cut short would end (SIGBUS).
"""

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from reeltag.core.errors import DataError
from reeltag.data.dataset import Dataset
from reeltag.data.loading.reading import FrameReader
from reeltag.data.loading.stored_frames import StoredFrames
from reeltag.data.sampling import ChosenFrames
from reeltag.data.shards import ShardFiles, read_record
from reeltag.library.similar import MomentSearch
from reeltag.predictions.file import PredictionInfo, open_predictions, prediction_writer
from reeltag.predictions.rows import PredictionRows
from reeltag.server.project.logit_file import LogitFile, LogitWriter
from reeltag.soft_labels.storage import (
    NOT_DRAWN,
    SoftLabelInfo,
    SoftLabelRows,
    open_soft_labels,
    soft_label_writer,
)
from tests.data.made import frame_record, indexed, write_shard
from tests.processes import Launch

Reader = Callable[[], bytes]


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 3)


def replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(path.read_bytes()[::-1])
    os.replace(other, path)


def overwrite(path: Path) -> None:
    """Flip all bits in place, of the same size and time of change, as a failing disk does."""
    before = path.stat()
    content = np.fromfile(path, np.uint8)
    with path.open("r+b") as file:
        file.write((~content).tobytes())
    while path.stat().st_ctime_ns == before.st_ctime_ns:  # of a clock that ticks slowly
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


WIDTHS = {"rgb": 64, "audio": 16}
CHANGES = (cut, replace, Path.unlink, overwrite)


def _data(folder: Path) -> Dataset:
    return indexed(folder)


def _training(folder: Path) -> Reader:
    items = _data(folder).videos("all")
    reader, some = FrameReader(items), np.arange(len(items))
    frames = items.length.astype(np.int64)
    chosen = ChosenFrames(frames, 0 * frames, frames, 1, None, int(frames.max()))
    out = np.zeros((len(some), chosen.num_steps, sum(WIDTHS.values())), np.uint8)

    def read() -> bytes:
        reader.read(some, chosen, out)
        return out.tobytes()

    return read


def _stored(folder: Path) -> Reader:
    frames = StoredFrames(_data(folder).select("all"))
    return lambda: b"".join(frames.of(record, 0).tobytes() for record in range(len(frames)))


def _files(folder: Path) -> Reader:
    index = _data(folder).index
    files = ShardFiles(index)
    size = index.path(0).stat().st_size
    return lambda: files.read(0, 0, size).tobytes()


def _record(folder: Path) -> Reader:
    index = _data(folder).index
    return lambda: read_record(index, 3)["rgb"].tobytes()


def _similar(folder: Path) -> Reader:
    search = MomentSearch(_data(folder), threads=2, quiet=True)
    return lambda: repr(search.search("v1", 0.0)).encode()


READERS = (_training, _stored, _files, _record, _similar)


def _read_again(open_reader: Callable[[Path], Reader], path: Path, change: int) -> str:
    """Return what comes of reading again after a change: the error's text, or "the same"."""
    read = open_reader(path.parent)
    before = read()
    CHANGES[change](path)
    try:
        again = read()
    except DataError as error:
        return str(error)
    assert again == before, "it has read something else"
    return "the same"


@pytest.mark.parametrize("change", range(len(CHANGES)))
@pytest.mark.parametrize("reader", READERS)
def test_shard_that_changes_while_it_is_read(
    tmp_path: Path, launch: Launch, reader: Callable[[Path], Reader], change: int
) -> None:
    records = [frame_record(f"v{n}", 200 + n, widths=WIDTHS) for n in range(4)]
    path = write_shard(tmp_path / "a.tfrecord", records)
    told = launch(_read_again, reader, path, change).result()
    assert "a.tfrecord" in told


def _curves(folder: Path) -> Reader:
    file = LogitFile(folder / "logits.npy")
    return lambda: file.of_class(1).tobytes() + file.of_steps(50_000, 60_000).tobytes()


@pytest.mark.parametrize("change", range(len(CHANGES)))
def test_curves_that_change_while_they_are_read(
    tmp_path: Path, launch: Launch, change: int
) -> None:
    path = tmp_path / "logits.npy"
    logits = np.random.default_rng(0).standard_normal((2, 100_000)).astype(np.float16)
    with closing(LogitWriter(path, (2, 100_000))) as writer:
        writer.write(logits[:, :30_000])
        writer.write(logits[:, 30_000:])
    np.testing.assert_array_equal(np.load(path), logits)
    told = launch(_read_again, _curves, path, change).result()
    stays = CHANGES[change] in (replace, Path.unlink)  # the open file has no name any more
    assert told == "the same" if stays else "logits.npy" in told


def _predictions(folder: Path) -> Reader:
    file = open_predictions(folder / "p.parquet")
    return lambda: b"".join(of.scores.tobytes() for of in file.rows("videos"))


def _soft_labels(folder: Path) -> Reader:
    file = open_soft_labels(folder / "s.parquet")
    return lambda: b"".join(of.probs.tobytes() for of in file.rows())


@pytest.mark.parametrize("change", range(len(CHANGES)))
@pytest.mark.parametrize("reader", [_predictions, _soft_labels])
def test_rows_that_change_while_they_are_read(
    tmp_path: Path, launch: Launch, reader: Callable[[Path], Reader], change: int
) -> None:
    count = 1000
    values = np.random.default_rng(0).random(2 * count).astype(np.float32)
    rows = (np.arange(0, 2 * count + 1, 2), np.tile(np.array([0, 1], np.int32), count), values)
    ids, whole = pa.array([f"v{n}" for n in range(count)]), np.full(count, -1.0)
    with prediction_writer(tmp_path / "p.parquet", PredictionInfo(num_classes=2)) as writer:
        writer.write(PredictionRows(*rows, ids=ids, starts=whole, ends=whole))
    drawn_for = np.full(count, NOT_DRAWN, np.int32)
    names = SoftLabelInfo(class_names=("a", "b"))
    with soft_label_writer(tmp_path / "s.parquet", names) as soft:
        soft.write(SoftLabelRows(*rows, ids=ids, starts=whole, ends=whole, drawn_for=drawn_for))
    path = tmp_path / ("p.parquet" if reader is _predictions else "s.parquet")
    assert path.name in launch(_read_again, reader, path, change).result()
