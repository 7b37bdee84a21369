"""Whole videos that train, are held out and are evaluated, by published names or by patterns."""

from pathlib import Path

import pytest

from reeltag.core.errors import DataError
from reeltag.data.dataset import Dataset
from reeltag.data.splits import Split, Splits
from reeltag.data.synth.corpus import write_corpus
from reeltag.papers.axon2018.config import TINY_DATA
from reeltag.papers.common.splits.assignment import VideoSplitAssignment, shards_of
from reeltag.papers.common.splits.videos import assign_fold_splits, assign_held_out_splits
from tests.data.made import frame_record, video_record, write_shard


def assigned(folder: Path, **patterns: str) -> VideoSplitAssignment:
    return assign_held_out_splits(Dataset.open(folder, quiet=True), Splits(**patterns))  # type: ignore[arg-type]


def shards(folder: Path, assignment: VideoSplitAssignment, split: Split) -> list[str]:
    data = Dataset.open(folder, quiet=True)
    return [data.shards[number] for number in shards_of(data, split, assignment.splits)]


def test_validate_tenth_is_held_out_and_the_others_train(tmp_path: Path) -> None:
    data = tmp_path / "data"
    write_corpus(data, TINY_DATA, quiet=True)
    found = assigned(data)
    assert shards(data, found, "validate") == ["validate0005.tfrecord"]
    trained = shards(data, found, "train")
    assert "validate0004.tfrecord" in trained and "train0005.tfrecord" in trained
    assert not set(trained) & set(shards(data, found, "test")) and found.split == "test"
    labels = Dataset.open(data, quiet=True).table["labels"].to_pylist()
    assert sum(found.counts.values()) == sum(map(bool, labels)) < 72  # the others have no label


def test_held_out_videos_are_evaluated_and_logged_where_test_has_no_labels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in (14, 15, 16):
        records = [video_record(f"{number}-{at}") for at in range(number)]
        write_shard(tmp_path / "video" / f"validate00{number}.tfrecord", records)
    found = assigned(tmp_path)
    assert found.split == "validate" and found.counts == {"train": 30, "validate": 15}
    assert "no test video has labels: the 15 held-out" in capsys.readouterr().err
    found = assigned(
        tmp_path, train="video/*14", validate="video/validate0015", test="*/validate0016"
    )
    assert found.split == "test" and found.counts == {"train": 14, "validate": 15, "test": 16}
    write_shard(tmp_path / "video" / "test00.tfrecord", [video_record("t", labels=())])
    assert assigned(tmp_path).split == "validate"  # as the challenge has it: test has no labels


def test_audioset_is_split_by_its_names_or_by_patterns(tmp_path: Path) -> None:
    for name in ("bal_train-06-of-08", "bal_train-07-of-08", "eval-00-of-04"):
        write_shard(tmp_path / f"{name}.tfrecord", [frame_record(f"{name}-{k}") for k in range(9)])
    by_name = assigned(tmp_path)
    given = assigned(tmp_path, train="bal_train-0[0-6]*", validate="bal_train-07*", test="eval*")
    for found in (by_name, given):
        assert shards(tmp_path, found, "validate") == ["bal_train-07-of-08.tfrecord"]
        assert found.split == "test" and set(found.counts.values()) == {9}
        assert found.videos_per_label == 9  # each of 9 training clips has both labels


def test_data_without_labels_raise_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "vocabulary.csv").write_text("Index,Name\n0,a\n1,b\n2,c\n")
    write_shard(tmp_path / "train0.tfrecord", [frame_record("a", labels=())])
    write_shard(tmp_path / "validate0.tfrecord", [frame_record("b")])
    with pytest.raises(DataError, match="no video with labels to train on") as caught:
        assigned(tmp_path)
    assert "--train GLOB" in caught.value.hint and "reeltag info" in caught.value.hint
    write_shard(tmp_path / "train0.tfrecord", [frame_record("a")])
    write_shard(tmp_path / "validate0.tfrecord", [frame_record("b", labels=())])
    with pytest.raises(DataError, match="that is held out"):
        assigned(tmp_path)


def test_train_and_validate_train_together_and_patterns_stay_apart(tmp_path: Path) -> None:
    for name in ("train0", "validate0", "validate1", "validate2"):
        records = [video_record(f"{name}-{at}", labels=[at % 3]) for at in range(4)]
        write_shard(tmp_path / f"{name}.tfrecord", records)
    data = Dataset.open(tmp_path, quiet=True)

    def trained_and_tested(given: Splits, **options: bool) -> tuple[list[str], list[str]]:
        splits = assign_fold_splits(data, given, folds=2, **options).splits
        train, test = (shards_of(data, split, splits) for split in ("train", "test"))
        return [data.shards[at][:-9] for at in train], [data.shards[at][:-9] for at in test]

    trained, test = ["train0", "validate0", "validate1"], Splits(test="validate2")
    assert trained_and_tested(test) == (trained, ["validate2"])
    patterns = Splits(validate="validate[01]", test="validate2")
    assert trained_and_tested(patterns) == (trained, ["validate2"])
    assert trained_and_tested(test, with_validate=False) == (["train0"], ["validate2"])
    patterns = Splits(train="validate0", validate="validate1", test="validate2")
    assert trained_and_tested(patterns)[0] == trained[1:]
