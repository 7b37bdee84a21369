"""Ratings keep their history; weak labels their source."""

import os
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event

from reeltag.core.errors import DataError, OutputError
from reeltag.library.database.library import Library
from reeltag.library.database.ratings import LibraryRating
from reeltag.library.database.summary import summarise_library
from reeltag.library.media.finding import find_media

FIRST = LibraryRating(video_id="a", start_s=0.0, end_s=5.0, class_name="dog", value=1.0, who="me")


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    (tmp_path / "videos").mkdir()
    for name in "ab":
        (tmp_path / "videos" / f"{name}.mp4").write_text(name)
    with Library.open(tmp_path, create=True) as opened:
        opened.sync(find_media([tmp_path / "videos"]))
        yield opened


def values(library: Library, *, history: bool = False) -> list[tuple[float | None, bool]]:
    return [(of.value, of.counts) for of in library.ratings.all(history=history)]


def test_last_rating_of_a_window_counts_and_none_is_lost(library: Library) -> None:
    library.ratings.add([FIRST, replace(FIRST, end_s=6.0, value=0.5)])
    library.ratings.add([replace(FIRST, value=0.0)])
    assert values(library) == [(0.5, True), (0.0, True)]
    assert values(library, history=True) == [(1.0, False), (0.5, True), (0.0, True)]


def test_withdrawn_rating_does_not_count(library: Library) -> None:
    library.ratings.add([FIRST])
    library.ratings.add([replace(FIRST, value=None)])
    assert values(library) == [] and len(values(library, history=True)) == 2


def test_people_do_not_replace_each_other(library: Library) -> None:
    library.ratings.add([FIRST, replace(FIRST, who="you", value=0.0)])
    assert values(library) == [(1.0, True), (0.0, True)]


def test_rating_of_a_whole_video_replaces_the_one_before(library: Library) -> None:
    whole = replace(FIRST, end_s=None)
    library.ratings.add([whole, replace(whole, value=0.0)])
    assert values(library) == [(0.0, True)]


