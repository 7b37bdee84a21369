"""Data folders whose features.json says how their frames are stored."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reeltag.data.dataset import Dataset
from reeltag.data.features import EncoderIdentity, Features, StreamFeatures
from reeltag.data.records.example import Values, encode_sequence_example
from tests.data.corpora import write_shard

Stored = NDArray[np.uint8] | NDArray[np.float16] | NDArray[np.float32]
ENCODER = EncoderIdentity(name="resnet50", version="2")


def described(
    widths: Mapping[str, tuple[int, str]],
    *,
    rate_hz: float = 1.0,
    encoder: EncoderIdentity = ENCODER,
) -> Features:
    """Return a description of streams: name -> width and dtype."""
    streams = []
    for name, (width, dtype) in widths.items():
        codes = {}
        if dtype == "uint8":
            codes = {
                "scale": tuple(0.01 * (d + 1) for d in range(width)),
                "offset": tuple(float(d) for d in range(width)),
            }
        stored = {"name": name, "width": width, "dtype": dtype, "encoder": encoder}
        streams.append(StreamFeatures(**stored, **codes))  # type: ignore[arg-type]
    return Features(rate_hz=rate_hz, streams=tuple(streams))


def frames_of(features: Features, num_frames: int, seed: int) -> dict[str, Stored]:
    """Return random frames of each stream, as they are stored."""
    rng = np.random.default_rng(seed)
    found: dict[str, Stored] = {}
    for stream in features.streams:
        shape = num_frames, stream.width
        found[stream.name] = (
            rng.integers(0, 256, shape, np.uint8)
            if stream.dtype == "uint8"
            else rng.normal(size=shape).astype(stream.dtype)
        )
    return found


def described_record(video_id: str, frames: Mapping[str, Stored], **context: Values) -> bytes:
    """Return a record of frames, each the bytes of its values."""
    features: dict[str, Values] = {
        "id": [video_id.encode()],
        "labels": np.array([1, 2], np.int64),
    }
    rows = {
        name: np.ascontiguousarray(values).view(np.uint8).reshape(len(values), -1)
        for name, values in frames.items()
    }
    return encode_sequence_example(features | context, rows)


def described_corpus(folder: Path, features: Features, lengths: Sequence[int]) -> Dataset:
    """Write a shard train0 of videos v0, v1, ... with so many frames, and open it."""
    records = [
        described_record(f"v{at}", frames_of(features, length, at))
        for at, length in enumerate(lengths)
    ]
    write_shard(folder / "train0.tfrecord", records)
    features.save(folder)
    return Dataset.open(folder, jobs=1, quiet=True)
