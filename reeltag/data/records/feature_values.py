"""Values of a Feature message, decoded by protobuf's rules.

Packed and unpacked numbers may be mixed, messages in pieces are joined, of two kinds in one feature
the last counts. A field repeated with one length, as real records have it, is one step of numpy;
anything else that is large goes through the tables of `scan`. Memory, in addition to what is
returned: at most three times the message.
"""

from collections.abc import Callable, Sequence
from itertools import islice
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from reeltag.core.errors import DataError
from reeltag.data.records import wire
from reeltag.data.records.scan import FieldTable, GroupBudget, field_tables, joined_values
from reeltag.data.records.wire import Bytes

Values: TypeAlias = list[bytes] | NDArray[np.float32] | NDArray[np.int64]
Feature: TypeAlias = Values | None  # None: the kind of the feature was not set
_Raw: TypeAlias = list[bytes] | Bytes | NDArray[np.uint8]  # byte strings, or bytes of numbers

BYTES_LIST, FLOAT_LIST, INT64_LIST = 1, 2, 3
_FEW = 64  # fields, up to which a loop is faster
_SMALL_VALUE = 48  # bytes


def decode_feature_list(message: Bytes, most: int | None = None) -> list[Feature]:
    """Return the values of each frame of a FeatureList message.

    Args:
        message: its bytes.
        most: of the first so many frames; None: of all.

    Raises:
        DataError: the message is not one.
    """
    frames = (
        field
        for field in wire.fields(message, 0, len(message))
        if field.wire_type == wire.BYTES and field.number == 1
    )
    return [decode_feature(message[f.start : f.stop]) for f in islice(frames, most)]


def decode_feature(message: Bytes) -> Feature:
    """Return the values of a Feature message; None where its kind was not set.

    Args:
        message: its bytes.

    Raises:
        DataError: the message is not one.
    """
    equal = wire.equal_fields(message)
    if equal is not None and equal[0] <= INT64_LIST and wire.are_alike(equal[1]):
        return _values(equal[0], [_RAW[equal[0]](equal[1].tobytes())])
    few = _few_fields(message)
    return _decode_large(np.frombuffer(message, np.uint8)) if few is None else _decode(message, few)


def _few_fields(message: Bytes) -> list[wire.Field] | None:
    """Return the fields of a message; None where they are many."""
    found = list(islice(wire.fields(message, 0, len(message)), _FEW + 1))
    return found if len(found) <= _FEW else None


def _decode(message: Bytes, few: list[wire.Field]) -> Feature:
    """Return the values of a Feature message of these fields."""
    lists = [f for f in few if f.wire_type == wire.BYTES and f.number <= INT64_LIST]
    kind, parts, view = 0, list[Bytes](), memoryview(message)
    for piece in lists:
        if piece.number != kind:
            if kind:
                _joined_values(kind, parts)  # of no account, but it has to be such a list
            kind, parts = piece.number, []
        parts.append(view[piece.start : piece.stop])
        if len(lists) > 1:  # each piece is whole fields: only then may they be joined
            for _ in field_tables(np.frombuffer(parts[-1], np.uint8)):
                pass
    return _joined_values(kind, parts) if kind else None


def _joined_values(kind: int, parts: Sequence[Bytes]) -> Values:
    """Return the values of a list in pieces."""
    return _values(kind, [_RAW[kind](parts[0] if len(parts) == 1 else b"".join(parts))])


def _decode_large(data: NDArray[np.uint8]) -> Feature:
    """Return the values of a Feature message of many fields."""
    kind, parts, groups = 0, list[_Raw](), GroupBudget()
    for table in field_tables(data, None, groups):
        lists = table.where((table.wire_type == wire.BYTES) & (table.number <= INT64_LIST))
        if not len(lists.at):
            continue
        last = int(np.flatnonzero(np.append(0, lists.number[:-1]) != lists.number)[-1])
        kept = lists.part(slice(last, None))
        _check_dropped(data, lists.part(slice(last)), groups)
        if last or kept.number[0] != kind:
            if kind:
                _values(kind, parts)  # of no account, as above
            kind, parts = int(kept.number[0]), []
        parts.append(_MANY[kind](*_joined(data, kept), groups))
    return _values(kind, parts) if kind else None


def _check_dropped(data: NDArray[np.uint8], lists: FieldTable, groups: GroupBudget) -> None:
    """Raise DataError where a list that is of no account is none of its kind."""
    held = lists.where(lists.stop > lists.start)
    for kind, find in _MANY.items():
        some = held.where(held.number == kind)
        if not len(some.at):
            continue
        if kind == BYTES_LIST:
            for _ in field_tables(*_joined(data, some), groups):
                pass
        else:
            _values(kind, [find(*_joined(data, some), groups)])


def _joined(
    data: NDArray[np.uint8], table: FieldTable
) -> tuple[NDArray[np.uint8], NDArray[np.int64] | None]:
    """Return the messages in some fields as one, and where each of them begins."""
    length = table.stop - table.start
    bounds = None if len(table.at) < 2 else np.cumsum(length) - length
    return joined_values(data, table), bounds


def _values(kind: int, parts: Sequence[_Raw]) -> Values:
    """Return the values of a kind out of their bytes, which `_RAW` or `_MANY` found."""
    if isinstance(parts[0], list) and len(parts) == 1:
        return parts[0]
    if kind == BYTES_LIST:
        return [value for part in parts if isinstance(part, list) for value in part]
    arrays = [np.frombuffer(part, np.uint8) for part in parts if not isinstance(part, list)]
    packed = arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
    if kind == FLOAT_LIST:
        return packed.view("<f4").astype(np.float32, copy=False)
    return wire.read_varints(packed.data, 0, len(packed))


