"""`reeltag tune`: which sizes of a model are best on these data? An Optuna study."""

import csv
import dataclasses
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro
from rich.table import Table

from reeltag.cli import train
from reeltag.cli.help import FLAGS, Help, print_help
from reeltag.cli.model_options import of_model
from reeltag.cli.train import FAMILIES
from reeltag.core.console import STDERR, STDOUT, print_json, print_table, say
from reeltag.core.errors import ConfigError
from reeltag.core.extras import check_extra
from reeltag.core.files import whole_file
from reeltag.core.formatting import format_duration
from reeltag.data.dataset import Dataset
from reeltag.data.splits import Splits
from reeltag.models import ModelConfig, family_of
from reeltag.training import search_space
from reeltag.training.config import LoggerName, Recipe
from reeltag.training.loggers import check_loggers
from reeltag.training.search_space import Dimension, derived, flags, parsed, places

if TYPE_CHECKING:
    from reeltag.training.tuning import Study, Trial

USAGE = f"""usage: reeltag tune MODEL --data DATA --out STUDY [--trials 30] [options]

MODEL is a family or one of its variants (`reeltag models` lists them). Families: {FAMILIES}.

`reeltag tune MODEL --dry-run` shows what is searched, and how: {search_space.__doc__}
The same command again goes on with the study."""
TRIALS, PICTURE = "trials.csv", "study.svg"
_OWN = ("data", "out", "trials", "space", "prune", "log_to", "search_seed", "dry_run", "json")


