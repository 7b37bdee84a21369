"""Splits: published names, patterns, hold-out, and what is said when nothing is there."""

from pathlib import Path

import pyarrow as pa
import pytest

from reeltag.core.errors import ConfigError
from reeltag.data.index import Index
from reeltag.data.splits import Split, Splits, split_by_name


def an_index(*shards: str) -> Index:
    return Index(Path("/data"), "frames", shards, (), 1, pa.table({}))


def names(index: Index, split: Split, splits: Splits | None = None) -> list[str]:
    return [index.shards[number] for number in (splits or Splits()).shards(index, split)]


@pytest.mark.parametrize(
    ("shard", "split"),
    [
        ("train0093.tfrecord", "train"),
        ("trainpj.tfrecord", "train"),
        ("frame/2/validate0012.tfrecord", "validate"),
        ("test3843.tfrecord", "test"),
        ("bal_train-00-of-08.tfrecord", "train"),
        ("unbal_train/_3.tfrecord", "train"),
        ("bal_train/00.tfrecord", "train"),
        ("eval-00-of-04.tfrecord", "test"),
        ("features/eval/zz.tfrecord", "test"),
        ("test/validate/00.tfrecord", "validate"),  # the nearest folder decides
        ("test/train00.tfrecord", "train"),  # the name goes before the folder
        ("train_2/00.tfrecord", "train"),
        ("evaluation/00.tfrecord", None),
        ("trainer/00.tfrecord", None),
        ("mine00.tfrecord", None),
        ("val/b.tfrecord", "validate"),
        ("val-00001-of-00002.tfrecord", "validate"),
        ("valid3.tfrecord", "validate"),
        ("validation_1.tfrecord", "validate"),
        ("x/validation/00.tfrecord", "validate"),
        ("dev.tfrecord", "validate"),
        ("dev/train00.tfrecord", "train"),
        ("training/a.tfrecord", "train"),
        ("valley00.tfrecord", None),
        ("device/00.tfrecord", None),
    ],
)
def test_published_names_and_folders_give_the_split(shard: str, split: Split | None) -> None:
    assert split_by_name(shard) == split


def test_shards_of_one_split_come_in_order_and_all_takes_everything() -> None:
    index = an_index("mine", "test1", "train1", "train2", "validate1")
    assert names(index, "train") == ["train1", "train2"]
    assert names(index, "validate") == ["validate1"]
    assert names(index, "test") == ["test1"]
    assert names(index, "all") == list(index.shards)


@pytest.mark.parametrize(
    "pattern",
    [
        "validate00[0-5]?",
        "yt8m/video/validate00[0-5]?.tfrecord",
        "*/validate00[0-5]?",
        "nothing, *00[0-5]?",
    ],
)
def test_pattern_may_leave_out_folder_ending_and_be_one_of_several(pattern: str) -> None:
    index = an_index("yt8m/video/validate0059.tfrecord", "yt8m/video/validate0060.tfrecord")
    assert names(index, "train", Splits(train=pattern)) == ["yt8m/video/validate0059.tfrecord"]


def test_shard_that_a_pattern_names_leaves_the_split_of_its_published_name() -> None:
    index = an_index(*(f"validate{i:04}.tfrecord" for i in (0, 60, 70)))
    splits = Splits(train="validate000?", test="validate007?")
    assert names(index, "validate", splits) == ["validate0060.tfrecord"]


def test_pattern_replaces_the_published_names_of_its_own_split() -> None:
    index = an_index("train0", "train1", "validate0")
    assert names(index, "train", Splits(train="train0")) == ["train0"]


@pytest.mark.parametrize(("holdout", "num_held"), [(0.1, 1), (0.15, 2), (0.5, 5), (0.99, 9)])
def test_without_validation_shards_the_last_training_shards_are_held_out(
    holdout: float, num_held: int
) -> None:
    index = an_index(*(f"train{i}" for i in range(10)), "zeta")
    splits = Splits(holdout=holdout)
    assert names(index, "validate", splits) == [f"train{i}" for i in range(10 - num_held, 10)]
    assert names(index, "train", splits) == [f"train{i}" for i in range(10 - num_held)]


def test_nothing_is_held_out_where_validation_shards_are_there() -> None:
    index = an_index("train0", "train1", "validate0")
    assert names(index, "train") == ["train0", "train1"]


def test_single_training_shard_trains_and_cannot_be_held_out() -> None:
    index = an_index("train0")
    assert names(index, "train") == ["train0"]
    with pytest.raises(ConfigError, match=r"'validate' .* found 1 shards: train0\n.*--validate"):
        Splits().shards(index, "validate")


def test_empty_split_names_pattern_what_was_found_and_the_option() -> None:
    index = an_index("a", "b", "c", "d")
    with pytest.raises(
        ConfigError,
        match=r"/data: .*'test' by .* 'x\*'; found 4 shards: a, b, c, \.\.\.\n.*--test GLOB",
    ):
        Splits(test="x*").shards(index, "test")
    with pytest.raises(ConfigError, match=r"'train' by the published names"):
        Splits().shards(index, "train")
    with pytest.raises(ConfigError, match=r"'all' .* found no shards at all"):
        Splits().shards(an_index(), "all")


def test_pattern_that_names_nothing_does_not_fall_back_to_a_holdout() -> None:
    with pytest.raises(ConfigError, match=r"'validate' by the pattern 'valid8\*'"):
        Splits(validate="valid8*").shards(an_index("train0", "train1"), "validate")


def test_patterns_that_share_a_shard_raise() -> None:
    index = an_index("train0", "train1")
    with pytest.raises(ConfigError, match=r"/data/train1: .*both train and test"):
        Splits(train="train*", test="train1").shards(index, "train")


@pytest.mark.parametrize("holdout", [-0.1, 1.0])
def test_fraction_out_of_range_raises(holdout: float) -> None:
    with pytest.raises(ConfigError, match=r"holdout is .*; allowed: a number in \[0, 1\)"):
        Splits(holdout=holdout)


@pytest.mark.parametrize(
    ("shards", "validate", "test"),
    [
        (("train0", "eval0"), ["eval0"], []),
        (("train0", "eval/a", "test0"), ["eval/a"], ["test0"]),
        (("train0", "eval0", "val0"), ["val0"], ["eval0"]),
        (("bal_train0", "eval0"), [], ["eval0"]),
        (("bal_train0", "train0", "eval0"), ["train0"], ["eval0"]),  # held out
        (("eval0",), [], ["eval0"]),
    ],
)
def test_eval_shards_validate_next_to_own_training_shards(
    shards: tuple[str, ...], validate: list[str], test: list[str]
) -> None:
    index = an_index(*shards)
    found = Splits()._assigned(index)
    assert [shards[number] for number in found["validate"]] == validate
    assert [shards[number] for number in found["test"]] == test


def test_eval_shards_test_where_a_pattern_says_so() -> None:
    index = an_index("eval0", "train0", "train1")
    assert names(index, "test", Splits(test="eval*")) == ["eval0"]
    assert names(index, "validate", Splits(test="eval*")) == ["train1"]
    assert names(index, "test", Splits(validate="train1")) == ["eval0"]


def test_shards_in_no_split_are_named() -> None:
    index = an_index("mine0", "train0", "train1")
    assert Splits().unassigned(index) == ["mine0"]
    assert Splits(train="train0", validate="mine0").unassigned(index) == ["train1"]
