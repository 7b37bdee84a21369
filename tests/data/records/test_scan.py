"""Large messages: what the loops over fields find, in work and memory that stay small."""

import itertools
import random
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import example as worked
from hypothesis import given, settings
from hypothesis import strategies as st

from reeltag.core.errors import DataError
from reeltag.data.records import feature_values, frame_widths, scan, wire
from reeltag.data.records.example import (
    Feature,
    decode_feature,
    decode_feature_list,
    split_message,
)
from reeltag.data.records.locate import Layout, locate_frames
from reeltag.data.records.wire import encode_bytes_field, encode_varint

NUMBERS = st.sampled_from([1, 1, 1, 2, 3, 4, 15, 16, 3000, 2**26, 2**29 - 1])


def padded(value: int, more: int, most: int = 5) -> bytes:
    """Return a varint in more bytes than it needs, so many at most: five are a tag or a length."""
    plain = encode_varint(value)
    more = max(0, min(more, most - len(plain)))
    return (
        plain if not more else plain[:-1] + bytes([plain[-1] | 0x80]) + b"\x80" * (more - 1) + b"\0"
    )


@st.composite
def some_field(draw: st.DrawFn, number: int | None = None) -> bytes:
    """Return a field of any wire type."""
    number = draw(NUMBERS) if number is None else number
    kind = draw(st.sampled_from([2, 2, 2, 2, 0, 0, 1, 5, 3]))
    tag = padded(number << 3 | kind, draw(st.sampled_from([0, 0, 0, 1, 2, 4])))
    if kind == wire.BYTES:
        value = draw(st.binary(max_size=9) | st.just(b"x" * 200))
        return tag + padded(len(value), draw(st.sampled_from([0, 0, 1, 4]))) + value
    if kind == wire.GROUP:
        return tag + b"\x08\x05" + encode_varint(number << 3 | wire.GROUP_END)
    if kind == wire.VARINT:
        return tag + padded(draw(st.integers(0, 2**64 - 1)), draw(st.integers(0, 2)), 10)
    return tag + draw(st.binary(min_size=8, max_size=8))[: 8 if kind == wire.FIXED64 else 4]


MESSAGES = st.lists(some_field(), max_size=40).map(b"".join)


@pytest.fixture(autouse=True, scope="module")
def small_windows() -> Iterator[None]:
    """Let the smallest messages go through tables, windows, and from one way to the other."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan, "_WINDOW", 64)
        patch.setattr(scan, "_AT_ONCE", 2)
        patch.setattr(scan, "_LARGE", 9)
        patch.setattr(frame_widths, "_LARGE", 40)
        yield


def outcome(find: Callable[[], Any]) -> Any:
    """Return what is found, or that it is an error."""
    try:
        return find()
    except DataError:
        return DataError


def in_tables(message: bytes) -> list[wire.Field]:
    found = []
    for table in scan.field_tables(np.frombuffer(message, np.uint8)):
        fields = [wire.Field(*row) for row in zip(*(c.tolist() for c in table[1:]), strict=True)]
        ends = [table.at[0], *(field.stop for field in fields)]
        assert table.at.tolist() == ends[:-1]
        found += fields
    return found


@settings(max_examples=40)
@given(MESSAGES)
def test_tables_hold_the_fields_of_the_loop(message: bytes) -> None:
    assert in_tables(message) == list(wire.fields(message, 0, len(message)))


@settings(max_examples=40)
@given(MESSAGES, st.data())
@worked(b"\x0a\x00" * 30 + b"\x8a", None)
@worked(b"\x0a\x00" * 30 + b"\x0a\x80", None)
@worked(b"\x0a\x00" * 30 + b"\x08" + b"\x80" * 10 + b"\x01" + b"\x0a\x00" * 9, None)
@worked(b"\x0a\x00" * 30 + b"\x00\x00" + b"\x0a\x00" * 30, None)
@worked(b"\x0a\x00" * 30 + b"\x0a\x80\x80\x80\x80\x01" + b"\x0a\x00" * 30, None)
def test_damaged_messages_raise_where_the_loop_does(message: bytes, data: Any) -> None:
    damaged = bytearray(message)
    for _ in range(data.draw(st.integers(1, 3)) if data and damaged else 0):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    cut = bytes(damaged)
    found = outcome(lambda: in_tables(cut))
    assert found == outcome(lambda: list(wire.fields(cut, 0, len(cut))))


@settings(max_examples=40)
@given(st.lists(MESSAGES, min_size=1, max_size=9))
def test_message_that_goes_on_in_the_next_one_raises(messages: list[bytes]) -> None:
    sizes = np.array([len(message) for message in messages])
    data = np.frombuffer(b"".join(messages), np.uint8)
    whole = list(scan.field_tables(data, np.cumsum(sizes) - sizes))
    assert sum(len(table.at) for table in whole) == len(in_tables(data.tobytes()))
    fields = in_tables(data.tobytes())
    within = [
        f.start for f in fields if f.stop > f.start and f.start not in {g.stop for g in fields}
    ]
    for place in within[:3]:
        with pytest.raises(DataError, match=f"goes on behind its message, at byte {place}"):
            list(scan.field_tables(data, np.array([0, place])))


def plainly_decoded(message: bytes) -> Feature:
    """Return the values of a Feature, by protobuf's rules and nothing else."""
    runs = list[tuple[int, bytes]]()  # lists of one kind that follow each other are joined
    for field in wire.fields(message, 0, len(message)):
        if field.wire_type == wire.BYTES and field.number <= 3:
            piece = message[field.start : field.stop]
            list(wire.fields(piece, 0, len(piece)))
            before = runs.pop()[1] if runs and runs[-1][0] == field.number else b""
            runs.append((field.number, before + piece))
    values: Feature = None
    for run in runs:  # the last counts, and all have to be what they should
        values = values_of_list(*run)
    return values


