"""The library: what stays the same video, whatever happens to its files."""

import csv
import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, event, text

from reeltag.core.errors import DataError, OutputError
from reeltag.library.database import migrations
from reeltag.library.database.connection import SCHEMA
from reeltag.library.database.library import Library
from reeltag.library.database.syncing import SyncReport
from reeltag.library.database.tables import LibraryBase
from reeltag.library.media.finding import find_media
from reeltag.library.media.media_info import MediaInfo, MediaStream
from tests.processes import Launch


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    folder = tmp_path / "videos"
    for name in ("a.mp4", "b.mkv", "sub/c.mov"):
        write(folder / name, name)
    return folder


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    (tmp_path / "data").mkdir()
    with Library.open(tmp_path / "data", create=True) as opened:
        yield opened


def write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\0\0\0\x20ftypisom" + content.encode() * 50)


def sync(library: Library, *folders: Path) -> SyncReport:
    return library.sync(find_media(folders))


def ids(library: Library, *states: str) -> list[str]:
    return [video.id for video in library.videos(*states)]


def test_tables_are_those_of_the_last_migration(library: Library) -> None:
    engine = create_engine(f"sqlite:///{library.data / 'library.sqlite'}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, LibraryBase.metadata) == []
        assert context.get_current_revision() == SCHEMA
    script = ScriptDirectory(Path(migrations.__file__).parent)
    assert script.get_current_head() == SCHEMA
    engine.dispose()


def test_videos_are_new_once_and_keep_their_ids(library: Library, videos: Path) -> None:
    report = sync(library, videos)
    assert sorted(report.new) == ids(library) == ["a", "b", "c"]
    again = sync(library, videos)
    assert (again.new, again.unchanged) == ([], 3)
    assert [of.path for of in library.videos()] == sorted(videos.rglob("*.m*"))


def test_moved_and_renamed_file_is_the_same_video(library: Library, videos: Path) -> None:
    sync(library, videos)
    before = library.get("a")
    (videos / "a.mp4").rename(videos / "sub" / "other.avi")
    report = sync(library, videos)
    after = library.get("a")
    assert (report.moved, report.new, report.missing) == (["a"], [], [])
    assert after.path == videos / "sub" / "other.avi" and after.key == before.key


def test_copies_are_one_video_that_survives_the_loss_of_one(library: Library, videos: Path) -> None:
    sync(library, videos)
    shutil.copy(videos / "b.mkv", videos / "again.mkv")
    report = sync(library, videos)
    assert report.copies == [videos / "again.mkv"] and ids(library) == ["a", "b", "c"]
    assert library.paths(library.get("b")) == [videos / "b.mkv", videos / "again.mkv"]
    assert sync(library, videos).copies == []
    (videos / "b.mkv").unlink()
    report = sync(library, videos)
    assert (report.moved, report.missing) == (["b"], [])
    assert library.paths(library.get("b")) == [videos / "again.mkv"]


def test_vanished_file_is_marked_and_comes_back_as_it_was(library: Library, videos: Path) -> None:
    sync(library, videos)
    library.set_extracted("train0000.tfrecord", [library.get("a").content])
    for name in ("a.mp4", "b.mkv"):
        (videos / name).rename(videos.parent / name)
    assert sorted(sync(library, videos).missing) == ["a", "b"]
    assert sync(library, videos).missing == [] and ids(library, "missing") == ["a", "b"]
    for name in ("a.mp4", "b.mkv"):
        (videos.parent / name).rename(videos / name)
    assert sorted(sync(library, videos).back) == ["a", "b"]
    assert (library.get("a").state, library.get("b").state) == ("extracted", "new")


def test_videos_of_other_folders_stay(library: Library, videos: Path) -> None:
    sync(library, videos)
    report = sync(library, videos / "sub")
    assert report.missing == [] and ids(library, "new") == ["a", "b", "c"]


def test_changed_file_is_a_new_video(library: Library, videos: Path) -> None:
    sync(library, videos)
    write(videos / "a.mp4", "something else")
    report = sync(library, videos)
    new = library.get(report.changed[0])
    assert new.id == f"a-{new.content[:8]}" and new.path == videos / "a.mp4"
    assert report.missing == ["a"] and ids(library, "missing") == ["a"]


def test_touched_file_is_the_same_video(library: Library, videos: Path) -> None:
    sync(library, videos)
    os.utime(videos / "a.mp4", (1, 1))
    assert sync(library, videos).unchanged == 3 and library.get("a").mtime_ns == 10**9


def test_equal_stems_get_ids_by_their_content(library: Library, videos: Path) -> None:
    write(videos / "sub" / "a.mp4", "another")
    write(videos / "sub" / "A.MOV", "a third")
    sync(library, videos)
    found = {of.path.relative_to(videos).as_posix(): of for of in library.videos()}
    assert found["a.mp4"].id == "a"
    for name in ("sub/a.mp4", "sub/A.MOV"):
        row = found[name]
        assert row.id == f"{Path(name).stem}-{row.content[:8]}"


def test_any_file_name_is_kept(library: Library, videos: Path) -> None:
    write(videos / "späce and 電影 #1 100%.mp4", "x")
    bad = Path(os.fsdecode(os.fsencode(videos) + b"/caf\xe9\n.mp4"))
    write(bad, "y")
    write(videos / f"{'long' * 60}.mp4", "z")
    sync(library, videos)
    rows = {of.path: of for of in library.videos()}
    assert rows[videos / "späce and 電影 #1 100%.mp4"].id == "späce and 電影 #1 100%"
    assert rows[bad].id == "caf\ufffd_" and bad.exists()
    assert all(len(of.id.encode()) <= 120 for of in rows.values())
    assert sync(library, videos).unchanged == 6
    with library.write_csv().open(newline="", encoding="utf-8") as file:
        assert [row["id"] for row in csv.DictReader(file)] == sorted(ids(library))


def test_unreadable_file_is_a_problem_and_not_the_end(
    library: Library, videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reeltag.library.database import syncing

    def read(path: Path) -> str:
        if path.name == "b.mkv":
            raise PermissionError(13, "x")
        return path.name

    monkeypatch.setattr(syncing, "content_id", read)
    report = sync(library, videos)
    assert report.problems == [(videos / "b.mkv", "Permission denied")] and len(report.new) == 2


def test_waiting_videos_are_in_the_order_of_their_content(library: Library, videos: Path) -> None:
    sync(library, videos)
    waiting = library.waiting()
    assert [of.content for of in waiting] == sorted(of.content for of in library.videos())
    waiting[0].state, waiting[0].error = "error", "is empty"
    library.save(waiting[:1])
    assert len(library.waiting()) == 2 and len(library.waiting(retry=True)) == 3
    library.set_extracted("test0001.tfrecord", [waiting[1].content])
    found = library.get(waiting[1].id)
    assert (found.state, found.shard) == ("extracted", "test0001.tfrecord")


def test_what_is_known_of_a_file_is_kept(library: Library, videos: Path) -> None:
    sync(library, videos)
    stream = MediaStream(kind="picture", index=0, codec="h264", width=64, height=48, is_used=True)
    info = MediaInfo(container="mp4", duration_s=6.0, start_s=0.0, streams=(stream,))
    video = library.get("a")
    library.describe(video, info)
    library.describe(video, info)
    found = library.get("a")
    assert (found.duration_s, found.has_picture, found.has_sound) == (6.0, True, False)
    assert [(of.codec, of.width) for of in library.streams(found)] == [("h264", 64)]


def test_csv_has_a_row_a_video(library: Library, videos: Path) -> None:
    sync(library, videos)
    video = library.get("c")
    video.split, video.group, video.duration_s = "test", "g", 2.5
    library.save([video])
    with library.write_csv().open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows[2] == {
        "id": "c",
        "path": str(videos / "sub" / "c.mov"),
        "duration_s": "2.5",
        "split": "test",
        "group": "g",
        "state": "new",
        "error": "",
        "note": "",
    }
    assert library.splits() == {}
    library.set_extracted("test0000.tfrecord", [video.content])
    assert library.splits() == {"g": "test"}


def test_jobs_are_noted_with_their_end(library: Library) -> None:
    with library.job("reeltag extract x") as counts:
        counts["videos"] = 3
        assert library.jobs()[0].ended_at is None
    done = library.jobs()[0]
    assert done.counts == {"videos": 3} and done.ended_at is not None


def test_unknown_id_names_those_like_it(library: Library, videos: Path) -> None:
    write(videos / "holiday 1.mp4", "h")
    sync(library, videos)
    with pytest.raises(DataError, match="has no video 'HOLIDAY'\n  There are holiday 1"):
        library.get("HOLIDAY")


def test_folder_without_a_library_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no library of videos"):
        Library.open(tmp_path)


def test_library_of_a_newer_version_is_refused(library: Library) -> None:
    path = library.data / "library.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(DataError, match="of a newer reeltag"):
        Library.open(library.data)


@pytest.mark.parametrize(
    "content", [b"no database, whatever its name says" * 99, b"SQLite format 3\0" * 99]
)
def test_damaged_library_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "library.sqlite").write_bytes(content)
    with pytest.raises(DataError, match="is damaged"):
        Library.open(tmp_path)


def test_other_database_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "library.sqlite") as connection:
        connection.execute("CREATE TABLE songs (name TEXT)")
    with pytest.raises(DataError, match="is no library of reeltag"):
        Library.open(tmp_path)


