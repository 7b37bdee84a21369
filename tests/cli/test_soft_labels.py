"""`reeltag soft-labels`: teacher, soft labels, student; and folds, converted, student."""

import json
from pathlib import Path
from typing import Any

import pytest

from reeltag.cli.main import run
from reeltag.data.index import open_index
from reeltag.data.synth.config import SynthConfig
from reeltag.data.synth.corpus import write_corpus
from reeltag.soft_labels.storage import SoftLabelRows, open_soft_labels
from reeltag.tagger.run_files import read_config
from reeltag.training.run_folder import read_recipe

CORPUS = SynthConfig(
    videos=60, classes=8, rgb=16, audio=4, min_frames=50, max_frames=80, shards=3, held_out=0.2
)
FEW = ["--max-steps", "3", "--batch-size", "8", "--accelerator", "cpu"]
RATED = ["--train", "validate*", "--validate", "test*"]  # train* is in no split then


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "corpus"
    write_corpus(path, CORPUS, quiet=True)
    return path


@pytest.fixture(scope="module")
def teacher(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tiny model that was trained on the rated segments."""
    out = tmp_path_factory.mktemp("run") / "A"
    command = ["train", "nextvlad", "--tiny", "--data", str(data), "--items", "segments"]
    assert run([*command, *RATED, *FEW, "--out", str(out)]) == 0
    return out


def run_json(capfd: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    """Run a command with --json and return the object."""
    capfd.readouterr()
    assert run([*map(str, arguments), "--json"]) == 0
    out = capfd.readouterr().out
    assert out.count("\n") == 1
    found: dict[str, Any] = json.loads(out)
    return found


def rows_of(path: Path) -> SoftLabelRows:
    return open_soft_labels(path).read()


def test_soft_labels_of_segments_train_a_student(
    data: Path, teacher: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    soft = tmp_path / "soft.parquet"
    common = ("soft-labels", teacher, "--data", data, "--train", "train*", "--device", "cpu")
    written = run_json(capfd, *common, "--out", soft)
    assert written["segment_rows"] == len(rows_of(soft)) > 50 and written["video_rows"] == 0
    about = open_soft_labels(soft).info
    assert (about.per_label, about.split, about.teacher) == (2, "train", str(teacher))
    few = tmp_path / "few.parquet"
    drawn = run_json(
        capfd, "soft-labels", "--from", soft, "--data", data, "--out", few, "--equal", 2
    )
    assert drawn["segment_rows"] == len(rows_of(few)) <= 16
    student = ["train", "nextvlad", "--tiny", "--data", str(data), "--items", "segments", *FEW]
    student += [*RATED, "--init", str(teacher), "--soft.file", str(soft), "--soft.equal", "2"]
    capfd.readouterr()
    assert run([*student, "--out", str(tmp_path / "B")]) == 0
    assert f"{drawn['segment_rows']} soft segments in addition" in capfd.readouterr().err
    recipe = read_recipe(read_config(tmp_path / "B"))
    assert recipe.soft.file == str(soft) and recipe.soft.equal == 2
    assert run(["train", "--resume", str(tmp_path / "B"), "--max-steps", "4"]) == 0


def test_soft_labels_of_five_folds_cover_the_training_videos(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    files = []
    for k in range(5):
        fold = ["--fold.count", "5", "--fold.hold-out", str(k)]
        model, file = str(tmp_path / f"fold{k}"), str(tmp_path / f"p{k}.parquet")
        command = ["train", "logistic", "--tiny", "--data", str(data), *FEW, "--max-steps", "1"]
        assert run([*command, *fold, "--out", model]) == 0
        predicted = ["predict", model, "--data", str(data), "--split", "train", "--out", file]
        assert run([*predicted, *fold, "--device", "cpu"]) == 0
        files.append(file)
    soft = tmp_path / "soft.parquet"
    written = run_json(
        capfd, "soft-labels", "--from", *files, "--data", data, "--out", soft, "--top-k", 4
    )
    index = open_index(data, quiet=True)
    names = [of for of in index.table["id"].to_pylist() if of.startswith("train")]
    assert sorted(rows_of(soft).ids.to_pylist()) == sorted(names)
    assert written["video_rows"] == len(names)
    student = ["train", "logistic", "--tiny", "--data", str(data), *FEW, "--max-steps", "2"]
    student += ["--soft.file", str(soft), "--soft.weight", "0.5"]
    assert run([*student, "--out", str(tmp_path / "B")]) == 0
    assert f"{len(names)} of {len(names)} training videos have" in capfd.readouterr().err
    other = ["predict", str(tmp_path / "fold1"), "--data", str(data), "--out", str(tmp_path / "x")]
    other += ["--fold.count", "5", "--fold.hold-out", "2"]
    assert run([*other, "--split", "train"]) == 2
    text = "was trained without fold 1 of 5 (seed 0), and is to score fold 2 of 5"
    assert text in capfd.readouterr().err
    assert run(other) == 2
    assert "folds are of the split 'train', not of 'test'" in capfd.readouterr().err


def test_soft_labels_print_what_was_written_and_the_next_step(
    data: Path, teacher: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ids.csv").write_text("Index\n0\n1\n")
    command = [
        "soft-labels",
        str(teacher),
        "--data",
        str(data),
        "--out",
        str(tmp_path / "s.parquet"),
    ]
    command += ["--train", "train*", "--device", "cpu"]
    assert run([*command, "--equal", "3", "--classes", str(tmp_path / "ids.csv")]) == 0
    captured = capfd.readouterr()
    assert "soft labels of 6 segments" in captured.out and "--items segments" in captured.out
    assert "6 segments of" in captured.err
    assert set(rows_of(tmp_path / "s.parquet").classes) <= {0, 1}
    assert run([*command, "--videos", "--overwrite"]) == 0
    assert "--items videos" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (["--per-label", "0"], "per_label is 0; allowed: an integer >= 1"),
        (["--skip-head", "-1"], "skip_head is -1; allowed: an integer >= 0"),
        (["--videos", "--equal", "3"], "--equal draws segments"),
        (["--keep-outside"], "no effect without --equal"),
        (["--classes", "absent.csv", "--equal", "3"], "absent.csv"),
        (["--from", "p.parquet"], "give either the RUN of a teacher, or files with --from"),
        (["--train", "nothing*"], "nothing*"),
    ],
)
def test_soft_labels_wrong_options_have_status_2(
    data: Path,
    teacher: Path,
    tmp_path: Path,
    arguments: list[str],
    rule: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    command = ["soft-labels", str(teacher), "--data", str(data), "--out", str(tmp_path / "s")]
    assert run([*command, "--train", "train*", *arguments]) == 2
    captured = capfd.readouterr()
    assert rule in captured.err and not captured.out and not list(tmp_path.iterdir())


def test_soft_labels_name_files_that_cannot_be_converted(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    command = ["soft-labels", "--data", str(data), "--out", str(tmp_path / "s")]
    assert run([*command, "--from", "absent.parquet", "--equal", "3"]) == 2
    assert "absent.parquet: is not there" in capfd.readouterr().err
    assert run(command) == 2
    assert "give either the RUN" in capfd.readouterr().err
