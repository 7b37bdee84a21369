"""Files of a data folder: shards, and what stands next to them; files that are imported."""

import csv
import dataclasses
import io
import json
import random
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import safetensors.numpy

from benchmarks.fuzz.json_mutation import mutated_json
from benchmarks.fuzz.mutation import mutated
from benchmarks.fuzz.protobuf_reader import decoded_sequence_example
from benchmarks.fuzz.small_data import (
    NUM_CLASSES,
    WIDTHS,
    expected_records,
    frame_payload,
    framed,
    new_folder,
    read_all,
    read_stored,
    vector_payload,
    write_classes,
)
from benchmarks.fuzz.target import Case, Outcome, Target, WrongError
from benchmarks.fuzz.wire_mutation import mutated_message
from reeltag.data.dataset import Dataset
from reeltag.data.features import Features, StreamFeatures
from reeltag.data.importing.config import FeatureImportConfig
from reeltag.data.importing.run import import_features
from reeltag.data.records.feature_values import Feature
from reeltag.data.streams import StoredDtype

_SHARD, _HALVES = "shard", "shard of float16"
_TABLES = ("labels.csv", "ratings.csv", "classes.csv", "segment_label_ids.csv")
_CELLS = ("", "-1", "1e999", "nan", "v1", "class 3", "3", "0.5", '"', "\x00", "a" * 9000, "é", ";")


class Files(Target):
    """A data folder with one file that is damaged, indexed and read; imports of damaged files."""

    name = "files"
    about = "a shard and what is next to it, indexed and read; files that are imported"

    def __init__(self, shared: Path, own: Path) -> None:
        super().__init__(shared, own)
        self._frames = [frame_payload(number, 1 + number * 7 % 23) for number in range(4)]
        self._vectors = [vector_payload(number) for number in range(4)]
        self._seeds = _seed_files()
        self._plain = framed(self._frames)
        self._halves = _json_of(_described("float16"))

    def make(self, rng: random.Random) -> Case:
        """Return a shard three times of four, else one of the other files."""
        if rng.random() < 0.75:
            return Case(_SHARD if rng.random() < 0.8 else _HALVES, self._shard(rng))
        variant = rng.choice([*self._seeds])
        data = self._seeds[variant]
        if variant == "features.json":
            return Case(variant, mutated_json(rng, data))
        if variant in _TABLES and rng.random() < 0.6:
            return Case(variant, _changed_table(rng, data))
        return Case(variant, mutated(rng, data))

    def _shard(self, rng: random.Random) -> bytes:
        payloads = [*(self._frames if rng.random() < 0.75 else self._vectors)]
        if rng.random() < 0.6:  # damage within sound framing
            at = rng.randrange(len(payloads))
            payloads[at] = mutated_message(rng, payloads[at], self._frames)
            if rng.random() < 0.1:
                payloads *= rng.choice((2, 30))
            return framed(payloads)
        return mutated(rng, framed(payloads))

    def run(self, case: Case) -> Outcome:
        """Index and read, or import and read."""
        folder = new_folder(self.own / "case")
        if case.variant in (_SHARD, _HALVES):
            if case.variant == _HALVES:
                (folder / "features.json").write_bytes(self._halves)
            (folder / "train0.tfrecord").write_bytes(case.data)
            check_shard(Dataset.open(folder, quiet=True), case.data)
            return "accepted"
        if case.variant.startswith("import"):
            source = folder / case.variant
            source.write_bytes(case.data)
            config = FeatureImportConfig()
            import_features([source], folder / "data", config, jobs=1, quiet=True)
            read_all(Dataset.open(folder / "data", quiet=True))
            return "accepted"
        write_classes(folder)
        (folder / "train0.tfrecord").write_bytes(self._plain)
        (folder / case.variant).write_bytes(case.data)
        read_all(Dataset.open(folder, quiet=True))
        return "accepted"


TARGET = Files


