"""`reeltag tune`: what is searched, a study, its picture, and the command that trains the best."""

import json
import shlex
from pathlib import Path

import pytest

pytest.importorskip("optuna", reason="optuna is not installed (pip install 'reeltag[tune]')")

from reeltag.cli.main import run
from reeltag.cli.train import Train
from reeltag.models import resnet_like
from reeltag.tagger.run_files import read_config
from reeltag.training.run_folder import read_recipe


def test_tune_dry_run_shows_the_search_space(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["tune", "resnet_like", "--dry-run", "--model.dropout", "0.2", "--space",
                "inner=64:128", "gate=true,false"]) == 0  # fmt: skip
    out = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "--model.inner 64 to 128 2048" in lines and "--model.gate True | False False" in lines
    assert "dropout" not in out
    assert run(["tune", "resnet_like", "--dry-run", "--json"]) == 0
    assert "model.dropout" in json.loads(capsys.readouterr().out)["space"]


def test_tune_ends_in_a_command_that_trains_the_best_again(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "study"
    words = ["tune", "resnet_like", "--tiny", "--data", str(corpus), "--out", str(out)]
    words += ["--max-steps", "3", "--validate-every", "3", "--model.gate"]
    assert run([*words, "--trials", "2"]) == 0
    captured = capsys.readouterr()
    assert "[2/2] complete" in captured.err and "best: trial" in captured.out
    assert run([*words, "--trials", "3", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [of["state"] for of in found["trials"]] == ["complete"] * 3
    best = out / f"trial-{found['best']:04d}"
    assert found["trials"][found["best"]]["run"] == str(best)
    command = shlex.split(found["command"])
    assert command[:2] == ["reeltag", "train"]
    parsed = Train.parse(command[2:])
    assert isinstance(parsed, Train) and isinstance(parsed.options.model, resnet_like.Config)
    config = read_config(best)
    assert parsed.options.recipe == read_recipe(config)
    trained = config["model"]["config"] if "config" in config["model"] else config["model"]
    mine = parsed.options.model
    names = ("inner", "stream_blocks", "concat_blocks", "dropout", "gate")
    assert mine.gate and all(getattr(mine, name) == trained[name] for name in names)
    assert (out / "study.svg").read_text().startswith("<?xml")
    lines = (out / "trials.csv").read_text().splitlines()
    assert len(lines) == 4 and lines[0].startswith("trial,state,value,seconds,model.inner")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["resnet_like"], "give the data with --data DATA and the study with --out STUDY"),
        (["resnet_like", "--trials", "0"], "--trials: must be >= 1, got 0"),
        (["resnet_lik"], "Did you mean resnet_like"),
        (["--data", "x"], "the name of a model must come first"),
        (["resnet_like", "--space", "inner=a"], "model.inner must be a whole number"),
    ],
)
def test_tune_wrong_options_are_errors_before_training(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["tune", *words]) == 2
    assert message in capsys.readouterr().err
