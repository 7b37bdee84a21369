"""Outputs of commands: nothing of others is touched, one process at a time, whole or not at all."""

import gc
import os
import signal
from pathlib import Path

import pytest

from reeltag.cli.main import run
from reeltag.core.files import hold_result
from reeltag.data.dataset import Dataset
from tests.cli.moment_runs import write_data, write_run
from tests.data.batches import loader_threads
from tests.data.made import frame_record, write_shard
from tests.ensembling.test_blending import files as predicted
from tests.full_disks import small_disk
from tests.processes import Launch

SYNTH = ["--videos", "12", "--classes", "5", "--rgb", "8", "--audio", "4", "--jobs", "1"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data") / "corpus")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("run") / "RUN")


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def train_command(data: Path, out: Path, *more: str) -> list[str]:
    command = ["train", "logistic", "--data", str(data), "--out", str(out), "--tiny"]
    return [*command, "--max-steps", "4", "--validate-every", "2", *more]


def test_folder_of_another_name_is_not_ours(tmp_path: Path) -> None:
    thesis = tmp_path / "MORE.part" / "thesis.txt"
    thesis.parent.mkdir()
    thesis.write_text("precious")
    assert run(["synth", str(tmp_path / "MORE"), *SYNTH]) == 0
    assert thesis.read_text() == "precious"
    assert files(tmp_path) == {"MORE", "MORE.part"}


def test_files_and_links_of_other_names_are_not_ours(
    data: Path, checkpoint: Path, tmp_path: Path
) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    (tmp_path / "x.csv.part").write_text("precious")
    (tmp_path / "y.csv.part").symlink_to(tmp_path / "thesis.txt")
    (tmp_path / "z.onnx.part").mkdir()
    (tmp_path / "z.onnx.part" / "thesis.txt").write_text("precious")
    (tmp_path / "tracks.part").mkdir()
    (tmp_path / "tracks.part" / "thesis.txt").write_text("precious")
    before = files(tmp_path)
    for table in ("x.csv", "y.csv"):
        command = ["moments", str(checkpoint), "--data", str(data), "--prob", "0.4"]
        command += ["--split", "all", "--csv", str(tmp_path / table)]
        command += ["--vtt", str(tmp_path / "tracks"), "--overwrite"]
        assert run(command) == 0
    assert run(["export", str(checkpoint), "--out", str(tmp_path / "z.onnx")]) == 0
    for name in ("thesis.txt", "x.csv.part", "z.onnx.part/thesis.txt", "tracks.part/thesis.txt"):
        assert (tmp_path / name).read_text() == "precious"
    assert files(tmp_path) == before | {"x.csv", "y.csv", "tracks", "z.onnx"}


def test_of_two_processes_that_make_a_folder_one_makes_it(tmp_path: Path, launch: Launch) -> None:
    more = ["synth", str(tmp_path / "MORE"), *SYNTH[2:], "--videos", "2000"]
    both = [launch(run, more), launch(run, more)]
    (_, winner), (status, loser) = sorted(
        ((process.result(), process) for process in both), key=lambda pair: pair[0]
    )
    assert status == 2 and "error" not in winner.err.read_text()
    error = loser.err.read_text()
    assert "is in use by process " in error or "exists already" in error
    assert files(tmp_path) == {"MORE"}
    assert sum(1 for _ in (tmp_path / "MORE").glob("*.tfrecord")) >= 3


def test_second_training_of_a_run_names_the_first(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert run(train_command(data, out)) == 0
    before = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    resume = ["train", "--resume", str(out), "--max-steps", "8"]
    with hold_result(out):
        capsys.readouterr()
        assert run(resume) == 2
        error = " ".join(capsys.readouterr().err.split())
        assert f"{out}: is in use by process {os.getpid()} on " in error
    assert {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()} == before
    assert run(resume) == 0


def test_run_of_a_killed_training_is_free_and_goes_on(
    data: Path, tmp_path: Path, launch: Launch
) -> None:
    out = tmp_path / "run"
    training = launch(run, train_command(data, out, "--max-steps", "100000"))
    training.until((out / "model.safetensors").exists).kill()
    assert training.status == -signal.SIGKILL and (out / ".reeltag-lock").exists()
    assert run(["train", "--resume", str(out), "--max-steps", "2"]) == 0
    assert not [name for name in files(out) if "reeltag" in name]


def slow(size: str) -> object:
    """Return a size of disk that a training takes minutes to fill."""
    return pytest.param(size, marks=pytest.mark.slow)


@pytest.mark.parametrize("size", ["24k", "40k", "64k", "100k", slow("160k"), slow("300k")])
def test_full_disk_in_training_is_an_output_error(
    data: Path, tmp_path: Path, size: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with small_disk(tmp_path / "disk", size) as disk:
        command = train_command(data, disk / "run", "--max-steps", "4000", "--log-every", "1")
        assert run(command) == 2
        error = capsys.readouterr().err
        assert "cannot be written (No space left on device)" in " ".join(error.split())
        assert "Free some space" in error and "should not happen" not in error
        assert not [name for name in os.listdir(disk) if "reeltag" in name]
    gc.collect()
    assert not loader_threads()


@pytest.mark.parametrize("size", ["24k", "48k", "100k"])
def test_full_disk_while_trees_are_saved_is_an_output_error(
    corpus: Path, tmp_path: Path, size: str, capsys: pytest.CaptureFixture[str]
) -> None:
    known = [str(path) for path in predicted(tmp_path / "f", corpus, "train")]
    Dataset.open(corpus, quiet=True)
    with small_disk(tmp_path / "disk", size) as disk:
        command = ["blend", *known, "--fit-on", str(corpus), "--split", "train", "--allow-leak"]
        command += ["--method", "lightgbm", "--trees.num-trees", "40", "--trees.min-in-leaf", "1"]
        assert run([*command, "--save", str(disk / "BLEND")]) == 2
        error = " ".join(capsys.readouterr().err.split())
        assert "BLEND" in error and "cannot be written (No space left on device)" in error
        assert not os.listdir(disk)


def test_moments_of_a_video_with_a_long_id_are_all_there(checkpoint: Path, tmp_path: Path) -> None:
    ids = ["x" * 300, "y" * 300, "ä" * 150, "z"]
    widths = {"rgb": 16, "audio": 8}
    records = [frame_record(name, 30, [index], widths=widths) for index, name in enumerate(ids)]
    write_shard(tmp_path / "data" / "train0000.tfrecord", records)
    command = ["moments", str(checkpoint), "--data", str(tmp_path / "data"), "--split", "all"]
    assert run([*command, "--prob", "0.01", "--vtt", str(tmp_path / "tracks")]) == 0
    assert len(files(tmp_path / "tracks")) == len(ids)
