"""`reeltag export`, and `reeltag predict` with what it makes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reeltag.cli.main import run
from reeltag.data.synth.config import SynthConfig
from reeltag.data.synth.corpus import write_corpus
from reeltag.deploy import export
from reeltag.ensembling.blend_model import BlendModel
from reeltag.ensembling.members import EnsembleMember
from reeltag.predictions.file import open_predictions
from tests.cli.moment_runs import untrained_tagger
from tests.deploy.synthetic_runs import run_of, traced

CORPUS = SynthConfig(videos=30, classes=12, rgb=16, audio=8, min_frames=3, max_frames=33)
SPLITS = {"train": "", "validate": "train0000", "test": "validate*", "holdout": 0.1}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "corpus"
    write_corpus(path, CORPUS, quiet=True)
    return path


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run folder as `reeltag train` leaves it, whose test split was validate*."""
    folder = tmp_path_factory.mktemp("run") / "RUN"
    return run_of(untrained_tagger(), folder, data={"splits": SPLITS})


@pytest.fixture(scope="module", autouse=True)
def traced_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "graph_of", traced)
        yield


@pytest.fixture(scope="module")
def model(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "model.onnx"
    assert run(["export", str(checkpoint), "--out", str(out), "--top-k", "3"]) == 0
    return out


def json_of(capfd: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    """Run a command with --json and return its result."""
    capfd.readouterr()
    assert run([*map(str, arguments), "--json"]) == 0
    out = capfd.readouterr().out
    assert out.count("\n") == 1
    result: dict[str, Any] = json.loads(out)
    return result


@pytest.mark.parametrize(
    "options", [(), ("--segments", "--candidates", "4", "--per-class", "3")], ids=["videos", "all"]
)
def test_predict_takes_an_exported_graph(
    data: Path, checkpoint: Path, model: Path, tmp_path: Path, options: tuple[str, ...],
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    common = ("--data", data, "--top-k", "7", *options, "--device", "cpu")
    results = []
    for name, source in (("run", checkpoint), ("onnx", model)):
        out = tmp_path / f"{name}.parquet"
        results.append(json_of(capfd, "predict", source, "--out", out, *common))
    assert results[0]["videos"] == results[1]["videos"] > 0  # the test split of the training
    mine, theirs = (open_predictions(tmp_path / f"{name}.parquet") for name in ("onnx", "run"))
    assert mine.info.family == "logistic" and mine.info.run == str(model.resolve())
    for kind in ("videos", "segments"):
        for ours, other in zip(mine.rows(kind), theirs.rows(kind), strict=True):
            assert ours.ids.equals(other.ids)
            np.testing.assert_array_equal(ours.classes, other.classes)
            np.testing.assert_allclose(ours.scores, other.scores, rtol=1e-4, atol=1e-5)


def test_export_with_data_prints_gap_before_and_after(
    data: Path, checkpoint: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "model.onnx"
    command = ("export", checkpoint, "--out", out, "--data", data, "--split", "test")
    result = json_of(capfd, *command, "--videos", "2", "--top-k", "3")
    assert result["path"] == str(out) and result["bytes"] == out.stat().st_size
    assert result["max_difference"] < 1e-5 and result["videos"] == 2
    # float sums in another order: two classes may at most swap
    assert result["gap_before"] == pytest.approx(result["gap_after"], abs=1e-3)
    assert 0 < result["gap_before"] < 1


def test_export_of_a_mean_prints_gap_by_the_rule_of_files(
    data: Path, checkpoint: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    member = EnsembleMember(family="logistic", run=str(checkpoint), listed=3)
    BlendModel(method="mean", members=(member,), num_classes=12).save(tmp_path / "BLEND")
    command = ("export", tmp_path / "BLEND", "--data", data, "--split", "test", "--out")
    result = json_of(capfd, *command, tmp_path / "a.onnx")
    assert result["gap_before"] == pytest.approx(result["gap_after"], abs=1e-3)
    assert result["gap_of_files"] > 0 and result["gap_of_files"] != result["gap_before"]
    assert run([*map(str, command), str(tmp_path / "b.onnx")]) == 0
    found = capfd.readouterr().out
    assert f"{result['gap_of_files']:.5f} blended by the rule of files; " in found


def error_of(capfd: pytest.CaptureFixture[str], *arguments: object) -> str:
    capfd.readouterr()
    assert run([*map(str, arguments)]) == 2
    return capfd.readouterr().err


def test_export_of_wrong_source_is_an_error(
    data: Path, checkpoint: Path, model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = ("--out", tmp_path / "m.onnx", "--top-k", "3")
    assert "the model takes" in error_of(capfd, "export", checkpoint, *out, "--max-bytes", "1kB")
    assert "is an exported model already" in error_of(capfd, "export", model, *out)
    assert "is not a run folder" in error_of(capfd, "export", tmp_path, *out)
    bf16 = ("--out", tmp_path / "p.parquet", "--precision", "bf16")
    assert "computes in fp32" in error_of(capfd, "predict", model, "--data", data, *bf16)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (("--codebook", "kmeans"), "--codebook: has no effect without --precision uint8"),
        (("--split", "test"), "--split: has no effect without --data"),
        (("--videos", "3"), "--videos: has no effect without --data"),
        (("--test", "a*"), "--test: has no effect without --data"),
    ],
)
def test_export_options_without_effect_are_an_error(
    checkpoint: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str],
    options: tuple[str, ...], what: str,
) -> None:  # fmt: skip
    assert what in error_of(capfd, "export", checkpoint, "--out", tmp_path / "m.onnx", *options)
