"""The numbers behind the plots: hits, average precision, calibration, choice of examples."""

from pathlib import Path

import numpy as np
import pytest

from reeltag.data.index import open_index
from reeltag.data.selection import Records, select
from reeltag.data.synth.config import SynthConfig
from reeltag.data.synth.corpus import write_corpus
from reeltag.inference.predictions import (
    About,
    Predictions,
    Rows,
    open_predictions,
    prediction_writer,
)
from reeltag.report.examples import tagged, timelines
from reeltag.report.facts import Bin, Pairs, probability, read_log, read_pairs

CORPUS = SynthConfig(videos=40, classes=8, rgb=8, audio=0, min_frames=30, max_frames=40)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("facts") / "corpus"
    write_corpus(folder, CORPUS, quiet=True)
    return folder


@pytest.fixture(scope="module")
def records(corpus: Path) -> Records:
    return select(open_index(corpus, jobs=1, quiet=True), "test")


def labels_of(records: Records, video: int) -> list[int]:
    offsets, labels = records.lists("labels")
    return list(labels[offsets[video] : offsets[video + 1]].tolist())


def predictions_of(path: Path, *parts: Rows) -> Predictions:
    with prediction_writer(path, About(num_classes=8)) as writer:
        for part in parts:
            writer.write(part)
    return open_predictions(path)


def pairs(classes: list[int], scores: list[float], hits: list[int], positives: list[int]) -> Pairs:
    return Pairs(
        videos=np.zeros(len(classes), np.int64),
        classes=np.array(classes, np.int32),
        scores=np.array(scores, np.float32),
        hits=np.array(hits, bool),
        predicted=np.ones(1, bool),
        positives=np.array(positives),
    )


def test_hits_are_the_labels_of_the_video_with_that_id(records: Records, tmp_path: Path) -> None:
    ids = records.table["id"].to_pylist()
    order = np.tile(np.arange(8, dtype=np.int32), (4, 1))
    rows = Rows.of_matrix(
        [ids[3], "elsewhere", ids[0], ids[1]], None, order, -order.astype(np.float32)
    )
    found = read_pairs(predictions_of(tmp_path / "p", rows), records, only_predicted=True)
    assert found is not None and len(found.hits) == 24
    for video in (3, 0, 1):
        mine = found.videos == video
        assert found.classes[mine][found.hits[mine]].tolist() == labels_of(records, video)
    assert np.flatnonzero(found.predicted).tolist() == [0, 1, 3]
    true = [label for video in (0, 1, 3) for label in labels_of(records, video)]
    assert found.positives.tolist() == np.bincount(true, minlength=8).tolist()


def test_labels_of_unpredicted_videos_count_as_missed_if_the_split_is_named(
    records: Records, tmp_path: Path
) -> None:
    order = np.arange(8, dtype=np.int32)[None]
    rows = Rows.of_matrix([records.table["id"][0].as_py()], None, order, -order.astype(np.float32))
    found = read_pairs(predictions_of(tmp_path / "p", rows), records, only_predicted=False)
    assert found is not None
    assert found.positives.sum() == len(records.lists("labels")[1])


def test_average_precision_by_hand() -> None:
    #            class 0: hit, miss, hit of three positives; class 1: one miss; class 2: no positive
    found = pairs([0, 0, 0, 1, 2], [3, 2, 1, 5, 1], [1, 0, 1, 0, 0], [3, 1, 0])
    expected = [(1 / 1 + 2 / 3) / 3, 0.0, np.nan]
    np.testing.assert_allclose(found.average_precision(), expected)


def test_reliability_counts_hits_by_tenths_of_probability() -> None:
    low, less, high = -2.0, -1.6, 3.0  # 0.1192, 0.1680 and 0.9526
    scores = [low] * 4 + [less] * 4 + [high] * 6
    found = pairs([0] * 14, scores, [1] + [0] * 7 + [1] * 5 + [0], [6])
    first, last = found.reliability()
    assert (first.pairs, first.hits, last.pairs, last.hits) == (8, 1, 6, 5)
    assert first.said == pytest.approx((0.1192 + 0.1680) / 2, abs=1e-4)
    assert last.said == pytest.approx(0.9526, abs=1e-4)
    assert pairs([0] * 4, [low] * 4, [1] * 4, [4]).reliability() == []  # too few to say


