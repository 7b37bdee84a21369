"""Blends as one tagger: the same as blending prediction files, and one graph."""

import dataclasses
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir
import onnxruntime
import pytest
import torch
from torch import Tensor

from reeltag.core.errors import ConfigError, DataError, OutputError, ReeltagError
from reeltag.deploy import export as module
from reeltag.deploy.combined import BlendedTagger
from reeltag.deploy.export import export, format_export
from reeltag.deploy.export_config import ExportConfig
from reeltag.deploy.graph import graph_of
from reeltag.deploy.packing import tensor_of
from reeltag.deploy.sources import load_source
from reeltag.ensembling.blend_model import BlendModel
from reeltag.ensembling.blending import blend, unfitted_blend
from reeltag.ensembling.combining import weighted
from reeltag.ensembling.members import EnsembleMember
from reeltag.tagger.onnx import OnnxTagger, config_of
from reeltag.tagger.tagger import AnyTagger, Tagger
from tests.deploy.synthetic_runs import FRAMES, MEANS, run_of, some_frames, tagger_of, traced
from tests.ensembling.synthetic import Listed, read, write

LARGE: dict[str, Any] = {"hidden": (4096,), "input_dropout": 0.0}


@pytest.fixture(scope="module", autouse=True)
def traced_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "graph_of", traced)
        yield


def pair() -> tuple[Tagger, Tagger]:
    """Return two taggers of one family, each with two tensors of more than 17,000 numbers."""
    return tagger_of("early_concat_fcn", **LARGE), tagger_of("early_concat_fcn", seed=1, **LARGE)


class Constant(AnyTagger):
    """A tagger that always predicts the same logits."""

    def __init__(self, logits_BC: Tensor) -> None:
        super().__init__()
        self.family, self.streams = "constant", (("rgb", 8),)
        self.class_names = tuple(map(str, range(logits_BC.shape[1])))
        self.register_buffer("logits_BC", logits_BC)

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        return self.get_buffer("logits_BC")


def blended(logits_MBC: Tensor, weights: Tensor, *rule: Any, **options: Any) -> Tensor:
    blended: Tensor = BlendedTagger(
        [Constant(each) for each in logits_MBC], weights, *rule, **options
    )(*some_frames((1,) * logits_MBC.shape[1]))
    return blended


@pytest.fixture
def logits_MBC(rng: torch.Generator) -> Tensor:
    return 6 * torch.randn(3, 4, 7, generator=rng)


@pytest.mark.parametrize(
    "weights",
    [[1 / 3] * 3, [0.7, 0.0, 0.1], [0.9, 0.5, 0.4], [1.2, -0.3, 0.05], [1.4, -0.3, -0.1]],
    ids=["mean", "sum below 1", "sum above 1", "one below 0", "below 0, sum 1"],
)
@pytest.mark.parametrize("of_class", [False, True])
def test_blended_tagger_equals_blend_of_files(
    logits_MBC: Tensor, weights: list[float], of_class: bool
) -> None:
    given = torch.tensor(weights, dtype=torch.float64)
    if of_class:
        given = torch.stack([given.roll(c) for c in range(7)], dim=1)
    found = blended(logits_MBC, given)
    classes = np.tile(np.arange(7, dtype=np.int32), 4)
    theirs = weighted(logits_MBC.flatten(1).T.numpy(), given.numpy(), classes).reshape(4, 7)
    above = np.isfinite(theirs)  # of a sum that is not above 0 theirs is -inf, ours the least
    np.testing.assert_allclose(found.numpy()[above], theirs[above], rtol=1e-4, atol=1e-4)
    assert found.isfinite().all() and (found.numpy()[np.isneginf(theirs)] < -80).all()


