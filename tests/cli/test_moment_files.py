"""`reeltag moments` prints a table and writes CSV, tracks and exports."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from reeltag.cli.main import run
from reeltag.data.dataset import Dataset
from reeltag.predictions.file import PredictionInfo, prediction_writer
from reeltag.predictions.rows import PredictionRows
from tests.cli.moment_runs import PLAIN, places, run_json
from tests.data.made import frame_record, write_shard
from tests.windows import segments_at


def test_moments_print_a_table_and_write_files(
    data: Path, checkpoint: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    table, tracks = tmp_path / "m.csv", tmp_path / "tracks"
    command = ["moments", checkpoint, "--data", data, "--class", "Guitar", "--top", 6]
    command += ["--split", "all", "--csv", table, "--vtt", tracks, "--prob", 0.4]
    assert run([*map(str, command)]) == 0
    printed = capfd.readouterr().out
    assert "Guitar (class 5): best 6 of" in printed
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert len(rows) == 6 and all(row["id"] in printed for row in rows)
    assert ",".join(rows[0]) == (
        "class,name,id,start_s,end_s,peak_s,prob,mean_prob,precision,precision_low,"
        "precision_high,yes,no,value"
    )
    for row in rows:
        assert 0 <= float(row["start_s"]) < float(row["peak_s"]) < float(row["end_s"])
        assert 0 < float(row["mean_prob"]) <= float(row["prob"]) and row["precision"] == ""
    assert {path.stem for path in tracks.iterdir()} == {row["id"] for row in rows}
    for row in rows:
        assert "Guitar" in (tracks / f"{row['id']}.vtt").read_text()
    assert run([*map(str, command)]) == 2
    assert "m.csv: exists already" in capfd.readouterr().err
    table.unlink()
    assert run([*map(str, command)]) == 2
    assert "tracks: holds files already" in capfd.readouterr().err
    assert run([*map(str, command), "--overwrite", "--prob", "0.9999999"]) == 0
    assert "Guitar (class 5): no moment" in capfd.readouterr().out
    rated = ["--split", "all", "--rated", "--class", "Sport", "--prob", "0.4"]
    assert run([*map(str, command[:4]), *rated]) == 0
    lines = [line for line in capfd.readouterr().out.splitlines() if "-0" in line]
    assert lines and all(line.split()[-2] in ("yes", "no") for line in lines)


def test_moments_export_for_other_tools(
    data: Path, checkpoint: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    common = (checkpoint, "--data", data, "--split", "all", "--class", 5, "--top", 6, "--prob", 0.4)
    names = ("json", "elan", "label-studio", "otio")
    to = [f"{name}:{tmp_path / name}" for name in names]
    found = run_json(capfd, *common, *(word for each in to for word in ("--export", each)))
    assert [each["format"] for each in found["written"]] == list(names)
    assert {each["moments"] for each in found["written"]} == {6}
    videos = json.loads((tmp_path / "json").read_text())["videos"]
    ids = {video["id"] for video in videos}
    assert ids == {place[1] for place in places(found)}
    assert {path.stem for path in (tmp_path / "elan").iterdir()} == ids
    table = Dataset.open(data, quiet=True).table
    frames = dict(zip(table["id"].to_pylist(), table["frames"].to_pylist(), strict=True))
    assert {video["id"]: video["duration_s"] for video in videos} == {k: frames[k] for k in ids}
    assert "files of" in found["written"][2]["notes"][0]
    assert run(["moments", *map(str, common), "--export", to[0]]) == 2
    assert "json: exists already" in capfd.readouterr().err


def test_moments_export_finds_the_files_of_videos(
    data: Path, checkpoint: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "data"
    shutil.copytree(data, copy)
    names = Dataset.open(copy, quiet=True).table["id"].to_pylist()
    rows = [f"{names[0]},/films/a.mp4,61.5", f"{names[1]},films/b.mp4,", f"{names[2]},,3"]
    (copy / "videos.csv").write_text("\n".join(["id,path,duration_s", *rows]))
    out = tmp_path / "m.json"
    command = (checkpoint, "--data", copy, "--split", "all", "--prob", 0.01)
    run_json(capfd, *command, "--export", f"json:{out}")
    videos = {video["id"]: video for video in json.loads(out.read_text())["videos"]}
    assert videos[names[0]]["path"] == "/films/a.mp4" and videos[names[0]]["duration_s"] == 61.5
    assert videos[names[1]]["path"] == str(copy.resolve() / "films/b.mp4")
    assert videos[names[1]]["duration_s"] >= 3 and videos[names[2]]["path"] is None
    (copy / "videos.csv").write_text("id,title\na,b\n")
    run_json(capfd, *command, "--export", f"json:{out}", "--overwrite")
    assert json.loads(out.read_text())["videos"][0]["path"] is None


def test_moments_table_has_twenty_of_a_class_and_files_have_all(
    data: Path, checkpoint: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    command = ["moments", checkpoint, "--data", data, "--split", "all", "--class", 5, *PLAIN]
    command += ["--prob", 0.3, "--csv", tmp_path / "m.csv"]
    assert run([*map(str, command)]) == 0
    title, _, *lines = capfd.readouterr().out.splitlines()
    number = len((tmp_path / "m.csv").read_text().splitlines()) - 1
    assert number > 20 == len(lines) and f"best 20 of {number} moments" in title


def test_moments_print_ids_whole(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    names = [f"archive/{'a long title ' * 12}/part {n}.mp4" for n in range(2)]
    write_shard(tmp_path / "a.tfrecord", [frame_record(name) for name in names])
    path = tmp_path / "p.parquet"
    with prediction_writer(path, PredictionInfo(num_classes=3, data=str(tmp_path))) as writer:
        scores = np.ones((2, 1), np.float32)
        times, classes = segments_at([0, 0]), np.zeros((2, 1), np.int32)
        writer.write(PredictionRows.of_matrix(names, times, classes, scores))
    assert run(["moments", "--predictions", str(path), "--class", "0"]) == 0
    lines = capfd.readouterr().out.splitlines()
    for name in names:
        assert any(line.endswith(name) and "  0.7311  " in line for line in lines)


def test_moments_raise_for_existing_files(
    data: Path, checkpoint: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "m.csv").touch()
    command = ["moments", str(checkpoint), "--data", str(data), "--class", "3", "--csv"]
    assert run([*command, str(tmp_path / "m.csv")]) == 2
    assert "Choose another --csv, or add --overwrite." in capfd.readouterr().err
    assert run([*command, str(tmp_path)]) == 2
    assert "Name a file, as in --csv m.csv." in capfd.readouterr().err


def test_moments_log_empty_tracks(
    data: Path, checkpoint: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    command = ["moments", checkpoint, "--data", data, "--prob", 0.9999999]
    assert run([*map(str, command), "--vtt", str(tmp_path / "tracks")]) == 0
    printed = capfd.readouterr()
    assert "tracks: no moment, no file" in printed.err and "no moment in" in printed.out
