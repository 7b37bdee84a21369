"""How the video-level labels of a data set depend on each other, counted from its index."""

from reeltag.core.errors import DataError
from reeltag.core.sparse import SparseRows
from reeltag.data.class_list import ClassList
from reeltag.data.selection import Records
from reeltag.labels.cooccurrence import count_cooccurrence
from reeltag.labels.correlation import Correlation


def count_correlation(records: Records) -> Correlation:
    """Return which classes appear together in the videos of a split, with the names of classes.

    Classes of data without a vocabulary are numbered.

    Raises:
        DataError: none of the videos has a label.
    """
    index = records.index
    labels = SparseRows(*records.lists("labels"))
    if not len(labels.classes):
        raise DataError(
            f"none of the {len(records):,} videos of the split {records.split!r} has a label",
            where=index.root,
            hint="Choose a split that has labels, with --split or --train GLOB.",
        )
    found = ClassList.find(index.root)
    names = (found or ClassList.numbered(index.num_classes)).names
    counts = count_cooccurrence(labels, len(names))
    return Correlation(counts, names, len(records), f"{index.root}, split {records.split}")
