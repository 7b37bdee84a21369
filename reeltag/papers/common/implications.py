"""Which class implies which, as an input of steps: counted over labels, or from a file."""

import hashlib
from pathlib import Path

from reeltag.core.errors import DataError
from reeltag.data.class_list import ClassList
from reeltag.data.dataset import Dataset
from reeltag.data.index import Index, open_index
from reeltag.data.label_counts import count_correlation
from reeltag.data.splits import PUBLISHED_SPLITS, Splits
from reeltag.labels.correlation import Correlation
from reeltag.papers.common.data_source import data_source
from reeltag.pipeline.keys import Keyed
from reeltag.pipeline.steps import Source, source, step, step_function

FILE = "implications.parquet"


def implications(
    path: Path | None, index: Index, given: Source, splits: Splits = PUBLISHED_SPLITS
) -> Keyed:
    """Return the file that says which class implies which, as `reeltag labels --out` writes it.

    Args:
        path: such a file, or a folder of TFRecords with the classes of these data, whose training
            videos are counted; None: those of the data themselves.
        index: of the data.
        given: the data.
        splits: the rule by which `train` of the data are counted.

    Raises:
        DataError: the path is not there, or is of other classes.
    """
    if path is None:
        return step(count_labels, given, splits=splits) / FILE
    if not path.exists():
        raise DataError(
            "is not there; it is to tell which class implies which",
            where=path,
            hint="Give a folder of TFRecords, or what `reeltag labels DATA --out P.parquet` makes.",
        )
    if path.is_file() and not path.name.endswith(".tfrecord"):
        known, data = ClassList(Correlation.load(path).names), ClassList(names_of(index))
        known.check_same(data, where=path, other_where=index.root)
        return source(path, hashlib.sha256(path.read_bytes()).hexdigest(), name="implications")
    other = open_index(path)
    if names_of(other) != names_of(index):
        raise DataError(
            f"has another class list ({other.num_classes} classes) than {index.root} "
            f"({index.num_classes}): what its labels imply says nothing of these",
            where=path,
            hint="Lay the class list of the data beside both, or count data of the same classes: "
            "`reeltag labels OTHER --out P.parquet`.",
        )
    return step(count_labels, data_source(path, other), splits=PUBLISHED_SPLITS) / FILE


@step_function("count_labels", version=1)
def count_labels(out: Path, data: Path, *, splits: Splits) -> None:
    """Count which labels appear together in the training videos: `implications.parquet`.

    Args:
        out: of the step.
        data: the data folder.
        splits: the rule that gives a shard its split.
    """
    records = Dataset.open(data, splits=splits).select("train")
    count_correlation(records).save(out / FILE)


def names_of(index: Index) -> tuple[str, ...]:
    """Return the name of each class; numbers where the data come without."""
    found = ClassList.find(index.root)
    return (found or ClassList.numbered(index.num_classes)).names
