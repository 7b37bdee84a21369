"""The likeliest classes of whole videos."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby, islice

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from reeltag.core.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Tag:
    """A class of a video: its `index`, its `name`, and `prob`, its probability in [0, 1]."""

    index: int
    name: str
    prob: float


def best_tags(
    frames: Sequence[Tensor],
    score: Callable[[Tensor, Tensor], Tensor],
    class_names: Sequence[str],
    *,
    top_k: int,
    batch_size: int,
) -> list[list[Tag]]:
    """Return the `top_k` likeliest tags of each video, best first.

    Args:
        frames: (T, D) of each video.
        score: maps frames (B, T, D) and mask (B, T) to logits (B, C) on the CPU.
        class_names: C names.
        top_k: how many tags of each video; at most C are returned.
        batch_size: videos that are scored together.

    Raises:
        ConfigError: `top_k` or `batch_size` is below 1.
    """
    for name, value in (("top_k", top_k), ("batch_size", batch_size)):
        if value < 1:
            raise ConfigError(f"must be >= 1, got {value}", where=name)
    tags: list[list[Tag]] = [[] for _ in frames]
    # alike in type and length, so that little is padded
    order = sorted(range(len(frames)), key=lambda i: (str(frames[i].dtype), len(frames[i])))
    for _, alike in groupby(order, key=lambda i: frames[i].dtype):
        while numbers := list(islice(alike, batch_size)):
            videos = [frames[i] for i in numbers]
            lengths = torch.tensor([len(video) for video in videos])
            mask_BT = torch.arange(int(lengths.max())) < lengths[:, None]
            logits_BC = score(pad_sequence(videos, batch_first=True), mask_BT)
            best = logits_BC.topk(min(top_k, len(class_names)))
            for number, classes, probs in zip(
                numbers, best.indices, best.values.sigmoid(), strict=True
            ):
                tags[number] = [
                    Tag(index=int(c), name=class_names[int(c)], prob=float(p))
                    for c, p in zip(classes, probs, strict=True)
                ]
    return tags
