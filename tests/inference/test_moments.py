"""Top moments are those of a full sort, in whatever order segments come; errors; ratings."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from reeltag.core.errors import ConfigError, DataError
from reeltag.core.probability import sigmoid
from reeltag.inference.moments import (
    Ratings,
    TopMoments,
    lengths_of,
    predicted_segments,
    rated_segments,
    ratings_of,
    scored_segments,
)
from reeltag.inference.policy import SegmentPolicy
from reeltag.inference.scoring import InferenceConfig
from reeltag.predictions.file import PredictionInfo, prediction_writer
from reeltag.predictions.rows import PredictionRows
from tests.data.made import frame_record, indexed, rated_record, video_record, write_shard
from tests.inference.test_predict import make_tagger
from tests.windows import segments_at

SEGMENTS = InferenceConfig(videos=False, segments=True, device="cpu")
NUM_SEGMENTS, CLASSES = 300, 6


def synthetic(seed: int) -> tuple[NDArray[np.float32], list[str], NDArray[np.int32]]:
    """Return scores (300, 6) with many ties, and the id and start of each segment."""
    random = np.random.default_rng(seed)
    scores = random.integers(-8, 8, (NUM_SEGMENTS, CLASSES)).astype(np.float32)
    names = [f"v{number // 20}" for number in range(NUM_SEGMENTS)]
    starts = np.arange(NUM_SEGMENTS, dtype=np.int32) % 20 * 5
    return scores, names, starts


def streamed(seed: int, size: int, keep: int = CLASSES) -> Iterator[PredictionRows]:
    """Yield the synthetic segments so many at a time, each with its `keep` best classes."""
    scores, names, starts = synthetic(seed)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :keep].astype(np.int32)
    for begin in range(0, NUM_SEGMENTS, size):
        part = slice(begin, begin + size)
        best = np.take_along_axis(scores[part], order[part], 1)
        yield PredictionRows.of_matrix(names[part], segments_at(starts[part]), order[part], best)


@pytest.mark.parametrize("size", [1, 7, 300])
@pytest.mark.parametrize("top", [1, 12, 1000])
def test_top_moments_match_a_full_sort(size: int, top: int) -> None:
    lists = TopMoments([4, 1], top)
    for rows in streamed(0, size):
        lists.add(rows)
    scores, names, starts = synthetic(0)
    found = lists.moments(dict.fromkeys(names, 98), {})
    assert list(found) == [4, 1] and lists.segments == NUM_SEGMENTS
    for c, moments in found.items():
        expected = sorted(range(NUM_SEGMENTS), key=lambda row: (-scores[row, c], row))[:top]
        assert [(m.id, m.start_s) for m in moments] == [(names[r], starts[r]) for r in expected]
        probs = sigmoid(scores[expected, c]).tolist()
        assert [moment.prob for moment in moments] == probs
        assert {m.end_s - m.start_s for m in moments if m.start_s < 95} == {5}
        assert all(m.end_s == 98 for m in moments if m.start_s == 95)  # a partial one


def test_top_moments_apply_min_prob_and_ratings() -> None:
    ratings: Ratings = {("v3", 10, 2): True, ("v9", 0, 2): False, ("v9", 5, 1): True}
    scores, _, _ = synthetic(1)
    likely, rated = TopMoments([2], 300, min_prob=0.5), TopMoments([2], 300, only=ratings)
    for rows in streamed(1, 64):
        likely.add(rows)
        rated.add(rows)
    lengths = {f"v{number}": 100 for number in range(15)}
    assert len(likely.moments(lengths, {})[2]) == int((scores[:, 2] >= 0).sum())
    listed = {(m.id, m.start_s, m.rated) for m in rated.moments(lengths, ratings)[2]}
    assert listed == {("v3", 10, True), ("v9", 0, False)}


def test_top_moments_skip_unlisted_classes() -> None:
    lists = TopMoments([0], 300)
    for rows in streamed(2, 50, keep=2):
        lists.add(rows)
    scores, _, _ = synthetic(2)
    among = (np.argsort(-scores, axis=1, kind="stable")[:, :2] == 0).any(axis=1)
    assert len(lists.moments(dict.fromkeys(lists.ids(), 100), {})[0]) == int(among.sum())


def test_ratings_keep_the_last_of_a_pair(tmp_path: Path) -> None:
    ratings = [(0, 3, 1.0), (5, 3, 0.0), (0, 3, 0.0), (5, 4, 1.0)]
    write_shard(tmp_path / "test0.tfrecord", [rated_record("a", 12, ratings), frame_record("b")])
    dataset = indexed(tmp_path)
    records = dataset.select("test")
    assert ratings_of(records, [3]) == {("a", 0, 3): False, ("a", 5, 3): False}
    assert rated_segments(dataset, "test", [4]) == {("a", 5, 4): True}
    with pytest.raises(ConfigError, match=r"segments for these classes(.|\n)*Leave out --rated"):
        rated_segments(dataset, "test", [7])


def test_lengths_are_those_of_the_data(tmp_path: Path) -> None:
    write_shard(tmp_path / "test0.tfrecord", [frame_record("a", 12), frame_record("b", 3)])
    assert lengths_of(indexed(tmp_path), {"b"}) == {"b": 3}
    with pytest.raises(DataError, match=r"1 of the videos that were scored, the first 'c'"):
        lengths_of(indexed(tmp_path), {"b", "c"})


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def test_scored_segments_raise_for_data_without_segments(tmp_path: Path) -> None:
    tagger = make_tagger(4, (("rgb", 16), ("audio", 4)))
    short = write_shard(_folder(tmp_path / "s") / "test0.tfrecord", [frame_record("a", 4)]).parent
    with pytest.raises(ConfigError, match=r"none of the 1 videos .* lasts 5 s, the longest 4 s"):
        next(scored_segments(tagger, indexed(short), SEGMENTS))
    flat = write_shard(_folder(tmp_path / "v") / "test0.tfrecord", [video_record("a")]).parent
    with pytest.raises(ConfigError, match=r"no moments(.|\n)*frame-level records"):
        next(scored_segments(tagger, indexed(flat), SEGMENTS))
    whole = write_shard(_folder(tmp_path / "w") / "test0.tfrecord", [frame_record("a", 30)]).parent
    all_gone = InferenceConfig(
        videos=False,
        segments=True,
        policy=SegmentPolicy(skip_head=4, skip_tail=2),
        device="cpu",
    )
    with pytest.raises(ConfigError, match=r"the first 4 and the last 2(.|\n)*--skip-head 0"):
        next(scored_segments(tagger, indexed(whole), all_gone))


def test_short_videos_are_one_moment(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    records = [frame_record("a", 4), frame_record("b", 11)]
    write_shard(tmp_path / "test0.tfrecord", records)
    tagger = make_tagger(4, (("rgb", 16), ("audio", 4)))
    (rows,) = scored_segments(tagger, indexed(tmp_path), SEGMENTS)
    assert rows.ids.to_pylist() == ["a", "b", "b", "b"]
    assert "1 videos last less than 5 s" in capfd.readouterr().err


def test_predicted_segments_raise_without_segments(tmp_path: Path) -> None:
    with prediction_writer(tmp_path / "p", PredictionInfo(num_classes=3)):
        pass
    with pytest.raises(DataError, match=r"no predictions of segments(.|\n)*--segments"):
        next(predicted_segments(tmp_path / "p"))
