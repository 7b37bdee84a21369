"""tf.Example and tf.SequenceExample: there and back, and protobuf's rules for odd messages."""

import struct
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from reeltag.core.errors import DataError
from reeltag.data.records import wire
from reeltag.data.records.example import (
    Encodable,
    Values,
    decode_example,
    decode_feature,
    decode_sequence_example,
    encode_example,
    encode_sequence_example,
)
from reeltag.data.records.wire import encode_bytes_field, encode_varint, encode_varints

NAMES = st.text(max_size=9)
SIZES = st.integers(0, 9)
VALUES = st.one_of(
    st.lists(st.binary(max_size=9), max_size=4),
    hnp.arrays(np.float32, SIZES),
    hnp.arrays(np.int64, SIZES),
)
FRAMES = hnp.arrays(np.uint8, st.tuples(st.integers(0, 5), st.integers(0, 300)))


def packed(*values: int) -> bytes:
    """Return field 1 of an Int64List."""
    return encode_bytes_field(1, encode_varints(values))


def int64_feature(*parts: bytes) -> bytes:
    return encode_bytes_field(3, b"".join(parts))


def entry(name: str, value: bytes) -> bytes:
    return encode_bytes_field(
        1, encode_bytes_field(1, name.encode()) + encode_bytes_field(2, value)
    )


@given(st.dictionaries(NAMES, VALUES, max_size=4))
def test_example_comes_back(features: dict[str, Any]) -> None:
    decoded = decode_example(encode_example(features))
    assert decoded.keys() == features.keys()
    for name, values in features.items():
        assert type(decoded[name]) is type(values)
        np.testing.assert_array_equal(decoded[name], values)


@given(st.dictionaries(NAMES, VALUES, max_size=3), st.dictionaries(NAMES, FRAMES, max_size=3))
def test_sequence_example_comes_back(context: dict[str, Any], lists: dict[str, Any]) -> None:
    got_context, got_lists = decode_sequence_example(encode_sequence_example(context, lists))
    assert got_context.keys() == context.keys() and got_lists.keys() == lists.keys()
    for name, values in context.items():
        np.testing.assert_array_equal(got_context[name], values)
    for name, frames in lists.items():
        assert got_lists[name] == [[row.tobytes()] for row in frames]


def test_encoding_is_that_of_protobuf_by_hand() -> None:
    assert encode_example({"a": np.array([1, 300])}) == bytes.fromhex(
        "0a0e" "0a0c" "0a0161" "1207" "1a05" "0a03" "01ac02"
    )  # fmt: skip


@pytest.mark.parametrize(
    "wrong", [np.zeros((2, 2), np.float32), np.array(["a"]), np.array([1 + 2j])]
)
def test_values_that_have_no_encoding_raise_by_name(wrong: Any) -> None:
    with pytest.raises(ValueError, match="labels must be"):
        encode_example({"labels": wrong})


@pytest.mark.parametrize("wrong", [np.zeros(4, np.uint8), np.zeros((2, 3), np.float32)])
def test_frames_that_are_no_bytes_raise(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"rgb must be \(T, W\) uint8"):
        encode_sequence_example({}, {"rgb": wrong})


def test_float64_is_stored_as_float32() -> None:
    decoded = decode_example(encode_example({"a": np.array([0.1])}))["a"]
    np.testing.assert_array_equal(np.asarray(decoded), np.array([0.1], np.float32))


def test_integers_in_two_packed_pieces_are_joined() -> None:
    np.testing.assert_array_equal(
        np.asarray(decode_feature(int64_feature(packed(1, 2), packed(3)))), [1, 2, 3]
    )


def test_packed_and_unpacked_integers_may_be_mixed() -> None:
    np.testing.assert_array_equal(
        np.asarray(decode_feature(int64_feature(b"\x08\x05", packed(6), b"\x08\x07"))), [5, 6, 7]
    )


def test_floats_may_be_unpacked() -> None:
    ones = np.array([1.0, 2.0], np.float32).tobytes()
    message = encode_bytes_field(2, b"\x0d" + ones[:4] + b"\x0d" + ones[4:])
    np.testing.assert_array_equal(np.asarray(decode_feature(message)), [1.0, 2.0])