def test_blended_logit_rises_beyond_sum_1() -> None:
    logits = torch.tensor([[[1.7, 1.9, 9.0]], [[-9.0, -9.0, -9.0]]])  # p 1.02, 1.05, 1.2
    found = blended(logits, torch.tensor([1.2, -0.3]))[0]
    assert (found.diff() > 1).all() and found.min() > 13.8  # log((1 - 1e-6) / 1e-6) = 13.8


def test_blended_logit_of_saturated_members_is_exact() -> None:
    logits = torch.tensor([[[200.0, -200.0]], [[200.0, -190.0]]])
    expected = torch.tensor([[200.0, -190 - math.log(2)]])
    torch.testing.assert_close(blended(logits, torch.tensor([0.5, 0.5])), expected)
    unused = torch.cat([logits, torch.zeros(1, 1, 2)])
    torch.testing.assert_close(blended(unused, torch.tensor([0.5, 0.5, 0.0])), expected)


@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")  # of torch, to itself
def test_exported_blend_of_saturated_members_is_exact(tmp_path: Path) -> None:
    class OfMembers(torch.nn.Module):
        def forward(self, logits_MBC: Tensor) -> Tensor:
            return blender.mean(logits_MBC)

    members = [Constant(torch.zeros(1, 1))] * 2
    blender = BlendedTagger(members, torch.tensor([0.5, 0.5]))
    low = torch.tensor([-300.0, -120.0, -30.0, 0.0, 30.0, 120.0, 300.0])
    logits = torch.stack([low, low + 2])[..., None]
    program = torch.onnx.export(OfMembers().eval(), (logits,), dynamo=True, verbose=False)
    assert program is not None
    program.save(tmp_path / "blend.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "blend.onnx"))
    (exported,) = session.run(None, {session.get_inputs()[0].name: logits.numpy()})
    log_p = torch.nn.functional.logsigmoid(logits.double()).logsumexp(0)
    log_no_p = torch.nn.functional.logsigmoid(-logits.double()).logsumexp(0)
    torch.testing.assert_close(
        torch.from_numpy(exported).double(), log_p - log_no_p, rtol=1e-5, atol=1e-5
    )


def test_geometric_blend_is_the_mean_of_logits(logits_MBC: Tensor) -> None:
    found = blended(logits_MBC, torch.full((3,), 1 / 3), "geometric")
    torch.testing.assert_close(found, logits_MBC.mean(0))


@pytest.mark.parametrize("rule", ["arithmetic", "geometric"])
def test_blended_candidates_equal_those_of_files(
    logits_MBC: Tensor, rule: Any, tmp_path: Path
) -> None:
    listed: list[Listed] = [
        {(str(b), -1): dict(enumerate(row.tolist())) for b, row in enumerate(logits_BC)}
        for logits_BC in logits_MBC
    ]
    files = [write(tmp_path / str(m), each, num_classes=7) for m, each in enumerate(listed)]
    found = blended(logits_MBC, torch.full((3,), 1 / 3), rule, candidates=2)
    blend(files, unfitted_blend(files, "mean" if rule == "arithmetic" else rule, 2), tmp_path / "P")
    expected = torch.full((4, 7), -100.0)
    for (name, _), classes in read(tmp_path / "P").items():
        for c, logit in classes.items():
            expected[int(name), c] = logit
    assert 8 < (expected > -100).sum() < 4 * 7
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def blend_of(
    folder: Path, method: Any, *members: AnyTagger, listed: int = 0, **fields: Any
) -> Path:
    """Write runs and the blend of them, and return the blend's folder."""
    runs = [
        run_of(member, folder / f"run{i}", data={"splits": {}})  # type: ignore[arg-type]
        for i, member in enumerate(members)
    ]
    BlendModel(
        method=method,
        members=tuple(
            EnsembleMember(family=m.family, run=str(r), listed=listed)
            for m, r in zip(members, runs, strict=True)
        ),
        num_classes=members[0].num_classes,
        **fields,
    ).save(folder / "BLEND")
    return folder / "BLEND"


@pytest.mark.parametrize("method", ["class-weights", "geometric"])
def test_blend_exports_as_one_graph(tmp_path: Path, method: Any) -> None:
    members = tagger_of("logistic"), tagger_of("early_concat_fcn", seed=1)
    weights = np.random.default_rng(0).uniform(0, 1, (2, 5)) if method != "geometric" else None
    out = tmp_path / "model.onnx"
    source = load_source(blend_of(tmp_path, method, *members, weights=weights))
    assert export(source, out, ExportConfig())["max_difference"] < 1e-5
    graph, batch = OnnxTagger(out), some_frames()
    with torch.inference_mode():
        first, second = (member(*batch).double() for member in members)
        found = graph(*batch).double()
    if weights is None:
        torch.testing.assert_close(found, (first + second) / 2, rtol=1e-5, atol=1e-5)
    else:
        p = (torch.from_numpy(weights)[:, None] * torch.stack([first, second]).sigmoid()).sum(0)
        torch.testing.assert_close(found.sigmoid()[p < 0.99], p[p < 0.99], rtol=1e-5, atol=1e-5)
    assert [member["family"] for member in graph.about["members"]] == [m.family for m in members]
    assert graph.about["method"] == method and config_of(out) == {"data": {"splits": {}}}


def files_of(logits_MBC: Tensor, lists: Sequence[int], folder: Path) -> list[Path]:
    """Write the best classes of each member as `reeltag predict --top-k` does."""
    files = []
    for number, (logits_BC, most) in enumerate(zip(logits_MBC, lists, strict=True)):
        best = logits_BC.topk(most)
        rows: Listed = {
            (str(b), -1): dict(zip(best.indices[b].tolist(), best.values[b].tolist(), strict=True))
            for b in range(len(logits_BC))
        }
        files.append(write(folder / str(number), rows, num_classes=logits_BC.shape[1]))
    return files


def logits_of_file(path: Path, num_videos: int, num_classes: int) -> Tensor:
    """Return (B, C) logits, -100 where the file does not list a class."""
    found = torch.full((num_videos, num_classes), -100.0)
    for (name, _), classes in read(path).items():
        found[int(name), list(classes)] = torch.tensor(list(classes.values()))
    return found


WEIGHTS = [[0.5, 0.3, 0.1], [0.9, 0.5, 0.4], [1.2, -0.3, 0.05]]


@pytest.mark.parametrize("candidates", [0, 2])
@pytest.mark.parametrize("lists", [(3, 3, 3), (2, 5, 3)], ids=["alike", "of other lengths"])
@pytest.mark.parametrize("weights", [*WEIGHTS, None], ids=["sum < 1", "> 1", "< 0", "geometric"])
def test_blend_of_lists_equals_that_of_files(
    logits_MBC: Tensor, weights: list[float] | None, lists: tuple[int, ...], candidates: int,
    tmp_path: Path,
) -> None:  # fmt: skip
    files = files_of(logits_MBC, lists, tmp_path)
    if weights is None:
        given, rule = torch.full((3,), 1 / 3), "geometric"
        model = unfitted_blend(files, "geometric", candidates)
    else:
        given, rule = torch.tensor(weights), "arithmetic"
        model = dataclasses.replace(
            unfitted_blend(files, "mean", candidates), method="weights", weights=np.array(weights)
        )
    blend(files, model, tmp_path / "P")
    expected = logits_of_file(tmp_path / "P", 4, 7)
    found = blended(logits_MBC, given, rule, candidates=candidates, listed=lists)
    listed = expected > -100
    assert 8 <= listed.sum() < 28
    torch.testing.assert_close(found[listed], expected[listed], rtol=1e-4, atol=1e-4)
    assert (found[~listed] < -80).all()


@pytest.mark.parametrize("method", ["class-weights", "mean"])
def test_export_of_lists_has_the_rule_of_files_or_its_difference(
    tmp_path: Path, method: Any
) -> None:
    members = tagger_of("early_concat_fcn"), tagger_of("early_concat_fcn", seed=1)
    learned = {"weights": np.full((2, 5), 0.5)} if method == "class-weights" else {}
    source = load_source(blend_of(tmp_path, method, *members, listed=2, **learned))
    result = export(source, tmp_path / "model.onnx", ExportConfig())
    batch = some_frames((3, 7, 5, 1))
    with torch.inference_mode():
        logits_MBC = torch.stack([member(*batch) for member in members])
        found = OnnxTagger(tmp_path / "model.onnx")(*batch).sigmoid()
    files = files_of(logits_MBC, (2, 2), tmp_path)
    blend(files, unfitted_blend(files, "mean"), tmp_path / "P")
    of_files = logits_of_file(tmp_path / "P", 4, 5).sigmoid()
    if learned:
        torch.testing.assert_close(found, of_files, rtol=1e-4, atol=1e-4)
        assert result["files_difference"] == 0 and "blended files" not in format_export(result)
    else:
        torch.testing.assert_close(found, logits_MBC.sigmoid().mean(0), rtol=1e-4, atol=1e-4)
        assert (found - of_files).max() > 0.1 and result["files_difference"] > 0.1
        said = f"differs by {result['files_difference']:.2g} at most from that of `reeltag blend"
        assert said in format_export(result)
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    assert [output.name for output in session.get_outputs()] == ["classes", "probs", "logits"]


def export_with_biases(
    folder: Path, monkeypatch: pytest.MonkeyPatch, added: Sequence[float], **fields: Any
) -> dict[str, Any]:
    """Export a blend of two members of which 2 of 5 classes count, and change one in the graph.

    Without weights every class has the logit of its bias, 0.4, 0.3, ... 0; `added` to those of the
    first member stands for a rounding.
    """
    members = tagger_of("logistic"), tagger_of("logistic", seed=1)
    for number, member in enumerate(members):  # alike but for a bit: the exporter joins equals
        weight, bias = member.model.parameters()
        torch.nn.init.zeros_(weight)
        bias.data.copy_(torch.tensor([0.4, 0.3, 0.2, 0.1, 0.0]) + number / 1000)
    half = np.array([0.5, 0.5])
    source = load_source(blend_of(folder, "weights", *members, weights=half, **fields))

    def graph(tagger: AnyTagger, **options: Any) -> Any:
        model = graph_of(tagger, **options)
        value = model.graph.initializers["tagger.members.0.model.head.linear.bias"]
        changed = tensor_of(value) + np.array(added, np.float32)
        value.const_value = onnx_ir.tensor(changed, name=value.name)
        return model

    monkeypatch.setattr(module, "graph_of", graph)
    return export(source, folder / "model.onnx", ExportConfig(precision="uint8"))


@pytest.mark.parametrize("fields", [{"listed": 2}, {"candidates": 2}], ids=["lists", "candidates"])
def test_class_that_rounding_moves_out_of_a_list_is_no_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fields: dict[str, int]
) -> None:
    result = export_with_biases(tmp_path, monkeypatch, [0, -0.06, 0.06, 0, 0], **fields)
    assert 0.005 < result["max_difference"] < 0.02  # of a blend whose lists differ by p = 0.57 / 2
    listed = OnnxTagger(tmp_path / "model.onnx")(*some_frames((3,)))[0] > -80
    assert listed.tolist() == [True, True, True, False, False]


