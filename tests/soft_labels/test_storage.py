"""The file of soft labels: round trip, other tools, equal draws, and errors."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reeltag.core.errors import DataError
from reeltag.soft_labels import storage
from reeltag.soft_labels.storage import (
    SoftLabelInfo,
    SoftLabelRows,
    open_soft_labels,
    soft_label_writer,
)

ABOUT = SoftLabelInfo(class_names=("a", "b", "c", "d"), teacher="RUN", per_label=2, seed=3)
Row = dict[str, Any]


def row(name: str, start: int | None, probs: dict[int, float], drawn_for: int | None = None) -> Row:
    lists = {"classes": [*probs], "probs": [*probs.values()]}
    end = None if start is None else start + 5
    return {"id": name, "start_s": start, "end_s": end, **lists, "drawn_for": drawn_for}


ROWS = [
    row("v", 30, {0: 0.25, 2: 1.0}, 2),
    row("v", 45, {0: 0.0, 2: 0.5}, 0),
    row("w", None, {3: 0.75, 1: 0.5}),
    row("x", None, {}),
]


def write(path: Path, rows: list[Row], about: SoftLabelInfo = ABOUT) -> Path:
    with soft_label_writer(path, about) as writer:
        for each in rows:  # one at a time, as a stream
            batch = pa.RecordBatch.from_pylist([each], schema=SoftLabelRows.SCHEMA)
            writer.write(SoftLabelRows.from_arrow(batch))
    return path


def raw(path: Path, rows: list[Row]) -> Path:
    """Write rows as they are, whatever is wrong with them."""
    schema = ABOUT.schema()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)
    return path


def test_soft_label_file_round_trip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "_GROUP_ROWS", 2)
    monkeypatch.setattr(storage, "_READ_ROWS", 3)
    file = open_soft_labels(write(tmp_path / "s", ROWS))
    assert file.info == ABOUT and file.info.num_classes == 4
    assert file.read().to_arrow().to_pylist() == ROWS
    assert SoftLabelInfo.marks(tmp_path / "s")


def test_soft_label_file_has_the_documented_columns(tmp_path: Path) -> None:
    table = pq.read_table(write(tmp_path / "s", ROWS))
    assert table.to_pylist() == ROWS
    about = json.loads(table.schema.metadata[b"reeltag"])
    assert about["format"] == "soft labels 1" and about["class_names"] == ["a", "b", "c", "d"]


def test_failed_soft_label_writer_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), soft_label_writer(tmp_path / "s", ABOUT) as writer:
        writer.write(
            SoftLabelRows.from_arrow(pa.RecordBatch.from_pylist(ROWS, schema=SoftLabelRows.SCHEMA))
        )
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("bad", "rule"),
    [
        (row("z", 5, {1: 1.5}), r"row 2 has the probability 1.5 of class 1, outside \[0, 1\]"),
        (row("z", 5, {1: -0.5}), r"row 2 has the probability -0.5 of class 1"),
        (row("z", 5, {1: float("nan")}), r"row 2 has the probability nan of class 1"),
        (row("z", 5, {4: 0.5}), r"row 2 has the class 4, outside 0..3"),
        (row("z", 5, {-1: 0.5}), r"row 2 has the class -1, outside 0..3"),
        (row("z", -5, {1: 0.5}), r"row 2 begins before 0 s, or does not end after its start"),
        ({**row("z", 5, {1: 0.5}), "end_s": 5.0}, r"row 2 begins before 0 s, or does not end"),
        ({**row("z", 5, {1: 0.5}), "end_s": None}, r"row 2 has a start and no end"),
        (row("z", 5, {1: 0.5}, 2), r"row 2 was drawn for class 2, which it does not list"),
        ({**row("z", 5, {}), "classes": [1, 1], "probs": [0.1, 0.2]}, r"row 2 has class 1 more"),
        ({**row("z", 5, {1: 0.5}), "probs": []}, r"row 2 has not as many probabilities as classes"),
        ({**row("z", 5, {1: 0.5}), "id": None}, r"row 2 has no id"),
        ({**row("z", 5, {}), "classes": [None], "probs": [0.5]}, r"row 2 has a class or prob"),
    ],
)
def test_soft_label_error_names_file_and_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad: Row, rule: str
) -> None:
    monkeypatch.setattr(storage, "_READ_ROWS", 2)  # the bad row is in the second batch
    file = open_soft_labels(raw(tmp_path / "s.parquet", [*ROWS[:2], bad, *ROWS[2:]]))
    with pytest.raises(DataError, match=rf"s.parquet: {rule}"):
        list(file.rows())


def test_open_soft_labels_raises_for_other_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not there"):
        open_soft_labels(tmp_path / "absent")
    (tmp_path / "text").write_text("id,probs")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        open_soft_labels(tmp_path / "text")
    pq.write_table(pa.table({"id": ["v"]}), tmp_path / "other")
    with pytest.raises(
        DataError,
        match="lacks the columns start_s, end_s, classes, probs, drawn_for of a file of soft",
    ):
        open_soft_labels(tmp_path / "other")
    predictions = pa.schema([("id", pa.string())]).with_metadata(
        {b"reeltag": json.dumps({"scores": "logit", "num_classes": 4}).encode()}
    )
    pq.write_table(pa.table({"id": ["v"]}, predictions), tmp_path / "p")
    with pytest.raises(DataError, match=r"holds predictions \(logits\)(.|\n)*soft-labels --from"):
        open_soft_labels(tmp_path / "p")
    assert not any(
        SoftLabelInfo.marks(tmp_path / name) for name in ("absent", "text", "other", "p")
    )


@pytest.mark.parametrize(
    "change",
    [
        {"class_names": "abcd"},
        {"class_names": [1, 2, 3, 4]},
        {"segment_classes": [["a"]]},
        {"segment_classes": [4]},
        {"segment_classes": [-1]},
        {"seed": "x"},
        {"seed": True},
        {"per_class": None},
        {"teacher": 3},
    ],
)
def test_open_soft_labels_raises_for_other_metadata(tmp_path: Path, change: dict[str, Any]) -> None:
    path = raw(tmp_path / "s.parquet", ROWS)
    table = pq.read_table(path)
    about = json.loads(table.schema.metadata[b"reeltag"])
    name = next(iter(change))
    pq.write_table(
        table.replace_schema_metadata({"reeltag": json.dumps({**about, **change})}), path
    )
    with pytest.raises(DataError, match=rf"s.parquet: .*reeltag.*{name}"):
        open_soft_labels(path)


@pytest.mark.parametrize("seed", range(60))
def test_damaged_soft_label_file_is_read_or_raises(tmp_path: Path, seed: int) -> None:
    path, rng = raw(tmp_path / "s.parquet", many(50)), np.random.default_rng(seed)
    whole, content = list(open_soft_labels(path).rows()), bytearray(path.read_bytes())
    if seed % 3:
        at = rng.integers(len(content), size=seed % 7 + 1)
        content[at[0] : at[0] + len(at)] = rng.bytes(len(at))
    else:
        del content[rng.integers(len(content)) :]
    path.write_bytes(content)
    try:
        found = list(open_soft_labels(path).rows())
    except DataError as error:
        text = str(error)  # no line but the error's own and its hint
        assert text.startswith(f"{path}: ") and text.count("\n") == 1, text
        return
    for part in found:  # what was changed cannot be seen; it is still of the right kind
        assert ((part.probs >= 0) & (part.probs <= 1)).all() and (part.classes < 4).all()
    assert sum(map(len, found)) == sum(map(len, whole))


def test_open_soft_labels_raises_for_undecodable_column_names(tmp_path: Path) -> None:
    path = raw(tmp_path / "s.parquet", ROWS)
    path.write_bytes(path.read_bytes().replace(b"drawn_for", b"drawn\xfffor"))
    with pytest.raises(DataError, match=r"s.parquet: cannot be read"):
        list(open_soft_labels(path).rows())


def many(num_rows: int) -> list[Row]:
    """Return segments of many videos, each drawn for one of its two classes."""
    return [
        row(f"v{n}", 5 * (n % 7), {n % 2: 0.5, 2 + n % 2: 0.25}, n % 2) for n in range(num_rows)
    ]


def test_equal_draw_is_independent_of_row_order(tmp_path: Path) -> None:
    rows = many(60)
    one = SoftLabelRows.concatenate(open_soft_labels(write(tmp_path / "s", rows)).drawn(7))
    assert np.bincount(one.drawn_for).tolist() == [7, 7]
    other = SoftLabelRows.concatenate(open_soft_labels(write(tmp_path / "t", rows[::-1])).drawn(7))
    assert set(one.ids.to_pylist()) == set(other.ids.to_pylist())
    with pytest.raises(DataError, match="has no row that was drawn for a class"):
        list(open_soft_labels(write(tmp_path / "u", ROWS[2:])).drawn(7))


def test_equal_draw_leaves_out_classes_outside_the_list(tmp_path: Path) -> None:
    about = SoftLabelInfo(class_names=ABOUT.class_names, segment_classes=(0, 2))
    file = open_soft_labels(write(tmp_path / "s", many(60), about))
    assert set(file.read().classes) == {
        0,
        1,
        2,
        3,
    }  # all are there without a draw
    drawn = SoftLabelRows.concatenate(file.drawn(7))
    assert len(drawn) == 7 and set(drawn.drawn_for) == {0} and set(drawn.classes) == {0, 2}
    kept = SoftLabelRows.concatenate(file.drawn(7, keep_outside=True))
    assert len(kept) == 14 and set(kept.classes) == {0, 1, 2, 3}
