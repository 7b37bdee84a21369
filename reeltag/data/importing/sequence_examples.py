"""Records of MediaPipe, VGGish and others: tf.SequenceExamples whose frames are lists of numbers.

MediaPipe writes `RGB/feature/floats`, `AUDIO/feature/floats`, ... with times in microseconds and no
id: a video then is called by its file and number. Files are TFRecords, or one bare message.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reeltag.core.errors import DataError
from reeltag.data.importing.sources import Array, Content, FoundVideo, Key, time_before
from reeltag.data.records.example import (
    Feature,
    Spans,
    decode_feature,
    decode_feature_list,
    joined,
    split_message,
)
from reeltag.data.records.file_bytes import FileBytes
from reeltag.data.records.problems import Problem
from reeltag.data.records.tfrecord import frame_records

ID_KEYS = ("id", "video_id")
KEPT = ("labels", "segment_start_times", "segment_end_times", "segment_labels", "segment_scores")
_FLOATS, _TIMES, _RATE = "/feature/floats", "/feature/timestamp", "/feature/rate"  # MediaPipe
_MICROSECONDS = 1e-6
_UNEVEN = 0.05  # of a step: how far the first time may be from its place
_HINT = (
    "Frames are lists of floats of one width, as MediaPipe and VGGish write them. Frames of bytes "
    "need --features features.json, which describes the bytes."
)


class SequenceExamples:
    """TFRecord files of tf.SequenceExamples or tf.Examples, and files of one such message.

    Args:
        dtypes: stream -> dtype of frames that are byte strings, by a given description.
    """

    suffixes = (".tfrecord", ".tfrecords", ".pb")

    def __init__(self, dtypes: Mapping[str, str] | None = None) -> None:
        self._dtypes = dtypes or {}

    def find(self, path: Path) -> Iterator[FoundVideo]:
        """Yield the records; frames are not decoded."""
        data = FileBytes(path)
        places = list(_places(data, path))
        for number, (start, size) in enumerate(places):
            context, lists = split_message(data[start : start + size].data)
            name = id_of_record(data[start : start + size].data, context)
            if not name:
                name = path.stem if len(places) == 1 else f"{path.stem}-{number:05d}"
            yield FoundVideo(name, (start, size), None, not lists, size)

    def open(self, path: Path) -> AbstractContextManager["MessageReader"]:
        """Return a reader."""
        return nullcontext(MessageReader(path, self._dtypes))


class MessageReader:
    """Reads messages of a file by position and size."""

    def __init__(self, path: Path, dtypes: Mapping[str, str]) -> None:
        self._path, self._dtypes = path, dtypes

    def read(self, key: Key) -> Content:
        """Return streams, labels and ratings of the message at (position, size)."""
        assert isinstance(key, tuple)
        with self._path.open("rb") as file:
            file.seek(key[0])
            payload = memoryview(file.read(key[1]))
        context, lists = split_message(payload)
        features = {
            name: decode_feature(joined(payload, spans))
            for name, spans in context.items()
            if name not in ID_KEYS
        }
        kept = {n: v for n in KEPT if (v := features.get(n)) is not None}
        if lists:
            streams, rates, unused = self._frames(payload, lists)
            rates |= {_stream(n): float(v[0]) for n, v in _numbers(features, _RATE)}
        else:
            streams = {
                _stream(name): np.asarray(values)
                for name, values in features.items()
                if isinstance(values, np.ndarray) and values.dtype.kind == "f" and len(values) > 1
                if name not in KEPT
            }
            rates, unused = {}, []
        if not streams:
            what = f"has no features; it has {', '.join([*context, *lists]) or 'nothing'}"
            raise DataError(what, hint=_HINT)
        unused += [
            name
            for name in features
            if name not in kept and _stream(name) not in streams and not name.endswith(_RATE)
        ]
        return Content(streams, kept, rates, tuple(sorted(unused)))

    def _frames(
        self, payload: memoryview, lists: Mapping[str, Spans]
    ) -> tuple[dict[str, Array], dict[str, float], list[str]]:
        """Return the streams, frames/s by the times in them, and names of other lists."""
        streams, rates, unused = dict[str, Array](), dict[str, float](), list[str]()
        for name, spans in lists.items():
            if name.endswith(_TIMES):
                rate, is_late = _rate(decode_feature_list(joined(payload, spans)))
                rates |= {_stream(name): rate} if rate else {}
                unused += [time_before(name)] if is_late else []
                continue
            if name.count("/") and not name.endswith(_FLOATS):
                unused.append(name)
                continue
            frames = decode_feature_list(joined(payload, spans))
            streams[_stream(name)] = _matrix(name, frames, self._dtypes.get(name))
        return streams, {n: r for n, r in rates.items() if n in streams}, unused


def _places(data: FileBytes, path: Path) -> Iterator[tuple[int, int]]:
    """Yield position and size of each message; DataError where the file is damaged."""
    for framed in frame_records(data):
        if framed.problem is None:
            yield framed.offset, framed.size
        elif framed.problem is Problem.NOT_TFRECORD and _is_message(data[:]):
            yield 0, len(data)
        else:
            text, outcome = framed.problem.text, framed.problem.outcome
            what = f"byte {framed.offset}: {text} ({outcome})"
            raise DataError(what, where=path, hint="Get or write the file again.")


def _is_message(data: NDArray[np.uint8]) -> bool:
    try:
        return any(split_message(data.data))
    except DataError:
        return False


def id_of_record(payload: memoryview, context: Mapping[str, Spans]) -> str:
    """Return the id in the context of a message; "" where there is none."""
    for key in ID_KEYS:
        values = decode_feature(joined(payload, context[key])) if key in context else None
        if isinstance(values, list) and len(values) == 1:
            return values[0].decode(errors="backslashreplace")
    return ""


def _stream(name: str) -> str:
    """Return the stream's name: "rgb" of RGB/feature/floats; others as they are."""
    for end in (_FLOATS, _TIMES, _RATE):
        if name.endswith(end):
            return name.removesuffix(end).lower()
    return name


