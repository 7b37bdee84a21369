"""Logits of windows that overlap: what is computed of a frame serves all windows that hold it.

    frames --> prepared --> terms of each frame --> pooled over a window --> logits
               '------- once per frame -------'     '----- for each window -----'

A model that `PoolsFrames` is taken apart so; of any other only the preparation is shared, and its
forward pass is of each window alone. Windows that do not overlap are scored as they always were.

Letters in shapes: F frames, n windows, L frames of a window, D feature size, C classes.
"""

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from reeltag.models import PoolsFrames
from reeltag.tagger.windows import Windows

OVERLAP = 1.5
"""Windows that a frame must be in, on average, so that it is computed apart from them."""
TOGETHER = 1 << 20
"""Values of windows that are pooled together: 4 MiB, so that they stay in the cache of a CPU."""


@runtime_checkable
class _Parts(Protocol):
    """A tagger whose preparation of frames can be called apart from its model."""

    prepare: nn.Module
    model: nn.Module


def window_logits(tagger: nn.Module, windows: Windows) -> Tensor:
    """Return the logits (n, C) of windows, each as if it were scored alone, to 1e-5 in float32.

    Args:
        tagger: in eval mode; maps frames (n, L, D) and mask (n, L) to logits (n, C).
        windows: on its device.
    """
    if isinstance(tagger, _Parts) and windows.overlap > OVERLAP:
        return _shared_logits(tagger, windows.distinct())
    logits_NC: Tensor = tagger(*windows.cut())
    return logits_NC


def _shared_logits(tagger: _Parts, windows: Windows) -> Tensor:
    """Return the logits (n, C) of windows over frames each of which is in one."""
    model, places_NL, mask_NL = tagger.model, windows.places, windows.mask
    real_1F = mask_NL.new_ones(1, len(windows.frames))
    frames_1FD = tagger.prepare(windows.frames.unsqueeze(0), real_1F)
    if not isinstance(model, PoolsFrames):
        logits_NC: Tensor = model(frames_1FD[0][places_NL], mask_NL)
        return logits_NC
    terms_FS = model.frame_terms(frames_1FD)[0]
    step = max(1, TOGETHER // max(1, places_NL.shape[1] * terms_FS.shape[1]))
    parts = [slice(first, first + step) for first in range(0, len(windows), step)]
    pooled = [model.pooled_terms(terms_FS[places_NL[part]], mask_NL[part]) for part in parts]
    return model.pooled_logits(torch.cat(pooled))
