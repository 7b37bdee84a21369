"""Films with known moments, from video files to moments: how near is it to knowing every second?

    python -m benchmarks.films [--sound log_mel yamnet] [--finder frames nextvlad] [--seed 0 1 2]

Films are composed of real sounds and photographs (../shared/tools/films.py): 60 to train, 30 of
other sounds and pictures to test. They have noisy labels of whole films and 4 rated windows each;
that is all `reeltag solve moments` gets. Compared on the test films, by class:

    moments     the finder's probability of every second, for each `--finder`
    copied      stage I's score of the whole film, at every second
    ceiling     logistic regression of each class on the exact truth of every second of the training
                films, each stream with as much weight as the other; its strength of regularisation
                is the one that is best on the test films
"""

import argparse
import csv
import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from benchmarks.environment import environment
from benchmarks.proofs import DATA, WORK, reeltag
from benchmarks.results import Row, write_rows
from reeltag.core.console import say
from reeltag.core.probability import prob_logits
from reeltag.data.dataset import Dataset
from reeltag.data.shards import read_record
from reeltag.evaluation.moments import Events
from reeltag.inference.moments import score_windows
from reeltag.metrics.temporal import PerSecondAP, TemporalMAP, covered_fraction
from reeltag.predictions.interval_rows import ScoredWindows, windows_by_video
from reeltag.predictions.intervals import IntervalConfig, video_curve
from reeltag.predictions.ranked_intervals import rank_intervals
from reeltag.tagger.tagger import Tagger

PARTS = {"train": (12, (11, 12, 13, 14, 15)), "test": (30, (2,))}  # films of each seed
LAST_TRAINING_SOUND = 19  # of each class; pictures: the first two thirds
STRENGTHS = (0.1, 0.3, 1.0, 3.0, 10.0)  # C of the logistic regression
FINDERS = "frames", "nextvlad"
KEY = "sound", "finder", "seed"
SECONDS = IntervalConfig(length_s=1.0, hop_s=1.0, min_length_s=1.0)
STAGE_1 = "train-I", "regress_frames-I"


