"""Small taggers and run folders to be exported."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from reeltag.core.files import write_json
from reeltag.models import family_named
from reeltag.models.tagger import Tagger

FRAMES = (("rgb", 6), ("audio", 2))
MEANS = (("mean_rgb", 6), ("mean_audio", 2))


def tagger_of(
    family: str,
    streams: Sequence[tuple[str, int]] = FRAMES,
    names: Sequence[str] = ("cat", "dog", "Ψ, “q”", "car", "sea"),
    seed: int = 0,
    **changes: Any,
) -> Tagger:
    """Return a small tagger in eval mode, whose batch norms have statistics of their own."""
    torch.manual_seed(seed)
    module = family_named(family)
    dims = tuple(width for _, width in streams)
    config = replace(module.TINY, num_classes=len(names), dims=dims, **changes)
    tagger = Tagger(family, config, module.PREPROCESSING, streams, names)
    for name, buffer in tagger.named_buffers():
        if name.endswith("running_mean"):
            torch.nn.init.normal_(buffer, std=0.1)
        if name.endswith("running_var"):
            torch.nn.init.uniform_(buffer, 0.5, 2.0)
    return tagger.eval()


def run_of(tagger: Tagger, folder: Path, **config: Any) -> Path:
    """Write a tagger as `reeltag train` leaves it, and return its folder."""
    folder.mkdir(parents=True)
    tagger.save_weights(folder)
    tagger.save_classes(folder)
    write_json(folder / "config.json", {**tagger.describe(), **config})
    return folder


def some_frames(
    lengths: Sequence[int] = (7, 3, 1), width: int = 8, *, floats: bool = False
) -> tuple[Tensor, Tensor]:
    """Return random frames (B, T, D), bytes or floats, and their mask."""
    rng = torch.Generator().manual_seed(5)
    mask = torch.arange(max(lengths)) < torch.tensor(lengths).unsqueeze(-1)
    shape = len(lengths), max(lengths), width
    if floats:
        return torch.randn(shape, generator=rng), mask
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=rng), mask
