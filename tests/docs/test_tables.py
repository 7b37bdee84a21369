"""docs/how-to/tables.md as it is typed: three tools find the same in a prediction file."""

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest

from reeltag.core.probability import sigmoid
from reeltag.data.class_list import ClassList
from reeltag.predictions.file import open_predictions
from reeltag.predictions.rows import Kind
from tests.docs.blocks import python_blocks, run_block
from tests.ensembling.synthetic import Listed, drawn, write

PAGE = "how-to/tables.md"
NAMES = ("Dog", "Guitar", "Rain, heavy", 'a "b"', "Bird", "Wind")
ABOUT, PANDAS, POLARS, DUCKDB, BACK = python_blocks(PAGE)


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[Kind, Listed]:
    """Make P.parquet and RUN/classes.csv in the current folder, and return the predictions."""
    monkeypatch.chdir(tmp_path)
    videos, segments = drawn(1), drawn(2, start=0)
    videos["without a class", -1] = {}
    write(tmp_path / "P.parquet", videos, segments, run="RUN", top_k=3)
    ClassList(NAMES).save(tmp_path / "RUN" / "classes.csv")
    return {"videos": videos, "segments": segments}


def rows_of(table: Any) -> list[tuple[Any, ...]]:
    """Return the rows of a table of any of the three tools."""
    if isinstance(table, pl.DataFrame):
        return table.rows()
    if isinstance(table, duckdb.DuckDBPyRelation):
        return [*map(tuple, table.fetchall())]
    return [*map(tuple, table.to_numpy().tolist())]


def prob(score: float) -> Any:
    return pytest.approx(float(sigmoid(np.array([score], np.float32))[0]), rel=1e-9)


@pytest.mark.parametrize("block", [PANDAS, POLARS, DUCKDB], ids=["pandas", "polars", "duckdb"])
def test_each_tool_finds_best_classes_and_windows(block: str, listed: dict[Kind, Listed]) -> None:
    left = run_block(block, PAGE)
    ranked = {
        name: max(of.items(), key=lambda pair: pair[1])
        for (name, _), of in listed["videos"].items()
        if of
    }
    best = [(name, NAMES[category], prob(score)) for name, (category, score) in ranked.items()]
    assert sorted(rows_of(left["best"])) == sorted(best, key=lambda row: row[0])
    found = [
        (name, float(start), start + 5.0, prob(of[1]))
        for (name, start), of in sorted(listed["segments"].items())
        if of.get(1, -1) >= 0
    ]
    assert rows_of(left["found"]) == found and 0 < len(found) < len(listed["segments"])


def test_metadata_and_rows_that_another_program_writes_are_read(
    listed: dict[Kind, Listed], capsys: pytest.CaptureFixture[str]
) -> None:
    run_block(ABOUT, PAGE)
    assert capsys.readouterr().out == "RUN 6 3\n"
    run_block(BACK, PAGE)
    found, own = open_predictions("Q.parquet"), open_predictions("P.parquet")
    assert found.info == own.info
    for kind, rows in listed.items():
        written = sum(map(len, found.rows(kind)))
        assert written == sum(bool(of) for of in rows.values())
