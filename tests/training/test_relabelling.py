"""Mended labels: only of training items, as the flags say, and by default not at all."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from reeltag.cli.train import Train
from reeltag.core.errors import ConfigError, DataError
from reeltag.core.sparse import SparseRows
from reeltag.data.class_list import ClassList
from reeltag.data.dataset import Dataset
from reeltag.data.items import VideoSet
from reeltag.data.splits import Splits
from reeltag.labels.cooccurrence import count_cooccurrence
from reeltag.labels.correlated import correlated
from reeltag.labels.correlation import Correlation
from reeltag.labels.targets import Targets
from reeltag.models import logistic
from reeltag.tagger.run_files import read_config
from reeltag.training import relabelling as mending
from reeltag.training.batches import make_batches
from reeltag.training.config import Optimisation, Recipe
from reeltag.training.fit import train
from reeltag.training.relabel_config import RelabelConfig
from reeltag.training.relabelling import relabelled
from reeltag.training.run_folder import read_recipe
from tests.labels.test_targets import listed

SPLITS = Splits(train="validate*", validate="test*", test="train*")  # where segments are rated
RECIPE = Recipe(
    items="segments",
    batch_size=8,
    max_steps=5,
    optim=Optimisation(learning_rate=0.05),
)


@pytest.fixture(scope="module")
def dataset(corpus: Path) -> Dataset:
    return Dataset.open(corpus, splits=SPLITS, quiet=True)


@pytest.fixture(scope="module")
def segments(dataset: Dataset) -> VideoSet:
    return dataset.rated_segments()


@pytest.fixture(scope="module")
def whole(dataset: Dataset) -> VideoSet:
    return dataset.videos()


@pytest.fixture(scope="module")
def correlation(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Correlations of the corpus, as `reeltag labels` writes them."""
    vocabulary = ClassList.find(dataset.root)
    assert vocabulary is not None
    every = dataset.videos("all")
    counts = count_cooccurrence(SparseRows(*every.records.lists("labels")), dataset.num_classes)
    path = tmp_path_factory.mktemp("labels") / "correlation.parquet"
    Correlation(counts, vocabulary.names, len(every)).save(path)
    return path


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(mending, "say", lines.append)
    return lines


def targets_of(items: VideoSet) -> Targets:
    assert items.targets is not None
    return items.targets


def trained(out: Path, corpus: Path, recipe: Recipe = RECIPE) -> dict[str, Tensor]:
    """Return the weights after a few steps."""
    train(Dataset.open(corpus, splits=SPLITS), out, logistic.TINY, recipe)
    return load_file(out / "model.safetensors")


def assert_same(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), name


def test_by_default_the_items_come_back_as_they_are(
    segments: VideoSet, whole: VideoSet, said: list[str]
) -> None:
    assert relabelled(segments, RelabelConfig()) is segments
    assert relabelled(whole, RelabelConfig()) is whole
    assert not said


