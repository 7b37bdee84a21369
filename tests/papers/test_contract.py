"""What every solution must do. A new one is tested by being listed, no more."""

import dataclasses
import json
from pathlib import Path

import docstring_parser
import pytest

from reeltag import papers
from reeltag.cli.main import run
from reeltag.cli.solve import Options
from reeltag.data.synth.corpus import write_corpus
from reeltag.papers import SOLUTIONS
from reeltag.papers.common.contract import SolutionModule
from reeltag.papers.common.header import about, solution_name
from reeltag.pipeline.steps import ordered
from tests.papers import made2019
from tests.papers.conftest import TinyRun

ALL: tuple[SolutionModule, ...] = (*SOLUTIONS, made2019)

every_solution = pytest.mark.parametrize("solution", ALL, ids=solution_name)


@every_solution
def test_its_header_is_whole(solution: SolutionModule) -> None:
    told = about(solution)
    assert told.title.endswith(".") and told.name in told.run and "--tiny" in told.try_


@every_solution
def test_each_option_has_a_sentence_and_is_no_flag_of_the_command(
    solution: SolutionModule,
) -> None:
    names = {field.name for field in dataclasses.fields(solution.Config)}
    assert not names & {field.name for field in dataclasses.fields(Options)}
    described = docstring_parser.parse_from_object(solution.Config).params
    assert {param.arg_name for param in described if param.description} == names
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(solution.TINY, next(iter(names)), None)


@every_solution
def test_tiny_runs_to_its_tables_and_again_runs_nothing(
    solution: SolutionModule,
    tiny_run: TinyRun,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(papers, "SOLUTIONS", ALL)
    work, first = tiny_run(solution_name(solution))
    result = json.loads(first)
    assert all((Path(made["folder"]) / "step.json").is_file() for made in result["steps"])
    assert any(
        figure is not None
        for table in result["tables"]
        for line in table["lines"]
        for figure in line["ours"]
    )
    capfd.readouterr()
    assert run(["solve", solution_name(solution), "--tiny", "--out", str(work), "--json"]) == 0
    captured = capfd.readouterr()
    assert captured.out == first and "[1/" not in captured.err


@every_solution
def test_the_graph_is_the_same_each_time_it_is_built(
    solution: SolutionModule, tmp_path: Path
) -> None:
    write_corpus(tmp_path / "data", solution.TINY_DATA, quiet=True)
    keys = [
        [node.key for node in ordered(solution.solve(tmp_path / "data", solution.TINY).steps)]
        for _ in range(2)
    ]
    assert keys[0] == keys[1]
