"""Who learns and who judges is told from what was rated."""

from pathlib import Path

import pytest

from reeltag.core.errors import DataError
from reeltag.data.index import open_index
from reeltag.data.synth.config import SynthConfig
from reeltag.data.synth.corpus import write_corpus
from reeltag.papers.common.splits.segments import Roles, roles
from tests.data.made import frame_record, rated_record, video_record, write_shard

CONFIG = SynthConfig(
    videos=48, classes=4, rgb=16, audio=4, min_frames=15, max_frames=30, shards=2, held_out=0.25
)


def of(data: Path) -> Roles:
    return roles(open_index(data, quiet=True))


def test_where_test_is_rated_all_of_validate_teaches(tmp_path: Path) -> None:
    write_corpus(tmp_path, CONFIG, quiet=True)
    found = of(tmp_path)
    assert not found.fold.count and found.judges.split == "test"
    assert found.rated.train == "validate*" and found.judges.classes == (0, 1, 2, 3)
    assert (found.num_videos, found.skip_head, found.skip_tail) == (24, 0, 0)


def test_what_nobody_rated_at_the_ends_of_videos_is_found(tmp_path: Path) -> None:
    ratings = [(30, 1, 1.0), (50, 2, 0.0)]
    write_shard(tmp_path / "train0.tfrecord", [frame_record("a", 100)])
    write_shard(tmp_path / "validate0.tfrecord", [rated_record("b", 63, ratings)])
    found = of(tmp_path)
    assert (found.skip_head, found.skip_tail) == (6, 2)
    assert found.judges.classes == (1, 2) and found.fold.count == 5


GOOD = {
    "train0": [frame_record("a", 20)],
    "validate0": [rated_record("b", 20, [(5, 1, 1.0)])],
}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"train0": [video_record("a")], "validate0": [video_record("b")]}, "one vector a video"),
        ({"validate0": [frame_record("b", 20)]}, "none of the 1 videos.* has rated segments"),
        ({"validate0": None}, "no shard of the split 'validate'.*rated segments are needed"),
        ({"train0": None}, "no shard of the split 'train'.*video labels are needed"),
        ({"train0": [frame_record("a", 4)]}, "no training video is longer than"),
        ({"validate0": [rated_record("b", 20, [(5, 9, 1.0)])]}, "outside the vocabulary of 4"),
    ],
)
def test_data_that_will_not_do_are_refused_with_the_way_out(
    tmp_path: Path, changes: dict[str, list[bytes] | None], told: str
) -> None:
    (tmp_path / "vocabulary.csv").write_text("Index,Name\n0,a\n1,b\n2,c\n3,d\n")
    for name, records in (GOOD | changes).items():
        if records is not None:
            write_shard(tmp_path / f"{name}.tfrecord", records)
    with pytest.raises(DataError, match=told) as caught:
        of(tmp_path)
    assert "reeltag" in caught.value.hint and str(tmp_path) in str(caught.value)
