"""tf.Example and tf.SequenceExample, encoded and decoded without protobuf or TensorFlow.

Decoding follows protobuf's rules, not those of TensorFlow's faster parser, which drops a part of
what is written: of a repeated key the last counts, messages in pieces are joined, packed
and unpacked numbers may be mixed, of two kinds in one feature the last counts.

Source: tensorflow/core/example/{example,feature}.proto.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from reeltag.core.errors import DataError
from reeltag.data.records import wire
from reeltag.data.records.wire import Bytes

Values: TypeAlias = list[bytes] | NDArray[np.float32] | NDArray[np.int64]
Encodable: TypeAlias = (  # what a feature is encoded from
    Values | str | bytes | Sequence[str | bytes] | Sequence[int] | Sequence[float]
)
Feature: TypeAlias = Values | None  # None: the kind of the feature was not set
Spans: TypeAlias = list[tuple[int, int]]  # where a message is: [start, stop), usually in one piece

_BYTES_LIST, _FLOAT_LIST, _INT64_LIST = 1, 2, 3


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
        return wire.encode_bytes_field(_BYTES_LIST, strings)
    values = np.asarray(None if texts else some)
    if values.ndim != 1 or values.dtype.kind not in "fiu":
        raise ValueError(
            f"{name} must be a list of texts or bytes, or a one-dimensional array of numbers, "
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
    equal = wire.equal_fields(message)
    if equal is not None and equal[0] <= _INT64_LIST and wire.are_alike(equal[1]):
        return _DECODERS[equal[0]](equal[1].tobytes())
    kind, spans = 0, list[tuple[int, int]]()
    for field in wire.fields(message, 0, len(message)):
        if field.wire_type == wire.BYTES and field.number <= _INT64_LIST:
            if field.number != kind:
                kind, spans = field.number, []
            spans.append((field.start, field.stop))
            for _ in wire.fields(message, field.start, field.stop):
                pass  # each piece is whole fields: only then may they be joined
    return _DECODERS[kind](joined(message, spans)) if kind else None


def _decode_bytes_list(message: Bytes) -> list[bytes]:
    equal = wire.equal_fields(message)
    if equal is not None and equal[0] == 1:
        count, width = equal[1].shape
        values = equal[1].tobytes()
        return [values[at : at + width] for at in range(0, count * width, width or 1)] or (
            [b""] * count
        )
    return [
        bytes(message[field.start : field.stop])
        for field in wire.fields(message, 0, len(message))
        if field.wire_type == wire.BYTES and field.number == 1
    ]


def _decode_float_list(message: Bytes) -> NDArray[np.float32]:
    packed: Bytes | None = _equal_values(message, 4, 0x0D)
    if packed is None:
        parts = []
        for field in wire.fields(message, 0, len(message)):
            if field.number == 1 and field.wire_type in (wire.BYTES, wire.FIXED32):
                if (field.stop - field.start) % 4:
                    raise DataError(f"packed floats take {field.stop - field.start} bytes")
                parts.append(message[field.start : field.stop])
        packed = parts[0] if len(parts) == 1 else b"".join(parts)
    return np.frombuffer(packed, "<f4").astype(np.float32, copy=False)


def _decode_int64_list(message: Bytes) -> NDArray[np.int64]:
    packed = _equal_values(message, 1, 0x08)
    if packed is not None and not (packed and packed[-1] & 0x80):
        return wire.read_varints(packed, 0, len(packed))
    parts = [
        wire.read_varints(message, field.start, field.stop)
        for field in wire.fields(message, 0, len(message))
        if field.number == 1 and field.wire_type in (wire.BYTES, wire.VARINT)
    ]
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def _equal_values(message: Bytes, width: int, tag: int) -> bytes | None:
    """Return the joined values of field 1 where each has the same length; None otherwise.

    Args:
        message: of numbers.
        width: bytes of a number that is not packed; packed ones are a multiple of it.
        tag: byte before a number that is not packed.
    """
    equal = wire.equal_fields(message)
    if equal is not None:
        whole = equal[0] == 1 and equal[1].shape[1] % width == 0
        ends = equal[1][:, -1:] < 0x80  # no number goes on in the next piece
        return equal[1].tobytes() if whole and (width > 1 or ends.all()) else None
    if len(message) < 64 or message[0] != tag or len(message) % (width + 1):
        return None
    rows = np.frombuffer(message, np.uint8).reshape(-1, width + 1)
    is_plain = (rows[:, 0] == tag).all() and (width > 1 or (rows[:, 1] < 0x80).all())
    return rows[:, 1:].tobytes() if is_plain else None


_DECODERS: dict[int, Callable[[Bytes], Values]] = {
    _BYTES_LIST: _decode_bytes_list,
    _FLOAT_LIST: _decode_float_list,
    _INT64_LIST: _decode_int64_list,
}
