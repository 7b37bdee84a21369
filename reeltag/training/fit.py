"""Train a tagger on a data set into a run folder, or go on with a run that was stopped."""

import dataclasses
import math
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback, EarlyStopping
from lightning.pytorch.loggers import Logger
from torch.backends import cpu

from reeltag.core.console import say
from reeltag.core.errors import ConfigError, DataError
from reeltag.core.files import (
    PathLike,
    check_new_path,
    hold_result,
    whole_folder,
    write_json,
)
from reeltag.core.interrupt import StopRequest, listening_for_stop
from reeltag.core.seeding import derive_seed
from reeltag.core.system.allocator import keep_freed_memory
from reeltag.data.dataset import Dataset
from reeltag.data.features import Features
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.models import ModelConfig
from reeltag.tagger.importing import check_trained
from reeltag.tagger.loading import read_eigenvalues
from reeltag.tagger.run_files import read_class_names, read_config
from reeltag.tagger.tagger import Tagger
from reeltag.training.announcing import announce, announce_default_loggers
from reeltag.training.averaging import Averaging, averaging_for
from reeltag.training.batches import Batches, make_batches
from reeltag.training.callbacks import (
    Checkpoint,
    CheckpointFile,
    MetricsFile,
    SaveAtEnd,
    TrainLog,
    Validation,
)
from reeltag.training.config import Recipe
from reeltag.training.freezing import choose_what_learns
from reeltag.training.interrupt import explained
from reeltag.training.label_graph import set_label_inputs
from reeltag.training.loggers import (
    Loggers,
    check_loggers,
    log_parameters,
    opened_loggers,
)
from reeltag.training.losses import Objective
from reeltag.training.mean_run import AVERAGED
from reeltag.training.metrics import validation_metric
from reeltag.training.module import TaggerTraining
from reeltag.training.objectives import objective_for
from reeltag.training.progress import ProgressLine, Speed
from reeltag.training.quiet import quiet_lightning
from reeltag.training.run_folder import (
    check_same_data,
    describe,
    open_data,
    read_recipe,
    steps_done,
)
from reeltag.training.starting import start

