"""What a data set holds, in numbers; from its index alone, no frame is touched."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from reeltag.core.errors import ConfigError
from reeltag.data.dataset import Dataset
from reeltag.data.records.problems import Problem, from_text
from reeltag.data.selection import lists_of
from reeltag.data.splits import SPLITS


@dataclass(frozen=True)
class Summary:
    """The content of a data set. Records that are skipped count as problems and nowhere else.

    Attributes:
        records: rows of the index, also those that are skipped.
        videos: records that are not skipped.
        hours: of frames; None for video-level records.
        splits: split -> {"shards", "videos", "hours"}; those that have shards.
        labels: {"mean", "max", "unlabelled"}: labels per video, and videos without any.
        frames: {"min", "median", "max"} of the lengths; None where there is no video.
        segments: {"videos", "segments", "ratings", "positive"} of rated windows.
        classes: videos with each class, (C,) int64.
        problems: a dict a kind, see `_problems`, the most frequent first.
    """

    records: int
    videos: int
    hours: float | None
    splits: dict[str, dict[str, Any]]
    labels: dict[str, float]
    frames: dict[str, float] | None
    segments: dict[str, int]
    classes: NDArray[np.int64]
    problems: list[dict[str, Any]]

    def top_classes(self, names: Sequence[str], top: int) -> list[dict[str, Any]]:
        """Return {"class", "name", "videos"} of the most frequent classes that have a video."""
        best = np.argsort(-self.classes, kind="stable")[:top].tolist()
        return [
            {"class": index, "name": names[index], "videos": int(self.classes[index])}
            for index in best
            if self.classes[index]
        ]


def summarise(data: Dataset) -> Summary:
    """Return what is in a data set; ConfigError where a pattern of its splits names no shard."""
    table = data.table
    used = table.filter(pc.invert(table["skip"]))
    frames = used["frames"].to_numpy()
    counts = pc.list_value_length(used["labels"]).to_numpy()
    labels = used["labels"].combine_chunks().flatten().to_numpy()
    is_video, rate = data.kind == "video", data.features.rate_hz
    return Summary(
        records=len(table),
        videos=len(used),
        hours=None if is_video else int(frames.sum(dtype=np.int64)) / rate / 3600,
        splits=_splits(data, used["shard"].to_numpy(), frames),
        labels={
            "mean": float(counts.mean()) if len(counts) else 0.0,
            "max": int(counts.max(initial=0)),
            "unlabelled": int((counts == 0).sum()),
        },
        frames=None
        if is_video or not len(frames)
        else {
            "min": int(frames.min()),
            "median": float(np.median(frames)),
            "max": int(frames.max()),
        },
        segments=_segments(used),
        classes=np.bincount(labels, minlength=data.num_classes),
        problems=_problems(data),
    )


def _splits(
    data: Dataset, shard: NDArray[np.int32], frames: NDArray[np.int32]
) -> dict[str, dict[str, Any]]:
    """Return shards, videos and hours of every split that has shards."""
    found: dict[str, dict[str, Any]] = {}
    videos = np.bincount(shard, minlength=len(data.shards))
    counts = np.bincount(shard, weights=frames, minlength=len(data.shards))
    for split in SPLITS:
        if split == "all":
            continue
        try:
            numbers = data.shards_of(split)
        except ConfigError:
            if getattr(data.splits, split):
                raise  # a pattern was given, and names nothing or too much
            continue  # there are no such shards: train and test are often kept apart
        hours = (
            None
            if data.kind == "video"
            else float(counts[numbers].sum()) / data.features.rate_hz / 3600
        )
        found[split] = {
            "shards": len(numbers),
            "videos": int(videos[numbers].sum()),
            "hours": hours,
        }
    return found


def _segments(used: pa.Table) -> dict[str, int]:
    """Return how many windows are rated, how often, and how often the class is there."""
    lengths = pc.list_value_length(used["segment_starts"]).to_numpy()
    starts, ends = (lists_of(used, f"segment_{name}")[1] for name in ("starts", "ends"))
    scores = lists_of(used, "segment_scores")[1]
    rows = np.repeat(np.arange(len(used)), lengths)
    windows = np.unique(np.stack([rows, starts, ends]), axis=1)
    return {
        "videos": int((lengths > 0).sum()),
        "segments": windows.shape[1],
        "ratings": len(starts),
        "positive": int((scores > 0).sum()),
    }


def _problems(data: Dataset) -> list[dict[str, Any]]:
    """Return each kind of problem: its name, records, whether they are skipped, and the first."""
    problems = data.table["problem"].combine_chunks().dictionary_encode()
    bits = [from_text(text) for text in problems.dictionary.to_pylist()]
    codes = problems.indices.fill_null(len(bits)).to_numpy()
    found = []
    for problem in Problem:
        mask = np.array([bool(value & problem.bit) for value in bits] + [False])[codes]
        if mask.any():
            row = data.table.slice(int(mask.argmax()), 1)
            found.append(
                {
                    "problem": problem.text,
                    "records": int(mask.sum()),
                    "skipped": problem.skips,
                    "outcome": problem.outcome,
                    "file": data.shards[row["shard"][0].as_py()],
                    "offset": row["offset"][0].as_py(),
                }
            )
    return sorted(found, key=lambda entry: -entry["records"])
