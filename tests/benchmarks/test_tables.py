"""Tables of README.md and docs/: what results/ has, checked without heavy imports."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.results import PROJECT
from benchmarks.tables import cells, own_features, readme
from benchmarks.tables.__main__ import main, pages
from benchmarks.tables.cells import by_machine, table, value
from benchmarks.tables.pages import PageError, differences, filled
from tests.processes import run_program

PAGE = "before\n<!-- table: a -->\n| x |\n|---|\n| 1 |\n<!-- end -->\nafter\n"
TABLES: dict[str, Callable[[], str]] = {"a": lambda: "| x |\n|---|\n| 2 |\n| 3 |"}


def test_page_tables_are_those_of_results(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["--check"])
    assert status == 0, capsys.readouterr().err


def test_check_names_page_table_and_first_differing_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in pages():
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text((PROJECT / name).read_text())
    page = tmp_path / "docs" / "explanation" / "speed.md"
    text = page.read_text()
    line = next(line for line in text.splitlines() if "training step in bf16" in line)
    page.write_text(text.replace(line, line.replace("videos/s", "videos/h")))
    assert main(["--check"], tmp_path) == 1
    message = capsys.readouterr().err
    assert message.count("docs/explanation/speed.md") == 1 and "README" not in message
    assert "table in_short" in message and "videos/h" in message
    assert main([], tmp_path) == 0 and page.read_text() == text


def test_filled_page_keeps_what_is_outside_the_markers() -> None:
    page = filled(PAGE, TABLES)
    assert page == PAGE.replace("| 1 |", "| 2 |\n| 3 |")
    assert filled(page, TABLES) == page and not differences(page, TABLES)


def test_difference_is_the_first_line_that_differs() -> None:
    assert differences(PAGE, TABLES) == ["table a: '| 1 |' should be '| 2 |'"]
    assert differences(PAGE.replace("1", "2"), TABLES) == ["table a: '' should be '| 3 |'"]


@pytest.mark.parametrize("text", ["no table", PAGE + PAGE, PAGE.replace("table: a", "table: b")])
def test_page_without_its_tables_raises(text: str) -> None:
    with pytest.raises(PageError, match="there have to be a, each once"):
        filled(text, TABLES)


def test_films_have_a_row_for_each_finder_and_their_baselines_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ("per_second_ap", "pictures", "sounds", "map@tiou=0.5")
    rows = [
        {
            "sound": "log_mel",
            "finder": finder,
            "seed": seed,
            "share": value,
            "moments": dict.fromkeys(names, value),
            "copied": dict.fromkeys(names, value / 2),
            "ceiling": dict.fromkeys(names, 1.0),
        }
        for finder, seed, value in [("frames", 0, 0.8), ("frames", 1, 0.7), ("nextvlad", 0, 0.4)]
    ]
    monkeypatch.setattr(own_features, "read_rows", {"films": rows}.__getitem__)
    _, _, *lines = own_features.films().splitlines()
    cells = [[cell.strip() for cell in line.split("|")[2:5]] for line in lines]
    baselines = ["the score of the whole film, copied", "logistic regression on exact seconds"]
    finders = [f"`solve moments --finder {name}`" for name in ("frames", "nextvlad")]
    assert [(seed, way) for seed, way, _ in cells] == [
        *(("0", way) for way in (*finders, *baselines)),
        *(("1", way) for way in (finders[0], *baselines)),
    ]
    assert [float(value) for *_, value in cells] == [0.8, 0.4, 0.4, 1.0, 0.7, 0.35, 1.0]


def test_tables_import_nothing_heavy() -> None:
    code = "import sys, benchmarks.tables.__main__; print({'torch', 'numpy'} & {*sys.modules})"
    assert run_program([sys.executable, "-c", code], cwd=PROJECT).stdout == "set()\n"


def test_values_have_four_digits_or_all_before_the_point() -> None:
    assert value({"value": 0.123456, "unit": "s"}) == "0.1235 s"
    assert value({"value": 253812.4, "unit": "videos/s"}) == "253,812 videos/s"
    assert table(["a", "b"], [["1", ""]]) == "| a | b |\n|---|---|\n| 1 |  |"


def test_rows_are_tabled_by_machine_with_their_commits() -> None:
    marks = {"a": ("X", "aaa"), "b": ("X", "bbb"), "c": ("X", "bbb"), "d": ("Y", "bbb")}
    rows = [
        {
            "name": name,
            "machine": machine,
            "measured": {"commit": commit, "date": "2026-01-01 04:00"},
        }
        for name, (machine, commit) in marks.items()
    ]
    text = by_machine(rows, lambda group: " ".join(row["name"] for row in group))
    assert text == (
        "X; 1 of 3 rows at aaa on 2026-01-01, 2 of 3 rows at bbb on 2026-01-01:\n\na b c\n\n"
        "Y; measured at bbb on 2026-01-01:\n\nd"
    )


def test_missed_target_is_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {
        "bench_x": [
            {"name": "a", "value": 3.0, "unit": "s", "target": "< 4 s", "met": True},
            {"name": "b", "value": 5.0, "unit": "s", "target": "< 4 s", "met": False},
        ]
    }
    monkeypatch.setattr(cells, "read_rows", lambda file, _: rows[file])
    assert readme._figure("first", "bench_x", "a") == ["first", "3 s", "< 4 s"]
    assert readme._figure("second", "bench_x", "b") == ["second", "5 s", "< 4 s: missed"]
