"""Bytes of files, read by position."""

import os
from pathlib import Path

import numpy as np
import pytest

from reeltag.core.errors import DataError
from reeltag.data.records.file_bytes import FileBytes

CONTENT = np.random.default_rng(0).integers(0, 256, 1000, dtype=np.uint8)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "a").write_bytes(CONTENT.tobytes())
    return tmp_path / "a"


@pytest.mark.parametrize("ahead", [0, 7, 4096])
def test_slices_are_the_bytes_of_the_file(path: Path, ahead: int) -> None:
    data = FileBytes(path, ahead=ahead)
    assert len(data) == 1000
    rng = np.random.default_rng(1)
    for begin, end in np.sort(rng.integers(0, 1100, (50, 2)), axis=1).tolist():
        assert data[begin:end].tolist() == CONTENT[begin:end].tolist()
    kept = data[3:9]
    assert data[500:].tolist() == CONTENT[500:].tolist()
    assert kept.tolist() == CONTENT[3:9].tolist()  # reading on does not change it


def test_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="gone.tfrecord: cannot be read"):
        FileBytes(tmp_path / "gone.tfrecord")


def test_empty_file_has_no_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    assert FileBytes(tmp_path / "a")[:].shape == (0,)


def test_file_that_is_cut_short_while_it_is_read_is_named(path: Path) -> None:
    data = FileBytes(path, ahead=0)
    os.truncate(path, 600)
    assert len(data[500:600]) == 100
    with pytest.raises(DataError, match="a: ends at byte 600, but had 1,000 bytes when it was"):
        data[590:610]


def test_file_is_closed_with_the_object(path: Path) -> None:
    data = FileBytes(path)
    links = [Path("/proc/self/fd", name) for name in os.listdir("/proc/self/fd")]
    mine = [int(link.name) for link in links if link.exists() and link.resolve() == path]
    assert len(mine) == 1
    del data
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(mine[0])
