"""Ratings of videos and classes with hostile names: exported files have them as they are."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from reeltag.data.class_list import ClassList
from reeltag.data.dataset import Dataset
from reeltag.server.project.project import Project
from tests.data.made import frame_record, write_shard
from tests.server.shells import program_of

NAMES = (
    *("\"a\", 'b'", "=cmd|' /C calc'!A0", "<script>alert(1)</script>", "a\nb", "a\rb", "\x1b[31m"),
    *("x\r\nSet-Cookie: a=b", "\u202etxt.exe", "../../up", "x" * 300, "\xe9" * 150, "@SUM(1)"),
)
RATED = {(video, name) for video, name in zip(NAMES, reversed(NAMES), strict=True)}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Videos and classes of these names."""
    folder = tmp_path / "data"
    folder.mkdir()
    ClassList(NAMES).save(folder / "classes.csv")
    records = [frame_record(name, 12, [number]) for number, name in enumerate(NAMES)]
    write_shard(folder / "train0.tfrecord", records)
    return folder


@pytest.fixture
def client(data: Path) -> Iterator[TestClient]:
    """A server of them; one window of each video is rated."""
    with program_of(Project.open(data)) as opened:
        for video, name in RATED:
            window = {"video": video, "start_s": 0.0, "end_s": 5.0, "answer": "yes"}
            response = opened.post("/api/ratings", json={**window, "class_name": name})
            assert response.status_code == 201, response.text
        yield opened


def test_ratings_have_the_names_as_they_are(client: TestClient, data: Path, tmp_path: Path) -> None:
    text = client.get("/api/ratings/export").content.decode()
    rows = [*csv.DictReader(io.StringIO(text, newline=""))]
    assert {(row["id"], row["class"]) for row in rows} == RATED and len(rows) == len(NAMES)
    exported = client.get("/api/ratings/export", params={"format": "parquet"}).content
    table = pq.read_table(io.BytesIO(exported)).to_pylist()
    assert {(row["id"], row["class"]) for row in table} == RATED
    for name, content in (("r.csv", text.encode()), ("r.parquet", exported)):
        (tmp_path / name).write_bytes(content)
        opened = Dataset.open(data, ratings=tmp_path / name, quiet=True)
        found = {
            (row["id"], opened.classes.names[label])
            for row in opened.table.to_pylist()
            for label in row["segment_labels"]
        }
        assert found == RATED


def test_no_name_gets_into_a_header(client: TestClient) -> None:
    for name in NAMES:
        for path, parameters in (
            ("/api/ratings/export", {"format": name}),
            ("/api/search/export", {"class": name, "format": "csv"}),
            ("/api/search/export", {"class": NAMES[0], "format": name}),
            ("/media/video", {"id": name}),
            ("/video", {"id": name}),
            ("/api/ratings", {"video": name}),
        ):
            response = client.get(path, params=parameters)
            assert response.status_code < 500, (path, name)
            assert "set-cookie" not in response.headers
            assert not [of for of in response.headers.values() if name in of], (path, name)
