"""Where a run is, and the files that describe it: config.json and classes.csv."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reeltag.core.errors import ConfigError, DataError
from reeltag.core.fields import entry, from_json, parse_json
from reeltag.core.files import PathLike
from reeltag.models import ModelConfig, find_family


def find_run(path: PathLike) -> Path:
    """Return the run that a path names: itself, or that of a program whose WORK it is.

    `reeltag solve` names the run it was for in WORK/NAME.json, relative to WORK.

    Args:
        path: of a run folder, a graph, or the WORK of `reeltag solve`.

    Returns:
        The path as it is unless it is a WORK; whether a run is there is for its reader to check.

    Raises:
        ConfigError: a WORK with runs, whose results name none of them, or several.
    """
    work = Path(path)
    if not work.is_dir() or (work / "config.json").exists():
        return work
    found = [work / name for name in map(_run_named_in, sorted(work.glob("*.json"))) if name]
    if len(found) == 1:
        return found[0]
    runs = found or [config.parent for config in work.glob("*/run/config.json")]
    if not runs:
        return work
    last = max(runs, key=lambda run: run.stat().st_mtime if run.exists() else 0.0)
    raise ConfigError(
        f"is the WORK of `reeltag solve`, with {len(runs):,} run{'s' if len(runs) > 1 else ''}",
        where=work,
        hint=f"Give one of them; the last that was made is {last}.",
    )


def _run_named_in(result: Path) -> str:
    """Return the run that the result of a program names; "" where the file is none, or has none."""
    try:
        content = parse_json(result.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    is_result = isinstance(content, dict) and "program" in content
    return str(content.get("run") or "") if is_result else ""


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
