"""Several taggers as one: each with its own preprocessing, their predictions blended.

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
from torch.nn.functional import softplus

from reeltag.core.errors import ConfigError
from reeltag.data.class_list import ClassList
from reeltag.layers.kernels.decision_pool import EXACT
from reeltag.tagger.tagger import AnyTagger

Rule = Literal["arithmetic", "geometric"]

LEAST = 1e-38  # weight or probability in place of 0, which has a logarithm
LOG_OF_0 = -1e4
UNLISTED = -100.0  # logit of p = 0, of a class that is not listed; -1e4 would lose digits of others
EDGE, RISE = 1e-6, 100.0  # beyond p = 1 - EDGE the logit rises by RISE for each 1.0 of the sum


class BlendedTagger(AnyTagger):
    """The weighted mean of several taggers' predictions, as logits.

        arithmetic   p = sum_m w_m p_m
        geometric    logit = sum_m w_m logit_m: of the odds

    It is the blend of `reeltag blend` where `listed` is what the blended files list of each member:
    a class that a file leaves out has p = 0 there, or in a geometric mean the lowest logit that
    the file gives. Weights may be below 0 or sum to other than 1; a sum above 1 - 1e-6 keeps
    rising, so that no order is lost. A class that no member lists, or, with `candidates`, that is
    among the best of none, has p = 0.

    Args:
        members: at least one; of the same classes and streams.
        weights: (M,) or (M, C) float32.
        rule: of the mean.
        candidates: best classes per video that count of each member; 0 = all.
        listed: best classes per video that each member lists, as many; 0 = all.
        names: of the members in errors, as many.

    Raises:
        ConfigError: the members differ in streams, or the weights are of another shape.
        DataError: the members differ in classes.
    """

    weights: Tensor
    missing_weight: Tensor

    def __init__(
        self,
        members: Sequence[AnyTagger],
        weights: Tensor,
        rule: Rule = "arithmetic",
        *,
        candidates: int = 0,
        listed: Sequence[int] = (),
        names: Sequence[str] = (),
    ) -> None:
        super().__init__()
        first = members[0]
        self.streams, self.class_names = first.streams, first.class_names
        self.description = first.features
        self.family = f"blend of {', '.join(dict.fromkeys(m.family for m in members))}"
        for name, member in zip(names or map(str, range(len(members))), members, strict=True):
            _check_member(member, first, name)
        if weights.shape not in ((len(members),), (len(members), self.num_classes)):
            raise ConfigError(
                f"the blend has weights of shape {tuple(weights.shape)} for {len(members)} members "
                f"of {self.num_classes} classes"
            )
        self.members, self.rule = nn.ModuleList(members), rule
        self.candidates = candidates if candidates < self.num_classes else 0
        numbers = tuple(listed) or (0,) * len(members)
        self.listed = tuple(number if number < self.num_classes else 0 for number in numbers)
        self.register_buffer("weights", weights.float())
        missing = 1 - weights.double().sum(0)
        missing = torch.where(missing.abs() < EDGE, 0.0, missing).float()  # weights are rounded
        self.register_buffer("missing_weight", missing)
        self._all_positive = bool((weights >= 0).all())  # now: a graph has no such branch
        self._may_exceed = bool((missing < 0).any()) or not self._all_positive

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        """Map frames (B, T, D), as stored, to logits (B, C)."""
        return self.blend(self.member_logits(frames_BTD, mask_BT))

    def member_logits(self, frames_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        """Map frames (B, T, D), as stored, to the logits of each member, (M, B, C)."""
        return torch.stack([m(frames_BTD, mask_BT).float() for m in self.members])

    def blend(self, logits_MBC: Tensor) -> Tensor:
        """Map the members' logits to (B, C), those of the blend."""
        cut, listed_MBC = any(self.listed), self._listed(logits_MBC)
        if not (cut or self.candidates):
            return self.mean(logits_MBC)
        kept_BC = (_best(logits_MBC, self.candidates) if self.candidates else listed_MBC).any(0)
        if cut:
            floor_MB1 = torch.full_like(logits_MBC[..., :1], UNLISTED)
            if self.rule == "geometric":
                counted_MBC = listed_MBC & kept_BC
                floor_MB1 = logits_MBC.masked_fill(~counted_MBC, torch.inf).amin(-1, keepdim=True)
            logits_MBC = torch.where(listed_MBC, logits_MBC, floor_MB1)
        return torch.where(kept_BC, self.mean(logits_MBC), UNLISTED)

    def _listed(self, logits_MBC: Tensor) -> Tensor:
        """Return (M, B, C) bool, the classes that count of each member."""
        if len(set(self.listed)) == 1:
            return _best(logits_MBC, self.listed[0])
        pairs = zip(logits_MBC.unbind(), self.listed, strict=True)
        return torch.stack([_best(logits_BC, number) for logits_BC, number in pairs])

    def with_lists(self, listed: Sequence[int]) -> "BlendedTagger":
        """Return the blend of the same members of which only so many classes count; 0 = all."""
        return BlendedTagger(
            [m for m in self.members if isinstance(m, AnyTagger)],
            self.weights,
            self.rule,
            candidates=self.candidates,
            listed=listed,
        ).eval()

    def mean(self, logits_MBC: Tensor) -> Tensor:
        """Map the members' logits to (B, C), those of the mean, in which all classes count."""
        weights = self.weights.view(len(self.members), 1, -1)
        if self.rule == "geometric":
            return (weights * logits_MBC).sum(0)
        if not self._may_exceed:
            log_weights, log_missing = _log(weights), _log(self.missing_weight)
            log_p_MBC = -softplus(-logits_MBC, threshold=EXACT)  # in a graph not log(sigmoid)
            yes_BC = torch.logsumexp(log_weights + log_p_MBC, 0)
            no_MBC = log_weights + log_p_MBC - logits_MBC
            missing_1BC = log_missing.expand_as(yes_BC)[None]
            return yes_BC - torch.logsumexp(torch.cat([no_MBC, missing_1BC]), 0)
        yes_BC = (weights * logits_MBC.sigmoid()).sum(0)
        no_BC = (weights * (-logits_MBC).sigmoid()).sum(0) + self.missing_weight  # 1 - p underflows
        inside_BC = yes_BC.clamp(LEAST).log() - no_BC.clamp(LEAST).log()
        beyond_BC = math.log1p(-EDGE) - math.log(EDGE) + RISE * (yes_BC - (1 - EDGE))
        may_exceed = (self.missing_weight < 0) | (self.weights < 0).any(0)
        return torch.where((yes_BC > 1 - EDGE) & may_exceed, beyond_BC, inside_BC)


def _best(logits: Tensor, number: int) -> Tensor:
    """Return which of (..., C) logits are among the `number` best of their row; 0 = all."""
    if not number:
        return torch.ones_like(logits, dtype=torch.bool)
    return logits >= logits.topk(number).values[..., -1:]


def _log(weight: Tensor) -> Tensor:
    """Return the logarithm; that of 0 is finite, as an engine may turn two infinities into NaN."""
    return torch.where(weight > 0, weight.clamp(LEAST).log(), LOG_OF_0)


def _check_member(member: AnyTagger, first: AnyTagger, name: str) -> None:
    """Raise ConfigError or DataError where a member does not fit the first."""
    if member.streams != first.streams:
        raise ConfigError(
            f"reads the streams {_listed(member)}; the first member reads {_listed(first)}",
            where=name,
            hint="One graph has one input: blend models of the same features.",
        )
    member.features.check_same(first.features, where=name, other_where="the first member")
    ClassList(member.class_names).check_same(
        ClassList(first.class_names),
        where=name,
        other_where="the first member",
        hint="Blend models that were trained on the same vocabulary.",
    )


def _listed(tagger: AnyTagger) -> str:
    return ", ".join(f"{name} ({width})" for name, width in tagger.streams)
