"""How a model's authors train it, as a recipe."""

import dataclasses

from reeltag.data.sampling import FrameChoice
from reeltag.models import Family, find_family
from reeltag.training.config import MemberLoss, Optimisation, Recipe


def recipe_for(family: Family | str) -> Recipe:
    """Return the recipe of a family's authors: their numbers, and our defaults for the rest.

    Args:
        family: a family, or the name of one.

    Raises:
        ConfigError: there is no such family.

    >>> recipe_for("nextvlad").batch_size
    160
    """
    family = find_family(family) if isinstance(family, str) else family
    values = dict(family.recipe)
    optim = Optimisation(**values.pop("optim", {}))
    frames = FrameChoice(**values.pop("frames", {}))
    members = MemberLoss(**values.pop("members", {}))
    return Recipe(optim=optim, frames=frames, members=members, **values)


def tiny_recipe(recipe: Recipe) -> Recipe:
    """Return the recipe cut to a few steps of small batches."""
    optim = dataclasses.replace(recipe.optim, learning_rate=1e-2)
    return dataclasses.replace(recipe, batch_size=16, max_steps=30, validate_every=15, optim=optim)
