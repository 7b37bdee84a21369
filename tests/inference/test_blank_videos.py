"""Blank videos are not scored: rows without classes, counted, the same after a resume."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from reeltag.core.errors import ConfigError
from reeltag.data.dataset import Dataset
from reeltag.evaluation.config import EvaluationConfig
from reeltag.evaluation.scores import evaluate
from reeltag.inference.predict import predict
from reeltag.inference.scoring import InferenceConfig
from reeltag.models import logistic
from reeltag.predictions.file import open_predictions
from reeltag.tagger.tagger import Tagger
from tests.data.blank import write_blank

CHOICES = InferenceConfig(device="cpu", batch_size=2, blank_std=0.1, segments=True, top_k=2)
STREAMS = (("rgb", 16), ("audio", 4))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return write_blank(tmp_path_factory.mktemp("blank") / "data")


def make_tagger(streams: tuple[tuple[str, int], ...] = STREAMS) -> Tagger:
    torch.manual_seed(0)
    config = dataclasses.replace(
        logistic.TINY, num_classes=3, dims=tuple(width for _, width in streams)
    )
    return Tagger(config, streams, ("a", "b", "c"))


def rows_of(path: Path, kind: Any) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    for rows in open_predictions(path).rows(kind):
        for at, name in enumerate(rows.ids.to_pylist()):
            mine = slice(rows.indptr[at], rows.indptr[at + 1])
            pairs = zip(rows.classes[mine].tolist(), rows.scores[mine].tolist(), strict=True)
            found.setdefault(name, []).extend(pairs)
    return found


def assert_same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Check that rows are the same but for the rounding of float32 in batches of another size."""
    assert list(found) == list(expected)
    for name, pairs in expected.items():
        assert np.allclose(found[name], pairs, rtol=1e-5, atol=1e-6), name


def test_blank_videos_have_empty_rows_and_no_segments(dataset: Dataset, tmp_path: Path) -> None:
    outcome = predict(make_tagger(), dataset, tmp_path / "p", CHOICES)
    every = predict(
        make_tagger(), dataset, tmp_path / "all", dataclasses.replace(CHOICES, blank_std=0)
    )
    assert (outcome.videos, outcome.blank, every.blank) == (5, 2, 0)
    found, full = rows_of(tmp_path / "p", "videos"), rows_of(tmp_path / "all", "videos")
    assert list(found) == list(full) == ["blank-m", "n", "blank-o", "p", "q"]
    assert_same(found, {name: [] if "blank" in name else pairs for name, pairs in full.items()})
    segments, all_segments = (rows_of(tmp_path / name, "segments") for name in ("p", "all"))
    assert_same(segments, {n: pairs for n, pairs in all_segments.items() if "blank" not in n})
    about = open_predictions(tmp_path / "p").info
    assert about.blank_std == 0.1 and about.blank == 2


def test_blank_videos_never_reach_the_model(dataset: Dataset, tmp_path: Path) -> None:
    tagger, seen = make_tagger(), list[int]()

    def note(module: object, inputs: tuple[Tensor, ...]) -> None:
        seen.append(len(inputs[0]))

    tagger.register_forward_pre_hook(note)
    predict(tagger, dataset, tmp_path / "p", dataclasses.replace(CHOICES, segments=False))
    assert seen == [1, 1, 1]  # of (blank, n), (blank, p), (q)


def test_blank_batch_is_written(dataset: Dataset, tmp_path: Path) -> None:
    choices = dataclasses.replace(CHOICES, batch_size=1)
    assert predict(make_tagger(), dataset, tmp_path / "one", choices).blank == 2
    predict(make_tagger(), dataset, tmp_path / "two", CHOICES)
    assert_same(rows_of(tmp_path / "one", "videos"), rows_of(tmp_path / "two", "videos"))


def test_blank_count_survives_an_interruption(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, calls = predict(make_tagger(), dataset, tmp_path / "whole", CHOICES), [0]

    class Cut(Tagger):
        def forward(self, frames_BTD: Tensor, mask_BT: Tensor) -> Tensor:
            calls[0] += 1
            if calls[0] == 4:  # whole videos and segments of three batches
                raise KeyboardInterrupt
            return super().forward(frames_BTD, mask_BT)

    monkeypatch.setattr("reeltag.inference.stream._Closing.is_due", lambda *_: True)
    tagger = make_tagger()
    tagger.__class__ = Cut
    with pytest.raises(KeyboardInterrupt):
        predict(tagger, dataset, tmp_path / "p", CHOICES)
    outcome = predict(make_tagger(), dataset, tmp_path / "p", CHOICES)
    assert outcome.resumed_at == 2 and outcome.blank == whole.blank == 2
    assert rows_of(tmp_path / "p", "videos") == rows_of(tmp_path / "whole", "videos")


def test_blank_videos_count_as_missed_unless_left_out(
    dataset: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    choices = dataclasses.replace(CHOICES, top_k=3, segments=False)
    predict(make_tagger(), dataset, tmp_path / "p", choices)
    capsys.readouterr()
    data, config = (
        Dataset.open(dataset.root, quiet=True),
        EvaluationConfig(split="test", bootstrap=0),
    )
    every = evaluate(tmp_path / "p", data, config)
    assert "2 videos were not scored, being blank (std <= 0.1)" in capsys.readouterr().err
    real = evaluate(tmp_path / "p", data, dataclasses.replace(config, blank_std=0.1))
    assert "their labels count" not in capsys.readouterr().err
    assert (every["videos"], real["videos"]) == (5, 3)
    assert every["perr"] == pytest.approx(real["perr"] * 3 / 5)
    assert real["gap@20"] > every["gap@20"]


def test_blank_rule_raises_without_rgb(dataset: Dataset, tmp_path: Path) -> None:
    tagger = make_tagger((("audio", 4),))
    with pytest.raises(ConfigError, match="blank_std needs the rgb stream; read are aud"):
        predict(tagger, dataset, tmp_path / "p", CHOICES)
    with pytest.raises(ConfigError, match="blank_std is .*; allowed: a finite number >= 0"):
        InferenceConfig(blank_std=-1.0)
