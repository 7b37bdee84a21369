"""One shard, read through once: a row per record, with what is wrong with it."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reeltag.core.errors import DataError
from reeltag.data.features import PUBLISHED_FRAMES
from reeltag.data.indexing.probe import Schema
from reeltag.data.records.example import (
    Feature,
    Spans,
    decode_feature,
    decode_feature_list,
    joined,
    split_message,
)
from reeltag.data.records.file_bytes import ByteRanges, ByteSource, open_bytes
from reeltag.data.records.frame_widths import frame_widths
from reeltag.data.records.locate import Layout, locate_floats, locate_frames
from reeltag.data.records.problems import Problem, to_bits
from reeltag.data.records.ratings import (
    NO_RATINGS,
    RATING_KEYS,
    STARTS,
    Ratings,
    read_ratings,
)
from reeltag.data.records.tfrecord import Framed, frame_records
from reeltag.data.streams import MAX_CLASSES, TABLE_SCHEMA, Kind, Stream

ID_KEYS = ("id", "video_id")  # the second in YouTube-8M 2017 and AudioSet
_MAX_INT32 = (1 << 31) - 1

ROW_SCHEMA = pa.schema(
    [field for field in TABLE_SCHEMA if field.name not in ("shard", "problem", "skip")]
    + [pa.field("bits", pa.int64())]  # the set of problems, see problems.to_bits
)


class Described(NamedTuple):
    """What one record holds; the columns of `ROW_SCHEMA` that follow `offset` and `size`."""

    id: str
    frames: int
    labels: list[int]
    label_names: list[str]
    ratings: Ratings
    start: list[int]
    stride: list[int]
    problems: set[Problem]


def scan_shard(source: ByteSource, schema: Schema, verify: bool) -> pa.Table:
    """Return one row of `ROW_SCHEMA` for every record, readable or not, of a shard.

    Args:
        source: of the shard.
        schema: of the data set; a record without one of its streams has a problem.
        verify: check the payloads' checksums.

    Raises:
        DataError: the file cannot be read, or is cut short meanwhile.
    """
    data = open_bytes(source)
    columns: dict[str, list[object]] = {name: [] for name in ROW_SCHEMA.names}
    for framed in frame_records(data, verify=verify):
        described = _describe(data, framed, schema)
        row = (
            framed.offset,
            min(framed.size, _MAX_INT32),
            described.id,
            described.frames,
            described.labels,
            described.label_names,
            *described.ratings,
            described.start,
            described.stride,
            to_bits(described.problems),
        )
        for column, value in zip(columns.values(), row, strict=True):
            column.append(value)
    return pa.table(columns, schema=ROW_SCHEMA)


def _describe(data: ByteRanges, framed: Framed, schema: Schema) -> Described:
    """Return what the record holds, or that it holds nothing that can be read."""
    problem = framed.problem
    if problem is None and framed.size > _MAX_INT32:
        problem = Problem.UNDECODABLE  # protobuf ends there too
    if problem is None:
        payload = data[framed.offset : framed.offset + framed.size]
        try:
            return describe_record(payload, schema)
        except DataError:
            problem = Problem.UNDECODABLE
    nowhere = [0] * len(schema.streams)
    return Described("", 0, [], [], NO_RATINGS, nowhere, nowhere, {problem})


def describe_record(payload: NDArray[np.uint8], schema: Schema) -> Described:
    """Return what a tf.Example or tf.SequenceExample holds, without decoding its frames.

    Args:
        payload: bytes of the record.
        schema: of the data set, whose streams the record must have.

    Raises:
        DataError: the payload is neither.
    """
    context, lists = split_message(payload.data)
    about = _Context(payload.data, context)
    problems = set[Problem]()
    video_id = _read_id(about, problems)
    labels, names = _read_labels(about.get("labels"), problems)
    messages = context if schema.kind == "video" else lists
    layouts = _locate(payload, messages, schema.kind, schema.streams, problems)
    num_frames = max((layout.num_frames for layout in layouts), default=0)
    ratings = NO_RATINGS
    if schema.rate_hz is None and num_frames > PUBLISHED_FRAMES:
        problems.add(Problem.MANY_FRAMES)
    if schema.kind == "frames" and STARTS in context:
        rated = {name: about.get(name) for name in RATING_KEYS}
        ratings = read_ratings(rated, num_frames / (schema.rate_hz or 1.0), problems)
    located = {stream.name for stream in schema.streams}
    about.check_others(located if schema.kind == "video" else set())
    for name in lists.keys() - (located if schema.kind == "frames" else set()):
        for _ in frame_widths(np.frombuffer(joined(payload.data, lists[name]), np.uint8)):
            pass  # of no account, but it has to be what it says it is
    start, stride = [layout.start for layout in layouts], [layout.stride for layout in layouts]
    return Described(video_id, num_frames, labels, names, ratings, start, stride, problems)


class _Context:
    """The features of a record by name, decoded when needed; None where there is none."""

    def __init__(self, payload: memoryview, spans: dict[str, Spans]) -> None:
        self._payload, self._spans = payload, spans
        self._read = set[str]()

    def get(self, name: str) -> Feature:
        spans = self._spans.get(name)
        self._read.add(name)
        return None if spans is None else decode_feature(joined(self._payload, spans))

    def check_others(self, located: set[str]) -> None:
        """Raise DataError where one that was neither read nor located is no Feature."""
        for name in self._spans.keys() - self._read - located:
            self.get(name)


def _read_id(features: _Context, problems: set[Problem]) -> str:
    for key in ID_KEYS:
        values = features.get(key)
        if isinstance(values, list) and len(values) == 1:
            return values[0].decode(errors="backslashreplace")
    problems.add(Problem.NO_ID)
    return ""


def _read_labels(values: Feature, problems: set[Problem]) -> tuple[list[int], list[str]]:
    """Return the labels sorted, each once; or text, which only a class list explains."""
    if values is None or len(values) == 0:
        return [], []
    if isinstance(values, list):
        return [], [value.decode(errors="backslashreplace") for value in values]
    if values.dtype != np.int64:
        problems.add(Problem.BAD_LABELS)
        return [], []
    labels = sorted(set(values.tolist()))
    if labels[0] < 0 or labels[-1] >= MAX_CLASSES:
        problems.add(Problem.LABEL_OUTSIDE)
        labels = [label for label in labels if 0 <= label < MAX_CLASSES]
    return labels, []


def _locate(
    payload: NDArray[np.uint8],
    messages: dict[str, Spans],
    kind: Kind,
    streams: Iterable[Stream],
    problems: set[Problem],
) -> list[Layout]:
    """Return where each stream is; what is not as in the other records is a problem."""
    layouts = []
    for stream in streams:
        spans = messages.get(stream.name)
        if spans is None:
            problems.add(Problem.MISSING_STREAM)
            layouts.append(Layout(0, 0, 0, 0))
            continue
        layout = (locate_floats if kind == "video" else locate_frames)(payload, spans)
        if layout.num_frames == 0:
            problems.add(Problem.ZERO_FRAMES)
        elif layout.width != (stream.width if kind == "video" else stream.num_bytes):
            problems.add(Problem.WRONG_WIDTH)
        elif stream.dtype != "uint8" and not _is_finite(payload, kind, stream, layout, spans):
            problems.add(Problem.NOT_FINITE)
        layouts.append(layout)
    lengths = {layout.num_frames for layout in layouts if layout.num_frames}
    if len(lengths) > 1:
        problems.add(Problem.UNEQUAL_LENGTHS)
    return layouts


def _is_finite(
    payload: NDArray[np.uint8], kind: Kind, stream: Stream, layout: Layout, spans: Spans
) -> bool:
    """Return whether no value of a float stream is NaN or infinite."""
    dtype = np.dtype(stream.dtype).newbyteorder("<")
    if layout.stride:
        places = (layout.num_frames, stream.num_bytes), (layout.stride, 1)
        rows = np.lib.stride_tricks.as_strided(payload[layout.start :], *places)
        values = np.ascontiguousarray(rows).view(dtype)
    elif kind == "video":
        values = np.asarray(decode_feature(joined(payload.data, spans)))
    else:
        frames = decode_feature_list(joined(payload.data, spans))
        joint = b"".join(frame[0] for frame in frames if isinstance(frame, list))
        values = np.frombuffer(joint, dtype)
    return bool(np.isfinite(values).all())
