"""A second level of trees over the predictions of many models (Samsung: one over 115 networks).

Each candidate class of a video is a row of the label id and each model's probability, and the trees
predict how probable it is that the video has the label. A video that the trees were fitted on is
scored by the booster that has not seen its fold, so that the predictions can become soft labels:

    train_trees(blocks, truth, BLEND / "trees")
    predict_trees(blocks, Trees.load(BLEND / "trees"), OOF.parquet, info)
    reeltag soft-labels --from OOF.parquet --data DATA --out SOFT.parquet

The models must be out of the same folds (`reeltag train --fold.count K`), or a booster learns from
what its models overfit.

Sizes. While trees grow, the rows are on disk, 4 (1 + M) + 1 bytes each; in memory are their bins, a
byte a column, and some 40 bytes a row besides (targets twice, scores, gradients, the order of the
leaves): `TreeSizes`. One booster at a time is in memory.

Samsung's predict() gives the class, 0 or 1, where a score is needed; here all is probabilities.

Letters in shapes: V videos, P rows, M models, K folds.
"""

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reeltag.core.console import say, track
from reeltag.core.errors import ConfigError, DataError
from reeltag.core.files import whole_folder
from reeltag.core.parts import remove_ours
from reeltag.ensembling.alignment import AlignedRows
from reeltag.ensembling.combining import to_rows
from reeltag.ensembling.tree_building import Blocks, build_rows, folds_of
from reeltag.ensembling.tree_config import PUBLISHED, TreeConfig
from reeltag.ensembling.tree_rows import RowFiles, keys_of, rows_of
from reeltag.ensembling.trees import Trees, TreesInfo
from reeltag.evaluation.truth import Truth
from reeltag.predictions.file import PredictionInfo, prediction_writer
from reeltag.predictions.rows import Kind


class TreeSizes(NamedTuple):
    """The disk and memory that rows take.

    Attributes:
        disk: bytes, while trees grow.
        memory: bytes, while one booster grows; an estimate, some 10 % are LightGBM's own.
    """

    disk: int
    memory: int

    @classmethod
    def of(cls, rows: int, models: int, max_bin: int = 255) -> "TreeSizes":
        """Return the sizes of rows of that many models.

        >>> TreeSizes.of(150_000_000, 95)
        TreeSizes(disk=57750000000, memory=20400000000)
        """
        columns = 1 + models
        bins = columns * (1 if max_bin <= 255 else 2)
        return cls(rows * (4 * columns + 1), rows * (bins + 40))


def train_trees(
    blocks: Blocks,
    truth: Truth,
    folder: Path,
    config: TreeConfig = PUBLISHED,
    *,
    models: Sequence[str] = (),
    folds: NDArray[np.integer] | None = None,
    quiet: bool = False,
) -> Trees:
    """Grow one booster for each fold, and return them; they are in `folder` too.

    The blocks are read once, into row files in `folder`, which are removed at the end. The same
    blocks, truth and config give the same trees, whatever the number of threads.

    Args:
        blocks: returns the rows of all models, some at a time: whole videos, or segments, of which
            the rated ones are fitted on.
        truth: of the split of the blocks. Videos without a block are ignored.
        folder: to make; `Trees.load` reads it.
        config: how they grow.
        models: names of the M models; () = numbers.
        folds: (V,) the fold of each video of `truth`, 0 to K - 1; -1 = not fitted on. None: by the
            labels, as `reeltag train --fold.count K --fold.seed S` divides the training split.
        quiet: show no progress and log nothing.

    Raises:
        DataError: there are no blocks, an id is unknown, or a fold lacks positives or negatives.
        ConfigError: `folds` does not fit the videos or the config, or `models` the blocks.
        OutputError: `folder` exists, or the disk is full.
        MissingPackageError: LightGBM is not installed.
    """
    from reeltag.ensembling.tree_growing import bins_of, grow  # LightGBM is an extra

    fold = _video_folds(truth, config, folds)
    with whole_folder(folder) as part:
        begun, rows_folder = time.monotonic(), part / "rows"
        rows_folder.mkdir()
        files, targets, used = build_rows(blocks, truth, rows_folder, config, fold, quiet)
        building = time.monotonic() - begun
        names, num_rows = _model_names(models, files.width - 1), sum(files.counts.values())
        if not quiet:
            _log_rows(files, config, building)
        bins = bins_of(files, config)
        grown = [grow(files, bins, at, config, quiet) for at in range(config.folds)]
        info = TreesInfo(
            num_classes=truth.num_classes,
            models=names,
            config=config,
            videos=int(used.sum()),
            rows=num_rows,
            bytes_on_disk=TreeSizes.of(num_rows, len(names)).disk,
            seconds_building=round(building, 3),
            boosters=tuple(history for _, history in grown),
        )
        order = np.flatnonzero(used)[np.argsort(targets.keys[used])]
        trees = Trees(info, tuple(one for one, _ in grown), targets.keys[order], fold[order])
        trees.save(part)
        remove_ours(rows_folder)
    return trees


