"""Soft labels in training: targets and weights of a batch, and files that do not fit."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from reeltag.core.batch import FrameBatch
from reeltag.core.errors import ConfigError, DataError
from reeltag.data.dataset import Dataset
from reeltag.data.items import VideoSet
from reeltag.data.splits import Splits
from reeltag.labels.folds import FoldConfig
from reeltag.soft_labels import student
from reeltag.soft_labels.config import SoftLabelConfig
from reeltag.soft_labels.storage import SoftLabelInfo, SoftLabelRows, soft_label_writer
from reeltag.training.batches import make_batches
from reeltag.training.config import Recipe
from reeltag.training.relabel_config import RelabelConfig
from tests.data.corpora import NUM_CLASSES, Corpus, a_video, frame_corpus

NAMES = tuple(f"c{number}" for number in range(NUM_CLASSES))
Row = tuple[str, int | None, dict[int, float], int | None]
ALL = Splits(train="rated*,train*", validate="validate*", test="test*")
RATED = Splits(train="rated*", validate="validate*", test="test*")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return frame_corpus(
        tmp_path_factory.mktemp("soft"),
        {
            "rated0": [a_video("r", 30, [(5, 3, 1.0), (5, 4, 0.0), (20, 2, 1.0)])],
            "test0": [a_video("t", 30)],
            "train0": [a_video("a", 30), a_video("b", 28)],
            "train1": [a_video("c", 12), a_video("d", 30)],
            "validate0": [a_video("e", 30, [(0, 1, 1.0)])],
        },
    )


def store(path: Path, rows: list[Row], **about: Any) -> SoftLabelConfig:
    info = SoftLabelInfo(**{"class_names": NAMES, **about})
    columns = [
        {"id": i, "start_s": s, "end_s": e, "classes": [*p], "probs": [*p.values()], "drawn_for": d}
        for i, s, p, d in rows
        for e in [None if s is None else s + 5]
    ]
    with soft_label_writer(path, info) as writer:
        writer.write(
            SoftLabelRows.from_arrow(
                pa.RecordBatch.from_pylist(columns, schema=SoftLabelRows.SCHEMA)
            )
        )
    return SoftLabelConfig(file=str(path))


SEGMENTS: list[Row] = [
    ("d", 10, {1: 0.25, 7: 0.5}, 1),
    ("a", 25, {2: 1.0}, 2),
    ("b", 25, {3: 0.125, 4: 0.0}, 3),  # three frames long
    ("r", 5, {3: 0.75}, 3),  # rated too
]
VIDEOS: list[Row] = [("a", None, {0: 0.5, 5: 0.25}, None), ("c", None, {}, None)]


def train_items(
    dataset: Dataset, soft: SoftLabelConfig, *, splits: Splits = RATED, **recipe: Any
) -> VideoSet:
    chosen: dict[str, Any] = {"items": "segments", "batch_size": 1, **recipe}
    return make_batches(dataset.with_splits(splits), Recipe(soft=soft, **chosen)).items


def one_epoch(dataset: Dataset, recipe: Recipe) -> list[FrameBatch]:
    batches = make_batches(dataset, recipe).train
    return [
        dataclasses.replace(
            batch,
            **{name: getattr(batch, name).clone() for name in ("labels", "weights", "frames")},
        )
        for batch in batches
    ]


def test_epoch_holds_rated_and_soft_segments(corpus: Corpus, tmp_path: Path) -> None:
    soft = store(tmp_path / "s", SEGMENTS)
    recipe = Recipe(items="segments", batch_size=1, soft=soft)
    found = {}
    for batch in one_epoch(corpus.data.with_splits(RATED), recipe):
        assert batch.labels is not None and batch.weights is not None and batch.times is not None
        classes = batch.weights[0].nonzero().flatten().tolist()
        assert set(batch.weights.unique().tolist()) <= {0.0, 1.0}
        key = (batch.ids[0], tuple((c, float(batch.labels[0, c])) for c in classes))
        found[key] = batch.frames[0, : int(batch.mask.sum())].numpy()
    assert set(found) == {
        ("r", ((3, 1.0), (4, 0.0))),
        ("r", ((2, 1.0),)),
        ("d", ((1, 0.25), (7, 0.5))),
        ("a", ((2, 1.0),)),
        ("b", ((3, 0.125), (4, 0.0))),
        ("r", ((3, 0.75),)),
    }
    for (name, wanted), start in ((("a", ((2, 1.0),)), 25), (("b", ((3, 0.125), (4, 0.0))), 25)):
        frames = corpus.videos[name].frames[start : start + 5]
        assert np.array_equal(found[name, wanted], frames)


def test_epoch_without_ratings_holds_soft_segments_alone(corpus: Corpus, tmp_path: Path) -> None:
    soft = store(tmp_path / "s", SEGMENTS)
    splits = Splits(train="train*", validate="validate*", test="test*")
    items = train_items(corpus.data, soft, splits=splits)
    assert sorted(items.ids(np.arange(len(items)))) == ["a", "b", "d", "r"]


@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_soft_segment_weights_follow_the_config(
    corpus: Corpus, tmp_path: Path, weight: float
) -> None:
    soft = dataclasses.replace(store(tmp_path / "s", SEGMENTS), weight=weight)
    targets = train_items(corpus.data, soft).targets
    assert targets is not None
    expected = [1.0] * 3 + ([weight] * 6 if weight else [])  # ratings, and soft classes
    assert sorted(targets.entry_weights()) == sorted(expected)


def test_reweighting_leaves_soft_labels_alone(
    corpus: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    soft = dataclasses.replace(store(tmp_path / "s", SEGMENTS), weight=0.5)
    labels = RelabelConfig(rated_weight=2.5, unrated_weight=0.125)
    items = train_items(corpus.data, soft, labels=labels)
    assert items.targets is not None
    found = {
        (items.ids(np.array([item]))[0], int(items.first[item]), int(of)): float(weight)
        for item, of, weight in zip(
            items.targets.row_of_entry(),
            items.targets.classes,
            items.targets.entry_weights(),
            strict=True,
        )
    }
    rated = {("r", 5, 4): 2.5, ("r", 20, 2): 2.5}
    taught = {(i, s, of): 0.5 for i, s, probs, _ in SEGMENTS for of in probs if i != "r"}
    assert found.items() >= (rated | taught).items()
    # the segment that is both rated and soft is two items, and each has its weight
    twice = (items.targets.row_of_entry()[items.targets.classes == 3]).tolist()
    weights = items.targets.entry_weights()[items.targets.classes == 3].tolist()
    assert sorted(weights) == [0.5, 0.5, 2.5] and len(twice) == 3
    assert (items.targets.unlisted_weights() == 0.125).all()
    log = capsys.readouterr().err
    assert "labels: rated classes weigh 2.5, unrated ones 0.125" in log
    assert "soft segments: soft labels keep their weight, unrated ones 0.125" in log


def test_weak_negatives_of_soft_segments_are_of_their_video(corpus: Corpus, tmp_path: Path) -> None:
    soft = store(tmp_path / "s", SEGMENTS)
    items = train_items(corpus.data, soft, labels=RelabelConfig(weak_negatives=1.0))
    assert items.targets is not None
    for item, name in enumerate(items.ids(np.arange(len(items)))):
        absent = NUM_CLASSES - len(corpus.videos[name].labels)
        assert items.targets.unlisted_weights()[item] == np.float32(1 / absent)


def test_equal_draws_from_the_file(corpus: Corpus, tmp_path: Path) -> None:
    rows: list[Row] = [("d", 5 * n, {n % 2: 0.5, 9: 0.5}, n % 2) for n in range(6)]
    soft = store(tmp_path / "s", rows, segment_classes=(0, 1))
    items = train_items(corpus.data, dataclasses.replace(soft, equal=2))
    assert len(items) == 2 + 2 * 2 and items.targets is not None
    assert set(items.targets.classes) == {2, 3, 4, 0, 1}  # 9 is in no list
    kept = dataclasses.replace(soft, equal=2, keep_outside=True)
    assert 9 in train_items(corpus.data, kept).targets.classes  # type: ignore[union-attr]


def test_soft_segments_of_evaluation_videos_raise(corpus: Corpus, tmp_path: Path) -> None:
    for name, split in (("e", "validate"), ("t", "test")):
        soft = store(tmp_path / name, [*SEGMENTS, (name, 5, {1: 0.5}, 1)])
        with pytest.raises(
            ConfigError, match=f"1 soft segments are of videos of .*'{split}'.*'{name}'"
        ):
            train_items(corpus.data, soft)


def test_soft_segments_of_videos_also_in_an_evaluation_shard_raise(tmp_path: Path) -> None:
    copies = frame_corpus(
        tmp_path / "data",
        {"train0": [a_video("a", 30, [(5, 3, 1.0)])], "validate0": [a_video("a", 30)]},
    )
    soft = store(tmp_path / "s", [("a", 5, {1: 0.5}, 1)])
    with pytest.raises(ConfigError, match="'validate', the first of 'a'"):
        train_items(copies.data, soft, splits=Splits())


@pytest.mark.parametrize(
    ("rows", "rule"),
    [
        ([(f"x{n}", 5, {1: 0.5}, 1) for n in range(5)],
         "5 of 9 soft labels are of ids that are not in the data: 'x0', 'x1', 'x2', ..."),
        ([("c", 15, {1: 0.5}, 1)], "1 of 5 soft labels begin after the end of their video: 'c'"),
    ],
)  # fmt: skip
def test_unknown_soft_labels_raise_or_are_left_out(
    corpus: Corpus,
    tmp_path: Path,
    rows: list[Row],
    rule: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    soft = store(tmp_path / "s", SEGMENTS + rows)
    with pytest.raises(DataError, match=rf"{rule}(.|\n)*--soft.ignore-unknown"):
        train_items(corpus.data, soft)
    items = train_items(corpus.data, dataclasses.replace(soft, ignore_unknown=True))
    assert len(items) == 3 + len(SEGMENTS) - 1
    assert rule in capfd.readouterr().err


def test_repeated_soft_labels_raise(corpus: Corpus, tmp_path: Path) -> None:
    soft = store(tmp_path / "s", [*SEGMENTS, SEGMENTS[1]])
    with pytest.raises(DataError, match="more than one row for 'a' at 25 s"):
        train_items(corpus.data, soft)
    soft = store(tmp_path / "v", [*VIDEOS, VIDEOS[0]])
    with pytest.raises(DataError, match="more than one row for 'a'"):
        train_items(corpus.data, soft, items="videos", splits=ALL)


def test_soft_labels_of_other_classes_or_kinds_raise(corpus: Corpus, tmp_path: Path) -> None:
    fewer = store(tmp_path / "fewer", SEGMENTS, class_names=NAMES[:-1])
    with pytest.raises(DataError, match="has 11 classes; .* has 12"):
        train_items(corpus.data, fewer)
    other = store(tmp_path / "other", SEGMENTS, class_names=("Zebra", *NAMES[1:]))
    with pytest.raises(DataError, match="class 0 is 'Zebra'; in .* it is 'c0'"):
        train_items(corpus.data, other)
    with pytest.raises(ConfigError, match="holds no row of a whole video"):
        train_items(corpus.data, store(tmp_path / "s", SEGMENTS), items="videos")
    with pytest.raises(ConfigError, match="holds no row of a segment"):
        train_items(corpus.data, store(tmp_path / "v", VIDEOS))


def dense(items: VideoSet) -> dict[str, dict[int, float]]:
    """Return the targets that are not 0, by id."""
    targets, found = items.targets, dict[str, dict[int, float]]()
    assert targets is not None and not targets.weighted
    for number, name in enumerate(items.ids(np.arange(len(items)))):
        entries = slice(targets.indptr[number], targets.indptr[number + 1])
        values = targets.entry_values()[entries].tolist()
        found[name] = {
            c: v for c, v in zip(targets.classes[entries].tolist(), values, strict=True) if v
        }
    return found


@pytest.mark.parametrize("weight", [0.0, 0.25, 1.0])
def test_video_target_mixes_soft_and_hard_labels(
    corpus: Corpus,
    tmp_path: Path,
    weight: float,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(student, "_AT_ONCE", 2)  # videos at a time
    soft = dataclasses.replace(store(tmp_path / "v", VIDEOS), weight=weight)
    found = dense(train_items(corpus.data, soft, items="videos", splits=ALL))
    taught = {name: probs for name, _, probs, _ in VIDEOS}
    for name in "rabcd":
        labels, expected = corpus.videos[name].labels, dict[int, float]()
        for of in range(NUM_CLASSES):  # the rule, class by class
            hard, share = float(of in labels), weight if name in taught else 0.0
            expected[of] = share * taught.get(name, {}).get(of, 0.0) + (1 - share) * hard
        assert found[name] == pytest.approx({c: v for c, v in expected.items() if v})
    log = "2 of 5 training videos have soft labels; the others keep their own"
    assert (log in capfd.readouterr().err) == (weight > 0)


def test_label_noise_comes_before_mixing(corpus: Corpus, tmp_path: Path) -> None:
    noise = RelabelConfig(noise_precision=0.5, noise_recall=0.5)
    plain: dict[str, Any] = {"items": "videos", "splits": ALL, "labels": noise}
    noisy = dense(train_items(corpus.data, SoftLabelConfig(), **plain))
    soft = dataclasses.replace(store(tmp_path / "v", VIDEOS), weight=0.25)
    found = dense(train_items(corpus.data, soft, **plain))
    taught = {name: probs for name, _, probs, _ in VIDEOS}
    assert noisy != {name: dict.fromkeys(corpus.videos[name].labels, 1.0) for name in noisy}
    for name, hard in noisy.items():
        share = 0.25 if name in taught else 0.0
        classes = hard.keys() | (taught.get(name, {}) if share else {}).keys()
        expected = {
            c: share * taught.get(name, {}).get(c, 0.0) + (1 - share) * hard.get(c, 0.0)
            for c in classes
        }
        assert found.get(name, {}) == pytest.approx({c: v for c, v in expected.items() if v})


def test_soft_weight_0_equals_plain_training(corpus: Corpus, tmp_path: Path) -> None:
    soft = dataclasses.replace(store(tmp_path / "v", VIDEOS), weight=0.0)
    plain = train_items(corpus.data, SoftLabelConfig(), items="videos", splits=ALL).targets
    found = train_items(corpus.data, soft, items="videos", splits=ALL).targets
    assert plain is not None and found is not None and found.values is None
    assert np.array_equal(plain.classes, found.classes)
    assert np.array_equal(plain.indptr, found.indptr) and not found.weighted


def test_held_out_fold_is_not_trained_on(corpus: Corpus, tmp_path: Path) -> None:
    splits = Splits(train="train*", validate="validate*", test="test*")
    soft = store(tmp_path / "s", SEGMENTS)
    seen = []
    for hold_out in range(2):
        fold = FoldConfig(count=2, hold_out=hold_out)
        plain = train_items(
            corpus.data, SoftLabelConfig(), items="videos", splits=splits, fold=fold
        )
        ids = set(plain.ids(np.arange(len(plain))))
        items = train_items(corpus.data, soft, splits=splits, fold=fold)
        assert set(items.ids(np.arange(len(items)))) <= ids | {"r"}
        seen.append(ids)
    assert seen[0] | seen[1] == set("abcd") and not seen[0] & seen[1]


def test_validation_keeps_hard_labels(corpus: Corpus, tmp_path: Path) -> None:
    soft = store(tmp_path / "v", [*VIDEOS, ("e", None, {9: 0.5}, None)])
    recipe = Recipe(batch_size=1, soft=soft)
    validate = make_batches(corpus.data.with_splits(ALL), recipe).validate
    assert validate is not None
    labels = next(iter(validate)).labels
    assert labels is not None
    assert tuple(labels[0].nonzero().flatten().tolist()) == corpus.videos["e"].labels


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"weight": 1.5}, r"soft.weight is 1.5; allowed: a number in \[0, 1\]"),
        ({"weight": float("nan")}, "soft.weight is nan; allowed: a number in"),
        ({"equal": -1}, "soft.equal is -1; allowed: an integer >= 0"),
        ({"equal": 3}, "soft.equal draws from a file"),
        ({"file": "s", "keep_outside": True}, "no effect without --soft.equal"),
    ],
)
def test_soft_label_config_raises_out_of_range(options: dict[str, Any], rule: str) -> None:
    with pytest.raises(ConfigError, match=rule):
        SoftLabelConfig(**options)
