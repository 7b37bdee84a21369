"""Intervals of scores: bootstrap over videos, rare classes, seeds."""

from pathlib import Path

import numpy as np
import pytest

from reeltag.data.dataset import Dataset
from reeltag.evaluation.bootstrap import Bootstrap
from reeltag.evaluation.config import EvaluationConfig
from reeltag.evaluation.scores import score_file
from tests.evaluation.scored_files import many, scores_of
from tests.inference.scored import Row, write_corpus, write_rows

KEYS = ("gap@20", "hit@1", "perr", "map", "map@k")


def test_intervals_hold_the_value_and_shrink_with_more_videos(tmp_path: Path) -> None:
    few = scores_of(*many(tmp_path / "few", 40), bootstrap=100)
    lots = scores_of(*many(tmp_path / "lots", 640), bootstrap=100)
    for key in KEYS:
        for found in (few, lots):
            low, high = found[f"{key}_interval"]
            assert 0 <= low < found[key] < high <= 1, key
        widths = [np.diff(found[f"{key}_interval"]).item() for found in (few, lots)]
        assert 2 < widths[0] / widths[1] < 8, key  # 16 times the videos: a quarter as wide


def test_interval_of_a_mean_matches_its_standard_error(tmp_path: Path) -> None:
    found = scores_of(*many(tmp_path / "d", 400), bootstrap=400)
    low, high = found["hit@1_interval"]
    error = (found["hit@1"] * (1 - found["hit@1"]) / 400) ** 0.5
    assert (high - low) / (2 * 1.96 * error) == pytest.approx(1, abs=0.15)  # 400 draws: sd 0.05


def test_intervals_depend_on_the_seed_alone(tmp_path: Path) -> None:
    paths = many(tmp_path / "d", 50)
    first, again, other = (scores_of(*paths, bootstrap=40, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert all(first[key] == other[key] for key in KEYS)
    assert all(first[f"{key}_interval"] != other[f"{key}_interval"] for key in KEYS)


def test_bootstrap_draws_segments_with_their_video(tmp_path: Path) -> None:
    ratings = {"a": [(0, 3, 0.0), (5, 3, 1.0)]}
    data = write_corpus(tmp_path / "data", {"a": (), "b": ()}, ratings)
    rows: list[Row] = [("a", 0, {3: 2.0}), ("a", 5, {3: 1.0}), ("b", 0, {3: 0.0})]
    found = scores_of(write_rows(tmp_path / "p", rows), data, bootstrap=100)
    low, high = found["map@k_interval"]
    # miss and hit, once or twice each, or neither (the value is kept then): never a hit alone
    assert high - low == pytest.approx(1 / 2 - 1 / 3)
    assert low < found["map@k"] < high


def test_interval_holds_the_value_with_rare_classes(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    names = [f"v{video}" for video in range(300)]
    truth = {name: [0, 1 + video // 2] for video, name in enumerate(names)}  # two videos each
    data = write_corpus(tmp_path / "data", truth, num_classes=151)
    rows: list[Row] = [
        (name, None, dict(enumerate(draw.standard_normal(151).tolist()))) for name in names
    ]
    found = scores_of(write_rows(tmp_path / "p", rows, num_classes=151), data, bootstrap=100)
    low, high = found["map_interval"]
    assert low < found["map"] < high
    # the mean is that of the data: AP of chance is rare, but copies do not make it better
    assert (low + high) / 2 == pytest.approx(found["map"], rel=0.2)


def test_bootstrap_keeps_the_value_of_a_class_whose_positives_are_not_drawn(tmp_path: Path) -> None:
    truth = {"a": [0, 1], "b": [0], "c": [0], "d": []}  # class 1 has one positive, ranked last
    data = write_corpus(tmp_path / "data", truth)
    rows: list[Row] = [
        (n, None, {0: 1.0 - v, 1: v}) for v, n in zip((-1.0, 1, 2, 3), truth, strict=True)
    ]
    path, config = write_rows(tmp_path / "p", rows), EvaluationConfig(bootstrap=64)
    found = score_file(path, Dataset.open(data, quiet=True), config, quiet=True)
    of_class = found.classes["video"]
    draws = next(Bootstrap(found.evaluated, 64, 0).weights()).each
    drawn = draws[found.truth.ids.index("a")] > 0
    assert drawn.any() and not drawn.all()
    assert (of_class.replicates[1, ~drawn] == of_class.precision[1]).all()
    assert of_class.precision[1] == 1 / 4
    means = of_class.replicates[:2].mean(0)  # of both classes in every draw
    np.testing.assert_allclose(found.scores["map"].replicates, means.numpy(), atol=1e-12)