def test_packed_floats_of_odd_size_raise() -> None:
    with pytest.raises(DataError, match="packed floats take 5 bytes"):
        decode_feature(encode_bytes_field(2, encode_bytes_field(1, b"12345")))


def test_lists_of_one_kind_in_two_pieces_are_joined() -> None:
    twice = int64_feature(packed(1)) + int64_feature(packed(2))
    np.testing.assert_array_equal(np.asarray(decode_feature(twice)), [1, 2])
    strings = encode_bytes_field(1, encode_bytes_field(1, b"x"))
    assert decode_feature(strings + strings) == [b"x", b"x"]


def test_of_two_kinds_the_last_counts() -> None:
    floats = encode_bytes_field(2, encode_bytes_field(1, bytes(4)))
    np.testing.assert_array_equal(
        np.asarray(decode_feature(floats + int64_feature(packed(8)))), [8]
    )


@pytest.mark.parametrize("times", [1, 40])  # by a loop, and by tables
@pytest.mark.parametrize(
    "damaged",
    [
        encode_bytes_field(1, b"\x0a\x05x"),
        encode_bytes_field(2, encode_bytes_field(1, b"12345")),
        int64_feature(encode_bytes_field(1, b"\x80")),
        int64_feature(encode_bytes_field(1, b"\x80" * 10 + b"\x01")),
    ],
)
def test_list_of_no_account_must_be_one_of_its_kind(damaged: bytes, times: int) -> None:
    counts = encode_bytes_field(1, encode_bytes_field(1, b"x")) + int64_feature(packed(8))
    with pytest.raises(DataError):
        decode_feature(counts * times + damaged + counts * times)


@pytest.mark.parametrize("number", [1, 2])
def test_entry_of_no_account_must_be_a_message(number: int) -> None:
    twice = entry("a", b"\x0a\x05x") + entry("a", b"")
    with pytest.raises(DataError):
        decode_sequence_example(encode_bytes_field(number, twice))


@pytest.mark.parametrize("number", [1, 2])
def test_pieces_of_an_entry_must_be_messages(number: int) -> None:
    whole = encode_bytes_field(2, b"\x0a\x01") + encode_bytes_field(2, b"x")
    in_pieces = encode_bytes_field(1, encode_bytes_field(1, b"a") + whole)
    with pytest.raises(DataError):
        decode_sequence_example(encode_bytes_field(number, in_pieces))


def test_feature_without_kind_is_none() -> None:
    assert decode_feature(b"") is None
    assert decode_feature(b"\x20\x01") is None  # an unknown field alone


def test_last_of_two_equal_keys_counts() -> None:
    body = entry("labels", int64_feature(packed(1))) + entry("labels", int64_feature(packed(2, 4)))
    np.testing.assert_array_equal(
        np.asarray(decode_example(encode_bytes_field(1, body))["labels"]), [2, 4]
    )


def test_map_in_two_messages_is_merged() -> None:
    one = encode_bytes_field(1, entry("a", int64_feature(packed(1))))
    other = encode_bytes_field(1, entry("b", int64_feature(packed(2))))
    assert decode_example(one + other).keys() == {"a", "b"}


def test_value_may_stand_before_its_key_and_in_two_pieces() -> None:
    value = encode_bytes_field(2, int64_feature(packed(1)))
    body = encode_bytes_field(1, value + encode_bytes_field(1, b"a") + value)
    np.testing.assert_array_equal(
        np.asarray(decode_example(encode_bytes_field(1, body))["a"]), [1, 1]
    )


def test_key_that_is_no_text_raises() -> None:
    body = encode_bytes_field(1, encode_bytes_field(1, b"\xff"))
    with pytest.raises(DataError, match="not UTF-8"):
        decode_example(encode_bytes_field(1, body))


@given(st.binary(max_size=80))
def test_any_bytes_are_an_example_or_a_data_error(payload: bytes) -> None:
    with suppress(DataError):
        decode_sequence_example(payload)


