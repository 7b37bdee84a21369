"""A study: many trainings of one family, whose sizes Optuna chooses from what came of the others.

STUDY/study.json          what is searched, on which data, from which recipe
STUDY/journal.log         Optuna's journal: what each trial was given, and what came of it
STUDY/trial-0007/         a run folder, as of `reeltag train`; trial 0 is the family as it is

Each trial draws from a seed of its own: a study that was stopped and gone on with is the same as
one that was not. Several processes may work on one study, for example one on each GPU.
"""

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from reeltag.core.console import say
from reeltag.core.errors import ConfigError, DataError, OutputError, ReeltagError, TrainingError
from reeltag.core.extras import check_extra
from reeltag.core.files import write_json
from reeltag.core.locks import try_lock
from reeltag.core.seeding import derive_seed
from reeltag.core.writing import make_folder
from reeltag.data.dataset import Dataset
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.models import ModelConfig, family_of
from reeltag.pipeline.failures import format_error
from reeltag.pipeline.keys import canonical
from reeltag.training import fit
from reeltag.training.batches import check_validation
from reeltag.training.callbacks import Validation
from reeltag.training.config import LoggerName, Recipe
from reeltag.training.loggers import StudyLoggers
from reeltag.training.search_space import Choice, Range, Space, Value, applied, present

with check_extra("tune"):
    import optuna
    from optuna.distributions import BaseDistribution
    from optuna.importance import get_param_importances
    from optuna.storages import JournalStorage
    from optuna.trial import FrozenTrial, TrialState

    from reeltag.training.tuning_journal import Journal

JOURNAL, ABOUT = "journal.log", "study.json"
MOST_FAILURES = 3  # trials that failed before any came to an end
RANDOM = 10  # first trials, drawn at random


@dataclass(frozen=True, kw_only=True)
class Search:
    """What a study is about.

    Attributes:
        data: that each trial is trained on.
        model: sizes where they are not searched, which name the family.
        recipe: the training where it is not searched.
        preprocessing: what happens to the stored frames first.
        space: what is searched, by flag.
        prune: stop a training that after some validation is worse than the median of the others.
        seed: of the draws.
    """

    data: Dataset
    model: ModelConfig
    recipe: Recipe
    preprocessing: PreprocessingConfig
    space: Space
    prune: bool = False
    seed: int = 0

    def describe(self) -> dict[str, Any]:
        """Return what must be the same for a study to be gone on with."""
        return {
            "family": family_of(self.model).reference,
            "data": self.data.whole_location,
            "splits": canonical(self.data.splits, "splits"),
            "model": canonical(self.model, "model"),
            "recipe": canonical(self.recipe, "recipe"),
            "preprocessing": canonical(self.preprocessing, "preprocessing"),
            "space": {name: str(dimension) for name, dimension in self.space.items()},
            "prune": self.prune,
            "seed": self.seed,
        }


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What came of one training.

    Attributes:
        number: from 0.
        state: "complete", "pruned", "failed", or "running" (by another process, or stopped).
        value: the validation metric: the best, of a pruned one the last; None where there is none.
        values: what it was given, by flag.
        seconds: from its beginning to its end.
        run: its run folder.
        words: why it failed.
    """

    number: int
    state: str
    value: float | None
    values: Mapping[str, Value]
    seconds: float
    run: Path
    words: str = ""


class Reporting(Callback):
    """Reports every validation of a trial to Optuna, and ends a trial that is to be pruned."""

    def __init__(self, trial: optuna.Trial, study: optuna.Study, search: Search) -> None:
        self.trial, self.prune = trial, search.prune
        self.reported = list(study.get_trials()[trial.number].intermediate_values)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report the metric; raise TrialPruned where the trial is worse than the others."""
        callbacks: list[Callback] = cast(Any, trainer).callbacks
        value = next(of.last for of in callbacks if isinstance(of, Validation))
        if trainer.global_step > max(self.reported, default=-1):
            self.reported.append(trainer.global_step)
            self.trial.report(value, trainer.global_step)
        if self.prune and self.trial.should_prune():
            raise optuna.TrialPruned