PRECISION: dict[str, Literal["32-true", "bf16-mixed", "16-mixed"]] = {
    "fp32": "32-true",
    "bf16": "bf16-mixed",
    "fp16": "16-mixed",
}


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a training came to. `best` is the validation metric, None where none was measured."""

    run: Path
    steps: int
    metric: str
    best: float | None
    best_step: int
    seconds: float


def train(
    data: Dataset,
    out: PathLike,
    model: ModelConfig,
    recipe: Recipe,
    *,
    preprocessing: PreprocessingConfig | None = None,
    objective: Objective | None = None,
    loggers: Loggers | None = None,
    callbacks: Sequence[Callback] = (),
) -> Result:
    """Train `model`, fitted to the data's streams and classes, into the new folder `out`.

    Args:
        data: to learn from, with the splits to train and to validate on.
        out: the run folder to make.
        model: sizes, which name the family; `dims` and `num_classes` are taken from the data.
        recipe: everything else.
        preprocessing: what happens to the stored frames first; None = as the family's authors.
        objective: (batch, tagger) -> loss and logs; None = `objective_for` the tagger.
        loggers: next to metrics.csv: "tensorboard", "wandb", "mlflow", or loggers of Lightning;
            None: TensorBoard where it is installed.
        callbacks: of Lightning; a validation has been measured when they see its end. What they
            raise ends the training.

    Raises:
        OutputError: `out` exists.
        DataError, ConfigError: the data or the options cannot be used.
        TrainingError: the loss stopped being finite.
    """
    out = Path(out)
    check_start(out, recipe, loggers)
    if not data.num_classes:
        what = "no record has a label, and there is no class list: nothing can be learned"
        hint = "Training needs `labels` in the records (or rated segments)."
        raise DataError(what, where=data.location, hint=hint)
    batches = make_batches(data, recipe, _rank(), _world())
    widths = tuple(width for _, width in batches.streams)
    config = dataclasses.replace(model, dims=widths, num_classes=data.num_classes)
    torch.manual_seed(derive_seed(recipe.seed, "weights"))
    tagger = Tagger(
        config,
        batches.streams,
        data.classes.names,
        preprocessing=preprocessing,
        eigenvalues=read_eigenvalues(recipe.eigenvalues),
        features=batches.items.features,
    )
    set_label_inputs(tagger, batches.items, recipe)
    start(tagger, recipe.init)
    choose_what_learns(tagger.model, recipe)  # before there is a folder: these may raise
    averaging = _averaging(recipe, batches)
    if _rank() == 0:
        with whole_folder(out) as part:
            tagger.save_classes(part)
            tagger.features.save(part)
            write_json(part / "config.json", describe(tagger, batches.items, recipe))
    with _alone(out):
        own = _Own(objective, loggers, callbacks)
        return _fit(tagger, recipe, batches, averaging, out, None, own)


def resume(
    out: PathLike,
    *,
    data: PathLike | None = None,
    max_steps: int | None = None,
    objective: Objective | None = None,
    loggers: Loggers | None = None,
    callbacks: Sequence[Callback] = (),
) -> Result:
    """Go on with the run in `out` from its last checkpoint, as if it had never been stopped.

    Args:
        out: a run folder.
        data: where the data are now; None: where they were.
        max_steps: train up to this step instead of the recipe's; None keeps the recipe's.
        objective: as at the start.
        loggers: as at the start; None: those that the run has logged to, and TensorBoard.
        callbacks: as at the start; those with a state are given it again.

    Raises:
        ConfigError: `out` is a mean of runs.
        DataError: `out` is not a run folder, a file in it is damaged, or its data are gone.
    """
    out = Path(out)
    data = None if data is None else Path(data)
    config, where = read_config(out), out / "config.json"
    if AVERAGED in config:
        raise ConfigError(
            "is the mean of other runs: there is no training to go on with",
            where=out,
            hint=f"Train from its weights: reeltag train {config.get('family')} --init {out} ...",
        )
    check_trained(out, config)
    recipe = read_recipe(config, where=where)
    _check_device(recipe)
    if max_steps is not None:
        recipe = dataclasses.replace(recipe, max_steps=max_steps)
    batches = make_batches(open_data(out, config, data), recipe, _rank(), _world())
    torch.manual_seed(derive_seed(recipe.seed, "weights"))
    names = read_class_names(out)
    features = Features.find(out)
    tagger = Tagger.from_description(config, names, features=features, where=where)
    check_same_data(tagger, batches.items, config, where)
    averaging = _averaging(recipe, batches)
    saved, own = out / "resume.ckpt", _Own(objective, loggers, callbacks)
    checkpoint = saved if saved.is_file() else None
    if checkpoint is None:
        say(f"{out} has no checkpoint yet: training begins at step 0.")
        set_label_inputs(tagger, batches.items, recipe)
        start(tagger, recipe.init)
    choose_what_learns(tagger.model, recipe)
    with _alone(out):
        return _fit(tagger, recipe, batches, averaging, out, checkpoint, own)


def _alone(out: Path) -> AbstractContextManager[object]:
    """Hold the lock of a run, by the first rank; OutputError where another process trains it."""
    return hold_result(out) if _rank() == 0 else nullcontext()


def _lengths(recipe: Recipe, batches: Batches) -> tuple[int, int]:
    """Return how many steps there are in all, and how many from one validation to the next."""
    steps_an_epoch = max(1, len(batches.train) // recipe.accumulate)
    num_steps = recipe.max_steps or math.ceil(recipe.epochs * steps_an_epoch)
    return num_steps, recipe.validate_every or steps_an_epoch


def _averaging(recipe: Recipe, batches: Batches) -> Averaging | None:
    """Return what averages the weights; raise ConfigError where it never would."""
    num_steps, validate_every = _lengths(recipe, batches)
    return averaging_for(recipe.optim, num_steps, validate_every * (batches.validate is not None))


class _Own(NamedTuple):
    """What a caller brings: in place of our objective and loggers, and after our callbacks."""

    objective: Objective | None
    loggers: Loggers | None
    callbacks: Sequence[Callback]


def _fit(
    tagger: Tagger,
    recipe: Recipe,
    batches: Batches,
    averaging: Averaging | None,
    out: Path,
    checkpoint: Path | None,
    own: _Own,
) -> Result:
    keep_freed_memory()
    num_steps, validate_every = _lengths(recipe, batches)
    name, metric = validation_metric(recipe, tagger.num_classes)
    objective = own.objective or objective_for(tagger, recipe)
    module = TaggerTraining(tagger, objective, recipe, num_steps, batches, metric, out)

    begun_at = steps_done(checkpoint, module) if checkpoint else 0
    file = MetricsFile(out / "metrics.csv", name, begun_at) if _rank() == 0 else None
    speed = Speed()
    line = ProgressLine(speed, num_steps, name)
    log = TrainLog(file, speed, recipe.log_every)
    keep = partial(tagger.save_weights, out)
    validation = Validation(name, file, keep, line.best_is)
    stop = StopRequest("step")
    saving = Checkpoint(out / "resume.ckpt", recipe.save_minutes, stop)
    callbacks: list[Callback] = [line, log, validation, SaveAtEnd(saving)]
    callbacks += [averaging] if averaging else []
    if recipe.patience and batches.validate is not None:
        callbacks.append(_stopping(f"validate_{name}", recipe.patience))
    callbacks += [*own.callbacks, saving]
    if _rank() == 0:
        announce(tagger, recipe, batches, num_steps, out, averaging)
        if own.loggers is None:
            announce_default_loggers(out)
    if 0 < num_steps <= begun_at:
        say(f"{out} has done {begun_at} steps already; --max-steps N, with a larger N, goes on.")
    with (
        quiet_lightning(),
        explained(out),
        listening_for_stop(stop),
        opened_loggers(own.loggers, out, goes_on=checkpoint is not None) as loggers,
    ):
        trainer = _make_trainer(recipe, num_steps, validate_every, batches, callbacks, loggers, out)
        if checkpoint is None and _rank() == 0:
            log_parameters(loggers, describe(tagger, batches.items, recipe), validation.best_name)
        try:
            trainer.fit(module, ckpt_path=checkpoint, weights_only=False)
        except BaseException:
            _end_reading(trainer)
            raise
    result = _result(trainer.global_step, validation, name, log.seconds, out)
    if trainer.is_global_zero:
        trained = trainer.global_step > begun_at or not (out / "model.safetensors").exists()
        if trained and result.best is None:
            tagger.save_weights(out)
        write_json(out / "metrics.json", {**dataclasses.asdict(result), "run": str(out)})
    return result


def _end_reading(trainer: Trainer) -> None:
    """End the threads that read batches: where a logger fails too, Lightning does not."""
    trainer.fit_loop.teardown()


def _result(steps: int, validation: Validation, name: str, seconds: float, out: Path) -> Result:
    measured = math.isfinite(validation.best)
    return Result(
        run=out,
        steps=steps,
        metric=name,
        best=validation.best if measured else None,
        best_step=validation.best_step if measured else steps,
        seconds=seconds,
    )


def _stopping(metric: str, patience: int) -> EarlyStopping:
    return EarlyStopping(metric, mode="max", patience=patience, check_on_train_epoch_end=False)


def _make_trainer(
    recipe: Recipe,
    num_steps: int,
    validate_every: int,
    batches: Batches,
    callbacks: list[Callback],
    loggers: list[Logger],
    out: Path,
) -> Trainer:
    local = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    return Trainer(
        accelerator="cpu" if runs_on_cpu(recipe) else "cuda",  # by itself it takes a Mac's GPU
        devices=local,
        num_nodes=_world() // local,
        strategy="ddp" if _world() > 1 else "auto",
        precision=PRECISION[recipe.precision],
        max_steps=num_steps,
        max_epochs=-1,
        accumulate_grad_batches=recipe.accumulate,
        val_check_interval=validate_every * recipe.accumulate,
        check_val_every_n_epoch=None,
        limit_val_batches=(recipe.validate_batches or 1.0) if batches.validate is not None else 0,
        num_sanity_val_steps=0,
        callbacks=callbacks,
        logger=loggers,
        plugins=[CheckpointFile()],
        default_root_dir=out,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        inference_mode=True,
    )


def check_start(out: Path, recipe: Recipe, loggers: Loggers | None = None) -> None:
    """Raise where a training cannot begin: before an index is built.

    Args:
        out: the run folder to make.
        recipe: of the training.
        loggers: as of `train`.

    Raises:
        OutputError: `out` exists.
        ConfigError: the device lacks what is needed, or a logger cannot log.
    """
    if _rank() == 0:
        check_new_path(out)
        check_loggers(loggers, out)
    _check_device(recipe)


def runs_on_cpu(recipe: Recipe) -> bool:
    """Return whether a training runs on the CPU, as on a Mac always: metrics are float64."""
    return recipe.accelerator == "cpu" or not torch.cuda.is_available()


def _check_device(recipe: Recipe) -> None:
    """Raise ConfigError where the machine lacks what the recipe needs."""
    if recipe.accelerator == "gpu" and not torch.cuda.is_available():
        what = "there is no GPU that torch can use"
        raise ConfigError(what, where="--accelerator gpu", hint="Leave it out.")
    on_cpu = runs_on_cpu(recipe)
    if recipe.precision == "bf16" and on_cpu and cpu.get_cpu_capability() == "AVX2":
        say("bf16 is emulated on this processor, much slower than --precision fp32")
    if recipe.precision == "fp16" and on_cpu:
        raise ConfigError(
            "fp16 is for GPUs, and this would run on the CPU",
            where="--precision fp16",
            hint="Take --precision bf16 or fp32.",
        )


def _rank() -> int:
    """Return the rank that torchrun gave this process; 0 where it was started alone."""
    return int(os.environ.get("RANK", 0))


def _world() -> int:
    return int(os.environ.get("WORLD_SIZE", 1))
