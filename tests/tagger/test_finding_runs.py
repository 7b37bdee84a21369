"""Which run a path names: a run folder, a graph, or the WORK of `reeltag solve`."""

import json
from pathlib import Path

import pytest

from reeltag.core.errors import ConfigError
from reeltag.tagger.run_files import find_run


def add_run(work: Path, step: str) -> Path:
    run = work / step / "run"
    run.mkdir(parents=True)
    (run / "config.json").write_text("{}")
    return run


def name_run(work: Path, program: str, run: str | None) -> None:
    (work / f"{program}.json").write_text(json.dumps({"program": program, "run": run}))


def test_work_is_the_run_that_its_program_names(tmp_path: Path) -> None:
    add_run(tmp_path, "train-I-0")
    run = add_run(tmp_path, "finder-final-1")
    (tmp_path / "labels.json").write_text(json.dumps({"run": "elsewhere"}))  # of no program
    (tmp_path / "damaged.json").write_text("{")
    (tmp_path / "list.json").write_text("[1]")
    name_run(tmp_path, "oppo2019", None)  # it makes predictions, not a run
    name_run(tmp_path, "moments", "finder-final-1/run")
    assert find_run(tmp_path) == run and find_run(str(tmp_path)) == run


@pytest.mark.parametrize("name", ["run", "model.onnx", "absent", "empty"])
def test_other_paths_are_as_they_are(tmp_path: Path, name: str) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").touch()
    (tmp_path / "run" / "metrics.json").write_text(json.dumps({"program": "p", "run": "else"}))
    (tmp_path / "model.onnx").touch()
    (tmp_path / "empty").mkdir()
    assert find_run(tmp_path / name) == tmp_path / name


def test_several_programs_in_a_work_are_an_error_that_names_the_last_run(tmp_path: Path) -> None:
    last = add_run(tmp_path, "b")
    name_run(tmp_path, "moments", "a/run")  # which `solve --clean` has removed
    name_run(tmp_path, "samsung2018", "b/run")
    with pytest.raises(ConfigError, match="with 2 runs") as error:
        find_run(tmp_path)
    assert error.value.hint == f"Give one of them; the last that was made is {last}."


def test_work_without_a_result_that_names_a_run_is_an_error(tmp_path: Path) -> None:
    last = add_run(tmp_path, "train-I-0")
    with pytest.raises(ConfigError, match="with 1 run\n") as error:
        find_run(tmp_path)
    assert error.value.hint == f"Give one of them; the last that was made is {last}."
