"""`reeltag info`: one object with --json, tables without, and its exit status."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reeltag.cli.main import run
from reeltag.data.class_list import ClassList
from reeltag.data.dataset import Dataset
from tests.conftest import REAL
from tests.data.made import frame_record, rated_record, write_shard


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three sound videos."""
    folder = tmp_path / "data"
    write_shard(folder / "train1.tfrecord", [frame_record("a", labels=[0]), frame_record("b")])
    write_shard(folder / "test1.tfrecord", [frame_record("c", 11)])
    ClassList(("Cat [tabby]", "Dog", "Bird")).save(folder / "classes.csv")
    return folder


def damage(folder: Path) -> None:
    (folder / "train2.tfrecord").write_bytes((folder / "train1.tfrecord").read_bytes()[:-1])


def stamped_as(status: os.stat_result) -> Callable[[object], tuple[int, int, int, int]]:
    """Return what stamps every shard alike, whatever is in it."""
    return lambda _: (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def info(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict[str, Any]]:
    status = run(["info", *map(str, arguments), "--json"])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return status, found


def test_info_json_describes_the_data(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, found = info(capsys, data, "--strict")
    assert status == 0
    assert found["kind"] == "frames" and found["streams"] == {"rgb": 16, "audio": 4}
    assert (found["shards"], found["records"], found["videos"], found["skipped"]) == (2, 3, 3, 0)
    assert found["splits"].keys() == {"train", "test"} and found["num_classes"] == 3
    assert found["top_classes"][0] == {"class": 1, "name": "Dog", "videos": 2}
    assert found["problems"] == []
    assert found["findings"] == [
        {
            "topic": "looks wrong",
            "what": "validation",
            "why": "no shard belongs to it: no best weights, no --patience",
        }
    ]


def test_problems_set_the_status_only_with_strict(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(data)
    assert info(capsys, data)[0] == 0
    status, found = info(capsys, data, "--strict")
    assert status == 1
    first = next(entry for entry in found["problems"] if entry["problem"] == "truncated")
    assert (first["file"], first["records"], first["skipped"]) == ("train2.tfrecord", 1, True)


def test_info_tables_describe_the_data(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    damage(data)
    assert run(["info", str(data), "--top", "2", "--jobs", "1"]) == 0
    out = capsys.readouterr().out
    for words in ("rgb 16", "3 in 3 shards", "Dog", "train2.tfrecord", "truncated", "skipped"):
        assert words in out
    assert "Cat" not in out  # the third, and only two were wanted


def test_ratings_and_hours_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ratings = [(0, 1, 1.0), (5, 1, 0.0), (5, 2, 0.0)]
    write_shard(tmp_path / "a.tfrecord", [rated_record("a", 36, ratings)])
    assert run(["info", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "2 rated in 1 videos, 1 of 3 ratings positive" in out and "0.01\n" in out.replace(
        " ", ""
    )


def test_names_with_brackets_are_shown_as_they_are(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["info", str(data)])
    out = capsys.readouterr().out
    assert "Cat [tabby]" in out and "no problems found" in out


def test_splits_may_be_chosen(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, found = info(capsys, data, "--train", "test*", "--test", "train*")
    assert found["splits"]["train"]["videos"] == 1 and found["splits"]["test"]["videos"] == 2


@pytest.mark.parametrize(
    "arguments", [["gone"], ["data", "--jobs", "0"], ["data", "--top", "-1"], ["data/classes.csv"]]
)
def test_info_wrong_options_have_status_2_and_one_error(
    data: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = data.parent / arguments[0]
    assert run(["info", str(path), *arguments[1:]]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("error: ") == 1


def test_info_shows_what_is_not_used(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "notes[1].txt").touch()
    assert run(["info", str(data)]) == 0
    out = capsys.readouterr().out
    assert "not used" in out and "notes[1].txt" in out and "a file with a known name" in out
    assert "looks wrong" in out and "no shard belongs to it" in out


def test_verify_reads_all_checksums_again(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert info(capsys, data, "--strict")[0] == 0
    path = data / "train1.tfrecord"
    before, content = path.stat(), bytearray(path.read_bytes())
    content[-5] ^= 1  # the last byte of the last frame
    path.write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:  # a disk that lost a bit, and no time of change
        patch.setattr("reeltag.data.indexing.locations._stamp_of", stamped_as(before))
        Dataset.open(data, quiet=True)
        assert info(capsys, data, "--strict")[0] == 0
        status, found = info(capsys, data, "--strict", "--verify")
    assert status == 1 and found["problems"][0]["problem"] == "bad data checksum"
    assert run(["info", str(data), "--verify"]) == 0
    assert "checksums of all 3 records were read again" in capsys.readouterr().out


@pytest.mark.realdata
def test_real_youtube_8m_and_audioset_are_sound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    shard = REAL / "yt8m" / "video" / "validate0003.tfrecord"
    status, found = info(capsys, shard, "--strict")
    assert status == 0 and found["streams"] == {"mean_rgb": 1024, "mean_audio": 128}
    assert found["num_classes"] == 3862 and found["top_classes"][0]["name"] == "Game"
    status, found = info(capsys, REAL / "audioset" / "eval-00-of-04.tfrecord", "--strict")
    assert status == 0 and found["streams"] == {"audio_embedding": 128}
    assert found["num_classes"] == 527 and found["frames"]["max"] == 10
