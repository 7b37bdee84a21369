"""Extract: what is new, in fixed shards, whoever works on it and however often it is killed."""

import csv
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from reeltag.core.errors import ConfigError, DataError, OutputError
from reeltag.data.dataset import Dataset
from reeltag.data.record_contents import describe_records
from reeltag.data.shards import read_record
from reeltag.data.unused_files import unused_files
from reeltag.library.extraction import engines
from reeltag.library.extraction.config import ExtractionConfig
from reeltag.library.extraction.engines import LocalEncoding, default_workers
from reeltag.library.extraction.folder import ExtractionFolder
from reeltag.library.extraction.run import _engine, extract
from reeltag.library.extraction.summary import ExtractionSummary
from reeltag.library.extraction.worker_process import PoolTask, TaskOutcome
from reeltag.pipeline.local_engine import GPUS
from tests.library.extraction.synthetic_videos import write_film, write_silent_film, write_sound
from tests.library.extraction.toys import COLOUR, LOUDNESS
from tests.processes import Launch

TOYS = ExtractionConfig(picture=COLOUR, sound=LOUDNESS, shard_mb=25e-6)


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    for number in range(6):
        greys = [40 * number + 10 * second for second in range(2 + number % 2)]
        write_film(folder / f"film{number}.mp4", greys, 0.05 * (number + 1))
    return folder