def values_of_list(kind: int, joined: bytes) -> Feature:
    """Return the values of a list of one kind."""
    strings, floats, numbers = list[bytes](), b"", list[int]()
    for field in wire.fields(joined, 0, len(joined)):
        value = joined[field.start : field.stop]
        if field.number != 1:
            continue
        if field.wire_type == wire.BYTES:
            strings.append(value)
        if kind == 2 and field.wire_type in (wire.BYTES, wire.FIXED32):
            if len(value) % 4:
                raise DataError("odd")
            floats += value
        if kind == 3 and field.wire_type in (wire.BYTES, wire.VARINT):
            at = 0
            while at < len(value):
                number, at = wire.read_varint(value, at, len(value))
                numbers.append(wire.as_signed(number))
    if kind == 1:
        return strings
    return np.frombuffer(floats, "<f4") if kind == 2 else np.array(numbers, np.int64)


@st.composite
def some_list(draw: st.DrawFn) -> bytes:
    """Return a list of a Feature: packed and unpacked values, and fields that are neither."""
    value = st.one_of(
        st.integers(0, 300).map(lambda n: b"\x08" + encode_varint(n)),
        st.binary(min_size=4, max_size=4).map(lambda four: b"\x0d" + four),
        st.lists(st.integers(0, 300), max_size=4).map(
            lambda some: encode_bytes_field(1, wire.encode_varints(some))
        ),
        st.binary(max_size=8).map(lambda some: encode_bytes_field(1, some)),
        some_field(),
    )
    return encode_bytes_field(
        draw(st.sampled_from([1, 2, 3, 3])), b"".join(draw(st.lists(value, max_size=5)))
    )


FEATURES = st.lists(some_list() | some_field(), max_size=30).map(b"".join)


@settings(max_examples=50)
@given(FEATURES)
def test_features_of_many_fields_have_the_values_of_the_rules(message: bytes) -> None:
    expected = outcome(lambda: plainly_decoded(message))
    for few in (0, 3, 64):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(feature_values, "_FEW", few)
            found = outcome(lambda: decode_feature(message))
        if isinstance(expected, np.ndarray):
            assert isinstance(found, np.ndarray) and found.dtype == expected.dtype
            assert found.tobytes() == expected.tobytes()
        else:
            assert found == expected


@settings(max_examples=40)
@given(st.lists(FEATURES | st.binary(max_size=3), max_size=9))
def test_widths_of_frames_are_those_of_their_values(frames: list[bytes]) -> None:
    message = b"".join(encode_bytes_field(1, frame) for frame in frames)

    def widths() -> list[int]:
        parts = frame_widths.frame_widths(np.frombuffer(message, np.uint8))
        return [width for part in parts for width in part.tolist()]

    try:
        values = decode_feature_list(message)
    except DataError:
        return  # values that are no byte strings are not looked into
    expected = [len(v[0]) if isinstance(v, list) and len(v) == 1 else 0 for v in values]
    assert widths() == expected


SIZE = 200_000


def many(*pieces: bytes) -> bytes:
    """Return pieces in random order."""
    rng, mean = random.Random(0), sum(map(len, pieces)) / len(pieces)
    return b"".join(rng.choices(pieces, k=int(SIZE / mean)))


def a_list(kind: int, *pieces: bytes) -> bytes:
    return encode_bytes_field(kind, many(*pieces))


