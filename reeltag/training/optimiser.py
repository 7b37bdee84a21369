"""Adam, its schedule over examples seen, and gradient clipping as the papers' code does it."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from reeltag.training.config import Optimisation


def make_optimiser(parameters: Iterable[nn.Parameter], config: Optimisation) -> torch.optim.Adam:
    """Return Adam (AdamW where there is weight decay) with beta .9 and .999, fused."""
    kind = torch.optim.AdamW if config.weight_decay else torch.optim.Adam
    return kind(parameters, lr=config.learning_rate, weight_decay=config.weight_decay, fused=True)


def learning_rate_factor(
    config: Optimisation, step: int, examples_per_step: int, num_steps: int
) -> float:
    """Return what the learning rate is multiplied with at `step` (0-based).

    staircase: decay ^ floor(step * examples_per_step / decay_examples). Source: google/youtube-8m
    train.py (`learning_rate_decay_examples`); the position counts the examples of all devices.
    one-cycle: from 1/25 up to 1 by a half cosine over the first 30 %, then down to 1e-4 / 25
    (Smith & Topin 2017, arXiv:1708.07120; the numbers of torch.optim.lr_scheduler.OneCycleLR).
    """
    if config.schedule == "staircase":
        return config.decay ** (step * examples_per_step // config.decay_examples)
    if config.schedule == "constant":
        return 1.0
    low, end, peak = 1 / 25, 1e-4 / 25, 0.3 * num_steps
    if step < peak:
        return low + (1 - low) * (1 - math.cos(math.pi * step / peak)) / 2
    done = min(1.0, (step - peak) / max(1.0, num_steps - 1 - peak))
    return end + (1 - end) * (1 + math.cos(math.pi * done)) / 2


def clip_per_tensor(parameters: Iterable[nn.Parameter], max_norm: float) -> Tensor:
    """Scale every gradient tensor to norm `max_norm` at most, in place; return the norms (P,).

    Source: google/youtube-8m utils.py `clip_gradient_norms`: each variable alone, unlike
    `torch.nn.utils.clip_grad_norm_`.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    norms = list(torch._foreach_norm(gradients))
    if gradients[0].device.type == "cpu":  # reading a norm costs nothing: spare those within
        long = [
            (gradient, norm)
            for gradient, norm in zip(gradients, norms, strict=True)
            if norm > max_norm
        ]
        if long:
            torch._foreach_mul_([g for g, _ in long], [max_norm / norm for _, norm in long])
    else:
        torch._foreach_mul_(gradients, [max_norm / norm.clamp(min=max_norm) for norm in norms])
    return torch.stack(norms)
