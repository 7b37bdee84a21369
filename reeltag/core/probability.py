"""Probabilities of logits; means and products of them in log space, where none becomes 0 or 1.

    logit p = log p - log(1 - p),   log p = logsigmoid(logit),   log(1 - p) = logsigmoid(-logit)

Letters in shapes: N rows, C classes, M predictions of the same thing.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import DTypeLike, NDArray
from torch import Tensor
from torch.nn.functional import logsigmoid

_NEAR_0 = float(np.finfo(np.float32).smallest_subnormal)  # a logit of -103.3
_NEAR_1 = 1 - 2.0**-25  # between 1 and the float32 before it: a logit of 17.3


def fused_logits(
    video_logits: Tensor, segment_logits: Tensor, *, video_power: float, segment_power: float
) -> Tensor:
    """Return the logits of video^a * segment^b, a product of powers of probabilities.

    The order is that of the product. Where a + b = 1 it is a weighted geometric mean and is
    between the two; otherwise it is a score in (0, 1) and no longer a calibrated probability.

    >>> half = torch.zeros(1)
    >>> fused_logits(half, half, video_power=1.0, segment_power=1.0)  # 0.5 * 0.5 = 1 / (1 + 3)
    tensor([-1.0986])

    Args:
        video_logits: any shape; -inf is a probability of 0, which makes the product 0 (-inf), with
            a power of 0 too.
        segment_logits: of the same shape.
        video_power: a, >= 0.
        segment_power: b, >= 0; a + b > 0.
    """
    log_p = segment_power * logsigmoid(segment_logits) + (
        video_power * logsigmoid(video_logits.clamp(min=torch.finfo(torch.float32).min))
    )
    log_p = log_p.clamp(max=-torch.finfo(torch.float32).tiny)  # a logit of 87, not of infinity
    return (log_p - torch.log(-torch.expm1(log_p))).where(video_logits > -torch.inf, -torch.inf)


class MeanLogits:
    """The mean of several predictions (N, C), of their logits or of their probabilities.

    Args:
        of_probs: whether to take the mean of the probabilities; the result is logits in any case.
    """

    def __init__(self, *, of_probs: bool) -> None:
        self._of_probs = of_probs
        self._yes: Tensor | None = None  # of logits: their sum; of probabilities: log sum p
        self._no: Tensor | None = None  # log sum (1 - p)
        self._count: Tensor | None = None

    def add(self, logits_NC: Tensor, rows: Tensor, num_rows: int) -> None:
        """Add the predictions of some of the rows.

        Args:
            logits_NC: one row each.
            rows: (N,) int64, each once.
            num_rows: rows in all.
        """
        if self._yes is None or self._no is None or self._count is None:
            empty = -torch.inf if self._of_probs else 0.0
            self._yes = logits_NC.new_full((num_rows, logits_NC.shape[1]), empty)
            self._no = torch.full_like(self._yes, empty)
            self._count = logits_NC.new_zeros(num_rows, 1)
        self._count[rows] += 1
        if self._of_probs:
            self._yes[rows] = torch.logaddexp(self._yes[rows], logsigmoid(logits_NC))
            self._no[rows] = torch.logaddexp(self._no[rows], logsigmoid(-logits_NC))
        else:
            self._yes[rows] += logits_NC

    def mean(self) -> Tensor:
        """Return (rows, C) logits; every row must have been added at least once."""
        assert self._yes is not None and self._no is not None and self._count is not None
        return self._yes - self._no if self._of_probs else self._yes / self._count


def mean_prob_logits(logits: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the logits of the mean of M probabilities, given as logits of one shape."""
    if len(logits) == 1:
        return logits[0]
    stacked = np.stack(logits)
    log_yes = np.logaddexp.reduce(-np.logaddexp(0, -stacked), axis=0)
    log_no = np.logaddexp.reduce(-np.logaddexp(0, stacked), axis=0)
    mean: NDArray[np.float64] = log_yes - log_no
    return mean


def sigmoid(logits: NDArray[np.floating], dtype: DTypeLike = np.float64) -> NDArray[Any]:
    """Return the probabilities of logits, exact in both tails, in the arithmetic of `dtype`.

    In float64, logits up to 36 that differ stay different.

    >>> sigmoid(np.array([-1000, 0, 20], np.float32)).tolist()  # doctest: +ELLIPSIS
    [0.0, 0.5, 0.99999999793...]
    """
    logits = logits.astype(dtype, copy=False)
    small = np.exp(-np.abs(logits))
    probs: NDArray[Any] = np.where(logits >= 0, logits.dtype.type(1), small) / (1 + small)
    return probs


def prob_logits(probs: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the logits of probabilities, all finite, in float64.

    0 counts as the smallest float32 above it (a logit of -103.3), and 1 as half way from it to the
    float32 below it (17.3): no other float32 is beyond them.

    Args:
        probs: any shape, in [0, 1]; NaN stays NaN.

    >>> prob_logits(np.array([0, 0.5, 1])).round(1).tolist()
    [-103.3, 0.0, 17.3]
    """
    probs = probs.astype(np.float64, copy=False)
    logits: NDArray[np.float64] = np.log(np.maximum(probs, _NEAR_0))
    logits -= np.log1p(-np.minimum(probs, _NEAR_1))
    return logits
