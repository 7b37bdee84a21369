"""Parquet, Arrow and Feather files: a row per frame, per video, or per vector.

A column `id`, `video`, `video_id` or `file` gives the video of a row; columns of lists of
numbers are its streams. Rows of one video are together; `frame` or `time_s` gives their order.
"""

import re
from bisect import bisect
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reeltag.core.arrow_files import arrow_source, mapped_source
from reeltag.core.errors import DataError, reason_of
from reeltag.data.importing.sources import Array, Content, FoundVideo, Key, time_before

ID_COLUMNS = ("id", "video", "video_id", "file")
_FRAME, _TIME = "frame", "time_s"
_EXTENSION = re.compile(r"\.[A-Za-z][A-Za-z0-9]{1,4}$")
_BATCH = 1024  # rows decoded at once, of features
_BATCH_OF_IDS = 1 << 16
_UNEVEN = 0.05  # of a frame: how far a time may be from its place
_HINT = (
    "A table has a column id, video or file, and for each stream a column of lists of numbers; "
    "the rows of a video are together: sort it by that column."
)


class TableLayout(NamedTuple):
    """What the columns of a table are.

    Attributes:
        id: column with the id.
        streams: columns of lists, or of lists of lists.
        order: `frame` or `time_s`; "" where there is none.
        nested: a row holds all frames of a video.
        unused: the other columns.
    """

    id: str
    streams: tuple[str, ...]
    order: str
    nested: bool
    unused: tuple[str, ...]


class TableFile:
    """Files of one table."""

    suffixes = (".parquet", ".pq", ".arrow", ".feather")

    def find(self, path: Path) -> Iterator[FoundVideo]:
        """Yield the videos in the order of the rows; only the ids are read."""
        rows = _rows(path)
        layout = layout_of(rows.schema, path)
        if not rows.num_rows:
            raise DataError("has no row", where=path, hint=_HINT)
        widths = _known_widths(rows.schema, layout)
        runs = list(_runs(rows, layout, path))
        seen = dict[str, int]()
        for name, start, _ in runs:
            if name in seen and not layout.nested:
                what = f"the rows of {name!r} are apart: at row {seen[name]}, again at row {start}"
                raise DataError(what, where=path, hint=_HINT)
            seen[name] = start
        row_bytes = rows.num_bytes / max(1, rows.num_rows)
        for name, start, stop in runs:
            size = int(row_bytes * (stop - start))
            is_vector = not layout.nested and stop - start == 1
            yield FoundVideo(name, (start, stop), widths, is_vector, size)

    @contextmanager
    def open(self, path: Path) -> Iterator["TableReader"]:
        """Return a reader."""
        rows = _rows(path)
        yield TableReader(rows, layout_of(rows.schema, path))


class TableReader:
    """Reads videos of a table, fastest in the order of its rows."""

    def __init__(self, rows: "_Rows", layout: TableLayout) -> None:
        self._rows, self._layout = rows, layout

    def read(self, key: Key) -> Content:
        """Return the streams of rows [start, stop)."""
        assert isinstance(key, tuple)
        layout, (start, stop) = self._layout, key
        columns = [*layout.streams, *filter(None, [layout.order])]
        try:
            table = self._rows.read(start, stop, columns)
        except (OSError, pa.ArrowException) as error:
            what = f"rows {start} to {stop - 1} cannot be read ({reason_of(error)})"
            raise DataError(what, hint=_HINT) from error
        rates, unused = dict[str, float](), layout.unused
        if layout.order and len(table) > 1:
            table, rate, is_late = _in_order(table, layout.order, start)
            unused += (time_before(layout.order),) if is_late else ()
            rates = dict.fromkeys(layout.streams, rate) if rate else rates
        streams = dict[str, Array]()
        for name in layout.streams:
            column = table[name].combine_chunks()
            if layout.nested:
                _check_no_null(column, name, start)
                streams[name] = _matrix(column.flatten(), name, 0, "frame")
            else:
                streams[name] = _matrix(column, name, start, "row")
        return Content(streams, rates_hz=rates, unused=unused)


def layout_of(schema: pa.Schema, path: Path) -> TableLayout:
    """Return what the columns are; DataError where the id or a stream is missing."""
    shown = ", ".join(f"{field.name} ({field.type})" for field in schema) or "none"
    repeated = [name for name, times in Counter(schema.names).items() if times > 1]
    if repeated:
        raise DataError(f"has the column {repeated[0]} twice", where=path, hint="Rename one.")
    ids = [name for name in ID_COLUMNS if name in schema.names]
    if not ids:
        what = f"has no column {', '.join(ID_COLUMNS[:-1])} or {ID_COLUMNS[-1]}; it has: {shown}"
        raise DataError(what, where=path, hint=_HINT)
    depths = {field.name: _depth(field.type) for field in schema}
    streams = tuple(name for name, depth in depths.items() if depth)
    if not streams or len({depths[name] for name in streams}) > 1:
        what = "mixes lists with lists of lists" if streams else "has no column of lists of numbers"
        raise DataError(f"{what}; it has: {shown}", where=path, hint=_HINT)
    order = next((name for name in (_FRAME, _TIME) if name in schema.names), "")
    used = {ids[0], order, *streams}
    unused = tuple(name for name in schema.names if name not in used)
    return TableLayout(ids[0], streams, order, depths[streams[0]] == 2, unused)


