"""The moment finder of few ratings: two are enough, and no video needs a label."""

import json
from pathlib import Path

import pytest

from reeltag.cli.main import run
from reeltag.data.dataset import Dataset
from reeltag.papers.common.splits.own_videos import assign_own_splits
from tests.data.made import frame_record, rated_record, write_shard


def test_two_ratings_and_no_label_are_enough_for_a_regression(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A yes and a no of class 1; class 2 has a yes alone, and is left out by its name."""
    (tmp_path / "vocabulary.csv").write_text("Index,Name\n0,a\n1,b\n2,c\n")
    rated = rated_record("r", 20, [(0, 1, 1.0), (10, 1, 0.0), (5, 2, 1.0)], labels=[])
    others = [frame_record(f"o{n}", labels=()) for n in range(3)]
    write_shard(tmp_path / "a.tfrecord", [rated, *others])
    work = tmp_path / "work"
    command = ["solve", "moments", "--data", str(tmp_path), "--out", str(work)]
    assert run(command) == 0
    printed = capfd.readouterr()
    assert "too few to hold some out: how good it is remains open" in printed.out
    assert "1 class without labels is rated all yes or all no: c\n" in printed.err
    (final,) = work.glob("regress_frames-II-*/run")
    assert json.loads((final / "metrics.json").read_text())["ratings"] == 2
    assert not (final / "thresholds.json").exists()
    out = tmp_path / "moments.csv"
    assert (
        run(["moments", str(final), "--data", str(tmp_path), "--split", "all", "--csv", str(out)])
        == 0
    )
    assert "r," in out.read_text()


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ([frame_record("a", labels=())], "two are enough, a yes and a no"),
        ([rated_record("a", 10, [(0, 1, 1.0), (0, 2, 0.0)], labels=[])], "nothing separates"),
    ],
)
def test_regression_needs_a_yes_and_a_no_or_labels(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], records: list[bytes], words: str
) -> None:
    (tmp_path / "vocabulary.csv").write_text("Index,Name\n0,a\n1,b\n2,c\n")
    write_shard(tmp_path / "a.tfrecord", records)
    command = ["solve", "moments", "--data", str(tmp_path), "--out", str(tmp_path / "work")]
    assert run(command) == 2
    assert words in " ".join(capfd.readouterr().err.split())


def test_few_ratings_hold_no_video_out(tmp_path: Path) -> None:
    """99 of 33 videos all train; from 100 on a fifth of the videos is evaluated."""
    ratings = [(5 * at, 1, float(at == 1)) for at in range(3)]
    records = [rated_record(f"r{n}", 20, ratings) for n in range(33)]
    for extra, folds in (([], 0), ([rated_record("x", 20, ratings)], 5)):
        write_shard(tmp_path / "a.tfrecord", [*records, *extra])
        data = Dataset.open(tmp_path, quiet=True)
        some = assign_own_splits(data, folds=5, without_ratings=False, regressed_below=1000)
        assert some.assignment.fold.count == folds and some.evaluable == bool(folds)
