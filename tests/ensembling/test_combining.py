"""Scores of several models into one: against arithmetic by hand, also where floats run out."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from reeltag.ensembling.alignment import AlignedRows, align_predictions
from reeltag.ensembling.combining import FLOOR, Ranks, best_first, mean_logits, weighted
from reeltag.predictions.file import open_predictions
from reeltag.predictions.rows import WHOLE_VIDEO
from tests.ensembling.synthetic import Listed, drawn, write

MINUS = -np.inf


def block(logits: list[list[float]], lengths: list[int] | None = None) -> AlignedRows:
    """Return one row a pair, or rows of so many classes."""
    lengths = [1] * len(logits) if lengths is None else lengths
    return AlignedRows(
        np.cumsum([0, *lengths]),
        np.concatenate([np.arange(length, dtype=np.int32) for length in lengths]),
        np.array(logits, np.float32),
        ids=pa.array([f"v{at}" for at in range(len(lengths))], pa.string()),
        starts=np.full(len(lengths), WHOLE_VIDEO),
        ends=np.full(len(lengths), WHOLE_VIDEO),
    )


def prob(logit: np.ndarray) -> np.ndarray:
    found: np.ndarray = 1 / (1 + np.exp(-logit))
    return found


def test_weighted_sum_is_of_probabilities_with_0_for_unlisted() -> None:
    logits = np.array([[1.0, -2.0, 0.5], [MINUS, 3.0, -1.0], [MINUS, MINUS, -4.0]], np.float32)
    common = np.array([0.5, 0.3, 0.1])
    by_class = np.array([[0.2, 0.9], [0.5, 0.05], [0.3, 0.0]])
    classes = np.array([1, 0, 0], np.int32)
    for weights, own in ((common, common), (by_class, by_class.T[classes])):
        found = weighted(logits, weights, classes)
        expected = (prob(logits.astype(float)) * own).sum(1)
        assert prob(found.astype(float)) == pytest.approx(expected, rel=1e-5)


def test_mean_of_equal_logits_is_exact_at_extremes() -> None:
    far = np.array([[-200.0], [-30], [30], [200]], np.float32)
    classes = np.zeros(4, np.int32)
    for times in (1, 3, 7):
        equal = np.full(times, 1 / times)
        found = weighted(np.repeat(far, times, 1), equal, classes)
        assert found.tolist() == pytest.approx(far[:, 0].tolist())


def test_weights_summing_above_1_keep_the_order() -> None:
    logits = np.linspace(-8, 16, 200, dtype=np.float32)
    found = weighted(np.stack([logits, logits], 1), np.array([0.7, 0.5]), np.zeros(200, np.int32))
    assert (np.diff(found[logits < 8]) > 0).all() and (np.diff(found) >= 0).all()
    assert np.isfinite(found).all()


@pytest.mark.parametrize("of_class", [False, True])
def test_negative_weight_gives_no_nan_above_1(of_class: bool) -> None:
    first = np.linspace(0, 20, 50, dtype=np.float32)  # of all weights only 0.8 is left over
    logits = np.stack([first, np.full_like(first, -9)], 1)
    weights = np.array([1.2, -0.4])
    classes = np.zeros(50, np.int32)
    found = weighted(logits, np.tile(weights[:, None], 3) if of_class else weights, classes)
    assert np.isfinite(found).all() and (np.diff(found) >= 0).all()
    total = (prob(logits.astype(float)) * weights).sum(1)
    inside = total < 1 - 1e-5
    assert inside.any() and prob(found[inside].astype(float)) == pytest.approx(total[inside])
    assert (found[total > 1] > 13.8).all()  # log((1 - 1e-6) / 1e-6)


def test_class_without_weight_is_not_listed() -> None:
    one = block([[2.0, MINUS], [0.0, 1.0], [MINUS, 1.0], [1.0, MINUS]], [2, 0, 2])
    logits = weighted(one.logits, np.array([0.0, 1.0]), one.classes)
    rows = best_first(one, logits)
    assert rows.indptr.tolist() == [0, 1, 1, 2]
    assert rows.classes.tolist() == [1, 0] and rows.scores.tolist() == pytest.approx([1, 1])
    negative = weighted(one.logits, np.array([-0.5, 0.1]), one.classes)
    assert np.isneginf(negative[[0, 3]]).all()


def test_best_first_cuts_rows_and_orders_ties_by_class() -> None:
    one = block([[0.0]] * 6, [4, 2])
    rows = best_first(one, np.array([0.5, -3, 7, 0.5, -1, -0.0], np.float32), top_k=3)
    assert rows.indptr.tolist() == [0, 3, 5]
    assert rows.classes.tolist() == [2, 0, 3, 1, 0]


def test_mean_logits_take_the_lowest_of_the_row_for_unlisted() -> None:
    one = block([[1.0, -2.0], [MINUS, 4.0], [3.0, MINUS], [5.0, MINUS]], [3, 1])
    floor = (5 + FLOOR) / 2
    assert mean_logits(one).tolist() == pytest.approx([-0.5, 2.5, 0.5, floor])


def test_ranks_are_fractions_of_all_scores_of_the_model(tmp_path: Path) -> None:
    models: list[Listed] = [drawn(seed, count=30) for seed in range(2)]
    models[1] = {key: {c: 100 * s for c, s in of.items()} for key, of in models[1].items()}
    files = [write(tmp_path / str(at), each) for at, each in enumerate(models)]
    ranks = Ranks([open_predictions(path) for path in files], "videos")
    order = [
        np.sort(np.array([s for of in each.values() for s in of.values()], np.float32))
        for each in models
    ]
    for one in align_predictions(files):
        shares = []
        for number, rising in enumerate(order):
            column = one.logits[:, number]
            place = np.searchsorted(rising, column)
            shares.append(np.where(np.isneginf(column), 0, (place + 0.5) / (len(rising) + 1)))
        found = prob(ranks.mean(one).astype(float))
        tolerance = 2 / 90  # two of the 90 scores may share a bin, within which ranks are guessed
        assert found == pytest.approx(np.mean(shares, 0), abs=tolerance)


def test_ranks_keep_the_order_of_close_scores(tmp_path: Path) -> None:
    close = np.nextafter(np.float32(1), np.float32(2))
    listed: Listed = {("a", -1): {0: 1.0, 1: float(close)}, ("b", -1): {0: -1.0, 1: -float(close)}}
    path = write(tmp_path / "p", listed)
    (one,) = align_predictions([path])
    first, second, third, fourth = Ranks([open_predictions(path)], "videos").mean(one)
    assert second > first > third > fourth
