"""The wire format: numbers by hand, and nothing but a DataError from damaged bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reeltag.core.errors import DataError
from reeltag.data.records import wire
from reeltag.data.records.wire import Field

INT64 = st.integers(-(2**63), 2**63 - 1)


@pytest.mark.parametrize(
    ("value", "encoded"),
    [(0, b"\x00"), (127, b"\x7f"), (300, b"\xac\x02"), (-1, b"\xff" * 9 + b"\x01")],
)
def test_varints_worked_by_hand(value: int, encoded: bytes) -> None:
    assert wire.encode_varint(value) == encoded
    assert list(wire.read_varints(encoded, 0, len(encoded))) == [value]


@given(st.lists(INT64 | st.integers(0, 200), max_size=60))
def test_packed_integers_come_back(values: list[int]) -> None:
    packed = wire.encode_varints(values)
    assert list(wire.read_varints(packed, 0, len(packed))) == values


def test_varint_in_more_bytes_than_necessary_is_read() -> None:
    assert wire.read_varint(b"\x85\x80\x00", 0, 3) == (5, 3)


def test_bits_beyond_64_are_dropped_as_protobuf_does() -> None:
    assert wire.read_varint(b"\xff" * 9 + b"\x7f", 0, 10) == (2**64 - 1, 10)


@pytest.mark.parametrize("broken", [b"", b"\x80", b"\x80" * 10 + b"\x01"])
def test_varint_without_end_raises(broken: bytes) -> None:
    with pytest.raises(DataError, match="does not end"):
        wire.read_varint(broken, 0, len(broken))


@pytest.mark.parametrize("broken", [b"\x80", b"\x80" * 10 + b"\x01", b"\x80" * 64])
def test_varint_without_end_among_many_raises(broken: bytes) -> None:
    with pytest.raises(DataError, match="varint at byte 100 does not end"):
        wire.read_varints(b"\x05" * 100 + broken, 0, 100 + len(broken))


def test_varint_is_not_read_beyond_its_message() -> None:
    with pytest.raises(DataError, match="does not end"):
        wire.read_varint(b"\x80\x01", 0, 1)


def test_fields_of_every_wire_type_are_found() -> None:
    message = (
        b"\x08\x96\x01"  # 1: varint 150
        + b"\x11" + b"\x00" * 8  # 2: fixed64
        + b"\x1a\x02ab"  # 3: bytes
        + b"\x23\x08\x01\x2a\x01x\x2b\x2c\x24"  # 4: group with a varint, bytes and a group
        + b"\x2d" + b"\x00" * 4  # 5: fixed32
    )  # fmt: skip
    found = list(wire.fields(message, 0, len(message)))
    assert [(field.number, field.wire_type) for field in found] == [
        (1, wire.VARINT),
        (2, wire.FIXED64),
        (3, wire.BYTES),
        (4, wire.GROUP),
        (5, wire.FIXED32),
    ]
    assert found[2] == Field(3, wire.BYTES, 14, 16)


@pytest.mark.parametrize(
    ("message", "what"),
    [
        (b"\x0a\x05ab", "behind its message"),
        (b"\x0d\x00", "behind its message"),
        (b"\x00\x01", "field number 0"),
        (b"\x88\x80\x80\x80\x10\x00", "not allowed"),  # a tag of more than 32 bits
        (b"\x88\x80\x80\x80\x80\x00\x00", "does not end"),  # in six bytes
        (b"\x0a\x80\x80\x80\x80\x80\x00", "does not end"),  # a length in six bytes
        (b"\x0e", "wire type 6"),
        (b"\x0c", "wire type 4"),  # the end of a group that never began
        (b"\x0b\x14", "group 1 does not end"),  # ended by another number
        (b"\x0b\x08", "does not end"),
        (b"\x0b" * 200, "wire type 3"),  # deeper than protobuf goes
        (b"\x0a" + wire.encode_varint(2**34), "behind its message"),
    ],
)
def test_broken_message_raises(message: bytes, what: str) -> None:
    with pytest.raises(DataError, match=what):
        list(wire.fields(message, 0, len(message)))


@given(st.binary(max_size=64))
def test_any_bytes_are_a_message_or_a_data_error(message: bytes) -> None:
    try:
        found = list(wire.fields(message, 0, len(message)))
    except DataError:
        return
    assert all(0 < field.start <= field.stop <= len(message) for field in found)
    assert not found or found[-1].stop == len(message)
