"""Checksums of prediction files: no flipped byte gives other rows, or ends the process."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from reeltag.core.errors import DataError
from reeltag.predictions.file import PredictionInfo, open_predictions, prediction_writer
from reeltag.predictions.rows import PredictionRows
from reeltag.predictions.sealed_parquet import is_sealed

INFO = PredictionInfo(num_classes=9, family="moe")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    classes = np.argsort(rng.random((6, 9)))[:, :2].astype(np.int32)
    scores = rng.standard_normal((6, 2)).astype(np.float32)
    with prediction_writer(tmp_path / "p.parquet", INFO) as writer:
        writer.write(PredictionRows.of_matrix([f"v{at}" for at in range(6)], None, classes, scores))
    return tmp_path / "p.parquet"


def rows(path: Path) -> list[tuple[list[str], bytes, bytes]]:
    found = open_predictions(path).rows("videos")
    return [(of.ids.to_pylist(), of.classes.tobytes(), of.scores.tobytes()) for of in found]


def test_no_flipped_byte_gives_other_rows(path: Path) -> None:
    content, whole = path.read_bytes(), rows(path)
    for place in range(0, len(content), 3):
        path.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        try:
            assert rows(path) == whole
        except DataError:
            continue


def test_damaged_footer_is_refused_before_it_is_parsed(path: Path) -> None:
    content = path.read_bytes()
    length = int.from_bytes(content[-8:-4], "little")
    for place in range(len(content) - 8 - length, len(content) - 8, 5):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(DataError, match="its footer does not match its checksum"):
            open_predictions(path)


def test_damaged_pages_are_refused(path: Path) -> None:
    content = path.read_bytes()
    for place in (4, 40, 200):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(DataError, match="pages do not match their checksum"):
            rows(path)


def test_other_tools_read_the_file(path: Path) -> None:
    assert is_sealed(path) and pq.read_table(path).num_rows == 6


def test_file_written_again_without_its_checksum_is_refused(path: Path) -> None:
    table = pq.read_table(path)
    pq.write_table(table, path)
    with pytest.raises(DataError, match="has lost its checksum"):
        open_predictions(path)
    pq.write_table(table.cast(INFO.schema()), path)
    pq.write_table(table.replace_schema_metadata(INFO.schema().metadata), path)
    assert len(rows(path)) == 1