def check_shard(dataset: Dataset, data: bytes) -> None:
    """Raise WrongError where a data set gives of a shard what protobuf does not read in it."""
    sound = dict(expected_records(data))
    rows = dataset.table.select(["offset", "id", "skip"]).to_pylist()
    used = [row for row in rows if not row["skip"]]
    there = [row["offset"] for row in rows if row["offset"] in sound]
    if len(there) != len(sound):
        raise WrongError("a sound record without a row", f"{len(there)} of {len(sound)}")
    videos, stored = read_all(dataset), read_stored(dataset) if dataset.kind == "frames" else []
    names = [stream.name for stream in dataset.streams]
    for number, (row, video) in enumerate(zip(used, videos, strict=True)):
        found = decoded_sequence_example(sound.get(row["offset"], b"\xff"))
        if found is None:
            raise WrongError("a record is used that protobuf refuses")
        context, lists = found
        if dataset.kind == "frames":
            streams = [np.frombuffer(b"".join(map(_one, lists[name])), np.uint8) for name in names]
            count = len(lists[names[0]])
            columns = [stream.reshape(count, -1) for stream in streams]
            if video.frames != np.concatenate(columns, axis=1)[:300].tobytes():
                raise WrongError("frames that protobuf reads otherwise", video.id)
            if stored[number] != b"".join(stream.tobytes() for stream in streams):
                raise WrongError("mapped frames that protobuf reads otherwise", video.id)
        else:
            vector = np.concatenate([np.asarray(context[name], np.float32) for name in names])
            if video.frames != vector.tobytes():
                raise WrongError("a vector that protobuf reads otherwise", video.id)


def _one(frame: Feature) -> bytes:
    return frame[0] if isinstance(frame, list) else b""


def _described(dtype: StoredDtype) -> Features:
    """Return a description of the frames: bytes, or half as many float16."""
    is_codes = dtype == "uint8"
    return Features(
        rate_hz=2.0,
        streams=tuple(
            StreamFeatures(
                name=name,
                width=width if is_codes else width // 2,
                dtype=dtype,
                scale=(0.1,) * width if is_codes else None,
                offset=(-1.0,) * width if is_codes else None,
            )
            for name, width in WIDTHS.items()
        ),
    )


def _seed_files() -> dict[str, bytes]:
    """Return what is next to shards, and small files that can be imported, by name."""
    names = "".join(f"{number},class {number}\n" for number in range(NUM_CLASSES))
    ids = "".join(f"{number},{number}\n" for number in range(0, NUM_CLASSES, 2))
    files = {
        "features.json": _json_of(_described("uint8")),
        "labels.csv": b"id,class\nv0,class 1\nv1,3\nv2,class 2;class 5\nv0,class 0\n",
        "ratings.csv": b"id,start_s,end_s,class,value\nv0,0,1,class 1,1\nv1,2.5,9,class 3,0.5\n",
        "classes.csv": f"index,name\n{names}".encode(),
        "segment_label_ids.csv": f"Index,Name\n{ids}".encode(),
    }
    array = np.random.default_rng(0).standard_normal((6, 5)).astype(np.float32)
    for name, save in (("import.npy", np.save), ("import.npz", np.savez)):
        buffer = io.BytesIO()
        save(buffer, array)
        files[name] = buffer.getvalue()
    files["import.safetensors"] = safetensors.numpy.save({"video1": array, "video2": array})
    table = pa.table({"id": ["a"] * 3 + ["b"] * 3, "rgb": array.tolist(), "frame": [0, 1, 2] * 2})
    sink = pa.BufferOutputStream()
    pyarrow.feather.write_feather(table, sink, compression="uncompressed")
    files["import.arrow"] = sink.getvalue().to_pybytes()
    sink = pa.BufferOutputStream()
    pa.parquet.write_table(table, sink)
    files["import.parquet"] = sink.getvalue().to_pybytes()
    files["import.h5"] = _hdf5(array)
    return files


def _json_of(described: Features) -> bytes:
    return json.dumps(dataclasses.asdict(described)).encode()


def _hdf5(array: Any) -> bytes:  # noqa: ANN401
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file["video1/rgb"], file["video2/rgb"] = array, array
    return buffer.getvalue()


def _changed_table(rng: random.Random, data: bytes) -> bytes:
    """Return a CSV table with cells, rows or columns changed."""
    rows = list(csv.reader(io.StringIO(data.decode())))
    for _ in range(1 + int(rng.expovariate(0.7))):
        row = rng.choice(rows) if rows else []
        kind = rng.randrange(6)
        if kind < 3 and row:
            row[rng.randrange(len(row))] = rng.choice(_CELLS)
        elif kind == 3:
            rows.append([*row] * rng.choice((1, 1, 3)))
        elif kind == 4 and row:
            del row[rng.randrange(len(row))]
        elif row:
            rows[:] = [[*other, rng.choice(_CELLS)] for other in rows]
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue().encode(errors="surrogateescape")
