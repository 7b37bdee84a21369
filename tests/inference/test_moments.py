"""Moments of a data set: each video's are a tagger's; the best of a stream are those of a sort."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from reeltag.core.errors import ConfigError, DataError
from reeltag.data.dataset import Dataset
from reeltag.data.loader import Loader
from reeltag.data.sampling import FrameChoice
from reeltag.inference.moments import (
    BestIntervals,
    find_intervals_in,
    read_windows,
    score_windows,
    video_moments,
)
from reeltag.inference.predict import predict
from reeltag.inference.scoring import InferenceConfig
from reeltag.predictions.file import PredictionInfo, prediction_writer
from reeltag.predictions.interval_rows import Intervals
from reeltag.predictions.intervals import IntervalConfig
from reeltag.predictions.rows import PredictionRows
from reeltag.tagger.moments import DEFAULT_PROB
from reeltag.tagger.thresholds import Thresholds
from tests.data.made import frame_record, indexed, video_record, write_shard
from tests.inference.test_predict import make_tagger
from tests.windows import segments_at

STREAMS = (("rgb", 16), ("audio", 4))
SECONDS = {"a": 12, "b": 3, "c": 31}
CONFIG = IntervalConfig(length_s=4, hop_s=2)


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    records = [frame_record(name, seconds) for name, seconds in SECONDS.items()]
    write_shard(tmp_path / "test0.tfrecord", records)
    return indexed(tmp_path)


def intervals(seed: int, number: int, num_classes: int = 5) -> Intervals:
    random = np.random.default_rng(seed)
    start = random.integers(0, 99, number).astype(np.float64)
    return Intervals(
        ids=pa.array([f"v{n // 7}" for n in range(number)]),
        classes=random.integers(0, num_classes, number).astype(np.int32),
        start_s=start,
        end_s=start + 2.5,
        peak_s=start + 1,
        scores=random.integers(-4, 4, number).astype(np.float64),  # many ties
        mean_prob=random.random(number),
    )


@pytest.mark.parametrize("size", [1, 7, 400])
@pytest.mark.parametrize("top", [1, 12, None])
def test_best_intervals_match_a_full_sort(
    size: int, top: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reeltag.inference.moments._PENDING", 20)
    every, best = intervals(0, 400), BestIntervals(5, top)
    for first in range(0, 400, size):
        best.add(every.take(np.arange(first, min(first + size, 400))))
    expected: list[int] = []
    for c in range(5):
        mine = np.flatnonzero(every.classes == c)
        expected += sorted(mine.tolist(), key=lambda row: (-every.scores[row], row))[:top]
    assert best.ranked().to_arrow().equals(every.take(np.array(expected)).to_arrow())
    assert best.counts.tolist() == np.bincount(every.classes).tolist()


def test_best_intervals_hold_no_more_than_the_top(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reeltag.inference.moments._PENDING", 50)
    best = BestIntervals(5, 3)
    for seed in range(40):
        best.add(intervals(seed, 30))
    assert sum(map(len, best._parts)) <= 50 + 30 and len(best.ranked()) == 15
    assert best.counts.sum() == 1200


def test_intervals_of_some_classes_are_those_of_all(data: Dataset) -> None:
    tagger = make_tagger(6, STREAMS)
    thresholds = Thresholds.at_prob(tagger.class_names, 0.3)
    found = {}
    for classes in ((), (4, 1)):
        windows = score_windows(tagger, data, CONFIG)
        found[classes] = find_intervals_in(windows, CONFIG, thresholds, classes=classes).ranked()
    every = found[()]
    assert len(every) > len(found[4, 1]) > 0
    mine = every.take(np.isin(every.classes, [1, 4]))
    assert found[4, 1].to_arrow().equals(mine.to_arrow())


def test_intervals_that_are_not_kept_do_not_count(data: Dataset) -> None:
    tagger = make_tagger(6, STREAMS)
    best = find_intervals_in(
        score_windows(tagger, data, CONFIG),
        CONFIG,
        Thresholds.at_prob(tagger.class_names, 0.1),
        keep=lambda found: found.end_s - found.start_s > 20,
    )
    found = best.ranked()
    assert len(found) and set(found.ids.to_pylist()) == {"c"} and best.counts.sum() == len(found)
    assert best.windows == 5 + 1 + 15


@pytest.mark.parametrize("batch_size", [1, 64])
def test_moments_of_a_data_set_are_those_of_each_video(data: Dataset, batch_size: int) -> None:
    tagger = make_tagger(6, STREAMS)
    thresholds = Thresholds.at_prob(tagger.class_names, DEFAULT_PROB)
    windows = score_windows(tagger, data, CONFIG, batch_size=batch_size)
    found = video_moments(find_intervals_in(windows, CONFIG, thresholds).ranked(), thresholds)
    items = data.videos("test", streams=("rgb", "audio"))
    (batch,) = Loader(items, batch_size=9, frames=FrameChoice(how="all"), labels=False)
    for row, name in enumerate(batch.ids):
        video = batch.frames[row][batch.mask[row]]
        expected = {(m.index, m.start_s, m.end_s) for m in tagger.moments(video, config=CONFIG)}
        assert {(m.index, m.start_s, m.end_s) for m in found if m.id == name} == expected
    assert {each.name for each in found} <= set(tagger.class_names)


def test_windows_of_some_rows_are_scored(data: Dataset) -> None:
    rows = np.array([False, True, False])
    (windows,) = score_windows(make_tagger(4, STREAMS), data, CONFIG, rows=rows)
    assert windows.ids.to_pylist() == ["b"] and windows.end_s.tolist() == [3]


def test_windows_of_video_level_data_raise(tmp_path: Path) -> None:
    write_shard(tmp_path / "test0.tfrecord", [video_record("a")])
    with pytest.raises(ConfigError, match=r"no moments(.|\n)*frame-level records"):
        next(score_windows(make_tagger(4, STREAMS), indexed(tmp_path), CONFIG))


def predicted(path: Path, names: list[str], starts: list[int], num_classes: int = 3) -> Path:
    """Write predictions of segments of 5 s: class 0 has logit `start`, class 2 none."""
    info = PredictionInfo(num_classes=num_classes)
    scores = np.stack([np.array(starts), np.zeros(len(starts))], axis=1).astype(np.float32)
    classes = np.tile(np.arange(2, dtype=np.int32), (len(starts), 1))
    with prediction_writer(path, info) as writer:
        writer.write(PredictionRows.of_matrix(names, segments_at(starts), classes, scores))
    return path


def test_read_windows_end_with_their_video(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reeltag.inference.moments._CELLS", 6)  # 2 rows at once
    path = predicted(tmp_path / "p", ["a", "a", "a", "b"], [0, 5, 10, 0])
    parts = [*read_windows(path, data)]
    assert [len(part) for part in parts] == [2, 2]
    assert np.concatenate([part.end_s for part in parts]).tolist() == [5, 10, 12, 3]
    logits = np.concatenate([part.logits for part in parts])
    assert logits.tolist() == [[start, 0, -np.inf] for start in (0, 5, 10, 0)]
    (mine,) = read_windows(path, data, np.array([False, True, False]))
    assert mine.ids.to_pylist() == ["b"]


def test_read_windows_have_one_at_the_end_of_their_video(data: Dataset, tmp_path: Path) -> None:
    starts = [0, 4, 7, 8, 11]  # the video lasts 12 s
    path = predicted(tmp_path / "p", ["a"] * 5 + ["b"] * 2, [*starts, 0, 1])
    (part,) = read_windows(path, data)
    assert part.start_s.tolist() == [0, 4, 7, 0] and part.end_s.tolist() == [5, 9, 12, 3]


@pytest.mark.parametrize(("length", "hop"), [(5, 1), (5, 5), (4, 3)])
def test_moments_of_predictions_are_those_of_the_run(
    data: Dataset, tmp_path: Path, length: int, hop: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reeltag.predictions.file._READ_ROWS", 7)
    tagger, config = make_tagger(6, STREAMS), IntervalConfig(length_s=length, hop_s=hop)
    choices = InferenceConfig(videos=False, segments=True, length=length, hop=hop, device="cpu")
    predict(tagger, data, tmp_path / "p", choices)
    thresholds = Thresholds.at_prob(tagger.class_names, 0.4)
    ours, theirs = (
        find_intervals_in(windows, config, thresholds).ranked()
        for windows in (score_windows(tagger, data, config), read_windows(tmp_path / "p", data))
    )
    assert len(ours) and ours.ids.equals(theirs.ids)
    for name in ("classes", "start_s", "end_s"):
        assert getattr(ours, name).tolist() == getattr(theirs, name).tolist()
    np.testing.assert_allclose(ours.scores, theirs.scores, atol=1e-4)


def test_read_windows_raise_for_other_data_or_none(data: Dataset, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not hold the video 'x', which was predicted"):
        next(read_windows(predicted(tmp_path / "p", ["a", "x"], [0, 0]), data))
    with prediction_writer(tmp_path / "q", PredictionInfo(num_classes=3)):
        pass
    with pytest.raises(DataError, match=r"no predictions of segments(.|\n)*--segments"):
        next(read_windows(tmp_path / "q", data))
