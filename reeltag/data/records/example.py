"""tf.Example and tf.SequenceExample, encoded and decoded without protobuf or TensorFlow.

Decoding follows protobuf's rules, not those of TensorFlow's faster parser, which drops a part of
what is written: of a repeated key the last counts, messages in pieces are joined, packed
and unpacked numbers may be mixed, of two kinds in one feature the last counts.

Source: tensorflow/core/example/{example,feature}.proto.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from reeltag.core.errors import DataError
from reeltag.data.records import wire
from reeltag.data.records.wire import Bytes

Values: TypeAlias = list[bytes] | NDArray[np.float32] | NDArray[np.int64]
Feature: TypeAlias = Values | None  # None: the kind of the feature was not set
Spans: TypeAlias = list[tuple[int, int]]  # where a message is: [start, stop), usually in one piece

_BYTES_LIST, _FLOAT_LIST, _INT64_LIST = 1, 2, 3


def encode_example(features: Mapping[str, Values]) -> bytes:
    """Return a tf.Example.

    Args:
        features: name -> list of byte strings, or (n,) floating-point (stored as float32) or
            integer values (stored as int64, packed).

    Raises:
        ValueError: an array of another kind or with more than one axis.
    """
    return wire.encode_bytes_field(1, _encode_features(features))


def encode_sequence_example(
    context: Mapping[str, Values], feature_lists: Mapping[str, NDArray[np.uint8]]
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


def _encode_features(features: Mapping[str, Values]) -> bytes:
    """Return a Features message."""
    return b"".join(
        _encode_entry(name, _encode_feature(name, values)) for name, values in features.items()
    )


def _encode_entry(name: str, value: bytes) -> bytes:
    """Return field 1 of a map: an entry of key and value."""
    entry = wire.encode_bytes_field(1, name.encode()) + wire.encode_bytes_field(2, value)
    return wire.encode_bytes_field(1, entry)


def _encode_feature(name: str, values: Values) -> bytes:
    """Return a Feature message."""
    if isinstance(values, list):
        strings = b"".join(wire.encode_bytes_field(1, value) for value in values)
        return wire.encode_bytes_field(_BYTES_LIST, strings)
    if values.ndim != 1 or values.dtype.kind not in "fiu":
        raise ValueError(
            f"{name} must be a list of bytes or a one-dimensional array of numbers, "
            f"got shape {values.shape} of {values.dtype}"
        )
    if values.dtype.kind == "f":
        kind, packed = _FLOAT_LIST, values.astype("<f4").tobytes()
    else:
        kind, packed = _INT64_LIST, wire.encode_varints(values.tolist())
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
        DataError: the payload is not one.
    """
    maps: tuple[dict[str, Spans], dict[str, Spans]] = ({}, {})
    for part in wire.fields(payload, 0, len(payload)):
        if part.wire_type == wire.BYTES and part.number <= 2:
            entries = maps[part.number - 1]
            for entry in wire.fields(payload, part.start, part.stop):
                if entry.wire_type == wire.BYTES and entry.number == 1:
                    name, spans = _split_entry(payload, entry.start, entry.stop)
                    entries[name] = spans
    return maps


def _split_entry(payload: Bytes, start: int, stop: int) -> tuple[str, Spans]:
    """Return the key of a map entry and where its value is."""
    name, spans = "", list[tuple[int, int]]()
    for field in wire.fields(payload, start, stop):
        if field.wire_type == wire.BYTES and field.number == 1:
            try:
                name = str(payload[field.start : field.stop], "utf-8")
            except UnicodeDecodeError as error:
                raise DataError(f"the key at byte {field.start} is not UTF-8") from error
        elif field.wire_type == wire.BYTES and field.number == 2:
            spans.append((field.start, field.stop))
    return name, spans


def joined(payload: Bytes, spans: Spans) -> Bytes:
    """Return the message in `spans`: to join the bytes of its pieces is to merge it."""
    if len(spans) == 1:
        return payload[spans[0][0] : spans[0][1]]
    return b"".join(payload[start:stop] for start, stop in spans)


def decode_feature_list(message: Bytes) -> list[Feature]:
    """Return the values of each frame of a FeatureList message.

    Args:
        message: its bytes.

    Raises:
        DataError: the message is not one.
    """
    return [
        decode_feature(message[field.start : field.stop])
        for field in wire.fields(message, 0, len(message))
        if field.wire_type == wire.BYTES and field.number == 1
    ]


def decode_feature(message: Bytes) -> Feature:
    """Return the values of a Feature message; None where its kind was not set.

    Args:
        message: its bytes.

    Raises:
        DataError: the message is not one.
    """
    kind = 0
    values: Feature = None
    for field in wire.fields(message, 0, len(message)):
        if field.wire_type == wire.BYTES and field.number <= _INT64_LIST:
            part = _DECODERS[field.number](message[field.start : field.stop])
            values = _appended(values, part) if field.number == kind else part
            kind = field.number
    return values


def _appended(first: Feature, second: Values) -> Values:
    """Return the values of two lists of one kind, as one."""
    if isinstance(first, list) and isinstance(second, list):
        return first + second
    both: Values = np.concatenate([np.asarray(first), np.asarray(second)])
    return both


def _decode_bytes_list(message: Bytes) -> list[bytes]:
    return [
        bytes(message[field.start : field.stop])
        for field in wire.fields(message, 0, len(message))
        if field.wire_type == wire.BYTES and field.number == 1
    ]


def _decode_float_list(message: Bytes) -> NDArray[np.float32]:
    parts = []
    for field in wire.fields(message, 0, len(message)):
        if field.number == 1 and field.wire_type in (wire.BYTES, wire.FIXED32):
            if (field.stop - field.start) % 4:
                raise DataError(f"packed floats take {field.stop - field.start} bytes")
            parts.append(message[field.start : field.stop])
    packed = parts[0] if len(parts) == 1 else b"".join(parts)
    return np.frombuffer(packed, "<f4").astype(np.float32, copy=False)


def _decode_int64_list(message: Bytes) -> NDArray[np.int64]:
    values = list[int]()
    for field in wire.fields(message, 0, len(message)):
        if field.number == 1 and field.wire_type in (wire.BYTES, wire.VARINT):
            values.extend(wire.read_varints(message, field.start, field.stop))
    return np.array(values, np.int64)


_DECODERS: dict[int, Callable[[Bytes], Values]] = {
    _BYTES_LIST: _decode_bytes_list,
    _FLOAT_LIST: _decode_float_list,
    _INT64_LIST: _decode_int64_list,
}