def _depth(kind: pa.DataType) -> int:
    """Return how many lists are around numbers: 0 for what is no stream."""
    depth = 0
    while _is_list(kind):
        kind, depth = kind.value_type, depth + 1
    is_number = pa.types.is_floating(kind) or pa.types.is_integer(kind)
    return depth if is_number and depth <= 2 else 0


def _is_list(kind: pa.DataType) -> bool:
    tests = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(test(kind) for test in tests)


def _known_widths(schema: pa.Schema, layout: TableLayout) -> dict[str, int] | None:
    kinds = {name: schema.field(name).type for name in layout.streams}
    inner = {n: kind.value_type if layout.nested else kind for n, kind in kinds.items()}
    if not all(pa.types.is_fixed_size_list(kind) for kind in inner.values()):
        return None
    return {name: kind.list_size for name, kind in inner.items()}


def _runs(rows: "_Rows", layout: TableLayout, path: Path) -> Iterator[tuple[str, int, int]]:
    """Yield (id, first row, row behind the last) of neighbouring rows of one id.

    Where a row holds a whole video, each row is one.
    """
    row, run = 0, ("", 0, 0)
    for ids in rows.column(layout.id):
        if ids.null_count:
            at = row + int(np.flatnonzero(ids.is_null().to_numpy(zero_copy_only=False))[0])
            raise DataError(f"row {at}: there is no {layout.id}", where=path, hint=_HINT)
        try:
            encoded = pc.run_end_encode(ids.cast(pa.string()))
        except pa.ArrowException as error:
            what = f"the column {layout.id} ({ids.type}) holds no text ({reason_of(error)})"
            raise DataError(what, where=path, hint=_HINT) from error
        start = row
        for name, end in zip(encoded.values.to_pylist(), encoded.run_ends.to_pylist(), strict=True):
            name = _EXTENSION.sub("", name) if layout.id == "file" else name
            if layout.nested and row + end - start > 1:
                what = f"{name!r} is in row {start} and in row {start + 1}, each a whole video"
                raise DataError(what, where=path, hint="Ids must be unique: rename or remove one.")
            if name == run[0] and run[2] and not layout.nested:
                run = (name, run[1], row + end)
            else:
                if run[2]:
                    yield run
                run = (name, start, row + end)
            start = row + end
        row += len(ids)
    if run[2]:
        yield run


def _matrix(column: Any, name: str, first: int, unit: str) -> Array:  # noqa: ANN401
    """Return (T, D) of a list array; DataError for a missing value or another width."""
    _check_no_null(column, name, first, unit)
    if pa.types.is_fixed_size_list(column.type):
        width = column.type.list_size
    else:
        widths = pc.list_value_length(column).to_numpy(zero_copy_only=False)
        width = int(widths[0]) if len(widths) else 0
        other = np.flatnonzero(widths != width)
        if len(other):
            what = f"{unit} {first + other[0]} of {name!r} has {widths[other[0]]} values"
            raise DataError(f"{what}, {unit} {first} has {width}", hint=_HINT)
    values = column.flatten()
    if values.null_count:
        at = int(np.flatnonzero(values.is_null().to_numpy(zero_copy_only=False))[0])
        what = f"{unit} {first + at // width} of {name!r} lacks value {at % width}"
        raise DataError(what, hint=_HINT)
    matrix: Array = values.to_numpy(zero_copy_only=False).reshape(len(column), width)
    return matrix


def _check_no_null(column: Any, name: str, first: int, unit: str = "row") -> None:  # noqa: ANN401
    if column.null_count:
        at = int(np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))[0])
        raise DataError(f"{unit} {first + at} has no {name!r}", hint=_HINT)


def _in_order(table: pa.Table, order: str, first: int) -> tuple[pa.Table, float | None, bool]:
    """Return the rows by frame or time, frames/s by the times, and if they begin after the first.

    DataError where one is missing, or they are not evenly spaced.

    Args:
        table: rows of a video.
        order: name of the column.
        first: row number of the first.
    """
    kind = table.schema.field(order).type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        what = f"the column {order} holds {kind}, not numbers"
        raise DataError(what, hint=f"Write {order} as numbers, in seconds where it is a time.")
    places = np.asarray(table[order].to_numpy(), np.float64)
    if not np.isfinite(places).all():
        at = first + int(np.flatnonzero(~np.isfinite(places))[0])
        raise DataError(f"row {at} has no {order}", hint=_HINT)
    ranks = np.argsort(places, kind="stable")
    steps = np.diff(places[ranks])
    step = float(np.median(steps))
    wrong = np.flatnonzero(np.abs(steps - step) > _UNEVEN * step)
    if step <= 0 or len(wrong):
        at = int(ranks[wrong[0] + 1]) if len(wrong) else int(ranks[1])
        what = f"row {first + at}: {order} is {places[at]:g}, and the one before is not {step:g}"
        hint = "Frames are evenly spaced, each once: leave the column out to take the rows' order."
        raise DataError(f"{what} lower", hint=hint)
    if (ranks[:-1] > ranks[1:]).any():
        table = table.take(pa.array(ranks))
    is_late = abs(places[ranks[0]]) > step * (1 + _UNEVEN)
    return table, 1 / step if order == _TIME else None, is_late


