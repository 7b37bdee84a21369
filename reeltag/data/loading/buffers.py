"""The memory that batches are assembled in, used again and again.

Shape letters: B items of a batch, T frames, D values per frame, C classes.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from reeltag.core.batch import FrameBatch
from reeltag.data.items import VideoSet
from reeltag.data.loading.reading import FrameReader
from reeltag.data.sampling import ChosenFrames


class BatchBuffer:
    """Room for one batch. What is in it is overwritten, not cleared: only set labels are unset.

    Args:
        items: the set that batches are taken from.
        batch_size: largest B.
        max_steps: largest T.
        labels: whether batches carry labels (and weights, where not every class counts 1).
        pin: page-locked memory, so that the copy to the GPU does not block.
        most_frames: largest B * T of batches with B > 1; 0: as many as B and T allow.
    """

    def __init__(
        self,
        items: VideoSet,
        *,
        batch_size: int,
        max_steps: int,
        labels: bool,
        pin: bool,
        most_frames: int = 0,
    ) -> None:
        self._items = items
        self._pin = pin
        self._dim = sum(stream.width for stream in items.streams)
        dtype = torch.from_numpy(np.empty(0, items.dtype)).dtype
        steps = batch_size * max_steps
        steps = min(steps, max(most_frames, max_steps)) if most_frames else steps
        self._frames = torch.empty(steps * self._dim, dtype=dtype, pin_memory=pin)
        self._mask = torch.empty(steps, dtype=torch.bool, pin_memory=pin)
        self._times = torch.empty(batch_size, 2, dtype=torch.float64, pin_memory=pin)
        dense = (batch_size, items.num_classes)
        targets = items.targets if labels else None
        self._targets = targets
        self._labels = None if targets is None else torch.zeros(dense, pin_memory=pin)
        self._weights: torch.Tensor | None = None
        self._unlisted = np.empty(0, np.float32)  # (C,) of unlisted_weight 1; or of all items
        if targets is not None and targets.weighted:
            self._weights = torch.empty(dense, pin_memory=pin)
            self._unlisted = np.ones(items.num_classes, np.float32)
            if targets.class_mask is not None:
                self._unlisted[~targets.class_mask] = 0
            if not isinstance(targets.unlisted_weight, np.ndarray):  # only listed classes change
                self._unlisted *= np.float32(targets.unlisted_weight)
                self._weights.numpy()[:] = self._unlisted
        self._set = np.empty(0, np.int64)  # which of the B * C labels are listed
        self._used: torch.cuda.Event | None = None

    def let_go(self) -> None:
        """Free the buffer; copies to the GPU that the consumer has begun may still run."""
        if self._pin:
            self._used = torch.cuda.Event()
            self._used.record()

    def fill(
        self, reader: FrameReader, items: NDArray[np.int64], chosen: ChosenFrames
    ) -> FrameBatch:
        """Return a batch of some items, which is good until the next call."""
        if self._used is not None:
            self._used.synchronize()
        shape = len(items), chosen.num_steps
        frames = self._frames[: shape[0] * shape[1] * self._dim].view(*shape, self._dim)
        reader.read(items, chosen, frames.numpy())
        mask = self._mask[: shape[0] * shape[1]].view(shape)
        np.less(np.arange(shape[1]), chosen.count[:, None], out=mask.numpy())
        if self._targets is not None:
            self._set_labels(items)
        times = None
        if self._items.times is not None:
            times = self._times[: len(items)]
            times.numpy()[:] = self._items.times[items]
        return FrameBatch(
            frames=frames,
            mask=mask,
            labels=None if self._labels is None else self._labels[: len(items)],
            weights=None if self._weights is None else self._weights[: len(items)],
            ids=tuple(self._items.ids(items)),
            times=times,
        )

    def _set_labels(self, items: NDArray[np.int64]) -> None:
        """Put labels and weights in place of those of the batch before."""
        assert self._targets is not None and self._labels is not None
        row, entry = self._targets.entries_of(items)
        cells = row * self._labels.shape[1] + self._targets.classes[entry]
        values, given = self._targets.at(entry)
        labels = self._labels.numpy().reshape(-1)
        labels[self._set] = 0
        labels[cells] = values
        if self._weights is not None:
            weights, unlisted = self._weights.numpy(), self._targets.unlisted_weight
            flat = weights.reshape(-1)
            if isinstance(unlisted, np.ndarray):
                np.multiply(unlisted[items, None], self._unlisted, out=weights[: len(items)])
            else:
                flat[self._set] = self._unlisted[self._set % len(self._unlisted)]
            flat[cells] = given
        self._set = cells
