"""What steps of solutions that tag whole videos will cost, as far as arithmetic tells.

Floating-point operations over a round number for the machine; `reeltag.pipeline` corrects it by
what the first steps in the same folder really took.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from reeltag.data.index import Index
from reeltag.data.selection import column_of
from reeltag.data.splits import Split
from reeltag.models import ModelConfig
from reeltag.papers.common.segment_costs import A_PAIR, PAIR, computing, num_parameters
from reeltag.papers.common.splits.videos import Parts
from reeltag.pipeline.steps import Estimate
from reeltag.training.config import Recipe

_FRAMES, _VECTOR = 3e-4, 2e-5  # seconds to read and hand over a video, its mean, on a CPU
_A_DRAW = 2e-8  # seconds to score a class of a video in one draw of the bootstrap
_SOONER = 0.3  # a CPU's time of a training in bf16, for one in fp32
_PASSES = 100  # over the held-out predictions, until weights are learned
_GROWTH = 4.7  # samples after augmentation, for one before (paper, table 3)


@dataclass(frozen=True)
class VideoCosts:
    """Costs on one data set.

    Attributes:
        index: of the data.
        parts: what they are for.
        top_k: classes that are said of a video.
    """

    index: Index
    parts: Parts
    top_k: int

    def training(self, model: ModelConfig, recipe: Recipe, *, means: bool = False) -> Estimate:
        """Return the cost of a training; `means`: on one vector a video."""
        frames = 1.0 if means else self._length
        if recipe.frames.how != "all":
            frames = float(recipe.frames.num_frames)
        kept = 1 - 1 / recipe.fold.count if recipe.fold.count else 1.0
        count = self.parts.counts["train"] * kept
        seen = recipe.max_steps * recipe.batch_size or count * recipe.epochs
        seconds = self._seconds(model, seen, frames, passes=3)
        if recipe.precision == "bf16" and not torch.cuda.is_available():
            seconds *= _SOONER
        return Estimate(seconds=seconds, bytes=self.weight(model))

    def predicting(
        self, model: ModelConfig, split: Split, networks: int = 1, *, means: bool = False
    ) -> Estimate:
        """Return the cost of scoring the videos of a split, by the mean of some networks."""
        count = self.parts.counts[split]
        seconds = self._seconds(model, count, 1.0 if means else self._length, passes=networks)
        return Estimate(seconds=seconds, bytes=count * self.top_k * PAIR)

    def combining(self, files: int, split: Split) -> Estimate:
        """Return the cost of making one file of predictions out of several."""
        pairs = self.parts.counts[split] * self.top_k
        return Estimate(seconds=pairs * files * A_PAIR, bytes=pairs * PAIR)

    def fitting(self, files: int) -> Estimate:
        """Return the cost of learning weights on the held-out videos."""
        pairs = self.parts.counts["validate"] * self.top_k * files
        seconds = pairs * (A_PAIR + _PASSES * _A_DRAW)
        return Estimate(seconds=seconds, bytes=8 * files * self.index.num_classes)

    def scoring(self, files: int, draws: int) -> Estimate:
        """Return the cost of scores of so many files, with draws of the bootstrap."""
        pairs = self.parts.counts[self.parts.judge] * self.top_k * files
        seconds = pairs * (A_PAIR + draws * _A_DRAW)
        return Estimate(seconds=seconds, bytes=100 * self.index.num_classes)

    def averaging(self, which: Sequence[Split]) -> Estimate:
        """Return the cost of the means of all frames of some splits."""
        count = sum(self.parts.counts[split] for split in which)
        seconds = count * (self._length * 5e-6 + _FRAMES)
        return Estimate(seconds=seconds, bytes=count * (4 * sum(self._widths) + 100))

    def augmenting(self) -> Estimate:
        """Return the cost of making samples around the training videos."""
        made = self.parts.counts["train"] * _GROWTH
        return Estimate(seconds=made * 1e-4, bytes=round(made * (4 * sum(self._widths) + 100)))

    def weight(self, model: ModelConfig) -> int:
        """Return the bytes of a model's weights, in single precision."""
        return 4 * sum(num_parameters(model, self.index))

    @property
    def _widths(self) -> tuple[int, ...]:
        return tuple(stream.width for stream in self.index.streams)

    @cached_property
    def _length(self) -> float:
        return float(np.minimum(column_of(self.index.table, "frames"), 300).mean())

    def _seconds(self, model: ModelConfig, items: float, frames: float, *, passes: int) -> float:
        reading = _FRAMES if frames > 1 else _VECTOR
        return computing(model, self.index, items, frames, passes=passes, reading=reading)
