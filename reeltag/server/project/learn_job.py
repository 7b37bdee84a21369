"""Trains a finder from a snapshot of ratings, and computes its curves, in a process of its own.

    python -m reeltag.server.project.learn_job DATA SNAPSHOT FOLDER

It is `reeltag solve moments --data DATA --ratings SNAPSHOT/ratings.csv --out FOLDER/learn`: steps
whose data have not changed, such as a stage I that only labels teach, are not run again. Progress
is on stderr: `progress: 0.42 words`. SNAPSHOT/run.json names the run when all is done.
"""

import argparse
import contextlib
import io
import re
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from reeltag.core.console import say
from reeltag.core.errors import ReeltagError, TrainingError
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
from reeltag.server.project import curve_job
from reeltag.server.project.curves import curves_folder
from reeltag.server.project.finders import key_of
from reeltag.server.project.snapshots import CLASSES, RATINGS, RUN_FILE, read_about

_TRAINED = 0.7  # of the whole
_EVERY_S = 0.5
_PROGRESS = re.compile(r"^progress: ([0-9.]+)", re.MULTILINE)


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
    _log(0.01, "reading the data")
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


@contextlib.contextmanager
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
                _log(0.02 + (_TRAINED - 0.02) * number / len(steps), words)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _compute_curves(data: Path, run: Path, out: Path) -> None:
    """Compute the curves of a run; TrainingError where that fails."""
    _log(_TRAINED, "curves of all videos")
    with contextlib.redirect_stderr(_LaterProgress(sys.stderr)):
        status = curve_job.main([str(data), str(run), str(out)])
    if status:
        raise TrainingError("its curves could not be computed", where=run)


class _LaterProgress(io.TextIOBase):
    """Passes on what is written; progress is that of what is left of the whole.

    Args:
        out: where to.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def write(self, text: str) -> int:
        """Write a text; of `progress: 0.5 words` the number is changed."""
        self._out.write(_PROGRESS.sub(self._later, text))
        return len(text)

    def flush(self) -> None:
        """Flush."""
        self._out.flush()

    def _later(self, found: re.Match[str]) -> str:
        return f"progress: {_TRAINED + (1 - _TRAINED) * float(found[1]):.3f}"


def _log(fraction: float, words: str) -> None:
    print(f"progress: {fraction:.3f} {words}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
