"""The command line itself: help, errors without traceback, exit statuses, lists of models."""

import json
import sys
from importlib import import_module
from pathlib import Path

import pytest

import reeltag
from reeltag.cli.main import COMMANDS, main, module_of, run
from reeltag.core.fields import leaves
from reeltag.models import nextvlad
from reeltag.training.config import Recipe
from tests.processes import run_program


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(f"  {name} " in out for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_command_has_help_of_its_own(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([name, "--help"])
    assert caught.value.code == 0
    assert name in capsys.readouterr().out


@pytest.mark.parametrize("name", COMMANDS)
def test_command_docstring_describes_it(name: str) -> None:
    assert import_module(module_of(name)).__doc__


def test_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.strip() == reeltag.__version__


def test_missing_and_unknown_commands_have_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 2 and run(["fly"]) == 2
    assert "there is no command 'fly'" in capsys.readouterr().err


def test_error_is_logged_without_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["info", str(tmp_path / "nowhere")]) == 2
    captured = capsys.readouterr()
    assert "error:" in captured.err and "nowhere" in captured.err
    assert "Traceback" not in captured.err and not captured.out
    assert run(["info", str(tmp_path / "nowhere"), "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", ["--help", "train --help", "train --help-all", "import-weights --help"]
)
def test_help_does_not_wait_for_torch(command: str) -> None:
    program = "import sys; from reeltag.cli.main import main\n"
    program += f"try: main({command.split()!r})\n"
    program += "except SystemExit as end: print(end.code, "
    program += "{'torch', 'lightning', 'joblib'} & {*sys.modules})"
    done = run_program([sys.executable, "-c", program])
    assert done.stdout.splitlines()[-1] == "0 set()"


def flags_in(text: str) -> set[str]:
    return {line.split()[0].rstrip(",") for line in text.splitlines() if line.startswith("  --")}


@pytest.mark.parametrize("command", ["train", "tune"])
def test_help_shows_basic_options_and_help_all_shows_every_flag(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = []
    for flag in ("--help", "--help-all"):
        with pytest.raises(SystemExit) as caught:
            main([command, "nextvlad", flag])
        assert caught.value.code == 0
        texts.append(capsys.readouterr().out)
    basic, every = map(flags_in, texts)
    assert 20 <= len(basic - {flag for flag in basic if flag.startswith("--model.")}) <= 32
    assert f"--help-all shows {len(every) - len(basic)} more." in texts[0] and basic < every
    recipe = {f"--{of.flag.replace('_', '-')}" for of in leaves(Recipe)}
    sizes = {f"--model.{of.flag.replace('_', '-')}" for of in leaves(nextvlad.Config)}
    assert recipe | sizes - {"--model.num-classes", "--model.dims"} <= every
    assert not every & {"--model.num-classes", "--model.dims"}


def test_help_of_a_model_shows_its_authors_recipe_and_what_is_allowed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["train", "nextvlad_8g_k112_r16", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "--batch-size INT Videos a step, over all devices together. (an integer >= 1;" in text
    assert "default 160)" in text and "--model.reduction INT" in text and "default 16)" in text
    assert "NeXtVLAD: widened frames" in text and "arXiv:1811.05014" in text


def test_tiny_training_from_the_command_line(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", "nextvlad", "--data", str(corpus), "--out", str(tmp_path / "run"), "--tiny"]
    assert run([*command, "--max-steps", "6", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["steps"] == 6 and result["run"] == str(tmp_path / "run")
    again = ["train", "--config", str(tmp_path / "run" / "config.json"), "--json"]
    assert run([*again, "--out", str(tmp_path / "again")]) == 0
    repeated = json.loads(capsys.readouterr().out)
    assert repeated["best"] == result["best"]


def test_unknown_flag_has_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["synth", "x", "--colour", "red"])
    assert caught.value.code == 2 and "--colour" in capsys.readouterr().err


def test_frame_preparation_options_replace_the_authors(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", "moe", "--data", str(corpus), "--out", str(tmp_path / "run"), "--tiny"]
    assert run([*command, "--max-steps", "1", "--preprocessing.normalise", "streams"]) == 0
    again = ["train", "--config", str(tmp_path / "run"), "--out", str(tmp_path / "again")]
    assert run(again) == 0
    for out in ("run", "again"):
        config = json.loads((tmp_path / out / "config.json").read_text())
        assert config["preprocessing"]["normalise"] == "streams"
    capsys.readouterr()
