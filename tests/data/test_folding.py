"""Folds of a data folder: of the training split alone, the same for training and predicting."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from reeltag.core.errors import ConfigError
from reeltag.data.folding import held_out_rows
from reeltag.data.index import open_index
from reeltag.data.splits import Splits
from reeltag.data.synth.config import SynthConfig
from reeltag.data.synth.corpus import write_corpus
from reeltag.labels.folds import FoldConfig


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("folding") / "data"
    config = SynthConfig(videos=60, classes=8, rgb=4, audio=2, level="video", shards=4)
    write_corpus(out, config, quiet=True)
    return out


def test_the_folds_cover_the_training_split_and_share_nothing(data: Path) -> None:
    index = open_index(data, jobs=1, quiet=True)
    folds = [held_out_rows(index, Splits(), FoldConfig(count=4, hold_out=k)) for k in range(4)]
    times = np.sum(folds, axis=0)
    train = np.isin(index.table["shard"].to_numpy(), Splits().shards(index, "train"))
    assert np.array_equal(times, train.astype(int)) and min(fold.sum() for fold in folds) > 0


def test_shards_of_other_names_give_the_same_folds(data: Path, tmp_path: Path) -> None:
    index = open_index(data, jobs=1, quiet=True)
    fold = FoldConfig(count=3, hold_out=1)
    shutil.copytree(data, tmp_path / "data", ignore=shutil.ignore_patterns(".reeltag"))
    for number in range(4):
        name = tmp_path / "data" / f"train{number:04}.tfrecord"
        name.rename(tmp_path / "data" / f"train{9 - number}.tfrecord")
    turned = open_index(tmp_path / "data", jobs=1, quiet=True)
    ids = [
        set(of.table.filter(held_out_rows(of, Splits(), fold))["id"].to_pylist())
        for of in (index, turned)
    ]
    assert ids[0] == ids[1]


def test_more_folds_than_videos_are_refused(data: Path) -> None:
    index = open_index(data, jobs=1, quiet=True)
    with pytest.raises(ConfigError, match="training videos cannot be divided into 50 folds"):
        held_out_rows(index, Splits(), FoldConfig(count=50))
