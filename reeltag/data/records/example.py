"""tf.Example and tf.SequenceExample, encoded and decoded without protobuf or TensorFlow.

Decoding follows protobuf's rules, not those of TensorFlow's faster parser, which drops a part of
what is written: of a repeated key the last counts, messages in pieces are joined. Values of a
feature: `feature_values`.

Source: tensorflow/core/example/{example,feature}.proto.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from reeltag.core.errors import DataError
from reeltag.data.records import wire
from reeltag.data.records.feature_values import (
    BYTES_LIST,
    FLOAT_LIST,
    INT64_LIST,
    Feature,
    Values,
    decode_feature,
    decode_feature_list,
)
from reeltag.data.records.scan import field_tables
from reeltag.data.records.wire import Bytes

__all__ = [
    "Encodable",
    "Feature",
    "Spans",
    "Values",
    "decode_example",
    "decode_feature",
    "decode_feature_list",
    "decode_sequence_example",
    "encode_example",
    "encode_sequence_example",
    "joined",
    "split_message",
]

Encodable: TypeAlias = (  # what a feature is encoded from
    Values | str | bytes | Sequence[str | bytes] | Sequence[int] | Sequence[float]
)
Spans: TypeAlias = list[tuple[int, int]]  # where a message is: [start, stop), usually in one piece

_MOST_PIECES = 100_000  # of a record: features, and pieces of one
_FEW = 64  # fields of a message, which a loop goes through


def encode_example(features: Mapping[str, Encodable]) -> bytes:
    """Return a tf.Example.

    Args:
        features: name -> texts or byte strings, one or a list of them, or a list or array (n,) of
            floating-point (stored as float32) or integer values (stored as int64, packed).

    Raises:
        ValueError: values of another kind or with more than one axis.
    """
    return wire.encode_bytes_field(1, _encode_features(features))


def encode_sequence_example(
    context: Mapping[str, Encodable], feature_lists: Mapping[str, NDArray[np.uint8]]
) -> bytes:
    """Return a tf.SequenceExample, as YouTube-8M's frame-level records are.

    Args:
        context: as the features of `encode_example`.
        feature_lists: name -> (T, W) uint8, one byte string of W bytes per frame.

    Raises:
        ValueError: a feature list is not (T, W) uint8, or see `encode_example`.
    """
    lists = b"".join(
        _encode_entry(name, _encode_frames(name, frames)) for name, frames in feature_lists.items()
    )
    head = wire.encode_bytes_field(1, _encode_features(context))
    return head + wire.encode_bytes_field(2, lists)


def _encode_features(features: Mapping[str, Encodable]) -> bytes:
    """Return a Features message."""
    return b"".join(
        _encode_entry(name, _encode_feature(name, values)) for name, values in features.items()
    )


def _encode_entry(name: str, value: bytes) -> bytes:
    """Return field 1 of a map: an entry of key and value."""
    entry = wire.encode_bytes_field(1, name.encode()) + wire.encode_bytes_field(2, value)
    return wire.encode_bytes_field(1, entry)


def _encode_feature(name: str, given: Encodable) -> bytes:
    """Return a Feature message."""
    some = [given] if isinstance(given, str | bytes) else given
    texts = [value for value in some if isinstance(value, str | bytes)]
    if len(texts) == len(some) and not isinstance(some, np.ndarray):
        encoded = (value.encode() if isinstance(value, str) else value for value in texts)
        strings = b"".join(wire.encode_bytes_field(1, value) for value in encoded)
        return wire.encode_bytes_field(BYTES_LIST, strings)
    values = np.asarray(None if texts else some)
    if values.ndim != 1 or values.dtype.kind not in "fiu":
        raise ValueError(
            f"{name} must be a list of texts or bytes, or a one-dimensional array of numbers, "
            f"got shape {values.shape} of {values.dtype}"
        )
    if values.dtype.kind == "f":
        kind, packed = FLOAT_LIST, values.astype("<f4").tobytes()
    else:
        kind, packed = INT64_LIST, wire.encode_varints(values.tolist())
    return wire.encode_bytes_field(kind, wire.encode_bytes_field(1, packed))


def _encode_frames(name: str, frames: NDArray[np.uint8]) -> bytes:
    """Return a FeatureList message with one bytes feature a row: the same header before each."""
    if frames.ndim != 2 or frames.dtype != np.uint8:
        raise ValueError(f"{name} must be (T, W) uint8, got {frames.shape} of {frames.dtype}")
    num_frames, width = frames.shape
    frame = wire.encode_bytes_field(1, _encode_feature(name, [bytes(width)]))
    header = np.frombuffer(frame[: len(frame) - width], np.uint8)
    rows = np.empty((num_frames, len(frame)), np.uint8)
    rows[:, : len(header)] = header
    rows[:, len(header) :] = frames
    return rows.tobytes()


def decode_example(payload: Bytes) -> dict[str, Feature]:
    """Return the features of a tf.Example: name -> values.

    Args:
        payload: bytes of the message.

    Raises:
        DataError: the payload is not one.
    """
    context, _ = split_message(payload)
    return {name: decode_feature(joined(payload, spans)) for name, spans in context.items()}


def decode_sequence_example(payload: Bytes) -> tuple[dict[str, Feature], dict[str, list[Feature]]]:
    """Return the context, name -> values, and the feature lists, name -> values per frame.

    A tf.Example decodes too: it is one context without feature lists.

    Args:
        payload: bytes of the message.

    Raises:
        DataError: the payload is not one.
    """
    context, lists = split_message(payload)
    return (
        {name: decode_feature(joined(payload, spans)) for name, spans in context.items()},
        {name: decode_feature_list(joined(payload, spans)) for name, spans in lists.items()},
    )


def split_message(payload: Bytes) -> tuple[dict[str, Spans], dict[str, Spans]]:
    """Return where the Feature and the FeatureList messages of a tf.(Sequence)Example are, by name.

    Args:
        payload: bytes of the message.

    Raises:
        DataError: the payload is not one, or holds more than 100,000 features or pieces of them.
    """
    maps: tuple[dict[str, Spans], dict[str, Spans]] = ({}, {})
    pieces = 0
    for part in _strings(payload, 0, len(payload)):
        pieces += 1
        if part.number > 2:
            continue
        entries = maps[part.number - 1]
        for entry in _strings(payload, part.start, part.stop):
            if entry.number == 1:
                name, spans = _split_entry(payload, entry.start, entry.stop)
                if name in entries:  # of no account, but it has to be a message
                    replaced = joined(payload, entries[name])
                    decode_feature(replaced) if part.number == 1 else decode_feature_list(replaced)
                entries[name] = spans
                pieces += max(1, len(spans))
        if pieces > _MOST_PIECES:
            raise _too_many()
    return maps


def _strings(payload: Bytes, start: int, stop: int) -> Iterator[wire.Field]:
    """Yield the fields of a message that are byte strings; of many those numbered 1 and 2.

    DataError where the bytes are no message, or there are too many.
    """
    for field in islice(wire.fields(payload, start, stop), _FEW):
        if field.wire_type == wire.BYTES:
            yield field
        start = field.stop
    if start == stop:
        return
    data, count = np.frombuffer(payload, np.uint8)[start:stop], 0
    for table in field_tables(data):
        known = table.where((table.wire_type == wire.BYTES) & (table.number <= 2))
        count += len(known.at)
        if count > _MOST_PIECES:
            raise _too_many()
        columns = known.number, known.start + start, known.stop + start
        for number, *ends in zip(*(column.tolist() for column in columns), strict=True):
            yield wire.Field(number, wire.BYTES, *ends)


def _too_many() -> DataError:
    return DataError(f"holds more than {_MOST_PIECES:,} features, or pieces of them")


def _split_entry(payload: Bytes, start: int, stop: int) -> tuple[str, Spans]:
    """Return the key of a map entry and where its value is."""
    name, spans = "", list[tuple[int, int]]()
    for field in _strings(payload, start, stop):
        if field.number == 1:
            try:
                name = str(payload[field.start : field.stop], "utf-8")
            except UnicodeDecodeError as error:
                raise DataError(f"the key at byte {field.start} is not UTF-8") from error
        elif field.number == 2:
            spans.append((field.start, field.stop))
    if len(spans) > 1:  # each piece is whole fields: only then may they be joined
        for begin, end in spans:
            for _ in field_tables(np.frombuffer(payload, np.uint8)[begin:end]):
                pass
    return name, spans


def joined(payload: Bytes, spans: Spans) -> Bytes:
    """Return the message in `spans`: to join the bytes of its pieces is to merge it."""
    if len(spans) == 1:
        return payload[spans[0][0] : spans[0][1]]
    return b"".join(payload[start:stop] for start, stop in spans)