@pytest.mark.parametrize(
    ("change", "error"),
    [({"video_id": "c"}, DataError), ({"value": 2.0}, DataError), ({"end_s": 0.0}, DataError)],
)
def test_all_ratings_are_added_or_none(
    library: Library, change: dict[str, object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        library.ratings.add([FIRST, replace(FIRST, **change)])  # type: ignore[arg-type]
    assert values(library, history=True) == []


def test_unsure_counts_and_has_no_value(library: Library) -> None:
    library.ratings.add([FIRST])
    library.ratings.add([replace(FIRST, value=None, is_unsure=True, origin="queue", chance=0.25)])
    assert values(library) == []
    (found,) = library.ratings.all(unsure=True)
    assert (found.is_unsure, found.counts, found.origin, found.chance) == (
        True,
        True,
        "queue",
        0.25,
    )


def test_rating_is_undone_step_by_step(library: Library) -> None:
    first, second = (library.ratings.add([replace(FIRST, value=of)])[0] for of in (1.0, 0.0))
    before = library.ratings.undo(second)
    assert before is not None and (before.key, before.value) == (first, 1.0)
    (third,) = library.ratings.add([replace(FIRST, value=0.5)])
    again = library.ratings.undo(third)
    assert again is not None and again.key == first  # and not the second, which was undone
    assert library.ratings.undo(first) is None
    assert values(library) == []
    assert [of.value for of in library.ratings.all(history=True)] == [1.0, 0.0, 0.5, None]


def test_rating_that_was_replaced_cannot_be_undone(library: Library) -> None:
    first, _ = (library.ratings.add([replace(FIRST, value=of)])[0] for of in (1.0, 0.0))
    with pytest.raises(DataError, match="does not count any more"):
        library.ratings.undo(first)
    with pytest.raises(DataError, match="has no rating 99"):
        library.ratings.undo(99)
    assert values(library) == [(0.0, True)]


def test_people_disagree_where_one_says_yes_and_one_no(library: Library) -> None:
    you = replace(FIRST, who="you")
    library.ratings.add([FIRST, replace(you, value=0.8), replace(FIRST, class_name="cat")])
    assert library.ratings.disagreements() == []
    library.ratings.add([replace(you, value=0.0), replace(you, class_name="cat", end_s=6.0)])
    (pair,) = library.ratings.disagreements()
    assert [(of.who, of.value) for of in pair] == [("me", 1.0), ("you", 0.0)]


def test_ratings_are_on_the_disk_when_they_are_acknowledged(library: Library) -> None:
    seen = []

    @event.listens_for(library._database._engine, "commit")
    def look(connection: Connection) -> None:
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        seen.append(driver.execute("PRAGMA synchronous").fetchone()[0])

    (key,) = library.ratings.add([FIRST])
    library.ratings.undo(key)
    with library.job("extract"):
        pass
    assert seen[:2] == [2, 2] and set(seen[2:]) == {1}  # FULL; others NORMAL


def make_older(library: Library) -> None:
    """Close a library, and give it the tables of version 0001."""
    library.close()
    with closing(sqlite3.connect(library.data / "library.sqlite")) as connection, connection:
        connection.execute("CREATE TABLE kept AS SELECT * FROM ratings")
        connection.execute("DROP TABLE ratings")
        connection.execute(
            "CREATE TABLE ratings (key INTEGER NOT NULL PRIMARY KEY, video INTEGER NOT NULL, "
            "start_s DOUBLE NOT NULL, end_s DOUBLE, class_name VARCHAR NOT NULL, value DOUBLE, "
            "who VARCHAR NOT NULL, rated_at DATETIME NOT NULL, replaced_by INTEGER)"
        )
        names = "key, video, start_s, end_s, class_name, value, who, rated_at, replaced_by"
        connection.execute(f"INSERT INTO ratings ({names}) SELECT {names} FROM kept")
        connection.execute("UPDATE alembic_version SET version_num = '0001'")


def test_ratings_of_an_older_library_were_imported(library: Library) -> None:
    library.ratings.add([FIRST])
    make_older(library)
    with Library.open(library.data) as opened:
        (found,) = opened.ratings.all()
    assert (found.value, found.origin, found.chance, found.is_unsure) == (
        1.0,
        "import",
        None,
        False,
    )


def test_ratings_of_an_older_library_have_no_client_id(library: Library) -> None:
    library.ratings.add([FIRST, replace(FIRST, value=0.0)])
    library.close()
    with closing(sqlite3.connect(library.data / "library.sqlite")) as connection, connection:
        connection.execute("DROP INDEX ix_ratings_client_id")
        connection.execute("ALTER TABLE ratings DROP COLUMN client_id")
        connection.execute("UPDATE alembic_version SET version_num = '0002'")
    with Library.open(library.data) as opened:
        kept = opened.ratings.all(history=True)
        assert [(of.value, of.client_id) for of in kept] == [(1.0, None), (0.0, None)]
        named = replace(FIRST, client_id="a")
        assert opened.ratings.add([named, named]) == [3, 3]


def test_older_library_that_cannot_be_written_is_read_as_it_would_be(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.ratings.add([FIRST])
    make_older(library)
    file = library.data / "library.sqlite"
    before = file.read_bytes()
    access = os.access

    def read_alone(path: Path, mode: int) -> bool:
        return access(path, mode) and not (mode == os.W_OK and Path(path) == library.data)

    monkeypatch.setattr(os, "access", read_alone)
    with Library.open(library.data) as opened:
        with ThreadPoolExecutor(1) as pool:
            elsewhere = pool.submit(opened.ratings.all).result()
        for found in (opened.ratings.all(), elsewhere):
            assert [(of.value, of.origin) for of in found] == [(1.0, "import")]
        assert summarise_library(opened).ratings == 1
        with pytest.raises(OutputError, match=r"cannot be written .*readonly"):
            opened.ratings.add([FIRST])
    assert file.read_bytes() == before
    assert not [*library.data.glob("library.sqlite-*")]


def test_video_without_a_file_is_rated_and_never_missing(library: Library) -> None:
    library.add_records({"record/1": 30.0, "a": 9.0})
    library.ratings.add([replace(FIRST, video_id="record/1")])
    report = library.sync(find_media([library.data / "videos"]))
    assert (report.missing, report.unchanged) == ([], 2)
    assert library.get("record/1").state == "extracted" and library.get("a").has_file
    assert [of.video_id for of in library.ratings.all()] == ["record/1"]
    summary = summarise_library(library)
    assert (summary.videos, summary.records, summary.states["missing"]) == (2, 1, 0)
    assert "record/1" not in library.write_csv().read_text()


def test_records_that_are_there_stay_and_no_other_is_read(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reeltag.library.database.library._BATCH", 2)
    library.add_records({f"record/{number}": 30.0 for number in range(5)})
    read = list[str]()

    def look(_: Any, __: Any, statement: str, values: Any, *___: Any) -> None:
        if statement.startswith("SELECT"):
            read.extend([statement, *values])

    event.listen(Engine, "before_cursor_execute", look)
    try:
        library.add_records({"record/3": 9.0, "record/5": 9.0, "record/0": 9.0})
    finally:
        event.remove(Engine, "before_cursor_execute", look)
    assert [of for of in read if of.startswith("record/")] == ["record/3", "record/5", "record/0"]
    assert all("IN" in of for of in read if of.startswith("SELECT videos.id"))
    lengths = {of.id: of.duration_s for of in library.videos() if of.id.startswith("record/")}
    assert lengths == {f"record/{number}": 30.0 for number in range(5)} | {"record/5": 9.0}
