"""Frame regression: what it finds, what it is invariant to, and what it does not see."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from reeltag.core.errors import OutputError
from reeltag.data.dataset import Dataset
from reeltag.data.features import Features
from reeltag.data.folding import held_out_rows
from reeltag.data.splits import Splits
from reeltag.labels.folds import FoldConfig
from reeltag.models.frame_logistic import Config
from reeltag.tagger.tagger import Tagger
from reeltag.training.balancing import Balance
from reeltag.training.batches import training_items
from reeltag.training.config import Recipe
from reeltag.training.frame_regression import (
    FrameRegressionConfig,
    _Frames,
    _label_weights,
    fit_frame_regression,
)
from tests.data.corpora import write_shard
from tests.data.described import described, described_record

TWO = described({"rgb": (24, "float32"), "audio": (4, "float32")})
VIDEOS, FRAMES, CLASSES = 40, 30, 3
VIDEO_LABELS = Recipe()
RATINGS = Recipe(items="segments")


def truth() -> NDArray[np.bool_]:
    """Return (V, T, C): in which frames a class is, of a tenth of the videos' frames."""
    rng = np.random.default_rng(0)
    found = np.zeros((VIDEOS, FRAMES, CLASSES), bool)
    for video in range(VIDEOS):
        for c in range(CLASSES):
            if rng.random() < 0.5:
                first = rng.integers(0, FRAMES - 4)
                found[video, first : first + 4, c] = True
    return found


def present() -> NDArray[np.bool_]:
    """Return (V, C): which classes are in a video."""
    return np.asarray(truth().any(axis=1))


def frames(noise: float = 0.5) -> NDArray[np.float32]:
    """Return (V, T, D): classes 0 and 1 are in the wide stream, class 2 in the narrow one."""
    rng = np.random.default_rng(1)
    values = rng.normal(size=(VIDEOS, FRAMES, 28)) * noise
    for c, place in enumerate((3, 11, 25)):
        values[..., place] += 2 * truth()[..., c]
    return values.astype(np.float32)


def corpus(
    folder: Path,
    values: NDArray[np.float32],
    labels: NDArray[np.bool_],
    rated: range = range(0),
    features: Features = TWO,
    only: Mapping[int, float] = MappingProxyType({}),
) -> Dataset:
    """Write videos with labels (V, C), and a rating of each class in some of them.

    `only` has the value of all ratings of some classes.
    """
    hits, records = truth(), []
    for video in range(VIDEOS):
        context = {"labels": np.flatnonzero(labels[video])}
        if video in rated:
            starts = np.array([5, 10, 15]) + video % 10
            yes = [
                only.get(c, hits[video, s : s + 4, c].mean()) for c, s in enumerate(starts.tolist())
            ]
            context |= {
                "segment_start_times": starts,
                "segment_end_times": starts + 4,
                "segment_labels": np.arange(CLASSES),
                "segment_scores": np.array(yes, np.float32),
            }
        streams = {"rgb": values[video, :, :24], "audio": values[video, :, 24:]}
        records.append(described_record(f"v{video}", streams, **context))
    write_shard(folder / "train0.tfrecord", records)
    features.save(folder)
    return Dataset.open(folder, jobs=1, quiet=True)


def fitted(
    data: Dataset, out: Path, rated: Recipe | None = None, *, videos: Recipe = VIDEO_LABELS
) -> Tagger:
    data = data.with_splits(Splits(holdout=0.0))
    windows = None if rated is None else training_items(data, rated)
    items, how = training_items(data, videos), FrameRegressionConfig(steps=60)
    fit_frame_regression(items, out, Config(l2=3e-7), videos, how, windows=windows)
    return Tagger.load(out)


