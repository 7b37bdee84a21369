"""`reeltag library`, and what `reeltag info` says of own videos."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from reeltag.cli.main import run
from reeltag.library.database.library import Library
from reeltag.library.media.finding import find_media
from tests.data.made import frame_record, write_shard


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Four videos: one extracted, two broken in the same way, one that has vanished."""
    videos, data = tmp_path / "videos", tmp_path / "data"
    data.mkdir()
    videos.mkdir()
    for name in ("a", "b [1]", "c", "d"):
        (videos / f"{name}.mp4").write_text(name)
    write_shard(data / "train0000.tfrecord", [frame_record("a", labels=[0])])
    with Library.open(data, create=True) as library:
        library.sync(find_media([videos]))
        rows = {row.id: row for row in library.videos()}
        rows["a"].duration_s, rows["a"].split, rows["a"].note = 5400.0, "train", "ends early"
        rows["a"].has_sound = False
        rows["c"].state, rows["c"].error = "error", "ends after 3 of 12 s"
        rows["b [1]"].state, rows["b [1]"].error = "error", "ends after 4.5 of 80 s"
        library.save(rows.values())
        library.set_extracted("train0000.tfrecord", [rows["a"].content])
        (videos / "d.mp4").unlink()
        library.sync(find_media([videos]))
    return data


def listed(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    assert run(["library", *map(str, arguments), "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_json_has_all_videos_and_counts(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = listed(capsys, data)
    assert [of["id"] for of in found["list"]] == ["a", "b [1]", "c", "d"]
    assert found["states"] == {"new": 0, "extracted": 1, "error": 2, "missing": 1}
    assert (found["videos"], found["hours"], found["noted"]) == (4, 1.5, 1)
    assert found["without"] == {"picture": 0, "sound": 1}
    (kind,) = found["errors"]
    assert (kind["error"], kind["videos"]) == ("ends after 4.5 of 80 s", 2)


def test_states_and_errors_choose_videos(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = {
        "--state missing": ["d"],
        "--state new extracted": ["a"],
        "--errors": ["a", "b [1]", "c"],
        "--errors --state error": ["b [1]", "c"],
    }
    for arguments, ids in chosen.items():
        found = listed(capsys, data, *arguments.split())
        assert [of["id"] for of in found["list"]] == ids


def test_table_names_each_video_and_why_it_failed(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["library", str(data), "--errors"]) == 0
    printed = capsys.readouterr().out
    assert "b [1]" in printed and "ends after 4.5 of 80 s" in printed and "ends early" in printed
    assert "own videos: 4 (1 extracted, 2 error, 1 missing), 1.50 h" in printed


def test_file_name_that_is_no_text_is_printed(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = Path(os.fsdecode(os.fsencode(tmp_path / "videos") + b"/caf\xe9.mp4"))
    bad.write_text("bad", encoding="utf-8")
    with Library.open(data) as library:
        library.sync(find_media([tmp_path / "videos"]))
    assert run(["library", str(data)]) == 0
    assert "caf\\udce9.mp4" in capsys.readouterr().out
    assert len(listed(capsys, data)["list"]) == 5


def test_info_tells_of_own_videos(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["info", str(data)]) == 0
    printed = capsys.readouterr().out
    assert "4 (1 extracted, 2 error, 1 missing)" in printed and "ends after 4.5 of 80 s" in printed
    assert run(["info", str(data), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["library"]["videos"] == 4


def test_folder_without_own_videos_is_refused_and_info_says_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_shard(tmp_path / "train0000.tfrecord", [frame_record("a", labels=[0])])
    assert run(["library", str(tmp_path)]) == 2
    assert "has no library of videos" in capsys.readouterr().err
    assert run(["info", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["library"] is None