def test_training_without_options_is_training_without_relabelling(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = trained(tmp_path / "with", corpus)
    monkeypatch.setattr("reeltag.training.batches.relabelled", lambda items, _: items)
    assert_same(plain, trained(tmp_path / "without", corpus))


def test_threshold_that_nothing_reaches_trains_as_without_correlations(
    corpus: Path, dataset: Dataset, tmp_path: Path
) -> None:
    names = ClassList.find(dataset.root)
    assert names is not None
    apart = count_cooccurrence(
        SparseRows(np.array([0, 1]), np.array([0], np.int32)), dataset.num_classes
    )
    Correlation(apart, names.names, 1).save(tmp_path / "apart.parquet")
    config = RelabelConfig(correlation=str(tmp_path / "apart.parquet"), correlation_weight=1.0)
    weights = trained(tmp_path / "run", corpus, replace(RECIPE, labels=config))
    assert_same(weights, trained(tmp_path / "plain", corpus))


def test_equal_weights_train_as_the_starter_code_does(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    equal = replace(RECIPE, labels=RelabelConfig(unrated_weight=1.0))
    weights = trained(tmp_path / "equal", corpus, equal)

    def every_class_counts(items: VideoSet, _: object) -> VideoSet:
        return replace(items, targets=replace(targets_of(items), unlisted_weight=1.0))

    monkeypatch.setattr("reeltag.training.batches.relabelled", every_class_counts)
    assert_same(weights, trained(tmp_path / "starter", corpus))
    monkeypatch.undo()
    masked = trained(tmp_path / "masked", corpus)
    assert any(not torch.equal(tensor, weights[name]) for name, tensor in masked.items())


def test_relabelling_is_of_training_items_alone(dataset: Dataset, correlation: Path) -> None:
    config = RelabelConfig(rated_weight=2.5, unrated_weight=0.1, correlation=str(correlation))
    batches = make_batches(dataset, replace(RECIPE, labels=config))
    assert batches.validate is not None
    for batch in batches.validate:
        assert batch.weights is not None and set(batch.weights.unique().tolist()) == {0, 1}
    (first, *_) = batches.train
    assert first.weights is not None
    assert set(first.weights.unique().tolist()) == {2.5, np.float32(0.1).item()}


def test_relabelling_is_logged_in_one_line(
    segments: VideoSet, correlation: Path, said: list[str]
) -> None:
    config = RelabelConfig(
        rated_weight=2.5, unrated_weight=0.1, correlation=str(correlation), tau=0.3
    )
    before, after = listed(targets_of(segments)), listed(targets_of(relabelled(segments, config)))
    added = [len(now) - len(then) for then, now in zip(before, after, strict=True)]
    assert sum(added) > 0
    assert said == [
        "labels: rated classes weigh 2.5, unrated ones 0.1; "
        f"{sum(added):,} correlation targets added to {np.count_nonzero(added):,} segments of "
        f"{len(segments):,}"
    ]
    for then, now in zip(before, after, strict=True):
        assert {c: now[c] for c in then} == {c: (value, 2.5) for c, (value, _) in then.items()}
        for c in now.keys() - then.keys():
            assert 0.3 <= now[c][0] <= 1 and now[c][1] == np.float32(0.1)


@pytest.mark.parametrize("mode", ["sum", "max"])
def test_correlations_have_the_threshold_mode_and_weight_requested(
    segments: VideoSet, correlation: Path, mode: Any, said: list[str]
) -> None:
    weak = RelabelConfig(
        correlation=str(correlation), tau=0.2, correlation_mode=mode, correlation_weight=0.7
    )
    found = targets_of(relabelled(segments, weak))
    loaded = Correlation.load(correlation).implications(0.2)
    expected = correlated(targets_of(segments), loaded, mode=mode, weight=0.7)
    assert listed(found) == listed(expected)
    assert found.unlisted_weight == 0.0
    strict = targets_of(relabelled(segments, replace(weak, tau=0.9)))
    assert len(strict.classes) < len(found.classes)
    none = targets_of(relabelled(segments, replace(weak, min_videos=1000)))
    assert listed(none) == listed(targets_of(segments))
    assert "(none has P >= " not in said[0] and said[-1].endswith("(none has P >= 0.2)")


def test_missing_labels_of_whole_videos_are_filled_in_too(
    whole: VideoSet, correlation: Path, said: list[str]
) -> None:
    after = relabelled(whole, RelabelConfig(correlation=str(correlation), tau=0.3))
    assert targets_of(after).unlisted_weight == 1.0 and "videos of" in said[0]
    assert len(targets_of(after).classes) > len(targets_of(whole).classes)


def test_weak_negatives_are_no_labels_of_the_segments_own_video(
    segments: VideoSet, dataset: Dataset, said: list[str]
) -> None:
    found = targets_of(relabelled(segments, RelabelConfig(weak_negatives=0.5)))
    bounds, classes = segments.records.lists("labels")
    for item, now in enumerate(listed(found)):
        video = segments.video[item]
        own = set(classes[bounds[video] : bounds[video + 1]].tolist())
        assert own <= now.keys()
        left = dataset.num_classes - len(own)
        assert found.unlisted_weights()[item] == (np.float32(0.5 / left) if left else 0)
    assert "those of 8 that are no label of the video 0.5 together" in said[0]


def test_classes_of_a_file_alone_count_where_unrated(
    segments: VideoSet, tmp_path: Path, said: list[str]
) -> None:
    path = tmp_path / "segment_label_ids.csv"
    path.write_text("Index\n1\n5\n")
    config = RelabelConfig(unrated_weight=0.1, classes=str(path))
    targets = targets_of(relabelled(segments, config))
    assert targets.class_mask is not None and np.flatnonzero(targets.class_mask).tolist() == [1, 5]
    assert said == ["labels: rated classes weigh 1, unrated ones 0.1 (2 count)"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "is not there"),
        ("Name\ncar\n", "no column named index"),
        ("Index\n1\n8\n", r"lists class 8; the data has 8 \(0 to 7\)"),
    ],
)
def test_list_of_classes_that_cannot_be_used_is_named(
    segments: VideoSet, tmp_path: Path, text: str | None, words: str
) -> None:
    path = tmp_path / "classes.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(DataError, match=words) as caught:
        relabelled(segments, RelabelConfig(unrated_weight=0.1, classes=str(path)))
    assert str(path) in str(caught.value)


