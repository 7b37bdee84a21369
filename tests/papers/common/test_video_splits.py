"""Who teaches, who is held out and who judges, by names of shards as published or by patterns."""

from pathlib import Path

import pytest

from reeltag.core.errors import DataError
from reeltag.data.index import open_index
from reeltag.data.splits import Split
from reeltag.data.synth.corpus import write_corpus
from reeltag.papers.axon2018.program import TINY_DATA
from reeltag.papers.common.splits.videos import Parts, fold_parts, held_out_parts
from tests.data.made import frame_record, video_record, write_shard


def parts_of(folder: Path, **patterns: str) -> Parts:
    return held_out_parts(open_index(folder, quiet=True), **patterns)


def shards(folder: Path, parts: Parts, split: Split) -> list[str]:
    index = open_index(folder, quiet=True)
    return [index.shards[number] for number in parts.splits.shards(index, split)]


def test_a_tenth_of_validate_is_held_out_and_the_rest_teaches(tmp_path: Path) -> None:
    data = tmp_path / "data"
    write_corpus(data, TINY_DATA, quiet=True)
    parts = parts_of(data)
    assert shards(data, parts, "validate") == ["validate0005.tfrecord"]
    taught = shards(data, parts, "train")
    assert "validate0004.tfrecord" in taught and "train0005.tfrecord" in taught
    assert not set(taught) & set(shards(data, parts, "test")) and parts.judge == "test"
    labels = open_index(data, quiet=True).table["labels"].to_pylist()
    assert sum(parts.counts.values()) == sum(map(bool, labels)) < 72  # the others teach nothing


def test_where_only_validate_is_there_its_tenth_judges_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in (14, 15, 16):
        records = [video_record(f"{number}-{at}") for at in range(number)]
        write_shard(tmp_path / "video" / f"validate00{number}.tfrecord", records)
    parts = parts_of(tmp_path)
    assert parts.judge == "validate" and parts.counts == {"train": 30, "validate": 15}
    assert "no test video has labels: the 15 held-out" in capsys.readouterr().err
    parts = parts_of(
        tmp_path, train="video/*14", validate="video/validate0015", test="*/validate0016"
    )
    assert parts.judge == "test" and parts.counts == {"train": 14, "validate": 15, "test": 16}
    write_shard(tmp_path / "video" / "test00.tfrecord", [video_record("t", labels=())])
    assert parts_of(tmp_path).judge == "validate"  # as the challenge has it: test has no labels


def test_audioset_is_split_by_its_names_or_by_patterns(tmp_path: Path) -> None:
    for name in ("bal_train-06-of-08", "bal_train-07-of-08", "eval-00-of-04"):
        write_shard(tmp_path / f"{name}.tfrecord", [frame_record(f"{name}-{k}") for k in range(9)])
    by_name = parts_of(tmp_path)
    given = parts_of(tmp_path, train="bal_train-0[0-6]*", validate="bal_train-07*", test="eval*")
    for parts in (by_name, given):
        assert shards(tmp_path, parts, "validate") == ["bal_train-07-of-08.tfrecord"]
        assert parts.judge == "test" and set(parts.counts.values()) == {9}
        assert parts.labels == 9  # each of 9 training clips has both labels


def test_data_without_labels_are_refused_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "vocabulary.csv").write_text("Index,Name\n0,a\n1,b\n2,c\n")
    write_shard(tmp_path / "train0.tfrecord", [frame_record("a", labels=())])
    write_shard(tmp_path / "validate0.tfrecord", [frame_record("b")])
    with pytest.raises(DataError, match="no video with labels teaches") as caught:
        parts_of(tmp_path)
    assert "--train GLOB" in caught.value.hint and "reeltag info" in caught.value.hint
    write_shard(tmp_path / "train0.tfrecord", [frame_record("a")])
    write_shard(tmp_path / "validate0.tfrecord", [frame_record("b", labels=())])
    with pytest.raises(DataError, match="is held out"):
        parts_of(tmp_path)


def test_train_and_validate_teach_together_and_patterns_stay_apart(tmp_path: Path) -> None:
    for name in ("train0", "validate0", "validate1", "validate2"):
        records = [video_record(f"{name}-{at}", labels=[at % 3]) for at in range(4)]
        write_shard(tmp_path / f"{name}.tfrecord", records)
    index = open_index(tmp_path, quiet=True)

    def taught_by(**given: object) -> tuple[list[str], list[str]]:
        splits = fold_parts(index, folds=2, **given).splits  # type: ignore[arg-type]
        train, test = (splits.shards(index, of) for of in ("train", "test"))
        return [index.shards[at][:-9] for at in train], [index.shards[at][:-9] for at in test]

    taught = ["train0", "validate0", "validate1"]
    assert taught_by(test="validate2") == (taught, ["validate2"])
    assert taught_by(validate="validate[01]", test="validate2") == (taught, ["validate2"])
    assert taught_by(test="validate2", with_validate=False) == (["train0"], ["validate2"])
    assert taught_by(train="validate0", validate="validate1", test="validate2")[0] == taught[1:]
