"""Fields of large messages, found some thousand at a time.

`wire.fields` takes half a microsecond a field: seconds for a record of some megabytes that is made
of the smallest ones. Here every byte of a window is read as if a field began at it, and numpy goes
along the chain of those at which one does. Where fields are large the plain way is faster, and is
taken. Memory: a window.

Letters in shapes: W bytes of a window, F fields.
"""

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reeltag.core.errors import DataError
from reeltag.data.records import wire

_WINDOW = 1 << 15  # bytes: arrays of as many numbers stay near the processor
_AHEAD = 21  # bytes of the longest tag and length, and what is behind them
_AT_ONCE = 32  # fields that are read the plain way, to see how large they are
_LARGE = 48  # bytes of a field, from which on the plain way is faster
_STEP_DOUBLINGS = 4  # the chain is followed 16 fields at a time
_MOST_GROUPS = 100  # of a large message: tf.Example has none
_IS_PLAIN = np.array([True, True, True, False, False, True, False, False])  # by wire type
_PLACES = np.arange(_WINDOW + _AHEAD + 1)


class FieldTable(NamedTuple):
    """F fields that follow each other.

    Attributes:
        at: (F,) position of each.
        number: (F,) field number.
        wire_type: (F,) as of `wire.Field`.
        start: (F,) position of the value, behind any length.
        stop: (F,) position behind the value.
    """

    at: NDArray[np.int64]
    number: NDArray[np.int64]
    wire_type: NDArray[np.int64]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]

    def where(self, mask: NDArray[np.bool_]) -> "FieldTable":
        """Return some of the fields."""
        return FieldTable(*(column[mask] for column in self))

    def part(self, some: slice) -> "FieldTable":
        """Return some of the fields."""
        return FieldTable(*(column[some] for column in self))


class GroupBudget:
    """How many groups a large message may still have, which are looked at one by one."""

    def __init__(self) -> None:
        self._left = _MOST_GROUPS

    def take(self) -> None:
        """Count one; DataError where they are too many."""
        self._left -= 1
        if self._left < 0:
            raise DataError(f"holds more than {_MOST_GROUPS} groups, which are no features")


def field_tables(
    data: NDArray[np.uint8],
    bounds: NDArray[np.int64] | None = None,
    groups: GroupBudget | None = None,
) -> Iterator[FieldTable]:
    """Yield the fields of a message in their order, some at a time, at least one.

    Args:
        data: bytes of the message.
        bounds: where messages begin that are joined in it, ascending: each is whole fields.
        groups: that it may have, where it is a part of a message; None: as many as any.

    Raises:
        DataError: the bytes are not a protobuf message, or a field goes on in the next message.
    """
    position, view, groups = 0, data.data, groups or GroupBudget()
    is_large = bounds is None or len(bounds) * _LARGE < len(data)
    while position < len(data):
        stopped = False
        if is_large:
            table = _plain(view, position)
            is_large = table.stop[-1] - position >= _LARGE * len(table.at)
        else:
            table, stopped = _window(data, position)
            is_large = len(table.at) * _LARGE < _WINDOW
        if len(table.at):
            _check_bounds(table, bounds)
            position = int(table.stop[-1])
            yield table
        if stopped:  # at what is not a plain field: a group, or an error, which is raised
            groups.take()
            table = _table([(position, next(wire.fields(view, position, len(data))))])
            _check_bounds(table, bounds)
            position = int(table.stop[-1])
            yield table


def joined_values(data: NDArray[np.uint8], table: FieldTable) -> NDArray[np.uint8]:
    """Return the bytes of the values of some fields, one behind the other.

    Args:
        data: bytes of the message.
        table: of its fields, in their order.
    """
    if len(table.at) == 1:
        return data[int(table.start[0]) : int(table.stop[0])]
    held = table.stop > table.start
    start, stop = table.start[held], table.stop[held]
    if not len(start):
        return data[:0]
    if stop[-1] - start[0] > _LARGE * len(start):
        parts = [data[a:b] for a, b in zip(start.tolist(), stop.tolist(), strict=True)]
        return np.concatenate(parts)
    change = np.zeros(int(stop[-1] - start[0]) + 1, np.int8)
    change[start - start[0]] = 1
    change[stop - start[0]] = -1
    inside = np.cumsum(change[:-1], dtype=np.int8).view(np.bool_)
    return data[int(start[0]) : int(stop[-1])][inside]


def _plain(view: memoryview, position: int) -> FieldTable:
    """Return the next fields, at most `_AT_ONCE`, by a loop."""
    found, at = [], position
    for field in islice(wire.fields(view, position, len(view)), _AT_ONCE):
        found.append((at, field))
        at = field.stop
    return _table(found)


