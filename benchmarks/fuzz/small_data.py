"""Small data sets for targets: written, and read as commands read them."""

import shutil
import struct
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from reeltag.data.dataset import Dataset
from reeltag.data.loader import Loader
from reeltag.data.loading.stored_frames import StoredFrames
from reeltag.data.records.example import encode_example, encode_sequence_example
from reeltag.data.records.tfrecord import masked_crc

WIDTHS = {"rgb": 8, "audio": 4}
NUM_CLASSES = 12
_LENGTH, _CHECKSUM = struct.Struct("<Q"), struct.Struct("<I")


class ReadVideo(NamedTuple):
    """What a data set gives of one video.

    Attributes:
        id: of it.
        frames: bytes of all frames as they are batched.
        labels: classes.
        ratings: (start_s, end_s, class, score) each.
    """

    id: str
    frames: bytes
    labels: tuple[int, ...]
    ratings: tuple[tuple[float, float, int, float], ...]


def framed(payloads: Iterable[bytes]) -> bytes:
    """Return the bytes of a TFRecord file."""
    out = b""
    for payload in payloads:
        length = _LENGTH.pack(len(payload))
        out += length + _CHECKSUM.pack(masked_crc(length)) + payload
        out += _CHECKSUM.pack(masked_crc(payload))
    return out


def frame_payload(number: int, num_frames: int, seed: int = 0) -> bytes:
    """Return a frame-level record of 2019, whose content depends on its numbers alone."""
    rng = np.random.default_rng((number, num_frames, seed))
    starts = np.arange(0, num_frames, 5)[:2]
    return encode_sequence_example(
        {
            "id": [f"v{number}".encode()],
            "labels": np.unique(rng.integers(0, NUM_CLASSES, 3)),
            "segment_start_times": starts,
            "segment_end_times": starts + 5,
            "segment_labels": rng.integers(0, NUM_CLASSES, len(starts)),
            "segment_scores": rng.integers(0, 2, len(starts)).astype(np.float32),
        },
        {
            name: rng.integers(0, 256, (num_frames, width), np.uint8)
            for name, width in WIDTHS.items()
        },
    )


def vector_payload(number: int) -> bytes:
    """Return a video-level record."""
    rng = np.random.default_rng(number)
    vectors = {
        f"mean_{name}": rng.standard_normal(width).astype(np.float32)
        for name, width in WIDTHS.items()
    }
    return encode_example(
        {"id": [f"v{number}".encode()], "labels": np.unique(rng.integers(0, 9, 2)), **vectors}
    )


def write_classes(folder: Path) -> None:
    """Write classes.csv."""
    rows = "".join(f"{number},class {number}\n" for number in range(NUM_CLASSES))
    (folder / "classes.csv").write_text("index,name\n" + rows)


def new_folder(folder: Path) -> Path:
    """Return an empty folder at that place."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def read_all(dataset: Dataset) -> list[ReadVideo]:
    """Return all that a data set gives, in the order of its index."""
    items = dataset.videos("all")
    if not len(items):
        return []
    frames = dict[int, bytes]()
    for batch in Loader(items, batch_size=64):
        for video, mask in zip(batch.frames, batch.mask, strict=True):
            frames[len(frames)] = video[mask].numpy().tobytes()
    return [
        ReadVideo(id_, frames[number], *annotated)
        for number, (id_, *annotated) in enumerate(_annotations(dataset))
    ]


def _annotations(dataset: Dataset) -> Iterator[Any]:
    for row in dataset.table.to_pylist():
        if not row["skip"]:
            columns = [row[f"segment_{name}"] for name in ("starts", "ends", "labels", "scores")]
            yield row["id"], tuple(row["labels"]), tuple(zip(*columns, strict=True))


def read_stored(dataset: Dataset) -> list[bytes]:
    """Return the frames of all records as search and figures read them: out of mapped shards."""
    records = dataset.select("all")
    stored = StoredFrames(records)
    return [
        b"".join(stored.of(record, stream).tobytes() for stream in range(len(records.streams)))
        for record in range(len(stored))
    ]


def expected_records(data: bytes) -> Sequence[tuple[int, bytes]]:
    """Return offset and payload of the sound records of a TFRecord file, by its definition."""
    found, start = list[tuple[int, bytes]](), 0
    while start + 12 <= len(data):
        length = data[start : start + 8]
        if masked_crc(length) != _CHECKSUM.unpack_from(data, start + 8)[0]:
            break
        stop = start + 12 + _LENGTH.unpack(length)[0]
        if stop + 4 > len(data):
            break
        payload = data[start + 12 : stop]
        if masked_crc(payload) == _CHECKSUM.unpack_from(data, stop)[0]:
            found.append((start + 12, payload))
        start = stop + 4
    return found
