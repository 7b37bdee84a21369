"""What only the whole data set shows: ids that stand twice, and in which set of shards."""

import numpy as np
import pytest

from reeltag.data.indexing.finish import repeated_ids, shard_set
from reeltag.data.records.problems import Problem

AGAIN, ELSEWHERE = Problem.DUPLICATE_ID.bit, Problem.ID_IN_TWO_SPLITS.bit


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("train0001.tfrecord", "trainpj.tfrecord"),
        ("2/train-1.tfrecord", "2/train-2.tfrecord"),
        ("bal_train-00-of-08.tfrecord", "bal_train-07-of-08.tfrecord"),
        ("part-00001-of-2.tfrecord", "part_00002.tfrecord"),
        ("a.tfrecord", "b.tfrecord"),
    ],
)
def test_shards_of_one_set(one: str, other: str) -> None:
    assert shard_set(one) == shard_set(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("train0001.tfrecord", "validate0001.tfrecord"),
        ("2/validate01.tfrecord", "3/validate01.tfrecord"),
        ("bal_train-1.tfrecord", "unbal_train-1.tfrecord"),
        ("mine-1.tfrecord", "yours-1.tfrecord"),
    ],
)
def test_shards_of_two_sets(one: str, other: str) -> None:
    assert shard_set(one) != shard_set(other)


def test_repeated_ids_worked_by_hand() -> None:
    names = ["train1", "train2", "test1"]
    hashes = [np.array([5, 7, 0]), np.array([7, 0, 9, 7]), np.array([5, 5, 8, 7])]
    assert repeated_ids(names, hashes).tolist() == [
        *(0, 0, 0),
        *(AGAIN, 0, 0, AGAIN),
        *(ELSEWHERE, AGAIN, 0, ELSEWHERE),
    ]


def test_repeated_ids_of_no_shard_are_none() -> None:
    assert repeated_ids([], []).tolist() == []


def test_repeats_agree_with_the_plain_way() -> None:
    rng = np.random.default_rng(0)
    names = ["train1", "train2", "test1", "test2"]
    hashes = [rng.integers(-9, 40, 30) for _ in names]
    seen: dict[int, set[str]] = {}
    expected = []
    for name, part in zip(names, hashes, strict=True):
        for value in part.tolist():
            sets = seen.setdefault(value, set())
            of = shard_set(name)
            expected.append(0 if value == 0 or not sets else AGAIN if of in sets else ELSEWHERE)
            sets.add(of)
    assert repeated_ids(names, hashes).tolist() == expected
