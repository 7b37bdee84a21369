"""The order of the rows of prediction files: compared, and aligned.

Rows are identified by 64-bit hashes of their ids and starts, so that 6 M videos take 48 MB.

Letters in shapes: N rows.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from reeltag.core.arrow_files import arrow_sink, arrow_source
from reeltag.core.errors import DataError, reason_of
from reeltag.labels.random_keys import id_keys
from reeltag.predictions.file import Predictions
from reeltag.predictions.rows import WHOLE_VIDEO, Kind, PredictionRows, row_name, window_keys
from reeltag.predictions.sealed_parquet import open_checked

_TIMES = ("start_s", "end_s")
_READ_ROWS = 1 << 16
_BUCKETS = 256  # temporary files at most: so many are open at a time
_BUCKET_ROWS = 4096  # in one of them at least
_HELD_PAIRS = 1 << 22  # that are sorted at a time on the way into them: 32 MB
_HINT = "Predict with each model on the same data and the same --split."


def order_digest(file: Predictions, kind: Kind) -> bytes:
    """Return a digest of the ids and times of a file's rows, and of their order."""
    names, lengths, times = (hashlib.blake2b(digest_size=16) for _ in range(3))
    for ids, seconds in _keyed(file, kind):
        _, ends, letters = ids.buffers()
        offsets = np.frombuffer(ends, np.int32, len(ids) + 1, 4 * ids.offset)
        names.update(memoryview(letters or b"")[offsets[0] : offsets[-1]])
        lengths.update(np.diff(offsets).tobytes())
        times.update(seconds.tobytes())
    return names.digest() + lengths.digest() + times.digest()


def id_hashes(file: Predictions, kind: Kind) -> NDArray[np.uint64]:
    """Return (N,) `id_keys(..., 0, "blending")` of each row's id."""
    parts = [_id_keys(ids) for ids, _ in _keyed(file, kind)]
    return np.concatenate([np.zeros(0, np.uint64), *parts])


def row_keys(file: Predictions, kind: Kind) -> NDArray[np.uint64]:
    """Return (N,) a hash of each row's id and times, each once.

    Args:
        file: of predictions.
        kind: videos or segments.

    Raises:
        DataError: the file is damaged, or has two rows for one video or segment.
    """
    parts = [_row_keys(ids, times) for ids, times in _keyed(file, kind)]
    keys = np.concatenate([np.zeros(0, np.uint64), *parts])
    rising = np.sort(keys)
    twice = rising[1:] == rising[:-1]
    if twice.any():
        raise _twice(file, kind, int(np.flatnonzero(keys == rising[1:][twice.argmax()])[1]))
    return keys


def in_order_of(
    first: Predictions,
    keys: NDArray[np.uint64],
    order: NDArray[np.int64],
    file: Predictions,
    kind: Kind,
    folder: Path,
) -> Iterator[PredictionRows]:
    """Return the rows of `file` in the order of those of `first`, by way of temporary files.

    Args:
        first: that gives the order.
        keys: (N,) its `row_keys`.
        order: (N,) that sorts them.
        file: with the same N rows.
        kind: of rows.
        folder: to make; its files are removed as they are read.

    Raises:
        DataError: the files have other rows, or a row twice, or a file is damaged. Raised at once,
            before the first row is returned.
    """
    places = _Places(first, keys, order, file, kind)
    buckets = _Buckets(folder, len(keys))
    for rows in file.rows(kind):
        buckets.add(rows, places.of(rows))
    buckets.close()
    places.check_complete()
    return buckets.read(kind)


class _Places:
    """The place in the first file of each row of another file; each once."""

    def __init__(
        self,
        first: Predictions,
        keys: NDArray[np.uint64],
        order: NDArray[np.int64],
        file: Predictions,
        kind: Kind,
    ) -> None:
        self._first, self._file, self._kind = first, file, kind
        self._rising, self._order = keys[order], order
        self._seen = np.zeros(len(keys), bool)
        self._done = 0

    def of(self, rows: PredictionRows) -> NDArray[np.int64]:
        """Return (N,) the place of each row."""
        keys = _row_keys(rows.ids, np.stack([rows.starts, rows.ends]))
        found = np.minimum(np.searchsorted(self._rising, keys), len(self._rising) - 1)
        if (self._rising[found] != keys).any():
            raise self._unknown()
        place = self._order[found]
        unique, at = np.unique(place, return_index=True)
        again = np.ones(len(place), bool)
        again[at] = self._seen[unique]
        if again.any():
            raise _twice(self._file, self._kind, self._done + int(again.argmax()))
        self._seen[unique] = True
        self._done += len(rows)
        return place

    def _unknown(self) -> DataError:
        keys = [_row_keys(*each) for each in _keyed(self._file, self._kind)]
        unknown = ~np.isin(np.concatenate(keys), self._rising)
        if unknown.all():
            which = f"none of its {len(unknown):,} {self._kind} is in"
        else:
            which = f"{unknown.sum():,} of its {len(unknown):,} {self._kind} are not in"
        some = _named(self._file, self._kind, unknown)
        return DataError(f"{which} {self._first.path}: {some}", where=self._file.path, hint=_HINT)

    def check_complete(self) -> None:
        """Raise DataError if the other file has fewer rows than the first."""
        missing = ~self._seen
        if missing.any():
            raise DataError(
                f"lacks {missing.sum():,} of the {len(missing):,} {self._kind} of "
                f"{self._first.path}: {_named(self._first, self._kind, missing)}",
                where=self._file.path,
                hint=_HINT,
            )


