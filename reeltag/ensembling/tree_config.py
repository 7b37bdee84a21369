"""How the trees over the predictions of several models are grown."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge, Gt, Le

from reeltag.core.bounds import CheckedFields, Part
from reeltag.core.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class TreeConfig(CheckedFields):
    """Gradient-boosted trees, one booster for each fold; the defaults are Samsung's.

    Source: lgbm_train.py of the authors' release (Samsung 2018). `SMALL` is for data on which a
    learning rate of 0.01 takes longer than it is worth.
    """

    prefix: ClassVar[str] = "trees"

    candidates: Annotated[int, Ge(1), Le(100_000)] = 30
    """Each model's best classes of a video that become rows (slides: 30; the released code: 20)."""
    num_trees: Annotated[int, Ge(1), Le(1_000_000)] = 3000
    """Largest number of trees of a booster."""
    learning_rate: Part = 0.01
    """Weight of each tree in the sum."""
    num_leaves: Annotated[int, Ge(2), Le(131_072)] = 31
    """Largest number of leaves of a tree."""
    min_in_leaf: Annotated[int, Ge(1), Le(1_000_000_000)] = 20
    """Smallest number of rows of a leaf."""
    max_bin: Annotated[int, Ge(2), Le(65_535)] = 255
    """Bins of each column: label ids as numbers share a bin with neighbours where there are more.
    Above 255 the columns take two bytes a row instead of one."""
    label_id: Literal["number", "category"] = "number"
    """Type of the label id: a number with an order, as the authors have it (the ids of
    YouTube-8M fall with frequency), or a set of categories."""
    folds: Annotated[int, Ge(1), Le(100)] = 5
    """Boosters: each is fitted on all folds but its own. 1 = a single one, fitted on all videos,
    without out-of-fold predictions."""
    stopping: Literal["held-out", "apart"] = "held-out"
    """Rows that decide when to stop: those of the booster's own fold, as the authors have it, so
    that the number of trees of an out-of-fold prediction is chosen with the labels that it predicts
    (a slight leak); or some videos of the other folds, which are then not fitted on."""
    apart: Annotated[float, Gt(0), Le(0.5)] = 0.1
    """Fraction of the videos that is set apart where stopping = apart."""
    patience: Annotated[int, Ge(1), Le(1_000_000)] = 30
    """Trees without a lower loss of the stopping rows after which no more are grown."""
    seed: int = 0
    """Random seed of the folds, of the videos set apart, and of the trees."""
    threads: Annotated[int, Ge(0), Le(4096)] = 0
    """Number of threads; 0 = one per core. The trees do not depend on it."""

    def check(self) -> None:
        """Raise ConfigError where no fold is left to decide when to stop."""
        if self.folds == 1 and self.stopping == "held-out":
            raise ConfigError(
                "trees.stopping = held-out needs trees.folds of 2 or more, got 1",
                hint="Set stopping = apart: some videos are then set apart to decide when to stop.",
            )


PUBLISHED = TreeConfig()
SMALL = TreeConfig(num_trees=500, learning_rate=0.05, num_leaves=15)
