"""Check that no model of an ensemble was trained on the videos that weights are fitted on.

A model is surer of its training videos than of others. Weights fitted there trust the model that
overfits most, and are worse than none on videos that are new to all.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reeltag.core.addresses import address_of, path_in
from reeltag.core.errors import ConfigError, ReeltagError
from reeltag.core.fields import entry, from_json
from reeltag.data.dataset import Dataset
from reeltag.data.folding import held_out_rows, rows_to_train_on
from reeltag.data.origin import origin_of
from reeltag.ensembling.ordering import id_hashes
from reeltag.labels.folds import FoldConfig
from reeltag.labels.random_keys import id_keys
from reeltag.predictions.file import Predictions
from reeltag.predictions.rows import Kind
from reeltag.tagger.run_files import read_config
from reeltag.training.run_folder import open_data, read_splits

_HINT = (
    "Fit on videos that no model was trained on: --split validate, or out-of-fold predictions "
    "(`reeltag predict RUN --split train --fold.count K --fold.hold-out F`). --allow-leak fits "
    "anyway."
)
Hashes = NDArray[np.uint64]


def check_leak(files: Sequence[Predictions], kind: Kind, data: Dataset) -> None:
    """Raise ConfigError where a model was trained on a video of the files.

    The ids that a run was trained on are, by its config.json, those of its training shards without
    the fold that it held out. Where the run or its data are gone, a file of the training split is
    refused.

    Args:
        files: with the same rows.
        kind: of the rows that are fitted on.
        data: the data to fit on; in place of those of a run that are gone.
    """
    fitted_on = id_hashes(files[0], kind)
    known: dict[str, Hashes] = {}
    for file in files:
        config = _config_of(file)
        if config is None:
            if file.info.split in ("train", "all"):
                raise ConfigError(
                    f"is of the split {file.info.split!r}, and it is not known which of its videos "
                    "the model was not trained on",
                    where=file.path,
                    hint=_HINT,
                )
            continue
        fold = config.get("recipe", {}).get("fold", {})
        key = json.dumps([config["data"], fold], sort_keys=True)
        if key not in known:
            known[key] = _trained_on(Path(file.info.run), config, fold, data)
        leaked = np.isin(fitted_on, known[key])
        if leaked.any():
            raise ConfigError(
                f"{leaked.sum():,} of the {len(fitted_on):,} {kind} are of videos that "
                f"{file.info.run} was trained on",
                where=file.path,
                hint=_HINT,
            )


def _config_of(file: Predictions) -> dict[str, Any] | None:
    """Return the config.json of the run of a file; None where it is gone or has no data."""
    run = Path(file.info.run)
    if not file.info.run or not (run / "config.json").is_file():
        return None
    config = read_config(run)
    return config if "data" in config else None  # else it was not trained here


def _trained_on(
    run: Path, config: Mapping[str, Any], fold: Mapping[str, Any], data: Dataset
) -> Hashes:
    """Return the hashes of the ids that a run was trained on; of augmented samples the source's."""
    where = run / "config.json"
    root = path_in(run, entry(config, "data.root", where=where))
    if address_of(root) or root.exists():
        data = open_data(run, config, quiet=True)
    data = data.with_splits(read_splits(config, where=where))
    held_out = from_json(FoldConfig, fold, where=where, field="recipe.fold")
    try:
        rows = data.rows("train")
    except ReeltagError:  # other data where those of the run were
        return np.zeros(0, np.uint64)
    if held_out.count:
        rows = rows[rows_to_train_on(data, held_out_rows(data, held_out))[rows]]
    names = data.table["id"].take(pa.array(rows)).to_pylist()
    return id_keys([origin_of(name).source for name in names], 0, "blending")