def test_correlations_of_another_class_list_raise_with_both_named(
    segments: VideoSet, tmp_path: Path
) -> None:
    other = tmp_path / "other.parquet"
    config = RelabelConfig(correlation=str(other), correlation_weight=1.0)
    for names in (("cat", "dog"), tuple("abcdefgh")):
        counts = count_cooccurrence(
            SparseRows(np.array([0, 2]), np.array([0, 1], np.int32)), len(names)
        )
        Correlation(counts, names, 1).save(other)
        with pytest.raises(DataError) as caught:
            relabelled(segments, config)
        text = str(caught.value)
        vocabulary = ClassList.find(segments.dataset.root)
        assert vocabulary is not None
        assert str(other) in text and names[0] in text and vocabulary.names[0] in text
    other.write_text("no Parquet")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        relabelled(segments, config)
    with pytest.raises(DataError, match="is not there"):
        relabelled(segments, replace(config, correlation=str(tmp_path / "missing")))


NOISE = RelabelConfig(noise_precision=0.6, noise_recall=0.5)


def test_noise_changes_hard_labels_into_hard_labels(whole: VideoSet, said: list[str]) -> None:
    noisy = targets_of(relabelled(whole, NOISE))
    assert noisy.values is None and not noisy.weighted
    true = [item.keys() for item in listed(targets_of(whole))]
    kept = [now.keys() & then for now, then in zip(listed(noisy), true, strict=True)]
    assert 0 < sum(map(len, kept)) < sum(map(len, true))
    wrong = len(noisy.classes) - sum(map(len, kept))
    assert wrong > 0
    assert said == [
        f"labels: noise leaves {sum(map(len, kept))} of {sum(map(len, true))} labels and adds "
        f"{wrong} wrong ones"
    ]


def test_video_has_its_noise_in_whatever_part_of_the_data(dataset: Dataset) -> None:
    def noise_of(**which: Any) -> dict[str, object]:
        items = dataset.videos("all", **which)
        noisy = listed(targets_of(relabelled(items, NOISE)))
        return dict(zip(items.ids(np.arange(len(items))), noisy, strict=True))

    every, part = noise_of(), noise_of(rows=np.arange(3, 20))
    assert part == {name: every[name] for name in part} and len(part) == 17
    other = dataset.videos("all")
    assert listed(targets_of(relabelled(other, replace(NOISE, noise_seed=1)))) != [*every.values()]


