"""Rankings: ties, weights and lists."""

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reeltag.metrics.ranking import average_precision, best_columns, rank_columns, rank_pairs
from tests.metrics import slow


@settings(max_examples=60)
@given(st.integers(1, 9), st.integers(1, 12), st.integers(1, 14), st.integers(0, 2**30))
def test_best_columns_are_those_of_a_stable_sort(rows: int, cols: int, k: int, seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    scores = torch.randint(-3, 3, (rows, cols), generator=draw).float()
    best, columns = best_columns(scores, k)
    assert columns.tolist() == [slow.order(row)[:k] for row in scores.tolist()]
    assert torch.equal(best, scores.gather(1, columns))


def test_best_columns_sort_more_rows_than_fit_at_once() -> None:
    scores = torch.zeros(2500, 8)
    _, columns = best_columns(scores, 3)
    assert torch.equal(columns, torch.arange(3).expand(2500, 3))


def test_score_that_is_not_a_number_raises() -> None:
    for k in (2, 9):
        with pytest.raises(ValueError, match="NaN"):
            best_columns(torch.tensor([[1.0, 2, 3], [1, torch.nan, 3]]), k)


@settings(max_examples=40)
@given(st.integers(0, 2**30), st.integers(0, 3000))
@example(0, 70_000)  # so many whole numbers are sorted by their digits
def test_order_is_that_of_a_stable_sort(seed: int, number: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    scores = torch.randn(number, generator=draw).mul(9).round()  # ties, and both zeros
    scores[::11] = -torch.inf
    scores[5::17] = torch.inf
    wanted = scores.sort(descending=True, stable=True).indices
    hits = torch.zeros(number, dtype=torch.bool)
    for given_scores in (scores, scores.double()):
        assert torch.equal(rank_pairs(given_scores, hits).order, wanted)


def test_lists_are_ranked_apart() -> None:
    scores = torch.tensor([5.0, 1, 4, 3, 2])
    hits = torch.tensor([True, True, False, True, False])
    ranking = rank_pairs(scores, hits, torch.tensor([2, 0, 0, 2, 2]))
    assert ranking.order.tolist() == [2, 1, 0, 3, 4]
    value = ranking.average_precision(torch.tensor([1, 0, 4]))
    assert value.tolist() == pytest.approx([1 / 2, torch.nan, 2 / 4], nan_ok=True)


def test_columns_are_ranked_in_parts_as_at_once(rng: torch.Generator) -> None:
    scores, hits = torch.rand(600_000, 8, generator=rng), torch.zeros(600_000, 8).bool()
    hits[7] = True  # six columns of this length are ranked at once
    ranks, classes = rank_columns(scores, hits)
    assert classes.tolist() == [*range(8)]
    assert ranks.tolist() == (1 + (scores > scores[7]).sum(dim=0)).tolist()


def test_average_precision_of_shapes_that_differ_raises() -> None:
    with pytest.raises(ValueError, match=r"scores \(2,\) and hits \(3,\) differ"):
        average_precision(torch.zeros(2), torch.zeros(3))


def test_average_precision_of_ties_is_that_of_their_order() -> None:
    same, hits = torch.full((6,), 0.5), torch.tensor([1, 0, 0, 1, 0, 0])
    assert average_precision(same, hits) == pytest.approx((1 + 2 / 4) / 2)
    assert average_precision(same, hits, num_positives=5) == pytest.approx((1 + 2 / 4) / 5)
    assert average_precision(same, hits * 0) == 0