def test_difference_of_weights_is_an_error_in_any_precision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(OutputError, match=r"a probability differs by 0\.1[0-9]; allowed: 0\.05"):
        export_with_biases(tmp_path, monkeypatch, [0, 1.5, 0, 0, 0], listed=2)
    assert not (tmp_path / "model.onnx").exists()


@pytest.mark.parametrize(("candidates", "left"), [(0, ["early_concat_fcn"]), (2, None)])
def test_member_without_weight_is_left_out_unless_it_has_candidates(
    tmp_path: Path, candidates: int, left: list[str] | None
) -> None:
    members = tagger_of("logistic"), tagger_of("early_concat_fcn", seed=1)
    weights = np.array([0.0, 0.8])
    folder = blend_of(tmp_path, "weights", *members, weights=weights, candidates=candidates)
    source, batch = load_source(folder), some_frames()
    assert [of["family"] for of in source.members] == (left or [m.family for m in members])
    if left:
        with torch.inference_mode():
            found, expected = source.tagger(*batch), members[1](*batch)
        torch.testing.assert_close(found.sigmoid(), 0.8 * expected.sigmoid())
        assert source.prefixes == {"members.0.": "run1"}


def test_limit_error_names_members_with_bytes(tmp_path: Path) -> None:
    source = load_source(blend_of(tmp_path, "geometric", *pair()))
    with pytest.raises(ConfigError) as caught:
        export(source, tmp_path / "model.onnx", ExportConfig(max_bytes="180kB"))
    assert "No precision fits" in str(caught.value)
    assert "run0 105.7 kB, run1 105.7 kB" in str(caught.value)
    assert "1 of them fit together" in str(caught.value)