def _table(found: list[tuple[int, wire.Field]]) -> FieldTable:
    """Return fields, each with its position, as a table."""
    columns = np.array([(at, *field) for at, field in found], np.int64)
    return FieldTable(*columns.T)


def _check_bounds(table: FieldTable, bounds: NDArray[np.int64] | None) -> None:
    """Raise DataError where a message begins within a field."""
    if bounds is None:
        return
    first, stop = np.searchsorted(bounds, (table.at[0], table.stop[-1]))
    inside = bounds[first:stop]
    place = np.searchsorted(table.at, inside)
    is_field = table.at[np.minimum(place, len(table.at) - 1)] == inside
    if not is_field.all():
        at = int(inside[is_field.argmin()])
        raise DataError(f"a field goes on behind its message, at byte {at}")


def _window(data: NDArray[np.uint8], position: int) -> tuple[FieldTable, bool]:
    """Return the fields that begin in the window at `position`, and whether another begins there.

    That one is not a plain field: a group, or an error. It is behind the others.
    """
    size = min(_WINDOW, len(data) - position)
    window = np.zeros(size + _AHEAD, np.uint8)
    part = data[position : position + size + _AHEAD]
    window[: len(part)] = part
    value, length = _varints(window)
    wire_type = window[:size] & 7
    behind_tag = _PLACES[:size] + length[:size]
    is_bytes, is_varint = wire_type == wire.BYTES, wire_type == wire.VARINT
    skipped = length[behind_tag] * (is_bytes | is_varint)
    skipped += np.uint8(8) * (wire_type == wire.FIXED64) + np.uint8(4) * (wire_type == wire.FIXED32)
    stop = behind_tag + skipped + value[behind_tag] * is_bytes
    chain = _chain(np.minimum(stop, size))
    at, start, stop = chain, behind_tag[chain], stop[chain]
    wire_type, is_bytes = wire_type[chain], is_bytes[chain]
    number = value[chain].astype(np.int64) >> 3
    long = np.flatnonzero(length[at] > 4)  # tags of five bytes and more
    number[long] |= (window[at[long] + 4] & 0x7F).astype(np.int64) << 25
    odd = (number == 0) | ~_IS_PLAIN[wire_type] | (stop > len(data) - position)
    odd |= _is_odd(window, at, length[at], 32)
    size_of = np.where(is_bytes, start, 0)
    odd |= is_bytes & _is_odd(window, size_of, length[size_of], 28)
    odd |= (wire_type == wire.VARINT) & (length[start] > 10)
    count = int(odd.argmax()) if odd.any() else len(odd)
    start = start + length[start] * is_bytes
    columns = (at + position, number, wire_type, start + position, stop + position)
    return FieldTable(*columns).part(slice(count)), count < len(odd)


def _varints(window: NDArray[np.uint8]) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Return for each byte the last 28 bits of the varint that begins there, and its length.

    A length above 10 is no varint.
    """
    goes_on = (window >> 7).astype(np.uint8)
    length, held = goes_on + np.uint8(1), goes_on
    for place in range(1, 11):
        held = held[:-1] & goes_on[place:]
        if not held.any():
            break
        length[: len(held)] += held
    low = (window & 0x7F).astype(np.int32)
    value = low.copy()
    for place in range(1, min(4, int(length.max()))):
        value[:-place] |= (low[place:] * (length[:-place] > place)) << 7 * place
    return value, length


def _is_odd(
    window: NDArray[np.uint8], first: NDArray[np.int64], length: NDArray[np.uint8], bits: int
) -> NDArray[np.bool_]:
    """Return which tags or lengths are longer than five bytes, or hold more than so many bits."""
    odd = length > wire.LONGEST_HEADER
    long = np.flatnonzero(length == wire.LONGEST_HEADER)
    odd[long] = (window[first[long] + 4] & 0x7F) >> (bits - 28) != 0
    return odd


def _chain(following: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the numbers that are reached from 0 by `following`, (W,) to W at most: 0, ..., < W."""
    size = len(following)
    step = np.append(following, size)
    jump = step
    for _ in range(_STEP_DOUBLINGS):
        jump = jump[jump]
    anchors, place, far = [], 0, jump.data  # faster than an array, number by number
    while place < size:
        anchors.append(place)
        place = far[place]
    rows = np.empty((1 << _STEP_DOUBLINGS, len(anchors)), np.int64)
    rows[0] = anchors
    for number in range(1, len(rows)):
        rows[number] = step[rows[number - 1]]
    chain = rows.T.ravel()
    return chain[chain < size]
