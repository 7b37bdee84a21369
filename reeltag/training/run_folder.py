"""The description of a training in its run folder: data, recipe, steps done."""

import dataclasses
import hashlib
import shlex
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from torch import nn

import reeltag
from reeltag.core.addresses import address_of, path_in
from reeltag.core.console import say
from reeltag.core.errors import DataError
from reeltag.core.fields import entry, from_json
from reeltag.data.class_list import ClassList
from reeltag.data.dataset import Dataset, FileSource, files_of_source
from reeltag.data.items import VideoSet
from reeltag.data.remote.mirror import Mirror
from reeltag.data.splits import Splits
from reeltag.tagger.tagger import Tagger
from reeltag.training.config import Recipe


def describe(tagger: Tagger, items: VideoSet, recipe: Recipe) -> dict[str, Any]:
    """Return the content of a run's config.json, as plain JSON values.

    Args:
        tagger: that is trained.
        items: that it is trained on.
        recipe: how.
    """
    data = items.dataset
    listed = data.classes.source or data.classes.inferred  # found again with the data
    return {
        "reeltag": reeltag.__version__,
        **tagger.describe(),
        "data": {
            "root": data.whole_location,
            **({} if listed else {"classes": "classes.csv"}),
            **{name: source_entry(file, data.index.mirror) for name, file in data.sources.items()},
            "splits": dataclasses.asdict(data.splits),
            "streams": [name for name, _ in tagger.streams],
            "num_classes": data.num_classes,
            **_records_of(items),
        },
        "recipe": dataclasses.asdict(recipe),
    }


def _records_of(items: VideoSet) -> dict[str, Any]:
    """Return by what it is noticed that a run goes on with other records."""
    records = items.records
    digest = hashlib.blake2b(digest_size=8)
    shards = records.column("shard")
    for shard in np.unique(shards).tolist():
        digest.update(f"{items.dataset.shards[shard]}\n".encode())
    for column in (
        np.diff(shards, prepend=0) != 0,
        records.column("offset"),
        records.column("size"),
    ):
        digest.update(column.tobytes())
    return {"videos": len(records), "records": digest.hexdigest()}


def read_recipe(config: Mapping[str, Any], *, where: object = "config.json") -> Recipe:
    """Return the recipe in a run's config.json.

    Args:
        config: as `reeltag.tagger.run_files.read_config` returns it.
        where: file that it was read from, for the error.

    Raises:
        DataError: a field is missing, unknown, of the wrong kind or out of range.
    """
    value = entry(config, "recipe", where=where)
    if isinstance(value, Mapping):  # runs of earlier versions have the splits here too
        value = {name: of for name, of in value.items() if name != "splits"}
    recipe: Recipe = from_json(Recipe, value, where=where, field="recipe")
    return recipe


def read_splits(config: Mapping[str, Any], *, where: object = "config.json") -> Splits:
    """Return the rule in a run's config.json that gave a shard its split; raise as `read_recipe`.

    Args:
        config: as `reeltag.tagger.run_files.read_config` returns it.
        where: file that it was read from, for the error.
    """
    value = entry(config, "data.splits", where=where)
    splits: Splits = from_json(Splits, value, where=where, field="data.splits")
    return splits


def open_data(
    run: Path, config: Mapping[str, Any], moved: Path | None = None, *, quiet: bool = False
) -> Dataset:
    """Return the data set that a run was trained on: with its splits, and files given with it.

    Args:
        run: folder of the run; relative paths are in it.
        config: as `reeltag.tagger.run_files.read_config` returns it.
        moved: where the data folder is now; None: where it was.
        quiet: show no progress.

    Raises:
        DataError: a field is missing, or the data or a file are gone.
    """
    where = run / "config.json"
    given: Mapping[str, object] = entry(config, "data", where=where)

    def path(name: str) -> Path:
        value = entry(config, f"data.{name}", where=where)
        return path_in(run, from_json(str, value, where=where, field=f"data.{name}"))

    def files(name: str) -> tuple[Path, ...]:  # none, and the run was begun with the records'
        value = given.get(name, [])
        some = [value] if isinstance(value, str) else value
        found = from_json(tuple[str, ...], some, where=where, field=f"data.{name}")
        return tuple(path_in(run, file) for file in found)

    root = path("root") if moved is None else moved
    if not address_of(root) and not root.exists():
        raise DataError(
            "is not there",
            where=root,
            hint=f"Where the data are now: {resume_command(run)} --data DATA",
        )
    return Dataset.open(
        root,
        classes=path("classes") if "classes" in given else None,
        labels=files("labels"),
        ratings=files("ratings"),
        splits=read_splits(config, where=where),
        quiet=quiet,
    )


def source_entry(source: FileSource, mirror: Mirror | None = None) -> str | list[str]:
    """Return an entry of `Dataset.sources` as config.json holds it.

    Args:
        source: the entry.
        mirror: of remote data, whose own files are held by their addresses.
    """
    words = [(mirror and mirror.file_address(of)) or str(of) for of in files_of_source(source)]
    return words[0] if isinstance(source, Path) else words


def steps_done(checkpoint: Path, module: nn.Module) -> int:
    """Return the optimiser steps that a checkpoint has behind it.

    Args:
        checkpoint: path of a resume.ckpt.
        module: that the checkpoint is for.

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
            hint="Remove it, and --resume begins the run again from step 0.",
        ) from error
    for name, value in module.state_dict().items():
        if name not in saved or saved[name].shape != value.shape:
            raise DataError(
                f"does not fit the config.json next to it, first at {name!r}",
                where=checkpoint,
                hint="Put config.json back as it was, or train again with --config.",
            )
    return steps


def resume_command(run: Path) -> str:
    """Return what is to be typed to go on with a run."""
    return f"reeltag train --resume {shlex.quote(str(run))}"


def check_same_data(
    tagger: Tagger, items: VideoSet, config: Mapping[str, Any], where: Path
) -> None:
    """Raise DataError where the data are no longer those that the run was begun with.

    Other videos are no error, and are logged.

    Args:
        tagger: of the run.
        items: that it goes on with.
        config: its config.json.
        where: the path of that.
    """
    data = items.dataset
    hint = "Put the data back as they were, or train again with --config."
    streams = tuple((stream.name, stream.width) for stream in items.streams)
    if streams != tagger.streams:
        raise DataError(
            f"the run was begun with the streams {tagger.streams}; {data.path} now has {streams}",
            where=where,
            hint=hint,
        )
    begun = ClassList(tagger.class_names)
    begun.check_same(data.classes, where=where, other_where=data.location, hint=hint)
    tagger.features.check_same(items.features, where=where, other_where=data.location)
    before, now = config.get("data", {}), _records_of(items)
    if before.get("records", now["records"]) != now["records"]:
        say(
            f"{data.path} has other training videos than when the run was begun: "
            f"{before.get('videos', 0):,} then, {now['videos']:,} now. It goes on with these, and "
            "is not the run that was never stopped"
        )
