"""Whole videos scored by several networks together, with the distance from the labels."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reeltag.core.batch import FrameBatch
from reeltag.core.probability import MeanLogits
from reeltag.data.features import PUBLISHED_FRAMES
from reeltag.data.items import VideoSet
from reeltag.data.loader import Loader, ReadConfig
from reeltag.data.sampling import WHOLE_FRAMES, FrameChoice
from reeltag.inference.scoring import InferenceConfig, Scorer, check_no_nan
from reeltag.losses.cross_entropy import binary_cross_entropy
from reeltag.predictions.rows import PredictionRows
from reeltag.predictions.top_k import top_classes
from reeltag.tagger.tagger import Tagger
from reeltag.tagger.windows import MOST_FRAMES


class EnsembleScorer:
    """Scores batches by the mean probability of some networks.

    Args:
        taggers: of the same classes and streams.
        inference: how.
        cross_entropy: whether it is computed too.
    """

    def __init__(
        self, taggers: Sequence[Tagger], inference: InferenceConfig, *, cross_entropy: bool = True
    ) -> None:
        self.scorers = [Scorer(tagger, tagger.num_classes, inference) for tagger in taggers]
        self.inference, self._with_losses = inference, cross_entropy
        self._most_frames = inference.most_frames(taggers[0].features)
        self._losses: list[NDArray[np.float32]] = []

    def batches(self, items: VideoSet) -> Iterator[FrameBatch]:
        """Yield whole videos with their labels, in the order of the index."""
        longest, batch_size = int(items.length.max(initial=1)), self.inference.batch_size
        frames = FrameChoice(how="all", max_frames=min(self._most_frames or longest, longest))
        if not self._most_frames and longest > WHOLE_FRAMES:
            frames = FrameChoice(how="all", batch_frames=WHOLE_FRAMES * batch_size)
        yield from Loader(
            items,
            batch_size=batch_size,
            frames=frames,
            reuse_buffers=True,
            reading=ReadConfig(
                pin=self.scorers[0].device.type == "cuda",
                most_frames=max(MOST_FRAMES, PUBLISHED_FRAMES * batch_size),
            ),
        )

    def rows(self, batch: FrameBatch) -> PredictionRows:
        """Return the best classes of each video of a batch, and keep its cross-entropy."""
        batch = batch.to(self.scorers[0].device)
        with torch.inference_mode():
            logits_BC = self._logits(batch)
            if self._with_losses and batch.labels is not None:
                losses_B = binary_cross_entropy(logits_BC, batch.labels) / logits_BC.shape[1]
                self._losses.append(losses_B.cpu().numpy())
            scores, classes = (of.cpu() for of in top_classes(logits_BC, self.inference.top_k))
        return PredictionRows.of_matrix(
            batch.ids, None, classes.numpy().astype(np.int32), scores.numpy()
        )

    def cross_entropy(self) -> NDArray[np.float32]:
        """Return (V,) nats per class of the scored videos, in their order."""
        return np.concatenate([np.zeros(0, np.float32), *self._losses])

    def _logits(self, batch: FrameBatch) -> Tensor:
        seen = slice(None, self._most_frames or None)
        mean, rows = MeanLogits(of_probs=True), torch.arange(len(batch))
        for scorer in self.scorers:
            with scorer.autocast():
                raw: Tensor = scorer.tagger(batch.frames[:, seen], batch.mask[:, seen])
            logits_BC = raw.float()
            check_no_nan(logits_BC, batch, batch.ids)
            if len(self.scorers) == 1:
                return logits_BC
            mean.add(logits_BC, rows.to(logits_BC.device), len(batch))
        return mean.mean()
