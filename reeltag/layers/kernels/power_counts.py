"""Soft counts of words with a learned power, summed over frames, a few videos at a time.

Of the arrays of size (B, T, K) only the scores are kept for the gradient.

Shape letters: B videos (b: worked on together), T frames (padded), K words.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from reeltag.layers.kernels.dispatch import Context

SMALLEST, LARGEST = 1e-6, 1e4  # |s|: its logarithm and LARGEST^8 are float32 numbers
CPU_SCORES, GPU_SCORES = 2**18, 2**26  # at a time: what a core's cache holds; 256 MiB of float32


class _Scratch:
    """Memory for a few videos at a time: fresh memory would cost more than the arithmetic."""

    def __init__(self, scores_BTK: Tensor, mask_BT: Tensor, count: int) -> None:
        most = CPU_SCORES if scores_BTK.device.type == "cpu" else GPU_SCORES
        self.step = max(1, most // max(1, scores_BTK[:1].numel()))
        shape = min(self.step, len(scores_BTK)), *scores_BTK.shape[1:]
        self._arrays = [mask_BT.new_empty(shape) for _ in range(count)]

    def parts(self, num_videos: int) -> Iterator[tuple[slice, list[Tensor]]]:
        """Yield some videos and arrays (b, T, K) for them, until all were taken."""
        for start in range(0, num_videos, self.step):
            some = min(self.step, num_videos - start)
            yield slice(start, start + some), [array[:some] for array in self._arrays]


class PowerCounts(torch.autograd.Function):
    """`models.vlad_bow.power_counts`."""

    @staticmethod
    def forward(ctx: Context, scores_BTK: Tensor, power: Tensor, mask_BT: Tensor) -> Tensor:
        ctx.save_for_backward(scores_BTK, power, mask_BT)
        counts_BK = mask_BT.new_empty(len(scores_BTK), scores_BTK.shape[-1])
        scratch = _Scratch(scores_BTK, mask_BT, 2)
        for part, (power_btK, softmax_btK) in scratch.parts(len(scores_BTK)):
            power_btK.copy_(scores_BTK[part]).abs_().clamp_(SMALLEST, LARGEST).log_()
            power_btK.mul_(power).exp_().copysign_(scores_BTK[part])
            torch.softmax(power_btK, dim=-1, out=softmax_btK)
            counts_BK[part] = (mask_BT[part].unsqueeze(1) @ softmax_btK).squeeze(1)
        return counts_BK

    @staticmethod
    def backward(ctx: Context, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        scores_BTK, power, mask_BT = ctx.saved_tensors
        (counts_grad_BK,) = gradients
        grad_BTK, power_grad = torch.empty_like(scores_BTK), torch.zeros_like(power)
        scratch = _Scratch(scores_BTK, mask_BT, 5)
        for part, arrays in scratch.parts(len(scores_BTK)):
            size_btK, log_btK, power_btK, softmax_btK, d_btK = arrays
            size_btK.copy_(scores_BTK[part]).abs_().clamp_(SMALLEST, LARGEST)
            torch.log(size_btK, out=log_btK)
            torch.mul(log_btK, power, out=power_btK).exp_().copysign_(scores_BTK[part])
            torch.softmax(power_btK, dim=-1, out=softmax_btK)
            softmax_btK.mul_(mask_BT[part].unsqueeze(-1))
            torch.mul(softmax_btK, counts_grad_BK[part].unsqueeze(1), out=d_btK)
            mean_bt1 = d_btK.sum(dim=-1, keepdim=True)
            d_btK.addcmul_(softmax_btK, mean_bt1, value=-1).mul_(power_btK)
            power_grad += d_btK.flatten() @ log_btK.flatten()
            # the powers are sign(s) |s|^power, so that their gradient is power * powers / s
            grad_BTK[part] = d_btK.div_(size_btK.copysign_(scores_BTK[part])).mul_(power)
        return grad_BTK, power_grad, None