def test_noise_on_soft_labels_or_ratings_raises(whole: VideoSet, segments: VideoSet) -> None:
    soft = np.full(len(targets_of(whole).classes), 0.5, np.float32)
    with pytest.raises(ConfigError, match="some of these are soft"):
        relabelled(replace(whole, targets=replace(targets_of(whole), values=soft)), NOISE)
    with pytest.raises(ConfigError, match=r"noise_precision.*these items are segments"):
        relabelled(segments, NOISE)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"rated_weight": 2.5}, "rated_weight"),
        ({"rated_weight": 2.5, "unrated_weight": 0.1}, "unrated_weight"),
        ({"weak_negatives": 1.0}, "weak_negatives"),
        ({"classes": "x.csv", "correlation": "y"}, "classes"),
    ],
)
def test_weights_of_whole_videos_mean_nothing_and_raise(
    whole: VideoSet, change: dict[str, Any], name: str
) -> None:
    with pytest.raises(ConfigError, match=rf"labels.{name} .*every class counts as known"):
        relabelled(whole, RelabelConfig(**change))


def test_correlation_targets_that_would_weigh_nothing_raise(
    segments: VideoSet, correlation: Path
) -> None:
    with pytest.raises(ConfigError, match="those weigh 0") as caught:
        relabelled(segments, RelabelConfig(correlation=str(correlation)))
    assert "--labels.unrated-weight" in caught.value.hint


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rated_weight": 0.0}, "labels.rated_weight is 0.0; allowed: a finite number > 0"),
        ({"rated_weight": float("nan")}, "labels.rated_weight"),
        ({"unrated_weight": -0.1}, "labels.unrated_weight is -0.1; allowed: a finite number >= 0"),
        ({"unrated_weight": float("inf")}, "labels.unrated_weight"),
        ({"weak_negatives": -1.0}, "labels.weak_negatives is -1.0"),
        ({"tau": 0.0}, r"labels.tau is 0.0; allowed: a number in \(0, 1\]"),
        ({"tau": 1.01}, r"labels.tau is 1.01"),
        ({"tau": float("nan")}, "labels.tau"),
        ({"min_videos": 0}, "labels.min_videos is 0; allowed: an integer >= 1"),
        ({"correlation_weight": -1.0}, "labels.correlation_weight is -1.0"),
        ({"noise_precision": 0.0}, r"labels.noise_precision is 0.0"),
        ({"noise_recall": 1.5}, r"labels.noise_recall is 1.5"),
        ({"weak_negatives": 1.0, "unrated_weight": 0.1}, "both weigh unrated classes"),
        ({"classes": "x.csv"}, "which unrated classes count, and none does"),
    ],
)
def test_option_out_of_range_raises_by_its_name(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        RelabelConfig(**change)


def test_options_are_flags_and_stand_in_the_run_folder(
    corpus: Path, correlation: Path, tmp_path: Path
) -> None:
    flags = ["--labels.rated-weight", "2.5", "--labels.unrated-weight", "0.1"]
    flags += ["--labels.correlation", str(correlation), "--labels.tau", "0.6"]
    flags += ["--labels.correlation-mode", "max", "--labels.correlation-weight", "0.5"]
    parsed = Train.parse(["logistic", "--data", "d", "--out", "o", *flags])
    config = parsed.options.recipe.labels  # type: ignore[union-attr]
    assert config == RelabelConfig(
        rated_weight=2.5,
        unrated_weight=0.1,
        correlation=str(correlation),
        tau=0.6,
        correlation_mode="max",
        correlation_weight=0.5,
    )
    trained(tmp_path / "run", corpus, replace(RECIPE, max_steps=1, labels=config))
    assert read_recipe(read_config(tmp_path / "run")).labels == config


def test_of_several_processes_the_first_one_speaks(
    segments: VideoSet, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    relabelled(segments, RelabelConfig(unrated_weight=0.1))
    assert not said