def test_limit_error_names_members_of_one_name_by_path(tmp_path: Path) -> None:
    runs = [run_of(member, tmp_path / str(at) / "run") for at, member in enumerate(pair())]
    members = tuple(EnsembleMember(family="early_concat_fcn", run=str(run)) for run in runs)
    BlendModel(method="mean", members=members, num_classes=5).save(tmp_path / "BLEND")
    with pytest.raises(ConfigError) as caught:
        export(
            load_source(tmp_path / "BLEND"), tmp_path / "m.onnx", ExportConfig(max_bytes="180kB")
        )
    assert all(f"{run} 105.7 kB" in str(caught.value) for run in runs)
    assert "1 of them fit together" in str(caught.value)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            {"streams": MEANS},
            r"run1: reads the streams mean_rgb \(6\), mean_audio \(2\); the first",
        ),
        ({"streams": FRAMES[:1]}, r"run1: reads the streams rgb \(6\); the first"),
        ({"names": "abcd"}, "run1: has 4 classes; the first member has 5"),
        (
            {"names": ("cat", "cow", "c", "car", "sea")},
            "run1: class 1 is 'cow'; in the first .* 'dog'",
        ),
    ],
)
def test_blend_of_unlike_members_is_an_error(
    tmp_path: Path, other: dict[str, Any], message: str
) -> None:
    folder = blend_of(tmp_path, "mean", tagger_of("logistic"), tagger_of("logistic", **other))
    with pytest.raises(ReeltagError, match=message):
        load_source(folder)


@pytest.mark.parametrize("method", ["rank", "lightgbm"])
def test_blend_without_a_graph_is_an_error(
    tmp_path: Path, method: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    blend = BlendModel.load(blend_of(tmp_path, "mean", tagger_of("logistic")))
    changed = dataclasses.replace(blend, method=method)
    monkeypatch.setattr(BlendModel, "load", lambda folder: changed)
    with pytest.raises(ConfigError, match=f"BLEND: is a blend by {method}, whose"):
        load_source(tmp_path / "BLEND")


def test_blend_names_a_missing_run(tmp_path: Path) -> None:
    folder = blend_of(tmp_path, "mean", tagger_of("logistic"))
    (tmp_path / "run0").rename(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="its member 'logistic' comes from .*run0, which is not th"):
        load_source(folder)


def test_blend_with_an_exported_member_is_an_error(tmp_path: Path) -> None:
    graph = tmp_path / "model.onnx"
    graph.touch()
    BlendModel(
        method="mean", members=(EnsembleMember(family="logistic", run=str(graph)),), num_classes=5
    ).save(tmp_path / "BLEND")
    with pytest.raises(ConfigError, match=r"its member .*model\.onnx is not a run"):
        load_source(tmp_path / "BLEND")
