"""Compressed shards: what they unpack to, and what is no compressed shard."""

import gzip
import re
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from reeltag.core.errors import DataError
from reeltag.data.records import packing
from reeltag.data.records.packing import packing_of, unpack, unpacked_size
from tests.data.made import frame_record, write_shard

COMPRESS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "zlib": zlib.compress}


@pytest.fixture
def records(tmp_path: Path) -> bytes:
    """Return a TFRecord file of 300 records, 2 MB."""
    payloads = [frame_record(f"v{n}", 300) for n in range(300)]
    return write_shard(tmp_path / "plain", payloads).read_bytes()


def packed(folder: Path, content: bytes) -> Path:
    """Return a shard of some bytes."""
    path = folder / "train0.tfrecord.gz"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("kind", ["gzip", "zlib"])
def test_a_compressed_file_unpacks_to_what_it_was(
    kind: packing.Packing, records: bytes, tmp_path: Path
) -> None:
    path = packed(tmp_path, COMPRESS[kind](records))
    assert packing_of(path) == kind
    pieces = list(unpack(path, kind))
    assert b"".join(pieces) == records
    assert max(map(len, pieces)) <= 1 << 20
    assert unpacked_size(path, "gzip" if kind == "gzip" else "zlib") >= path.stat().st_size


def test_members_behind_each_other_and_padding_are_one_file(records: bytes, tmp_path: Path) -> None:
    half = len(records) // 2
    members = [records[:5], b"", records[5:half], records[half:]]
    path = packed(tmp_path, b"".join(map(gzip.compress, members)) + bytes(3_000_000))
    assert b"".join(unpack(path, "gzip")) == records


def test_what_is_not_compressed_is_seen_by_its_first_bytes(records: bytes, tmp_path: Path) -> None:
    assert packing_of(packed(tmp_path, records)) is None  # whatever it is called
    assert packing_of(packed(tmp_path, b"")) is None
    assert packing_of(packed(tmp_path, b"\x78\x9c no zlib")) is None
    assert packing_of(packed(tmp_path, zlib.compress(b"text that is no record"))) is None


@pytest.mark.parametrize("kind", ["gzip", "zlib"])
@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (lambda data: data[:-1], "is cut short"),
        (lambda data: data[: len(data) // 2], "is cut short"),
        (lambda data: data + b"garbage", "has other bytes behind its .* data, which end at byte"),
        (lambda data: data + bytes(9) + b"garbage", "has other bytes behind"),
        (lambda data: data[:-4] + bytes(byte ^ 1 for byte in data[-4:]), "is damaged before byte"),
    ],
)
def test_a_broken_file_is_named_with_what_is_wrong(
    kind: packing.Packing,
    damage: Callable[[bytes], bytes],
    what: str,
    records: bytes,
    tmp_path: Path,
) -> None:
    path = packed(tmp_path, damage(COMPRESS[kind](records)))
    with pytest.raises(DataError, match=f"{re.escape(str(path))}: {what}"):
        list(unpack(path, kind))


def test_a_flipped_bit_anywhere_is_an_error_or_of_no_account(
    records: bytes, tmp_path: Path
) -> None:
    sound, harmless = gzip.compress(records[:400], mtime=0), 0
    for at in range(8 * len(sound)):
        data = bytearray(sound)
        data[at // 8] ^= 1 << at % 8
        path = packed(tmp_path, bytes(data))
        try:
            found = b"".join(unpack(path, "gzip"))
        except DataError:
            continue
        assert found == records[:400]
        harmless += 1
    assert harmless < 8 * 7 + 8  # flags, time and system; unused bits of the last block


def test_what_unpacks_to_no_record_is_refused_at_its_first_bytes(tmp_path: Path) -> None:
    path = packed(tmp_path, gzip.compress(bytes(50_000_000)))
    with pytest.raises(DataError, match="unpacks .* does not begin with a record"):
        next(unpack(path, "gzip"))
    path = packed(tmp_path, gzip.compress(b"12345"))
    with pytest.raises(DataError, match="does not begin with a record"):
        list(unpack(path, "gzip"))
    assert list(unpack(packed(tmp_path, gzip.compress(b"")), "gzip")) == []  # a shard of nothing


def test_a_bomb_is_stopped_at_its_ratio(
    tmp_path: Path, records: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "FREE_BYTES", 8_000_000)
    path = packed(tmp_path, gzip.compress(records[:5000] + bytes(60_000_000)))
    limit = packing.MAX_RATIO * path.stat().st_size
    done = 0
    with pytest.raises(DataError, match="unpacks to more than 100 times as many"):
        for piece in unpack(path, "gzip"):
            done += len(piece)
    assert done <= max(limit, packing.FREE_BYTES) < 60_000_000
    blank = packed(tmp_path, gzip.compress(records[:5000] + bytes(7_000_000)))  # below FREE_BYTES
    assert sum(map(len, unpack(blank, "gzip"))) == 7_005_000


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    for read in (packing_of, lambda path: unpacked_size(path, "gzip")):
        with pytest.raises(DataError, match=r"gone: cannot be read \(No such file"):
            read(tmp_path / "gone")
    with pytest.raises(DataError, match="gone: cannot be read"):
        list(unpack(tmp_path / "gone", "gzip"))
