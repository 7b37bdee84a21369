"""Labels and rated classes that are text: names, MIDs or digits, explained by the class list."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from reeltag.core.console import say
from reeltag.data.annotations import replace_columns
from reeltag.data.class_cells import UNKNOWN, indices_of
from reeltag.data.class_list import ClassList
from reeltag.data.index import Index
from reeltag.data.records.problems import Problem, from_text, to_text
from reeltag.data.streams import TABLE_SCHEMA

_SHOWN = 3  # unknown names that are shown
_CLASSES = "segment_labels"
_RATINGS = ("segment_starts", "segment_ends", _CLASSES, "segment_scores")


def with_named_labels(index: Index, classes: ClassList | None) -> Index:
    """Return the index with labels for the records that have text as labels.

    Without a class list such records are skipped: what their labels mean is unknown. Names that it
    lacks are dropped, counted and named.

    Args:
        index: of the records.
        classes: of the data; None: there is no list.
    """
    column = index.table["label_names"].combine_chunks()
    count_R = pc.list_value_length(column).to_numpy()
    is_named_R = count_R > 0
    if not is_named_R.any():
        return index
    if classes is None:
        return _marked(index, is_named_R, Problem.BAD_LABELS)
    found, code, is_unknown = _explained(index, column.flatten(), classes, "labels")
    labels = index.table["labels"].to_pylist()
    row = np.repeat(np.arange(len(count_R)), count_R)
    for at in np.flatnonzero(is_named_R).tolist():
        labels[at] = set()
    for at, value in zip(row.tolist(), code.tolist(), strict=True):
        labels[at].update(of for of in found[value] if of != UNKNOWN)
    sorted_labels = pa.array([sorted(of) for of in labels], pa.list_(pa.int32()))
    index = replace_columns(index, {"labels": sorted_labels})
    outside_R = np.zeros(len(count_R), bool)
    outside_R[row[is_unknown[code]]] = True
    return _marked(index, outside_R, Problem.LABEL_OUTSIDE)


def with_named_ratings(index: Index, classes: ClassList | None) -> Index:
    """Return the index with classes for the ratings of records that have text as `segment_labels`.

    Without a class list these ratings are dropped, and so are those of a class that it lacks; both
    are counted and named. A text that names several classes is a rating of each.

    Args:
        index: of the records.
        classes: of the data; None: there is no list.
    """
    column = index.table["segment_names"].combine_chunks()
    count_R = pc.list_value_length(column).to_numpy()
    is_text_R = count_R > 0
    if not is_text_R.any():
        return index
    columns = {name: index.table[name].to_pylist() for name in _RATINGS}
    names = column.flatten()
    found, code, is_unknown = list[list[int]](), np.zeros(len(names), np.int64), np.zeros(0, bool)
    if classes is not None:
        found, code, is_unknown = _explained(index, names, classes, "ratings of classes")
    first = np.cumsum(count_R) - count_R
    for row in np.flatnonzero(is_text_R).tolist():
        codes = code[first[row] : first[row] + count_R[row]].tolist()
        of = [found[value] if found else [] for value in codes]
        repeats = [[at] * sum(c != UNKNOWN for c in some) for at, some in enumerate(of)]
        places = [at for some in repeats for at in some]
        for name in _RATINGS:
            columns[name][row] = [columns[name][row][at] for at in places]
        columns[_CLASSES][row] = [c for some in of for c in some if c != UNKNOWN]
    index = replace_columns(
        index, {name: pa.array(of, TABLE_SCHEMA.field(name).type) for name, of in columns.items()}
    )
    if classes is None:
        return _marked(index, is_text_R, Problem.SEGMENT_TEXT)
    outside_R = np.zeros(len(count_R), bool)
    outside_R[np.repeat(np.arange(len(count_R)), count_R)[is_unknown[code]]] = True
    return _marked(index, outside_R, Problem.LABEL_OUTSIDE)


def _explained(
    index: Index, names: pa.Array, classes: ClassList, what: str
) -> tuple[list[list[int]], NDArray[np.int64], NDArray[np.bool_]]:
    """Return the classes of each different text, which text each one is, and which are unknown."""
    values = pc.unique(names)
    found = [indices_of(value, classes) for value in values.to_pylist()]
    is_unknown = np.array([UNKNOWN in of for of in found], bool)
    if is_unknown.any():
        unknown = values.filter(pa.array(is_unknown)).to_pylist()
        shown = ", ".join(map(repr, unknown[:_SHOWN])) + ", ..." * (len(unknown) > _SHOWN)
        say(f"{index.root}: {what} that are not in the class list are dropped: {shown}")
    return found, pc.index_in(names, value_set=values).to_numpy(), is_unknown


def _marked(index: Index, rows_R: NDArray[np.bool_], problem: Problem) -> Index:
    """Return the index with one more problem for some records."""
    if not rows_R.any():
        return index
    texts = index.table["problem"].to_pylist()
    for row in np.flatnonzero(rows_R).tolist():
        texts[row] = to_text(from_text(texts[row]) | problem.bit)
    skip = index.table["skip"].to_numpy() | (rows_R & problem.skips)
    columns = {"problem": pa.array(texts, pa.string()), "skip": pa.array(skip)}
    return replace_columns(index, columns)
