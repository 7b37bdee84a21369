"""What is known of the classes, as inputs of steps: which implies which, and vectors of names."""

import hashlib
from pathlib import Path

from reeltag.core.errors import DataError
from reeltag.data.class_list import ClassList
from reeltag.data.dataset import Dataset
from reeltag.data.indexing.shard_names import is_shard_name
from reeltag.data.label_counts import count_correlation
from reeltag.data.splits import PUBLISHED_SPLITS, Splits
from reeltag.labels.correlation import Correlation
from reeltag.labels.vectors import LabelVectors
from reeltag.papers.common.costs import files_cost
from reeltag.papers.common.dataset_source import (
    DataLocation,
    DatasetSource,
    dataset_source,
    open_data,
)
from reeltag.pipeline.keys import Keyed
from reeltag.pipeline.steps import source, step, step_function

FILE = "implications.parquet"


def implications(
    path: Path | None, data: Dataset, given: DatasetSource, splits: Splits = PUBLISHED_SPLITS
) -> Keyed:
    """Return the file that says which class implies which, as `reeltag labels --out` writes it.

    Args:
        path: such a file, or a folder of TFRecords with the classes of these data, whose training
            videos are counted; None: those of the data themselves.
        data: the data set.
        given: the same, as an input of steps.
        splits: the rule by which `train` of the data is counted.

    Raises:
        DataError: nothing is at the path, or it is of other classes.
    """
    if path is None:
        return step(count_labels, given.without_ratings, splits=splits) / FILE
    if not path.exists():
        raise DataError(
            "is not there, and is needed for which class implies which",
            where=path,
            hint="Give a folder of TFRecords, or what `reeltag labels DATA --out P.parquet` makes.",
        )
    if path.is_file() and not is_shard_name(path.name):
        known = ClassList(Correlation.load(path).names)
        known.check_same(data.classes, where=path, other_where=data.location)
        return file_source(path, "implications")
    other = Dataset.open(path)
    other.classes.check_same(data.classes, where=path, other_where=data.location)
    return step(count_labels, dataset_source(other), splits=PUBLISHED_SPLITS) / FILE


def label_vectors(path: Path | None, data: Dataset) -> Keyed | None:
    """Return the file of label vectors, if one is given.

    Args:
        path: as `reeltag labels --vectors` writes it; None: none.
        data: whose classes it must be of.

    Raises:
        DataError: it cannot be read, or is of other classes than the data.
    """
    if path is None:
        return None
    known = ClassList(LabelVectors.load(path).names)
    known.check_same(data.classes, where=path, other_where=data.location)
    return file_source(path, "vectors")


def file_source(path: Path, name: str) -> Keyed:
    """Return a file as an input of steps, identified by what is in it."""
    return source(path, hashlib.sha256(path.read_bytes()).hexdigest(), name=name)


@step_function("count_labels", version=1, cost=files_cost)
def count_labels(out: Path, data: DataLocation, *, splits: Splits) -> None:
    """Count which labels appear together in the training videos: `implications.parquet`.

    Args:
        out: folder of the step.
        data: where the data set is.
        splits: the rule that gives a shard its split.
    """
    records = open_data(data, splits).select("train")
    count_correlation(records).save(out / FILE)
