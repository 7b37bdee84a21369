"""Adam that takes the gradients of wide layers as factors, and goes over their weights once.

For each weight with a `.grad` PyTorch's fused Adam reads and writes 28 bytes; before that the
gradient was written, read for its norm, and read and written again to be scaled: up to 24 bytes
more. Of factors the gradient of some columns is computed in the cache and used there: 24 in all.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim.adam import adam

from reeltag.layers.kernels.factored_gradient import FactoredGradient
from reeltag.layers.kernels.wide_product import tiles
from reeltag.layers.wide_linear import factored_gradient_of

TILE = 2**20  # weights at a time: 18 MiB with their moments and gradient, for the third-level cache


class FactoredAdam(torch.optim.Adam):
    """`torch.optim.Adam`, fused, also for weights whose gradients are `FactoredGradient`s.

    Its state is that of `torch.optim.Adam`.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # noqa: ANN401  (as torch's)
        """Move the weights; return what `closure`, called first, returns."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        merge_gradients(p for group in self.param_groups for p in group["params"])
        super().step()
        for group in self.param_groups:
            for weight in group["params"]:
                gradient = factored_gradient_of(weight)
                if gradient:
                    self._step_by_columns(weight, gradient, group)
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        super().zero_grad(set_to_none)
        for group in self.param_groups:
            for weight in group["params"]:
                gradient = factored_gradient_of(weight)
                if gradient is not None:
                    gradient.clear()

    def _step_by_columns(
        self, weight_HV: Tensor, gradient: FactoredGradient, group: dict[str, Any]
    ) -> None:
        state = self._state_of(weight_HV)
        steps = state["step"]
        for part in tiles(weight_HV, TILE):
            steps = state["step"].clone()
            adam(
                [weight_HV.T[part]],
                [gradient.columns(part)],
                [state["exp_avg"].T[part]],
                [state["exp_avg_sq"].T[part]],
                [],
                [steps],
                fused=True,
                grad_scale=gradient.scale,
                found_inf=getattr(self, "found_inf", None),
                decoupled_weight_decay=group["decoupled_weight_decay"],
                amsgrad=False,
                beta1=group["betas"][0],
                beta2=group["betas"][1],
                lr=group["lr"],
                weight_decay=group["weight_decay"],
                eps=group["eps"],
                maximize=False,
            )
        state["step"] = steps

    def _state_of(self, weight_HV: Tensor) -> dict[str, Tensor]:
        """Return Adam's state of a weight, zeros at first, laid out as the weight is."""
        state: dict[str, Tensor] = self.state[weight_HV]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32, device=weight_HV.device)
        for name in ("exp_avg", "exp_avg_sq"):
            if name not in state:
                state[name] = torch.zeros_like(weight_HV)
            elif state[name].stride() != weight_HV.stride():  # of a run that was begun otherwise
                state[name] = torch.empty_like(weight_HV).copy_(state[name])
        return state


def merge_gradients(weights: Iterable[Tensor]) -> None:
    """Make a `.grad` of factors, where a weight has both, or is not laid out by columns.

    A weight has both where a loss takes it by another way than its layer.

    Args:
        weights: of the model; most have no factors and stay as they are.
    """
    for weight in weights:
        gradient = factored_gradient_of(weight)
        if gradient and (weight.grad is not None or not weight.T.is_contiguous()):
            if weight.grad is None:
                weight.grad = torch.zeros_like(weight)
            for part in tiles(weight):
                weight.grad[:, part] += gradient.columns(part).T / gradient.scale
            gradient.clear()
