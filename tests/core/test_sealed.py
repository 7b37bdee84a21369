"""Arrow files with a checksum: whatever is changed in one is noticed before it is read."""

from pathlib import Path

import pyarrow as pa
import pytest

from reeltag.core.errors import DataError
from reeltag.core.sealed import open_sealed, sealed_writer

TABLE = pa.table({"id": ["a", "b"], "lists": [[1, 2], [3]]})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with sealed_writer(tmp_path / "t.arrow", TABLE.schema) as writer:
        writer.write_table(TABLE)
    return tmp_path / "t.arrow"


def test_table_comes_back(path: Path) -> None:
    assert open_sealed(path).read_all().equals(TABLE)


def test_each_flipped_byte_is_noticed(path: Path) -> None:
    content = path.read_bytes()
    for place in range(0, len(content), 7):
        path.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        with pytest.raises(DataError, match="checksum"):
            open_sealed(path)


@pytest.mark.parametrize("size", [0, 1, 11, 12, 100, -1])
def test_file_cut_short_is_noticed(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises((DataError, OSError)):
        open_sealed(path)


def test_arrow_file_without_a_checksum_is_none_of_ours(tmp_path: Path) -> None:
    path = tmp_path / "t.arrow"
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, TABLE.schema) as writer:
        writer.write_table(TABLE)
    with pytest.raises(DataError, match="checksum"):
        open_sealed(path)