def seconds(tagger: Tagger, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the logits (V, T, C) of every frame alone."""
    flat = torch.from_numpy(values.reshape(-1, 1, values.shape[-1]))
    logits = tagger.score(flat, torch.ones(len(flat), 1, dtype=torch.bool)).numpy()
    found: NDArray[np.float32] = logits.reshape(*values.shape[:2], -1)
    return found


def separation(scores: NDArray[np.float32]) -> list[float]:
    """Return of each class how often a frame with it scores above one without it."""
    hits, found = truth(), []
    for c in range(CLASSES):
        yes, no = scores[..., c][hits[..., c]], scores[..., c][~hits[..., c]]
        found.append(float((yes[:, None] > no[None]).mean()))
    return found


def test_labels_of_whole_videos_find_the_frames(tmp_path: Path) -> None:
    """Of each class, in either stream: 4 of 30 frames. By chance it would be .5."""
    data = corpus(tmp_path / "data", frames(), present())
    assert min(separation(seconds(fitted(data, tmp_path / "run"), frames()))) > 0.85


def test_ratings_add_to_noisy_labels_of_videos(tmp_path: Path) -> None:
    """Every second label of a video is missing, and a third of those that are there is wrong."""
    rng = np.random.default_rng(2)
    labels = present()
    noisy = np.where(labels, rng.random(labels.shape) < 0.5, rng.random(labels.shape) < 0.25)
    data = corpus(tmp_path / "data", frames(1.0), noisy, range(VIDEOS))
    alone = separation(seconds(fitted(data, tmp_path / "alone"), frames(1.0)))
    both = separation(seconds(fitted(data, tmp_path / "both", RATINGS), frames(1.0)))
    assert np.mean(both) > np.mean(alone) + 0.05


def test_scale_and_offset_of_features_change_nothing(tmp_path: Path) -> None:
    """Another unit of each dimension gives the same logits, to the rounding of 60 steps."""
    labels = present()
    scale = np.linspace(0.5, 20, 28, dtype=np.float32)
    moved = frames() * scale + np.linspace(-9, 30, 28, dtype=np.float32)
    one = fitted(corpus(tmp_path / "a", frames(), labels), tmp_path / "run a")
    other = fitted(corpus(tmp_path / "b", moved, labels), tmp_path / "run b")
    mine, its = seconds(one, frames())[..., :CLASSES], seconds(other, moved)[..., :CLASSES]
    np.testing.assert_allclose(mine, its, atol=0.02)


def test_constant_feature_has_no_weight(tmp_path: Path) -> None:
    values = frames()
    values[..., 5] = 7.0
    tagger = fitted(corpus(tmp_path / "data", values, present()), tmp_path / "run")
    assert not tagger.state_dict()["model.head.linear.weight"][:, 5].any()


def test_run_folder_keeps_model_and_regression(tmp_path: Path) -> None:
    fitted(corpus(tmp_path / "data", frames(), present()), tmp_path / "run")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (config["model"]["l2"], config["model"]["dims"]) == (3e-7, [24, 4])
    assert config["regression"] == asdict(FrameRegressionConfig(steps=60))


@pytest.mark.parametrize("unlabelled", [(), (0, 2)])
def test_loss_is_that_of_the_formula(tmp_path: Path, unlabelled: tuple[int, ...]) -> None:
    """Before the first step all weights are 0, all logits -3, and all labels count alike.

    That no video lists a rated class says nothing of it.
    """
    labels = present()
    labels[:, unlabelled] = False
    data = corpus(tmp_path / "data", frames(), labels, range(VIDEOS))
    data = data.with_splits(Splits(holdout=0.0))
    config = FrameRegressionConfig(steps=1, folds=1, unlisted_weight=0.3, rated_weight=2.0)
    items, windows = training_items(data, VIDEO_LABELS), training_items(data, RATINGS)
    out = tmp_path / "run"
    fit_frame_regression(items, out, Config(), VIDEO_LABELS, config, windows=windows)
    listed, unlisted = np.log1p(np.exp(3)), np.log1p(np.exp(-3))
    num_unlisted = VIDEOS * (items.num_classes - len(unlabelled)) - labels.sum()
    of_labels = (labels.sum() * listed + 0.3 * num_unlisted * unlisted) / VIDEOS
    assert windows.targets is not None
    ratings = windows.targets.entry_values()
    of_ratings = np.mean(ratings * listed + (1 - ratings) * unlisted)
    # float32 sums of some hundred terms
    loss = json.loads((out / "metrics.json").read_text())["loss"]
    assert loss == pytest.approx(of_labels + 2 * items.num_classes * of_ratings, rel=1e-5)


def test_labels_that_other_videos_speak_against_count_less() -> None:
    """Some videos that list class 0 do not have it; class 1 has too few labels to weigh."""
    values, labels = frames(0.1), present()
    wrong = np.flatnonzero(~labels[:, 0])[::5]
    labels[wrong, 0] = True
    labels[4:, 1] = False
    every = _Frames(
        torch.from_numpy(values.reshape(-1, values.shape[-1])),
        torch.arange(VIDEOS).repeat_interleave(FRAMES),
    )
    Balance.of(every.values, (24, 4)).apply_(every.values)
    config = FrameRegressionConfig(unlisted_weight=0.3, l2=1e-5)
    labels_VC, fold_V = torch.from_numpy(labels).float(), torch.arange(VIDEOS) % 5
    weights = _label_weights(every, labels_VC, None, config, fold_V).numpy()
    listed = weights[labels[:, 0], 0]
    right = np.setdiff1d(np.flatnonzero(labels[:, 0]), wrong)
    assert weights[wrong, 0].mean() < weights[right, 0].mean() - 0.1
    assert listed.mean() == pytest.approx(1, rel=1e-5)
    assert weights[~labels[:, 0], 0].mean() == pytest.approx(0.3, rel=1e-5)
    np.testing.assert_array_equal(weights[:, 1], np.where(labels[:, 1], 1, np.float32(0.3)))


def test_existing_run_is_refused_before_frames_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = corpus(tmp_path / "data", frames(), present())
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").touch()
    monkeypatch.setattr("reeltag.training.frame_regression._read", None)
    with pytest.raises(OutputError, match="exists already"):
        fitted(data, tmp_path / "run")


@pytest.mark.parametrize("of", ["labels", "ratings"])
def test_held_out_videos_are_not_seen(tmp_path: Path, of: str) -> None:
    """The videos of a fold are neither labels nor ratings to learn from."""
    fold = FoldConfig(count=4, by="ratings")
    labels, found = present(), []
    for number in range(2):
        data = corpus(tmp_path / f"data{number}", frames(), labels, range(VIDEOS))
        out = tmp_path / f"run{number}"
        which = {"videos": Recipe(fold=fold), "rated": Recipe(items="segments", fold=fold)}
        tagger = fitted(data, out, which["rated"], videos=which["videos"])
        found.append(seconds(tagger, frames()))
        held_out = [v for v in range(VIDEOS) if f"v{v}" in _held_out(data, fold)]
        assert 5 <= len(held_out) <= 15
        labels = labels.copy()
        labels[held_out] = ~labels[held_out]
    np.testing.assert_array_equal(found[0], found[1])


def test_one_sided_ratings_train_labelled_classes_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All ratings of class 0 are no, and it is labelled: they count. Those of class 2 do not."""
    labels = present()
    labels[:, 1:] = False
    data = corpus(tmp_path / "data", frames(), labels, range(VIDEOS), only={0: 0.0, 2: 1.0})
    found = seconds(fitted(data, tmp_path / "run", RATINGS), frames())
    assert "1 class without labels is rated all yes or all no: c2\n" in capsys.readouterr().err
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["ratings"] == 2 * VIDEOS
    assert found[..., 2].max() < 0  # not a yes to everything
    without = seconds(fitted(data, tmp_path / "without"), frames())
    assert found[..., 0].mean() < without[..., 0].mean()


def test_classes_with_one_sided_ratings_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nothing, one_sided = np.zeros_like(present()), {1: 0.0, 2: 1.0}
    data = corpus(tmp_path / "data", frames(), nothing, range(VIDEOS), only=one_sided)
    fitted(data, tmp_path / "run", RATINGS)
    words = "2 classes without labels are rated all yes or all no: c1, c2\n"
    assert words in capsys.readouterr().err


def test_few_ratings_without_a_label_find_the_frames(tmp_path: Path) -> None:
    """Of each class, 40 rated windows of 4 frames, and no labels. By chance it would be .5."""
    nothing = np.zeros_like(present())
    data = corpus(tmp_path / "data", frames(), nothing, range(VIDEOS))
    found = seconds(fitted(data, tmp_path / "run", RATINGS), frames())
    assert min(separation(found)) > 0.85
    assert all(found[..., c].max() > 0 for c in range(CLASSES))


def _held_out(data: Dataset, fold: FoldConfig) -> set[str]:
    rows = held_out_rows(data.with_splits(Splits(holdout=0.0)), fold)
    return set(data.table["id"].filter(rows).to_pylist())
