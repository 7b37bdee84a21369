"""`reeltag train`: train a model, repeat a run, or go on with one."""

import dataclasses
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from reeltag.core.console import STDERR, STDOUT, print_json
from reeltag.core.errors import ConfigError
from reeltag.core.fields import entry, from_json
from reeltag.data.dataset import Dataset
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.models import Family, ModelConfig, family_of, list_models, model_config
from reeltag.tagger.tagger import read_config, read_model
from reeltag.training.config import Recipe
from reeltag.training.fit import Result, check_start, resume, train
from reeltag.training.recipes import recipe_for, tiny_recipe
from reeltag.training.run_folder import read_recipe

USAGE = """usage: reeltag train MODEL --data DATA --out RUN [options]      train a model
       reeltag train --config RUN/config.json --out RUN2       repeat a run (options may differ)
       reeltag train --resume RUN [--max-steps N]              go on with a run that was stopped

MODEL is a family or one of its variants (`reeltag models`): 
{names}.
`reeltag train MODEL --help` lists every option with its default for that model."""


def model_names() -> str:
    """Return the names of all families and variants, as a list in a sentence."""
    return ", ".join(list_models())


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """Train a model on a folder of TFRecords."""

    data: Path
    """Folder of TFRecords (or one TFRecord)."""
    out: Path
    """Run folder to make."""
    recipe: Annotated[Recipe, tyro.conf.arg(name="")] = field(default_factory=Recipe)
    tiny: bool = False
    """The smallest model and a few steps: to see that everything works."""
    json: bool = False
    """One JSON object on stdout, nothing else there."""


@dataclass(frozen=True, kw_only=True)
class Resume:
    """Go on with a run that was stopped, exactly as if it had not been."""

    resume: Path
    """The run folder."""
    max_steps: int | None = None
    """Train up to this step instead of the one the run was begun with."""
    json: bool = False
    """One JSON object on stdout, nothing else there."""

    def run(self) -> int:
        """Train on, and say what came of it."""
        return _tell(resume(self.resume, max_steps=self.max_steps), self.json)


@dataclass(frozen=True)
class Train:
    """A parsed `reeltag train MODEL ...`."""

    options: Any

    @staticmethod
    def parse(arguments: Sequence[str]) -> "Train | Resume":
        """Read the flags: which there are depends on the model, the --config and --tiny."""
        arguments = _parted(arguments)
        if "--resume" in arguments:
            return tyro.cli(Resume, args=arguments, prog="reeltag train")
        if not arguments or arguments[0] in ("-h", "--help"):
            (STDOUT if arguments else STDERR).print(
                USAGE.format(names=model_names()), highlight=False, markup=False, soft_wrap=True
            )
            sys.exit(0 if arguments else 2)
        if "--config" in arguments:
            return _parse_repeat(arguments)
        name, arguments = arguments[0], arguments[1:]
        if name.startswith("-"):
            raise ConfigError(
                f"the name of a model must come first, got {name}",
                hint=f"There are: {model_names()}. Or --config RUN/config.json, or --resume RUN.",
            )
        model = model_config(name)
        family = family_of(model)
        prog, recipe = f"reeltag train {name}", recipe_for(family)
        return Train(_parse(arguments, prog, family, model, recipe, {}))

    def run(self) -> int:
        """Train, and say what came of it."""
        options = self.options
        check_start(options.out, options.recipe)  # before an index is built
        result = train(
            Dataset.open(options.data),
            options.out,
            options.model,
            options.recipe,
            preprocessing=options.preprocessing,
        )
        return _tell(result, options.json)


def _parted(arguments: Sequence[str]) -> list[str]:
    """Write --config=FILE and --resume=RUN as two words."""
    parted: list[str] = []
    for argument in arguments:
        name, sign, value = argument.partition("=")
        parted += [name, value] if sign and name in ("--config", "--resume") else [argument]
    return parted


def _parse_repeat(arguments: list[str]) -> Train:
    at = arguments.index("--config")
    if at + 1 == len(arguments):
        raise ConfigError("--config needs the config.json of a run")
    path = Path(arguments[at + 1])
    run = path.parent if path.name == "config.json" else path
    config, where = read_config(run), run / "config.json"
    model = read_model(config, where=where)
    rest = arguments[:at] + arguments[at + 2 :]
    prepared = entry(config, "preprocessing", where=where)
    given = {
        "data": Path(entry(config, "data.root", where=where)),
        "preprocessing": from_json(
            PreprocessingConfig, prepared, where=where, field="preprocessing"
        ),
    }
    options = _parse(
        rest,
        "reeltag train --config ...",
        family_of(model),
        model,
        read_recipe(config, where=where),
        given,
    )
    return Train(options)


def _parse(
    arguments: list[str],
    prog: str,
    family: Family,
    model: ModelConfig,
    recipe: Recipe,
    given: dict[str, Any],
) -> Any:  # noqa: ANN401  (its fields depend on the family)
    """Return the options; --tiny changes their defaults.

    Raises:
        ConfigError: a size is given that the data decide.
    """
    names = {argument.partition("=")[0].replace("_", "-") for argument in arguments}
    for flag in sorted(names & {"--model.num-classes", "--model.dims"}):
        raise ConfigError(
            "has no effect: classes and widths of streams are those of the data",
            where=flag,
            hint="Leave it out. --streams takes some of the streams.",
        )
    if "--tiny" in names:
        model, recipe = family.tiny, tiny_recipe(recipe)
    fields: list[Any] = [
        ("model", family.config, field(default=model)),
        ("recipe", Annotated[Recipe, tyro.conf.arg(name="")], field(default=recipe)),
    ]
    given = {"preprocessing": family.preprocessing, **given}
    fields += [(name, type(value), field(default=value)) for name, value in given.items()]
    kind = make_dataclass("Options", fields, bases=(TrainOptions,), frozen=True, kw_only=True)
    description = f"{family.about}\n\nSource: {family.source}"
    return tyro.cli(kind, args=arguments, prog=prog, description=description)


def _tell(result: Result, as_json: bool) -> int:
    if int(os.environ.get("RANK", 0)):  # of several processes, the first one speaks
        return 0
    if as_json:
        print_json({**dataclasses.asdict(result), "run": str(result.run)})
        return 0
    lines = [f"{result.run}: {result.steps} steps in {result.seconds:.0f} s"]
    if result.best is not None:
        lines.append(
            f"best {result.metric} on validation {result.best:.4f}, at step {result.best_step}"
        )
    run = shlex.quote(str(result.run))
    lines.append(f"next: reeltag predict {run} --data ... --out P.parquet")
    STDOUT.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)
    return 0
