"""Weak labels and similar moments of films whose moments are known.

    python ../shared/tools/films.py --sounds ../shared/data/films/sounds \
        --pictures ../shared/data/films/pictures --films 40 --seconds 60 90 --seed 1 --out FILMS
    reeltag extract FILMS --out DATA --sound yamnet
    python -m benchmarks.weak_labels DATA FILMS

Labels: those of the own classes of the encoders, by the defaults of `reeltag weak-labels`, against
the moments of the films: how many are true, and how many of the true ones there are. Similar
moments: how many of the 20 seconds of other films that are nearest to a second of a class are of
this class; a picture's class by pictures, a sound's by sound.
"""

import argparse
import csv
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.environment import environment
from benchmarks.proofs import DATA
from benchmarks.results import Row, write_rows
from reeltag.core.console import say
from reeltag.data.dataset import Dataset
from reeltag.library.labelling.config import WeakLabelsConfig
from reeltag.library.labelling.run import weak_labels
from reeltag.library.labelling.scores import stream_frames

NEAREST = 20
EVERY = 3  # one of so many seconds of a class is searched for
Moments = dict[str, list[tuple[float, float, str]]]


def main() -> int:
    """Write a row of each source of labels and of each way to compare seconds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.weak_labels")
    parser.add_argument("data", type=Path, metavar="DATA", help="of `reeltag extract FILMS`")
    parser.add_argument("films", type=Path, metavar="FILMS", help="of ../shared/tools/films.py")
    options = parser.parse_args()
    moments = _moments(options.films)
    rows = [
        *_label_rows(options.data, options.films, moments),
        *_similar_rows(options.data, moments),
    ]
    for row in rows:
        say(str(row))
    command = "python -m benchmarks.weak_labels DATA FILMS"
    write_rows("weak_labels", rows, key=("what", "source"), measured=environment(command))
    return 0


def _moments(films: Path) -> Moments:
    found: Moments = defaultdict(list)
    for row in _rows(films / "moments.csv"):
        moment = float(row["start_s"]), float(row["end_s"]), row["class"]
        found[Path(row["video"]).stem].append(moment)
    return found


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _label_rows(data: Path, films: Path, moments: Moments) -> Iterator[Row]:
    """Yield precision and recall of the labels of each source."""
    true = {(video, name) for video, of in moments.items() for *_, name in of}
    with tempfile.TemporaryDirectory() as folder:
        for path in data.iterdir():
            if path.suffix in (".tfrecord", ".json") or path.name == "videos.csv":
                (Path(folder) / path.name).symlink_to(path.resolve())
        config = WeakLabelsConfig(classes=films / "classes.csv")
        weak_labels(Path(folder), ["encoder"], config, quiet=True)
        sources = defaultdict(set)
        for row in _rows(Path(folder) / "labels.csv"):
            sources[row["source"]].add((row["id"], row["class"]))
    sources["the films' own labels"] = {
        (Path(row["video"]).stem, row["class"]) for row in _rows(films / "labels.csv")
    }
    encoders = [labels for source, labels in sources.items() if source.startswith("encoder:")]
    sources["both encoders"] = set().union(*encoders)
    for source, labels in sources.items():
        yield {
            "what": "labels",
            "source": source,
            "labels": len(labels),
            "videos": len(moments),
            "precision": round(len(labels & true) / len(labels), 3),
            "recall": round(len(labels & true) / len(true), 3),
        }


def _similar_rows(data: Path, moments: Moments) -> Iterator[Row]:
    """Yield how many of the nearest seconds are of the class that was asked for."""
    dataset = Dataset.open(data, labels=(), ratings=(), quiet=True)
    seen = {name for of in moments.values() for *_, name in of}
    pictures = seen & _picture_classes()
    for stream in dataset.features.streams:
        frames = dict(stream_frames(dataset, stream, quiet=True))
        video = np.repeat(np.arange(len(frames)), [len(of) for of in frames.values()])
        wanted = sorted(pictures if stream.name == "rgb" else seen - pictures)
        is_class = np.concatenate(
            [_seconds(moments[name], len(of), wanted) for name, of in frames.items()]
        )
        features = np.concatenate([*frames.values()])
        centred = features - features.mean(0)
        ways = {
            "as it is": features,
            "mean removed": centred,
            "mean removed, deviation 1": centred / (features.std(0) + 1e-6),
        }
        for way, vectors in ways.items():
            yield {
                "what": f"{NEAREST} nearest seconds, {stream.name}",
                "source": way,
                "encoder": stream.encoder.name,
                "precision": round(_precision(vectors, video, is_class), 3),
                "by_chance": round(float(is_class.mean()), 3),
            }


def _picture_classes() -> set[str]:
    """Return the classes that are seen, those of ../shared/data/films/pictures."""
    return {path.name for path in (DATA / "films" / "pictures").iterdir()}


def _seconds(
    moments: list[tuple[float, float, str]], length: int, wanted: list[str]
) -> NDArray[np.bool_]:
    """Return (T, C) which seconds are of which class, for at least their middle half."""
    found = np.zeros((length, len(wanted)), bool)
    for start, end, name in moments:
        if name in wanted:
            middle = np.arange(length)
            inside = (start <= middle + 0.25) & (end >= middle + 0.75)
            found[:, wanted.index(name)] |= inside
    return found


def _precision(
    vectors: NDArray[np.float32], video: NDArray[np.int64], is_class: NDArray[np.bool_]
) -> float:
    """Return the mean precision of the nearest seconds of other videos."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    found = []
    for column in range(is_class.shape[1]):
        for row in np.flatnonzero(is_class[:, column])[::EVERY]:
            cosines = unit @ unit[row]
            cosines[video == video[row]] = -2
            nearest = np.argpartition(-cosines, NEAREST)[:NEAREST]
            found.append(is_class[nearest, column].mean())
    return float(np.mean(found))


if __name__ == "__main__":
    sys.exit(main())