def test_interval_is_wilsons() -> None:
    low, high = Bin(said=0.5, pairs=10, hits=8).interval
    assert low == pytest.approx(0.4902, abs=1e-4) and high == pytest.approx(0.9433, abs=1e-4)


def test_probability_of_extreme_logits_stays_in_range() -> None:
    np.testing.assert_allclose(probability(np.array([-1e4, 0, 1e4], np.float32)), [0, 0.5, 1])


def test_log_keeps_numbers_and_drops_the_rest(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("step,train_loss,word\n1,2.5,a\n2,,b\n3,inf,\nx,9,\n")
    log = read_log(tmp_path)
    assert list(log) == ["train_loss"]
    assert [column.tolist() for column in log["train_loss"]] == [[1.0], [2.5]]
    assert read_log(None) == {} and read_log(tmp_path / "none") == {}


def test_timelines_show_the_scores_and_ratings_of_the_most_rated_videos(
    corpus: Path, records: Records, tmp_path: Path
) -> None:
    ids, lengths = records.table["id"].to_pylist(), records.column("frames")
    cells = [(v, s) for v in range(len(ids)) for s in range(0, int(lengths[v]), 5)]
    order = np.tile(np.arange(8, dtype=np.int32), (len(cells), 1))
    logits = np.tile(-np.arange(8, dtype=np.float32), (len(cells), 1))
    logits += np.array([start for _, start in cells], np.float32)[:, None] / 100
    starts = np.array([start for _, start in cells], np.int32)
    rows = Rows.of_matrix([ids[v] for v, _ in cells], starts, order, logits)
    shown = timelines(predictions_of(tmp_path / "p", rows), records, corpus)
    assert len(shown) == 4
    offsets, scores = records.lists("segment_scores")
    numbers = np.diff(offsets)
    both = [v for v in range(len(ids)) if len(set(scores[offsets[v] : offsets[v + 1]])) == 2]
    most = sorted((numbers[v] for v in both), reverse=True)[:4]
    assert [numbers[ids.index(line.id)] for line in shown] == most
    for timeline in shown:
        video = ids.index(timeline.id)
        assert timeline.seconds == lengths[video] and len(timeline.lines) <= 3
        for line in timeline.lines:
            expected = probability((line.starts / 100 - line.label).astype(np.float32))
            np.testing.assert_allclose(line.chances, expected, rtol=1e-5)
            assert line.rated and line.shown  # the corpus is synthetic, so the truth is known
            for start, positive in line.rated:
                inside = sum(max(0, min(e, start + 5) - max(b, start)) for b, e in line.shown)
                assert (inside >= 3) if positive else (inside == 0)


def test_a_class_that_is_not_among_a_segments_best_has_no_score(
    corpus: Path, records: Records, tmp_path: Path
) -> None:
    ids = records.table["id"].to_pylist()
    rows = Rows.of_matrix(
        ids,
        np.zeros(len(ids), np.int32),
        np.zeros((len(ids), 1), np.int32),
        np.zeros((len(ids), 1), np.float32),
    )
    shown = timelines(predictions_of(tmp_path / "p", rows), records, corpus)
    lines = [line for timeline in shown for line in timeline.lines]
    assert all(np.isnan(line.chances).all() == (line.label != 0) for line in lines)


def test_tags_are_the_best_classes_and_tell_labels_from_others(
    records: Records, tmp_path: Path
) -> None:
    ids = records.table["id"].to_pylist()
    order = np.tile(np.arange(8, dtype=np.int32), (len(ids), 1))
    file = predictions_of(
        tmp_path / "p", Rows.of_matrix(ids, None, order, -order.astype(np.float32))
    )
    found = read_pairs(file, records, only_predicted=True)
    assert found is not None
    for row in tagged(found, records):
        true = labels_of(records, ids.index(row.id))
        assert [label for label, _, _ in row.tags] == [0, 1, 2, 3, 4]
        assert [hit for _, _, hit in row.tags] == [label in true for label in range(5)]
        assert list(row.missed) == [label for label in true if label > 4]
