"""How a step trains, and on which part of a data folder."""

from dataclasses import dataclass, fields
from typing import ClassVar

from reeltag.data.splits import PUBLISHED_SPLITS, Splits
from reeltag.training.config import Recipe


@dataclass(frozen=True, kw_only=True)
class SplitRecipe(Recipe):
    """A recipe, and the rule that divides the data set for it.

    Elsewhere the rule is the `Dataset`'s alone. A program divides one data set in several ways (the
    videos of `train`, the rated segments of `validate`), and its steps are given the data set as it
    is on disk: what a step trains on must be in its config, from which its folder has its name.

    Attributes:
        splits: the rule that gives a shard its split.
    """

    KEY_NAME: ClassVar[str] = "Recipe"  # folders of steps have their names from this

    splits: Splits = PUBLISHED_SPLITS

    def without_splits(self) -> Recipe:
        """Return the recipe for a data set that is divided by the rule."""
        return Recipe(**{field.name: getattr(self, field.name) for field in fields(Recipe)})
