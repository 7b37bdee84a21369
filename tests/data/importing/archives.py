"""Small archives of own features in every kind of file, and what an import of them stored."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from reeltag.data.features import Features
from reeltag.data.importing.config import FeatureImportConfig
from reeltag.data.importing.run import import_features
from reeltag.data.importing.summary import ImportSummary
from reeltag.data.records import wire
from reeltag.data.records.example import (
    decode_sequence_example,
    encode_example,
    encode_sequence_example,
)
from reeltag.data.records.file_bytes import FileBytes
from reeltag.data.records.tfrecord import frame_records

Videos: TypeAlias = dict[str, dict[str, NDArray[Any]]]

SMALL = 200  # bytes per shard: a few videos each


def some_videos(count: int = 6, widths: Mapping[str, int] | None = None, seed: int = 0) -> Videos:
    """Return id -> stream -> (T, D) float32, 4 to 9 frames."""
    rng = np.random.default_rng(seed)
    videos: Videos = {}
    for number in range(count):
        frames = int(rng.integers(4, 10))
        videos[f"v{number}"] = {
            name: rng.normal(number, 2, (frames, width)).astype(np.float32)
            for name, width in (widths or {"rgb": 5, "audio": 3}).items()
        }
    return videos


def save_npy(folder: Path, videos: Videos, path: str = "{stream}/{id}") -> Path:
    """Save one file per array, at a path pattern."""
    for name, streams in videos.items():
        for stream, values in streams.items():
            file = folder / (path.format(stream=stream, id=name) + ".npy")
            file.parent.mkdir(parents=True, exist_ok=True)
            np.save(file, values)
    return folder


def save_table(path: Path, videos: Videos, **columns: Sequence[Any]) -> Path:
    """Save a table of a row per frame, with more columns if wanted."""
    names = next(iter(videos.values()))
    table = {
        "video": [name for name, of in videos.items() for _ in next(iter(of.values()))],
        **{name: [list(r) for of in videos.values() for r in of[name]] for name in names},
        **columns,
    }
    kinds = {name: pa.list_(pa.float32(), of.shape[1]) for name, of in names.items()}
    arrays = {
        name: pa.array(values, kinds.get(name), from_pandas=False) for name, values in table.items()
    }
    write_table(path, pa.table(arrays))
    return path


def write_table(path: Path, table: pa.Table) -> None:
    if path.suffix == ".parquet":
        pq.write_table(table, path, row_group_size=7)
        return
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=5)


def float_lists(lists: Mapping[str, NDArray[Any]], **context: Any) -> bytes:
    """Return a tf.SequenceExample whose frames are lists of floats or integers."""
    entries = b""
    for name, values in lists.items():
        frames = b"".join(
            wire.encode_bytes_field(1, _feature(np.atleast_1d(frame))) for frame in values
        )
        entry = wire.encode_bytes_field(1, name.encode()) + wire.encode_bytes_field(2, frames)
        entries += wire.encode_bytes_field(1, entry)
    head = encode_sequence_example(context, {}) if context else b""
    return head + wire.encode_bytes_field(2, entries)


def _feature(values: NDArray[Any]) -> bytes:
    """Return a Feature message, taken out of an Example that holds it alone."""
    example = encode_example({"x": values})
    return example[example.index(b"x") + 3 :]


def imported(source: Path | Sequence[Path], out: Path, **how: Any) -> ImportSummary:
    """Import quietly in this process; `jobs`, `command` and `shard_bytes` may be given."""
    names = ("jobs", "command", "shard_bytes")
    options: dict[str, Any] = {"jobs": 1, **{n: how.pop(n) for n in names if n in how}}
    sources = [source] if isinstance(source, Path) else source
    return import_features(sources, out, FeatureImportConfig(**how), quiet=True, **options)


def stored_videos(out: Path) -> Videos:
    """Return id -> stream -> dequantised values, in the order of the shards."""
    features, videos = Features.open(out / "features.json"), Videos()
    for path in sorted(out.glob("*.tfrecord")):
        for context, lists in records(path):
            values: dict[str, NDArray[Any]] = {}
            for stream in features.streams:
                if stream.name in lists:
                    joined = b"".join(frame[0] for frame in lists[stream.name])
                    flat = np.frombuffer(joined, np.dtype(stream.dtype).newbyteorder("<"))
                    values[stream.name] = stream.dequantise(flat.reshape(-1, stream.width))
                else:
                    values[stream.name] = context[stream.name]
            videos[context["id"][0].decode()] = values
    return videos


def records(path: Path) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return context and feature lists of every record of a shard."""
    data = FileBytes(path)[:]
    return [
        decode_sequence_example(data[f.offset : f.offset + f.size].tobytes())
        for f in frame_records(data)
    ]


def assert_same_videos(found: Videos, wanted: Videos, tolerance: float = 0.0) -> None:
    """Compare ids, streams and values."""
    assert found.keys() == wanted.keys()
    for name, streams in wanted.items():
        assert found[name].keys() == streams.keys()
        for stream, values in streams.items():
            np.testing.assert_allclose(found[name][stream], values, rtol=0, atol=tolerance)


def shard_bytes(out: Path) -> dict[str, bytes]:
    """Return name -> content of all files of a data folder."""
    return {path.name: path.read_bytes() for path in sorted(out.iterdir()) if path.is_file()}


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def renamed(videos: Videos, prefix: str) -> Videos:
    return {prefix + name: streams for name, streams in videos.items()}


def ask_for_password(path: Path) -> None:
    """Mark the first file in a zip archive as one that is encrypted."""
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x03\x04") + 6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
