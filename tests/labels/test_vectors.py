"""Files of label vectors: what is kept, what any table may be, and what is refused."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reeltag.core.errors import DataError
from reeltag.labels.vectors import LabelVectors

NAMES = ("Car", "Dog")
VECTORS = np.array([[1, 2, 3], [3, 2, 1]], np.float32)


def table(path: Path, vectors: object, names: object = NAMES) -> Path:
    pq.write_table(pa.table({"name": names, "vector": vectors}), path)
    return path


def test_saved_vectors_come_back(tmp_path: Path) -> None:
    LabelVectors(NAMES, VECTORS, "made 1").save(tmp_path / "V.parquet")
    found = LabelVectors.load(tmp_path / "V.parquet")
    assert found.names == NAMES and found.source == str(tmp_path / "V.parquet")
    np.testing.assert_array_equal(found.vectors, VECTORS)
    assert found.vectors.dtype == np.float32


def test_table_of_other_programs_is_read(tmp_path: Path) -> None:
    path = table(tmp_path / "V.parquet", [[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])  # lists of doubles
    np.testing.assert_array_equal(LabelVectors.load(path).vectors, VECTORS)


@pytest.mark.parametrize(
    ("vectors", "words"),
    [
        ([[1.0, 2.0], [1.0]], r"vectors of \[1, 2\] numbers"),
        ([[1.0], None], "a row without a name or a vector"),
        ([[1.0], [float("nan")]], "the vector of 'Dog' is not finite"),
        ([[], []], r"vectors of \[0\] numbers"),
        (["a", "b"], "holds string, not lists"),
        ([["a"], ["b"]], "no texts and numbers"),
        ([[1.0], [None]], "the vector of 'Dog' is not finite"),
    ],
)
def test_table_without_a_vector_for_each_class_raises(
    vectors: object, words: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=words):
        LabelVectors.load(table(tmp_path / "V.parquet", vectors))


def test_what_is_no_such_file_raises(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not there"):
        LabelVectors.load(tmp_path / "none.parquet")
    with pytest.raises(DataError, match="is a folder"):
        LabelVectors.load(tmp_path)
    (tmp_path / "text").write_text("Car 1 2 3")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        LabelVectors.load(tmp_path / "text")
    pq.write_table(pa.table({"word": ["a"]}), tmp_path / "other.parquet")
    with pytest.raises(DataError, match="no columns name and vector, but word"):
        LabelVectors.load(tmp_path / "other.parquet")


def test_standardised_vectors_have_no_common_part_and_the_spread_that_is_asked_for() -> None:
    found = LabelVectors(NAMES, VECTORS + 100).standardised(0.4)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-6)
    assert found.std() == pytest.approx(0.4)
    np.testing.assert_allclose(found[0], -found[1])
    row = np.random.default_rng(0).normal(size=384).astype(np.float32)
    alike = LabelVectors(("a",) * 11, np.tile(row, (11, 1))).standardised(0.4)
    np.testing.assert_array_equal(alike, 0)  # and not what rounding leaves, scaled up
