"""Growth: slopes without the start-up, memory per video, records repeated under other ids."""

from pathlib import Path

import pytest

from benchmarks import growth, growth_data
from benchmarks.tables import scale
from reeltag.data.dataset import Dataset

MEASURED = {
    size: {"cpu_seconds": 2.0 + size / 1000, "peak_mib": 300 + size / 1024 / 1024 * 400}
    for size in (500, 1000, 10_000, 100_000)
}


def test_slope_is_that_of_the_time_beyond_start_up() -> None:
    rows = {row["name"]: row for row in growth.rows_of("index", MEASURED)}
    assert rows["index, slope"]["value"] == pytest.approx(1, abs=0.05)
    assert rows["index, slope"]["details"]["videos"] == [10_000, 100_000]  # 3 s is start-up
    assert rows["index, 100,000 videos"]["value"] == 102
    assert rows["index, growth of peak memory"]["value"] == 400
    squared = {n: of | {"cpu_seconds": 2 + (n / 1000) ** 2} for n, of in MEASURED.items()}
    rows = {row["name"]: row for row in growth.rows_of("index", squared)}
    assert rows["index, slope"]["value"] == pytest.approx(2, abs=0.05)
    assert not rows["index, slope"]["met"]


def test_time_that_is_mostly_start_up_has_no_slope() -> None:
    quick = {n: of | {"cpu_seconds": 2 + n / 1e6} for n, of in MEASURED.items()}
    assert "info, slope" not in [row["name"] for row in growth.rows_of("info", quick)]


def test_records_are_repeated_under_ids_of_their_own(tmp_path: Path) -> None:
    growth_data.write_repeated(tmp_path / "data", 500)
    data = Dataset.open(tmp_path / "data", jobs=1, quiet=True)
    assert sorted(data.table["id"].to_pylist()) == [f"{number:08d}" for number in range(500)]
    assert [len(data.select(split)) for split in ("train", "validate", "test")] == [400, 50, 50]


def test_figures_are_drawn_to_the_same_bytes(tmp_path: Path) -> None:
    rows = list(growth.rows_of("index", MEASURED))
    for name in ("a/one.svg", "b/one.svg"):
        growth.draw(rows, tmp_path / name)
    drawn = (tmp_path / "a/one.svg").read_bytes()
    assert drawn == (tmp_path / "b/one.svg").read_bytes() and len(drawn) < 100_000


def test_6_million_videos_are_on_the_line_through_the_two_largest_sizes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    measured = {"date": "2026-11-30", "commit": "abc"}
    rows = [row | {"machine": "m", "measured": measured} for row in growth.rows_of("x", MEASURED)]
    for row in rows:
        if by_videos := row.get("details", {}).get("by_videos"):
            assert list(by_videos) == ["500", "1000", "10000", "100000"]
    monkeypatch.setattr(scale, "read_rows", lambda _: rows)
    assert "| `x` | 6,002 | 2.528 |" in scale.six_million()  # 2 + 6000 s, 300 MiB + 400 bytes each
    assert "| `x` | 2.5 | 3 | 12 | 102 | 1.0" in scale.growth() and "growth.svg" in scale.growth()
    monkeypatch.setattr(scale, "read_rows", lambda _: [])
    assert "Not measured" in scale.growth()
