"""What steps of solutions that find moments will cost, as far as arithmetic tells.

Floating-point operations over a round number for the machine; `reeltag.pipeline` corrects it by
what the first steps in the same folder really took.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from reeltag.data.index import Index
from reeltag.data.items import SEGMENT_SECONDS
from reeltag.data.selection import column_of, lists_of
from reeltag.models import ModelConfig
from reeltag.papers.common.splits.segments import Roles, num_rated
from reeltag.pipeline.steps import Estimate
from reeltag.training.config import Recipe

_CPU, _GPU = 4e10, 2e13  # useful operations a second: of a CPU's thread, of a GPU
A_PAIR = 1e-6  # seconds to read, sort and write a class and its score
PAIR = 6  # bytes of a class and its score in a file of predictions
_VIDEO, _SEGMENT = 2e-3, 2e-4  # seconds to read and hand over a whole video, a segment, on a CPU
_A_DRAW = 2e-7  # seconds to score a rating in one draw of the bootstrap


@dataclass(frozen=True)
class Costs:
    """Costs on one data set."""

    index: Index
    roles: Roles

    def training(self, model: ModelConfig, recipe: Recipe, soft: int = 0) -> Estimate:
        """Return the cost of a training with so many soft segments beside what is in the data."""
        if recipe.items == "videos":
            items, frames = self.roles.num_videos, self._length
            if recipe.frames.how == "stride":
                frames /= sum(recipe.frames.stride_range) / 2
            elif recipe.frames.how != "all":
                frames = float(recipe.frames.num_frames)
        else:
            kept = 1 - 1 / recipe.fold.count if recipe.fold.count else 1.0
            items, frames = round(self._num_rated * kept) + soft, float(SEGMENT_SECONDS)
        seen = recipe.max_steps * recipe.batch_size or items * recipe.epochs
        seconds = self._seconds(model, seen, frames, passes=3)
        return Estimate(seconds=seconds, bytes=4 * sum(num_parameters(model, self.index)))

    def predicting(self, model: ModelConfig) -> Estimate:
        """Return the cost of scoring all segments of the videos that judge."""
        segments = self._pairs // self._num_classes
        seconds = self._seconds(model, segments, SEGMENT_SECONDS, passes=1)
        return Estimate(seconds=seconds, bytes=self._pairs * PAIR)

    def rewriting(self, files: int = 1) -> Estimate:
        """Return the cost of making one file of predictions out of several."""
        return Estimate(seconds=self._pairs * files * A_PAIR, bytes=self._pairs * PAIR)

    def scoring(self, files: int = 1, draws: int = 1000) -> Estimate:
        """Return the cost of scores of so many files, with draws of the bootstrap."""
        ratings = int(num_rated(self.index)[self._judging].sum())
        seconds = files * (self._pairs * A_PAIR + ratings * draws * _A_DRAW)
        return Estimate(seconds=seconds, bytes=100 * self.index.num_classes)

    def softening(self, model: ModelConfig, soft: int) -> Estimate:
        """Return the cost of asking a teacher about so many segments."""
        seconds = self._seconds(model, soft, SEGMENT_SECONDS, passes=1)
        return Estimate(seconds=seconds, bytes=soft * 40)

    def num_soft(self, per_label: int, per_class: int = 0) -> int:
        """Return about how many segments are drawn, n a label, at most m a class (0 = all)."""
        shards = self.roles.videos.shards(self.index, "train")
        mine = np.isin(self._shard, shards)
        labels = lists_of(self.index.table.filter(mine).combine_chunks(), "labels")[1]
        pool = per_label * np.bincount(labels, minlength=self.index.num_classes)
        if not per_class:
            return int(pool.sum())
        wanted = list(self.roles.judges.classes) or slice(None)
        return int(np.minimum(pool[wanted], per_class).sum())

    @cached_property
    def _judging(self) -> NDArray[np.bool_]:
        judges = self.roles.judges
        mine = np.isin(self._shard, judges.splits.shards(self.index, judges.split))
        return judges.rows(self.index) & mine

    @cached_property
    def _pairs(self) -> int:
        """How many classes of how many segments are judged."""
        frames = column_of(self.index.table, "frames")[self._judging]
        return int(frames.sum()) // SEGMENT_SECONDS * self._num_classes

    @property
    def _num_classes(self) -> int:
        return len(self.roles.judges.classes) or self.index.num_classes

    @cached_property
    def _length(self) -> float:
        return float(np.minimum(column_of(self.index.table, "frames"), 300).mean())

    @cached_property
    def _num_rated(self) -> int:
        shards = self.roles.rated.shards(self.index, "train")
        return int(num_rated(self.index)[np.isin(self._shard, shards)].sum())

    @property
    def _shard(self) -> NDArray[np.int32]:
        return column_of(self.index.table, "shard")

    def _seconds(self, model: ModelConfig, items: float, frames: float, passes: int) -> float:
        reading = _SEGMENT if frames == SEGMENT_SECONDS else _VIDEO
        return computing(model, self.index, items, frames, passes=passes, reading=reading)


def computing(
    model: ModelConfig, index: Index, items: float, frames: float, *, passes: int, reading: float
) -> float:
    """Return the seconds that a model takes over items of some data.

    Args:
        model: its sizes.
        index: of the data.
        items: how many.
        frames: of each.
        passes: 1 to predict, 3 to learn.
        reading: seconds to read and hand over an item, on a CPU; a GPU does not wait for it.
    """
    of_frames, of_items = num_parameters(model, index)
    operations = 2.0 * passes * items * (of_frames * frames + of_items)
    if torch.cuda.is_available():
        return operations / _GPU
    return operations / (_CPU * torch.get_num_threads()) + items * reading


def num_parameters(model: ModelConfig, index: Index) -> tuple[int, int]:
    """Return how many parameters see each frame, and how many each item once."""
    dims = tuple(stream.width for stream in index.streams)
    with torch.device("meta"):
        built = replace(model, dims=dims, num_classes=index.num_classes).build()
    sizes = [
        ("pool" in name or name.startswith("rnn."), value.numel())
        for name, value in built.named_parameters()
    ]
    of_frames = sum(size for sees_frames, size in sizes if sees_frames)
    return of_frames, sum(size for _, size in sizes) - of_frames
