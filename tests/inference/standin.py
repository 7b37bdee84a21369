"""A tagger and batches without training and without files."""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from reeltag.core.batch import FrameBatch

NUM_CLASSES = 12


class MeanTagger(nn.Module):
    """Logits (B, 12): a fixed linear map of the mean of the real frames."""

    def __init__(self, dim: int = 8) -> None:
        super().__init__()
        weights = torch.randn(dim, NUM_CLASSES, generator=torch.Generator().manual_seed(3))
        self.weights = nn.Parameter(weights)
        self.calls: list[tuple[int, ...]] = []

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        self.calls.append(tuple(frames_BTD.shape))
        frames = frames_BTD.float() / 255 * mask_BT.unsqueeze(-1)
        mean_BD = frames.sum(dim=1) / mask_BT.sum(dim=1, keepdim=True).clamp(min=1)
        logits_BC: Tensor = mean_BD @ self.weights
        return logits_BC


def make_videos(lengths: Sequence[int], dim: int = 8, seed: int = 0) -> list[Tensor]:
    """Return a (T, D) uint8 tensor per length."""
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randint(0, 256, (length, dim), generator=generator, dtype=torch.uint8)
        for length in lengths
    ]


def make_batch(videos: Sequence[Tensor], first: int = 0) -> FrameBatch:
    """Return a batch padded with bytes that are not zero; video n is called v<n>."""
    longest = max(len(video) for video in videos)
    frames = torch.full((len(videos), longest, videos[0].shape[1]), 77, dtype=videos[0].dtype)
    mask = torch.zeros(len(videos), longest, dtype=torch.bool)
    for row, video in enumerate(videos):
        frames[row, : len(video)] = video
        mask[row, : len(video)] = True
    ids = tuple(f"v{first + row}" for row in range(len(videos)))
    return FrameBatch(frames=frames, mask=mask, ids=ids)


def reader(videos: Sequence[Tensor], batch_size: int) -> Callable[[int], Iterator[FrameBatch]]:
    """Return a function from the number of a video to the batches from it on."""

    def read(first: int) -> Iterator[FrameBatch]:
        for start in range(first, len(videos), batch_size):
            yield make_batch(videos[start : start + batch_size], start)

    return read
