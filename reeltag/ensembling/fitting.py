"""Weights of the models of an ensemble, by least squares on the labels.

The error is the mean of (w_1 p_1 + ... + w_M p_M - y)^2. Pairs that no model lists have the sum 0
whatever the weights, and are left out. What the sum of squares depends on is the Gram matrix of the
models' probabilities, so that videos are read once and the exact solution needs none of them again.

Axon 2018 (sec. 3.3) descends the gradient: Adam, first weights from N(1/M, 0.05), fewer than 10
epochs, any sign. The exact solution has weights >= 0 (Lawson and Hanson, Solving Least Squares
Problems, 1974, chapter 23).

Letters in shapes: P pairs, M models, C classes, G groups (1, or C).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import nnls

from reeltag.core.bounds import CheckedFields, Part, Positive
from reeltag.core.files import scratch_file, writing_scratch
from reeltag.core.seeding import derive_seed

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class SgdConfig(CheckedFields):
    """How weights are learned by gradient descent; see `sgd_weights`."""

    prefix: ClassVar[str] = "sgd"

    epochs: Positive = 9
    """Passes over the videos (Axon: fewer than 10)."""
    batch_size: Positive = 256
    """Videos per step (not published)."""
    learning_rate: Part = 1e-3
    """Learning rate of Adam (not published)."""


class Gram:
    """Sums over pairs, by which the error of any weights is known; 8 G M (M + 1) bytes.

    Args:
        num_models: M.
        num_groups: 1 for common weights; C where each class has its own.

    Attributes:
        products: (G, M, M) sums of p p^T.
        hits: (G, M) sums of p y.
        positives: (G,) sums of y.
        pairs: P of all groups.
    """

    def __init__(self, num_models: int, num_groups: int = 1) -> None:
        self.products = np.zeros((num_groups, num_models, num_models))
        self.hits = np.zeros((num_groups, num_models))
        self.positives = np.zeros(num_groups)
        self.pairs = 0

    def add(
        self,
        probs_PM: NDArray[np.float32],
        classes: NDArray[np.int32],
        is_positive: NDArray[np.bool_],
    ) -> None:
        """Add pairs: probabilities (P, M), classes (P,), labels (P,)."""
        self.pairs += len(classes)
        if len(self.hits) == 1:
            self._add(0, probs_PM, is_positive)
            return
        order = np.argsort(classes, kind="stable")
        classes, probs_PM, truth = classes[order], probs_PM[order], is_positive[order]
        first = np.flatnonzero(np.diff(classes, prepend=-1, append=-1))
        for begin, end in pairwise(first):
            self._add(int(classes[begin]), probs_PM[begin:end], truth[begin:end])

    def _add(
        self,
        group: int,
        probs_PM: NDArray[np.float32],
        is_positive: NDArray[np.bool_],
    ) -> None:
        exact = probs_PM.astype(np.float64)
        self.products[group] += exact.T @ exact
        self.hits[group] += exact[is_positive].sum(0)
        self.positives[group] += is_positive.sum()

    def total(self) -> "Gram":
        """Return the sums over all groups, as one."""
        summed = Gram(self.hits.shape[1])
        summed.products[0], summed.hits[0] = self.products.sum(0), self.hits.sum(0)
        summed.positives[0], summed.pairs = self.positives.sum(), self.pairs
        return summed

    def error(self, weights: Floats) -> float:
        """Return the mean of (w p - y)^2 over the pairs, of weights (M,) or (M, C)."""
        by_group = np.broadcast_to(weights.T, self.hits.shape)
        squares = np.einsum("gm,gmn,gn->", by_group, self.products, by_group)
        left = squares - 2 * (by_group * self.hits).sum() + self.positives.sum()
        return float(max(left, 0) / max(self.pairs, 1))


def least_squares_weights(gram: Gram) -> Floats:
    """Return the weights >= 0 with the least error: (M,) of one group, (M, C) of C.

    A class without a positive pair has the weights of all classes together, as its own would all be
    0.
    """
    if len(gram.hits) == 1:
        return _least(gram.products[0], gram.hits[0])
    common = least_squares_weights(gram.total())
    weights = np.repeat(common[:, None], len(gram.hits), axis=1)
    for group in np.flatnonzero(gram.positives):
        weights[:, group] = _least(gram.products[group], gram.hits[group])
    return weights


def _least(products: Floats, hits: Floats) -> Floats:
    """Return argmin over w >= 0 of w^T products w - 2 w^T hits, by way of a square root.

    Directions that the models differ in only by rounding are left out.
    """
    values, vectors = np.linalg.eigh(products)
    kept = values > values.max() * 1e-12
    if not kept.any():
        return np.zeros(len(hits))
    root = np.sqrt(values[kept])
    weights: Floats = nnls(root[:, None] * vectors[:, kept].T, vectors[:, kept].T @ hits / root)[0]
    return weights


Loss: TypeAlias = Callable[[torch.Tensor], torch.Tensor]


class StepGrams:
    """The Gram matrices of each step's videos, which is all that common weights need.

    4 M (M + 1) bytes of memory per step.

    Args:
        batch_size: videos per step.
    """

    def __init__(self, batch_size: int) -> None:
        self._size = batch_size
        self._steps: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = []

    def add(
        self,
        probs_PM: NDArray[np.float32],
        classes: NDArray[np.int32],
        is_positive: NDArray[np.bool_],
        row: NDArray[np.int64],
    ) -> None:
        """Append the sums over pairs of some videos; `row` (P,) rises from 0."""
        for begin, end in pairwise(_step_indptr(row, self._size)):
            mine = probs_PM[begin:end]
            self._steps.append((mine.T @ mine, mine[is_positive[begin:end]].sum(0)))

    def losses(self, random: np.random.Generator) -> Iterator[Loss]:
        """Yield the loss of each step without its constant, in random order."""
        for at in random.permutation(len(self._steps)):
            products, hits = map(torch.from_numpy, self._steps[at])

            def loss(
                weights_GM: torch.Tensor,
                products: torch.Tensor = products,
                hits: torch.Tensor = hits,
            ) -> torch.Tensor:
                weights = weights_GM[0]
                return (weights @ products @ weights - 2 * hits @ weights) / self._size

            yield loss

    def close(self) -> None:
        """Free the memory."""
        self._steps = []


class PairFile:
    """Pairs on disk, read again for each epoch: 4 M + 5 bytes per pair, in $TMPDIR.

    Args:
        batch_size: videos per step.
    """

    def __init__(self, batch_size: int) -> None:
        self._size = batch_size
        self._file = scratch_file()
        self._models = 0
        self._places: list[tuple[int, int]] = []
        self._indptrs: list[NDArray[np.int64]] = []

    def add(
        self,
        probs_PM: NDArray[np.float32],
        classes: NDArray[np.int32],
        is_positive: NDArray[np.bool_],
        row: NDArray[np.int64],
    ) -> None:
        """Append pairs of some videos; `row` (P,) rises from 0 to the last of these videos."""
        self._indptrs.append(_step_indptr(row, self._size))
        self._places.append((self._file.tell(), len(classes)))
        self._models = probs_PM.shape[1]
        with writing_scratch():
            for column in (probs_PM, classes, is_positive):
                self._file.write(column.tobytes())

    def losses(self, random: np.random.Generator) -> Iterator[Loss]:
        """Yield the loss of each step.

        Portions come in random order, and so do the steps within one; a step has the same videos in
        every epoch.
        """
        for at in random.permutation(len(self._places)):
            (place, count), indptr = self._places[at], self._indptrs[at]
            self._file.seek(place)
            probs_PM = self._read(np.float32, count * self._models).view(count, -1)
            classes, truth = self._read(np.int32, count), self._read(np.bool_, count).float()
            for step in random.permutation(len(indptr) - 1):
                mine = slice(int(indptr[step]), int(indptr[step + 1]))

                def loss(
                    weights_GM: torch.Tensor,
                    probs_PM: torch.Tensor = probs_PM[mine],
                    classes: torch.Tensor = classes[mine],
                    truth: torch.Tensor = truth[mine],
                ) -> torch.Tensor:
                    found = (probs_PM * weights_GM[classes]).sum(1)
                    return (found - truth).square().sum() / self._size

                yield loss

    def _read(self, kind: type, count: int) -> torch.Tensor:
        read = bytearray(self._file.read(count * np.dtype(kind).itemsize))
        return torch.from_numpy(np.frombuffer(read, kind))

    def close(self) -> None:
        """Remove the file."""
        self._file.close()


def _step_indptr(row: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Return where the pairs of each `size` videos begin, and where the last ones end."""
    last = int(row[-1]) + 1 if len(row) else 0
    return np.searchsorted(row, np.arange(0, last + size, size)).astype(np.int64)


def sgd_weights(
    steps: StepGrams | PairFile, config: SgdConfig, groups: int, num_models: int, seed: int
) -> Floats:
    """Return the weights that Adam finds, (M,) of one group, (M, C) of C.

    The loss is the squared error, summed over the classes, mean over the videos of a step.

    Args:
        steps: the pairs to learn from; `StepGrams` can only be of one group.
        config: epochs and learning rate.
        groups: 1, or C.
        num_models: M.
        seed: random seed of the first weights and of the order.
    """
    random = np.random.default_rng(derive_seed(seed, "ensemble"))
    start = random.normal(1 / num_models, 0.05, (groups, num_models))
    weights_GM = torch.tensor(start, dtype=torch.float32, requires_grad=True)
    adam = torch.optim.Adam([weights_GM], lr=config.learning_rate)
    for _ in range(config.epochs):
        for loss in steps.losses(random):
            adam.zero_grad()
            loss(weights_GM).backward()
            adam.step()
    found = weights_GM.detach().numpy().astype(np.float64)
    return found[0] if groups == 1 else found.T
