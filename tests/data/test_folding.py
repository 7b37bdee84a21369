"""Folds of a data folder: of the training split alone, the same for training and predicting."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from reeltag.core.errors import ConfigError
from reeltag.data.dataset import Dataset
from reeltag.data.folding import held_out_rows, rows_to_train_on
from reeltag.data.selection import lists_of
from reeltag.data.splits import Splits
from reeltag.data.synth.config import SynthConfig
from reeltag.data.synth.corpus import write_corpus
from reeltag.labels.folds import FoldConfig
from tests.data.corpora import a_video, frame_corpus


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("folding") / "data"
    config = SynthConfig(videos=60, classes=8, rgb=4, audio=2, level="video", shards=4)
    write_corpus(out, config, quiet=True)
    return out


def test_folds_cover_the_training_split_and_share_nothing(data: Path) -> None:
    dataset = Dataset.open(data, jobs=1, quiet=True)
    folds = [held_out_rows(dataset, FoldConfig(count=4, hold_out=k)) for k in range(4)]
    times = np.sum(folds, axis=0)
    train = np.isin(dataset.table["shard"].to_numpy(), dataset.shards_of("train"))
    assert np.array_equal(times, train.astype(int)) and min(fold.sum() for fold in folds) > 0


def test_shards_of_other_names_give_the_same_folds(data: Path, tmp_path: Path) -> None:
    dataset = Dataset.open(data, jobs=1, quiet=True)
    fold = FoldConfig(count=3, hold_out=1)
    shutil.copytree(data, tmp_path / "data", ignore=shutil.ignore_patterns(".reeltag"))
    for number in range(4):
        name = tmp_path / "data" / f"train{number:04}.tfrecord"
        name.rename(tmp_path / "data" / f"train{9 - number}.tfrecord")
    turned = Dataset.open(tmp_path / "data", jobs=1, quiet=True)
    ids = [
        set(of.table.filter(held_out_rows(of, fold))["id"].to_pylist()) for of in (dataset, turned)
    ]
    assert ids[0] == ids[1]


def test_more_folds_than_videos_raise(data: Path) -> None:
    dataset = Dataset.open(data, jobs=1, quiet=True)
    with pytest.raises(ConfigError, match="training videos cannot be divided into 50 folds"):
        held_out_rows(dataset, FoldConfig(count=50))


def test_augmented_samples_share_the_fold_of_their_video_and_do_not_train_with_a_held_out_neighbour(
    tmp_path: Path,
) -> None:
    names = "abcdefgh"
    made = [f"{a}~{how}~{b}" for a, b in zip(names, names[1:] + "a", strict=True) for how in "ix"]
    made += [f"{name}~n{number}" for name in names for number in (1, 2)]
    shard = [a_video(name, 3) for name in (*names, *made, "a~loose end")]
    dataset = frame_corpus(tmp_path, {"train0": shard}).data
    ids = dataset.table["id"].to_pylist()
    for number in range(3):
        fold = FoldConfig(count=3, hold_out=number)
        held_out = held_out_rows(dataset.with_splits(Splits(holdout=0.0)), fold)
        taught = rows_to_train_on(dataset, held_out)
        apart = {name for name, out in zip(ids, held_out, strict=True) if out}
        assert 0 < len(apart & {*names}) < len(names)
        for name, out, trains in zip(ids, held_out, taught, strict=True):
            if "~loose" in name:  # an id as any other
                continue
            assert out == (name[0] in apart)
            neighbour = name[-1] if name[1:2] == "~" and name[2] in "ix" else name[0]
            assert trains == (not out and neighbour not in apart)


RATED = Splits(train="validate*", holdout=0.0)


@pytest.fixture(scope="module")
def rated(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    out = tmp_path_factory.mktemp("rated") / "data"
    config = SynthConfig(
        videos=450,
        held_out=0.4,
        classes=3,
        rgb=2,
        audio=0,
        min_frames=40,
        max_frames=50,
        rated_fraction=0.8,
    )
    write_corpus(out, config, quiet=True)
    return Dataset.open(out, splits=RATED, jobs=1, quiet=True)


def test_folds_by_ratings_hold_rated_videos_and_share_positives_and_negatives(
    rated: Dataset,
) -> None:
    bounds, of_all = lists_of(rated.table, "segment_labels")[0], _strata(rated, None)
    assert 130 < len(of_all["videos"]) < 160 and len(of_all) == 7  # 0.8 of 180
    differences = list[float]()
    for number in range(5):
        mine = held_out_rows(rated, FoldConfig(count=5, hold_out=number, by="ratings"))
        assert (np.diff(bounds)[mine] > 0).all()
        found = _strata(rated, mine)
        differences += [abs(len(found[name]) - len(videos) / 5) for name, videos in of_all.items()]
    assert np.mean(differences) < 0.9  # videos; 1.3 if only classes were shared, 2.0 by labels


def test_folds_by_ratings_cover_the_rated_videos_and_share_nothing(rated: Dataset) -> None:
    folds = [held_out_rows(rated, FoldConfig(count=3, hold_out=k, by="ratings")) for k in range(3)]
    times = np.sum(folds, axis=0)
    every = rated.rated_segments("train").records
    assert times.max() == 1 and times.sum() == (np.diff(every.lists("segment_starts")[0]) > 0).sum()
    with pytest.raises(ConfigError, match=r"\d+ rated videos cannot be divided into 200 folds"):
        held_out_rows(rated, FoldConfig(count=200, by="ratings"))


def _strata(dataset: Dataset, rows: NDArray[np.bool_] | None) -> dict[str, set[str]]:
    """Return the rated videos, and those with a positive and with a negative of each class."""
    items = dataset.rated_segments("train", rows=rows)
    assert items.targets is not None
    ids, found = items.ids(items.targets.row_of_entry()), dict[str, set[str]]()
    for id_, label, value in zip(
        ids, items.targets.classes, items.targets.entry_values(), strict=True
    ):
        for name in ("videos", f"{label} {value > 0.5}"):
            found.setdefault(name, set()).add(id_)
    return found
