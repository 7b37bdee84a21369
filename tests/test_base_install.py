"""The base install: all starts without an extra, and what needs one names it in one error."""

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from benchmarks.packages import FOR_DEVELOPERS, distributions
from reeltag.cli.main import COMMANDS
from tests import base_program
from tests.base_program import BASE, FEATURES
from tests.processes import run_program

pytestmark = pytest.mark.system
ROOT = Path(__file__).parent.parent
HEAVY = {"faiss-cpu", "lightgbm", "matplotlib", "onnx", "onnxruntime", "ray", "scikit-learn"}
# of these some modules, or all, are behind an extra that their callers look for
BEHIND_EXTRAS = {"deploy", "encoders", "ensembling", "figures", "library", "pipeline", "report"}
BEHIND_EXTRAS |= {"server", "tagger", "training"}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a process without any extra found."""
    command = [sys.executable, "-m", base_program.__name__, str(tmp_path_factory.mktemp("base"))]
    variables = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = run_program(command, environment=variables, cwd=ROOT)
    read: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return read


def test_base_installs_none_of_the_heavy_packages() -> None:
    base = distributions()
    assert {"torch", "lightning", "numpy", "pyarrow"} <= base
    assert not base & HEAVY


def test_every_extra_has_a_feature_that_is_tried_without_it() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        offered = tomllib.load(file)["project"]["optional-dependencies"]
    assert FEATURES.keys() == offered.keys() - FOR_DEVELOPERS - {"all"}


def test_module_of_the_base_imports_without_any_extra(found: dict[str, Any]) -> None:
    packages = {name.split(".")[1] for name in found["errors"]}
    assert packages == BEHIND_EXTRAS
    modules = ("reeltag._api", "reeltag.deploy.sources", "reeltag.training.fit")
    assert not found["errors"].keys() & set(modules)


@pytest.mark.parametrize("name", COMMANDS)
def test_command_shows_its_help_without_any_extra(found: dict[str, Any], name: str) -> None:
    assert found["help"][name] == [0, ""]


@pytest.mark.parametrize("words", BASE)
def test_command_of_the_base_works_without_any_extra(found: dict[str, Any], words: str) -> None:
    assert found["base"][words][0] == 0, found["base"][words][1]


@pytest.mark.parametrize(
    ("extra", "words"), [(extra, words) for extra, lines in FEATURES.items() for words in lines]
)
def test_feature_without_its_extra_names_it_in_one_error(
    found: dict[str, Any], extra: str, words: str
) -> None:
    status, said = found["features"][extra][words]
    assert status == 2
    assert said.count("error:") == 1 and "should not happen" not in said
    assert f"pip install 'reeltag[{extra}]'" in said
