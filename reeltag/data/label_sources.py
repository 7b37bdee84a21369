"""Where the labels of a data set come from: the column source of its labels.csv."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reeltag.data.annotation_tables import id_column, read_table, strings
from reeltag.data.dataset import Dataset, files_of_source


@dataclass(frozen=True)
class LabelSource:
    """Labels of one source.

    Attributes:
        source: "folders", "encoder:yamnet", ...; "given": rows that name none.
        labels: rows.
        videos: that have such a label.
        confidence: mean over the rows that have one; None where none has.
    """

    source: str
    labels: int
    videos: int
    confidence: float | None


def label_sources(data: Dataset) -> list[LabelSource]:
    """Return the sources of the labels, by name; none where their files have no such column.

    Args:
        data: whose files of labels are read.

    Raises:
        DataError: a file cannot be read.
    """
    parts = []
    for path in files_of_source(data.sources.get("labels", ())):
        table = read_table(path)
        if "source" in table.column_names:
            ids = id_column(table, path, "id, class")
            source = strings(table["source"], path)
            confidence = [np.nan] * len(table)
            if "confidence" in table.column_names:
                confidence = [_number(of) for of in strings(table["confidence"], path).to_pylist()]
            parts.append(pa.table({"id": ids, "source": source, "confidence": confidence}))
    if not parts:
        return []
    table = pa.concat_tables(parts)
    table = table.set_column(
        1, "source", pc.if_else(pc.equal(table["source"], ""), "given", table["source"])
    )
    found = []
    for name in sorted(pc.unique(table["source"]).to_pylist()):
        rows = table.filter(pc.equal(table["source"], name))
        values = rows["confidence"].to_numpy()
        known = values[np.isfinite(values)]
        mean = float(known.mean()) if len(known) else None
        found.append(LabelSource(name, len(rows), len(pc.unique(rows["id"])), mean))
    return found


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.nan
