"""Every TFRecord file that TensorFlow wrote for us: its values to the bit, or the stated outcome.

What is stated is the table in docs/reference/records.md.
"""

import hashlib
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from reeltag.data.index import Index, open_index
from reeltag.data.shards import read_record
from tests.conftest import PROJECT, golden_file, golden_files
from tests.data.made import frame_record, video_record, write_shard

pytestmark = pytest.mark.golden

FILES = golden_files("tfrecord/*.tfrecord")
SOUND = [path for path in FILES if path.stem[:2] not in ("x_", "b_")]
ODD = [path for path in FILES if path.stem[:2] in ("x_", "b_")]
DOCUMENT = PROJECT / "docs" / "reference" / "records.md"
MAX_FRAMES = 300
NUM_CLASSES = 3862
# TensorFlow keeps only the first of the two pieces.
WHERE_TENSORFLOW_ERRS = {"x_labels_packed_in_two"}
DROPPED_RATINGS = {"segment past the end"}  # TensorFlow makes them zeros


@cache
def expected(name: str) -> dict[str, Any]:
    path = golden_file("tfrecord/expected.json")
    cases: dict[str, dict[str, Any]] = json.loads(path.read_text())["cases"]
    return cases[name]


@cache
def matrices() -> Any:
    return np.load(golden_file("tfrecord/expected.npz"))


def indexed(folder: Path, path: Path) -> Index:
    """Index a golden file in the company of sound records, which say what streams there are."""
    lines = ["index,name", *(f"{index},{index}" for index in range(NUM_CLASSES))]
    (folder / "classes.csv").write_text("\n".join(lines))
    if path in SOUND:
        (folder / "a.tfrecord").write_bytes(path.read_bytes())
        return open_index(folder, quiet=True)
    record = video_record if expected(path.stem)["kind"] == "video" else frame_record
    company = write_shard(folder / "a.tfrecord", [record(f"other {i}") for i in range(5)])
    if path.stem.startswith("x_"):  # in one shard, for an odd one may look like another data set
        company.write_bytes(company.read_bytes() + path.read_bytes())
    else:
        (folder / "b.tfrecord").write_bytes(path.read_bytes())
    index = open_index(folder, quiet=True)
    own = index.table.slice(5)
    return Index(index.root, index.kind, index.shards, index.streams, index.num_classes, own)


def dequantised(codes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Multiply, round, add, round, as TensorFlow does."""
    return codes.astype(np.float32) * np.float32(4 / 255) + np.float32(4 / 512 - 2)


def matrix(index: Index, row: int) -> NDArray[np.float32]:
    """Return (300, D) of a frame-level record and (1, D) of a video-level one."""
    streams = read_record(index, row)
    side_by_side = np.concatenate([streams[stream.name] for stream in index.streams], axis=1)
    if index.kind == "video":
        return side_by_side.astype(np.float32)
    padded = np.zeros((MAX_FRAMES, side_by_side.shape[1]), np.float32)
    kept = dequantised(side_by_side[:MAX_FRAMES].astype(np.uint8))
    padded[: len(kept)] = kept
    return padded


def check_values(index: Index, row: int, name: str, wanted: dict[str, Any]) -> None:
    """Compare one record with what google's reader gave for it."""
    record = index.table.slice(row, 1).to_pylist()[0]
    values = matrix(index, row)
    if expected(name)["kind"] == "segment":
        starts = list(map(int, dict.fromkeys(record["segment_starts"])))
        values = np.stack([values[start : start + 5] for start in starts])
        triples = {
            (starts.index(start), label): score
            for start, label, score in zip(
                record["segment_starts"],
                record["segment_labels"],
                record["segment_scores"],
                strict=True,
            )
        }
        assert sorted([*key, score] for key, score in triples.items()) == wanted["labels"]
    else:
        assert record["labels"] == wanted["labels"]
        assert min(record["frames"], MAX_FRAMES) == wanted["num_frames"][0]
        assert bytes.fromhex(wanted["ids"][0]).decode(errors="backslashreplace") == record["id"]
    shaped = np.ascontiguousarray(values).reshape(wanted["shape"])
    key = f"{name}/{row}/video_matrix"
    if key in matrices():
        stored = matrices()[key].reshape(-1, shaped.shape[-1])
        ours = shaped.reshape(-1, shaped.shape[-1])
        np.testing.assert_array_equal(ours[: len(stored)], stored)
        assert not ours[len(stored) :].any()
    assert hashlib.sha256(shaped.tobytes()).hexdigest() == wanted["sha256"]


@pytest.mark.parametrize("path", SOUND, ids=lambda path: path.stem)
def test_sound_file_gives_tensorflows_values_to_the_bit(path: Path, tmp_path: Path) -> None:
    index = indexed(tmp_path, path)
    records = expected(path.stem)["records"]
    assert len(index.table) == len(records)
    assert not any(index.table["skip"].to_pylist())
    for row, wanted in enumerate(records):
        check_values(index, row, path.stem, wanted)


def outcome(index: Index) -> str:
    """Return in words what became of the records of a file, as docs/reference/records.md has it."""
    sound, words = 0, []
    for row in index.table.to_pylist():
        text = f"{row['frames']} frames, labels {row['labels']}"
        if row["segment_starts"]:
            windows = zip(row["segment_starts"], row["segment_ends"], strict=True)
            text += f", ratings of {', '.join(f'[{a:g}, {b:g})' for a, b in windows)} s"
        if row["skip"]:
            words.append(f"skipped: {row['problem']}")
        elif row["problem"]:
            words.append(f"used: {text}; noted: {row['problem']}")
        elif len(index.table) == 1:
            words.append(f"used: {text}")
        else:
            sound += 1
    return "; ".join([f"{sound} used"] * (sound > 0) + words) or "no record"


def documented() -> dict[str, str]:
    """Return the last column of the table in docs/reference/records.md by file."""
    rows = re.findall(r"^\| `([xb]_\w+)` \|.*\| ([^|]*) \|$", DOCUMENT.read_text(), re.MULTILINE)
    return dict(rows)


@pytest.mark.parametrize("path", ODD, ids=lambda path: path.stem)
def test_odd_or_broken_file_has_the_documented_outcome(path: Path, tmp_path: Path) -> None:
    assert outcome(indexed(tmp_path, path)) == documented()[path.stem]


@pytest.mark.parametrize("path", ODD, ids=lambda path: path.stem)
def test_odd_record_that_both_use_has_tensorflows_values(path: Path, tmp_path: Path) -> None:
    index = indexed(tmp_path, path)
    for row, wanted in enumerate(expected(path.stem)["records"]):
        used = "ids" in wanted and not index.table["skip"][row].as_py()
        dropped = index.table["problem"][row].as_py() in DROPPED_RATINGS
        if used and wanted["ids"] and not dropped and path.stem not in WHERE_TENSORFLOW_ERRS:
            check_values(index, row, path.stem, wanted)


def test_odd_files_are_in_the_document() -> None:
    assert set(documented()) == {path.stem for path in ODD}
