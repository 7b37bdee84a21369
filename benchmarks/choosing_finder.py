"""A finder that is fitted in a second: frame regression on means of windows, then ratings on top.

    stage I    logits of windows, linear in their means; the logit of a video is pooled from those
               of its windows and compared with its noisy labels, as `reeltag.training.
               frame_regression` has it
    stage II   a slope and an offset for the logits of all classes, from all ratings; then for each
               class logit + d . x + e with d, e ~ normal around 0: logistic regression on its
               ratings that starts from stage I and is held to it, at its most probable d and e

Letters in shapes: N windows, V videos, C classes, D values, Q ratings.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit
from torch import Tensor

from reeltag.core.console import track

UNLISTED = 0.3  # weight of labels that a video does not list
L2 = 5e-4
STEPS, RATE, FIRST_BIAS = 100, 0.3, -3.0
CALIBRATION = np.array([1.0, -3.0])  # slope and offset of all classes beforehand
CALIBRATION_SPREAD = np.array([1.0, 2.0])
SPREAD_OF_BIAS = 1.0  # of e; chosen on other data than the reported
_NEWTON, _HALVINGS, _ENOUGH = 30, 12, 1e-6  # steps, of each, gain of the last
_SMALLEST = 1e-12


@dataclass(frozen=True, eq=False)
class Finder:
    """Logits of windows: values @ weights.T + biases.

    Attributes:
        weights: (C, D) float32.
        biases: (C,) float32.
    """

    weights: NDArray[np.float32]
    biases: NDArray[np.float32]

    def logits(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (N, C)."""
        return np.asarray(values @ self.weights.T + self.biases)


def fit_labels(
    values: NDArray[np.float32], videos: NDArray[np.int64], labels: NDArray[np.bool_]
) -> Finder:
    """Return the finder of stage I.

    Args:
        values: (N, D).
        videos: (N,) in [0, V).
        labels: (V, C).
    """
    values_ND, owner_N = torch.from_numpy(values), torch.from_numpy(videos)
    labels_VC = torch.from_numpy(labels).float()
    weight_CD = torch.zeros(labels.shape[1], values.shape[1], requires_grad=True)
    bias_C = torch.full((labels.shape[1],), FIRST_BIAS, requires_grad=True)
    optimiser = torch.optim.Adam([weight_CD, bias_C], lr=RATE)
    weights_VC = torch.where(labels_VC > 0, 1.0, UNLISTED)
    for _ in track(range(STEPS), "fitting stage I"):
        pooled_VC = _pooled(F.linear(values_ND, weight_CD, bias_C), owner_N, len(labels))
        losses_VC = F.binary_cross_entropy_with_logits(pooled_VC, labels_VC, reduction="none")
        loss = (losses_VC * weights_VC).sum() / len(labels) + L2 * weight_CD.square().sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return Finder(weight_CD.detach().numpy(), bias_C.detach().numpy())


def _pooled(logits_NC: Tensor, owner_N: Tensor, num_videos: int) -> Tensor:
    """Return (V, C) logits: the mean of the probabilities, weighted by themselves."""
    prob_NC = logits_NC.sigmoid()
    none_VC = torch.full((num_videos, logits_NC.shape[1]), _SMALLEST)
    there = none_VC.index_add(0, owner_N, prob_NC.square())
    return there.log() - none_VC.index_add(0, owner_N, prob_NC * (1 - prob_NC)).log()


def standardised(first: Finder, values: NDArray[np.float32]) -> Finder:
    """Return a finder whose logits of windows (N, D) have mean 0 and variance 1 in each class."""
    logits = first.logits(values)
    scale = 1 / logits.std(0)
    return Finder(first.weights * scale[:, None], (first.biases - logits.mean(0)) * scale)


def fit_ratings(
    first: Finder,
    values: NDArray[np.float32],
    classes: NDArray[np.int64],
    positive: NDArray[np.bool_],
    spread: float,
) -> Finder:
    """Return the finder of stage II.

    Args:
        first: stage I, standardised.
        values: (Q, D) of the rated windows.
        classes: (Q,) of the ratings.
        positive: (Q,).
        spread: standard deviation of d beforehand: small = held closely to stage I.
    """
    slope, offset = _calibrated(
        (values * first.weights[classes]).sum(1) + first.biases[classes], positive
    )
    weights, biases = first.weights * slope, first.biases * slope + offset
    for c in np.unique(classes):
        of = values[classes == c].astype(np.float64)
        begin = of @ weights[c] + biases[c]
        kernel = spread**2 * of @ of.T + SPREAD_OF_BIAS**2
        dual = _newton(kernel, begin, positive[classes == c])
        weights[c] += spread**2 * dual @ of
        biases[c] += SPREAD_OF_BIAS**2 * dual.sum()
    return Finder(weights.astype(np.float32), biases.astype(np.float32))


def _calibrated(logits: NDArray[np.float32], positive: NDArray[np.bool_]) -> tuple[float, float]:
    """Return slope and offset that fit the ratings (Q,) of all classes best, beforehand (1, -3)."""
    sign = np.where(positive, -1.0, 1.0)

    def loss(line: NDArray[np.float64]) -> float:
        held = (((line - CALIBRATION) / CALIBRATION_SPREAD) ** 2).sum() / 2
        return float(np.logaddexp(0, sign * (line[0] * logits + line[1])).sum() + held)

    slope, offset = minimize(loss, CALIBRATION, method="BFGS").x
    return float(slope), float(offset)


def _newton(
    kernel: NDArray[np.float64], start: NDArray[np.float64], positive: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return (Q,) the most probable weights a of logits start + kernel @ a.

    Newton's steps in the dual (Rasmussen, Williams, Gaussian processes for machine learning, 2006,
    algorithm 3.1), halved until they help.
    """
    sign = np.where(positive, -1.0, 1.0)

    def loss(dual: NDArray[np.float64]) -> float:
        moved = kernel @ dual
        return float(np.logaddexp(0, sign * (start + moved)).sum() + dual @ moved / 2)

    dual = np.zeros(len(start))
    now = loss(dual)
    for _ in range(_NEWTON):
        moved = kernel @ dual
        prob = expit(start + moved)
        curvature = prob * (1 - prob) + _SMALLEST
        root = np.sqrt(curvature)
        target = curvature * moved + positive - prob
        inner = np.eye(len(start)) + root[:, None] * kernel * root
        step = target - root * np.linalg.solve(inner, root * (kernel @ target)) - dual
        before = now
        for power in range(_HALVINGS):
            now = loss(dual + step / 2**power)
            if now < before:
                dual = dual + step / 2**power
                break
        if before - now < _ENOUGH:
            break
    return dual
