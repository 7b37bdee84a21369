"""Which runtime scores a run: the one that is wanted, or the faster; the scores are the same."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from reeltag.core.errors import ConfigError
from reeltag.core.files import write_json
from reeltag.data.dataset import Dataset
from reeltag.data.synth.config import SynthConfig
from reeltag.data.synth.corpus import write_corpus
from reeltag.deploy import export as export_module
from reeltag.deploy import runtime as module
from reeltag.deploy.runtime import Runtime, scored_by
from reeltag.inference.predict import predict, weights_digest
from reeltag.inference.scoring import InferenceConfig
from reeltag.predictions.file import open_predictions
from reeltag.predictions.parts import parts_of
from reeltag.predictions.rows import PredictionRows
from reeltag.tagger.tagger import AnyTagger, Tagger
from tests.deploy.synthetic_runs import tagger_of, traced

CHOICES = InferenceConfig(segments=True, top_k=5, segment_top_k=5, device="cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    path = tmp_path_factory.mktemp("data") / "corpus"
    sizes = SynthConfig(videos=12, classes=5, rgb=6, audio=2, min_frames=3, max_frames=33)
    write_corpus(path, sizes, quiet=True)
    return Dataset.open(path, quiet=True)


@pytest.fixture(scope="module")
def tagger(data: Dataset) -> Tagger:
    tagger = tagger_of("logistic")
    return Tagger(tagger.config, tagger.streams, data.classes.names).eval()


@pytest.fixture(autouse=True)
def traced_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_module, "graph_of", traced)


@contextmanager
def scorer(
    runtime: Runtime,
    tagger: AnyTagger,
    data: Dataset,
    choices: InferenceConfig = CHOICES,
    out: Path | None = None,
) -> Iterator[AnyTagger]:
    with scored_by(runtime, tagger, data, choices, rows=data.rows("all"), out=out) as found:
        yield found


def clocked(monkeypatch: pytest.MonkeyPatch, in_torch: float, in_graph: float) -> None:
    """Let PyTorch and onnxruntime take so many seconds."""
    monkeypatch.setattr(module, "FEW", 1)
    monkeypatch.setattr(
        module, "seconds_of", lambda of, _: in_torch if isinstance(of, Tagger) else in_graph
    )


def rows_of(path: Path) -> PredictionRows:
    file = open_predictions(path)
    return PredictionRows.concatenate([*file.rows("videos"), *file.rows("segments")])


def test_graph_of_a_run_predicts_what_the_run_does(
    data: Dataset, tagger: Tagger, tmp_path: Path
) -> None:
    predict(tagger, data, tmp_path / "torch", CHOICES, split="all")
    with scorer("onnx", tagger, data) as graph:
        assert not isinstance(graph, Tagger) and weights_digest(graph) == weights_digest(tagger)
        predict(graph, data, tmp_path / "onnx", CHOICES, split="all")
    ours, theirs = (open_predictions(tmp_path / name).info for name in ("torch", "onnx"))
    assert (ours.device, theirs.device) == ("cpu", "cpu (onnxruntime)")
    assert ours.weights == theirs.weights
    one, other = rows_of(tmp_path / "torch"), rows_of(tmp_path / "onnx")
    np.testing.assert_allclose(one.to_dense(5, 0.0), other.to_dense(5, 0.0), atol=1e-4)


@pytest.mark.parametrize(
    ("in_torch", "in_graph", "chosen", "said"),
    [
        (1000, 500, "onnx", "onnxruntime scores: 2.00 times as fast as PyTorch"),
        (1000, 900, "torch", "PyTorch scores: 0.90 times as fast as onnxruntime"),
        (100, 1, "torch", ""),  # not worth an export
    ],
)
def test_auto_takes_the_faster_for_long_jobs_and_logs_it(
    data: Dataset,
    tagger: Tagger,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    in_torch: float,
    in_graph: float,
    chosen: str,
    said: str,
) -> None:  # fmt: skip
    clocked(monkeypatch, in_torch, in_graph)
    with scorer("auto", tagger, data) as found:
        assert ("torch" if found is tagger else "onnx") == chosen
    captured = capsys.readouterr()
    assert said in captured.out + captured.err
    assert bool(said) == ("exporting" in captured.out + captured.err)


def test_auto_clocks_nothing_where_items_are_few(
    data: Dataset, tagger: Tagger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "seconds_of", lambda *_: pytest.fail("clocked"))
    with scorer("auto", tagger, data) as found:
        assert found is tagger


@pytest.mark.parametrize("begun", [{}, {"runtime": "onnx"}])
def test_auto_goes_on_with_what_interrupted_predictions_began_with(
    data: Dataset,
    tagger: Tagger,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    begun: dict[str, str],
) -> None:  # fmt: skip
    monkeypatch.setattr(module, "seconds_of", lambda *_: pytest.fail("clocked"))
    out = tmp_path / "p.parquet"
    parts_of(out).mkdir()
    write_json(parts_of(out) / "state.json", {"settings": begun})
    with scorer("auto", tagger, data, out=out) as found:
        assert (found is tagger) == (not begun)


def test_jobs_are_the_batches_of_all_videos_and_windows(data: Dataset, tagger: Tagger) -> None:
    lengths = np.full(32, 100)
    choices = InferenceConfig(segments=True, hop=1, device="cpu")
    shapes: list[tuple[int, ...]] = []
    tagger.register_forward_pre_hook(lambda _, given: shapes.append(tuple(given[0].shape)))
    jobs = module._jobs(tagger, lengths, choices)
    assert [number for number, _ in jobs] == [2, 32]
    assert module.seconds_of(tagger, jobs) > 0
    assert shapes == [(16, 100, 8)] * 2  # windows share frames: they are not cut
    tagger._forward_pre_hooks.clear()


@pytest.mark.parametrize("choices", [InferenceConfig(precision="bf16", device="cpu")])
def test_onnx_that_cannot_be_raises(
    data: Dataset, tagger: Tagger, choices: InferenceConfig
) -> None:
    with (
        pytest.raises(ConfigError, match="on a CPU, in fp32"),
        scorer("onnx", tagger, data, choices),
    ):
        pass
    with scorer("auto", tagger, data, choices) as found:
        assert found is tagger


def test_auto_stays_with_torch_where_no_graph_can_be_made(
    data: Dataset,
    tagger: Tagger,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    clocked(monkeypatch, 1000, 1)

    def missing(*_: str) -> None:
        raise ConfigError("needs onnx, which is not installed")

    monkeypatch.setattr(module, "check_extra", missing)
    with scorer("auto", tagger, data) as found:
        assert found is tagger
    captured = capsys.readouterr()
    assert "PyTorch scores: onnxruntime cannot be tried (needs onnx" in captured.out + captured.err
