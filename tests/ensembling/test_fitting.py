"""Weights of models: the exact least squares solution, and that of Axon's gradient descent."""

from typing import Any

import numpy as np
import pytest
import torch

from reeltag.core.errors import ConfigError
from reeltag.ensembling.fitting import (
    Gram,
    PairFile,
    SgdConfig,
    StepGrams,
    least_squares_weights,
    sgd_weights,
)

TRUE = np.array([0.6, 0.3, 0.0])
VIDEOS, CLASSES = 400, 5


class Pairs:
    """Probabilities of three models, and labels that weights TRUE know best."""

    def __init__(self, seed: int = 0, noise: float = 0.0) -> None:
        random = np.random.default_rng(seed)
        count = VIDEOS * CLASSES
        self.probs = random.uniform(0, 1, (count, 3)).astype(np.float32)
        self.classes = np.tile(np.arange(CLASSES, dtype=np.int32), VIDEOS)
        self.row = np.repeat(np.arange(VIDEOS), CLASSES)
        self.truth = random.uniform(size=count) < self.probs @ TRUE + noise

    def gram(self, groups: int = 1) -> Gram:
        gram = Gram(3, groups)
        for first in range(0, len(self.row), 777):  # whatever the portions
            part = slice(first, first + 777)
            gram.add(self.probs[part], self.classes[part], self.truth[part])
        return gram

    def error(self, weights: np.ndarray) -> float:
        own = weights if weights.ndim == 1 else weights.T[self.classes]
        return float((((self.probs * own).sum(1) - self.truth) ** 2).mean())


def test_gram_error_equals_the_error_over_pairs() -> None:
    pairs = Pairs()
    common = np.array([0.1, -0.2, 0.9])
    by_class = np.random.default_rng(1).normal(size=(3, CLASSES))
    assert pairs.gram().error(common) == pytest.approx(pairs.error(common))
    for weights in (common, by_class):
        assert pairs.gram(CLASSES).error(weights) == pytest.approx(pairs.error(weights))


def test_least_squares_weights_have_the_lowest_error() -> None:
    pairs = Pairs()
    weights = least_squares_weights(pairs.gram())
    assert weights == pytest.approx(TRUE, abs=0.11)  # three standard errors of 2,000 pairs
    least = pairs.error(weights)
    for model in range(3):
        for step in (-1e-3, 1e-3):
            moved = np.maximum(weights + step * np.eye(3)[model], 0)
            assert pairs.error(moved) >= least
    assert (
        pairs.error(least_squares_weights(pairs.gram(CLASSES))) < least
    )  # more freedom, less error there


def test_least_squares_weights_are_not_negative_with_equal_models() -> None:
    pairs = Pairs(noise=-0.2)
    pairs.probs[:, 2] = pairs.probs[:, 0]
    weights = least_squares_weights(pairs.gram())
    assert (weights >= 0).all() and np.isfinite(weights).all()
    single = Pairs(noise=-0.2)
    single.probs[:, 2] = 0
    assert pairs.error(weights) == pytest.approx(
        single.error(least_squares_weights(single.gram())), rel=1e-6
    )


def test_class_without_a_positive_has_the_common_weights() -> None:
    pairs = Pairs()
    pairs.truth &= pairs.classes != 3
    weights = least_squares_weights(pairs.gram(CLASSES))
    assert weights[:, 3] == pytest.approx(least_squares_weights(pairs.gram()))
    assert abs(weights[:, 2] - weights[:, 3]).max() > 0.01


@pytest.mark.parametrize("groups", [1, CLASSES])
def test_sgd_weights_are_near_the_exact_solution_and_repeatable(groups: int) -> None:
    pairs = Pairs()
    found = []
    config = SgdConfig(epochs=20, batch_size=20, learning_rate=0.01)
    for _ in range(2):
        steps = StepGrams(20) if groups == 1 else PairFile(20)
        half = VIDEOS * CLASSES // 2
        for part in (slice(0, half), slice(half, None)):
            row = pairs.row[part] - pairs.row[part][0]
            steps.add(pairs.probs[part], pairs.classes[part], pairs.truth[part], row)
        found.append(sgd_weights(steps, config, groups, 3, seed=4))
        steps.close()
    assert np.array_equal(found[0], found[1])
    assert found[0].shape == ((3,) if groups == 1 else (3, CLASSES))
    least = pairs.error(least_squares_weights(pairs.gram(groups)))
    assert pairs.error(found[0]) < least + 0.003  # its last steps still jump by 0.01


def test_step_losses_of_grams_and_pairs_differ_by_a_constant() -> None:
    pairs = Pairs()
    columns = pairs.probs, pairs.classes, pairs.truth, pairs.row
    sums, kept = StepGrams(VIDEOS), PairFile(VIDEOS)
    sums.add(*columns)
    kept.add(*columns)
    random = np.random.default_rng(0)
    (of_sums,), (of_pairs,) = list(sums.losses(random)), list(kept.losses(random))
    first, second = torch.tensor([[0.1, 0.5, 0.2]]), torch.tensor([[0.4, 0.0, 0.3]])
    rise = of_sums(first) - of_sums(second)
    every = [each.expand(CLASSES, 3) for each in (first, second)]
    assert float(rise) == pytest.approx(float(of_pairs(every[0]) - of_pairs(every[1])), rel=1e-3)
    kept.close()


@pytest.mark.parametrize("bad", [{"epochs": 0}, {"batch_size": 0}, {"learning_rate": 0.0}])
def test_sgd_options_out_of_range_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"sgd.{next(iter(bad))} is .*; allowed: "):
        SgdConfig(**bad)
