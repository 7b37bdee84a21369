"""Differences between files of predictions: paired, over several runs, and errors."""

from pathlib import Path

import numpy as np
import pytest

from reeltag.core.errors import ConfigError, DataError
from reeltag.data.dataset import Dataset
from reeltag.evaluation.comparison import compare
from reeltag.evaluation.config import EvaluationConfig
from reeltag.evaluation.scores import evaluate
from tests.inference.scored import Row, example, write_corpus, write_rows

VIDEOS = [f"v{number}" for number in range(60)]


def corpus(folder: Path) -> Path:
    return write_corpus(folder / "data", {name: (i % 5,) for i, name in enumerate(VIDEOS)})


def config(bootstrap: int) -> EvaluationConfig:
    return EvaluationConfig(bootstrap=bootstrap)


def predictions(path: Path, right: float, seed: int) -> Path:
    """Write predictions whose best class is right for about the fraction `right` of the videos."""
    random = np.random.default_rng(seed)
    rows: list[Row] = []
    for number, name in enumerate(VIDEOS):
        scores = random.normal(size=5)
        scores[number % 5] += 6.0 if random.random() < right else 0.0
        rows.append((name, None, dict(enumerate(scores.tolist()))))
    return write_rows(path, rows)


def test_compare_with_itself_is_zero_in_every_draw(tmp_path: Path) -> None:
    path, data = example(tmp_path)
    differences = compare([path], [path], Dataset.open(data, quiet=True), config(20), quiet=True)
    for found in differences.values():
        assert found.difference == 0 and found.interval == [0, 0]


def test_compare_takes_the_means_of_runs(tmp_path: Path) -> None:
    data = Dataset.open(corpus(tmp_path), quiet=True)
    ours = [predictions(tmp_path / f"a{seed}", 0.9, seed) for seed in (1, 2, 3)]
    theirs = [predictions(tmp_path / f"b{seed}", 0.3, seed) for seed in (4, 5)]
    found = compare(ours, theirs, data, config(100), quiet=True)["gap@20"]
    gaps = [evaluate(path, data, config(0), quiet=True)["gap@20"] for path in [*ours, *theirs]]
    assert found.value == pytest.approx(np.mean(gaps[:3]))
    assert found.seed_sd == pytest.approx(np.std(gaps[:3], ddof=1))
    assert found.against == pytest.approx(np.mean(gaps[3:]))
    assert found.difference == pytest.approx(found.value - found.against)
    assert found.interval is not None and 0 < found.interval[0] < found.interval[1]


def test_compare_pairs_the_draws(tmp_path: Path) -> None:
    """A file that is better by a little on every video is significantly so where the two single
    intervals overlap by far."""
    data = Dataset.open(corpus(tmp_path), quiet=True)
    base = predictions(tmp_path / "base", 0.5, 1)
    random = np.random.default_rng(1)
    rows: list[Row] = []
    for number, name in enumerate(VIDEOS):
        scores = random.normal(size=5)
        scores[number % 5] += 6.0 if random.random() < 0.5 else 0.5
        rows.append((name, None, dict(enumerate(scores.tolist()))))
    better = write_rows(tmp_path / "better", rows)
    paired = compare([better], [base], data, config(200), quiet=True)["gap@20"].interval
    single = evaluate(base, data, config(200), quiet=True)["gap@20_interval"]
    assert paired is not None
    assert paired[1] - paired[0] < 0.6 * (single[1] - single[0])


def test_compare_raises_for_other_videos(tmp_path: Path) -> None:
    data = Dataset.open(corpus(tmp_path), quiet=True)
    path = predictions(tmp_path / "a", 0.5, 1)
    part = write_rows(tmp_path / "part", [(VIDEOS[0], None, {0: 1.0})])
    with pytest.raises(DataError, match="is about other videos than"):
        compare([path], [part], data, config(0), quiet=True)
    of_split = EvaluationConfig(split="test", bootstrap=0)
    found = compare([path], [part], data, of_split, quiet=True)["gap@20"]
    assert found.interval is None and found.seed_sd is None and found.difference > 0


def test_compare_raises_without_a_side_or_a_common_score(tmp_path: Path) -> None:
    folder = write_corpus(tmp_path / "data", {"a": (1,)}, {"a": [(0, 3, 1.0)]})
    data = Dataset.open(folder, quiet=True)
    video = write_rows(tmp_path / "video", [("a", None, {1: 1.0})])
    segment = write_rows(tmp_path / "segment", [("a", 0, {3: 1.0})])
    with pytest.raises(ConfigError, match="both sides"):
        compare([video], [], data)
    with pytest.raises(DataError, match="shares no score"):
        compare([video], [segment], data, config(0), quiet=True)
