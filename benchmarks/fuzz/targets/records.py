"""Records: tf.Example and tf.SequenceExample, compared with Google's protobuf."""

import random
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.fuzz.mutation import mutated
from benchmarks.fuzz.protobuf_reader import Decoded, decoded_sequence_example
from benchmarks.fuzz.target import Case, Outcome, Target, WrongError
from benchmarks.fuzz.wire_mutation import encoded, mutated_message, random_node, smaller
from reeltag.core.errors import DataError
from reeltag.data.indexing.probe import Schema, streams_of_record
from reeltag.data.indexing.scan import Described, describe_record
from reeltag.data.records.example import (
    Encodable,
    decode_feature,
    decode_sequence_example,
    encode_example,
    encode_sequence_example,
)
from reeltag.data.records.feature_values import Feature
from reeltag.data.records.problems import SKIPPING, Problem, to_bits
from reeltag.data.streams import Stream, in_order

_TOO_MANY = "holds more than"  # features, pieces or groups than any record has: refused by design
_LARGE_BYTES, _LARGE_SECONDS = 8_000_000, 0.5  # a record of 8 MB is decoded in 0.5 s
_LARGE_EVERY = 5000


class Records(Target):
    """One record, decoded, described for the index, and its frames by their places."""

    name = "records"
    about = "a record: decoded as protobuf decodes it, and described for the index"

    def __init__(self, shared: Path, own: Path) -> None:
        super().__init__(shared, own)
        self.seeds = seed_records()

    def make(self, rng: random.Random) -> Case:
        """Return a record, by its structure, by its bytes, or from nothing."""
        if not rng.randrange(_LARGE_EVERY):
            return Case("large", self._small(rng)[:200])
        return Case("record", self._small(rng))

    def _small(self, rng: random.Random) -> bytes:
        kind, seed = rng.random(), rng.choice(self.seeds)
        if kind < 0.65:
            return mutated_message(rng, seed, self.seeds)
        if kind < 0.9:
            return mutated(rng, seed, self.seeds)
        return encoded([random_node(rng) for _ in range(rng.randrange(6))])

    @classmethod
    def smaller(cls, case: Case) -> Iterator[Case]:
        """Yield the record with a field less, lengths right."""
        for data in smaller(case.data):
            yield Case(case.variant, data)

    def run(self, case: Case) -> Outcome:
        """Compare with protobuf; the places of frames with the decoded ones."""
        if case.variant == "large":
            return self._run_large(case.data)
        expected = decoded_sequence_example(case.data)
        try:
            found = decode_sequence_example(case.data)
        except DataError as error:
            if expected is not None and _TOO_MANY not in error.what:
                raise WrongError("refused, where protobuf decodes it", error.what) from error
            return "refused"
        if expected is None:
            raise WrongError("decoded, where protobuf refuses it")
        check_equal(found, expected)
        check_description(case.data, found)
        return "accepted"

    def _run_large(self, piece: bytes) -> Outcome:
        """Decode a feature of 8 MB that is one piece again and again, against the clock."""
        data = piece * (_LARGE_BYTES // max(1, len(piece)))
        took = []
        for _ in range(3):  # the best of some: the machine has other work
            began = time.process_time()
            try:
                decode_feature(data)
                outcome: Outcome = "accepted"
            except DataError:
                outcome = "refused"
            took.append(time.process_time() - began)
            if took[-1] < _LARGE_SECONDS:
                return outcome
        raise WrongError("8 MB take longer than 0.5 s", f"{min(took):.2f} s")


TARGET = Records


def seed_records() -> list[bytes]:
    """Return records of all kinds that are published, small, and odd ones."""
    rng = np.random.default_rng(0)
    ids: dict[str, Encodable] = {"id": [b"video"], "labels": np.array([1, 5, 300])}
    frames = {
        "rgb": rng.integers(0, 256, (5, 16), np.uint8),
        "audio": rng.integers(0, 256, (5, 4), np.uint8),
    }
    rated: dict[str, Encodable] = {
        "segment_start_times": np.array([0, 5]),
        "segment_end_times": np.array([5, 10]),
        "segment_labels": np.array([1, 5]),
        "segment_scores": np.array([1.0, 0.0], np.float32),
    }
    vectors: dict[str, Encodable] = {
        "mean_rgb": rng.standard_normal(16).astype(np.float32),
        "mean_audio": rng.standard_normal(4).astype(np.float32),
    }
    records = [
        encode_sequence_example(ids, frames),
        encode_sequence_example(ids | rated, frames),
        encode_example(ids | vectors),
        encode_example({"video_id": "x", "labels": [b"cat", b"dog"], "numbers": list(range(80))}),
        encode_sequence_example({}, {"rgb": rng.integers(0, 256, (70, 2), np.uint8)}),
        encode_sequence_example({"id": [b"a", b""]}, {"rgb": np.zeros((0, 3), np.uint8)}),
        encode_example({"id": "x", "floats": np.linspace(-1, 1, 90, dtype=np.float32)}),
        b"",
    ]
    unpacked = b"".join(b"\x0d" + bytes([i, 0, 128, 63]) for i in range(80))
    texts = b"".join(b"\x0a" + bytes([i % 7]) + b"text..."[: i % 7] for i in range(90))
    for kind, content in ((2, unpacked), (1, texts), (3, b"\x08\x05" * 80)):
        records.append(_context_of(bytes([kind << 3 | 2]) + _sized(content)))
    return records


def _context_of(feature: bytes) -> bytes:
    return b"\x0a" + _sized(b"\x0a" + _sized(b"\x0a\x01x\x12" + _sized(feature)))


def _sized(content: bytes) -> bytes:
    size = len(content)
    return (bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])) + content