@given(st.data())
def test_damaged_record_is_decoded_or_a_data_error(data: st.DataObject) -> None:
    payload = bytearray(
        encode_sequence_example(
            {"id": [b"a"], "labels": np.array([3, 400])},
            {"rgb": np.arange(12, dtype=np.uint8).reshape(3, 4)},
        )
    )
    for _ in range(data.draw(st.integers(1, 3))):
        payload[data.draw(st.integers(0, len(payload) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with suppress(DataError):
        decode_sequence_example(bytes(payload[: data.draw(st.integers(0, len(payload)))]))


def pieces_of(kind: bytes, sizes: Sequence[int]) -> bytes:
    """Return a Feature in pieces: one list of int64 values for each size."""
    return b"".join(
        kind + bytes([size + 2]) + b"\x0a" + bytes([size]) + b"\x05" * size for size in sizes
    )


@pytest.mark.parametrize("sizes", [[1] * 40_000, [1, 2, 0] * 13_000, [0] * 40_000])
def test_feature_in_many_pieces_is_joined(sizes: list[int]) -> None:
    values = decode_feature(pieces_of(b"\x1a", sizes))
    assert isinstance(values, np.ndarray) and values.tolist() == [5] * sum(sizes)


@pytest.mark.parametrize("width", [0, 1, 5])
def test_byte_strings_in_many_pieces(width: int) -> None:
    piece = b"\x0a" + bytes([width + 2]) + b"\x0a" + bytes([width]) + b"x" * width
    assert decode_feature(piece * 40_000) == [b"x" * width] * 40_000


@pytest.mark.parametrize("count", [3, 40, 40_000])
def test_numbers_that_are_not_packed(count: int) -> None:
    numbers = [(7 * at) % 300 for at in range(count)]
    whole = b"".join(b"\x08" + encode_varint(number) for number in numbers)
    decoded = decode_feature(wire.encode_bytes_field(3, whole))
    assert isinstance(decoded, np.ndarray) and decoded.tolist() == numbers
    floats = b"".join(b"\x0d" + struct.pack("<f", number) for number in numbers)
    decoded = decode_feature(wire.encode_bytes_field(2, floats))
    assert isinstance(decoded, np.ndarray) and decoded.dtype == np.float32
    assert decoded.tolist() == numbers
    ones = decode_feature(wire.encode_bytes_field(3, b"\x08\x01" * count))
    assert isinstance(ones, np.ndarray) and ones.tolist() == [1] * count


def test_number_cut_by_the_end_of_its_piece_raises() -> None:
    for pieces in (1, 40):
        with pytest.raises(DataError, match="a varint before byte .* does not end"):
            decode_feature(pieces_of(b"\x1a", [1] * 40) + b"\x1a\x03\x0a\x01\x85" * pieces)
    with pytest.raises(DataError, match="behind its message"):
        decode_feature(b"\x1a\x03\x0a\x03\x05" * 40)


def test_texts_and_lists_are_encoded_as_arrays_are() -> None:
    as_lists: dict[str, Encodable] = {
        "id": ["é"],
        "labels": [3, 17],
        "scores": [0.5, 1],
        "url": "x",
        "none": [],
    }
    exact: dict[str, Values] = {
        "id": ["é".encode()],
        "labels": np.array([3, 17]),
        "scores": np.array([0.5, 1.0], np.float32),
        "url": [b"x"],
        "none": [],
    }
    frames = {"visual": np.zeros((2, 3), np.uint8)}
    assert encode_example(as_lists) == encode_example(exact)
    assert encode_sequence_example(as_lists, frames) == encode_sequence_example(exact, frames)


@pytest.mark.parametrize("values", [["a", 1], [None], [[1]], np.zeros((2, 2)), [True]])
def test_values_of_mixed_kinds_are_refused(values: object) -> None:
    with pytest.raises(ValueError, match="x must be a list of texts or bytes, or a one-dim"):
        encode_example({"x": values})  # type: ignore[dict-item]
