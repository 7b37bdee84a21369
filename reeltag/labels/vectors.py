"""Vectors of classes that mean something: near each other where the classes' names are.

Shape letters: C classes, V size of a vector.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from reeltag.core.arrow_files import arrow_sink, arrow_source
from reeltag.core.errors import DataError, reason_of
from reeltag.core.files import PathLike, whole_file

_HINT = (
    "Such a file has the columns name and vector, a row a class: `reeltag labels DATA --vectors "
    "V.parquet` writes one."
)


@dataclass(frozen=True, eq=False)
class LabelVectors:
    """A vector for each class of a class list.

    Attributes:
        names: (C,) the class list that they are of.
        vectors: (C, V) float32, finite.
        source: what computed them, or the file that they were read from.
    """

    names: tuple[str, ...]
    vectors: NDArray[np.float32]
    source: str = ""

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2 or len(self.vectors) != len(self.names):
            raise ValueError(f"vectors {self.vectors.shape} of {len(self.names)} classes")

    def standardised(self, std: float) -> NDArray[np.float32]:
        """Return the vectors (C, V) around 0, their entries of a standard deviation together.

        What all classes have in common says nothing of any of them: their mean is taken away.
        Vectors that are alike but for rounding become 0.

        Args:
            std: of all entries together.
        """
        vectors_CV = self.vectors.astype(np.float64)
        centred_CV = vectors_CV - vectors_CV.mean(axis=0)
        deviation, rounding = centred_CV.std(), np.finfo(np.float32).eps * abs(vectors_CV).max()
        factor = std / deviation if deviation > rounding else 0.0
        scaled_CV: NDArray[np.float32] = (centred_CV * factor).astype(np.float32)
        return scaled_CV

    def save(self, path: PathLike) -> None:
        """Write a Parquet file, whole or not at all: a row is a class, `name` and `vector`.

        Args:
            path: of the file.

        Raises:
            OutputError: it cannot be written.
        """
        width = self.vectors.shape[1]
        flat = pa.array(self.vectors.reshape(-1), pa.float32())
        columns = {
            "name": pa.array(self.names, pa.string()),
            "vector": pa.FixedSizeListArray.from_arrays(flat, width),
        }
        table = pa.table(columns).replace_schema_metadata({b"source": self.source.encode()})
        with whole_file(Path(path)) as part, arrow_sink(part) as sink:
            pq.write_table(table, sink, compression="zstd")

    @classmethod
    def load(cls, path: PathLike) -> "LabelVectors":
        """Read what `save` wrote, or any table with these columns; `source` is then the path.

        Args:
            path: of the file.

        Raises:
            DataError: there is no such file, it has no such columns, or its vectors are of several
                sizes or not finite.
        """
        path = Path(path)
        if not path.is_file():
            what = "is a folder, not a file" if path.is_dir() else "is not there"
            raise DataError(what, where=path, hint=_HINT)
        try:
            table = pq.read_table(arrow_source(path))
        except (OSError, ValueError, pa.ArrowException) as error:
            what = f"cannot be read as Parquet ({reason_of(error)})"
            raise DataError(what, where=path, hint=_HINT) from error
        if not {"name", "vector"} <= {*table.column_names}:
            found = ", ".join(table.column_names) or "none"
            raise DataError(f"has no columns name and vector, but {found}", where=path, hint=_HINT)
        return cls(*_columns(table, path), source=str(path))


def _columns(table: pa.Table, path: Path) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """Return names (C,) and vectors (C, V) of a table; DataError: they are something else."""
    kind = table["vector"].type
    lists = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    if not (lists or pa.types.is_fixed_size_list(kind)):
        raise DataError(f"its column vector holds {kind}, not lists", where=path, hint=_HINT)
    if table["name"].null_count or table["vector"].null_count:
        raise DataError("has a row without a name or a vector", where=path, hint=_HINT)
    try:
        names = tuple(table["name"].cast(pa.string()).to_pylist())
        rows = table["vector"].cast(pa.list_(pa.float32())).combine_chunks()
    except pa.ArrowException as error:
        what = f"its columns are no texts and numbers ({reason_of(error)})"
        raise DataError(what, where=path, hint=_HINT) from error
    sizes = np.unique(np.diff(np.asarray(rows.offsets)))
    if len(sizes) != 1 or sizes[0] < 1:
        words = "no vectors" if not len(names) else f"vectors of {sizes.tolist()[:4]} numbers"
        raise DataError(f"has {words}; all must be of one size", where=path, hint=_HINT)
    vectors_CV = rows.flatten().to_numpy(zero_copy_only=False).astype(np.float32)
    vectors_CV = vectors_CV.reshape(len(names), int(sizes[0]))
    if not np.isfinite(vectors_CV).all():
        bad = int(np.flatnonzero(~np.isfinite(vectors_CV).all(axis=1))[0])
        raise DataError(f"the vector of {names[bad]!r} is not finite", where=path, hint=_HINT)
    return names, vectors_CV