def main() -> int:
    """Compose, extract, solve and compare; what is done is not done again."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.films")
    parser.add_argument("--sound", nargs="*", default=["log_mel", "yamnet"])
    parser.add_argument("--finder", nargs="*", choices=FINDERS, default=list(FINDERS))
    parser.add_argument("--seed", type=int, nargs="*", default=[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--work", type=Path, default=WORK)
    options = parser.parse_args()
    films = options.work / "films"
    composed_films(options.data, films)
    for sound in options.sound:
        truth = _read_truth(films, _extracted(films, sound))
        for seed, finder in itertools.product(options.seed, options.finder):
            work = films / f"solve-{sound}-{finder}-{seed}"
            row = {"data": "films", "sound": sound, "finder": finder, "seed": seed}
            row |= _compared(truth, work, finder, seed)
            command = f"python -m benchmarks.films --sound {sound} --finder {finder} --seed {seed}"
            write_rows("films", [row], key=KEY, measured=environment(command))
    return 0


def composed_films(data: Path, films: Path) -> None:
    """Compose the films of each part, of sounds and pictures that the other does not have."""
    running = []
    for part, (number, seeds) in PARTS.items():
        for kind in ("sounds", "pictures"):
            for folder in sorted((data / "films" / kind).iterdir()):
                _link(folder, films / part / kind / folder.name, is_train=part == "train")
        for seed in seeds:
            out = films / f"composed-{part}-{seed}"
            if (out / "moments.csv").exists():
                continue
            command = [sys.executable, str(data.parent / "tools" / "films.py")]
            command += ["--sounds", str(films / part / "sounds")]
            command += ["--pictures", str(films / part / "pictures"), "--films", str(number)]
            command += ["--seconds", "60", "120", "--seed", str(seed), "--out", str(out)]
            running.append(subprocess.Popen(command))
    if any(process.wait() for process in running):
        raise RuntimeError("films could not be composed")


def _link(source: Path, target: Path, *, is_train: bool) -> None:
    """Link the sounds or pictures of a class that belong to a part."""
    files = sorted(path for path in source.iterdir() if path.is_file())
    first = round(len(files) * 2 / 3)
    if source.parent.name == "sounds":
        first = sum(int(path.stem[:2]) <= LAST_TRAINING_SOUND for path in files)
    target.mkdir(parents=True, exist_ok=True)
    for path in files[:first] if is_train else files[first:]:
        if not (target / path.name).is_symlink():
            (target / path.name).symlink_to(path)


def _extracted(films: Path, sound: str) -> Path:
    """Return the data folder of all films, with labels and ratings of those to train on."""
    data = films / f"data-{sound}"
    if (data / "ratings.csv").exists():
        return data
    for part, (_, seeds) in PARTS.items():  # films of each seed are called alike
        (films / f"films-{part}").mkdir(exist_ok=True)
        for seed in seeds:
            for path in sorted((films / f"composed-{part}-{seed}").glob("*.mp4")):
                named = films / f"films-{part}" / f"{part}_{seed}_{path.name}"
                if not named.exists():
                    named.hardlink_to(path)
    shares = {"train": "100 0 0", "test": "0 0 100"}
    for part, share in shares.items():
        reeltag(f"extract {films}/films-{part} --out {data} --sound {sound} --split {share}")
    for name in ("labels", "ratings"):
        _joined(films, name, "train", films / f"{name}.csv")
    for part in PARTS:
        _joined(films, "moments", part, films / f"moments-{part}.csv")
    classes = films / f"composed-train-{PARTS['train'][1][0]}" / "classes.csv"
    reeltag(f"weak-labels {data} --from csv --table {films}/labels.csv --classes {classes}")
    reeltag(f"ratings {data} --from {films}/ratings.csv")
    return data


def _joined(films: Path, table: str, part: str, target: Path) -> None:
    """Write a table of all films of a part, with the names that they have in DATA."""
    rows = []
    for seed in PARTS[part][1]:
        with (films / f"composed-{part}-{seed}" / f"{table}.csv").open(newline="") as file:
            for row in csv.DictReader(file):
                name = Path(row.pop("video")).stem
                rows.append({"id": f"{part}_{seed}_{name}", **row})
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


class _Film(NamedTuple):
    """Seconds of a film: features (T, D), whether a class is in them (T, C), and its events."""

    name: str
    frames: NDArray[np.float32]
    hits: NDArray[np.bool_]
    spans: torch.Tensor
    classes: torch.Tensor


def _films(data: Dataset, part: str, truth: Events) -> Iterator[_Film]:
    """Yield the films of a part."""
    owners = np.array(truth.ids.to_pylist())
    for row in data.rows("train" if part == "train" else "test").tolist():
        name = data.table["id"][row].as_py()
        stored = read_record(data.index, row)
        frames = [of.dequantise(stored[of.name].view(of.dtype)) for of in data.features.streams]
        mine = owners == name
        spans = torch.tensor(np.stack([truth.start_s, truth.end_s], axis=1)[mine])
        classes = torch.tensor(truth.classes[mine])
        shape = len(frames[0]), len(data.classes)
        covered = covered_fraction(spans.clamp(max=shape[0]), classes, shape)
        yield _Film(name, np.concatenate(frames, axis=1), covered.numpy() >= 0.5, spans, classes)


class _Truth(NamedTuple):
    """What is known of the films, whatever is found in them.

    Attributes:
        data: of all films.
        test: films to compare on.
        ceiling: name of a test film -> probabilities (T, C) by exact truth of the others.
        kinds: which classes are seen, and which are heard.
    """

    data: Dataset
    test: list[_Film]
    ceiling: dict[str, NDArray[np.float32]]
    kinds: dict[str, NDArray[np.int64]]


def _read_truth(films: Path, path: Path) -> _Truth:
    """Return the truth of the films whose data folder is `path`."""
    data = Dataset.open(path, quiet=True)
    events = {part: Events.open(films / f"moments-{part}.csv", data.classes) for part in PARTS}
    train, test = (list(_films(data, part, events[part])) for part in PARTS)
    ceiling = _ceiling(train, test, [stream.width for stream in data.streams])
    return _Truth(data, test, ceiling, _kinds(films, data))


def _compared(truth: _Truth, work: Path, finder: str, seed: int) -> Row:
    """Return the scores of a finder and its baselines; `work` is where it is or will be."""
    data, test = truth.data, truth.test
    command = f"solve moments --finder {finder} --seed {seed}"
    if not (work / "moments.json").exists():
        reeltag(f"{command} --data {data.path} --out {work}")
    found = json.loads((work / "moments.json").read_text())
    folders = {each["name"]: Path(each["folder"]) for each in found["steps"]}
    (stage_1,) = (folder for name, folder in folders.items() if name in STAGE_1)
    scores = {
        "moments": _curves(Tagger.load(folders["finder-final"] / "run"), data, SECONDS),
        "copied": _curves(Tagger.load(stage_1 / "run"), data, None),
        "ceiling": truth.ceiling,
    }
    row: Row = {"command": f"reeltag {command}"}
    for name, of in scores.items():
        seconds = _per_second(of, test)
        moments = _intervals(of, test, whole=name == "copied")
        row[name] = {
            "per_second_ap": float(np.nanmean(seconds)),
            "map@tiou=0.5": float(np.nanmean(moments)),
            **{kind: float(np.nanmean(seconds[rows])) for kind, rows in truth.kinds.items()},
            **{
                f"{kind} map@tiou=0.5": float(np.nanmean(moments[rows]))
                for kind, rows in truth.kinds.items()
            },
            "classes": dict(zip(data.classes.names, seconds.tolist(), strict=True)),
        }
        shown = {key: value for key, value in row[name].items() if key != "classes"}
        say(f"{name}: {json.dumps(shown)}")
    row["share"] = row["moments"]["per_second_ap"] / row["ceiling"]["per_second_ap"]
    return row


def _curves(
    tagger: Tagger, data: Dataset, config: IntervalConfig | None
) -> dict[str, NDArray[np.float32]]:
    """Return the probabilities (T, C) of every second of the test films; None: of whole films."""
    config = config or IntervalConfig(length_s=1e4, hop_s=1e4)
    windows = windows_by_video(score_windows(tagger, data, config, split="test"))
    seconds = replace(config, hop_s=1.0)
    return {video.ids[0].as_py(): video_curve(video, seconds) for video in windows}


def _ceiling(
    train: list[_Film], test: list[_Film], widths: list[int]
) -> dict[str, NDArray[np.float32]]:
    """Return the probabilities of every second by regressions on exact truth."""
    frames, hits = (np.concatenate([film[at] for film in train]) for at in (1, 2))
    mean, scale = frames.mean(axis=0), 1 / (frames.std(axis=0) + 1e-6)
    scale /= np.sqrt(np.concatenate([np.full(width, width) for width in widths]))
    best: dict[str, NDArray[np.float32]] = {}
    value = -1.0
    for strength in STRENGTHS:
        models = [
            LogisticRegression(C=strength, max_iter=300).fit((frames - mean) * scale, hit)
            for hit in hits.T
        ]
        scores = {
            film.name: np.stack(
                [each.predict_proba((film.frames - mean) * scale)[:, 1] for each in models],
                axis=1,
            ).astype(np.float32)
            for film in test
        }
        found = float(np.nanmean(_per_second(scores, test)))
        say(f"regressions of C = {strength:g}: per-second AP {found:.4f}")
        if found > value:
            best, value = scores, found
    return best


def _per_second(scores: dict[str, NDArray[np.float32]], films: list[_Film]) -> NDArray[np.float64]:
    """Return the average precision of every second, of each class."""
    metric = PerSecondAP(films[0].hits.shape[1])
    for film in films:
        spans = film.spans.clamp(max=len(film.frames))
        metric.update(torch.from_numpy(scores[film.name]), spans, film.classes)
    return metric.per_class().numpy()


def _intervals(
    scores: dict[str, NDArray[np.float32]], films: list[_Film], *, whole: bool
) -> NDArray[np.float64]:
    """Return the average precision at temporal IoU .5 of ranked intervals, of each class."""
    metric = TemporalMAP(films[0].hits.shape[1], (0.5,))
    for number, film in enumerate(films):
        of = scores[film.name]
        size = len(of)
        times = np.arange(size + 1.0) if not whole else np.array([0.0, size])
        of = of[:1] if whole else of
        windows = ScoredWindows(
            ids=pa.array([film.name] * len(of)),
            start_s=times[:-1],
            end_s=times[1:],
            logits=prob_logits(of),
        )
        found = rank_intervals(windows, IntervalConfig(length_s=1.0, min_length_s=1.0))
        videos = torch.full((len(found),), number), torch.full((len(film.classes),), number)
        spans = torch.tensor(np.stack([found.start_s, found.end_s], axis=1))
        columns = torch.tensor(found.scores), spans, torch.tensor(found.classes), videos[0]
        metric.update(*columns, film.spans, film.classes, videos[1])
    return metric.average_precision()[0].numpy()


def _kinds(films: Path, data: Dataset) -> dict[str, NDArray[np.int64]]:
    """Return which classes are seen, and which are heard."""
    names = {kind: {p.name for p in (films / "train" / kind).iterdir()} for kind in _KINDS}
    return {
        kind: np.array([c for c, name in enumerate(data.classes.names) if name in of])
        for kind, of in names.items()
    }


_KINDS = ("pictures", "sounds")


if __name__ == "__main__":
    sys.exit(main())
