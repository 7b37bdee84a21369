"""Names and keys of steps are recorded: whoever has begun a paper goes on with what is there.

A change of a name or key computes everybody's results again: never by accident. Where it is meant
(a `version` raised, a size of TINY changed), write folders.json again:

    python -m tests.papers.test_folders
"""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import pytest

from reeltag.data.dataset import Dataset
from reeltag.data.synth.corpus import write_corpus
from reeltag.papers import autohome2019, moments, oppo2019, samsung2018
from reeltag.papers.common.dataset_source import DatasetFiles, DatasetSource
from reeltag.papers.common.program import Program
from reeltag.pipeline.steps import Step, ordered

FILE = Path(__file__).parent / "folders.json"
PROGRAMS = (oppo2019.PROGRAM, autohome2019.PROGRAM, moments.PROGRAM, samsung2018.PROGRAM)


def synthetic_source(data: Dataset) -> DatasetSource:
    """Return a data set whose key is the same whatever the versions of numpy draw."""
    return DatasetSource(data.path, "synthetic", files=DatasetFiles(data.path))


def folders(program: Program, data: Path) -> list[str]:
    write_corpus(data, program.tiny_data, quiet=True)
    with patch(f"reeltag.papers.{program.name}.program.dataset_source", synthetic_source):
        goal = program.solve(Dataset.open(data, quiet=True), program.tiny)
    return sorted(node.folder_name for node in ordered(goal.steps) if isinstance(node, Step))


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_step_folders_stay_those_of_earlier_results(program: Program, tmp_path: Path) -> None:
    assert folders(program, tmp_path / "data") == json.loads(FILE.read_text())[program.name]


if __name__ == "__main__":
    with TemporaryDirectory() as temporary:
        found = {of.name: folders(of, Path(temporary) / of.name) for of in PROGRAMS}
    FILE.write_text(json.dumps(found, indent=1) + "\n")