def _numbers(
    features: Mapping[str, Feature], end: str
) -> Iterator[tuple[str, NDArray[np.float32] | NDArray[np.int64]]]:
    for name, values in features.items():
        if name.endswith(end) and isinstance(values, np.ndarray) and len(values):
            yield name, values


def _rate(times: list[Feature]) -> tuple[float | None, bool]:
    """Return frames/s by the middle step of times in microseconds, and if they begin after a step.

    The rate of fewer than two is None.
    """
    numbers = [float(time[0]) for time in times if isinstance(time, np.ndarray) and len(time)]
    step = float(np.median(np.diff(numbers))) if len(numbers) > 1 else 0.0
    if step <= 0:
        return None, False
    return 1 / (step * _MICROSECONDS), abs(numbers[0]) > step * (1 + _UNEVEN)


def _matrix(name: str, frames: list[Feature], dtype: str | None) -> Array:
    """Return (T, D) of the frames of a list; DataError where they are no numbers of one width."""
    rows = list[Array]()
    for number, frame in enumerate(frames):
        if isinstance(frame, list) and len(frame) == 1 and dtype:
            size = np.dtype(dtype).itemsize
            if len(frame[0]) % size:
                what = f"frame {number} of {name!r} has {len(frame[0])} bytes"
                raise DataError(f"{what}, which are no {dtype} values", hint=_HINT)
            rows.append(np.frombuffer(frame[0], np.dtype(dtype).newbyteorder("<")))
        elif isinstance(frame, np.ndarray) and len(frame):
            rows.append(frame)
        else:
            what = "a byte string" if isinstance(frame, list) and frame else "empty"
            raise DataError(f"frame {number} of {name!r} is {what}", hint=_HINT)
        if len(rows[-1]) != len(rows[0]):
            what = f"frame {number} of {name!r} has {len(rows[-1])} values, frame 0 has"
            raise DataError(f"{what} {len(rows[0])}", hint=_HINT)
    return np.stack(rows) if rows else np.empty((0, 1), np.float32)
