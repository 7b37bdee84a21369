"""`reeltag train`: train a model, repeat a run, or go on with one."""

import dataclasses
import os
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from reeltag.cli.help import FLAGS, Help, print_help
from reeltag.cli.next_command import print_next_predict
from reeltag.core.console import STDERR, STDOUT, print_json
from reeltag.core.discovery import module_names
from reeltag.core.errors import ConfigError
from reeltag.data.splits import Splits
from reeltag.training.config import LoggerName, Recipe

if TYPE_CHECKING:
    from reeltag.data.dataset import Dataset
    from reeltag.training.fit import Result

# help needs neither torch nor the readers of data
MODEL_OPTIONS, FIT = "reeltag.cli.model_options", "reeltag.training.fit"
DATASET = "reeltag.data.dataset"
RUN_FOLDER, RUN_FILES = "reeltag.training.run_folder", "reeltag.tagger.run_files"
FAMILIES = ", ".join(module_names("reeltag.models"))
USAGE = f"""usage: reeltag train MODEL --data DATA --out RUN [options]      train a model
       reeltag train --config RUN/config.json --out RUN2       repeat a run (options may differ)
       reeltag train --resume RUN [--max-steps N]              go on with a run that was stopped

MODEL is a family, one of its variants (`reeltag models` lists them), or the import path of an own
Config, package.module:Config. Families:
{textwrap.fill(FAMILIES, 100)}.

`reeltag train MODEL --help` shows the sizes of a model, and its authors' recipe as the defaults."""


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """Train a model on a folder of TFRecords."""

    data: Path
    """Folder of TFRecords (or one TFRecord)."""
    out: Path
    """Run folder to make."""
    splits: Annotated[Splits, tyro.conf.arg(name="")] = field(default_factory=Splits)
    recipe: Annotated[Recipe, tyro.conf.arg(name="")] = field(default_factory=Recipe)
    log_to: tuple[LoggerName, ...] | None = None
    """Where it is logged besides metrics.csv: tensorboard wandb mlflow; nowhere where none follows.
    None: TensorBoard where it is installed. W&B stays offline and MLflow's store is in RUN, unless
    WANDB_MODE or MLFLOW_TRACKING_URI says otherwise."""
    tiny: bool = False
    """The smallest model and a few steps: to see that everything works."""
    json: bool = False
    """One JSON object on stdout, nothing else there."""


BASIC = """data out train validate items streams init loss.name augment.mixup soft.file batch_size
epochs max_steps learning_rate schedule weight_decay ema validate_every metric patience precision
accelerator seed log_to tiny json"""
HELP = Help(name="train", options=TrainOptions, basic=frozenset(BASIC.split()))


@dataclass(frozen=True, kw_only=True)
class Resume:
    """Go on with a run that was stopped, exactly as if it had not been."""

    resume: Path
    """The run folder."""
    data: Path | None = None
    """Where the data are now, if they were moved; they must be the same."""
    log_to: tuple[LoggerName, ...] | None = None
    """Where it is logged besides metrics.csv; None: where the run has logged to so far."""
    max_steps: int | None = None
    """Train up to this step instead of the one the run was begun with."""
    json: bool = False
    """One JSON object on stdout, nothing else there."""

    def run(self) -> int:
        """Train on, and say what came of it."""
        result = import_module(FIT).resume(
            self.resume, data=self.data, max_steps=self.max_steps, loggers=self.log_to
        )
        folder, config = (
            import_module(RUN_FOLDER),
            import_module(RUN_FILES).read_config(self.resume),
        )
        data = folder.open_data(self.resume, config, self.data, quiet=True)
        return _print_result(result, data, self.json)


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
        if not arguments:
            STDERR.print(USAGE, highlight=False, markup=False, soft_wrap=True)
            sys.exit(2)
        if arguments[0] in FLAGS:
            print_help(HELP, TrainOptions, USAGE, everything="--help-all" in arguments)
            sys.exit(0)
        model_options = import_module(MODEL_OPTIONS)
        if "--config" in arguments:
            at = arguments.index("--config")
            if at + 1 == len(arguments):
                raise ConfigError("--config needs the config.json of a run")
            others = arguments[:at] + arguments[at + 2 :]
            return Train(model_options.of_run(HELP, Path(arguments[at + 1]), others))
        if arguments[0].startswith("-"):
            raise ConfigError(
                f"the name of a model must come first, got {arguments[0]}",
                hint=f"Families: {FAMILIES}. Or --config RUN/config.json, or --resume RUN.",
            )
        return Train(model_options.of_model(HELP, arguments[0], arguments[1:]))

    def run(self) -> int:
        """Train, and say what came of it."""
        options, fit = self.options, import_module(FIT)
        fit.check_start(options.out, options.recipe, options.log_to)  # before an index is built
        data = import_module(DATASET).Dataset.open(options.data, splits=options.splits)
        result = fit.train(
            data,
            options.out,
            options.model,
            options.recipe,
            preprocessing=options.preprocessing,
            loggers=options.log_to,
        )
        return _print_result(result, data, options.json)


def _parted(arguments: Sequence[str]) -> list[str]:
    """Write --config=FILE and --resume=RUN as two words."""
    parted: list[str] = []
    for argument in arguments:
        name, sign, value = argument.partition("=")
        parted += [name, value] if sign and name in ("--config", "--resume") else [argument]
    return parted


def _print_result(result: "Result", data: "Dataset | None", as_json: bool) -> int:
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
    STDOUT.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)
    print_next_predict(result.run, data)
    return 0
