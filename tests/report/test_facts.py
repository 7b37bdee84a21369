"""The numbers behind the plots: hits, calibration, training labels, the log."""

from pathlib import Path

import numpy as np
import pytest

from reeltag.data.dataset import Dataset
from reeltag.data.splits import Splits
from reeltag.data.synth.config import SynthConfig
from reeltag.data.synth.corpus import write_corpus
from reeltag.report.facts import Bin, Reliability, read_log, read_training_labels


def reliability(scores: list[float], hits: list[int]) -> Reliability:
    found = Reliability()
    half = len(scores) // 2  # counted in parts, as batches come
    for part in (slice(0, half), slice(half, None)):
        found.add(np.array(scores[part], np.float32), np.array(hits[part], bool))
    return found


def test_reliability_bins_are_tenths_of_probability() -> None:
    low, less, high = -2.0, -1.6, 3.0  # 0.1192, 0.1680 and 0.9526
    scores = [low] * 4 + [less] * 4 + [high] * 6
    found = reliability(scores, [1] + [0] * 7 + [1] * 5 + [0])
    first, last = found.bins
    assert (first.pairs, first.hits, last.pairs, last.hits) == (8, 1, 6, 5)
    assert first.mean_prob == pytest.approx((0.1192 + 0.1680) / 2, abs=1e-4)
    assert last.mean_prob == pytest.approx(0.9526, abs=1e-4)


def test_calibration_error_weights_bins_by_their_pairs() -> None:
    found = reliability([-2.0] * 8 + [3.0] * 6, [1] + [0] * 7 + [1] * 5 + [0])
    by_hand = 8 / 14 * abs(1 / 8 - 0.119203) + 6 / 14 * abs(5 / 6 - 0.952574)
    assert found.error == pytest.approx(by_hand, abs=1e-6)
    assert found.pairs == 14
    assert np.isnan(Reliability().error) and Reliability().bins == []


def test_bin_interval_is_the_wilson_interval() -> None:
    low, high = Bin(mean_prob=0.5, pairs=10, hits=8).interval
    assert low == pytest.approx(0.4902, abs=1e-4) and high == pytest.approx(0.9433, abs=1e-4)


def test_read_log_keeps_numbers_alone(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("step,train_loss,word\n1,2.5,a\n2,,b\n3,inf,\nx,9,\n")
    log = read_log(tmp_path)
    assert list(log) == ["train_loss"]
    assert [column.tolist() for column in log["train_loss"]] == [[1.0], [2.5]]
    assert read_log(None) == {} and read_log(tmp_path / "none") == {}


def test_training_labels_are_of_the_training_or_else_the_scored_videos(tmp_path: Path) -> None:
    config = SynthConfig(videos=40, classes=8, rgb=8, audio=0, min_frames=20, max_frames=30)
    write_corpus(tmp_path / "corpus", config, quiet=True)
    dataset = Dataset.open(tmp_path / "corpus", jobs=1, quiet=True)
    names = tuple("abcdefgh")
    for of, records in (
        ("training videos", dataset.select("train")),
        ("videos here", dataset.select("test")),
    ):
        # where no shard is one to train on, there is nothing else to count
        splits = Splits() if of == "training videos" else Splits(train="none*")
        found = read_training_labels(dataset.with_splits(splits).select("test"), names)
        assert found.of.startswith(of)
        counts = np.bincount(records.lists("labels")[1], minlength=8)
        assert found.counts.tolist() == counts.tolist()
        for one in found.correlation.strongest(3, first=0):
            assert one.videos == counts[0] >= one.together
