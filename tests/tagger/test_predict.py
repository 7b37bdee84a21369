"""`Tagger.predict`: one video or a list of them, and what is refused."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import reeltag
from reeltag.core.errors import ConfigError, DataError
from reeltag.models import find_family
from reeltag.tagger.loading import any_tagger
from reeltag.tagger.tagger import AnyTagger, Tagger
from reeltag.tagger.tags import Tag

STREAMS = [("rgb", 6), ("audio", 2)]
LENGTHS = (7, 1, 30, 12, 4)


def tagger_of(family: str) -> Tagger:
    torch.manual_seed(0)
    tiny = replace(find_family(family).tiny, num_classes=5, dims=(6, 2))
    return Tagger(tiny, STREAMS, [f"class {c}" for c in range(5)])


@pytest.fixture
def tagger() -> Tagger:
    return tagger_of("nextvlad")


@pytest.fixture
def videos(rng: torch.Generator) -> list[Tensor]:
    """Videos of different lengths, as stored."""
    sizes = [(length, 8) for length in LENGTHS]
    return [torch.randint(0, 256, size, generator=rng, dtype=torch.uint8) for size in sizes]


def probs(tags: list[Tag]) -> list[float]:
    return [tag.prob for tag in sorted(tags, key=lambda tag: tag.index)]


@pytest.mark.parametrize("batch_size", [1, 2, 16])
@pytest.mark.parametrize("family", ["nextvlad", "netvlad", "lstm", "moe", "transformer"])
def test_predict_scores_a_list_as_each_video_alone(
    family: str, batch_size: int, videos: list[Tensor]
) -> None:
    tagger = tagger_of(family)
    together = tagger.predict(videos, batch_size=batch_size)
    assert len(together) == len(videos)
    for tags, video in zip(together, videos, strict=True):
        alone = tagger.predict(video)
        assert [tag.prob for tag in tags] == sorted(probs(tags), reverse=True)
        np.testing.assert_allclose(probs(tags), probs(alone), rtol=0, atol=1e-5)


def test_predict_returns_a_list_for_a_list_of_one_and_tags_for_a_video(
    tagger: Tagger, videos: list[Tensor]
) -> None:
    (tags,) = tagger.predict((videos[0],), top_k=2)
    assert tags == tagger.predict(videos[0], top_k=2) and len(tags) == 2
    assert len(tagger.predict(videos[0], top_k=99)) == 5


def test_predict_takes_bytes_features_and_streams_in_one_list(
    tagger: Tagger, videos: list[Tensor]
) -> None:
    array = videos[0].numpy()
    kinds: list[Any] = [
        array,
        {"audio": array[:, 6:], "rgb": array[:, :6]},
        np.full((3, 8), 0.25),
        np.full((9, 8), 0.25, np.float16),
    ]
    found = tagger.predict(kinds)
    assert [tag.name for tag in found[0]] == [tag.name for tag in found[1]]
    # the rows of a batch may be added up in another order: float32's rounding
    np.testing.assert_allclose(probs(found[0]), probs(found[1]), rtol=0, atol=1e-6)
    for tags, kind in zip(found, kinds, strict=True):
        np.testing.assert_allclose(probs(tags), probs(tagger.predict(kind)), rtol=0, atol=1e-5)


def test_predict_leaves_every_module_in_its_own_mode(tagger: Tagger, videos: list[Tensor]) -> None:
    tagger.train()
    tagger.prepare.eval()
    before = [module.training for module in tagger.modules()]
    tagger.predict(videos)
    with pytest.raises(DataError):
        tagger.predict([])
    tagger.register_forward_pre_hook(lambda module, inputs: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        tagger.predict(videos)
    assert [module.training for module in tagger.modules()] == before


def test_predict_keeps_no_graph_and_changes_no_statistics(
    tagger: Tagger, videos: list[Tensor]
) -> None:
    before = {name: value.clone() for name, value in tagger.state_dict().items()}
    tagger.train().predict(videos)
    torch.testing.assert_close(tagger.state_dict(), before, rtol=0, atol=0)


FAULTS: list[tuple[Any, str]] = [
    ([], "there is no video in the list"),
    (np.zeros((4, 7), np.uint8), r"^frames must be \(T, 8\) .* rgb \(6\), audio \(2\), got \(4, 7"),
    (np.zeros((0, 8), np.uint8), r"with T >= 1.* got \(0, 8\)"),
    (np.zeros((2, 4, 8), np.uint8), r"got \(2, 4, 8\)\n.*list of such arrays"),
    (np.full((4, 8), 256), r"uint8 as stored, 0 to 255, or floating .*; got torch.int64 from 256"),
    (np.full((4, 8), -1, np.int8), r"0 to 255, or floating point; got torch.int8 from -1 to -1"),
    (np.ones((4, 8), np.complex64), r"must be real numbers; got torch.complex64"),
    (np.zeros(8, np.uint8), r"got \(8,\)\n.*numpy.array\(frames\) makes it of lists"),
    (np.full((4, 8), 300, np.uint16), r"got torch.uint16 from 300 to 300"),
    (np.ones((4, 8), bool), r"uint8 as stored, 0 to 255, or floating point; got torch.bool"),
    (np.full((4, 8), 200.0), r"floats from 200 to 200; those that .* are in \[-1.992, 2.008\]"),
    (np.full((4, 8), np.nan), "frames hold NaN or infinity"),
    (np.array([["a"] * 8]), "array of numbers"),
    ([np.zeros((4, 8)), np.zeros((4, 9))], r"^video 1: frames must be \(T, 8\)"),
    ([[0.0] * 8], r"^video 0: frames must be \(T, 8\) .* got \(8,\)"),
    ({"rgb": np.zeros((4, 6))}, r"streams \['audio'\] are missing; there are rgb, and the tagger"),
    ({"rgb": np.zeros((4, 6)), "audio": np.zeros((3, 2))}, "streams differ in length or type: rgb"),
    ({"rgb": np.zeros((4, 6)), "audio": np.zeros((4, 3))}, r"must be \(T, 2\) .* for audio \(2\)"),
]


@pytest.mark.parametrize(("videos", "words"), FAULTS, ids=[words[:40] for _, words in FAULTS])
def test_predict_refuses_what_is_no_video_of_its_streams(
    videos: Any, words: str, tagger: Tagger
) -> None:
    with pytest.raises(DataError, match=words):
        tagger.predict(videos)


@pytest.mark.parametrize("option", ["top_k", "batch_size"])
def test_predict_refuses_options_below_1(option: str, tagger: Tagger) -> None:
    with pytest.raises(ConfigError, match=f"{option}: must be >= 1, got 0"):
        tagger.predict(torch.zeros(3, 8), **{option: 0})


@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")  # of torch, to itself
def test_predict_of_an_exported_graph_is_that_of_its_run(
    videos: list[Tensor], tmp_path: Path
) -> None:
    pytest.importorskip("onnxscript")
    tagger, run = tagger_of("logistic"), tmp_path / "run"
    run.mkdir()
    tagger.save_weights(run)
    tagger.save_classes(run)
    (run / "config.json").write_text(json.dumps(tagger.describe()))
    reeltag.export(run, tmp_path / "m.onnx")
    graph: AnyTagger = any_tagger(tmp_path / "m.onnx")
    for tags, expected in zip(graph.predict(videos), tagger.predict(videos), strict=True):
        np.testing.assert_allclose(probs(tags), probs(expected), rtol=0, atol=1e-4)


@pytest.mark.parametrize("of", ["int64", "int16", "list"])
def test_predict_takes_whole_numbers_for_the_bytes_that_they_are(of: str, tagger: Tagger) -> None:
    stored = np.random.default_rng(0).integers(0, 256, (5, 8), np.uint8)
    numbers = torch.from_numpy(stored.astype(np.int64)) if of == "list" else stored.astype(of)
    assert tagger.predict(numbers) == tagger.predict(stored)
