"""docs/reference/onnx.md: its tables against an exported graph, its blocks as they are typed."""

import json
import re
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

import hubconf
from reeltag.deploy.export import export
from reeltag.deploy.export_config import ExportConfig
from reeltag.deploy.graph import OPSET
from reeltag.deploy.sources import load_source
from reeltag.tagger.tagger import Tagger
from tests.conftest import PROJECT
from tests.deploy.synthetic_runs import run_of, tagger_of
from tests.docs.blocks import python_blocks, run_block

PAGE = "reference/onnx.md"
TEXT = (PROJECT / "docs" / PAGE).read_text(encoding="utf-8")
RUNTIME, HUB = python_blocks(PAGE)
NUM_CLASSES, WIDTH, TOP_K = 5, 8, 3
AXES = {"D": WIDTH, "C": NUM_CLASSES, "K": TOP_K}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with RUN and model.onnx, its graph."""
    folder = tmp_path_factory.mktemp("deployed")
    run = run_of(tagger_of("early_concat_fcn"), folder / "RUN", data={"splits": {}})
    export(load_source(run), folder / "model.onnx", ExportConfig(top_k=TOP_K))
    return folder


def table_of(name: str) -> list[list[str]]:
    """Return the cells of a table of the page, without its header."""
    found = re.search(rf"<!-- contract: {name} -->\n((?:\|.*\n)+)", TEXT)
    assert found, name
    rows = [line.strip("|").split(" | ") for line in found[1].splitlines()[2:]]
    return [[cell.strip() for cell in row] for row in rows]


def quoted(cell: str) -> list[str]:
    """Return what a cell has in backticks."""
    return re.findall(r"`([^`]+)`", cell)


def axes_of(cell: str) -> list[str | int]:
    """Return a shape as onnxruntime has it."""
    names = [name.strip().strip("`") for name in cell.split(",")]
    return [AXES.get(name, name) for name in names]


def type_of(text: str) -> str:
    return text.removeprefix("tensor(").removesuffix(")").replace("float", "float32")


@pytest.mark.parametrize("side", ["inputs", "outputs"])
def test_page_has_names_types_and_shapes_of_the_graph(side: str, folder: Path) -> None:
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"))
    values = session.get_inputs() if side == "inputs" else session.get_outputs()
    rows = table_of(side)
    assert [quoted(row[0])[0] for row in rows] == [value.name for value in values]
    for row, value in zip(rows, values, strict=True):
        assert type_of(value.type) in quoted(row[1])
        assert axes_of(row[2]) == value.shape
    assert f"opset {OPSET}" in TEXT


def test_page_has_the_keys_of_the_metadata(folder: Path) -> None:
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"))
    metadata = session.get_modelmeta().custom_metadata_map
    assert {key for row in table_of("metadata") for key in quoted(row[0])} == set(metadata)
    about = json.loads(metadata["reeltag"])
    assert {key for row in table_of("reeltag") for key in quoted(row[0])} == set(about)


def test_onnxruntime_alone_gives_tags(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    left = run_block(RUNTIME, PAGE)
    tagger = Tagger.load(folder / "RUN")
    own = tagger.predict(np.zeros((30, WIDTH), np.uint8), top_k=TOP_K)
    assert [name for name, _ in left["tags"]] == [tag.name for tag in own]
    np.testing.assert_allclose([p for _, p in left["tags"]], [tag.prob for tag in own], atol=1e-5)


@pytest.mark.system
def test_torch_hub_loads_taggers_and_models(folder: Path) -> None:
    offered = {name for name, of in vars(hubconf).items() if callable(of) and name[0] != "_"}
    assert offered == {"tagger", "model"}  # as torch.hub counts them
    block = HUB.replace('"PROJECT"', repr(str(PROJECT))).replace('"RUN"', repr(f"{folder}/RUN"))
    left = run_block(block, PAGE)
    frames = torch.randint(0, 256, (2, 7, WIDTH), dtype=torch.uint8)
    mask = torch.ones(2, 7, dtype=torch.bool)
    torch.testing.assert_close(
        left["tagger"](frames, mask), Tagger.load(folder / "RUN")(frames, mask)
    )
    assert left["model"](torch.zeros(2, 7, 1152)).shape == (2, 10)
