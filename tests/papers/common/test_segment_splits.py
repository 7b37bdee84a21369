"""Parts of a data set that train and are evaluated, by what was rated."""

from pathlib import Path

import pytest

from reeltag.core.errors import DataError
from reeltag.data.dataset import Dataset
from reeltag.data.synth.config import SynthConfig
from reeltag.data.synth.corpus import write_corpus
from reeltag.papers.common.splits.assignment import SplitAssignment
from reeltag.papers.common.splits.segments import assign_segment_splits
from tests.data.made import frame_record, rated_record, video_record, write_shard

CONFIG = SynthConfig(
    videos=48, classes=4, rgb=16, audio=4, min_frames=15, max_frames=30, shards=2, held_out=0.25
)


def assigned(data: Path) -> SplitAssignment:
    return assign_segment_splits(Dataset.open(data, quiet=True))


def test_validate_trains_whole_where_test_is_rated(tmp_path: Path) -> None:
    write_corpus(tmp_path, CONFIG, quiet=True)
    found = assigned(tmp_path)
    assert not found.fold.count and found.evaluation.split == "test"
    assert found.rated.train == "validate*" and found.evaluation.classes == (0, 1, 2, 3)
    assert (found.num_videos, found.skip_head, found.skip_tail) == (24, 0, 0)


def test_unrated_ends_of_videos_are_found(tmp_path: Path) -> None:
    ratings = [(30, 1, 1.0), (50, 2, 0.0)]
    write_shard(tmp_path / "train0.tfrecord", [frame_record("a", 100)])
    write_shard(tmp_path / "validate0.tfrecord", [rated_record("b", 63, ratings)])
    found = assigned(tmp_path)
    assert (found.skip_head, found.skip_tail) == (6, 2)
    assert found.evaluation.classes == (1, 2) and found.fold.count == 5


GOOD = {
    "train0": [frame_record("a", 20)],
    "validate0": [rated_record("b", 20, [(5, 1, 1.0)])],
}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"train0": [video_record("a")], "validate0": [video_record("b")]}, "one vector per video"),
        ({"validate0": [frame_record("b", 20)]}, "none of the 1 videos.* has rated segments"),
        ({"validate0": None}, "no shard of the split 'validate'.*rated segments are needed"),
        ({"train0": None}, "no shard of the split 'train'.*video labels are needed"),
        ({"train0": [frame_record("a", 4)]}, "no training video is longer than"),
        ({"validate0": [rated_record("b", 20, [(5, 9, 1.0)])]}, "outside the vocabulary of 4"),
    ],
)
def test_unusable_data_raise_with_the_remedy(
    tmp_path: Path, changes: dict[str, list[bytes] | None], words: str
) -> None:
    (tmp_path / "vocabulary.csv").write_text("Index,Name\n0,a\n1,b\n2,c\n3,d\n")
    for name, records in (GOOD | changes).items():
        if records is not None:
            write_shard(tmp_path / f"{name}.tfrecord", records)
    with pytest.raises(DataError, match=words) as caught:
        assigned(tmp_path)
    assert "reeltag" in caught.value.hint and str(tmp_path) in str(caught.value)
