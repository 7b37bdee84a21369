"""docs/reference/files.md describes the files as they are: columns, metadata, examples."""

import dataclasses
import json
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.results import PROJECT
from reeltag.data.class_list import ClassList
from reeltag.data.dataset import Dataset
from reeltag.data.features import Features
from reeltag.data.streams import TABLE_SCHEMA
from reeltag.deploy.moment_formats.csv_table import COLUMNS
from reeltag.library.database.library import Library
from reeltag.library.database.tables import LibraryBase
from reeltag.predictions.file import PredictionInfo
from reeltag.predictions.metadata import RowsInfo
from reeltag.predictions.rows import PredictionRows
from reeltag.soft_labels.storage import SoftLabelInfo, SoftLabelRows
from reeltag.tagger.thresholds import Thresholds
from reeltag.training.callbacks import COLUMNS as CURVES

TEXT = (PROJECT / "docs" / "reference" / "files.md").read_text()


def section(title: str) -> str:
    """Return the part of the page below a heading."""
    return re.split(r"^## ", TEXT.partition(f"\n## {title}\n")[2], flags=re.MULTILINE)[0]


def names(cells: Iterable[str]) -> list[str]:
    """Return what is between backticks in some cells."""
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def rows(title: str, width: int) -> list[list[str]]:
    """Return the rows of the tables of a section that have `width` columns."""
    lines = [line[2:-2].split(" | ") for line in section(title).splitlines() if line[:3] == "| `"]
    return [cells for cells in lines if len(cells) == width]


def example(title: str, language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", section(title), re.DOTALL)
    assert found
    return found[1]


@pytest.mark.parametrize(
    ("title", "schema"),
    [
        ("Index", TABLE_SCHEMA),
        ("Predictions", PredictionRows.SCHEMA),
        ("Soft labels", SoftLabelRows.SCHEMA),
    ],
)
def test_columns_are_those_of_the_file(title: str, schema: pa.Schema) -> None:
    found = [(name.strip("`"), kind) for name, kind, _ in rows(title, 3)]
    kinds = [re.sub(r"(item|element): ", "", str(field.type)) for field in schema]
    assert found == list(zip(schema.names, kinds, strict=True))


@pytest.mark.parametrize(
    ("title", "info"), [("Predictions", PredictionInfo), ("Soft labels", SoftLabelInfo)]
)
def test_metadata_are_those_of_the_file(title: str, info: type[RowsInfo]) -> None:
    fields = [field.name for field in dataclasses.fields(info)]
    assert names(cells[0] for cells in rows(title, 2)) == [info.MARK[0], *fields]
    assert f'"{info.MARK[1]}"' in section(title)


def test_columns_of_moments_and_curves_are_those_of_the_files() -> None:
    assert names(cells[0] for cells in rows("Moments", 2)) == [*COLUMNS]
    (curves,) = [cells[1] for cells in rows("Run folder", 2) if cells[0] == "`metrics.csv`"]
    assert names([curves]) == [*CURVES]


def test_tables_of_the_library_are_those_of_the_database(tmp_path: Path) -> None:
    found = {cells[0].strip("`"): names(cells[2:]) for cells in rows("Library", 3)}
    assert found == {
        table.name: [column.name for column in table.columns]
        for table in LibraryBase.metadata.tables.values()
    }
    with Library.open(tmp_path, create=True) as library:
        written = library.write_csv().read_text().splitlines()[0].split(",")
    assert names([section("Library").partition("columns ")[2].partition(".")[0]]) == written


def test_example_of_features_is_one(tmp_path: Path) -> None:
    (tmp_path / "features.json").write_text(example("features.json", "json"))
    features = Features.open(tmp_path / "features.json")
    assert [stream.stored.name for stream in features.streams] == ["rgb", "audio"]
    listed = names(cells[0] for cells in rows("features.json", 2))
    fields = {field.name for field in dataclasses.fields(features)}
    of_stream = {field.name for field in dataclasses.fields(features.streams[0])}
    assert {*listed} == fields | of_stream


def test_example_of_thresholds_is_one(tmp_path: Path) -> None:
    text = example("thresholds.json", "json")
    (tmp_path / "thresholds.json").write_text(text)
    found = Thresholds.open(tmp_path / "thresholds.json")
    assert found.names == ("Music", "Vehicle") and set(found.unreached) == {"Vehicle"}
    first = json.loads(text)["classes"][0]
    assert {*first} == {field.name for field in dataclasses.fields(found.classes[0])}


def test_examples_of_tables_and_records_are_a_data_set(tmp_path: Path) -> None:
    data = tmp_path / "DATA"
    data.mkdir()
    code = example("Shards", "python").replace("DATA/", f"{data}/").replace("clip-1", "film_000")
    exec(code.replace("[3, 17]", "[0]").replace("(12,", "(40,"), {})
    (data / "classes.csv").write_text(example("classes.csv", "csv"))
    labels, ratings = re.findall(
        r"```csv\n(.*?)```", section("labels.csv and ratings.csv"), re.DOTALL
    )
    (data / "labels.csv").write_text(labels)
    (data / "ratings.csv").write_text(ratings)
    opened = Dataset.open(data, quiet=True)
    assert opened.classes.names == ClassList.open(data / "classes.csv").names
    (row,) = opened.table.to_pylist()
    assert (row["id"], row["labels"]) == ("film_000", [0, 1])
    assert np.array_equal(row["segment_scores"], [1, 0])