def test_full_disk_is_named_and_leaves_the_library_as_it_was(
    library: Library, videos: Path
) -> None:
    sync(library, videos)
    with library._database.writing() as session:
        pages = session.scalar(text("PRAGMA page_count"))
    for number in range(400):
        write(videos / f"{number}.mp4", str(number))

    @event.listens_for(library._database._engine, "begin")
    def limit(connection: Connection) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    with pytest.raises(OutputError, match="disk is full"):
        sync(library, videos)
    assert ids(library) == ["a", "b", "c"]


def _error_of_a_new_library(folder: Path) -> str:
    with pytest.raises(OutputError) as caught:
        Library.open(folder, create=True)
    return str(caught.value)


@pytest.mark.parametrize("most_bytes", [10, 5000])
def test_full_disk_is_named_where_a_library_is_begun(
    tmp_path: Path, launch: Launch, most_bytes: int
) -> None:
    told = launch(_error_of_a_new_library, tmp_path, most_bytes=most_bytes).result()
    assert "library.sqlite: cannot be written" in told
    assert ids(Library.open(tmp_path, create=True)) == []


def test_disk_that_fails_while_a_connection_is_prepared_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing(sqlite3.Connection):
        def execute(self, sql: str, *_: object) -> sqlite3.Cursor:
            raise sqlite3.OperationalError(f"disk I/O error at {sql}")

    real = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *of, **how: real(*of, **how, factory=Failing))
    with pytest.raises(OutputError, match=r"library.sqlite: cannot be written \(disk I/O error at"):
        Library.open(tmp_path, create=True)


def test_library_that_cannot_be_written_is_read(
    library: Library, videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync(library, videos)
    library.close()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with Library.open(library.data) as fixed:
        assert ids(fixed) == ["a", "b", "c"]
        write(videos / "d.mp4", "d")
        with pytest.raises(OutputError, match="readonly"):
            sync(fixed, videos)


def work(data: Path, videos: Path, number: int) -> None:
    with Library.open(data, create=True) as library:
        for turn in range(15):
            sync(library, videos)
            video = library.get("abc"[turn % 3])
            with library.job(f"{number} {turn}"):
                video.note = f"{number} {turn}"
                library.save([video])


def test_two_processes_work_at_once(tmp_path: Path, videos: Path, launch: Launch) -> None:
    """They make the library at the same time, too."""
    data = tmp_path / "data"
    data.mkdir()
    workers = [launch(work, data, videos, of) for of in range(2)]
    for worker in workers:
        worker.result()
    with Library.open(data) as library:
        assert ids(library) == ["a", "b", "c"] and len(library.jobs()) == 30
        assert all(of.ended_at for of in library.jobs())
