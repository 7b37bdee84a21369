"""What is scored, in a form that another process can make again.

A `ScoringJob` is a few paths and settings, which can be sent to another process; a `Scoring` is
what a process makes of it: items in their order, how batches of them are read, and what scores
them. Of every range of items that begins and ends where batches do, the batches are those of the
whole: their scores are the same bits, whoever computes them.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from reeltag.core.batch import FrameBatch
from reeltag.inference.scoring import InferenceConfig, Scorer
from reeltag.inference.stream import Outcome, Output, PartRows, write_predictions
from reeltag.predictions.file import PredictionInfo
from reeltag.predictions.rows import Kind


@dataclass(frozen=True, kw_only=True)
class Scoring:
    """Items that are scored, in order.

    Attributes:
        choices: what is scored, and how.
        scorer: makes what scores batches, on the device of `choices`.
        read: from the number of an item, and one past the last, to the batches of these items.
        starts: returns (N,) the numbers of the items that begin a batch, ascending, the first 0.
        frames: (items,) how many frames each has, by which the work is divided.
        about: written into the file; its device is that of `choices`.
        settings: all that the predictions depend on.
        finish: writes a file from the finished parts, and returns the number of rows by kind; None
            writes a prediction file.
        skipped: broken records.
        item_name: of several items.
    """

    choices: InferenceConfig
    scorer: Callable[[], Scorer]
    read: Callable[[int, int], Iterable[FrameBatch]]
    starts: Callable[[], NDArray[np.int64]]
    frames: NDArray[np.integer]
    about: PredictionInfo
    settings: Mapping[str, Any]
    finish: Callable[[PartRows, Path], dict[Kind, int]] | None = None
    skipped: int = 0
    item_name: str = "videos"

    def __len__(self) -> int:
        """Return the number of items."""
        return len(self.frames)

    def write(self, out: Output) -> Outcome:
        """Score all items in this process; errors as of `write_predictions`."""
        if finish := self.finish:
            out = replace(out, finish=lambda parts: finish(parts, out.path))
        outcome = write_predictions(
            self.scorer(),
            lambda first: self.read(first, len(self)),
            len(self),
            out,
            self.about,
            self.settings,
            items=self.item_name,
        )
        return replace(outcome, skipped=self.skipped)


class ScoringJob(Protocol):
    """Paths and settings of a scoring: a frozen dataclass, which can be pickled."""

    def __hash__(self) -> int:
        """Return a hash of paths and settings."""

    @property
    def device(self) -> str:
        """Where it is scored: cpu, cuda, auto, ..."""

    @property
    def sources(self) -> tuple[Path, ...]:
        """Files and folders that it reads."""

    def scoring(self, device: str) -> Scoring:
        """Return it for a device, with tagger and data loaded."""
