"""Small-loss selection: which cells of a batch are not believed, by hand and as loops."""

import pytest
import torch
import torch.nn.functional as F

from reeltag.losses.selection import without_largest

LOGITS = torch.tensor([[3.0, -4.0, 2.0, -1.0], [-2.0, 1.0, 5.0, -3.0]])
LABELS = torch.tensor([[1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0]])


def test_labels_that_cost_most_weigh_nothing() -> None:
    labels, weights = without_largest(LOGITS, LABELS, present=0.5, absent=0.25)
    assert torch.equal(labels, LABELS)
    # of four labels the two with logits -4 and -2, of the absent ones that with logit 5
    assert weights.tolist() == [[1, 0, 1, 1], [0, 1, 0, 1]]


def test_missing_labels_are_taken_as_present_where_they_are_corrected() -> None:
    labels, weights = without_largest(LOGITS, LABELS, present=0, absent=0.5, correct=True)
    assert labels.tolist() == [[1, 1, 1, 0], [1, 1, 1, 0]] and (weights == 1).all()


def test_unrated_cells_are_neither_counted_nor_chosen() -> None:
    rated = torch.tensor([[0.5, 0, 2, 0], [0.5, 0.5, 0, 1]])  # three labels, two absent
    labels, weights = without_largest(LOGITS, LABELS, rated, present=0.67, absent=0.34)
    assert torch.equal(labels, LABELS)
    assert weights.tolist() == [[0.5, 0, 0, 0], [0, 0, 0, 1]]
    everything = without_largest(LOGITS, LABELS, rated, present=1, absent=100)[1]
    assert (everything == 0).all()


def test_selection_equals_loops(rng: torch.Generator) -> None:
    logits = torch.randn(6, 9, generator=rng)
    labels = (torch.rand(6, 9, generator=rng) < 0.3).float()
    weights = (torch.rand(6, 9, generator=rng) < 0.8).float()
    found = without_largest(logits, labels, weights, present=0.3, absent=0.4)[1]
    cost = F.binary_cross_entropy_with_logits(logits, labels, reduction="none")
    cells = [(cost[b, c].item(), b, c) for b in range(6) for c in range(9) if weights[b, c]]
    present = sorted(cell for cell in cells if labels[cell[1:]] == 1)
    absent = sorted(cell for cell in cells if labels[cell[1:]] == 0)
    total, expected = len(present), weights.clone()
    for cells, share in ((present, 0.3), (absent, 0.4)):
        for _, b, c in cells[len(cells) - int(share * total) :]:
            expected[b, c] = 0
    assert torch.equal(found, expected) and not torch.equal(found, weights)


@pytest.mark.parametrize("labels", [torch.zeros(2, 4), torch.ones(2, 4)])
def test_batch_of_one_kind_of_cell_is_left_in_peace(labels: torch.Tensor) -> None:
    same, weights = without_largest(LOGITS, labels, present=0.1, absent=0.5)
    assert torch.equal(same, labels) and (weights == 1).all()
