"""How the trees over the predictions of several models are grown."""

from dataclasses import dataclass
from typing import Literal

from reeltag.core.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class TreeConfig:
    """Gradient-boosted trees, one booster for each fold; the defaults are Samsung's.

    Source: lgbm_train.py of the authors' release (Samsung 2018). `SMALL` is for data on which a
    learning rate of 0.01 takes longer than it is worth.
    """

    candidates: int = 30
    """Each model's best classes of a video that become rows (slides: 30; the released code: 20)."""
    num_trees: int = 3000
    """Largest number of trees of a booster."""
    learning_rate: float = 0.01
    """Weight of each tree in the sum."""
    num_leaves: int = 31
    """Largest number of leaves of a tree."""
    min_in_leaf: int = 20
    """Smallest number of rows of a leaf."""
    max_bin: int = 255
    """Bins of each column: label ids as numbers share a bin with neighbours where there are more.
    Above 255 the columns take two bytes a row instead of one."""
    label_id: Literal["number", "category"] = "number"
    """Type of the label id: a number with an order, as the authors have it (the ids of
    YouTube-8M fall with frequency), or a set of categories."""
    folds: int = 5
    """Boosters: each is fitted on all folds but its own. 1 = a single one, fitted on all videos,
    without out-of-fold predictions."""
    stopping: Literal["held-out", "apart"] = "held-out"
    """Rows that decide when to stop: those of the booster's own fold, as the authors have it, so
    that the number of trees of an out-of-fold prediction is chosen with the labels that it predicts
    (a slight leak); or some videos of the other folds, which are then not fitted on."""
    apart: float = 0.1
    """Fraction of the videos that is set apart where stopping = apart."""
    patience: int = 30
    """Trees without a lower loss of the stopping rows after which no more are grown."""
    seed: int = 0
    """Random seed of the folds, of the videos set apart, and of the trees."""
    threads: int = 0
    """Number of threads; 0 = one per core. The trees do not depend on it."""

    def __post_init__(self) -> None:
        """Raise ConfigError where a field is out of range."""
        for name, low, high in (
            ("candidates", 1, 100_000),
            ("num_trees", 1, 1_000_000),
            ("num_leaves", 2, 131_072),
            ("min_in_leaf", 1, 1_000_000_000),
            ("max_bin", 2, 65_535),
            ("folds", 1, 100),
            ("patience", 1, 1_000_000),
            ("threads", 0, 4096),
        ):
            if not low <= getattr(self, name) <= high:
                raise ConfigError(
                    f"trees.{name} must be in [{low}, {high}], got {getattr(self, name)}"
                )
        if not 0 < self.learning_rate <= 1:
            raise ConfigError(f"trees.learning_rate must be in (0, 1], got {self.learning_rate}")
        if not 0 < self.apart <= 0.5:
            raise ConfigError(f"trees.apart must be in (0, 0.5], got {self.apart}")
        if self.folds == 1 and self.stopping == "held-out":
            raise ConfigError(
                "trees.stopping = held-out needs trees.folds of 2 or more, got 1",
                hint="Set stopping = apart: some videos are then set apart to decide when to stop.",
            )


PUBLISHED = TreeConfig()
SMALL = TreeConfig(num_trees=500, learning_rate=0.05, num_leaves=15)
