"""Folders of steps, known by heart: who has begun a paper goes on with what is there.

A change of a name or key computes everybody's results again: never by accident. Where it is meant
(a `version` raised, a size of TINY changed), folders.json is written again.
"""

import json
from pathlib import Path
from types import ModuleType

import pytest

from reeltag.data.index import Index
from reeltag.data.synth.corpus import write_corpus
from reeltag.papers.autohome2019 import program as autohome2019
from reeltag.papers.moments import program as moments
from reeltag.papers.oppo2019 import program as oppo2019
from reeltag.pipeline.steps import Source, Step, ordered, source

KNOWN = json.loads((Path(__file__).parent / "folders.json").read_text())


@pytest.mark.parametrize("solution", [oppo2019, autohome2019, moments], ids=lambda m: m.__name__)
def test_names_and_keys_of_all_steps_are_those_of_the_first_results(
    solution: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(data: Path, index: Index) -> Source:
        return source(data, "made")  # whatever the versions of numpy draw

    monkeypatch.setattr(solution, "data_source", made)
    write_corpus(tmp_path / "data", solution.TINY_DATA, quiet=True)
    goal = solution.solve(tmp_path / "data", solution.TINY)
    folders = {node.folder_name for node in ordered(goal.steps) if isinstance(node, Step)}
    assert folders == set(KNOWN[solution.__name__.split(".")[-2]])
