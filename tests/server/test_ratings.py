"""Ratings over the API: stored at once, changed, taken back, exported; classes by name."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from reeltag.data.class_list import ClassList
from reeltag.data.dataset import Dataset
from reeltag.library.database.library import Library
from reeltag.server.project.project import Project
from tests.server.shells import program_of

NAMED = "6f1c9f0e-6c1b-4b57-9c3e-0d2a5b1f7a10"  # a client_id


@pytest.fixture
def client(project: Project) -> Iterator[TestClient]:
    with program_of(project) as opened:
        yield opened


@pytest.fixture
def rating(project: Project) -> dict[str, Any]:
    video, name = project.videos.ids[0], project.data.classes.names[0]
    return {"video": video, "start_s": 0.0, "end_s": 5.0, "class_name": name, "answer": "yes"}


def post(client: TestClient, rating: dict[str, Any], **change: object) -> dict[str, Any]:
    response = client.post("/api/ratings", json={**rating, **change})
    assert response.status_code == 201, response.text
    found: dict[str, Any] = response.json()
    return found


def ratings_of(client: TestClient, video: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get("/api/ratings", params={"video": video}).json()
    return found


def test_rating_is_stored_and_changed(
    client: TestClient, rating: dict[str, Any], project: Project
) -> None:
    first = post(client, rating, origin="queue", chance=0.25, who=" me ")
    assert (first["answer"], first["value"], first["who"]) == ("yes", 1.0, "me")
    post(client, rating, answer="no", who="me")
    with Library.open(project.path) as other:  # another process reads it
        stored = other.ratings.all(history=True)
    assert [(of.value, of.origin, of.chance) for of in stored] == [
        (1.0, "queue", 0.25),
        (0.0, "timeline", None),
    ]
    assert [of["answer"] for of in ratings_of(client, rating["video"])] == ["no"]


def test_rating_is_taken_back_to_the_one_before(client: TestClient, rating: dict[str, Any]) -> None:
    first, second = post(client, rating), post(client, rating, answer="unsure")
    assert second["value"] is None
    before = client.delete(f"/api/ratings/{second['key']}")
    assert before.json()["key"] == first["key"]
    assert client.delete(f"/api/ratings/{first['key']}").json() is None
    assert ratings_of(client, rating["video"]) == []
    assert client.delete(f"/api/ratings/{second['key']}").status_code == 409
    assert client.delete("/api/ratings/12345").status_code == 404


def test_rating_that_is_sent_again_is_stored_once(
    client: TestClient, rating: dict[str, Any], project: Project
) -> None:
    before = post(client, rating, answer="no")
    mine = {**rating, "client_id": NAMED}
    with ThreadPoolExecutor(8) as pool:
        keys = {of["key"] for of in pool.map(lambda _: post(client, mine), range(24))}
    (key,) = keys
    assert [of["key"] for of in ratings_of(client, rating["video"])] == [key]
    assert client.delete(f"/api/ratings/{key}").json()["key"] == before["key"]
    assert post(client, mine)["key"] == key  # late: it counts no more than before
    assert [of["key"] for of in ratings_of(client, rating["video"])] == [before["key"]]
    with Library.open(project.path) as library:
        stored = library.ratings.all(history=True)
    assert [(of.key, of.client_id) for of in stored] == [(before["key"], None), (key, NAMED)]


def test_rating_that_is_sent_again_replaces_no_later_one(
    client: TestClient, rating: dict[str, Any]
) -> None:
    mine = {**rating, "client_id": NAMED}
    post(client, mine)
    later = post(client, rating, answer="no")
    post(client, mine)
    assert [of["key"] for of in ratings_of(client, rating["video"])] == [later["key"]]


def test_ratings_without_a_client_id_are_each_stored(
    client: TestClient, rating: dict[str, Any], project: Project
) -> None:
    for _ in range(2):
        post(client, rating)
    with Library.open(project.path) as library:
        assert len(library.ratings.all(history=True)) == 2


@pytest.mark.parametrize(
    "change", [{"answer": "no"}, {"answer": "unsure"}, {"end_s": 4.0}, {"who": "you"}]
)
def test_another_rating_of_the_same_client_id_is_refused(
    client: TestClient, rating: dict[str, Any], change: dict[str, Any]
) -> None:
    stored = post(client, rating, client_id=NAMED)
    response = client.post("/api/ratings", json={**rating, "client_id": NAMED, **change})
    assert response.status_code == 409 and NAMED in response.json()["error"]
    assert ratings_of(client, rating["video"]) == [stored]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"video": "nobody"}, 404),
        ({"class_name": "no such class"}, 404),
        ({"end_s": 0.0}, 422),
        ({"start_s": 1.0, "end_s": 1.0000001}, 422),
        ({"start_s": 99.0, "end_s": 100.0}, 422),
        ({"start_s": -1.0}, 422),
        ({"answer": "maybe"}, 422),
        ({"value": 0.2}, 422),
        ({"answer": "unsure", "value": 0.5}, 422),
        ({"chance": 0.0}, 422),
        ({"who": "a\nb"}, 422),
        ({"who": "\u202etxt"}, 422),  # is read from right to left, as all after it
        ({"end_s": None, "start_s": 1.0}, 422),
        ({"more": 1}, 422),
        *(({"client_id": of}, 422) for of in ("", "short", "x" * 65, f"{'x' * 20}\n", "é" * 20)),
    ],
)
def test_impossible_rating_is_refused_in_words(
    client: TestClient, rating: dict[str, Any], change: dict[str, Any], status: int
) -> None:
    response = client.post("/api/ratings", json={**rating, **change})
    assert response.status_code == status and set(response.json()) == {"error", "hint"}
    assert "sqlite" not in response.text
    assert ratings_of(client, rating["video"]) == []


def test_ratings_of_a_file_count_until_a_person_rates(published: Path) -> None:
    data = Dataset.open(published, quiet=True)
    row = next(row for row in data.table.to_pylist() if row["segment_starts"])
    name = data.classes.names[row["segment_labels"][0]]
    window = {"start_s": row["segment_starts"][0], "end_s": row["segment_ends"][0]}
    project = Project.open(published)
    with program_of(project) as client:
        before = ratings_of(client, row["id"])
        assert len(before) == len(row["segment_starts"])
        assert {of["origin"] for of in before} == {"import"} and before[0]["key"] < 0
        assert client.delete(f"/api/ratings/{before[0]['key']}").status_code == 409
        opposite = "no" if row["segment_scores"][0] > 0.5 else "yes"
        mine = {"video": row["id"], "class_name": name, "answer": opposite, **window}
        key = post(client, mine)["key"]
        after = ratings_of(client, row["id"])
        assert len(after) == len(before)
        assert [of["answer"] for of in after if of["key"] == key] == [opposite]
        assert client.delete(f"/api/ratings/{key}").json()["origin"] == "import"
        assert ratings_of(client, row["id"]) == before
    with Library.open(published) as library:
        assert library.get(row["id"]).state == "extracted"


def test_exported_ratings_are_read_again(
    client: TestClient, rating: dict[str, Any], project: Project, tmp_path: Path
) -> None:
    post(client, rating, end_s=4.5, origin="queue", chance=0.5)
    post(client, rating, start_s=5.0, end_s=8.0, answer="no")
    post(client, rating, start_s=2.0, end_s=8.0, answer="unsure")
    path = tmp_path / "ratings.csv"
    path.write_bytes(client.get("/api/ratings/export").content)
    row = next(
        row
        for row in Dataset.open(project.path, ratings=path, quiet=True).table.to_pylist()
        if row["id"] == rating["video"]
    )
    assert row["segment_ends"] == [4.5, 8.0] and row["segment_scores"] == [1.0, 0.0]
    parquet = tmp_path / "ratings.parquet"
    parquet.write_bytes(client.get("/api/ratings/export", params={"format": "parquet"}).content)
    assert pq.read_table(parquet)["chance"].to_pylist() == [0.5, None]


def test_people_disagree(client: TestClient, rating: dict[str, Any]) -> None:
    post(client, rating, who="me")
    post(client, rating, who="you", answer="no")
    (found,) = client.get("/api/ratings/disagreements").json()
    assert [(of["who"], of["answer"]) for of in found["ratings"]] == [("me", "yes"), ("you", "no")]
    assert (
        found["name"]
        == client.get("/api/video", params={"id": rating["video"]}).json()["card"]["name"]
    )


def test_new_class_is_last_and_can_be_rated(
    client: TestClient, rating: dict[str, Any], project: Project
) -> None:
    names = project.data.classes.names
    made = client.post("/api/classes", json={"name": "  Blue bird "})
    assert made.status_code == 201 and made.json()["name"] == "Blue bird"
    assert ClassList.open(project.path / "classes.csv").names == (*names, "Blue bird")
    post(client, rating, class_name="blue bird")
    found = {of["name"]: of for of in client.get("/api/classes").json()}
    assert list(found) == [*names, "Blue bird"]
    assert found["Blue bird"]["num_yes"] == 1 and found["Blue bird"]["num_labels"] == 0
    assert "Only yes" in found["Blue bird"]["advice"]


@pytest.mark.parametrize(
    ("name", "status"),
    [
        *((" ", 422), ("a\x00b", 422), ("a\u2066b", 422)),
        *(("x" * 201, 422), ("7", 422), ("SAME", 409)),
    ],
)
def test_impossible_class_is_refused(
    client: TestClient, project: Project, name: str, status: int
) -> None:
    names = project.data.classes.names
    name = names[0].upper() if name == "SAME" else name
    assert client.post("/api/classes", json={"name": name}).status_code == status
    project.reopen()
    assert project.data.classes.names == names


def test_class_is_added_to_data_without_a_list(published: Path) -> None:
    (published / "classes.csv").unlink(missing_ok=True)
    (published / "vocabulary.csv").unlink(missing_ok=True)
    project = Project.open(published)
    number = len(project.data.classes)
    with program_of(project) as client:
        assert client.post("/api/classes", json={"name": "Bird"}).status_code == 201
    assert Dataset.open(published, quiet=True).classes.names[number:] == ("Bird",)
