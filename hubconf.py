"""Entry points of torch.hub: `torch.hub.load("PROJECT", "tagger", "RUN", source="local")`."""

import typing

from torch import nn

from reeltag import create_model as _create_model
from reeltag import load as _load

dependencies = ["torch", "lightning", "torchmetrics", "numpy", "pyarrow", "safetensors", "tyro"]


def tagger(run: str, device: str = "cpu") -> nn.Module:
    """Return a trained tagger: `tagger(frames, mask)` gives logits, `tagger.predict(frames)` tags.

    Args:
        run: run folder, graph of `reeltag export`, or "hf://user/name".
        device: where a run folder's tagger computes.
    """
    return _load(run, device)


def model(name: str, **config: typing.Any) -> nn.Module:  # noqa: ANN401  (fields of the family)
    """Return a model with freshly drawn weights: (frames (B, T, D), mask (B, T)) -> logits (B, C).

    Args:
        name: a family or variant of `reeltag models`.
        config: `num_classes`, `dims` and other fields of its Config.
    """
    return _create_model(name, **config)