@dataclass(frozen=True, kw_only=True)
class TuneOptions:
    """Search for good sizes: many trainings, each chosen by Optuna from what came of the others."""

    data: Path | None = None
    """Folder of TFRecords (or one TFRecord), with shards to validate on."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="STUDY")] = None
    """Folder of the study; with one that is there already, the study goes on. Several processes
    may work on it at once."""
    trials: int = 30
    """Trainings in all, those of earlier calls counted."""
    space: tuple[str, ...] = ()
    """Ranges in place of those searched by default, or more: inner=256:4096:log (log: by scale)
    dropout=0.1:0.5 gate=true,false hidden=[[512,512],[1024,1024]]; stream_blocks=2 keeps a field
    at a value. A flag of `reeltag train` that is given is not searched either."""
    prune: bool = False
    """Stop a training whose validation is worse than the median of the others at that step; give
    --validate-every for it to have something to look at."""
    log_to: tuple[LoggerName, ...] | None = None
    """Where each trial is logged besides its metrics.csv: tensorboard wandb mlflow; W&B has a group
    and MLflow an experiment of the study's name, with a run a trial. None: TensorBoard where it is
    installed."""
    search_seed: int = 0
    """Random seed of the search; --seed is that of each training."""
    splits: Annotated[Splits, tyro.conf.arg(name="")] = field(default_factory=Splits)
    recipe: Annotated[Recipe, tyro.conf.arg(name="")] = field(default_factory=Recipe)
    tiny: bool = False
    """The smallest model and a few steps: to see that everything works."""
    dry_run: bool = False
    """Show what is searched; train nothing."""
    json: bool = False
    """One JSON object on stdout, nothing else there."""


BASIC = frozenset(["trials", "space", "prune", "log_to", "search_seed", "dry_run"])
HELP = Help(name="tune", options=TuneOptions, basic=BASIC | train.HELP.basic)


@dataclass(frozen=True, kw_only=True)
class Tune:
    """A parsed `reeltag tune MODEL ...`."""

    name: str
    options: Any
    given: tuple[str, ...]

    @staticmethod
    def parse(arguments: Sequence[str]) -> "Tune":
        """Read the flags: which there are depends on the model and --tiny."""
        if not arguments:
            STDERR.print(USAGE, highlight=False, markup=False, soft_wrap=True)
            sys.exit(2)
        if arguments[0] in FLAGS:
            print_help(HELP, TuneOptions, USAGE, everything="--help-all" in arguments)
            sys.exit(0)
        name, rest = arguments[0], list(arguments[1:])
        if name.startswith("-"):
            raise ConfigError(
                f"the name of a model must come first, got {name}", hint=f"Families: {FAMILIES}."
            )
        options = of_model(HELP, name, rest)
        words = (word.partition("=")[0] for word in rest if word.startswith("--"))
        given = tuple(word.removeprefix("--").replace("-", "_") for word in words)
        return Tune(name=name, options=options, given=given)

    def run(self) -> int:
        """Search, and say what is best."""
        options = self.options
        if options.trials < 1:
            raise ConfigError(f"must be >= 1, got {options.trials}", where="--trials")
        space = self._space()
        if options.dry_run:
            self._show(space)
            return 0
        if options.data is None or options.out is None:
            raise ConfigError("give the data with --data DATA and the study with --out STUDY")
        check_extra("tune")
        check_extra("plots")
        from reeltag.training.tuning import Search, Study

        search = Search(
            data=Dataset.open(options.data, splits=options.splits, quiet=True),
            model=options.model,
            recipe=options.recipe,
            preprocessing=options.preprocessing,
            space=space,
            prune=options.prune,
            seed=options.search_seed,
        )
        check_loggers(options.log_to, options.out)
        study = Study(search, options.out, loggers=options.log_to)

        def on_trial(trial: "Trial") -> None:
            say(_line(trial, options.trials))
            _write(study)

        try:
            study.run(options.trials, on_trial)
        except KeyboardInterrupt:
            say("stopped; the same command goes on with this training and the study")
            raise
        _write(study)
        return self._print_result(study)

    def _space(self) -> dict[str, Dimension]:
        """Return what is searched: the default, without what was given, with what was said."""
        options = self.options
        space = derived(options.model, options.recipe)
        space = {name: of for name, of in space.items() if name not in self.given}
        return space | dict(parsed(text, options.model) for text in options.space)

    def _show(self, space: dict[str, Dimension]) -> None:
        if self.options.json:
            print_json({"space": {name: str(of) for name, of in space.items()}})
            return
        table = Table(box=None, pad_edge=False)
        for column in ("field", "searched in", "as it is"):
            table.add_column(column)
        for name, of in space.items():
            now = search_space.present(self.options.model, self.options.recipe, name)
            table.add_row(f"--{name.replace('_', '-')}", str(of), str(now))
        print_table(table)

    def _print_result(self, study: "Study") -> int:
        """Say what came of it; 1 where no training came to an end."""
        trials, best, importance = study.trials(), study.best(), study.importance()
        failed = [of for of in trials if of.state == "failed"]
        command = self._command(best, study) if best else ""
        if self.options.json:
            listed = [dataclasses.asdict(of) | {"run": str(of.run)} for of in trials]
            print_json(
                {
                    "study": str(study.folder),
                    "metric": study.search.recipe.metric,
                    "best": None if best is None else best.number,
                    "value": None if best is None else best.value,
                    "values": {} if best is None else best.values,
                    "command": command,
                    "importance": importance,
                    "picture": str(study.folder / PICTURE),
                    "trials": listed,
                }
            )
            return 0 if best else 1
        counts = {s: [of.state for of in trials].count(s) for s in dict.fromkeys(_states(trials))}
        words = ", ".join(f"{count} {state}" for state, count in counts.items())
        lines = [f"{study.folder}: {len(trials)} trials ({words}); {study.folder / PICTURE}"]
        lines += [f"trial {of.number} failed: {of.words}" for of in failed]
        if best:
            first = trials[0]
            lines.append(f"best: trial {best.number}, {_value(best)}")
            if first.state == "complete" and best.number:
                lines[-1] += f" (trial 0, the family as it is: {_value(first)})"
            shares = [f"{name} {share:.0%}" for name, share in list(importance.items())[:4]]
            lines += [f"what mattered: {', '.join(shares)}"] if shares else []
            lines += ["", command]
        else:
            lines.append("No training came to an end.")
        STDOUT.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)
        return 0 if best else 1

    def _command(self, best: "Trial", study: "Study") -> str:
        """Return what trains the best again: what was given, and what was found."""
        options = self.options
        words = ["reeltag", "train", self.name, "--data", str(options.data), "--out", "RUN"]
        words += ["--tiny"] if options.tiny else []
        known, now = places(options.model), _given_values(options.model, options.recipe, self.given)
        found = {**now, **{name: of for name, of in best.values.items() if name in known}}
        words += flags(options.model, found)
        for name in self.given:
            if name.startswith("preprocessing."):
                value = getattr(options.preprocessing, name.partition(".")[2])
                words += [f"--{name.replace('_', '-')}", str(value)]
        return shlex.join(words)


def _given_values(
    model: ModelConfig, recipe: Recipe, given: Sequence[str]
) -> dict[str, search_space.Value]:
    """Return the fields that were given as flags (--no-x means x)."""
    known = places(model)
    names = [name.replace(".no_", ".").removeprefix("no_") for name in given]
    chosen = [name if name in known else bare for name, bare in zip(given, names, strict=True)]
    return {
        name: search_space.present(model, recipe, name)
        for name in chosen
        if name in known and name not in _OWN
    }


def _write(study: "Study") -> None:
    """Bring the picture and the table up to date."""
    from reeltag.figures.study import Dot, draw_study

    trials = study.trials()
    metric = study.search.recipe.metric.upper().replace("GAP", "GAP@20").replace("MAP", "mAP")
    dots = [Dot(number=of.number, value=of.value, state=of.state) for of in trials]
    title = f"{family_of(study.search.model).name}: {len(trials)} trials"
    picture = study.folder / PICTURE
    if dots:
        draw_study(dots, study.importance(), picture, metric=metric, title=title)
    names = list(study.search.space)
    with (
        whole_file(study.folder / TRIALS) as part,
        part.open("w", encoding="utf-8", newline="") as file,
    ):
        table = csv.writer(file)
        table.writerow(["trial", "state", "value", "seconds", *names, "words"])
        for of in trials:
            values = [of.values.get(name, "") for name in names]
            table.writerow([of.number, of.state, of.value, f"{of.seconds:.1f}", *values, of.words])


def _line(trial: "Trial", trials: int) -> str:
    values = ", ".join(f"{name} {_short(of)}" for name, of in trial.values.items())
    end = f"failed: {trial.words}" if trial.state == "failed" else f"{trial.state}, {_value(trial)}"
    return f"[{trial.number + 1}/{trials}] {end} in {format_duration(trial.seconds)} ({values})"


def _states(trials: "Sequence[Trial]") -> list[str]:
    return [of.state for of in trials]


def _value(trial: "Trial") -> str:
    return "?" if trial.value is None else f"{trial.value:.4f}"


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