def _byte_strings(message: Bytes) -> list[bytes]:
    """Return the values of a BytesList message."""
    equal = wire.equal_fields(message)
    if equal is not None and equal[0] == 1:
        count, width = equal[1].shape
        values = equal[1].tobytes()
        return [values[at : at + width] for at in range(0, count * width, width or 1)] or (
            [b""] * count
        )
    few = _few_fields(message)
    if few is None:
        return _many_byte_strings(np.frombuffer(message, np.uint8))
    strings = [f for f in few if f.wire_type == wire.BYTES and f.number == 1]
    return [bytes(message[f.start : f.stop]) for f in strings]


def _many_byte_strings(
    data: NDArray[np.uint8],
    bounds: NDArray[np.int64] | None = None,
    groups: GroupBudget | None = None,
) -> list[bytes]:
    """Return the values of BytesList messages that begin at `bounds`."""
    found = list[bytes]()
    for table in field_tables(data, bounds, groups):
        mine = table.where((table.wire_type == wire.BYTES) & (table.number == 1))
        if not len(mine.at):
            continue
        first, size = int(mine.start[0]), mine.stop - mine.start
        if mine.stop[-1] - first > _SMALL_VALUE * len(mine.at):
            spans = zip(mine.start.tolist(), mine.stop.tolist(), strict=True)
            found += [data[start:stop].tobytes() for start, stop in spans]
            continue
        near = data[first : int(mine.stop[-1])].tobytes()
        values, held = [b""] * len(mine.at), np.flatnonzero(size)
        spans = zip(
            *(ends[held].tolist() for ends in (mine.start - first, mine.stop - first)), strict=True
        )
        for place, (start, stop) in zip(held.tolist(), spans, strict=True):
            values[place] = near[start:stop]
        found += values
    return found


def _float_bytes(message: Bytes) -> Bytes:
    """Return the bytes of the values of a FloatList message."""
    packed = _equal_values(message, 4, 0x0D)
    if packed is not None:
        return packed
    few = _few_fields(message)
    if few is None:
        return _many_float_bytes(np.frombuffer(message, np.uint8)).data
    parts = []
    for field in few:
        if field.number == 1 and field.wire_type in (wire.BYTES, wire.FIXED32):
            if (field.stop - field.start) % 4:
                raise _odd_floats(field.stop - field.start)
            parts.append(message[field.start : field.stop])
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _many_float_bytes(
    data: NDArray[np.uint8],
    bounds: NDArray[np.int64] | None = None,
    groups: GroupBudget | None = None,
) -> NDArray[np.uint8]:
    """Return the bytes of the values of FloatList messages that begin at `bounds`."""
    parts, odd_size = [data[:0]], 0
    for table in field_tables(data, bounds, groups):
        held = (table.wire_type == wire.BYTES) | (table.wire_type == wire.FIXED32)
        mine = table.where(held & (table.number == 1))
        size = mine.stop - mine.start
        odd_size = odd_size or int(max(size[size % 4 != 0], default=0))
        parts.append(joined_values(data, mine))
    if odd_size:
        raise _odd_floats(odd_size)
    return np.concatenate(parts)


def _odd_floats(size: int) -> DataError:
    return DataError(f"packed floats take {size} bytes")


def _varint_bytes(message: Bytes) -> Bytes:
    """Return the bytes of the values of an Int64List message, packed."""
    packed = _equal_values(message, 1, 0x08)
    if packed is not None and not (packed and packed[-1] & 0x80):
        return packed
    few = _few_fields(message)
    if few is None:
        return _many_varint_bytes(np.frombuffer(message, np.uint8)).data
    numbers = [f for f in few if f.number == 1 and f.wire_type in (wire.BYTES, wire.VARINT)]
    parts = [message[f.start : f.stop] for f in numbers]
    for field, part in zip(numbers, parts, strict=True):
        if len(part) and part[-1] >= 0x80:
            raise _cut_number(field.stop)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _many_varint_bytes(
    data: NDArray[np.uint8],
    bounds: NDArray[np.int64] | None = None,
    groups: GroupBudget | None = None,
) -> NDArray[np.uint8]:
    """Return the bytes of the values of Int64List messages that begin at `bounds`, packed."""
    parts, cut_at = [data[:0]], 0
    for table in field_tables(data, bounds, groups):
        held = (table.wire_type == wire.BYTES) | (table.wire_type == wire.VARINT)
        mine = table.where(held & (table.number == 1))
        stops = mine.stop[mine.stop > mine.start]
        cut_at = cut_at or int(max(stops[data[stops - 1] >= 0x80], default=0))
        parts.append(joined_values(data, mine))
    if cut_at:
        raise _cut_number(cut_at)
    return np.concatenate(parts)


def _cut_number(stop: int) -> DataError:
    return DataError(f"a varint before byte {stop} does not end")


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


_RAW: dict[int, Callable[[Bytes], _Raw]] = {
    BYTES_LIST: _byte_strings,
    FLOAT_LIST: _float_bytes,
    INT64_LIST: _varint_bytes,
}
_MANY: dict[
    int, Callable[[NDArray[np.uint8], NDArray[np.int64] | None, GroupBudget | None], _Raw]
] = {
    BYTES_LIST: _many_byte_strings,
    FLOAT_LIST: _many_float_bytes,
    INT64_LIST: _many_varint_bytes,
}