class Study:
    """The trials of a folder.

    Args:
        search: what they are about.
        folder: new, or one that the same search was begun in.
        loggers: that each trial is logged to, by name; None: as of `train`.

    Raises:
        ConfigError: nothing is searched, or the folder holds another study.
        DataError: the folder is damaged.
        OutputError: it cannot be written.
    """

    def __init__(
        self, search: Search, folder: Path, *, loggers: Sequence[LoggerName] | None = None
    ) -> None:
        if int(os.environ.get("WORLD_SIZE", 1)) > 1:
            raise ConfigError(
                "a study does not run on the ranks of torchrun",
                hint="Start the command once for each GPU, with CUDA_VISIBLE_DEVICES=0, =1 and so "
                "on, and the same --out: the processes share the trials out.",
            )
        if not search.space:
            raise ConfigError("nothing is searched", where="--space", hint="Name a range.")
        self.search, self.folder = search, folder
        self.loggers = StudyLoggers(loggers, folder)
        make_folder(folder)
        _agree(search, folder / ABOUT)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        pruner = optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=0)
        self.study = optuna.create_study(
            study_name=family_of(search.model).name,
            storage=JournalStorage(Journal(folder / JOURNAL)),
            pruner=pruner if search.prune else optuna.pruners.NopPruner(),
            direction="maximize",
            load_if_exists=True,
        )
        if not self.study.get_trials(deepcopy=False):
            self._begin_with_what_is()

    def run(self, trials: int, on_trial: Callable[[Trial], None]) -> None:
        """Train until the study has so many trials; those that were stopped go on first.

        A trial that fails (too large for the memory, a loss that is not finite) counts, and is
        logged; the next ones avoid its neighbourhood no more than any other.

        Args:
            trials: that came to an end, in all sessions and processes.
            on_trial: given each that comes to an end here.

        Raises:
            ConfigError: nothing can be validated.
            TrainingError: the first few all failed.
            OutputError: the disk is full; the same call goes on.
            KeyboardInterrupt: on Ctrl-C; the same call goes on, with the training at hand too.
        """
        check_validation(self.search.data, self.search.recipe)
        for frozen in self.study.get_trials(states=(TrialState.RUNNING,)):
            with try_lock(self._lock(frozen.number)) as ours:
                again = self.study.get_trials()[frozen.number]
                if ours and again.state == TrialState.RUNNING:
                    self._train(optuna.Trial(self.study, frozen._trial_id), on_trial)
        while self._count_ended() + self._count_elsewhere() < trials:
            number = len(self.study.get_trials(deepcopy=False))
            seed = derive_seed(self.search.seed, "trial", number) % 2**32
            self.study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=RANDOM)
            trial = self.study.ask(self._distributions())
            with try_lock(self._lock(trial.number)) as ours:
                if ours:
                    self._train(trial, on_trial)

    def trials(self) -> list[Trial]:
        """Return all trials, by number."""
        waiting = TrialState.WAITING
        return [self._trial_of(of) for of in self.study.get_trials() if of.state != waiting]

    def best(self) -> Trial | None:
        """Return the best trial that was not pruned; None where none came to an end."""
        done = [of for of in self.trials() if of.state == "complete" and of.value is not None]
        return max(done, key=lambda of: of.value or 0.0, default=None)

    def importance(self) -> dict[str, float]:
        """Return how much of the variation each field explains, in shares, the largest first.

        By Optuna's default evaluator (functional ANOVA by Parzen estimators); empty where fewer
        than two trials, or no two different ones, came to an end.
        """
        done = self.study.get_trials(states=(TrialState.COMPLETE,))
        varied = [
            name for name in self.search.space if len({str(t.params[name]) for t in done}) > 1
        ]
        if len({of.value for of in done}) < 2 or not varied:
            return {}
        found = get_param_importances(self.study, params=varied)
        return dict(sorted(found.items(), key=lambda of: -of[1]))

    def _train(self, trial: optuna.Trial, on_trial: Callable[[Trial], None]) -> None:
        run = self.folder / f"trial-{trial.number:04d}"
        reporting = Reporting(trial, self.study, self.search)
        try:
            value = self._value(trial.params, run, reporting)
            self.study.tell(trial, value)
        except optuna.TrialPruned:
            self.study.tell(trial, state=TrialState.PRUNED)
        except OutputError:  # a full disk says nothing of these values: the trial goes on later
            raise
        except (ReeltagError, RuntimeError, MemoryError) as error:
            trial.set_user_attr("words", format_error(error))
            self.study.tell(trial, state=TrialState.FAIL)
            self._check_failures(error)
            torch.cuda.empty_cache()
        (run / "resume.ckpt").unlink(missing_ok=True)
        on_trial(self._trial_of(self.study.get_trials()[trial.number]))

    def _value(self, values: Mapping[str, Value], run: Path, reporting: Callback) -> float:
        """Train, or go on, and return the score of the validation."""
        done = run / "metrics.json"
        if done.exists():  # only the journal did not know yet
            best = json.loads(done.read_text(encoding="utf-8"))["best"]
        elif (run / "config.json").exists():
            best = fit.resume(run, loggers=self.loggers, callbacks=[reporting]).best
        else:
            search = self.search
            model, recipe = applied(search.model, search.recipe, values)
            best = fit.train(
                search.data,
                run,
                model,
                recipe,
                preprocessing=search.preprocessing,
                loggers=self.loggers,
                callbacks=[reporting],
            ).best
        if best is None:
            raise TrainingError(
                "nothing was validated, so nothing can be compared",
                where=run,
                hint="The data need shards to validate on: see --validate.",
            )
        return float(best)

    def _check_failures(self, error: BaseException) -> None:
        """Give up where all trials so far failed."""
        ended = [of.state for of in self.study.get_trials(deepcopy=False) if of.state.is_finished()]
        if len(ended) >= MOST_FAILURES and set(ended) == {TrialState.FAIL}:
            raise TrainingError(
                f"all {len(ended)} trials failed, the last one with {format_error(error)}",
                where=self.folder,
                hint="Begin another study with what can be trained, under another --out.",
            ) from error

    def _begin_with_what_is(self) -> None:
        """Let trial 0 be the family as it is, as far as the space allows."""
        search, values = self.search, dict[str, Any]()
        for name, dimension in search.space.items():
            value = present(search.model, search.recipe, name)
            if isinstance(dimension, Choice):
                fits = value in dimension.names()
            else:
                fits = isinstance(value, int | float) and dimension.low <= value <= dimension.high
            if fits:
                values[name] = value
        self.study.enqueue_trial(values)

    def _distributions(self) -> dict[str, BaseDistribution]:
        return {name: _distribution(of) for name, of in self.search.space.items()}

    def _count_ended(self) -> int:
        return sum(of.state.is_finished() for of in self.study.get_trials(deepcopy=False))

    def _count_elsewhere(self) -> int:
        """Return the trials that other processes are at."""
        return len(self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)))

    def _lock(self, number: int) -> Path:
        return self.folder / f"trial-{number:04d}.lock"

    def _trial_of(self, frozen: FrozenTrial) -> Trial:
        names = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned"}
        names |= {TrialState.FAIL: "failed"}
        begun = frozen.datetime_start.timestamp() if frozen.datetime_start else time.time()
        ended = frozen.datetime_complete.timestamp() if frozen.datetime_complete else time.time()
        last = max(frozen.intermediate_values, default=None)
        value = frozen.value
        if value is None and last is not None:
            value = frozen.intermediate_values[last]
        return Trial(
            number=frozen.number,
            state=names.get(frozen.state, "running"),
            value=value,
            values=dict(frozen.params),
            seconds=ended - begun,
            run=self.folder / f"trial-{frozen.number:04d}",
            words=frozen.user_attrs.get("words", ""),
        )