class _Buckets:
    """PredictionRows on disk, each in the file of its place, to be read back in order.

    Args:
        folder: to be made.
        num_rows: N.
    """

    def __init__(self, folder: Path, num_rows: int) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._size = max(_BUCKET_ROWS, -(-num_rows // _BUCKETS))
        self._schema = PredictionRows.SCHEMA.append(pa.field("place", pa.int64()))
        paths = [folder / f"{at}.arrow" for at in range(-(-num_rows // self._size))]
        self._files = [pa.ipc.new_stream(arrow_sink(path), self._schema) for path in paths]
        self._paths, self._held, self._pairs = paths, list[pa.RecordBatch](), 0

    def add(self, rows: PredictionRows, place: NDArray[np.int64]) -> None:
        """Add rows (N,) with their places (N,)."""
        batch = rows.to_arrow()
        columns = [*batch.columns, pa.array(place)]
        self._held.append(pa.RecordBatch.from_arrays(columns, schema=self._schema))
        self._pairs += len(rows.classes)
        if self._pairs > _HELD_PAIRS:
            self._flush()

    def _flush(self) -> None:
        table = _sorted(pa.Table.from_batches(self._held, self._schema))
        places = table["place"].to_numpy()
        bounds = np.searchsorted(places, np.arange(len(self._files) + 1) * self._size)
        for at in np.flatnonzero(np.diff(bounds)).tolist():
            self._files[at].write_table(table.slice(bounds[at], bounds[at + 1] - bounds[at]))
        self._held, self._pairs = [], 0

    def close(self) -> None:
        """Write the rows that are held."""
        if self._held:
            self._flush()
        for file in self._files:
            file.close()

    def read(self, kind: Kind) -> Iterator[PredictionRows]:
        """Yield the rows by ascending place; a file is removed once it is read."""
        for path in self._paths:
            with arrow_source(path) as file, pa.ipc.open_stream(file) as stream:
                table = _sorted(stream.read_all())
            path.unlink()
            for batch in table.select(PredictionRows.SCHEMA.names).combine_chunks().to_batches():
                yield PredictionRows.from_arrow(batch)


def _sorted(table: pa.Table) -> pa.Table:
    return table.take(pc.sort_indices(table["place"])).combine_chunks()


def _id_keys(ids: pa.Array) -> NDArray[np.uint64]:
    return id_keys(ids.to_pylist(), 0, "blending")


def _row_keys(ids: pa.Array, times: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Return (N,) a hash of each id with its start and end (2, N)."""
    return window_keys(_id_keys(ids), *times)


def _keyed(file: Predictions, kind: Kind) -> Iterator[tuple[pa.Array, NDArray[np.float64]]]:
    """Yield the ids (N,) of a file's rows, their starts and ends (2, N), without their scores."""
    try:
        with open_checked(file.parquet, pre_buffer=False) as parquet:
            for batch in parquet.iter_batches(_READ_ROWS, columns=["id", "start_s", "end_s"]):
                is_video = pc.is_null(batch.column("start_s"))
                mine = batch.filter(is_video if kind == "videos" else pc.invert(is_video))
                if mine.column("id").null_count:
                    raise file.broken("has a row without an id")
                if len(mine):
                    times = (mine.column(name).fill_null(WHOLE_VIDEO) for name in _TIMES)
                    seconds = np.stack([column.to_numpy() for column in times])
                    yield mine.column("id").cast(pa.string()), seconds
    except (OSError, ValueError, pa.ArrowException) as error:
        raise file.broken(f"cannot be read ({reason_of(error)})") from error


def _named(file: Predictions, kind: Kind, chosen: NDArray[np.bool_]) -> str:
    """Return the names of the first three of the chosen rows (N,)."""
    wanted, names, done = np.flatnonzero(chosen)[:3], [], 0
    for ids, (starts, _) in _keyed(file, kind):
        here = wanted[(wanted >= done) & (wanted < done + len(ids))] - done
        names += [row_name(ids[at].as_py(), float(starts[at])) for at in here.tolist()]
        done += len(ids)
    return ", ".join(names) + (", ..." if chosen.sum() > 3 else "")


def _twice(file: Predictions, kind: Kind, row: int) -> DataError:
    chosen = np.zeros(row + 1, bool)
    chosen[row] = True
    return DataError(
        f"has more than one row for {_named(file, kind, chosen)}; it must have one",
        where=file.path,
        hint="Were two prediction files joined? Blend them one at a time.",
    )
