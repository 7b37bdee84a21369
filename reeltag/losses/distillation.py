"""Distillation: learning what another model, or (on line) a mixture of the members, predicts.

Shape letters: B videos, C classes, M members.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from reeltag.losses.checks import check_terms
from reeltag.losses.cross_entropy import binary_cross_entropy


def mixture_divergence(
    logits_BC: Tensor,
    member_logits_MBC: Tensor,
    *,
    temperature: float = 1.0,
    stop_gradient: bool = False,
    epsilon: float = 0.0,
) -> Tensor:
    """Return sum_m KL(softmax(z / T) || softmax(z_m / T)) per video, (B,) in nats, >= 0.

    The softmax runs over the classes. The mixture is the teacher; as in the authors' code the
    gradient flows into it too, unless `stop_gradient`. Computed in log space, finite for every
    finite logit.

    Source: arXiv:1811.05014 sec. 3.4 eq. 12 to 14; linrongc/youtube-8m nextvlad.py,
    `MixNeXtVladModel`.

    Args:
        logits_BC: of the mixture; computed in float32 (float64 stays).
        member_logits_MBC: of each member.
        temperature: T > 0; the larger, the more the small logits count.
        stop_gradient: take the mixture as given, so that only the members learn from it.
        epsilon: added inside both logarithms as the authors' code does (1e-8); for parity.

    Raises:
        ValueError: shapes differ, or the temperature is not positive.
    """
    if member_logits_MBC.shape[1:] != logits_BC.shape:
        shapes = f"logits {tuple(logits_BC.shape)}, members {tuple(member_logits_MBC.shape)}"
        raise ValueError(f"{shapes}: members must be (M, B, C)")
    if not temperature > 0:
        raise ValueError(f"temperature must be > 0, got {temperature}")
    dtype = torch.promote_types(logits_BC.dtype, torch.float32)
    teacher_BC = logits_BC.detach() if stop_gradient else logits_BC
    teacher_BC = F.log_softmax(teacher_BC.to(dtype) / temperature, dim=-1)
    student_MBC = F.log_softmax(member_logits_MBC.to(dtype) / temperature, dim=-1)
    if epsilon:
        ratio_MBC = (teacher_BC.exp() + epsilon).log() - (student_MBC.exp() + epsilon).log()
    else:
        ratio_MBC = teacher_BC - student_MBC
    return (teacher_BC.exp() * ratio_MBC).sum(dim=(0, 2))


def distillation_loss(
    logits_BC: Tensor,
    labels_BC: Tensor,
    teacher_BC: Tensor,
    weights_BC: Tensor | None = None,
    *,
    share: float = 0.5,
    temperature: float = 1.0,
) -> Tensor:
    """Return (1 - share) CE(labels) + share T^2 CE_T(teacher), (B,) in nats per video.

    CE is binary cross-entropy summed over classes. CE_T takes both at the temperature T: the
    student's sigmoid(logit / T) against the teacher's sigmoid(logit(p) / T); T^2 keeps the
    gradient's size. With T = 1 it is the cross-entropy of the labels (1 - share) y + share p, which
    is how soft labels are trained with. No gradient flows into the teacher.

    Source: Hinton et al. 2015, arXiv:1503.02531, sec. 2. Axon 2018 (sec. 3.4; best share 1, where
    their code leaves out T^2) and Skalic & Austin 2018 (share .5), both with T = 1.

    Args:
        logits_BC: of the student, any float dtype; computed in float32 (float64 stays).
        labels_BC: the truth, in [0, 1].
        teacher_BC: the teacher's probabilities, in [0, 1].
        weights_BC: how much each class counts in both terms, >= 0 (0 = unrated); None =
            all 1.
        share: lambda, that of the teacher, in [0, 1].
        temperature: T > 0, finite; the larger, the more the teacher's small probabilities count.

    Raises:
        ValueError: shapes differ, or a parameter is out of range.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share must be in [0, 1], got {share}")
    if not 0 < temperature < math.inf:
        raise ValueError(f"temperature must be > 0 and finite, got {temperature}")
    if teacher_BC.shape != logits_BC.shape:
        shapes = f"logits {tuple(logits_BC.shape)}, teacher {tuple(teacher_BC.shape)}"
        raise ValueError(f"{shapes} differ")
    logits_BC, teacher_BC, weights_BC = check_terms(logits_BC, teacher_BC.detach(), weights_BC)
    truth_B = binary_cross_entropy(logits_BC, labels_BC, weights_BC)
    if temperature != 1:
        teacher_BC = (teacher_BC.logit() / temperature).sigmoid()
    taught_B = binary_cross_entropy(logits_BC / temperature, teacher_BC, weights_BC)
    return (1 - share) * truth_B + share * temperature**2 * taught_B
