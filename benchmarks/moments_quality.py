"""Moments of reels against the events that people marked: mAP at temporal IoU, and of every second.

    python -m benchmarks.moments_quality WORK [WORK ...]    # of `reeltag solve moments` on reels

Four ways to say when a class is in a video, of the same test reels and classes with ratings:

    copied      stage I's score of the whole video, from its beginning to its end
    segments    5-second segments as they are, each an interval
    moments     what `reeltag moments` finds by its defaults, but for the length of windows and
                the probability: those of `LENGTHS` and `PROBS` that are best on the validation
                reels, whose ratings trained the finder
    ranked      what `reeltag moments --ranked` finds, with the length of windows that is best
                there

A reel is made of clips of AudioSet; each block of its frames is found among the clips, whose events
eval_strong.csv marks. Features have 1 frame/s, so events of a class that are less than a second
apart are one.
"""

import argparse
import csv
import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks.environment import environment
from benchmarks.proofs import DATA, WORK, composed
from benchmarks.results import Row, write_rows
from reeltag.core.console import say
from reeltag.data.dataset import Dataset
from reeltag.data.shards import read_record
from reeltag.data.splits import Split
from reeltag.evaluation.moments import Events, evaluate_moments, evaluate_seconds
from reeltag.inference.moments import score_windows
from reeltag.predictions.interval_rows import Intervals, ScoredWindows, windows_by_video
from reeltag.predictions.intervals import IntervalConfig, find_intervals
from reeltag.predictions.ranked_intervals import rank_intervals
from reeltag.tagger.tagger import Tagger

Clips: TypeAlias = dict[bytes, list[tuple[int, float, float]]]  # class, start, end
CLIP = 10  # frames
APART = 1.0  # seconds below which events of a class are one
LENGTHS, PROBS = (1.0, 2.0, 3.0, 5.0), (0.2, 0.3, 0.5, 0.7)
SEGMENTS = IntervalConfig(hop_s=5.0)


