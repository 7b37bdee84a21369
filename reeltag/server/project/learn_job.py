"""Trains a finder from a snapshot of ratings, and computes its curves, in a process of its own.

    python -m reeltag.server.project.learn_job DATA SNAPSHOT FOLDER

It is `reeltag solve moments --data DATA --ratings SNAPSHOT/ratings.csv --out FOLDER/learn`: steps
whose data have not changed, such as a stage I that is trained on labels alone, are not run again.
Progress is on stderr: `progress: 0.42 words`. SNAPSHOT/run.json names the run when all is done.
"""

import argparse
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from reeltag.core.console import say
from reeltag.core.errors import ReeltagError
from reeltag.core.files import write_json
from reeltag.data.dataset import Dataset
from reeltag.data.selection import lists_of
from reeltag.papers.common.splits.own_videos import FEW
from reeltag.papers.common.steps.files import RUN
from reeltag.papers.moments import PROGRAM
from reeltag.papers.moments.config import Config
from reeltag.pipeline.engines import run_steps
from reeltag.pipeline.steps import Step, ordered
from reeltag.pipeline.store import folder_of
from reeltag.predictions.intervals import IntervalConfig
from reeltag.server.job_lines import log_progress
from reeltag.server.project.curve_job import compute_curves, source_of
from reeltag.server.project.curves import curves_folder
from reeltag.server.project.finders import key_of
from reeltag.server.project.snapshots import CLASSES, RATINGS, RUN_FILE, read_about

_TRAINED = 0.7  # of the whole
_EVERY_S = 0.5


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, and compute curves; return 0, or 2 where that is not possible."""
    parser = argparse.ArgumentParser(prog="python -m reeltag.server.project.learn_job")
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("snapshot", type=Path, metavar="SNAPSHOT")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="of the project")
    options = parser.parse_args(arguments)
    try:
        run = train(options.data, options.snapshot, options.folder / "learn")
        _compute_curves(options.data, run, curves_folder(options.folder, key_of(run)))
        write_json(options.snapshot / RUN_FILE, {"run": str(run)})
    except ReeltagError as error:
        say(str(error))
        return 2
    return 0


def train(data: Path, snapshot: Path, work: Path) -> Path:
    """Return the run folder of a finder that is trained on a snapshot.

    Args:
        data: of the videos.
        snapshot: with the classes, and the ratings if there are some.
        work: folder of the steps.

    Raises:
        DataError: nothing can be learned from these ratings and labels.
    """
    log_progress(0.01, "reading the data")
    ratings = snapshot / RATINGS
    opened = Dataset.open(
        data, classes=snapshot / CLASSES, ratings=ratings if ratings.is_file() else (), quiet=True
    )
    goal = PROGRAM.solve(opened, config_for(opened, read_about(snapshot).num_ratings))
    steps = [node for node in ordered(goal.steps) if isinstance(node, Step)]
    with _logged(steps, work):
        run_steps(goal.steps, work)
    for line in goal.closing(lambda step: folder_of(step, work)).splitlines():
        if line.startswith("Next"):
            break
        say(line)
    return folder_of(goal.steps[-1], work) / RUN


def config_for(data: Dataset, num_ratings: int) -> Config:
    """Return how a finder is trained; from few ratings, or without labels, frame by frame.

    Args:
        data: of the videos.
        num_ratings: of videos that train.
    """
    if not num_ratings:
        return Config(without_ratings=True)
    has_labels = len(lists_of(data.table, "labels")[1]) > 0
    return Config(finder="auto" if has_labels and num_ratings >= FEW else "frames")


@contextmanager
def _logged(steps: list[Step], work: Path) -> Iterator[None]:
    """Log how many steps are done while they run."""
    done = threading.Event()

    def look() -> None:
        last = -1
        while not done.wait(_EVERY_S):
            number = sum(folder_of(step, work).is_dir() for step in steps)
            if number != last:
                last = number
                words = f"training: {number} of {len(steps)} steps"
                log_progress(0.02 + (_TRAINED - 0.02) * number / len(steps), words)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _compute_curves(data: Path, run: Path, out: Path) -> None:
    """Compute the curves of a run."""
    _log_later(0, "curves of all videos")
    opened = Dataset.open(data, labels=(), ratings=(), jobs=1, quiet=True)
    source, key = source_of(opened, str(run), IntervalConfig())
    compute_curves(source, opened, key, out, log=_log_later)


def _log_later(fraction: float, words: str) -> None:
    """Print how far the job is where the training is done."""
    log_progress(_TRAINED + (1 - _TRAINED) * fraction, words)


if __name__ == "__main__":
    sys.exit(main())