def _model_names(given: Sequence[str], count: int) -> tuple[str, ...]:
    """Return the names of the models, numbers where none are given."""
    names = tuple(given) or tuple(f"model {at}" for at in range(count))
    if len(names) != count:
        raise ConfigError(f"{len(names)} names of models, but {count} columns")
    return names


def _video_folds(
    truth: Truth, config: TreeConfig, folds: NDArray[np.integer] | None
) -> NDArray[np.int16]:
    """Return (V,) the fold of each video; ConfigError where they do not fit the videos."""
    if folds is None:
        return folds_of(truth, config.folds, config.seed)
    if len(folds) != len(truth):
        raise ConfigError(f"{len(folds)} folds were given for {len(truth)} videos")
    if len(folds) and not (folds.min() >= -1 and folds.max() < config.folds):
        raise ConfigError(
            f"there is a fold {folds.max()}, but trees.folds = {config.folds}"
            if folds.max() >= config.folds
            else f"a fold must be -1 or more, got {folds.min()}"
        )
    return folds.astype(np.int16)


def predict_trees(
    blocks: Iterable[AlignedRows],
    trees: Trees,
    out: Path,
    info: PredictionInfo,
    *,
    quiet: bool = False,
) -> dict[Kind, int]:
    """Write the trees' predictions of each candidate as a file; return its rows by kind.

    Scores are logits of the trees' probability. A video that the trees were fitted on is scored by
    the booster that has not seen it, any other by the mean of all. Videos before segments.

    Args:
        blocks: of the same models, in the same order, as the trees were grown over.
        trees: of `train_trees`.
        out: the file to make.
        info: stored in it.
        quiet: show no progress and log nothing.

    Raises:
        DataError: a block has another number of models than the trees.
        OutputError: `out` cannot be written.
    """
    written: dict[Kind, int] = {}
    known = 0
    width = len(trees.info.models)
    with prediction_writer(out, info) as writer:
        for block in blocks if quiet else track(blocks, "scoring by trees"):
            if block.logits.shape[1] != width:
                raise DataError(
                    f"the trees were grown over {width} models ({', '.join(trees.info.models)}), "
                    f"the predictions are of {block.logits.shape[1]}",
                    hint="Give one file of each of these models, in this order.",
                )
            folds = trees.folds_of(keys_of(block.ids))
            known += int((folds >= 0).sum())
            logits = trees.logits(rows_of(block), folds[block.row_of_entry()])
            best = np.lexsort((block.classes, -logits, block.row_of_entry()))
            writer.write(to_rows(block, best, logits))
            written[block.kind] = written.get(block.kind, 0) + len(block)
    if known and len(trees.boosters) == 1 and not quiet:
        say(f"{known:,} of these videos the trees were fitted on: scores on them are too high")
    return written


def _log_rows(files: RowFiles, config: TreeConfig, seconds: float) -> None:
    rows, positives = sum(files.counts.values()), sum(files.positives.values())
    disk, memory = TreeSizes.of(rows, files.width - 1, config.max_bin)
    say(
        f"{rows:,} rows of {files.width} columns, {positives / rows:.1%} positive, in "
        f"{seconds:.1f} s ({rows / max(seconds, 1e-9):,.0f} rows/s): {disk / 1e9:.2f} GB on disk, "
        f"{memory / 1e9:.2f} GB of memory while trees grow"
    )
