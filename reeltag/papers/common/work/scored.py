"""What several networks together say of whole videos, and how far it is from the labels."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reeltag.core.batch import FrameBatch
from reeltag.core.probability import MeanLogits
from reeltag.data.items import VideoSet
from reeltag.data.loader import Loader, ReadConfig
from reeltag.data.sampling import FrameChoice
from reeltag.inference.scoring import Choices, Scorer, refuse_nan
from reeltag.losses.cross_entropy import binary_cross_entropy
from reeltag.predictions.rows import WHOLE_VIDEO, PredictionRows
from reeltag.predictions.top_k import top_classes
from reeltag.tagger.tagger import Tagger


class Answers:
    """What networks say of batches, and how far it is from the labels.

    Args:
        taggers: of one vocabulary and the same streams; their mean probability counts.
        choices: how they are asked.
        judge: whether the cross-entropy is wanted.
    """

    def __init__(self, taggers: Sequence[Tagger], choices: Choices, *, judge: bool = True) -> None:
        self.scorers = [Scorer(of, of.num_classes, choices) for of in taggers]
        self.choices, self._judge = choices, judge
        self._losses: list[NDArray[np.float32]] = []

    def rows(self, batch: FrameBatch) -> PredictionRows:
        """Return the best classes of each video of a batch, and remember its cross-entropy."""
        batch = batch.to(self.scorers[0].device)
        with torch.inference_mode():
            logits = self._logits(batch)
            if self._judge and batch.labels is not None:
                losses = binary_cross_entropy(logits, batch.labels) / logits.shape[1]
                self._losses.append(losses.cpu().numpy())
            scores, classes = (of.cpu() for of in top_classes(logits, self.choices.top_k))
        return PredictionRows.of_matrix(
            batch.ids, WHOLE_VIDEO, classes.numpy().astype(np.int32), scores.numpy()
        )

    def cross_entropy(self) -> NDArray[np.float32]:
        """Return (V,) nats a class, of the videos asked about, in their order."""
        return np.concatenate([np.zeros(0, np.float32), *self._losses])

    def _logits(self, batch: FrameBatch) -> Tensor:
        seen = slice(None, self.choices.max_frames or None)
        mean, every = MeanLogits(of_probs=True), torch.arange(len(batch))
        for scorer in self.scorers:
            with scorer.autocast():
                said: Tensor = scorer.tagger(batch.frames[:, seen], batch.mask[:, seen])
            logits = said.float()
            refuse_nan(logits, batch, batch.ids)
            if len(self.scorers) == 1:
                return logits
            mean.add(logits, every.to(logits.device), len(batch))
        return mean.mean()


def batches_of(items: VideoSet, answers: Answers) -> Iterator[FrameBatch]:
    """Yield whole videos with their labels, in the order of the index."""
    longest = int(items.length.max(initial=1))
    limit = min(answers.choices.max_frames or longest, longest)
    yield from Loader(
        items,
        batch_size=answers.choices.batch_size,
        frames=FrameChoice(how="all", max_frames=limit),
        reuse_buffers=True,
        # not mapped, so that resident memory does not grow with the data
        reading=ReadConfig(pin=answers.scorers[0].device.type == "cuda", mapped=False),
    )
