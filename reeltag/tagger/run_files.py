"""The files of a run folder that describe it: config.json and classes.csv."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reeltag.core.errors import ConfigError, DataError
from reeltag.core.fields import entry, from_json, parse_json
from reeltag.core.files import PathLike
from reeltag.models import ModelConfig, find_family


def read_config(run: PathLike) -> dict[str, Any]:
    """Return a run's `config.json`; DataError where there is none."""
    run = Path(run)
    path = run / "config.json"
    try:
        config = parse_json(path.read_text(encoding="utf-8"))
        if not isinstance(config, dict):
            raise ValueError(f"it must hold an object, got {type(config).__name__}")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise DataError(
            f"is not a run folder: config.json cannot be read ({reason})",
            where=run,
            hint="A run folder is what `reeltag train ... --out RUN` makes.",
        ) from error
    return config


def read_model(config: Mapping[str, Any], *, where: object) -> ModelConfig:
    """Return the sizes of the model in a run's config.json, which name its family.

    Args:
        config: of config.json.
        where: the file, for the error.

    Raises:
        DataError: a field is missing, unknown or of the wrong kind, or there is no such family.
    """
    name = from_json(str, entry(config, "family", where=where), where=where, field="family")
    try:
        kind = find_family(name).config
    except ConfigError as error:
        raise DataError(error.what, where=where, hint=error.hint) from error
    sizes: ModelConfig = from_json(
        kind, entry(config, "model", where=where), where=where, field="model"
    )
    return sizes


def read_class_names(run: PathLike) -> list[str]:
    """Return the names in a run's `classes.csv`; DataError where it cannot be read."""
    run = Path(run)
    path = run / "classes.csv"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [row["name"] for row in csv.DictReader(file)]
    except (OSError, ValueError, KeyError, csv.Error) as error:
        reason = f"no column {error}" if isinstance(error, KeyError) else error
        raise DataError(
            f"cannot be read as index,name ({reason})",
            where=path,
            hint="Take it from a run that was trained on the same data.",
        ) from error
