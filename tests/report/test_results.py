"""Results of `reeltag solve`, read for the page: one seed or several, and bad files."""

import json
from pathlib import Path
from typing import Any

import pytest

from reeltag.core.errors import ConfigError, DataError
from reeltag.papers.common.tables import Table, TableRow
from reeltag.predictions.file import PredictionInfo, prediction_writer
from reeltag.report.results import find_result, read_results
from reeltag.report.sections import paper_section


def write_result(work: Path, *ours: float | None, solution: str = "oppo2019", **other: Any) -> Path:
    """Write WORK/<solution>.json as `reeltag solve` does: a table of two lines."""
    lines = (
        TableRow(
            name="A <b>",
            paper=(0.77, 0.78),
            ours=(ours[0],),
            intervals=((0.5, 0.7),),
            marks=("on frames",),
        ),
        TableRow(name="B", ours=(ours[1],), note="a & b"),
    )
    table = Table(
        title="Table 1",
        paper=("public", "private"),
        ours=("MAP@K",),
        lines=lines,
        marks=("how",),
    )
    steps = [{"name": f"score-{name}", "folder": str(work / f"score-{name}-01")} for name in "AB"]
    work.mkdir(parents=True, exist_ok=True)
    written = {"program": solution, "config": {}, "steps": steps, "tables": [table.to_json()]}
    path = work / f"{solution}.json"
    path.write_text(json.dumps(written | other))
    return path


def write_empty_predictions(folder: Path) -> Path:
    folder.mkdir(parents=True)
    with prediction_writer(folder / "predictions.parquet", PredictionInfo(num_classes=8)):
        pass
    return folder / "predictions.parquet"


def test_result_keeps_figures_and_intervals(tmp_path: Path) -> None:
    result = read_results([write_result(tmp_path, 0.6, None)])
    (table,) = result.tables
    first, second = table.rows
    assert (table.paper, table.ours, result.solution) == (
        ("public", "private"),
        ("MAP@K",),
        "oppo2019",
    )
    assert first.paper == (0.77, 0.78) and second.paper == (None, None)
    assert first.ours[0].value == 0.6 and first.ours[0].interval == (0.5, 0.7)
    assert second.ours[0].value is None and second.note == "a & b"
    assert table.marks == ("how",) and (first.marks, second.marks) == (("on frames",), ("",))
    assert table.columns == ["how", ">paper: public", ">paper: private", ">here: MAP@K"]


def test_results_of_several_seeds_are_averaged(tmp_path: Path) -> None:
    paths = [
        write_result(tmp_path / str(seed), value, None) for seed, value in enumerate((0.6, 0.7))
    ]
    result = read_results(paths)
    measured = result.tables[0].rows[0].ours[0]
    assert measured.value == pytest.approx(0.65) and measured.seeds == (0.6, 0.7)
    assert (
        measured.spread == pytest.approx(0.0707, abs=1e-4)
        and measured.interval is None
        and result.tables[0].rows[1].ours[0].value is None
    )
    paths.append(write_result(tmp_path / "other", 1, 2, solution="autohome2019"))
    with pytest.raises(DataError, match="other tables"):
        read_results(paths)


def test_result_predictions_are_of_the_best_or_last_step(tmp_path: Path) -> None:
    result = read_results([write_result(tmp_path / "work", 0.6, 0.7)])
    assert result.predictions() is None
    first = write_empty_predictions(tmp_path / "work" / "score-A-01")
    assert read_results([*result.files]).predictions() == ("score-A", first)
    second = write_empty_predictions(tmp_path / "work" / "score-B-01")
    assert result.predictions() is not None and result.predictions() == ("score-B", second)
    assert result.predictions("A") == result.predictions("score-A") == ("score-A", first)
    with pytest.raises(ConfigError, match="no step 'C' with predictions; .*score-A, score-B"):
        result.predictions("C")
    moved = (tmp_path / "work").rename(tmp_path / "moved")
    found = read_results([moved / "oppo2019.json"]).predictions()
    assert found == ("score-B", moved / "score-B-01" / "predictions.parquet")
    best = write_result(moved, 0.6, 0.7, best="score-A-01")
    assert read_results([best]).predictions() == (
        "score-A",
        moved / "score-A-01" / "predictions.parquet",
    )


def test_find_result_names_the_results_of_several_solutions(tmp_path: Path) -> None:
    assert find_result(tmp_path) is None
    (tmp_path / "notes.json").write_text("[]")
    (tmp_path / "broken.json").write_text("{")
    path = write_result(tmp_path, 0.6, 0.7)
    assert find_result(tmp_path) == path
    write_result(tmp_path, 0.6, 0.7, solution="autohome2019")
    with pytest.raises(ConfigError, match=r"2 solutions: autohome2019.json, oppo2019.json"):
        find_result(tmp_path)


@pytest.mark.parametrize(
    ("other", "match"),
    [
        ({"tables": [{"title": "T"}]}, "lacks 'paper'"),
        ({"tables": [{"title": "T", "paper": [], "ours": ["M"],
                      "lines": [{"name": "A", "ours": [1, 2]}]}]}, "another number of figures"),
        ({"tables": [{"title": "T", "paper": [], "ours": ["M"],
                      "lines": [{"name": "A", "ours": ["x"]}]}]}, "could not convert"),
        ({"steps": 3}, "not the result of a solution"),
    ],
)  # fmt: skip
def test_broken_result_error_names_the_cause(
    tmp_path: Path, other: dict[str, Any], match: str
) -> None:
    with pytest.raises(DataError, match=match):
        read_results([write_result(tmp_path, 0.6, 0.7, **other)])


def test_unreadable_result_raises(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_results([tmp_path / "none.json"])
    (tmp_path / "cut.json").write_text('{"program": ')
    with pytest.raises(DataError, match="is not JSON"):
        read_results([tmp_path / "cut.json"])


def test_paper_bars_show_the_metric_of_our_first_column(tmp_path: Path) -> None:
    lines = tuple(
        TableRow(name=name, paper=(0.8 + at / 10, 2.0 + at), ours=(0.6 + at / 10,))
        for at, name in enumerate("AB")
    )
    table = Table(title="Results", paper=("GAP", "BCE"), ours=("GAP",), lines=lines)
    written = {"program": "samsung2018", "config": {}, "steps": [], "tables": [table.to_json()]}
    path = tmp_path / "samsung2018.json"
    path.write_text(json.dumps(written))
    ((_, bars),) = paper_section(read_results([path])).tables
    assert [one.title for one in bars] == ["paper: GAP", "here: GAP"]
    assert "paper: GAP: A 0.8; B 0.9" in bars[0].svg