ATTACKS = {
    "equal pieces of numbers": b"\x1a\x03\x0a\x01\x01" * (SIZE // 5),
    "equal pieces of empty strings": b"\x0a\x02\x0a\x00" * (SIZE // 4),
    "pieces of numbers": many(b"\x1a\x03\x0a\x01\x01", b"\x1a\x02\x08\x05", b"\x1a\x00"),
    "pieces of strings": many(b"\x0a\x02\x0a\x00", b"\x0a\x03\x0a\x01x", b"\x0a\x00"),
    "strings": a_list(1, b"\x0a\x00", b"\x0a\x01x", b"\x0a\x02xy"),
    "floats": a_list(2, b"\x0d1234", b"\x0a\x041234", b"\x0a\x0812345678"),
    "unpacked numbers": a_list(3, b"\x08\x05", b"\x08\x85\x01", b"\x0a\x02\x01\x02"),
    "packed numbers": encode_bytes_field(3, a_list(1, b"\x05", b"\x85\x01")),
    "kinds": many(b"\x0a\x02\x0a\x00", b"\x1a\x03\x0a\x01\x01", b"\x12\x05\x0d1234"),
    "unknown fields": many(b"\x20\x01", b"\x2a\x01x", b"\x0a\x02\x0a\x00", b"\x25abcd"),
    "long lengths": a_list(1, b"\x0a\x81\x80\x80\x80\x00x", b"\x8a\x80\x00\x01x"),
    "large numbers": many(b"\xfa\xff\xff\xff\x0f\x00", b"\xfa\xff\xff\xff\x0f\x01x"),
}


@pytest.fixture
def as_built(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Undo the small windows, and return a list that counts the fields that a loop goes through."""
    monkeypatch.setattr(scan, "_WINDOW", 1 << 15)
    monkeypatch.setattr(scan, "_AT_ONCE", 32)
    monkeypatch.setattr(scan, "_LARGE", 48)
    monkeypatch.setattr(frame_widths, "_LARGE", 1 << 15)
    looped, fields = [0], wire.fields

    def counted(*message: Any) -> Iterator[wire.Field]:
        for field in fields(*message):
            looped[0] += 1
            yield field

    monkeypatch.setattr(wire, "fields", counted)
    return looped


@pytest.mark.parametrize("name", ATTACKS)
def test_large_feature_is_decoded_in_few_steps_and_little_memory(
    name: str, as_built: list[int]
) -> None:
    message = ATTACKS[name]
    tracemalloc.start()
    values = decode_feature(message)
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert as_built[0] < len(message) / 1000  # of 40,000 to 200,000 fields
    growing = held if isinstance(values, list) else 0  # a list that grows is there twice
    assert peak - held < 3 * len(message) + growing + 2_000_000  # of the arrays of a window


@pytest.mark.usefixtures("as_built")
def test_groups_in_lists_of_no_account_are_counted_over_the_whole_message() -> None:
    message = (b"\x0a\x03\x0a\x01x" + b"\x12\x04\x0b\x0c\x0b\x0c") * 30_000
    with pytest.raises(DataError, match="more than 100 groups"):
        decode_feature(message)
    frames = encode_bytes_field(1, encode_bytes_field(1, b"\x0a\x01x\x0b\x0c")) * 30_000
    with pytest.raises(DataError, match="more than 100 groups"):
        locate_frames(np.frombuffer(frames, np.uint8), [(0, len(frames))])


def test_frames_of_many_kinds_are_located_in_few_steps_and_little_memory(
    as_built: list[int],
) -> None:
    frames = [
        encode_bytes_field(1, encode_bytes_field(1, encode_bytes_field(1, text)) + more)
        for text, more in itertools.product((b"x", b"xy", b""), (b"", b"\x20\x01"))
    ]
    message = many(*frames)
    count = len(decode_feature_list(message))
    as_built[0] = 0
    tracemalloc.start()
    found = locate_frames(np.frombuffer(message, np.uint8), [(0, len(message))])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == Layout(count, 0, 0, 0)
    assert as_built[0] < len(message) / 200 and peak < 3 * len(message) + 2_000_000


@pytest.mark.parametrize(
    "message",
    [
        b"\x0a\x00" * 100_001,
        encode_bytes_field(1, many(b"\x0a\x03\x0a\x01a", b"\x0a\x04\x0a\x02ab") * 4),
        encode_bytes_field(1, encode_bytes_field(1, b"\x12\x00" * 100_001)),
    ],
    ids=["maps", "entries", "pieces of one"],
)
def test_record_of_too_many_features_raises(message: bytes, as_built: list[int]) -> None:
    with pytest.raises(DataError, match="holds more than 100,000 features, or pieces of them"):
        split_message(message)


def test_message_of_too_many_groups_raises(as_built: list[int]) -> None:
    few = b"\x0b\x08\x05\x0c" + b"\x0a\x00" * 5000
    decode_feature(few * 100)
    with pytest.raises(DataError, match="holds more than 100 groups, which are no features"):
        decode_feature(few * 110)
