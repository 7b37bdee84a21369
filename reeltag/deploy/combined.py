"""Several taggers as one: each prepares the frames in its own way, and their answers are blended.

    frames, mask --> tagger 1 --> logits --.
                 --> tagger 2 --> logits --+--> blended probability --> logits
                 --> ...                 --'

Letters in shapes: M members, B videos, C classes.
"""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from reeltag.core.errors import ConfigError
from reeltag.tagger.tagger import AnyTagger

Rule = Literal["arithmetic", "geometric"]

LEAST = 1e-38  # weight or probability that counts as 0 does, but has a logarithm
LOG_OF_0 = -1e4
UNLISTED = -100.0  # logit of p = 0, of a class that is no candidate
EDGE, RISE = 1e-6, 100.0  # beyond p = 1 - EDGE the logit rises by RISE for each 1.0 of the sum


class Combined(AnyTagger):
    """The mean of what several taggers say, weighted, as logits.

        arithmetic   p = sum_m w_m p_m
        geometric    logit = sum_m w_m logit_m: of the odds

    It is what `reeltag blend` does, but for the classes that a prediction file leaves out, which
    count as p = 0 there. Weights may be below 0 or sum to other than 1; a sum above 1 - 1e-6 goes
    on rising, so that no order is lost. With `candidates`, a class that is among the best of no
    member has p = 0; of one that is, all members count, however far down it is for some.

    Args:
        members: at least one; of the same classes and streams.
        weights: (M,) or (M, C) float32.
        rule: of the mean.
        candidates: best classes of a video that count of each member; 0 = all.
        names: what the members are called in errors, as many.

    Raises:
        ConfigError: the members know other classes, or read other streams; or the weights are not
            theirs.
    """

    weights: Tensor
    rest: Tensor

    def __init__(
        self,
        members: Sequence[AnyTagger],
        weights: Tensor,
        rule: Rule = "arithmetic",
        *,
        candidates: int = 0,
        names: Sequence[str] = (),
    ) -> None:
        super().__init__()
        first = members[0]
        self.streams, self.class_names = first.streams, first.class_names
        self.family = f"blend of {', '.join(dict.fromkeys(m.family for m in members))}"
        for name, member in zip(names or map(str, range(len(members))), members, strict=True):
            _refuse_other(member, first, name)
        if weights.shape not in ((len(members),), (len(members), self.num_classes)):
            raise ConfigError(
                f"the blend has weights of shape {tuple(weights.shape)} for {len(members)} members "
                f"of {self.num_classes} classes"
            )
        self.members, self.rule = nn.ModuleList(members), rule
        self.candidates = candidates if candidates < self.num_classes else 0
        self.register_buffer("weights", weights.float())
        rest = 1 - weights.double().sum(0)
        rest = torch.where(rest.abs() < EDGE, 0.0, rest).float()  # weights are rounded
        self.register_buffer("rest", rest)
        self._all_positive = bool((weights >= 0).all())  # now, for a graph cannot ask
        self._may_exceed = bool((rest < 0).any()) or not self._all_positive

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        """Map frames (B, T, D), as stored, to logits (B, C)."""
        answers = [member(frames_BTD, mask_BT).float() for member in self.members]
        logits_MBC = torch.stack(answers)
        logits_BC = self._mean(logits_MBC)
        if not self.candidates:
            return logits_BC
        lowest_MB1 = logits_MBC.topk(self.candidates).values[:, :, -1:]
        return torch.where((logits_MBC >= lowest_MB1).any(0), logits_BC, UNLISTED)

    def _mean(self, logits_MBC: Tensor) -> Tensor:
        """Map the members' logits to (B, C), those of the mean."""
        weights = self.weights.view(len(self.members), 1, -1)
        if self.rule == "geometric":
            return (weights * logits_MBC).sum(0)
        if not self._may_exceed:
            log_weights, log_rest = _log(weights), _log(self.rest)
            yes_BC = torch.logsumexp(log_weights + logsigmoid(logits_MBC), 0)
            no_BC = torch.logsumexp(log_weights + logsigmoid(-logits_MBC), 0)
            return yes_BC - torch.logaddexp(no_BC, log_rest.expand_as(no_BC))
        yes_BC = (weights * logits_MBC.sigmoid()).sum(0)
        no_BC = (weights * (-logits_MBC).sigmoid()).sum(0) + self.rest  # 1 - p would be 0 too soon
        inside_BC = yes_BC.clamp(LEAST).log() - no_BC.clamp(LEAST).log()
        beyond_BC = math.log1p(-EDGE) - math.log(EDGE) + RISE * (yes_BC - (1 - EDGE))
        may_exceed = (self.rest < 0) | (self.weights < 0).any(0)
        return torch.where((yes_BC > 1 - EDGE) & may_exceed, beyond_BC, inside_BC)


def _log(share: Tensor) -> Tensor:
    """Return the logarithm; that of 0 is finite, for an engine may make NaN of two infinities."""
    return torch.where(share > 0, share.clamp(LEAST).log(), LOG_OF_0)


def _refuse_other(member: AnyTagger, first: AnyTagger, name: str) -> None:
    """Raise ConfigError where a member does not fit the first."""
    if member.streams != first.streams:
        raise ConfigError(
            f"reads the streams {_listed(member)}; the first member reads {_listed(first)}",
            where=name,
            hint="One graph has one input: blend models of the same features.",
        )
    if member.num_classes != first.num_classes:
        raise ConfigError(
            f"knows {member.num_classes} classes; the first member knows {first.num_classes}",
            where=name,
            hint="Blend models that were trained on the same vocabulary.",
        )
    pairs = zip(member.class_names, first.class_names, strict=True)
    other = next(((i, a, b) for i, (a, b) in enumerate(pairs) if a != b), None)
    if other is not None:
        raise ConfigError(
            f"knows class {other[0]} as {other[1]!r}; the first member as {other[2]!r}",
            where=name,
            hint="Blend models that were trained on the same vocabulary.",
        )


def _listed(tagger: AnyTagger) -> str:
    return ", ".join(f"{name} ({width})" for name, width in tagger.streams)
