"""Long videos: scored as if they were in memory, in memory that does not grow with them.

What is long is a matter of two constants, which are small here.
"""

import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from reeltag.core.timing import spread_frames
from reeltag.data.dataset import Dataset
from reeltag.data.features import Features
from reeltag.data.loading.ranges import FrameRanges
from reeltag.data.records.example import Values
from reeltag.inference.batches import VideoBatches
from reeltag.inference.moments import find_intervals_in, score_windows
from reeltag.inference.policy import SegmentPolicy
from reeltag.inference.predict import predict
from reeltag.inference.scoring import InferenceConfig, Scorer
from reeltag.models import model_config
from reeltag.predictions.file import open_predictions
from reeltag.predictions.intervals import IntervalConfig
from reeltag.predictions.rows import Kind, PredictionRows
from reeltag.tagger.moments import thresholds_for
from reeltag.tagger.tagger import Tagger
from reeltag.tagger.video import VideoFrames
from tests.data.corpora import NUM_CLASSES, write_shard
from tests.data.described import described, described_corpus, described_record, frames_of

FEATURES = described({"rgb": (6, "uint8"), "audio": (3, "uint8")}, rate_hz=2)
LENGTHS = (5, 130, 41, 40, 300, 1, 17)  # frames; 41 and more are long
WHOLE, MOST = 40, 60


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return what makes videos of more than 40 frames long ones."""

    def make_small() -> None:
        for name in ("data.sampling", "inference.batches"):
            monkeypatch.setattr(f"reeltag.{name}.WHOLE_FRAMES", WHOLE)
        for name in ("tagger.windows", "inference.batches"):
            monkeypatch.setattr(f"reeltag.{name}.MOST_FRAMES", MOST)
        monkeypatch.setattr("reeltag.inference.batches.PUBLISHED_FRAMES", 1)
        monkeypatch.setattr("reeltag.data.loading.reading._AT_ONCE", 1 << 17)
        monkeypatch.setattr("reeltag.tagger.video._VALUES_AT_ONCE", 1 << 17)

    return make_small


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    return described_corpus(tmp_path / "data", FEATURES, LENGTHS)


def tagger_of(features: Features) -> Tagger:
    torch.manual_seed(0)
    streams = [(stream.name, stream.width) for stream in features.streams]
    sizes = model_config("logistic", num_classes=NUM_CLASSES, dims=tuple(w for _, w in streams))
    names = [f"c{c}" for c in range(NUM_CLASSES)]
    tagger = Tagger(sizes, streams, names, features=features).eval()
    torch.nn.init.normal_(next(tagger.model.parameters()))
    return tagger


@pytest.fixture
def tagger() -> Tagger:
    return tagger_of(FEATURES)


def rows_of(path: Path, kind: Kind) -> PredictionRows:
    return PredictionRows.concatenate(open_predictions(path).rows(kind))


def array_of(features: Features, num_frames: int, seed: int) -> Any:
    """Return the stored frames (T, D), streams side by side."""
    return np.concatenate([*frames_of(features, num_frames, seed).values()], axis=1)


def assert_same(found: PredictionRows, expected: PredictionRows) -> None:
    """Compare rows of all classes, in whatever order those of a row are."""
    assert found.ids.equals(expected.ids)
    np.testing.assert_array_equal(found.starts, expected.starts)
    np.testing.assert_array_equal(found.ends, expected.ends)
    np.testing.assert_array_equal(found.indptr, expected.indptr)
    mine, theirs = (
        rows.scores[np.lexsort((rows.classes, rows.row_of_entry()))] for rows in (found, expected)
    )
    np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-5)  # sums of batches of other sizes


POLICIES: dict[str, dict[str, Any]] = {
    "segments": {},
    "windows": {"length": 3.0, "hop": 0.5},
    "sparse": {"length": 2.0, "hop": 40.0},
    "longer than memory": {"length": 50.0, "hop": 25.0},
    "policy": {
        "policy": SegmentPolicy(
            skip_head=1, skip_tail=1, window_before=2, window_after=1, shifts=(-3, 0, 4)
        )
    },
}


@pytest.mark.parametrize("name", POLICIES)
def test_windows_of_long_videos_have_the_scores_of_the_whole_in_memory(
    data: Dataset, tagger: Tagger, tmp_path: Path, small: Callable[[], None], name: str
) -> None:
    choices = InferenceConfig(
        videos=False, segments=True, batch_size=4, device="cpu", **POLICIES[name]
    )
    predict(tagger, data, tmp_path / "whole", choices, split="all")
    small()
    predict(tagger, data, tmp_path / "long", choices, split="all")
    expected = rows_of(tmp_path / "whole", "segments")
    assert len(set(expected.ids.to_pylist())) >= 4
    assert_same(rows_of(tmp_path / "long", "segments"), expected)


def test_rated_windows_of_long_videos_have_the_scores_of_the_whole_in_memory(
    tagger: Tagger, tmp_path: Path, small: Callable[[], None]
) -> None:
    rated: dict[str, Values] = {
        "segment_start_times": np.array([140, 3, 0, 3], np.int64),
        "segment_end_times": np.array([149, 5, 120, 4], np.int64),
        "segment_labels": np.array([1, 2, 3, 4], np.int64),
        "segment_scores": np.ones(4, np.float32),
    }
    record = described_record("v", frames_of(FEATURES, 300, 0), **rated)
    write_shard(tmp_path / "data" / "train0.tfrecord", [record])
    FEATURES.save(tmp_path / "data")
    data = Dataset.open(tmp_path / "data", jobs=1, quiet=True)
    choices = InferenceConfig(videos=False, segments=True, rated=True, device="cpu")
    predict(tagger, data, tmp_path / "whole", choices, split="all")
    small()
    predict(tagger, data, tmp_path / "long", choices, split="all")
    expected = rows_of(tmp_path / "whole", "segments")
    assert expected.starts.tolist() == [0, 3, 3, 140]
    assert_same(rows_of(tmp_path / "long", "segments"), expected)


def test_candidates_of_long_videos_are_those_of_the_whole_as_predict_scores_it(
    data: Dataset, tagger: Tagger, tmp_path: Path, small: Callable[[], None]
) -> None:
    small()
    policy = SegmentPolicy(candidates=3)
    choices = InferenceConfig(segments=True, top_k=3, policy=policy, device="cpu")
    predict(tagger, data, tmp_path / "p", choices, split="all")
    videos, segments = (rows_of(tmp_path / "p", kind) for kind in ("videos", "segments"))
    names = videos.ids.to_pylist()
    best = {name: set(videos.classes[3 * at : 3 * at + 3]) for at, name in enumerate(names)}
    assert len(segments) > 50
    for at, name in enumerate(segments.ids.to_pylist()):
        assert set(segments.classes[3 * at : 3 * at + 3]) == best[name]


def test_whole_of_long_videos_has_one_rule_in_files_and_arrays(
    data: Dataset, tagger: Tagger, tmp_path: Path, small: Callable[[], None],
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    small()
    predict(tagger, data, tmp_path / "p", InferenceConfig(top_k=12, device="cpu"), split="all")
    assert "3 videos are scored as a whole by 40 frames each, spread over" in capfd.readouterr().err
    rows = rows_of(tmp_path / "p", "videos")
    arrays = [array_of(FEATURES, length, at) for at, length in enumerate(LENGTHS)]
    for at, (tags, frames) in enumerate(zip(tagger.predict(arrays), arrays, strict=True)):
        here = slice(12 * at, 12 * at + 12)
        scores = dict(zip(rows.classes[here].tolist(), rows.scores[here].tolist(), strict=True))
        of_file = {index: 1 / (1 + np.exp(-score)) for index, score in scores.items()}
        assert of_file == pytest.approx({tag.index: tag.prob for tag in tags}, abs=1e-5)
        taken = frames[spread_frames([len(frames)], WHOLE)[0]] if len(frames) > WHOLE else frames
        whole = torch.ones(1, len(taken), dtype=torch.bool)
        expected = tagger.score(torch.from_numpy(taken)[None], whole)[0]
        assert scores == pytest.approx(dict(enumerate(expected.tolist())), abs=1e-4)


def test_moments_of_long_videos_are_those_of_the_whole_in_memory(
    data: Dataset, tagger: Tagger, small: Callable[[], None], tmp_path: Path
) -> None:
    config, thresholds = IntervalConfig(length_s=3, hop_s=0.5), thresholds_for(tagger, 0.45)

    def found() -> Any:
        windows = score_windows(tagger, data, config, split="all", batch_size=4, device="cpu")
        return find_intervals_in(windows, config, thresholds, top=None).ranked()

    expected = found()
    small()
    streamed = found()
    assert len(expected) > 30
    assert streamed.ids.equals(expected.ids)
    for name in ("classes", "start_s", "end_s", "peak_s"):
        np.testing.assert_array_equal(getattr(streamed, name), getattr(expected, name))
    longest = LENGTHS.index(300)
    np.save(tmp_path / "long.npy", array_of(FEATURES, 300, longest))
    video = np.load(tmp_path / "long.npy", mmap_mode="r")
    of_array = tagger.moments(video, config=config, prob=0.45, batch_size=16)
    mine = [at for at, name in enumerate(expected.ids.to_pylist()) if name == f"v{longest}"]
    places = sorted((expected.start_s[at], int(expected.classes[at])) for at in mine)
    assert sorted((each.start_s, each.index) for each in of_array) == places


def test_frames_of_a_batch_and_of_a_range_are_bounded(
    data: Dataset, tagger: Tagger, small: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    small()
    read: list[int] = []
    plain = FrameRanges._read

    def counted(self: FrameRanges, item: int, first: int, count: int, numbers: Any) -> Any:
        read.append(count)
        return plain(self, item, first, count, numbers)

    monkeypatch.setattr(FrameRanges, "_read", counted)
    choices = InferenceConfig(segments=True, hop=1, batch_size=4, device="cpu")
    batches = VideoBatches(data.videos("all"), choices)
    scorer = Scorer(tagger, tagger.num_classes, choices)
    order: list[str] = []
    for batch in batches:
        order += batch.ids
        assert batch.frames.shape[0] * batch.frames.shape[1] <= MOST
        for _, rows in scorer.score_parts(batch):
            assert rows is None or len(rows) <= MOST
    assert order == [f"v{at}" for at in range(len(LENGTHS))]
    assert len(batches) == 6  # 5 | 130 | 41 | 40 | 300 | 1 and 17
    assert max(read) <= MOST and sum(read) > 130 + 41 + 300


@contextmanager
def measured() -> Iterator[list[int]]:
    """Yield a list that has the most bytes that Python and NumPy held at a time, at the end."""
    peak: list[int] = []
    tracemalloc.start()
    try:
        yield peak
        peak.append(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()


WIDE = described({"rgb": (2048, "uint8")})


def windows_peak(folder: Path, num_frames: int) -> int:
    """Return the bytes that are held while the windows of one video in a file are scored."""
    data = described_corpus(folder, WIDE, [num_frames])
    tagger, config = tagger_of(WIDE), IntervalConfig()
    for _ in score_windows(tagger, data, config, split="all", batch_size=4, device="cpu"):
        break  # what is imported and set up once
    with measured() as peak:
        for _ in score_windows(tagger, data, config, split="all", batch_size=4, device="cpu"):
            pass
    return peak[0]


def moments_peak(folder: Path, num_frames: int) -> int:
    """Return the bytes that are held while the moments of a mapped float16 array are found."""
    features: Features = described({"rgb": (2048, "float16")})
    tagger = tagger_of(features)
    folder.mkdir()
    np.save(folder / "x.npy", frames_of(features, num_frames, 0)["rgb"])
    video = np.load(folder / "x.npy", mmap_mode="r")
    read: list[int] = []
    plain = VideoFrames.read

    def counted(self: VideoFrames, first: int, stop: int) -> torch.Tensor:
        read.append((stop - first) * 2048 * 4)  # of torch, which tracemalloc does not see
        return plain(self, first, stop)

    with pytest.MonkeyPatch.context() as patch, measured() as peak:
        patch.setattr(VideoFrames, "read", counted)
        tagger.moments(video, prob=0.99)
    return peak[0] + max(read)


@pytest.mark.parametrize("peak_of", [windows_peak, moments_peak])
def test_memory_does_not_grow_with_the_length_of_a_video(
    tmp_path: Path, small: Callable[[], None], peak_of: Callable[[Path, int], int]
) -> None:
    small()
    short, long = 400, 2000
    peaks = [peak_of(tmp_path / str(length), length) for length in (short, long)]
    # a window more is a few numbers more; held whole, a frame more would be 2048 bytes
    assert peaks[1] - peaks[0] < 200 * (long - short)
