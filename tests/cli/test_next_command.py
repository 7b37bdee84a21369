"""Commands that commands print: each runs as it is printed, in any folder, by any shell."""

import re
from pathlib import Path

import numpy as np
import pytest

import reeltag
from reeltag.cli.main import run
from reeltag.cli.next_command import changed_options, print_next
from reeltag.data.splits import Splits
from reeltag.data.synth.config import SynthConfig
from reeltag.data.synth.corpus import write_corpus
from tests.cli.printed import next_command, run_next

FEW = ("--max-steps", "2", "--accelerator", "cpu")
QUICK = [*FEW, "--batch-size", "8"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Frame-level records in a folder with a space; shards of names that mean no split."""
    out = tmp_path_factory.mktemp("data") / "my data"
    config = SynthConfig(
        videos=40, classes=4, rgb=8, audio=4, min_frames=45, max_frames=50, shards=2, held_out=0.2
    )
    write_corpus(out, config, quiet=True)
    for path in out.glob("train*.tfrecord"):
        path.rename(path.with_name(f"own-{path.name}"))
    return out


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Video-level records, likewise."""
    out = tmp_path_factory.mktemp("vectors") / "my data"
    config = SynthConfig(
        videos=60, classes=4, rgb=8, audio=4, level="video", shards=2, held_out=0.2
    )
    write_corpus(out, config, quiet=True)
    for path in out.glob("train*.tfrecord"):
        path.rename(path.with_name(f"own-{path.name}"))
    return out


def printed_by(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    capsys.readouterr()
    assert run([*map(str, arguments)]) == 0
    return capsys.readouterr().out


def test_next_of_augment_trains_on_the_same_shards(
    vectors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    command = ["augment", vectors, "--out", tmp_path / "more data", "--train", "own-*"]
    printed = printed_by(capsys, *command, "--pivot", 20, "--decades", 1, "--jobs", 1)
    words = run_next(printed, tmp_path / "here", monkeypatch, *FEW)
    assert words[words.index("--train") + 1] == "own-*"
    assert (tmp_path / "here" / "RUN" / "model.safetensors").is_file()


def test_next_of_centroids_trains_from_them(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    command = ["centroids", data, "--out", tmp_path / "my C.safetensors", "--clusters", 6]
    command += ["--frames", 60, "--train", "own-*", "--streams", "audio"]
    printed = printed_by(capsys, *command, "--preprocessing.normalise", "streams")
    words = run_next(printed, tmp_path / "here", monkeypatch, *FEW, "--model.inner", "8")
    assert words[words.index("--preprocessing.normalise") + 1] == "streams"
    assert (tmp_path / "here" / "RUN" / "model.safetensors").is_file()


def test_next_of_train_predict_and_blend_follow_each_other(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    command = ["train", "logistic", "--data", data, "--train", "own-*", *QUICK]
    trained = printed_by(capsys, *command, "--out", tmp_path / "my run")
    run_next(trained, tmp_path / "here", monkeypatch)
    again = printed_by(capsys, "train", "--resume", tmp_path / "my run", "--max-steps", 3)
    assert next_command(again)[:2] == ["predict", str(tmp_path / "my run")]
    run_next(again, tmp_path / "there", monkeypatch)
    files = [tmp_path / name for name in ("here/P.parquet", "there/P2.parquet")]
    blended = printed_by(
        capsys, "blend", *files, "--out", tmp_path / "B.parquet", "--save", tmp_path / "BLEND"
    )
    first, second = [line for line in blended.splitlines() if line.startswith("next: ")]
    run_next(first, tmp_path / "evaluated", monkeypatch)
    for at, file in enumerate(files, 1):
        (tmp_path / "evaluated" / f"T{at}.parquet").symlink_to(file)
    assert run(next_command(second)) == 0


def test_next_of_train_without_a_test_split_predicts_another(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    alone = tmp_path / "data"
    alone.mkdir()
    for path in data.glob("validate*.tfrecord"):
        (alone / path.name).symlink_to(path)
        (alone / path.name.replace("validate", "train")).symlink_to(path)
    command = ["train", "logistic", "--data", alone, "--out", tmp_path / "RUN"]
    trained = printed_by(capsys, *command, *FEW, "--batch-size", 4)
    words = run_next(trained, tmp_path / "here", monkeypatch)
    assert words[words.index("--split") + 1] == "validate"


def test_next_of_soft_labels_trains_a_student(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    teacher = tmp_path / "my teacher"
    rated = ["--train", "validate*", "--validate", "test*", "--items", "segments"]
    printed_by(capsys, "train", "logistic", "--data", data, *rated, *QUICK, "--out", teacher)
    soft = ["soft-labels", teacher, "--data", data, "--out", tmp_path / "my S", "--train", "own-*"]
    words = run_next(printed_by(capsys, *soft), tmp_path / "here", monkeypatch, *FEW)
    assert words[words.index("--items") + 1] == "segments"
    predict = ["predict", teacher, "--data", data, "--split", "train", "--train", "own-*"]
    printed_by(capsys, *predict, "--validate", "validate*", "--out", tmp_path / "P")
    soft = ["soft-labels", "--from", tmp_path / "P", "--data", data, "--out", tmp_path / "S"]
    printed = printed_by(capsys, *soft, "--train", "own-*")
    run_next(printed, tmp_path / "there", monkeypatch, *FEW, "--tiny")


def test_next_of_import_shows_what_was_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "arrays").mkdir()
    for at in range(4):
        values = np.random.default_rng(at).normal(size=(5, 6)).astype("f4")
        np.save(tmp_path / "arrays" / f"v{at}.npy", values)
    printed = printed_by(capsys, "import", tmp_path / "arrays", "--out", tmp_path / "my data")
    run_next(printed, tmp_path / "here", monkeypatch)


def test_next_commands_come_from_one_place() -> None:
    root = Path(reeltag.__file__).parent
    own = [path for path in root.rglob("*.py") if re.search(r"next: reeltag", path.read_text())]
    # text of a table of a paper, and of `reeltag.cli.next_command`, which quotes
    assert {path.relative_to(root).as_posix() for path in own} == {
        "cli/next_command.py",
        "papers/axon2018/tables.py",
    }


def test_next_names_a_path_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("P.parquet", "P2.parquet"):
        Path(name).touch()
    Path("RUN").mkdir()
    print_next("predict", "RUN", "--out", "P.parquet")
    print_next("train", "moe", "--init", "RUN", "--out", "RUN")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "next: reeltag predict RUN --out P3.parquet"
    assert lines[1] == "next: reeltag train moe --init RUN --out RUN2"


def test_changed_options_are_those_that_differ() -> None:
    assert changed_options(Splits()) == []
    found = changed_options(Splits(train="own*", holdout=0.2))
    assert found == ["--train", "own*", "--holdout", "0.2"]
