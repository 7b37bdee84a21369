"""Where labels come from, as info shows it."""

from pathlib import Path

import pytest

from reeltag.cli.main import run
from reeltag.data.dataset import Dataset
from reeltag.data.label_sources import LabelSource, label_sources
from tests.data.described import described, described_corpus

TABLE = """id,class,source,confidence
v0,1,folders,1
v0,2,encoder:made,0.5
v1,2,encoder:made,0.9
v1,0,encoder:made,
v1,1,,
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    described_corpus(tmp_path / "data", described({"rgb": (4, "uint8")}), (3, 3))
    return tmp_path / "data"


def test_labels_are_counted_by_their_source(data: Path) -> None:
    (data / "labels.csv").write_text(TABLE)
    found = label_sources(Dataset.open(data, quiet=True))
    assert found == [
        LabelSource("encoder:made", 3, 2, 0.7),
        LabelSource("folders", 1, 1, 1.0),
        LabelSource("given", 1, 1, None),
    ]


def test_labels_without_sources_have_none(data: Path) -> None:
    assert label_sources(Dataset.open(data, quiet=True)) == []
    (data / "labels.csv").write_text("id,class\nv0,1\n")
    assert label_sources(Dataset.open(data, quiet=True)) == []


def test_info_shows_the_sources(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "labels.csv").write_text(TABLE)
    assert run(["info", str(data)]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["encoder:made", "3", "2", "0.7"] in lines and ["folders", "1", "1", "1"] in lines
    assert ["given", "1", "1"] in lines
