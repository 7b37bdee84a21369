"""The protobuf wire format: varints, tags and the scan of the fields of one message.

Only what tf.Example needs, but to the letter where it matters: unknown fields of every wire type
are stepped over, tags and lengths may be written in more bytes than necessary (five at most, as in
protobuf's own parsers), and no number read from a file is trusted before it was compared with the
bytes that are there.

Source: protobuf.dev, "Encoding".
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reeltag.core.errors import DataError

Bytes = bytes | memoryview

VARINT, FIXED64, BYTES, GROUP, GROUP_END, FIXED32 = range(6)
_MAX_GROUP_DEPTH = 100  # as protobuf's own parsers
LONGEST_HEADER = 5  # bytes of a tag or a length, as there
_WORD = (1 << 64) - 1
_FEW = 64  # bytes, of which a loop is faster than numpy
_AT_ONCE = 1 << 15  # bytes of packed numbers that are read together


class Field(NamedTuple):
    """One field of a message.

    Attributes:
        number: field number, at least 1.
        wire_type: VARINT, FIXED64, BYTES or FIXED32; a whole group counts as GROUP.
        start: position of the first byte of the value, behind any length.
        stop: position behind the value.
    """

    number: int
    wire_type: int
    start: int
    stop: int


def encode_varint(value: int) -> bytes:
    """Return `value` as a varint; a negative one as its 64-bit two's complement, ten bytes."""
    value &= _WORD
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def encode_bytes_field(number: int, payload: bytes) -> bytes:
    """Return a length-delimited field: tag, length, `payload`."""
    return encode_varint(number << 3 | BYTES) + encode_varint(len(payload)) + payload


