"""How fast similar moments are found: exact search over 300,000 s, an index of 2,000,000 s.

All on one core. The exact search has random frames of 1280 + 192 bytes, as efficientnet_lite0 and
log_mel are stored, in videos of 200 s; the shards are in the page cache. The first search of a
data set also computes its norms once.

The index has synthetic frames that are alike in part: shots of 10 s, each near one of 2,000 kinds,
64 dimensions that mean something, and noise in all. Its recall is the fraction of the 20 best
moments of the exact search that are found too.
"""

import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from benchmarks.feature_data import WIDTHS, Frames, random_frames, write_videos
from benchmarks.figure import figure
from benchmarks.results import Row
from reeltag.data.dataset import Dataset
from reeltag.library.similar import MomentSearch

SECONDS, LENGTH, SEARCHES = 300_000, 200, 9
INDEXED, ASKED, SHOT, KINDS, MEANINGS = 2_000_000, 25, 10, 2_000, 64


def run(quick: bool) -> list[Row]:
    """Return the figures; `quick`: 2,000 seconds, and an index of 20,000."""
    return _exact(2_000 if quick else SECONDS) + _indexed(20_000 if quick else INDEXED)


def _exact(seconds: int) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder), _random_videos(seconds // LENGTH))
        data = Dataset.open(folder, jobs=1, quiet=True)
        opened = time.perf_counter()
        search = MomentSearch(data, threads=1, quiet=True, exact=True)
        first = time.perf_counter() - opened
        rows = []
        for streams in ((), ("audio",)):
            search = MomentSearch(data, streams, threads=1, quiet=True, exact=True)
            times = []
            for at in range(SEARCHES):
                began = time.perf_counter()
                search.search(f"v{at}", 50.0)
                times.append(time.perf_counter() - began)
            width = sum(WIDTHS[name] for name in streams or WIDTHS)
            details: dict[str, object] = {"width": width, "median_of": SEARCHES}
            name = f"search of {seconds:,} s x {width}"
            rows.append(figure(name, statistics.median(times), "s", "< 1 s", details))
        name = f"norms of {seconds:,} s x {sum(WIDTHS.values())}"
        rows.append(figure(name, first, "s"))
    return rows


def _indexed(seconds: int) -> list[Row]:
    """Return speed, size and recall of an index, against the exact search."""
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder), _videos_of_shots(seconds // LENGTH))
        data = Dataset.open(folder, jobs=1, quiet=True)
        exact = MomentSearch(data, threads=1, quiet=True, exact=True)
        began = time.perf_counter()
        search = MomentSearch(data, threads=1, quiet=True, index_from=0)
        built = time.perf_counter() - began
        (index,) = (Path(folder) / ".reeltag").glob("*.faiss")
        size = index.stat().st_size / len(search)
        name = f"{seconds:,} s x {sum(WIDTHS.values())}"
        rows = [
            figure(f"index of {name}, built once", built, "s"),
            figure(
                f"index of {name}, on disk", size, "bytes/s", "<= 100" if seconds >= 10**6 else None
            ),
        ]
        for window in (1.0, 5.0):
            times: dict[str, list[float]] = {"exact": [], "index": []}
            kept = []
            for at in range(ASKED):
                found = {}
                for way, of in (("exact", exact), ("index", search)):
                    began = time.perf_counter()
                    found[way] = of.search(f"v{at}", 50.0, window_s=window)
                    times[way].append(time.perf_counter() - began)
                expected, named = ({(of.video, of.best_s) for of in found[way]} for way in found)
                kept.append(len(expected & named) / len(expected))
            what = f"{name}, moments of {window:g} s"
            details: dict[str, object] = {"median_of": ASKED}
            for way, target in (("exact", None), ("index", "< 1 s")):
                median = statistics.median(times[way])
                rows.append(figure(f"{way}: search of {what}", median, "s", target, details))
            recall, details = statistics.mean(kept), {"searches": ASKED, "lowest": min(kept)}
            rows.append(
                figure(f"index: recall of the 20 best, {what}", recall, "", ">= .95", details)
            )
    return rows


def _random_videos(videos: int) -> Iterator[Frames]:
    rng = np.random.default_rng(0)
    for _ in range(videos):
        yield random_frames(rng, LENGTH)


def _videos_of_shots(videos: int) -> Iterator[Frames]:
    """Yield the frames of videos; of each, 16 codes are a standard deviation of its noise."""
    rng = np.random.default_rng(0)
    kinds = rng.normal(size=(KINDS, MEANINGS))
    ways = {
        name: rng.normal(size=(MEANINGS, width)).astype(np.float32) / np.sqrt(MEANINGS)
        for name, width in WIDTHS.items()
    }
    for _ in range(videos):
        shots = kinds[rng.integers(0, KINDS, LENGTH // SHOT)]
        shots = (shots + 0.7 * rng.normal(size=shots.shape)).repeat(SHOT, 0)
        means = (shots + 0.3 * rng.normal(size=shots.shape)).astype(np.float32)
        frames = {}
        for name, way in ways.items():
            noise = rng.standard_normal((LENGTH, WIDTHS[name]), np.float32)
            frames[name] = np.clip(128 + 16 * (2 * means @ way + noise), 0, 255).astype(np.uint8)
        yield frames


def _write(folder: Path, videos: Iterable[Frames]) -> None:
    """Write the videos v0, v1, ... as one shard."""
    named = ((f"v{at}", frames) for at, frames in enumerate(videos))
    write_videos(folder, named, per_shard=INDEXED)