class _Rows:
    """Rows of a file, decoded in batches from front to back.

    Args:
        path: of the file.
        schema: of the table.
        edges: rows at which decoding can begin, and their number.
        num_bytes: of the values, or about that many.
    """

    def __init__(self, path: Path, schema: pa.Schema, edges: Sequence[int], num_bytes: int) -> None:
        self._path = path
        self.schema, self.num_rows, self.num_bytes = schema, edges[-1], num_bytes
        self._edges = edges
        self._position = (-1, -1)  # rows of the batch at hand
        self._batch: pa.Table | None = None
        self._batches: Iterator[pa.RecordBatch] = iter(())
        self._columns = list[str]()

    def column(self, name: str) -> Iterator[Any]:
        """Yield a column in pieces; DataError where it cannot be read."""
        try:
            for batch in self._checked(0, [name], _BATCH_OF_IDS):
                yield batch.column(0)
        except (OSError, pa.ArrowException) as error:
            what = f"the column {name} cannot be read ({reason_of(error)})"
            raise DataError(what, where=self._path, hint=_HINT) from error

    def read(self, start: int, stop: int, columns: list[str]) -> pa.Table:
        """Return rows [start, stop) of some columns."""
        group = bisect(self._edges, start) - 1
        first = self._edges[group]
        if start < self._position[0] or columns != self._columns or first > self._position[1]:
            self._columns, self._batch, self._position = columns, None, (first, first)
            self._batches = self._checked(group, columns, _BATCH)
        taken, at = list[pa.Table](), start
        while at < stop:
            if self._batch is None or at >= self._position[1]:
                batch = next(self._batches, None)
                if batch is None:
                    raise pa.ArrowInvalid(f"the table ends at row {self._position[1]}")
                self._batch = pa.Table.from_batches([batch])
                self._position = (self._position[1], self._position[1] + len(batch))
                continue
            taken.append(self._batch.slice(at - self._position[0], stop - at))
            at += len(taken[-1])
        return pa.concat_tables(taken)

    def _checked(self, group: int, columns: list[str], most: int) -> Iterator[pa.RecordBatch]:
        """Yield `_decoded` batches; ArrowInvalid where a list or text is not in its column."""
        for batch in self._decoded(group, columns, most):
            batch.validate(full=True)
            yield batch

    def _decoded(self, group: int, columns: list[str], most: int) -> Iterator[pa.RecordBatch]:
        """Return the batches of some columns from a group of rows on, of `most` rows or less."""
        raise NotImplementedError


class _ParquetRows(_Rows):
    def __init__(self, path: Path) -> None:
        self._file = pq.ParquetFile(arrow_source(path))
        meta = self._file.metadata
        groups = [meta.row_group(i) for i in range(meta.num_row_groups)]
        edges = [0, *accumulate(group.num_rows for group in groups)]
        size = sum(group.total_byte_size for group in groups)
        super().__init__(path, self._file.schema_arrow, edges, size)

    def _decoded(self, group: int, columns: list[str], most: int) -> Iterator[pa.RecordBatch]:
        groups = list(range(group, self._file.metadata.num_row_groups))
        batches: Iterator[pa.RecordBatch] = self._file.iter_batches(
            most, row_groups=groups, columns=columns, use_threads=False
        )
        return batches


class _ArrowRows(_Rows):
    def __init__(self, path: Path) -> None:
        with mapped_source(path) as file:  # the row counts; the values are not touched
            reader = pa.ipc.open_file(file)
            counts = [reader.get_batch(i).num_rows for i in range(reader.num_record_batches)]
            super().__init__(path, reader.schema, [0, *accumulate(counts)], path.stat().st_size)

    def _decoded(self, group: int, columns: list[str], most: int) -> Iterator[pa.RecordBatch]:
        with arrow_source(self._path) as file:
            reader = pa.ipc.open_file(file)
            for number in range(group, reader.num_record_batches):
                yield reader.get_batch(number).select(columns)


def _rows(path: Path) -> _Rows:
    """Open a table; DataError where it is none."""
    parquet = path.suffix.lower() in (".parquet", ".pq")
    try:
        rows = _ParquetRows(path) if parquet else _ArrowRows(path)
        layout_of(rows.schema, path)  # names that are no text raise
        return rows
    except (OSError, ValueError, pa.ArrowException) as error:
        kind = "Parquet" if parquet else "an Arrow file"
        what = f"cannot be read as {kind} ({reason_of(error)})"
        raise DataError(what, where=path, hint=_HINT) from error
