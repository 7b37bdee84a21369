"""What a run folder says of its training: data, recipe, and how far it has come."""

import dataclasses
import shlex
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import nn

import reeltag
from reeltag.core.errors import DataError
from reeltag.core.fields import entry, from_json
from reeltag.data.index import Index
from reeltag.tagger.tagger import Tagger
from reeltag.training.config import Recipe


def describe(tagger: Tagger, index: Index, recipe: Recipe) -> dict[str, Any]:
    """Return what config.json says of a run, as plain JSON values."""
    return {
        "reeltag": reeltag.__version__,
        **tagger.describe(),
        "data": {
            "root": str(index.root.resolve()),
            "splits": dataclasses.asdict(recipe.splits),
            "streams": [name for name, _ in tagger.streams],
            "num_classes": index.num_classes,
        },
        "recipe": dataclasses.asdict(recipe),
    }


def read_recipe(config: Mapping[str, Any], *, where: object = "config.json") -> Recipe:
    """Return the recipe that a run's config.json tells of.

    Args:
        config: as `reeltag.tagger.tagger.read_config` returns it.
        where: file that it was read from, for the error.

    Raises:
        DataError: a field is missing, unknown, of the wrong kind or out of range.
    """
    value = entry(config, "recipe", where=where)
    recipe: Recipe = from_json(Recipe, value, where=where, field="recipe")
    return recipe


def read_data_root(config: Mapping[str, Any], *, where: object = "config.json") -> Path:
    """Return the data folder that a run's config.json tells of; DataError where it does not."""
    root = entry(config, "data.root", where=where)
    return Path(from_json(str, root, where=where, field="data.root"))


def steps_done(checkpoint: Path, module: nn.Module) -> int:
    """Return the optimiser steps that a checkpoint has behind it.

    Raises:
        DataError: it is no checkpoint of a training, is damaged, or does not fit `module`.
    """
    try:
        state = torch.load(checkpoint, map_location="cpu", weights_only=False, mmap=True)
        steps, saved = int(state["global_step"]), state["state_dict"]
    except (OSError, RuntimeError, UnpicklingError, EOFError, KeyError, TypeError) as error:
        raise DataError(
            f"is no checkpoint of a training, or damaged ({(str(error) or '?').splitlines()[0]})",
            where=checkpoint,
            hint="Remove it, and --resume begins the run anew from step 0.",
        ) from error
    for name, value in module.state_dict().items():
        if name not in saved or saved[name].shape != value.shape:
            raise DataError(
                f"does not fit the config.json beside it, first at {name!r}",
                where=checkpoint,
                hint="Put config.json back as it was, or train anew with --config.",
            )
    return steps


def resume_command(run: Path) -> str:
    """Return what is to be typed to go on with a run."""
    return f"reeltag train --resume {shlex.quote(str(run))}"
