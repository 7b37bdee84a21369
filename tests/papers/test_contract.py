"""What every program must do. A new one is tested by being listed, no more."""

import dataclasses
import json
from pathlib import Path

import docstring_parser
import pytest

import reeltag
from reeltag import papers
from reeltag.cli.main import run
from reeltag.cli.solve import SolveOptions
from reeltag.core.errors import ConfigError, ReeltagError
from reeltag.data.dataset import Dataset
from reeltag.data.synth.corpus import write_corpus
from reeltag.papers import PROGRAMS
from reeltag.papers.common.program import Program, program_named
from reeltag.pipeline.planning import plan
from reeltag.pipeline.steps import ordered
from tests.papers import synthetic2019
from tests.papers.conftest import TinyRun

ALL: tuple[Program, ...] = (*PROGRAMS, synthetic2019.PROGRAM)

every_program = pytest.mark.parametrize("program", ALL, ids=lambda program: program.name)


@every_program
def test_program_describes_itself_under_a_unique_name(program: Program) -> None:
    texts = (program.title, program.paper, program.needs, program.cost, program.reaches)
    assert all(texts) and program.departs and program.title.endswith(".")
    assert program_named(program.name, ALL) is program


@every_program
def test_option_has_a_sentence_and_is_no_flag_of_the_command(program: Program) -> None:
    names = {field.name for field in dataclasses.fields(program.config)}
    assert not names & {field.name for field in dataclasses.fields(SolveOptions)}
    described = docstring_parser.parse_from_object(program.config).params
    assert {param.arg_name for param in described if param.description} == names
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(program.tiny, next(iter(names)), None)


@pytest.mark.system
@every_program
def test_tiny_run_fills_its_tables_and_runs_nothing_again(
    program: Program,
    tiny_run: TinyRun,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(papers, "PROGRAMS", ALL)
    work, first = tiny_run(program.name)
    result = json.loads(first)
    assert all((Path(step["folder"]) / "step.json").is_file() for step in result["steps"])
    assert any(
        figure is not None
        for table in result["tables"]
        for line in table["lines"]
        for figure in line["ours"]
    )
    capfd.readouterr()
    assert run(["solve", program.name, "--tiny", "--out", str(work), "--json"]) == 0
    captured = capfd.readouterr()
    assert captured.out == first and "[1/" not in captured.err


@pytest.mark.system
@every_program
def test_work_is_the_run_that_the_program_is_for(program: Program, tiny_run: TinyRun) -> None:
    work, printed = tiny_run(program.name)
    run_folder = json.loads(printed)["run"]
    if run_folder is None:
        with pytest.raises(ReeltagError, match="is the WORK of `reeltag solve`|is not a run"):
            reeltag.load(work)
        return
    assert (work / run_folder).is_dir()
    assert reeltag.load(work).family == reeltag.load(work / run_folder).family


@every_program
def test_graph_is_the_same_each_time_and_its_cost_is_known(
    program: Program, tmp_path: Path
) -> None:
    write_corpus(tmp_path / "data", program.tiny_data, quiet=True)
    data = Dataset.open(tmp_path / "data", quiet=True)
    goals = [program.solve(data, program.tiny) for _ in range(2)]
    one, other = ([node.key for node in ordered(goal.steps)] for goal in goals)
    assert one == other
    planned = plan(goals[0].steps, tmp_path / "work")
    assert 0 < planned.seconds < 60 and planned.bytes > 0
    assert planned.unknown == 0 or program.name == "synthetic2019"


def test_wrong_program_name_lists_close_ones() -> None:
    with pytest.raises(ConfigError, match="Did you mean synthetic2019?"):
        program_named("synthetic2018", [synthetic2019.PROGRAM])
    with pytest.raises(ConfigError, match="There are: synthetic2019"):
        program_named("zzz", [synthetic2019.PROGRAM])
