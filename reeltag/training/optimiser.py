"""Adam, its schedule over examples seen, and gradient clipping as the papers' code does it."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from reeltag.core.errors import ConfigError
from reeltag.layers.wide_linear import factored_gradient_of
from reeltag.training.config import Optimisation
from reeltag.training.factored_adam import FactoredAdam, merge_gradients
from reeltag.training.naming import named_by


def learning_groups(model: nn.Module, config: Optimisation) -> list[dict[str, Any]]:
    """Return the parameters that learn, those of one learning rate together; `params` and `lr`.

    The first pattern of `config.rates` that names a parameter counts; the plain rate comes first.

    Args:
        model: that is trained; its names are those of the patterns.
        config: its learning rates.

    Raises:
        ConfigError: a pattern names no parameter, or none that learns.
    """
    factors = dict[str, float]()
    frozen = {name for name, value in model.named_parameters() if not value.requires_grad}
    for pattern, factor in config.factors():
        if frozen.issuperset(named_by(pattern, model, "rates")):
            raise ConfigError(f"{pattern!r} names frozen tensors alone", where="rates")
        factors = dict.fromkeys(named_by(pattern, model, "rates"), factor) | factors
    learning = [(name, value) for name, value in model.named_parameters() if value.requires_grad]
    groups = dict[float, list[nn.Parameter]]({1.0: []})
    for name, value in learning:
        groups.setdefault(factors.get(name, 1.0), []).append(value)
    return [
        {"params": values, "lr": config.learning_rate * factor}
        for factor, values in groups.items()
        if values
    ]


def make_optimiser(
    parameters: Iterable[nn.Parameter] | list[dict[str, Any]], config: Optimisation
) -> torch.optim.Adam:
    """Return Adam (AdamW where there is weight decay) with beta .9 and .999, fused.

    Args:
        parameters: that learn, or `learning_groups` of them.
        config: its learning rate and weight decay.
    """
    return FactoredAdam(
        parameters,
        lr=config.learning_rate,
        weight_decay=config.weight_decay,
        decoupled_weight_decay=config.weight_decay > 0,
        fused=True,
    )


class OneCycle(OneCycleLR):
    """Torch's one-cycle schedule; its state is the position alone, so a longer resumed run fits."""

    def get_lr(self) -> list[float | Tensor]:
        """Return the learning rates; after the last step they stay."""
        return super().get_lr() if self.last_epoch < self.total_steps else self._last_lr

    def state_dict(self) -> dict[str, Any]:
        """Return how many steps are done, and the learning rates."""
        kept = ("last_epoch", "_step_count", "_last_lr")
        return {name: value for name, value in super().state_dict().items() if name in kept}


def make_schedule(
    optimiser: torch.optim.Optimizer, config: Optimisation, examples_per_step: int, num_steps: int
) -> LRScheduler:
    """Return the schedule of the learning rate, stepped once an optimiser step.

    staircase: decay ^ floor(step * examples_per_step / decay_examples). Source: google/youtube-8m
    train.py (`learning_rate_decay_examples`); the position counts the examples of all devices.
    one-cycle: from 1/25 up to 1 by a half cosine over the first 30 %, then down to 1e-4 / 25
    (Smith & Topin 2017, arXiv:1708.07120). Adam's betas stay as they are.

    Args:
        optimiser: Adam.
        config: schedule and peak learning rate.
        examples_per_step: of all devices.
        num_steps: optimiser steps of the whole training.
    """
    if config.schedule == "one-cycle":
        steps = max(num_steps, 2)
        rise = min(0.3 + 1 / steps, 1.0)  # torch ends the rise at pct_start * total_steps - 1
        peaks = [group["lr"] for group in optimiser.param_groups]
        return OneCycle(optimiser, peaks, total_steps=steps, pct_start=rise, cycle_momentum=False)

    def factor(step: int) -> float:
        if config.schedule == "constant":
            return 1.0
        return config.decay ** (step * examples_per_step // config.decay_examples)

    return LambdaLR(optimiser, factor)


def clip_per_tensor(parameters: Iterable[nn.Parameter], max_norm: float) -> Tensor:
    """Scale every gradient tensor to norm `max_norm` at most, in place; return the norms (P,).

    Those that are kept as factors (`factor_gradients`) come last. Source: google/youtube-8m
    utils.py `clip_gradient_norms`: each variable alone, unlike `torch.nn.utils.clip_grad_norm_`.
    """
    parameters = list(parameters)
    merge_gradients(parameters)
    factored = [found for p in parameters if (found := factored_gradient_of(p))]
    gradients = [p.grad for p in parameters if p.grad is not None]
    together = all(hasattr(torch, name) for name in ("_foreach_norm", "_foreach_mul_"))
    if together and gradients:  # torch's private way to do it for all tensors at once
        norms = list(torch._foreach_norm(gradients))
    else:
        norms = [torch.linalg.vector_norm(gradient) for gradient in gradients]
    pairs = list(zip(gradients, norms, strict=True))
    if all(gradient.device.type == "cpu" for gradient in gradients):  # reading a norm is no wait
        pairs = [(gradient, norm) for gradient, norm in pairs if norm > max_norm]
    factors = [max_norm / norm.clamp(min=max_norm) for _, norm in pairs]
    if together and pairs:
        torch._foreach_mul_([gradient for gradient, _ in pairs], factors)
    else:
        for (gradient, _), factor in zip(pairs, factors, strict=True):
            gradient.mul_(factor)
    for product in factored:
        norms.append(product.norm())
        product.scale = (norms[-1] / max_norm).clamp(min=1)
    return torch.stack(norms)
