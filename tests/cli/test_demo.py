"""`reeltag demo`: the commands that it types, what it skips, and (slow) that they work."""

import json
import shlex
from pathlib import Path

import pytest

from reeltag.cli import main
from reeltag.cli.demo import Demo
from reeltag.cli.demo_folder import DemoFolder
from reeltag.core.errors import ReeltagError


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Return the commands that were typed; each makes the file or folder that it names."""
    commands: list[list[str]] = []

    def run(arguments: list[str]) -> int:
        commands.append(arguments)
        command, place = arguments[0], Path(arguments[1])
        for flag in ("--out", "--csv"):
            if flag in arguments:
                place = Path(arguments[arguments.index(flag) + 1])
                if place.suffix:
                    place.touch()
                else:
                    place.mkdir(exist_ok=True)
        if command in ("synth-films", "synth"):
            place.mkdir()
        elif command in ("weak-labels", "ratings"):
            (place / {"weak-labels": "labels.csv", "ratings": "ratings.csv"}[command]).touch()
        elif command == "solve":
            (place / "finder-final-0" / "run").mkdir(parents=True, exist_ok=True)
        elif command == "train" and "--resume" not in arguments:
            (place / "config.json").touch()
        return 0

    monkeypatch.setattr(main, "run", run)
    return commands


def test_demo_goes_from_films_to_a_page(typed: list[list[str]], tmp_path: Path) -> None:
    out = tmp_path / "a demo"
    assert Demo(out=out, films=12).run() == 0
    names = ["synth-films", "extract", "weak-labels", "ratings", "info", "solve", "moments"]
    assert [command[0] for command in typed] == [*names, "report"]
    moments, report = typed[-2:]
    assert moments[1] == str(out / "work")
    assert report[report.index("--events") + 1] == str(out / "films" / "moments.csv")
    first = len(typed)
    Demo(out=out).run()
    assert [command[0] for command in typed[first:]] == ["extract", "info", "solve", "report"]


def test_demo_ends_with_the_command_that_serves_it(
    typed: list[list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a demo"
    Demo(out=out).run()
    last = capsys.readouterr().err.splitlines()[-1]
    assert shlex.split(last) == ["reeltag", "serve", str(out), "--open"]


def test_folder_of_a_demo_is_known(tmp_path: Path) -> None:
    folder = DemoFolder(tmp_path)
    assert not folder.is_one and not folder.is_solved
    folder.data.mkdir()
    (folder.data / "features.json").touch()
    assert folder.is_one and not folder.is_solved
    folder.work.mkdir()
    (folder.work / "moments.json").touch()
    assert folder.is_solved
    (tmp_path / "features.json").touch()  # a data set with a folder `data` in it
    assert not folder.is_one


def test_demo_of_features_resumes_a_training(typed: list[list[str]], tmp_path: Path) -> None:
    Demo(out=tmp_path, features=True).run()
    assert [command[0] for command in typed] == [
        *("synth", "info", "train", "predict", "evaluate", "report")
    ]
    first = len(typed)
    Demo(out=tmp_path, features=True).run()  # it made no metrics.json: it was stopped
    again = typed[first:]
    assert [command[0] for command in again] == ["info", "train", "evaluate"]
    assert "--resume" in again[1]


def test_demo_ends_where_a_command_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(main, "run", lambda _: 2)
    with pytest.raises(ReeltagError, match="`reeltag synth-films .* ended with status 2"):
        Demo(out=tmp_path).run()
    monkeypatch.setattr(main, "run", lambda _: 130)
    with pytest.raises(KeyboardInterrupt):
        Demo(out=tmp_path).run()


def test_demo_commands_are_options_that_there_are(typed: list[list[str]], tmp_path: Path) -> None:
    """Parsed by the commands themselves, which would say --help for one that is unknown."""
    Demo(out=tmp_path / "films").run()
    Demo(out=tmp_path / "features", features=True).run()
    import tyro

    for name, *rest in typed:
        command = getattr(__import__(main.module_of(name), fromlist=["x"]), main.COMMANDS[name][0])
        parsed = (
            command.parse(rest)
            if hasattr(command, "parse")
            else tyro.cli(command, args=rest, prog=shlex.join([name, *rest]))
        )
        assert parsed is not None


@pytest.mark.slow
def test_demo_finds_moments_in_films(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main.run(["demo", str(tmp_path / "demo"), "--films", "30", "--json"]) == 0
    scores = json.loads(capfd.readouterr().out)
    assert scores["map@tiou=0.5"] > 0.2
    page = (tmp_path / "demo" / "moments.html").read_text()
    assert "Found moments" in page and "Synthetic data." in page and "<image" in page
