"""Exported graphs: output, metadata, size, errors, and that no partial file is left."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir
import onnxruntime
import pytest
import torch

from reeltag.core.errors import ConfigError, DataError, OutputError
from reeltag.deploy import export as module
from reeltag.deploy.export import export, format_export
from reeltag.deploy.export_config import ExportConfig
from reeltag.deploy.packing import budget_of, pack
from reeltag.deploy.sources import ExportSource, load_source
from reeltag.models import families
from reeltag.tagger.onnx import OnnxTagger, config_of, stamp
from reeltag.tagger.tagger import Tagger
from tests.deploy.synthetic_runs import FRAMES, MEANS, run_of, some_frames, tagger_of, traced

LARGE: dict[str, Any] = {
    "hidden": (4096,),
    "input_dropout": 0.0,
}  # two tensors of more than 17,000 numbers


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    return tagger_of("early_concat_fcn", **LARGE)


@pytest.fixture(scope="module")
def source(tagger: Tagger, tmp_path_factory: pytest.TempPathFactory) -> ExportSource:
    return load_source(run_of(tagger, tmp_path_factory.mktemp("run") / "RUN", data={"splits": {}}))


@pytest.fixture(scope="module", autouse=True)
def traced_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "graph_of", traced)
        yield


@pytest.fixture(scope="module")
def exported(source: ExportSource, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "model.onnx"
    export(source, out, ExportConfig(top_k=20))
    return out


def spoil(graph: Any, change: Callable[[Any], Any]) -> None:
    """Change the largest weight of a graph."""
    value = graph.graph.initializers["tagger.model.layers.0.linear.weight"]
    value.const_value = onnx_ir.tensor(change(value.const_value.numpy()), name=value.name)


def assert_same(tagger: torch.nn.Module, graph: OnnxTagger, **frames: Any) -> None:
    batch = some_frames(**frames)
    with torch.inference_mode():
        torch.testing.assert_close(graph(*batch), tagger(*batch))


def test_graph_runs_in_onnxruntime_alone(tagger: Tagger, exported: Path) -> None:
    session = onnxruntime.InferenceSession(str(exported))
    assert [i.type for i in session.get_inputs()] == ["tensor(uint8)", "tensor(bool)"]
    frames, mask = some_frames()
    classes, probs, logits = session.run(None, {"frames": frames.numpy(), "mask": mask.numpy()})
    with torch.inference_mode():
        best = tagger(frames, mask).topk(5)
    assert (classes == best.indices.numpy()).all() and classes.dtype == np.int64
    np.testing.assert_allclose(probs, best.values.sigmoid().numpy(), rtol=1e-5)
    assert logits.shape == (3, 5)


def test_graph_of_a_run_has_the_same_bytes_at_any_time(
    source: ExportSource, exported: Path, tmp_path: Path
) -> None:
    again = tmp_path / "again.onnx"
    export(source, again, ExportConfig(top_k=20))
    assert again.read_bytes() == exported.read_bytes()


@pytest.mark.parametrize("lengths", [(1,), (9, 2, 4, 1, 1, 3), (300,)])
def test_graph_takes_any_batch_and_length(
    tagger: Tagger, exported: Path, lengths: tuple[int, ...]
) -> None:
    assert_same(tagger, OnnxTagger(exported), lengths=lengths)


def test_graph_ignores_padding(exported: Path) -> None:
    graph, (frames, mask) = OnnxTagger(exported), some_frames()
    junk = torch.where(mask.unsqueeze(-1), frames, 200)
    torch.testing.assert_close(graph(junk, mask), graph(frames, mask))


def test_graph_metadata_has_no_paths_of_the_machine(
    tagger: Tagger, source: ExportSource, exported: Path
) -> None:
    model = onnx.load(exported)
    onnx.checker.check_model(model)
    properties = {entry.key: entry.value for entry in model.metadata_props}
    about = json.loads(properties["reeltag"])
    assert tuple(json.loads(properties["class_names"])) == tagger.class_names
    assert about["method"] == "run" and about["streams"] == [["rgb", 6], ["audio", 2]]
    assert about["members"] == source.members
    assert about["members"][0]["run"].endswith("RUN") and about["members"][0]["weights"]
    assert config_of(exported)["data"] == {"splits": {}}
    assert "site-packages" not in exported.read_bytes().decode(errors="ignore")
    assert "batch, length, 8" in model.doc_string


def test_graph_of_video_means_takes_floats(tmp_path: Path) -> None:
    tagger = tagger_of("logistic", MEANS)
    out = tmp_path / "model.onnx"
    source = load_source(run_of(tagger, tmp_path / "RUN"))
    assert export(source, out, ExportConfig())["input"] == "float32"
    assert_same(tagger, OnnxTagger(out), lengths=(1, 1), floats=True)
    with pytest.raises(DataError, match="reads float32 frames; the data hold uint8"):
        OnnxTagger(out)(*some_frames())


@pytest.mark.parametrize(
    ("precision", "rule", "saved"),
    [("fp16", "uniform", 2), ("uint8", "uniform", 3), ("uint8", "kmeans", 3)],
)
def test_lower_precision_is_smaller_and_close(
    tagger: Tagger, source: ExportSource, exported: Path, tmp_path: Path, precision: Any, rule: Any,
    saved: int,
) -> None:  # fmt: skip
    out = tmp_path / "model.onnx"
    result = export(source, out, ExportConfig(precision=precision, codebook=rule))
    assert result["bytes"] == out.stat().st_size and result["packed"] < result["weights"]
    assert f"{result['packed']:,} of them in {precision}" in format_export(result)
    less = exported.stat().st_size - result["bytes"]
    # but for two codebooks of 1 kB, the nodes that unpack, and a word in the metadata
    assert abs(saved * 53_248 - less) < 4_000
    batch = some_frames((30, 20, 3))
    with torch.inference_mode():
        lost = (OnnxTagger(out)(*batch).sigmoid() - tagger(*batch).sigmoid()).abs().max()
    # half precision keeps 11 bits of a weight, a uniform codebook 8 of the largest
    assert 0 < lost < {"fp16": 1e-3, "uint8": 0.03}[precision]


@pytest.mark.parametrize("family", ["early_concat_fcn", "dbof"])
def test_int8_products_are_smaller_and_close(family: str, tmp_path: Path) -> None:
    """In `dbof` a product of constants, with a vector, must stay as it is."""
    tagger = tagger_of(family, **(LARGE if family == "early_concat_fcn" else {}))
    source, out = load_source(run_of(tagger, tmp_path / "RUN")), tmp_path / "model.onnx"
    result = export(source, out, ExportConfig(arithmetic="int8"))
    operators = [node.op_type for node in onnx_ir.load(out).graph]
    assert "MatMulInteger" in operators and "Gemm" not in operators
    if family == "early_concat_fcn":
        assert result["bytes"] == out.stat().st_size < 3 * result["weights"]
    assert "matrix products in int8" in format_export(result)
    graph, batch = OnnxTagger(out), some_frames((30, 20, 3))
    assert graph.about["arithmetic"] == "int8" and graph.class_names == tagger.class_names
    with torch.inference_mode():
        lost = (graph(*batch).sigmoid() - tagger(*batch).sigmoid()).abs().max()
    assert 0 < lost < 0.05


def test_int8_products_of_packed_weights_raise() -> None:
    with pytest.raises(ConfigError, match="fp32 with int8 arithmetic"):
        ExportConfig(arithmetic="int8", precision="fp16")


def test_limit_holds_for_int8_products(source: ExportSource, tmp_path: Path) -> None:
    out = tmp_path / "model.onnx"
    with pytest.raises(ConfigError, match="bytes; allowed: 20,000"):
        export(source, out, ExportConfig(arithmetic="int8", max_bytes="20kB"))
    assert not out.exists()


def test_format_export_without_large_tensors(tmp_path: Path) -> None:
    run = run_of(tagger_of("logistic"), tmp_path / "RUN", data={"splits": {}})
    result = export(load_source(run), tmp_path / "model.onnx", ExportConfig(precision="uint8"))
    assert result["packed"] == 0 and "numbers, all in fp32: no tensor" in format_export(result)


def test_graph_arithmetic_is_float32(source: ExportSource, tmp_path: Path) -> None:
    out = tmp_path / "model.onnx"
    export(source, out, ExportConfig(precision="uint8"))
    graph = onnx.load(out).graph
    kinds = {tensor.name: tensor.data_type for tensor in graph.initializer}
    codes = [name for name, kind in kinds.items() if kind == onnx.TensorProto.UINT8]
    assert len(codes) == 2
    gathers = [node for node in graph.node if node.op_type == "Gather"]
    books = [kinds[node.input[0]] for node in gathers if node.input[0] in kinds]
    assert books == [onnx.TensorProto.FLOAT] * 2
    assert onnx.TensorProto.FLOAT16 not in kinds.values()


@pytest.mark.parametrize("precision", ["fp32", "fp16", "uint8"])
def test_budget_bounds_the_file_closely(
    source: ExportSource, tmp_path: Path, precision: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = []

    def noted(*arguments: Any) -> Any:
        counted.append(budget_of(*arguments))
        return counted[-1]

    monkeypatch.setattr(module, "budget_of", noted)
    result = export(source, tmp_path / "m.onnx", ExportConfig(precision=precision))
    assert 0 <= counted[0].bytes_at(precision) - result["bytes"] < 2_000


def error_of(source: ExportSource, out: Path, **config: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        export(source, out, ExportConfig(**config))
    return str(caught.value)


def test_limit_error_names_tensors_and_fitting_precisions(
    source: ExportSource, tmp_path: Path
) -> None:
    out = tmp_path / "model.onnx"
    error = error_of(source, out, max_bytes="120kB")
    assert "takes 26" in error and "allowed: 120.0 kB" in error
    assert "131.1 kB  32,768 numbers" in error and "81.9 kB  20,480 numbers" in error
    assert "What fits: --precision uint8 (" in error and "fp16 (" not in error
    assert "No precision fits" in error_of(source, out, max_bytes="20kB", precision="uint8")
    assert list(tmp_path.iterdir()) == []  # nothing was written


def test_limit_error_proposes_no_tiny_model(source: ExportSource, tmp_path: Path) -> None:
    error = error_of(source, tmp_path / "model.onnx", max_bytes="1kB")
    assert "0% of its weights" not in error and "a far smaller student" in error
    assert "val_" not in error and "other tensors" in error  # constants of the graph weigh nothing


def test_weights_beyond_a_protobuf_are_in_a_second_file(
    tagger: Tagger, source: ExportSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LARGEST_PROTOBUF", 100_000)
    out = tmp_path / "model.onnx"
    result = export(source, out, ExportConfig())
    files = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert set(files) == {"model.onnx", "model.onnx.data"}
    assert result["bytes"] == sum(files.values()) and files["model.onnx"] < 100_000
    assert_same(tagger, OnnxTagger(out))
    monkeypatch.undo()
    export(source, out, ExportConfig(precision="uint8"), overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]  # the old data are removed


def test_graph_that_differs_from_pytorch_is_not_written(
    source: ExportSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    def other(tagger: Tagger, **options: Any) -> Any:
        graph = traced(tagger, **options)
        spoil(graph, lambda array: array + 0.1)
        return graph

    monkeypatch.setattr(module, "graph_of", other)
    with pytest.raises(OutputError, match="agree with PyTorch: a probability differs by"):
        export(source, tmp_path / "model.onnx", ExportConfig())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("precision", ["fp16", "uint8"])
def test_packing_of_infinite_weights_is_an_error(tagger: Tagger, precision: Any) -> None:
    graph = traced(tagger, top_k=20, stored="uint8")
    spoil(graph, lambda array: array + np.nan)
    with pytest.raises(DataError, match=r"layers\.0\.linear\.weight holds NaN or infinity"):
        pack(graph, precision, "uniform")


def test_packing_keeps_weights_beyond_half_precision(tagger: Tagger) -> None:
    graph = traced(tagger, top_k=20, stored="uint8")
    spoil(graph, lambda array: array + 70_000)
    pack(graph, "fp16", "uniform")
    kinds = {name: value.dtype for name, value in graph.graph.initializers.items()}
    assert kinds["tagger.model.layers.0.linear.weight"] == onnx_ir.DataType.FLOAT
    assert list(kinds.values()).count(onnx_ir.DataType.FLOAT16) == 1


def test_export_output_must_be_a_new_onnx_file(source: ExportSource, exported: Path) -> None:
    with pytest.raises(OutputError, match="exists already"):
        export(source, exported, ExportConfig())
    with pytest.raises(OutputError, match=r"must end in \.onnx"):
        export(source, exported.with_suffix(".pb"), ExportConfig())


@pytest.mark.parametrize("text", ["0", "1TB", "-3MB", "much", ""])
def test_parse_bytes_of_other_text_is_an_error(text: str) -> None:
    with pytest.raises(ConfigError, match="--max-bytes: must be a size above 0"):
        ExportConfig(max_bytes=text)


@pytest.mark.parametrize(
    "spoil", [lambda p: p.write_bytes(b"no graph"), lambda p: p.write_text(""), Path.unlink]
)
def test_onnx_tagger_of_another_file_is_an_error(
    spoil: Callable[[Path], object], tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    path.touch()
    spoil(path)
    with pytest.raises(DataError, match=r"model\.onnx: is (not there|no graph of)"):
        OnnxTagger(path)


def test_damaged_graph_is_refused_before_it_is_read(exported: Path, tmp_path: Path) -> None:
    path, content = tmp_path / "damaged.onnx", exported.read_bytes()
    for place in (0, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(DataError, match="does not match its checksum"):
            OnnxTagger(path)
    path.write_bytes(content)
    OnnxTagger(path)


def test_graph_that_cannot_be_run_is_an_error_that_names_it(exported: Path) -> None:
    graph = OnnxTagger(exported)
    frames = torch.zeros(1, 3, sum(dict(graph.streams).values()) + 1, dtype=torch.uint8)
    for compute in (graph, graph.best):
        with pytest.raises(DataError, match=r"onnx: cannot be run on frames \(1, 3, \d+\)"):
            compute(frames, torch.ones(1, 3, dtype=torch.bool))


def test_onnx_tagger_of_a_foreign_graph_is_an_error(exported: Path, tmp_path: Path) -> None:
    model = onnx.load(exported)
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "other.onnx")
    with pytest.raises(DataError, match="does not match its checksum"):
        OnnxTagger(tmp_path / "other.onnx")
    stamp(tmp_path / "other.onnx")
    with pytest.raises(DataError, match="does not say what its classes and streams are"):
        OnnxTagger(tmp_path / "other.onnx")


@pytest.mark.parametrize("name", ["lstm"])
def test_graph_of_a_loop_equals_pytorch(name: str, tmp_path: Path) -> None:
    out = tmp_path / "model.onnx"
    tagger = tagger_of(name)
    export(load_source(run_of(tagger, tmp_path / "RUN")), out, ExportConfig())
    assert_same(tagger, OnnxTagger(out), lengths=(5, 9, 1, 2))


@pytest.mark.slow
@pytest.mark.parametrize("name", [family.name for family in families()])
@pytest.mark.parametrize("streams", [FRAMES, FRAMES[:1]])
def test_family_exports(name: str, streams: Any, tmp_path: Path) -> None:
    out = tmp_path / "model.onnx"
    tagger = tagger_of(name, streams)
    export(load_source(run_of(tagger, tmp_path / "RUN")), out, ExportConfig())
    width = sum(width for _, width in streams)
    assert_same(tagger, OnnxTagger(out), lengths=(5, 9, 1, 2), width=width)
