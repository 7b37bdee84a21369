"""Prediction files: round trip, documented columns, and errors that name file and rule."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reeltag.core.errors import DataError, OutputError
from reeltag.predictions.file import PredictionInfo, open_predictions, prediction_writer
from reeltag.predictions.rows import WHOLE_VIDEO, PredictionRows
from tests.processes import Launch
from tests.windows import segments_at

ABOUT = PredictionInfo(num_classes=10, top_k=2, family="moe", run="RUN", data="DATA", split="test")


def rows_of(ids: str, starts: list[int] | None, first_class: int = 0) -> PredictionRows:
    """Return a row per letter of `ids`, with two classes each."""
    classes = np.arange(2 * len(ids), dtype=np.int32).reshape(-1, 2) % 2 + first_class
    scores = np.tile(np.array([2.5, -1.0], np.float32), (len(ids), 1))
    return PredictionRows.of_matrix(
        list(ids), None if starts is None else segments_at(starts), classes, scores
    )


def write_table(path: Path, *, metadata: dict[bytes, bytes] | None = None, **columns: Any) -> Path:
    """Write a prediction file by hand, so that it may be wrong."""
    there = {"id": ["a"], "start_s": [None], "end_s": [None], "classes": [[1, 2]]}
    there["scores"] = [[1.0, 0.5]]
    table = pa.table({name: pa.array(columns.get(name, there[name])) for name in there})
    pq.write_table(table.replace_schema_metadata(metadata or ABOUT.schema().metadata), path)
    return path


def test_prediction_file_round_trip(tmp_path: Path) -> None:
    with prediction_writer(tmp_path / "p.parquet", ABOUT) as writer:
        writer.write(rows_of("ab", None))
        writer.write(rows_of("c", None, first_class=7))
        writer.write(rows_of("aab", [0, 5, 0]))
    found = open_predictions(tmp_path / "p.parquet")
    assert found.info == ABOUT
    videos = list(found.rows("videos"))
    assert [name for rows in videos for name in rows.ids.to_pylist()] == ["a", "b", "c"]
    assert all((rows.starts == WHOLE_VIDEO).all() for rows in videos)
    assert np.concatenate([rows.classes for rows in videos]).tolist() == [0, 1, 0, 1, 7, 8]
    (segments,) = found.rows("segments")
    assert segments.ids.to_pylist() == ["a", "a", "b"]
    assert segments.starts.tolist() == [0, 5, 0]
    assert segments.indptr.tolist() == [0, 2, 4, 6]
    assert segments.scores.tolist() == [2.5, -1.0] * 3


def test_prediction_file_has_the_documented_columns(tmp_path: Path) -> None:
    with prediction_writer(tmp_path / "p.parquet", ABOUT) as writer:
        writer.write(rows_of("a", None))
        writer.write(rows_of("a", [5]))
    table = pq.read_table(tmp_path / "p.parquet")
    assert table.schema.remove_metadata().equals(PredictionRows.SCHEMA)
    assert table.to_pylist() == [
        {"id": "a", "start_s": None, "end_s": None, "classes": [0, 1], "scores": [2.5, -1.0]},
        {"id": "a", "start_s": 5.0, "end_s": 10.0, "classes": [0, 1], "scores": [2.5, -1.0]},
    ]
    assert b'"scores": "logit"' in table.schema.metadata[b"reeltag"]
    assert b'"num_classes": 10' in table.schema.metadata[b"reeltag"]


def test_writer_raises_for_videos_after_segments(tmp_path: Path) -> None:
    with prediction_writer(tmp_path / "p.parquet", ABOUT) as writer:
        writer.write(rows_of("a", [0]))
        with pytest.raises(ValueError, match="before those of segments"):
            writer.write(rows_of("a", None))


def test_rows_keep_filters_entries_within_rows() -> None:
    rows = rows_of("abc", [0, 5, 10])
    kept = rows.keep(np.array([True, True, False, False, False, True]))
    assert kept.indptr.tolist() == [0, 2, 2, 3]
    full = kept.without_empty()
    assert full.ids.to_pylist() == ["a", "c"]
    assert full.starts.tolist() == [0, 10]
    assert full.indptr.tolist() == [0, 2, 3]
    assert full.classes.tolist() == [0, 1, 1]
    assert full.row_of_entry().tolist() == [0, 0, 1]
    assert full.to_arrow().to_pylist()[1]["classes"] == [1]


def test_prediction_file_of_pandas_is_read(tmp_path: Path) -> None:
    path = write_table(tmp_path / "p.parquet", start_s=[35], end_s=[40])  # int64 and double lists
    (rows,) = open_predictions(path).rows("segments")
    assert (rows.starts.tolist(), rows.ends.tolist()) == ([35], [40])
    assert rows.scores.dtype == np.float32
    assert not open_predictions(path).holds("videos")


@pytest.mark.parametrize(
    ("columns", "rule"),
    [
        ({"scores": [[1.0]]}, "differ in number"),
        ({"classes": [[1, 10]]}, r"classes 1\.\.10, outside 0\.\.9"),
        ({"classes": [[-1, 2]]}, r"classes -1\.\.2"),
        ({"scores": [[1.0, float("nan")]]}, "score that is a number"),
        ({"id": pa.array([None], pa.string())}, "without an id"),
        ({"start_s": [-1.0], "end_s": [4.0]}, "does not begin at 0 s or later"),
        ({"start_s": [5.0], "end_s": [5.0]}, "end after that"),
        ({"start_s": [5.0]}, "a start and no end"),
    ],
)
def test_prediction_file_raises_for_broken_rows(
    tmp_path: Path, columns: dict[str, Any], rule: str
) -> None:
    path = write_table(tmp_path / "p.parquet", **columns)
    with pytest.raises(DataError, match=rule):
        list(open_predictions(path).rows("segments" if "start_s" in columns else "videos"))


def test_prediction_file_rows_may_be_empty(tmp_path: Path) -> None:
    scores: list[list[float]] = [[], [1.0], [], [3.0, 2.0], []]
    classes = [list(range(len(row))) for row in scores]
    rows: dict[str, Any] = {
        "id": list("abcde"),
        "start_s": [None] * 5,
        "end_s": [None] * 5,
        "classes": classes,
        "scores": scores,
    }
    (found,) = open_predictions(write_table(tmp_path / "p.parquet", **rows)).rows("videos")
    assert found.indptr.tolist() == [0, 0, 1, 1, 3, 3]


def test_open_predictions_raises_for_other_files(tmp_path: Path) -> None:
    for path, words in ((tmp_path / "absent", "is not there"), (tmp_path, "is a folder, not a")):
        with pytest.raises(DataError) as raised:
            open_predictions(path)
        assert str(raised.value).startswith(f"{path}: {words}") and "rrno" not in str(raised.value)
        assert "reeltag predict RUN" in raised.value.hint
    (tmp_path / "text").write_text("VideoId,LabelConfidencePairs\n")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        open_predictions(tmp_path / "text")
    pq.write_table(pa.table({"id": ["a"]}), tmp_path / "other")
    with pytest.raises(
        DataError, match=r"lacks the columns start_s, end_s, classes(.|\n)*reeltag predict"
    ):
        open_predictions(tmp_path / "other")


def test_damaged_prediction_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    with prediction_writer(path, ABOUT) as writer:
        writer.write(rows_of("abcdefghij" * 50, None))
    content = bytearray(path.read_bytes())
    columns = pq.read_metadata(path).row_group(0)
    for number in range(columns.num_columns):
        column = columns.column(number)
        first = column.dictionary_page_offset or column.data_page_offset
        content[first : first + column.total_compressed_size] = (
            b"\xff" * column.total_compressed_size
        )
    path.write_bytes(content)
    found = open_predictions(path)  # its end, where the columns are described, is sound
    with pytest.raises(DataError, match=r"p\.parquet: cannot be read(.|\n)*reeltag predict"):
        list(found.rows("videos"))


def test_open_predictions_raises_without_logit_mark(tmp_path: Path) -> None:
    path = write_table(tmp_path / "p.parquet", metadata={b"pandas": b"{}"})
    with pytest.raises(DataError, match="is not a prediction file: the metadata key"):
        open_predictions(path)
    metadata = {b"reeltag": b'{"scores": "probability", "num_classes": 3}'}
    with pytest.raises(DataError, match=r"must be 'logit', got 'probability'\)\n  Pred"):
        open_predictions(write_table(tmp_path / "p.parquet", metadata=metadata))


def test_failed_writer_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with prediction_writer(tmp_path / "p.parquet", ABOUT) as writer:
            writer.write(rows_of("a", None))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert list(tmp_path.iterdir()) == []


def write_much(path: Path) -> str:
    """Return the text of the error."""
    with pytest.raises(OutputError) as caught, prediction_writer(path, ABOUT) as writer:
        for number in range(200):
            writer.write(rows_of("abcdefghij" * 20, list(range(number, number + 200))))
            writer.flush()
    return str(caught.value)


def test_writer_on_full_disk_raises_output_error(tmp_path: Path, launch: Launch) -> None:
    raised = launch(write_much, tmp_path / "p.parquet", most_bytes=4096).result()
    assert "cannot be written" in raised and "p.parquet" in raised
    assert list(tmp_path.iterdir()) == []
