"""How the video-level labels of a data set depend on each other, counted from its index."""

from reeltag.core.errors import DataError
from reeltag.core.sparse import SparseRows
from reeltag.data.selection import Records
from reeltag.labels.cooccurrence import count_cooccurrence
from reeltag.labels.correlation import Correlation


def count_correlation(records: Records) -> Correlation:
    """Return which classes appear together in the videos of a split, with the names of classes.

    Classes of data without a class list are numbered.

    Args:
        records: whose labels are counted.

    Raises:
        DataError: none of the videos has a label.
    """
    labels = SparseRows(*records.lists("labels"))
    if not len(labels.classes):
        raise DataError(
            f"none of the {len(records):,} videos of the split {records.split!r} has a label",
            where=records.dataset.location,
            hint="Choose a split that has labels, with --split or --train GLOB.",
        )
    data = records.dataset
    counts = count_cooccurrence(labels, data.num_classes)
    source = f"{data.root}, split {records.split}"
    return Correlation(counts, data.classes.names, len(records), source)
