"""Predictions, soft labels, unfinished predictions, and tables next to data."""

import io
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.fuzz.mutation import INTEGERS, mutated
from benchmarks.fuzz.small_data import NUM_CLASSES
from benchmarks.fuzz.target import Case, Outcome, Target, WrongError
from benchmarks.fuzz.targets.index import sealed
from reeltag.data.annotations import Annotations
from reeltag.data.class_list import ClassList
from reeltag.predictions.file import PredictionInfo, open_predictions, prediction_writer
from reeltag.predictions.parts import PredictionParts
from reeltag.predictions.rows import KINDS, PredictionRows
from reeltag.soft_labels.storage import (
    SoftLabelInfo,
    SoftLabelRows,
    open_soft_labels,
    soft_label_writer,
)

_HOSTILE = " with odd values"
_TABLES = ("labels", "ratings")
_CLASSES = ClassList(tuple(f"class {number}" for number in range(NUM_CLASSES)))
_ODD: tuple[Any, ...] = (None, -1, 0, 1 << 20, (1 << 31) - 1, float("nan"), float("inf"), -0.5)


class ParquetFiles(Target):
    """A damaged file of rows: what is read of it must be what was written, or nothing at all."""

    name = "parquet"
    about = "predictions, soft labels, unfinished predictions, tables of labels and ratings"

    def __init__(self, shared: Path, own: Path) -> None:
        super().__init__(shared, own)
        self._read: dict[str, Callable[[Path], Any]] = {
            "predictions": _read_predictions,
            "soft labels": _read_soft_labels,
            "part": self._read_part,
        }
        self._path, self._parts = own / "rows.parquet", own / "P.parts"
        self._seeds = {
            "predictions": _predictions(own / "p.parquet"),
            "soft labels": _soft_labels(own / "s.parquet"),
            "part": self._part(),
        }
        self._truth = {
            name: self._read[name](self._written(name, data)) for name, data in self._seeds.items()
        }
        self._seeds |= {name: _table_of(name) for name in _TABLES}

    def _part(self) -> bytes:
        parts = PredictionParts(self._parts, {}, ("videos",))
        with parts.writing() as writers:
            writers["videos"].write(_prediction_rows(windows=False))
        parts.finish(1)
        return (self._parts / "videos-000000.arrow").read_bytes()

    def _written(self, name: str, data: bytes) -> Path:
        path = self._parts / "videos-000000.arrow" if name == "part" else self._path
        path.unlink(missing_ok=True)
        path.write_bytes(data)
        return path

    def _read_part(self, _: Path) -> Any:  # noqa: ANN401
        return [
            _values(rows) for rows in PredictionParts(self._parts, {}, ("videos",)).rows("videos")
        ]

    def make(self, rng: random.Random) -> Case:
        """Return a damaged file, or one that was written with odd values."""
        name = rng.choice([*self._seeds])
        data = self._seeds[name]
        if name == "part" and rng.random() < 0.5:
            return Case(name + _HOSTILE, sealed(mutated(rng, data[:-12])))
        if name != "part" and rng.random() < 0.4:
            return Case(name + _HOSTILE, _with_odd_values(rng, data))
        return Case(name, mutated(rng, data))

    def run(self, case: Case) -> Outcome:
        """Read all rows."""
        name = case.variant.removesuffix(_HOSTILE)
        path = self._written(name, case.data)
        if name in _TABLES:
            Annotations.read(path, "labels" if name == "labels" else "ratings", _CLASSES)
            return "accepted"
        found = self._read[name](path)
        if not case.variant.endswith(_HOSTILE) and found != self._truth[name]:
            raise WrongError(f"{name}: other rows than were written")
        return "accepted"


TARGET = ParquetFiles


def _read_predictions(path: Path) -> Any:  # noqa: ANN401
    file = open_predictions(path)
    return [_values(rows) for kind in KINDS for rows in file.rows(kind)]


def _read_soft_labels(path: Path) -> Any:  # noqa: ANN401
    return [(*_values(rows), rows.drawn_for.tobytes()) for rows in open_soft_labels(path).rows()]


