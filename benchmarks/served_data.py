"""Data for the server without a film: random features, smooth random curves, a library."""

import json
import secrets
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.lib.format import open_memmap
from scipy.signal import lfilter

from benchmarks.feature_data import random_frames, write_videos
from reeltag.data.class_list import ClassList
from reeltag.data.dataset import Dataset
from reeltag.library.database.library import Library
from reeltag.server.project.curves import (
    ENCODER,
    NUM_TOP,
    CurvesMeta,
    curves_folder,
    stamps_of,
)

_PER_SHARD = 100
_MEMORY = 0.95  # of a curve: what is left of a step after a second
_LOGIT, _DEVIATION = -4.0, 2.0


def write_served_data(data: Path, *, videos: int, seconds: int, classes: int) -> None:
    """Write records, a library without files, previews without pictures, and curves.

    Args:
        data: folder to make.
        videos: how many.
        seconds: of each.
        classes: of the curves.
    """
    data.mkdir(parents=True)
    ids = [f"video_{at:05d}" for at in range(videos)]
    rng = np.random.default_rng(0)
    write_videos(data, ((video, random_frames(rng, seconds)) for video in ids), _PER_SHARD)
    ClassList(tuple(f"class {at:03d}" for at in range(classes))).save(data / "classes.csv")
    with Library.open(data, create=True) as library:
        library.add_records(dict.fromkeys(ids, float(seconds)))
    _write_previews(data / "previews", ids, seconds)
    _write_curves(data, ids, seconds, classes)


def _write_previews(folder: Path, ids: list[str], seconds: int) -> None:
    folder.mkdir()
    loudness = np.random.default_rng(1).uniform(-60, 0, (2, 10 * seconds)).astype(np.float16)
    sheet = {"width": 160, "height": 90, "columns": 10, "count": 72, "interval_s": 5}
    for video in ids:
        about = {
            "thumbnails": {"file": f"{video}.jpg", **sheet},
            "poster": {"file": f"{video}.poster.jpg", "width": 640, "height": 360},
            "loudness": {"file": f"{video}.loudness.npy", "rate_hz": 10},
            "cuts_s": [float(at) for at in range(0, seconds, 7)],
        }
        (folder / f"{video}.json").write_text(json.dumps(about))
        np.save(folder / f"{video}.loudness.npy", loudness)


def _write_curves(data: Path, ids: list[str], seconds: int, classes: int) -> None:
    """Write logits that wander around -4: a class is above 0 in some two percent of seconds."""
    opened = Dataset.open(data, jobs=1, quiet=True)
    out = curves_folder(data / ".reeltag" / "serve", ENCODER)
    token = secrets.token_hex(6)
    folder = out / token
    folder.mkdir(parents=True)
    span = seconds + 1
    names = tuple(f"class {at:03d}" for at in range(classes))
    shape = classes, len(ids) * span
    logits = open_memmap(folder / "logits.npy", mode="w+", dtype=np.float16, shape=shape)
    best = np.empty((len(ids), classes), np.float16)
    scale = _DEVIATION * np.sqrt(1 - _MEMORY**2)
    for at in range(classes):
        noise = np.random.default_rng([2, at]).normal(0, scale, shape[1])
        curve = (_LOGIT + lfilter([1.0], [1.0, -_MEMORY], noise)).astype(np.float16)
        curve[seconds::span] = -np.inf
        logits[at], best[:, at] = curve, curve.reshape(len(ids), span).max(1)
    logits.flush()
    np.save(folder / "best.npy", best)
    top = np.argsort(-best.astype(np.float32), axis=1, kind="stable")[:, :NUM_TOP]
    np.save(folder / "top.npy", top.astype(np.int32))
    stamps, shards = stamps_of(opened), opened.table["shard"].to_pylist()
    table = {
        "id": pa.array(opened.table["id"].to_pylist(), pa.string()),
        "first": pa.array(np.arange(len(ids)) * span),
        "steps": pa.array(np.full(len(ids), seconds)),
        "seconds": pa.array(np.full(len(ids), float(seconds))),
        "stamp": pa.array([stamps[shard] for shard in shards], pa.string()),
    }
    pq.write_table(pa.table(table), folder / "videos.parquet")
    meta = CurvesMeta(
        token=token, key=ENCODER, basis="encoder", classes=names, hop_s=1.0, length_s=5.0
    )
    meta.save(out)
