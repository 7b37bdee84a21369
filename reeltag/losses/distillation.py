"""On-line distillation: the members of a mixture are drawn towards what the mixture says.

Shape letters: B videos, C classes, M members.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


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
