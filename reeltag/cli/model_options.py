"""Options of a command that depend on a model: its sizes, its authors' recipe and preprocessing."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import field, make_dataclass
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import tyro

from reeltag.cli.help import FLAGS, FROM_DATA, Help, print_help
from reeltag.core.errors import ConfigError
from reeltag.core.fields import entry, from_json
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.models import Family, ModelConfig, family_of, model_config
from reeltag.tagger.importing import TensorflowArrays, check_trained
from reeltag.tagger.run_files import read_config, read_model
from reeltag.training.config import Recipe
from reeltag.training.recipes import recipe_for, tiny_recipe
from reeltag.training.run_folder import read_recipe, read_splits


def of_model(command: Help, name: str, arguments: Sequence[str]) -> Any:  # noqa: ANN401
    """Return the options of a command for a model; with --help, print it and exit.

    Args:
        command: whose options they are.
        name: of a family or a variant, or an import path.
        arguments: that follow the name.

    Raises:
        ConfigError: there is no such model, or an option cannot be used.
    """
    model = model_config(name)
    return _parsed(command, name, arguments, model, recipe_for(family_of(model)), {})


def of_run(command: Help, path: Path, arguments: Sequence[str]) -> Any:  # noqa: ANN401
    """Return the options of a command whose defaults are those of a run.

    Args:
        command: whose options they are.
        path: the run folder, or config.json in it.
        arguments: all others.

    Raises:
        DataError: config.json cannot be read.
        ConfigError: an option cannot be used.
    """
    run = path.parent if path.name == "config.json" else path
    config, where = read_config(run), run / "config.json"
    check_trained(run, config)
    model = read_model(config, where=where)
    prepared = entry(config, "preprocessing", where=where)
    given = {
        "data": Path(entry(config, "data.root", where=where)),
        "splits": read_splits(config, where=where),
        "preprocessing": from_json(
            PreprocessingConfig, prepared, where=where, field="preprocessing"
        ),
    }
    recipe = read_recipe(config, where=where)
    return _parsed(command, "--config ...", arguments, model, recipe, given)


def of_checkpoint(
    command: Help, name: str, arguments: Sequence[str], checkpoint: TensorflowArrays | None
) -> Any:  # noqa: ANN401
    """Return the options of a command whose model has the sizes that a checkpoint shows.

    Args:
        command: whose options they are.
        name: of a family or a variant, or an import path.
        arguments: that follow the names of family and checkpoint.
        checkpoint: the arrays; None: --help is among the arguments.

    Raises:
        ConfigError: there is no such model, or an option cannot be used.
    """
    model = model_config(name)
    family = family_of(model)
    if checkpoint is not None:
        model = checkpoint.sized(model, defaults_may_differ=True)
    fields: list[Any] = [
        ("model", family.config, field(default=model)),
        ("preprocessing", PreprocessingConfig, field(default=family.preprocessing)),
    ]
    return _parse(command, name, arguments, family, fields)


def _parsed(
    command: Help,
    name: str,
    arguments: Sequence[str],
    model: ModelConfig,
    recipe: Recipe,
    given: Mapping[str, Any],
) -> Any:  # noqa: ANN401  (its fields depend on the family)
    """Return the options of a training; --tiny changes their defaults."""
    family = family_of(model)
    if "tiny" in _names(arguments):
        model, recipe = family.tiny, tiny_recipe(recipe)
    values = {"preprocessing": family.preprocessing, **given}
    hints = get_type_hints(command.options, include_extras=True)
    fields: list[Any] = [
        ("model", family.config, field(default=model)),
        ("recipe", Annotated[Recipe, tyro.conf.arg(name="")], field(default=recipe)),
        *((name, hints.get(name, type(of)), field(default=of)) for name, of in values.items()),
    ]
    return _parse(command, name, arguments, family, fields)


def _parse(
    command: Help, name: str, arguments: Sequence[str], family: Family, fields: Sequence[Any]
) -> Any:  # noqa: ANN401
    """Return the options of a command and some more fields; with --help, print it and exit."""
    names, prog = _names(arguments), f"reeltag {command.name} {name}"
    for size in sorted(names.intersection(FROM_DATA)):
        raise ConfigError(
            f"has no effect: {command.sizes}",
            where=f"--{size.replace('_', '-')}",
            hint=command.instead,
        )
    kind = make_dataclass("Options", fields, bases=(command.options,), frozen=True, kw_only=True)
    if not names.isdisjoint(flag.lstrip("-").replace("-", "_") for flag in FLAGS):
        source = f"\n\nSource: {family.source}" if family.source else ""
        usage = f"usage: {prog} {command.files}[options]\n\n{family.about.strip()}{source}"
        print_help(command, kind, usage, everything="help_all" in names)
        sys.exit(0)
    return tyro.cli(kind, args=arguments, prog=prog)


def _names(arguments: Sequence[str]) -> set[str]:
    """Return the names of the flags, as those of fields."""
    return {argument.partition("=")[0].replace("-", "_").lstrip("_") for argument in arguments}