def _distribution(of: Range | Choice) -> BaseDistribution:
    if isinstance(of, Choice):
        return optuna.distributions.CategoricalDistribution(of.names())
    if of.whole:
        return optuna.distributions.IntDistribution(int(of.low), int(of.high), log=of.log)
    return optuna.distributions.FloatDistribution(of.low, of.high, log=of.log)


def _agree(search: Search, file: Path) -> None:
    """Write down what a study is about, or see that it is still the same."""
    now = json.loads(json.dumps(search.describe()))
    if not file.exists():
        if any(file.parent.iterdir()):
            raise ConfigError(
                "holds something else already", where=file.parent, hint="Choose another --out."
            )
        write_json(file, now)
        say(f"{file.parent}: a new study")
        return
    try:
        before = json.loads(file.read_text(encoding="utf-8"))
        differ = [name for name in now if before.get(name) != now[name]]
    except (ValueError, AttributeError) as error:
        raise DataError("is no description of a study", where=file) from error
    if differ:
        name, was, is_now = _first_difference(differ[0], before.get(differ[0]), now[differ[0]])
        raise ConfigError(
            f"was begun with another {differ[0]}: {name} was {_short(was)}, and is now "
            f"{_short(is_now)}",
            where=file.parent,
            hint="Repeat the flags that it was begun with (--trials may differ), or choose "
            "another --out.",
        )


def _first_difference(name: str, before: object, now: object) -> tuple[str, object, object]:
    """Return the name, with dots, and both values of what differs first within two values."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in dict.fromkeys([*now, *before]):
            if before.get(key) != now.get(key):
                return _first_difference(f"{name}.{key}", before.get(key), now.get(key))
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        pairs = zip(before, now, strict=True)  # as `canonical` writes a dataclass or a list
        return next(_first_difference(name, one, other) for one, other in pairs if one != other)
    return name, before, now


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
