"""Located payloads are those that decoding gives, for even and for odd records."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from reeltag.core.errors import DataError
from reeltag.data.records.example import decode_feature_list, split_message
from reeltag.data.records.locate import Layout, locate_floats, locate_frames
from reeltag.data.records.wire import encode_bytes_field
from tests.data.made import frame_record, some_frames, video_record


def array(payload: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(payload, np.uint8)


def located_list(*frames: bytes) -> Layout:
    """Locate a FeatureList of these Feature messages."""
    message = b"".join(encode_bytes_field(1, frame) for frame in frames)
    return locate_frames(array(b"xx" + message), [(2, 2 + len(message))])


def frame(*strings: bytes) -> bytes:
    return encode_bytes_field(1, b"".join(encode_bytes_field(1, string) for string in strings))


@given(st.integers(1, 9), st.integers(1, 300))
def test_frames_are_where_the_layout_has_them(num_frames: int, width: int) -> None:
    payload = frame_record("a", num_frames, widths={"rgb": width})
    _, lists = split_message(payload)
    found = locate_frames(array(payload), lists["rgb"])
    assert found[:2] == (num_frames, width) and found.stride > width
    rows = [payload[found.start + i * found.stride :][:width] for i in range(num_frames)]
    assert b"".join(rows) == some_frames(num_frames, width).tobytes()


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        ([frame(b"abcd"), frame(b"efgh")], Layout(2, 4, 8, 10)),
        ([frame(b"abcd")], Layout(1, 4, 8, 10)),
        ([], Layout(0, 0, 0, 0)),
        ([frame(b"abcd"), frame(b"abc")], Layout(2, 0, 0, 0)),  # two widths
        ([frame(b"abcd"), frame(b"ab", b"cd")], Layout(2, 0, 0, 0)),  # two strings
        ([frame(b"abcd"), b""], Layout(2, 0, 0, 0)),  # no kind
        ([frame(b"abcd", b"x"), frame(b"abcd", b"x")], Layout(2, 0, 0, 0)),
        ([frame(b"abcd"), frame(b"abcd") + b"\x20\x05"], Layout(2, 4, 0, 0)),  # an unknown field
        ([frame(b"abcd") + b"\x20\x05"] * 2, Layout(2, 4, 0, 0)),
        ([frame(b"abcd"), frame(b"ab") + b"\x20\x05"], Layout(2, 0, 0, 0)),  # as long as the first
        ([frame(b"ab") + frame(b"cd")], Layout(1, 0, 0, 0)),  # joined: two strings
        ([encode_bytes_field(3, encode_bytes_field(1, b"\1\2"))], Layout(1, 0, 0, 0)),
    ],
)
def test_odd_frames_are_distinguished_from_even_ones(frames: list[bytes], expected: Layout) -> None:
    assert located_list(*frames) == expected


def test_frame_whose_length_has_more_bytes_than_needed_is_not_at_the_stride() -> None:
    long = b"\x0a\x87\x00" + b"\x0a\x05" + b"\x0a\x03abc"  # 12 bytes like the next two, 6 + 6
    message = long + encode_bytes_field(1, frame(b"abc"))
    found = locate_frames(array(message), [(0, len(message))])
    assert found == Layout(2, 3, 0, 0)


def test_broken_frame_is_not_taken_for_two_even_ones() -> None:
    half = b"\x0a\x12" + b"\x0a\x06" + b"\x0a\x04abcd"  # says that it is 18 bytes long, not 8
    with pytest.raises(DataError):
        locate_frames(array(half * 2), [(0, 20)])


def test_list_in_two_pieces_is_walked() -> None:
    piece = encode_bytes_field(1, frame(b"abcd"))
    found = locate_frames(array(piece * 2), [(0, len(piece)), (len(piece), 2 * len(piece))])
    assert found == Layout(2, 4, 0, 0)
    assert decode_feature_list(piece * 2) == [[b"abcd"]] * 2


def test_floats_are_where_the_layout_has_them() -> None:
    values = np.arange(5, dtype=np.float32)
    payload = video_record("a", mean_rgb=values)
    found = locate_floats(array(payload), split_message(payload)[0]["mean_rgb"])
    assert found == Layout(1, 5, found.start, 20)
    assert payload[found.start : found.start + 20] == values.tobytes()


@pytest.mark.parametrize(
    ("feature", "width"),
    [
        (encode_bytes_field(2, b"\x0d" + bytes(4) + b"\x0d" + bytes(4)), 2),  # unpacked
        (encode_bytes_field(2, encode_bytes_field(1, bytes(4)) * 2), 2),  # two pieces
        (encode_bytes_field(1, encode_bytes_field(1, bytes(4))), 0),  # bytes
        (encode_bytes_field(3, encode_bytes_field(1, bytes(4))), 0),  # integers
        (b"", 0),
    ],
)
def test_floats_that_lie_oddly_are_counted_by_decoding(feature: bytes, width: int) -> None:
    assert locate_floats(array(feature), [(0, len(feature))]) == Layout(1, width, 0, 0)
