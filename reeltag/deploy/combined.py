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
UNLISTED = -100.0  # logit of p = 0, of a class that is no candidate
EDGE, RISE = 1e-6, 100.0  # beyond p = 1 - EDGE the logit rises by RISE for each 1.0 of the sum


class BlendedTagger(AnyTagger):
    """The weighted mean of several taggers' predictions, as logits.

        arithmetic   p = sum_m w_m p_m
        geometric    logit = sum_m w_m logit_m: of the odds

    It is the blend of `reeltag blend`, except for classes that a prediction file leaves out, which
    count as p = 0 there. Weights may be below 0 or sum to other than 1; a sum above 1 - 1e-6 keeps
    rising, so that no order is lost. With `candidates`, a class that is among the best of no
    member has p = 0; of one that is, all members count, however far down it is for some.

    Args:
        members: at least one; of the same classes and streams.
        weights: (M,) or (M, C) float32.
        rule: of the mean.
        candidates: best classes per video that count of each member; 0 = all.
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
        self.register_buffer("weights", weights.float())
        missing = 1 - weights.double().sum(0)
        missing = torch.where(missing.abs() < EDGE, 0.0, missing).float()  # weights are rounded
        self.register_buffer("missing_weight", missing)
        self._all_positive = bool((weights >= 0).all())  # now: a graph has no such branch
        self._may_exceed = bool((missing < 0).any()) or not self._all_positive

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        """Map frames (B, T, D), as stored, to logits (B, C)."""
        logits_MBC = torch.stack([m(frames_BTD, mask_BT).float() for m in self.members])
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
