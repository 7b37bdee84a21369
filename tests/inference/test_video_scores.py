"""Scores of whole videos from elsewhere: found by id, and errors where they do not fit."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from reeltag.core.errors import ConfigError, DataError
from reeltag.inference.video_scores import ScoresOfFile, ScoresOfTagger
from reeltag.predictions.file import PredictionInfo, prediction_writer
from reeltag.predictions.rows import PredictionRows
from tests.inference.standin import NUM_CLASSES, MeanTagger, make_batch, make_videos


def write(path: Path, names: list[str], **about: Any) -> Path:
    """Write three classes per video, c, c + 1 and c + 2 of video number c, scores 3, 2, 1."""
    info = PredictionInfo(**{"num_classes": NUM_CLASSES, "top_k": 3, **about})
    first = np.arange(len(names), dtype=np.int32)[:, None]
    classes = (first + np.arange(3, dtype=np.int32)) % NUM_CLASSES
    scores = np.tile(np.array([3, 2, 1], np.float32), (len(names), 1))
    with prediction_writer(path, info) as writer:
        writer.write(PredictionRows.of_matrix(names, None, classes.astype(np.int32), scores))
    return path


def test_file_scores_are_by_id_and_unlisted_classes_minus_infinity(tmp_path: Path) -> None:
    path = write(tmp_path / "v", ["x", "v1", "v0", "y"])
    scores = ScoresOfFile(path, ["v0", "v1"], NUM_CLASSES, 3)
    expected = torch.full((2, NUM_CLASSES), -torch.inf)
    expected[0, 2:5] = torch.tensor([3.0, 2.0, 1.0])
    expected[1, 1:4] = torch.tensor([3.0, 2.0, 1.0])
    assert torch.equal(scores.logits(make_batch(make_videos([4, 9]))), expected)


def test_file_scores_digest_follows_the_scores(tmp_path: Path) -> None:
    one = ScoresOfFile(write(tmp_path / "a", ["v0", "v1"]), ["v0", "v1"], NUM_CLASSES)
    same = ScoresOfFile(write(tmp_path / "b", ["v0", "v1", "z"]), ["v1", "v0"], NUM_CLASSES)
    other = ScoresOfFile(write(tmp_path / "c", ["v1", "v0"]), ["v0", "v1"], NUM_CLASSES)
    assert one.digest() == same.digest() != other.digest()


@pytest.mark.parametrize(
    ("names", "about", "candidates", "rule"),
    [
        (["v0"], {}, 0, r"no row for 1 of the 2 videos to be scored: 'v1'(.|\n)*--top-k"),
        (["v0", "v1", "v0"], {}, 0, "more than one row"),
    ],
)
def test_file_scores_raise_for_missing_videos(
    tmp_path: Path, names: list[str], about: dict[str, Any], candidates: int, rule: str
) -> None:
    with pytest.raises(DataError, match=rule):
        ScoresOfFile(write(tmp_path / "v", names, **about), ["v0", "v1"], NUM_CLASSES, candidates)


@pytest.mark.parametrize(
    ("about", "candidates", "rule"),
    [
        ({}, 4, r"keeps the 3 best classes of a video, 4 are needed(.|\n)*--top-k 4"),
        ({"per_class": 7}, 2, "keeps only the 7 best videos of a class"),
    ],
)
def test_file_scores_raise_for_too_few_classes(
    tmp_path: Path, about: dict[str, Any], candidates: int, rule: str
) -> None:
    path = write(tmp_path / "v", ["v0", "v1"], **about)
    with pytest.raises(ConfigError, match=rule):
        ScoresOfFile(path, ["v0", "v1"], NUM_CLASSES, candidates)


def test_file_scores_accept_a_limit_on_segments(tmp_path: Path) -> None:
    path = write(tmp_path / "v", ["v0"], per_class=7, segment_top_k=5)
    assert ScoresOfFile(path, ["v0"], NUM_CLASSES, 2).logits(make_batch(make_videos([3]))).any()


def test_tagger_scores_are_of_the_first_frames() -> None:
    batch = make_batch(make_videos([30]))
    scores = ScoresOfTagger(MeanTagger(), torch.device("cpu"), 12).logits(batch)
    assert torch.equal(scores, MeanTagger()(batch.frames[:, :12], batch.mask[:, :12]))
