"""`reeltag blend` as it is typed: learn on one split, use on another; wrong options are errors."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from reeltag.cli.main import run
from tests.ensembling.synthetic import drawn, read, write
from tests.ensembling.test_blending import files

TREES = ("--method", "lightgbm", "--fit-on", "D")


def result_of(capfd: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    """Run the command with --json and return its result."""
    capfd.readouterr()
    assert run(["blend", *map(str, arguments), "--json"]) == 0
    out = capfd.readouterr().out
    assert out.count("\n") == 1
    found: dict[str, Any] = json.loads(out)
    return found


def error_of(capfd: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Run the command, which must fail, and return its message."""
    capfd.readouterr()
    assert run(["blend", *map(str, arguments)]) == 2
    captured = capfd.readouterr()
    assert not captured.out and "Traceback" not in captured.err
    return captured.err


def test_blend_weights_are_fitted_saved_and_applied(
    corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    known, fresh = (files(tmp_path / "f", corpus, split) for split in ("train", "test"))
    saved = tmp_path / "BLEND"
    learn = ("--method", "weights", "--fit-on", corpus, "--split", "train", "--allow-leak")
    found = result_of(capfd, *known, *learn, "--save", saved)
    weights = [member["weight"] for member in found["members"]]
    assert found["method"] == "weights" and found["path"] is None
    assert weights[0] > weights[2] >= 0
    assert found["fitted"]["error"] <= found["fitted"]["error_of_mean"]
    used = result_of(capfd, *fresh, "--with", saved, "--out", tmp_path / "P", "--top-k", 3)
    assert [member["weight"] for member in used["members"]] == weights
    assert [member["file"] for member in used["members"]] == [str(path) for path in fresh]
    assert used["video_rows"] == len(read(tmp_path / "P")) > 0
    assert all(len(of) == 3 for of in read(tmp_path / "P").values())


def test_blend_table_lists_members_with_weights(
    corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    known = files(tmp_path / "f", corpus, "train")
    learn = ("--fit-on", corpus, "--split", "train", "--allow-leak", "--out", tmp_path / "P")
    for method, message in (("weights", "weight"), ("class-weights", "mean weight")):
        arguments = [*known, "--method", method, *learn, "--overwrite"]
        assert run(["blend", *map(str, arguments)]) == 0
        out = capfd.readouterr().out
        assert message in out and "mean squared error" in out
        assert out.index("model0") < out.index("model1") < out.index("model2")


def test_blend_defaults_to_the_mean(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    paths = [write(tmp_path / str(seed), drawn(seed)) for seed in range(2)]
    found = result_of(capfd, *paths, "--out", tmp_path / "P")
    assert found["method"] == "mean" and found["video_rows"] == 40 and found["fitted"] is None
    kept = (tmp_path / "P").read_bytes()
    assert "exists already" in error_of(capfd, *paths, "--out", tmp_path / "P")
    assert (tmp_path / "P").read_bytes() == kept


def test_blend_raises_for_contradicting_options(
    corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "p", drawn(0))
    out = ("--out", tmp_path / "P")
    assert "writes nothing" in error_of(capfd, path)
    assert "--fit-on DATA" in error_of(capfd, path, "--method", "weights", *out)
    assert "leave out --method" in error_of(capfd, path, "--with", "B", "--method", "mean", *out)
    assert "is no blend" in error_of(capfd, path, "--with", tmp_path, *out)
    assert "--top-k: must be at least 0" in error_of(capfd, path, *out, "--top-k", "-1")
    assert "at least one file" in error_of(capfd, *out)
    saved = tmp_path / "B"
    saved.mkdir()
    (saved / "something").touch()
    message = error_of(capfd, path, "--save", saved)
    assert "exists already" in message and "Choose another --save" in message
    message = error_of(capfd, path, "--out", path, "--overwrite")
    assert "is one of the blended files" in message and read(path) == drawn(0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--split", "test"), "--split: has no effect without --fit-on"),
        (("--train", "a*"), "--train: has no effect without --fit-on"),
        (("--allow-leak",), "--allow-leak: has no effect without --fit-on"),
        ((*TREES, "--solver", "sgd"), "--solver: has no effect without --method weights or"),
        (("--method", "weights", "--fit-on", "D", "--seed", 3), "--seed: has no effect without"),
        (("--method", "weights", "--fit-on", "D", "--sgd.epochs", 3), "without --solver sgd"),
        (("--method", "rank", "--trees.num-trees", 9), "effect without --method lightgbm"),
        (("--save", "B", "--top-k", 3), "--top-k: has no effect without --out"),
        (("--save", "B", "--overwrite"), "--overwrite: has no effect without --out"),
        ((*TREES, "--candidates", 3, "--trees.candidates", 4), "are the same option; give one"),
    ],
)
def test_blend_raises_for_options_without_effect(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], options: tuple[object, ...], message: str
) -> None:
    path, out = write(tmp_path / "p", drawn(0)), ("--out", tmp_path / "P")
    assert message in error_of(capfd, path, *options, *(() if "--save" in options else out))


def test_blend_warns_of_scores_on_fitted_videos(
    corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    known = files(tmp_path / "f", corpus, "train")
    learn = ("--method", "weights", "--fit-on", corpus, "--split", "train", "--allow-leak")
    for out in (("--out", tmp_path / "P"), ("--save", tmp_path / "B")):
        assert run(["blend", *map(str, (*known, *learn, *out))]) == 0
        message = capfd.readouterr().err
        assert ("that weights were fitted on are too high" in message) == (out[0] == "--out")


def test_blend_names_bad_files_and_writes_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    good = write(tmp_path / "good", drawn(0))
    text = tmp_path / "text"
    text.write_text("no")
    probs = tmp_path / "probs"
    table = pq.read_table(good)
    about = json.loads(table.schema.metadata[b"reeltag"]) | {"scores": "probability"}
    pq.write_table(table.replace_schema_metadata({b"reeltag": json.dumps(about)}), probs)
    nan, infinite = (
        write(tmp_path / name, drawn(0) | {("v3", -1): {0: value}})
        for name, value in (("nan", float("nan")), ("infinite", float("inf")))
    )
    for bad, message in (
        (tmp_path / "absent", "is not there"),
        (text, "cannot be read as Parquet"),
        (probs, "scores must be 'logit', got 'probability'"),
        (nan, "a score that is a number"),
        (infinite, "an infinite score"),
        (write(tmp_path / "other", drawn(0), num_classes=9), "has 9 classes"),
        (write(tmp_path / "few", drawn(0, count=3)), "lacks 37 of the 40 videos"),
        (write(tmp_path / "segments", drawn(0, start=0)), "segments"),
    ):
        error = error_of(capfd, good, bad, "--out", tmp_path / "P")
        assert message in error and str(bad) in error
        assert not list(tmp_path.glob("P*"))


def test_blend_raises_for_probabilities_stored_as_logits(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    probs = {key: {c: 1 / (1 + np.exp(-s)) for c, s in of.items()} for key, of in drawn(1).items()}
    good, bad = write(tmp_path / "good", drawn(0)), write(tmp_path / "bad", probs)
    message = error_of(capfd, good, bad, "--out", tmp_path / "P")
    assert str(bad) in message and "probabilities, it seems, where logits are needed" in message
    few = {key: probs[key] for key in list(probs)[:20]}  # so few may well be logits
    result_of(capfd, write(tmp_path / "few", few), "--out", tmp_path / "P")


def test_blend_needs_allow_leak_for_training_videos(
    corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    known = files(tmp_path / "f", corpus, "train")
    learn = ("--method", "weights", "--fit-on", corpus, "--split", "train")
    message = error_of(capfd, *known, *learn, "--out", tmp_path / "P")
    assert "--allow-leak" in message and "is of the split 'train'" in message


def test_mean_blend_does_not_depend_on_row_order(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    listed = drawn(1)
    keys = [list(listed)[at] for at in np.random.default_rng(0).permutation(len(listed))]
    first = write(tmp_path / "1", drawn(0))
    for name, rows in (("same", listed), ("mixed", {key: listed[key] for key in keys})):
        result_of(capfd, first, write(tmp_path / f"2{name}", rows), "--out", tmp_path / name)
    assert read(tmp_path / "same") == read(tmp_path / "mixed")
