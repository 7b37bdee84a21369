"""Learning from labels of which some are wrong or missing, as objectives around another one.

    SmallLoss    the labels that cost most do not count, more and more of them
    Consistent   what a slow copy of the model says of a whole video, it is to say of a window of it

Both have a state that a resumed training goes on with.
"""

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reeltag.core.batch import FrameBatch
from reeltag.losses.selection import without_largest
from reeltag.tagger.tagger import Tagger
from reeltag.training.config import NoisyConfig
from reeltag.training.losses import Loss, Objective


class SmallLoss:
    """An objective whose loss leaves out the labels that cost most.

    The fraction rises from 0 over the first `config.rise` batches: what stands out before a model
    has learned anything is what is rare. Of several processes each looks at its own part of the
    batch, and each member of a mixture chooses for itself.

    Args:
        make: from the loss that leaves out, to the objective of labels.
        loss: of the labels that are believed.
        config: how many are not.
    """

    name = "small_loss"

    def __init__(self, make: Callable[[Loss], Objective], loss: Loss, config: NoisyConfig) -> None:
        self.loss, self.config = loss, config
        self.objective = make(self._selected)
        self.batches = 0

    def __call__(self, batch: FrameBatch, model: nn.Module) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss and the logs of the objective inside."""
        found = self.objective(batch, model)
        self.batches += 1
        return found

    def _selected(self, logits_BC: Tensor, labels_BC: Tensor, weights_BC: Tensor | None) -> Tensor:
        config = self.config
        share = _ramp(self.batches, config.rise)
        labels_BC, weights_BC = without_largest(
            logits_BC.detach(),
            labels_BC,
            weights_BC,
            present=share * config.present,
            absent=share * config.absent,
            correct=config.correct,
        )
        return self.loss(logits_BC, labels_BC, weights_BC)

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed training needs to go on exactly as this one."""
        return {"batches": self.batches}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        self.batches = state["batches"]


class Consistent:
    """An objective, and a model that agrees with its own slow copy, the teacher.

        teacher_n = d_n teacher_{n-1} + (1 - d_n) model_n      d_n = min(1 - 1 / (n + 1), decay)
        loss      = objective + w_n sum_C BCE(model(window), sigmoid(teacher(all frames)))

    A window is a run of `config.window` of a video's frames, another one for each video and batch;
    of a video of one frame it is that frame. The teacher drops nothing. w_n rises to
    `config.consistency` over `config.rise` batches. Source: Tarvainen & Valpola 2017
    (arXiv:1703.01780), whose students see other noise, not other frames, and whose distance is that
    of probabilities squared.

    Args:
        objective: what the model learns otherwise.
        config: the teacher, the window and the weight.
    """

    name = "consistent"

    def __init__(self, objective: Objective, config: NoisyConfig) -> None:
        self.objective, self.config = objective, config
        self.batches = 0
        self.teacher: nn.Module | None = None
        self._begun: Mapping[str, Tensor] | None = None  # of a checkpoint, until there is a model

    def __call__(self, batch: FrameBatch, model: nn.Module) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss with the disagreement, and the logs with `consistency_loss`, in nats."""
        if isinstance(model, Tagger):  # its frames are prepared once for all three
            batch = replace(batch, frames=model.prepare(batch.frames, batch.mask))
            model = model.model
        self._move_teacher(model)
        loss, logs = self.objective(batch, model)
        seen = window(batch, self.config.window)
        assert self.teacher is not None
        with torch.no_grad():
            prob_BC = torch.sigmoid(self.teacher(batch.frames, batch.mask).float())
        logits_BC = model(seen.frames, seen.mask).float()
        costs = F.binary_cross_entropy_with_logits(logits_BC, prob_BC, reduction="none")
        added = _ramp(self.batches, self.config.rise) * self.config.consistency
        consistency = added * costs.sum(dim=-1).mean()
        self.batches += 1
        return loss + consistency, logs | {"consistency_loss": consistency.detach()}

    @torch.no_grad()
    def _move_teacher(self, model: nn.Module) -> None:
        """Move the teacher towards the model; at first it is its copy."""
        if self.teacher is None:
            self.teacher = copy.deepcopy(model).eval().requires_grad_(False)
            if self._begun is not None:
                self.teacher.load_state_dict(self._begun)
                self._begun = None
        decay = min(1 - 1 / (self.batches + 1), self.config.teacher_decay)
        for slow, fast in zip(_tensors(self.teacher), _tensors(model), strict=True):
            if slow.is_floating_point():
                slow.lerp_(fast, 1 - decay)
            else:
                slow.copy_(fast)

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed training needs to go on exactly as this one."""
        teacher = self._begun if self.teacher is None else self.teacher.state_dict()
        return {"batches": self.batches, "teacher": teacher}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        self.batches, self._begun, self.teacher = state["batches"], state["teacher"], None


def window(batch: FrameBatch, share: float) -> FrameBatch:
    """Return a batch of a run of frames of each video, which begins anywhere.

    Args:
        batch: with T frames, the real ones of a video first.
        share: of a video's real frames that are kept, rounded up, in (0, 1].
    """
    real_B = batch.mask.sum(dim=1)
    kept_B = (real_B * share).ceil().long().clamp(min=1)
    free_B = (real_B - kept_B + 1).clamp(min=1)
    start_B = (torch.rand(len(real_B), device=real_B.device) * free_B).long()
    length = math.ceil(batch.mask.shape[1] * share)
    offset_T = torch.arange(length, device=real_B.device)
    mask_BT = offset_T < kept_B.unsqueeze(-1)
    last = batch.mask.shape[1] - 1
    place_BT = (start_B.unsqueeze(-1) + offset_T).clamp(max=last)
    index_BTD = place_BT.unsqueeze(-1).expand(-1, -1, batch.frames.shape[-1])
    frames_BTD = batch.frames.gather(1, index_BTD)
    return replace(batch, frames=frames_BTD * mask_BT.unsqueeze(-1), mask=mask_BT)


def _tensors(model: nn.Module) -> Iterator[Tensor]:
    """Yield what a model computes with, each tensor once."""
    yield from model.parameters()
    yield from model.buffers()


def _ramp(batches: int, rise: int) -> float:
    """Return how far what rises over `rise` batches has risen, in [0, 1]."""
    return min(1.0, batches / rise) if rise else 1.0
