"""Small taggers and run folders to be exported."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from reeltag.core.files import write_json
from reeltag.deploy.combined import BlendedTagger
from reeltag.deploy.graph import graph_of
from reeltag.inference.predict import weights_digest
from reeltag.models import find_family
from reeltag.tagger.tagger import AnyTagger, Tagger

FRAMES = (("rgb", 6), ("audio", 2))
MEANS = (("mean_rgb", 6), ("mean_audio", 2))

_TRACED: dict[str, Any] = {}


def traced(tagger: AnyTagger, *, top_k: int, stored: Any) -> Any:
    """Return what `graph_of` does. Tracing takes seconds: it is done once for equal taggers."""
    key = repr((_described(tagger), weights_digest(tagger), min(top_k, tagger.num_classes), stored))
    if key not in _TRACED:
        _TRACED[key] = graph_of(tagger, top_k=top_k, stored=stored)
    return _TRACED[key].clone()


def _described(tagger: AnyTagger) -> list[str]:
    """Return all that a graph depends on but weights and the number of classes it lists."""
    if isinstance(tagger, BlendedTagger):
        members = [text for member in tagger.members for text in _described(member)]  # type: ignore[arg-type]
        return [tagger.rule, str(tagger.candidates), str(tagger.listed), *members]
    assert isinstance(tagger, Tagger)
    return [json.dumps(tagger.describe(), sort_keys=True)]


def tagger_of(
    family: str,
    streams: Sequence[tuple[str, int]] = FRAMES,
    names: Sequence[str] = ("cat", "dog", "Ψ, “q”", "car", "sea"),
    seed: int = 0,
    **changes: Any,
) -> Tagger:
    """Return a small tagger in eval mode, whose batch norms have statistics of their own."""
    torch.manual_seed(seed)
    module = find_family(family)
    dims = tuple(width for _, width in streams)
    config = replace(module.tiny, num_classes=len(names), dims=dims, **changes)
    tagger = Tagger(config, streams, names)
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