@pytest.fixture(scope="module")
def extracted(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("extracted") / "data"
    run(films, out)
    return out


def run(
    *sources: Path, config: ExtractionConfig = TOYS, workers: int = 1, retry: bool = False
) -> ExtractionSummary:
    """Extract the sources but the last, which is the data folder, into small shards."""
    *videos, out = sources
    return extract(videos, out, config, workers=workers, retry=retry, quiet=True)


def shards(data: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in data.glob("*.tfrecord")}


def test_records_hold_the_features_of_each_second(films: Path, extracted: Path) -> None:
    data = Dataset.open(extracted, quiet=True)
    assert sorted(data.table["id"].to_pylist()) == [f"film{number}" for number in range(6)]
    assert [(s.name, s.width) for s in data.streams] == [("rgb", 3), ("audio", 2)]
    row = data.table["id"].to_pylist().index("film3")
    values = read_record(data.index, row)
    rgb, audio = (s.dequantise(values[s.name]) for s in data.features.streams)
    assert rgb[:, 0] == pytest.approx([120, 130, 140], abs=3)
    assert audio[:, 1] == pytest.approx([0.2] * 3, abs=0.02)
    assert data.features.streams[0].encoder.name == "mean_colour"


def test_each_split_of_a_small_archive_has_videos(extracted: Path) -> None:
    data = Dataset.open(extracted, quiet=True)
    assert all(len(data.rows(split)) for split in ("train", "validate", "test"))


def test_previews_and_table_of_videos_are_written(films: Path, extracted: Path) -> None:
    assert (extracted / "previews" / "film0.jpg").is_file()
    assert json.loads((extracted / "previews" / "film0.json").read_text())["cuts_s"] is not None
    with (extracted / "videos.csv").open(newline="") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    assert rows["film3"]["path"] == str(films / "film3.mp4")
    assert float(rows["film3"]["duration_s"]) == pytest.approx(3.0, abs=0.1)
    assert {row["state"] for row in rows.values()} == {"extracted"}
    assert rows["film3"]["split"] in ("train", "validate", "test")


def test_info_has_nothing_to_say_of_what_extraction_writes(extracted: Path) -> None:
    data = Dataset.open(extracted, quiet=True)
    assert not list(unused_files(data))
    assert not describe_records(data, 100).unused


def test_shards_do_not_depend_on_the_number_of_workers(
    films: Path, extracted: Path, tmp_path: Path
) -> None:
    run(films, tmp_path / "data", workers=3)
    assert len(shards(extracted)) > 3
    assert shards(tmp_path / "data") == shards(extracted)


@pytest.mark.parametrize("after", [0, 2, 5])
def test_interrupted_extraction_goes_on_to_the_same_shards(
    films: Path, extracted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """Whatever was written by then, files of features and shards are as without the end."""
    with monkeypatch.context() as patched:
        stop_after(patched, after)
        with pytest.raises(KeyboardInterrupt):
            run(films, tmp_path / "data")
    summary = run(films, tmp_path / "data")
    assert shards(tmp_path / "data") == shards(extracted)
    assert summary.videos == 6


def stop_after(patched: pytest.MonkeyPatch, number: int) -> None:
    """Interrupt after so many writes, renames and removals of a shard, a part or a table."""
    count, rename, remove = 0, os.replace, Path.unlink

    def tick() -> None:
        nonlocal count
        count += 1
        if count > 3 * number:
            raise KeyboardInterrupt

    def ticking_replace(source: str | Path, target: str | Path) -> None:
        tick()
        rename(source, target)

    def ticking_unlink(path: Path, missing_ok: bool = False) -> None:
        if path.suffix in (".frames", ".json"):
            tick()
        remove(path, missing_ok=missing_ok)

    patched.setattr(os, "replace", ticking_replace)
    patched.setattr(Path, "unlink", ticking_unlink)


def test_again_only_what_is_new_is_extracted(films: Path, extracted: Path, tmp_path: Path) -> None:
    sources, out = tmp_path / "films", tmp_path / "data"
    shutil.copytree(films, sources)
    run(sources, out)
    before = shards(out)
    (sources / "film1.mp4").rename(sources / "renamed.mp4")
    (sources / "film2.mp4").unlink()
    shutil.copy(sources / "film3.mp4", sources / "copy.mp4")
    write_film(sources / "fresh.mp4", [200, 100])
    again = run(sources, out)
    assert (again.extracted, again.moved, again.missing, again.copies) == (1, 1, 1, 1)
    assert {name: shards(out)[name] for name in before} == before
    ids = Dataset.open(out, quiet=True).table["id"].to_pylist()
    assert sorted(ids) == sorted([*(f"film{number}" for number in range(6)), "fresh"])
    shutil.copy(films / "film2.mp4", sources)
    back = run(sources, out)
    assert (back.extracted, back.back, back.missing) == (0, 1, 0)


def test_what_cannot_be_decoded_is_an_entry_with_its_error(films: Path, tmp_path: Path) -> None:
    sources = tmp_path / "films"
    sources.mkdir()
    (sources / "broken.mp4").write_bytes(b"\0\0\0\x20ftypisom" + bytes(range(256)) * 20)
    (sources / "empty.mp4").touch()
    shutil.copy(films / "film0.mp4", sources)
    summary = run(sources, tmp_path / "data")
    assert summary.extracted == 1
    errors = {Path(of.path).name: of.error for of in summary.failed}
    assert errors.keys() == {"broken.mp4", "empty.mp4"}
    assert "is empty" in errors["empty.mp4"]
    assert "\n" not in "".join(errors.values())
    again = run(sources, tmp_path / "data")
    assert not again.failed and not again.extracted
    assert len(run(sources, tmp_path / "data", retry=True).failed) == 2


def test_folder_without_anything_that_can_be_extracted_is_an_error(tmp_path: Path) -> None:
    sources = tmp_path / "films"
    sources.mkdir()
    with pytest.raises(DataError, match="there is no video or sound"):
        run(sources, tmp_path / "data")
    (sources / "broken.mp4").write_bytes(b"\0\0\0\x20ftypisom" + bytes(range(256)) * 20)
    with pytest.raises(DataError, match=r"broken\.mp4"):
        run(sources, tmp_path / "data")
    with pytest.raises(DataError, match="nowhere: No such file"):
        run(tmp_path / "nowhere", tmp_path / "data")
    with pytest.raises(ConfigError, match="no videos are given"):
        run(tmp_path / "data")


def test_worker_that_crashes_or_hangs_costs_one_video(
    films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reeltag.library.extraction.jobs.GRACE_SECONDS", 3.0)
    monkeypatch.setattr("reeltag.library.extraction.jobs.SLOWEST", 0.02)
    sources = tmp_path / "films"
    sources.mkdir()
    for name in ("film0.mp4", "film3.mp4"):
        shutil.copy(films / name, sources)
    write_film(sources / "crash.mp4", [255, 255])
    write_film(sources / "hang.mp4", [0, 255])
    summary = run(
        sources, tmp_path / "data", config=replace(TOYS, picture=COLOUR.replace("Mean", "Fatal"))
    )
    assert summary.extracted == 2
    errors = {Path(of.path).name: of.error for of in summary.failed}
    assert errors.keys() == {"crash.mp4", "hang.mp4"}
    assert "SIGSEGV" in errors["crash.mp4"]
    assert "took too long" in errors["hang.mp4"]


def test_missing_streams_are_masked_and_counted(tmp_path: Path) -> None:
    sources = tmp_path / "films"
    sources.mkdir()
    write_film(sources / "both.mp4", [50, 60])
    write_silent_film(sources / "silent.mp4", [100, 110, 120])
    write_sound(sources / "sound.wav", 2.5, 0.3)
    summary = run(sources, tmp_path / "data")
    assert summary.without == {"rgb": 1, "audio": 1}
    data = Dataset.open(tmp_path / "data", quiet=True)
    ids = data.table["id"].to_pylist()
    found = {name: read_record(data.index, ids.index(name)) for name in ids}
    rgb, audio = data.features.streams
    assert {name: len(of["rgb"]) for name, of in found.items()} == {
        "both": 2,
        "silent": 3,
        "sound": 3,
    }
    assert rgb.dequantise(found["silent"]["rgb"])[:, 0] == pytest.approx([100, 110, 120], abs=3)
    assert audio.dequantise(found["silent"]["audio"])[:, 1] == pytest.approx([0] * 3, abs=0.11)
    assert audio.dequantise(found["sound"]["audio"])[:2, 1] == pytest.approx([0.3] * 2, abs=0.02)


def test_streams_that_no_video_has_are_left_out(tmp_path: Path) -> None:
    write_sound(tmp_path / "sound.wav", 2.0)
    summary = run(tmp_path / "sound.wav", tmp_path / "data", config=ExtractionConfig())
    assert [stream.encoder for stream in summary.streams] == ["log_mel 1"]


def test_archive_of_other_encoders_rate_or_dtype_is_refused(films: Path, tmp_path: Path) -> None:
    out = tmp_path / "data"
    run(films / "film0.mp4", films / "film1.mp4", out)
    for config, words in (
        (ExtractionConfig(picture="none"), "--picture: is none, but the archive has mean_colour"),
        (ExtractionConfig(sound="log_mel"), "--sound: is log_mel, but the archive has loudness"),
        (ExtractionConfig(rate=2), "--rate: is 2, but the archive has 1"),
        (ExtractionConfig(dtype="float16"), "--dtype: is float16, but the archive has uint8"),
    ):
        with pytest.raises(ConfigError, match=words):
            run(films, out, config=config)


def test_videos_of_a_shard_that_is_gone_are_extracted_again(
    films: Path, extracted: Path, tmp_path: Path
) -> None:
    out = tmp_path / "data"
    shutil.copytree(extracted, out)
    gone = sorted(out.glob("*.tfrecord"))[0]
    before = gone.read_bytes()
    gone.unlink()
    again = run(films, out)
    assert again.extracted and again.extracted + again.unchanged == 6
    assert before in [path.read_bytes() for path in out.glob("*.tfrecord")]
    (out / "features.json").unlink()
    with pytest.raises(DataError, match=r"has shards and no features\.json"):
        run(films, out)


def test_folder_with_other_data_is_refused(films: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train0000.tfrecord").touch()
    with pytest.raises(OutputError, match="is not empty"):
        run(films, tmp_path / "data")
    with pytest.raises(OutputError, match="is a file"):
        run(films, films / "film0.mp4")


def test_second_extraction_into_the_same_folder_is_refused(
    films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode = LocalEncoding.run

    def encode_twice(
        self: LocalEncoding, tasks: list[PoolTask], on_report: engines.OnReport
    ) -> Iterator[TaskOutcome]:
        with pytest.raises(OutputError, match=f"process {os.getpid()}"):
            run(films, tmp_path / "data")
        return encode(self, tasks, on_report)

    monkeypatch.setattr(LocalEncoding, "run", encode_twice)
    assert run(films, tmp_path / "data").extracted == 6


def test_encoder_that_is_not_there_is_one_line(films: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no encoder 'efficientnet_lite9'"):
        run(films, tmp_path / "data", config=ExtractionConfig(picture="efficientnet_lite9"))


def extract_sound(source: Path, out: Path) -> int:
    """Extract with log_mel alone; return how many videos were extracted."""
    config = ExtractionConfig(picture="none")
    return extract([source], out, config, workers=1, quiet=True).extracted


def test_full_disk_stops_the_run_with_the_file_and_it_goes_on(
    tmp_path: Path, launch: Launch
) -> None:
    """By a limit for the size of files: the features of a video have more."""
    source = write_sound(tmp_path / "long.wav", 450.0)
    limited = launch(extract_sound, source, tmp_path / "data", most_bytes=300_000).wait()
    assert limited.status != 0
    error = limited.err.read_text()
    assert "OutputError" in error and ".frames: cannot be written (File too large)" in error
    assert not list((tmp_path / "data" / ".reeltag" / "extract" / "parts").iterdir())
    assert launch(extract_sound, source, tmp_path / "data").result() == 1


def test_quick_decodes_key_frames_and_says_what_that_does_to_time(
    films: Path, tmp_path: Path
) -> None:
    summary = run(films, tmp_path / "data", config=replace(TOYS, quick=True))
    (note,) = summary.notes
    assert "late by that" in note and "key frame that is" in note
    data = Dataset.open(tmp_path / "data", quiet=True)
    values = read_record(data.index, data.table["id"].to_pylist().index("film3"))
    rgb = data.features.streams[0].dequantise(values["rgb"])
    assert np.ptp(rgb[:, 0]) < 3  # its only key frame is the first


def test_float16_keeps_values_without_scale(films: Path, tmp_path: Path) -> None:
    run(films / "film0.mp4", tmp_path / "data", config=replace(TOYS, dtype="float16"))
    data = Dataset.open(tmp_path / "data", quiet=True)
    assert {stream.dtype for stream in data.features.streams} == {"float16"}
    assert read_record(data.index, 0)["rgb"][:, 0] == pytest.approx([0, 10], abs=3)


def test_workers_take_the_named_gpus_in_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reeltag.pipeline.worker_config.visible_gpus", lambda: ["4", "6", "7"])
    folder, seen = ExtractionFolder(tmp_path), list[list[str | None]]()
    for devices in (("cuda:2", "cuda:0"), ("all",), ()):
        config = ExtractionConfig(devices=devices, device="cuda")
        with _engine("local", 4, config, folder) as local:
            assert isinstance(local, LocalEncoding)
            seen.append([of._variables.get(GPUS) for of in local._pool._workers])
    assert seen == [["7", "4", "7", "4"], ["4", "6", "7", "4"], [None] * 4]
    on_ray = _engine("ray", 1, ExtractionConfig(devices=("all",)), folder)
    with pytest.raises(ConfigError, match="Ray gives each process its GPU"), on_ray:
        pass


def test_workers_are_one_per_core_as_far_as_memory_holds_them() -> None:
    assert default_workers(4, on_gpu=False) == 4
    assert default_workers(10_000, on_gpu=False) < 10_000
    assert default_workers(64, on_gpu=True) <= 16
    assert default_workers(64, on_gpu=True, gpus=2) <= 32
    with pytest.raises(ConfigError, match="--workers"):
        LocalEncoding(0)
