"""TFRecord framing: there and back, checksums, and files that were cut or damaged."""

import resource
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reeltag.core.errors import OutputError
from reeltag.data.records.problems import Problem
from reeltag.data.records.tfrecord import (
    Framed,
    TFRecordWriter,
    frame_records,
    masked_crc,
)
from tests.data.made import write_shard


def with_checksum(data: bytes) -> bytes:
    return data + struct.pack("<I", masked_crc(data))


def framed(payload: bytes) -> bytes:
    return with_checksum(struct.pack("<Q", len(payload))) + with_checksum(payload)


PAYLOADS = [b"one", b"", b"three" * 9]
FILE = b"".join(map(framed, PAYLOADS))


def payloads(data: bytes) -> list[bytes]:
    return [data[of.offset : of.offset + of.size] for of in frame_records(data) if not of.problem]


def test_checksum_is_the_published_one() -> None:
    # crc32c("123456789") = 0xE3069283 is the check value of CRC-32C; the rest is TFRecord's mask
    rotated = (0xE3069283 >> 15 | 0xE3069283 << 17) & 0xFFFFFFFF
    assert masked_crc(b"123456789") == (rotated + 0xA282EAD8) & 0xFFFFFFFF


def test_tfrecord_reads_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.tfrecord"
    with TFRecordWriter(path) as writer:
        for payload in PAYLOADS:
            writer.write(payload)
    assert path.read_bytes() == FILE
    assert payloads(path.read_bytes()) == PAYLOADS


def test_error_while_writing_leaves_nothing(tmp_path: Path) -> None:
    def write_and_fail() -> None:
        with TFRecordWriter(tmp_path / "a.tfrecord") as writer:
            writer.write(b"one")
            raise KeyError

    with pytest.raises(KeyError):
        write_and_fail()
    assert not list(tmp_path.iterdir())


def test_full_disk_is_an_output_error_and_leaves_nothing(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(OutputError, match=r"a\.tfrecord: cannot be written"):
            write_shard(tmp_path / "a.tfrecord", [bytes(200)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.iterdir())


def test_file_that_cannot_be_made_is_an_output_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, mode: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(OutputError, match=r"a\.tfrecord: cannot be written \(Permission denied\)"):
        write_shard(tmp_path / "a.tfrecord", [])


def test_writer_is_of_no_use_outside_its_block(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="inside its with block"):
        TFRecordWriter(tmp_path / "a").write(b"")


def test_records_after_a_bad_payload_are_read() -> None:
    damaged = bytearray(FILE)
    damaged[12] ^= 1
    assert list(frame_records(bytes(damaged))) == [
        Framed(12, 3, Problem.BAD_CHECKSUM),
        Framed(31, 0),
        Framed(47, 45),
    ]
    assert [of.problem for of in frame_records(bytes(damaged), verify=False)] == [None] * 3


@pytest.mark.parametrize("byte", [19, 27])  # in the second record's length, and in its checksum
def test_nothing_is_read_after_a_bad_length(byte: int) -> None:
    damaged = bytearray(FILE)
    damaged[byte] ^= 128
    found = list(frame_records(bytes(damaged), verify=False))
    assert found == [Framed(12, 3), Framed(19, 0, Problem.BAD_LENGTH)]


@pytest.mark.parametrize("size", [len(FILE) - 1, len(FILE) - 5, 48, 46, 36])
def test_cut_is_found_wherever_it_is(size: int) -> None:
    assert list(frame_records(FILE[:size]))[-1] == Framed(35, 0, Problem.TRUNCATED)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", Problem.EMPTY),
        (b"\x1f\x8b\x08" + bytes(30), Problem.GZIP),
        (b"id,labels\n" * 9, Problem.NOT_TFRECORD),
        (b"\x1f", Problem.TRUNCATED),
        (b"\x1f\x8b\x08", Problem.GZIP),
    ],
)
def test_tfrecord_names_a_file_of_another_kind(data: bytes, problem: Problem) -> None:
    assert list(frame_records(data)) == [Framed(0, 0, problem)]


def test_record_that_begins_like_gzip_is_a_record() -> None:
    payload = bytes(0x8B1F)  # its length begins with gzip's magic bytes
    assert payloads(framed(payload)) == [payload]


def test_length_beyond_the_file_allocates_nothing() -> None:
    data = FILE + with_checksum(struct.pack("<Q", 2**60)) + b"abc"
    assert list(frame_records(data))[-1] == Framed(len(FILE), 0, Problem.TRUNCATED)


@given(st.lists(st.binary(max_size=40), max_size=5))
def test_any_payloads_come_back(wanted: list[bytes]) -> None:
    assert payloads(b"".join(map(framed, wanted))) == wanted


@given(st.integers(0, len(FILE) - 1), st.integers(0, 7), st.integers(0, len(FILE)))
def test_damage_is_never_taken_for_a_record(byte: int, bit: int, size: int) -> None:
    damaged = bytearray(FILE)
    damaged[byte] ^= 1 << bit
    found = payloads(bytes(damaged[:size]))
    assert all(payload in PAYLOADS for payload in found)
    whole = size == len(FILE)
    assert len(found) < len(PAYLOADS)
    assert not whole or any(of.problem for of in frame_records(np.frombuffer(damaged, np.uint8)))
