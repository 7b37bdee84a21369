"""The batches of a training: an endless stream that can begin anywhere, and a validation pass."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from reeltag.core.batch import FrameBatch
from reeltag.core.errors import ConfigError
from reeltag.data.blank_videos import blank_rows
from reeltag.data.dataset import Dataset
from reeltag.data.folding import held_out_rows, rows_to_train_on
from reeltag.data.items import VideoSet
from reeltag.data.joining import joined
from reeltag.data.loader import Loader, ReadConfig
from reeltag.data.splits import Split
from reeltag.soft_labels.student import soft_segments, with_soft_videos
from reeltag.training.config import Recipe
from reeltag.training.metrics import validation_metric
from reeltag.training.relabelling import relabelled

_VALIDATE = "Name shards with labels by --validate GLOB."


class Batches:
    """Training and validation loaders of one run.

    Args:
        train: one pass over the training items, of this rank.
        validate: one pass over the validation items, of this rank; None where there are none.
        items: what is trained on, of all ranks.
        unvalidated: why there is nothing to validate on, where there is not.
        validated: what the metric is the mean over, where it is a mean over classes.
    """

    def __init__(
        self,
        train: Loader,
        validate: Loader | None,
        items: VideoSet,
        unvalidated: str = "",
        validated: str = "",
    ) -> None:
        self.train, self.validate, self.items = train, validate, items
        self.unvalidated, self.validated = unvalidated, validated
        self.streams = tuple((stream.name, stream.width) for stream in items.streams)
        self.skipped = items.skipped

    def __deepcopy__(self, memo: object) -> "Batches":
        """Weight averaging copies the module it averages; the files behind it are shared."""
        return self

    def training(self, batches_done: int) -> "EndlessBatches":
        """Return the stream of training batches from batch number `batches_done` on."""
        return EndlessBatches(self.train, batches_done)

    def validation(self) -> "Loader | list[FrameBatch]":
        """Return one pass over the validation items."""
        return [] if self.validate is None else self.validate


class EndlessBatches:
    """Epoch after epoch of a loader, from any batch on; iterable again from there.

    Without a length, so that the number of steps alone ends training.
    """

    def __init__(self, loader: Loader, batches_done: int) -> None:
        self.loader, self.batches_done = loader, batches_done

    def __iter__(self) -> Iterator[FrameBatch]:
        return self.loader.endless(self.batches_done)


def make_batches(data: Dataset, recipe: Recipe, rank: int = 0, world_size: int = 1) -> Batches:
    """Return the loaders of a recipe on a data set, for one rank of several.

    Args:
        data: of the training and the validation.
        recipe: batch size, targets and so on.
        rank: of this process.
        world_size: number of processes.

    Raises:
        ConfigError: a split is empty, holds no usable record, or lacks a stream; or the batch does
            not divide among the ranks, or is larger than the training set; or as `relabelled`.
        DataError: as `relabelled`.
    """
    if recipe.batch_size % world_size:
        raise ConfigError(
            f"batch_size {recipe.batch_size} does not divide among {world_size} ranks"
        )
    train = training_items(data, recipe)
    if len(train) < recipe.batch_size:
        raise ConfigError(
            f"batch_size must be at most the number of training {recipe.items}, {len(train)}, "
            f"got {recipe.batch_size}",
            hint=f"Give fewer, such as --batch-size {max(1, len(train) // 4)}."
            if len(train)
            else "",
        )
    pin = torch.cuda.is_available() and recipe.accelerator != "cpu"

    def load(items: VideoSet, split: Split) -> Loader:
        training = split == "train"
        return Loader(
            items,
            batch_size=recipe.batch_size,
            frames=recipe.frames if training else recipe.validation_frames,
            shuffle=recipe.shuffle if training else "no",
            seed=recipe.seed,
            ranks=(rank, world_size),
            drop_last=training,
            reuse_buffers=True,
            reading=ReadConfig(pin=pin),
        )

    validated, unvalidated = _validation_items(data, recipe)
    over = "" if validated is None else _averaged_over(validated, recipe)
    if unvalidated and recipe.patience:
        raise ConfigError(f"needs a validation: {unvalidated}", where="--patience", hint=_VALIDATE)
    validate = None if validated is None else load(validated, "validate")
    return Batches(load(train, "train"), validate, train, unvalidated, over)


def check_validation(data: Dataset, recipe: Recipe) -> None:
    """Raise ConfigError where nothing can be validated, so that trainings cannot be compared."""
    unvalidated = _validation_items(data, recipe)[1]
    if unvalidated:
        what = f"trainings cannot be compared: {unvalidated}"
        raise ConfigError(what, where=data.location, hint=_VALIDATE)


def _validation_items(data: Dataset, recipe: Recipe) -> tuple[VideoSet | None, str]:
    """Return what is validated on, or why there is nothing by which a model can be chosen."""
    if not _has_validation(data):
        return None, "no shard belongs to the split 'validate'"
    blank = _blank_rows(data, recipe, "validate")
    items = _items(data, recipe, "validate", None if blank is None else ~blank)
    looked_at, present = _present_classes(items, recipe)
    if len(present):
        return items, ""
    name, what = validation_metric(recipe, data.num_classes)[0], "rating of a class that is there"
    what = what if recipe.items == "segments" else "label"
    found = f"none of the {looked_at:,} validation {recipe.items} has a {what}"
    return None, f"{found}, and {name} is undefined"


def _present_classes(items: VideoSet, recipe: Recipe) -> tuple[int, NDArray[np.int32]]:
    """Return how many validation items are looked at, and the classes that are there in any."""
    looked_at = len(items)
    if recipe.validate_batches:
        looked_at = min(looked_at, recipe.validate_batches * recipe.batch_size)
    if items.targets is None:
        return looked_at, np.empty(0, np.int32)
    end = items.targets.indptr[looked_at]
    is_there = items.targets.entry_values()[:end] >= 0.5
    return looked_at, np.unique(items.targets.classes[:end][is_there])


def _averaged_over(items: VideoSet, recipe: Recipe) -> str:
    """Return what the validation metric is the mean over; "" where it is no mean over classes."""
    name = validation_metric(recipe, items.num_classes)[0]
    if name == "gap@20":
        return ""
    looked_at, present = _present_classes(items, recipe)
    what = "a rated positive" if recipe.items == "segments" else "a label"
    return (
        f"validate_{name} is the mean over {len(present):,} of {items.num_classes:,} classes, "
        f"those with {what} in the {looked_at:,} validation {recipe.items}"
    )


def _items(
    data: Dataset, recipe: Recipe, split: Split, rows: NDArray[np.bool_] | None = None
) -> VideoSet:
    choose = data.rated_segments if recipe.items == "segments" else data.videos
    return choose(split, streams=recipe.streams or None, rows=rows)


def training_items(data: Dataset, recipe: Recipe) -> VideoSet:
    """Return the training split, without a fold, with soft labels, relabelled."""
    held_out = held_out_rows(data, recipe.fold) if recipe.fold.count else None
    blank = _blank_rows(data, recipe, "train")
    if blank is not None:
        held_out = blank if held_out is None else held_out | blank
    rows = None if held_out is None else rows_to_train_on(data, held_out)
    if recipe.soft.used and recipe.items == "segments":
        return joined([*_segments(data, recipe, rows, held_out)])
    items = _items(data, recipe, "train", rows)
    if not recipe.soft.used:
        return relabelled(items, recipe.labels)
    items = with_soft_videos(relabelled(items, recipe.labels.noise_alone()), recipe.soft)
    return relabelled(items, recipe.labels.without_noise())


def _blank_rows(data: Dataset, recipe: Recipe, split: Split) -> NDArray[np.bool_] | None:
    """Return (R,) which rows of the data's table are blank videos of a split; None: no rule."""
    if not recipe.blank_std:
        return None
    return blank_rows(data, split, recipe.blank_std)


def _segments(
    data: Dataset,
    recipe: Recipe,
    rows: NDArray[np.bool_] | None,
    held_out: NDArray[np.bool_] | None,
) -> Iterator[VideoSet]:
    """Yield the rated segments, if there are any, and the soft ones, each relabelled in its way."""
    streams = recipe.streams or None
    records = data.select("train", streams=streams, rows=rows)
    if len(records.lists("segment_starts")[1]) or data.kind == "video":  # of which none are cut
        yield relabelled(_items(data, recipe, "train", rows), recipe.labels)
    soft = soft_segments(data, recipe.soft, streams=streams, held_out=held_out)
    yield relabelled(soft, recipe.labels, soft=True)


def _has_validation(data: Dataset) -> bool:
    """Return whether there are shards to validate on; a pattern that names none is an error."""
    if data.splits.validate:
        return True
    try:
        data.shards_of("validate")
    except ConfigError:
        return False
    return True
