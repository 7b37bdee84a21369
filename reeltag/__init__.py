"""reeltag: learn from noisy labels what is in a video and when.

`reeltag.load("RUN")` gives the tagger of a run folder; its `predict` maps stored frames to tags.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reeltag.tagger.tagger import Tagger

__version__ = "0.1.0"
__all__ = ["__version__", "load"]


def load(run: Path | str, device: str = "cpu") -> "Tagger":
    """Return the tagger of a run folder, ready to predict: raw bytes in, tags out.

    Args:
        run: what `reeltag train ... --out RUN` made.
        device: where it computes, "cpu" or "cuda".

    Raises:
        DataError: `run` is not a finished run folder.
    """
    tagger: Tagger = import_module("reeltag.tagger.tagger").Tagger.load(run, device)
    return tagger