def main() -> int:
    """Evaluate the works that are named, and write a row of each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.moments_quality")
    parser.add_argument("works", nargs="+", type=Path, metavar="WORK")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--work", type=Path, default=WORK, help="where reels are composed")
    options = parser.parse_args()
    reels = Dataset.open(composed("reels", options.data, options.work), quiet=True)
    clips = events_of_clips(options.data / "audioset")
    for work in options.works:
        row = _evaluate(work, reels, clips)
        command = f"python -m benchmarks.moments_quality {work.name}"
        write_rows("moments", [row], key=("seed", "precision"), measured=environment(command))
    return 0


def _evaluate(
    work: Path, reels: Dataset, clips: dict[bytes, list[tuple[int, float, float]]]
) -> Row:
    found = json.loads((work / "moments.json").read_text())
    folders = {each["name"]: Path(each["folder"]) for each in found["steps"]}
    video_tagger, tagger = (Tagger.load(folders[name] / "run") for name in ("train-I", "train-II"))
    targets = reels.rated_segments("test").targets
    assert targets is not None
    rated = np.unique(targets.classes)
    scores: dict[tuple[str, str], dict[str, float]] = {}
    splits: tuple[Split, ...] = ("validate", "test")
    for split in splits:
        truth = _events(reels, split, clips, rated)
        for length in LENGTHS:
            config = IntervalConfig(length_s=length)
            fine = _windows(tagger, reels, split, config, rated)
            seconds = evaluate_seconds([fine], truth, config, len(rated))
            for prob in PROBS:
                logit = np.full(len(rated), np.log(prob / (1 - prob)))
                moments = find_intervals(fine, config, logit)
                found_of = evaluate_moments(moments, truth, len(rated))
                scores[split, f"{length:g} s at {prob:g}"] = found_of | {"seconds": seconds}
            ranked = [rank_intervals(video, config) for video in windows_by_video([fine])]
            standing_out = Intervals.concatenate(ranked)
            scores[split, f"{length:g} s, ranked"] = evaluate_moments(
                standing_out, truth, len(rated)
            )
        coarse = _windows(tagger, reels, split, SEGMENTS, rated)
        scores[split, "segments"] = evaluate_moments(_as_intervals(coarse), truth, len(rated))
        copied = _copied(video_tagger, reels, split, rated)
        scores[split, "copied"] = evaluate_moments(_as_intervals(copied), truth, len(rated))
        say(f"{split}: {json.dumps({k[1]: v for k, v in scores.items() if k[0] == split})}")
    best, best_ranked = (
        max(tried, key=lambda name: scores["validate", name]["map@tiou"])
        for tried in (
            [f"{length:g} s at {prob:g}" for length in LENGTHS for prob in PROBS],
            [f"{length:g} s, ranked" for length in LENGTHS],
        )
    )
    ways = {"moments": best, "ranked": best_ranked, "segments": "segments", "copied": "copied"}
    return {
        "data": "reels",
        "seed": found["config"]["seed"],
        "precision": found["config"]["precision"],
        "classes": len(rated),
        "windows": best,
        "windows_ranked": best_ranked,
        "per_second_ap": scores["test", best]["seconds"],
        **{way: scores["test", name] for way, name in ways.items()},
    }


def events_of_clips(folder: Path) -> Clips:
    """Return the frames of each clip -> class, start and end of its events."""
    marked = defaultdict(list)
    with (folder / "eval_strong.csv").open(newline="") as file:
        for line in csv.DictReader(file):
            event = int(line["class_index"]), float(line["onset_s"]), float(line["offset_s"])
            marked[line["video_id"]].append(event)
    data = Dataset.open(folder, quiet=True)
    shards = {at for at, name in enumerate(data.shards) if Path(name).name.startswith("eval")}
    found = {}
    for row, (name, shard, skip) in enumerate(
        zip(*(data.table[c].to_pylist() for c in ("id", "shard", "skip")), strict=True)
    ):
        if shard in shards and not skip and name in marked:
            frames = read_record(data.index, row)[data.streams[0].name]
            if len(frames) == CLIP:
                found[frames.tobytes()] = marked[name]
    return found


def _events(
    data: Dataset,
    split: Split,
    clips: Clips,
    rated: NDArray[np.int32],
) -> Events:
    """Return the events of the rated classes in the reels of a split."""
    number = {int(c): at for at, c in enumerate(rated)}
    rows = []
    for row in data.rows(split).tolist():
        name = data.table["id"][row].as_py()
        frames = read_record(data.index, row)[data.streams[0].name]
        spans = defaultdict(list)
        for begin in range(0, len(frames) - CLIP + 1, CLIP):
            for c, start, end in clips[frames[begin : begin + CLIP].tobytes()]:
                if c in number:
                    spans[number[c]].append((begin + start, begin + end))
        rows += [(name, c, *span) for c in spans for span in _joined(sorted(spans[c]))]
    ids, classes, starts, ends = zip(*rows, strict=True)
    return Events(
        ids=pa.array(ids, pa.string()),
        classes=np.array(classes, np.int64),
        start_s=np.array(starts),
        end_s=np.array(ends),
    )


def _joined(spans: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the spans, in order, those that are less than `APART` from each other as one."""
    joined = spans[:1]
    for start, end in spans[1:]:
        if start - joined[-1][1] < APART:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined


def _windows(
    tagger: Tagger, data: Dataset, split: Split, config: IntervalConfig, rated: NDArray[np.int32]
) -> ScoredWindows:
    """Return the scores of the rated classes in all windows of a split."""
    parts = list(score_windows(tagger, data, config, split=split))
    return ScoredWindows(
        ids=pa.concat_arrays([part.ids for part in parts]),
        start_s=np.concatenate([part.start_s for part in parts]),
        end_s=np.concatenate([part.end_s for part in parts]),
        logits=np.concatenate([part.logits[:, rated] for part in parts]),
    )


def _copied(tagger: Tagger, data: Dataset, split: Split, rated: NDArray[np.int32]) -> ScoredWindows:
    """Return the scores of whole videos, as windows that are as long as they."""
    longest = IntervalConfig(length_s=1000.0, hop_s=1000.0)
    return _windows(tagger, data, split, longest, rated)


def _as_intervals(windows: ScoredWindows) -> Intervals:
    """Return each window and class as an interval."""
    num_windows, num_classes = windows.logits.shape
    repeat = np.repeat(np.arange(num_windows), num_classes)
    scores = windows.logits.astype(np.float64).reshape(-1)
    return Intervals(
        ids=windows.ids.take(pa.array(repeat)),
        classes=np.tile(np.arange(num_classes, dtype=np.int32), num_windows),
        start_s=np.asarray(windows.start_s, np.float64)[repeat],
        end_s=np.asarray(windows.end_s, np.float64)[repeat],
        peak_s=np.asarray(windows.start_s, np.float64)[repeat],
        scores=scores,
        mean_prob=1 / (1 + np.exp(-scores)),
    )


if __name__ == "__main__":
    sys.exit(main())
