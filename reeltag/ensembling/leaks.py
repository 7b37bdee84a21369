"""Were the models of an ensemble trained on the videos that it is to be fitted on?

A model is surer of what it was trained on than of anything else. Weights fitted there trust the
model that remembers best, and are worse than none on videos that are new to all.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reeltag.core.errors import ConfigError, ReeltagError
from reeltag.core.fields import entry, from_json
from reeltag.data.folding import held_out_rows, rows_to_train_on
from reeltag.data.index import open_index
from reeltag.data.origin import origin_of
from reeltag.data.splits import Splits
from reeltag.ensembling.ordering import id_hashes
from reeltag.labels.folds import FoldConfig
from reeltag.labels.random_keys import id_keys
from reeltag.predictions.file import Predictions
from reeltag.predictions.rows import Kind
from reeltag.tagger.tagger import read_config

_HINT = (
    "Fit on videos that no model was trained on: --split validate, or out-of-fold predictions "
    "(`reeltag predict RUN --split train --fold.count K --fold.hold-out F`). --allow-leak fits all "
    "the same."
)
Hashes = NDArray[np.uint64]


def refuse_leak(files: Sequence[Predictions], kind: Kind, data: Path) -> None:
    """Raise ConfigError where a model was trained on a video that the files are about.

    What counts are the ids that the run of a file, by its config.json, was trained on: those of its
    training shards but the fold that it held out. Where the run or its data are gone, a file that
    says it is of the training split is refused.

    Args:
        files: about the same things.
        kind: of the rows that are to be fitted on.
        data: the data to fit on; in place of those of a run that are gone.
    """
    judged = id_hashes(files[0], kind)
    known: dict[tuple[Path, Splits, FoldConfig], Hashes] = {}
    for file in files:
        asked = _asked(file, data)
        if asked is None:
            if file.info.split in ("train", "all"):
                raise ConfigError(
                    f"is of the split {file.info.split!r}, and nothing tells which of its videos "
                    "the model was not trained on",
                    where=file.path,
                    hint=_HINT,
                )
            continue
        if asked not in known:
            known[asked] = _trained_on(*asked)
        leaked = np.isin(judged, known[asked])
        if leaked.any():
            raise ConfigError(
                f"{leaked.sum():,} of the {len(judged):,} {kind} are of videos that "
                f"{file.info.run} was trained on",
                where=file.path,
                hint=_HINT,
            )


def _asked(file: Predictions, data: Path) -> tuple[Path, Splits, FoldConfig] | None:
    """Return the data, splits and fold of the run of a file; None where they cannot be known."""
    run = Path(file.info.run)
    if not file.info.run or not (run / "config.json").is_file():
        return None
    where, config = run / "config.json", read_config(run)
    if "data" not in config:  # was not trained here
        return None
    splits = entry(config, "data.splits", where=where)
    fold = config.get("recipe", {}).get("fold", {})
    root = Path(entry(config, "data.root", where=where))
    return (
        root if root.exists() else data,
        from_json(Splits, splits, where=where, field="data.splits"),
        from_json(FoldConfig, fold, where=where, field="recipe.fold"),
    )


def _trained_on(root: Path, splits: Splits, fold: FoldConfig) -> Hashes:
    """Return the hashes of the ids that a run was trained on, sources of made samples included."""
    index = open_index(root, quiet=True)
    try:
        shards = splits.shards(index, "train")
    except ReeltagError:  # other data in the place of those of the run
        return np.zeros(0, np.uint64)
    rows = np.isin(index.table["shard"].to_numpy(), shards) & ~index.table["skip"].to_numpy()
    if fold.count:
        rows &= rows_to_train_on(index, held_out_rows(index, splits, fold))
    names = index.table["id"].filter(rows).to_pylist()
    return id_keys([origin_of(name).source for name in names], 0, "blending")