def check_equal(found: Decoded, expected: Decoded) -> None:
    """Raise WrongError where the decoded values of a record differ."""
    _check_names("context", {*found[0]}, {*expected[0]})
    _check_names("feature lists", {*found[1]}, {*expected[1]})
    for name, value in found[0].items():
        if not _is_same(value, expected[0][name]):
            raise WrongError("a feature with other values", name)
    for name, frames in found[1].items():
        wanted = expected[1][name]
        if len(frames) != len(wanted) or not all(map(_is_same, frames, wanted)):
            raise WrongError("a feature list with other values", name)


def _check_names(which: str, found: set[str], expected: set[str]) -> None:
    if found != expected:
        raise WrongError(f"{which} with other names", f"{sorted(found)} {sorted(expected)}")


def _is_same(one: Feature, other: Feature) -> bool:
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.dtype == other.dtype and one.tobytes() == other.tobytes()
    return type(one) is type(other) and one == other


def check_description(payload: bytes, decoded: Decoded) -> None:
    """Raise WrongError where the index would have a record's frames at other places or widths."""
    data = np.frombuffer(payload, np.uint8)
    streams = streams_of_record(data)
    if not streams:
        return
    kind = streams[0][0]
    schema = Schema(kind, in_order(stream for of, stream in streams if of == kind))
    row = describe_record(data, schema)
    if to_bits(row.problems) & SKIPPING & ~Problem.NO_ID.bit:
        return
    context, lists = decoded
    for number, stream in enumerate(schema.streams):
        if kind == "frames":
            frames = [frame[0] if isinstance(frame, list) else b"" for frame in lists[stream.name]]
        else:
            frames = [np.asarray(context[stream.name], "<f4").tobytes()]
        _check_stream(data, row, number, stream, frames)


def _check_stream(
    data: NDArray[np.uint8], row: Described, number: int, stream: Stream, frames: list[bytes]
) -> None:
    if row.frames != len(frames) or {len(frame) for frame in frames} != {stream.num_bytes}:
        raise WrongError("frames of another number or width", stream.name)
    start, stride = row.start[number], row.stride[number]
    places = (start + at * stride for at in range(len(frames)))
    if stride and any(
        data[place : place + stream.num_bytes].tobytes() != frame
        for place, frame in zip(places, frames, strict=True)
    ):
        raise WrongError("frames at other places", stream.name)
