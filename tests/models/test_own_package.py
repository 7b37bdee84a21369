"""A package with a model of its own, installed by pip, works on the command line like ours."""

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch

import reeltag
from reeltag.cli.main import run
from reeltag.data.dataset import Dataset
from reeltag.models import Family, _registry, families, find_family, list_models
from reeltag.testing.models import CHECKS
from tests.processes import run_program

SOURCE = Path(__file__).parent.parent / "own_model_package"
DOCS = SOURCE.parent.parent / "docs" / "how-to" / "extending.md"
MODULE = "mean_and_max"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Install the package into a folder that Python imports from; its reeltag is this one."""
    folder = tmp_path_factory.mktemp("site")
    source = folder / "source"
    source.mkdir()
    for file in ("pyproject.toml", f"{MODULE}.py"):  # pip builds next to them
        (source / file).write_text((SOURCE / file).read_text())
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    pip += ["--no-build-isolation", "--disable-pip-version-check"]
    run_program([*pip, "--target", folder / "lib", source])
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder / "lib")
        patch.setattr(_registry, "_registered", {})
        _registry._installed.cache_clear()
        yield folder
    sys.modules.pop(MODULE, None)
    _registry._installed.cache_clear()


@pytest.fixture(scope="module")
def trained(installed: Path, corpus: Path) -> Path:
    """Return a run folder of the package's model, by the command line."""
    out = installed / "run"
    command = ["train", "mean_and_max_1024", "--data", str(corpus), "--out", str(out)]
    assert run([*command, "--max-steps", "3", "--model.hidden", "24"]) == 0
    return out


def test_own_model_is_listed_with_its_variants(
    installed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    variants = ["mean_and_max_1024", "mean_and_max_256"]
    assert list_models("mean*") == [MODULE, *variants] and len(families()) == 36
    assert run(["models", MODULE, "--json"]) == 0
    (own,) = json.loads(capsys.readouterr().out)["families"]
    assert sorted(of["name"] for of in own["variants"]) == variants
    assert own["help"]["hidden"] == "Units of the hidden layer."
    assert run(["models", "mean_and_max_256"]) == 0
    assert "--batch-size 8 --learning-rate 0.01" in " ".join(capsys.readouterr().out.split())


def test_own_model_trains_and_its_run_names_it(trained: Path) -> None:
    config = json.loads((trained / "config.json").read_text())
    assert config["family"] == MODULE and config["model"]["hidden"] == 24
    assert config["recipe"]["batch_size"] == 8


def test_own_model_loads_and_predicts(
    trained: Path, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tagger = reeltag.load(trained)
    assert type(tagger.model).__name__ == "MeanAndMax" and len(tagger.class_names) == 8
    predicted = tmp_path / "P.parquet"
    command = ["predict", str(trained), "--data", str(corpus), "--out", str(predicted)]
    assert run([*command, "--json"]) == 0
    assert predicted.is_file()


def test_own_model_exports(trained: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    out = tmp_path / "model.onnx"
    assert run(["export", str(trained), "--out", str(out)]) == 0
    assert out.is_file()


def test_programs_of_the_docs_run(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rng: torch.Generator
) -> None:
    monkeypatch.setattr(_registry, "_registered", {})
    blocks = re.findall(r"```python\n(.*?)```", DOCS.read_text(), flags=re.DOTALL)
    module = ModuleType("my_net")
    monkeypatch.setitem(sys.modules, "my_net", module)
    vars(module).update(data=Dataset.open(corpus), out=tmp_path / "run")
    for block in blocks[:-1]:  # the last one logs to a service
        exec(block, vars(module))
    assert json.loads((tmp_path / "run" / "config.json").read_text())["family"] == "my_net:Config"


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_own_model_keeps_the_contract(
    check: Callable[[Family, torch.Generator], None], installed: Path, rng: torch.Generator
) -> None:
    check(find_family(MODULE), rng)
