"""The definitions once more, in plain Python loops, with our rule for ties: to compare with."""

import numpy as np
from torch import Tensor


def order(scores: list[float]) -> list[int]:
    return sorted(range(len(scores)), key=lambda i: (-scores[i], i))


def ranked_precision(scores: list[float], hits: list[bool], positives: float) -> float:
    seen, total = 0, 0.0
    for rank, i in enumerate(order(scores), start=1):
        if hits[i]:
            seen += 1
            total += seen / rank
    return total / positives


def weighted_precision(
    scores: list[float], hits: list[bool], weights: list[int], positives: float
) -> float:
    """A pair is as often in the list as its weight says; copies of a hit share its precision."""
    listed, found, total = 0, 0, 0.0
    for i in order(scores):
        if hits[i]:
            total += weights[i] * (found + 1) / (listed + 1)
            found += weights[i]
        listed += weights[i]
    return total / positives if positives else float("nan")


def kept(scores: Tensor, k: int) -> list[tuple[int, int]]:
    """Return the (row, column) pairs of each row's k best, in order of arrival."""
    rows = scores.tolist()
    return [(r, c) for r, row in enumerate(rows) for c in sorted(order(row)[:k])]


def gap(scores: Tensor, labels: Tensor, k: int) -> float:
    pairs = kept(scores, k)
    found = [float(scores[p]) for p in pairs], [bool(labels[p] > 0) for p in pairs]
    return ranked_precision(*found, float(labels.double().sum()))


def class_precision(scores: Tensor, labels: Tensor, k: int) -> list[float]:
    pairs, answer = kept(scores, k), []
    for c in range(scores.shape[1]):
        mine = [p for p in pairs if p[1] == c]
        positives = float(labels[:, c].double().sum())
        found = [float(scores[p]) for p in mine], [bool(labels[p] > 0) for p in mine]
        answer.append(ranked_precision(*found, positives) if positives else float("nan"))
    return answer


def perr(scores: Tensor, labels: Tensor, above: float = -np.inf) -> float:
    answer = 0.0
    for row, truth in zip(scores.tolist(), labels.double().tolist(), strict=True):
        n = int(sum(truth)) or len(row)
        answer += sum(truth[i] for i in order(row)[:n] if row[i] > above) / n
    return answer / len(scores)


def segment_precision(
    scores: list[float], ratings: list[float | None], positives: int, k: int
) -> float:
    """Average precision of one class: cut to k, drop the unrated (None), divide by positives."""
    kept = [rating for i in order(scores)[:k] if (rating := ratings[i]) is not None]
    falling = [-float(i) for i in range(len(kept))]
    return ranked_precision(falling, [rating > 0 for rating in kept], positives)