def _values(rows: PredictionRows | SoftLabelRows) -> tuple[Any, ...]:
    arrays = (rows.indptr, rows.classes, rows.values, rows.starts, rows.ends)
    return (rows.ids.to_pylist(), *(array.tobytes() for array in arrays))


def _prediction_rows(*, windows: bool) -> PredictionRows:
    rng = np.random.default_rng(int(windows))
    starts = np.tile(np.arange(4) * 5.0, 5)
    return PredictionRows.of_matrix(
        [f"v{number // 4}" for number in range(20)],
        np.stack([starts, starts + 5], axis=1) if windows else None,
        np.argsort(rng.random((20, NUM_CLASSES)))[:, :3].astype(np.int32),
        -np.sort(-rng.standard_normal((20, 3)).astype(np.float32)),
    )


def _predictions(path: Path) -> bytes:
    info = PredictionInfo(num_classes=NUM_CLASSES, top_k=3, family="moe", weights="abc")
    with prediction_writer(path, info) as writer:
        writer.write(_prediction_rows(windows=False))
        writer.write(_prediction_rows(windows=True))
    return path.read_bytes()


def _soft_labels(path: Path) -> bytes:
    rows = _prediction_rows(windows=True)
    soft = SoftLabelRows(
        rows.indptr,
        rows.classes,
        (1 / (1 + np.exp(-rows.values))).astype(np.float32),
        ids=rows.ids,
        starts=rows.starts,
        ends=rows.ends,
        drawn_for=rows.classes.reshape(20, 3)[:, 0].copy(),
    )
    with soft_label_writer(path, SoftLabelInfo(class_names=_CLASSES.names)) as writer:
        writer.write(soft)
    return path.read_bytes()


def _table_of(name: str) -> bytes:
    columns: dict[str, list[Any]] = {"id": ["v0", "v1", "v2"], "class": ["class 1", "3", "class 2"]}
    if name == "ratings":
        columns |= {"start_s": [0.0, 1.5, 5.0], "end_s": [5.0, 2.0, 9.0], "value": [1.0, 0.0, 0.5]}
    return _parquet(pa.table(columns))


def _parquet(table: Any) -> bytes:  # noqa: ANN401  (pa.Table)
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


def _with_odd_values(rng: random.Random, data: bytes) -> bytes:
    """Return a table with other values, types, columns or metadata, as Parquet."""
    table = pq.read_table(io.BytesIO(data))
    for _ in range(rng.choice((1, 1, 2))):
        name = rng.choice(table.column_names)
        place, kind = table.column_names.index(name), rng.randrange(6)
        values = table[name].to_pylist()
        if kind < 3:
            at = rng.randrange(len(values))
            values[at] = _odd(rng, values[at])
            try:
                table = table.set_column(
                    place, name, pa.array(values, table.schema.field(name).type)
                )
            except (pa.ArrowException, OverflowError, TypeError):
                continue
        elif kind == 3:
            table = table.remove_column(place)
        elif kind == 4:
            table = table.set_column(place, name, pa.array([str(value) for value in values]))
        else:
            table = table.append_column(rng.choice((name, "x")), pa.array(values))
        if kind > 4 or not table.num_columns:
            break
    if table.schema.metadata:
        metadata = dict(table.schema.metadata)
        if rng.random() < 0.2:
            metadata = {key: mutated(rng, value) for key, value in metadata.items()}
        metadata.pop(b"reeltag sealed", None)
        table = table.replace_schema_metadata(metadata)
    return _parquet(table)


def _odd(rng: random.Random, value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, list) and rng.random() < 0.8:
        other = [*value]
        if other and rng.random() < 0.6:
            other[rng.randrange(len(other))] = rng.choice((*_ODD, *INTEGERS))
        elif other and rng.random() < 0.5:
            other.pop()
        else:
            other.append(rng.choice(_ODD))
        return other
    return rng.choice(("", "x", "v0", *_ODD))