def read_varint(buffer: Bytes, start: int, stop: int, longest: int = 10) -> tuple[int, int]:
    """Return the unsigned value of the varint at `start` and the position behind it.

    Args:
        buffer: the bytes.
        start: position of the first byte.
        stop: position behind the message.
        longest: bytes that it may have.

    Raises:
        DataError: it does not end before `stop`, or within `longest` bytes.
    """
    position, value, shift = start, 0, 0
    stop = min(stop, start + longest)
    while position < stop:
        byte = buffer[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & _WORD, position
        shift += 7
    raise DataError(f"a varint at byte {start} does not end")


def read_varints(buffer: Bytes, start: int, stop: int) -> NDArray[np.int64]:
    """Return the signed 64-bit integers (n,) that are packed in `buffer[start:stop]`.

    Args:
        buffer: the bytes.
        start: position of the first byte.
        stop: position behind the last.

    Raises:
        DataError: one does not end before `stop`, or within ten bytes.
    """
    if stop - start < _FEW:  # numpy takes longer
        values = list[int]()
        while start < stop:
            value, start = read_varint(buffer, start, stop)
            values.append(as_signed(value))
        return np.array(values, np.int64)
    data = np.frombuffer(buffer, np.uint8)[start:stop]
    words = np.zeros(int(np.count_nonzero(data < 0x80)), np.uint64)
    begin, done = 0, 0
    while begin < len(data):  # some at a time: little but the result is in memory
        part = data[begin : begin + _AT_ONCE]
        last = np.flatnonzero(part < 0x80)
        first = np.append(0, last[:-1] + 1)[: len(last)]
        length = last - first + 1
        if not len(last) or length.max() > 10:
            odd = begin + int(first[length.argmax()] if len(last) else 0)
            raise DataError(f"a varint at byte {start + odd} does not end")
        found = words[done : done + len(last)]
        for place in range(int(length.max())):
            has = length > place if place else slice(None)
            bits = (part[first[has] + place] & 0x7F).astype(np.uint64)
            found[has] |= bits << np.uint64(7 * place)
        begin, done = begin + int(last[-1]) + 1, done + len(last)
    return words.view(np.int64)


def equal_fields(buffer: Bytes) -> tuple[int, NDArray[np.uint8]] | None:
    """Return number and values (n, width) of a message that repeats one field of one length.

    None where the fields differ, are few or are no byte strings: `fields` goes through any message.

    Args:
        buffer: the message.

    Raises:
        DataError: the first field is none.
    """
    if len(buffer) < _FEW:
        return None
    first = next(fields(buffer, 0, len(buffer)))
    if first.wire_type != BYTES or len(buffer) % first.stop or len(buffer) == first.stop:
        return None
    rows = np.frombuffer(buffer, np.uint8).reshape(-1, first.stop)
    if (rows[:, : first.start] != rows[0, : first.start]).any():
        return None
    return first.number, rows[:, first.start :]


def are_alike(rows: NDArray[np.uint8]) -> bool:
    """Return whether each row (n, width) is a message of whole fields, placed as in the first.

    Args:
        rows: the messages.

    Raises:
        DataError: the first row is no message.
    """
    value, varint = (np.zeros(rows.shape[1], bool) for _ in range(2))
    for field in fields(rows[0].tobytes(), 0, rows.shape[1]):
        (varint if field.wire_type == VARINT else value)[field.start : field.stop] = True
    ends = (rows[:, varint] ^ rows[0, varint]) & 0x80  # where a varint goes on, all do
    headers = rows[:, ~(value | varint)]
    return not ends.any() and bool((headers == headers[:1]).all())


def as_signed(value: int) -> int:
    """Return the 64-bit word `value` as a two's complement number."""
    return value - (1 << 64) if value >> 63 else value


def encode_varints(values: Iterable[int]) -> bytes:
    """Return the integers as varints, one behind the other (the packed form)."""
    return b"".join(map(encode_varint, values))


def fields(buffer: Bytes, start: int, stop: int) -> Iterator[Field]:
    """Yield the fields of the message in `buffer[start:stop]`, in their order.

    Args:
        buffer: the bytes.
        start: position of the first byte.
        stop: position behind the message.

    Raises:
        DataError: the bytes are not a protobuf message.
    """
    while start < stop:
        tag = buffer[start]
        if tag < 0x80:
            start += 1
        else:
            tag, start = read_varint(buffer, start, stop, LONGEST_HEADER)
        number, wire_type = tag >> 3, tag & 7
        if number == 0 or tag >> 32:
            raise DataError(f"field number {number} before byte {start} is not allowed")
        if wire_type == BYTES:
            if start < stop and buffer[start] < 0x80:
                size, start = buffer[start], start + 1
            else:
                size, start = read_varint(buffer, start, stop, LONGEST_HEADER)
            end = start + size
        else:
            end = _end_of_value(buffer, start, stop, number, wire_type, depth=0)
        if end > stop:
            raise DataError(f"a field ends at byte {end}, {end - stop} behind its message")
        yield Field(number, wire_type, start, end)
        start = end


def _end_of_value(
    buffer: Bytes, start: int, stop: int, number: int, wire_type: int, depth: int
) -> int:
    """Return the position behind a value of a wire type other than BYTES."""
    if wire_type == VARINT:
        return read_varint(buffer, start, stop)[1]
    if wire_type == FIXED32:
        return start + 4
    if wire_type == FIXED64:
        return start + 8
    if wire_type == GROUP and depth < _MAX_GROUP_DEPTH:
        return _end_of_group(buffer, start, stop, number, depth + 1)
    raise DataError(f"wire type {wire_type} before byte {start} is not allowed")


def _end_of_group(buffer: Bytes, start: int, stop: int, number: int, depth: int) -> int:
    """Return the position behind the end tag of the group whose content begins at `start`."""
    while start < stop:
        tag, start = read_varint(buffer, start, stop, LONGEST_HEADER)
        inner, wire_type = tag >> 3, tag & 7
        if wire_type == GROUP_END:
            if inner != number:
                break
            return start
        if wire_type == BYTES:
            size, start = read_varint(buffer, start, stop, LONGEST_HEADER)
            start += size
        else:
            start = _end_of_value(buffer, start, stop, inner, wire_type, depth)
    raise DataError(f"group {number} does not end before byte {stop}")
