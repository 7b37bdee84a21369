"""VLAD-BOW with a learned power: soft counts of learned words, and a ResNetLike on them.

    frames -> per stream: s = linear -> softmax(sign(s) |s|^p) -> sum over real frames -> dropout
           -> ResNetLike -> logits

The power p is one number for all streams, 3 at first. The authors' s^p is no number where s < 0 and
p is no integer; sign(s) |s|^p is the same at 3 and at every odd integer, and p stays in [1, 8].

Shape letters: B videos, T frames (padded), K words.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

from reeltag.layers.dropout import Dropout
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.layers.resnet import ResNetLike
from reeltag.models._checks import require, require_fraction, require_input, require_positive
from reeltag.models.resnet_like import RECIPE as RECIPE

SOURCE = "twoleggedeye/youtube8m sequence_models/models.py, VLADBoW; slides, row 8"
PREPROCESSING = PreprocessingConfig(normalise="none")
LEAST_POWER, MOST_POWER = 1.0, 8.0
SMALLEST, LARGEST = 1e-6, 1e4  # |s|: its logarithm and LARGEST^MOST_POWER are float32 numbers
CPU_SCORES, GPU_SCORES = 2**18, 2**26  # at a time: what a core's cache holds; 256 MiB of float32


@dataclass(frozen=True, kw_only=True)
class Config:
    """1000 words a stream."""

    num_classes: int = 3862
    """Number of classes."""
    dims: tuple[int, ...] = (1024, 128)
    """Width of each stream."""
    num_words: int = 1000
    """Words of each stream; the authors have 1000 and 4096."""
    power: float = 3.0
    """The learned power at the start, from 1 to 8."""
    inner: int = 1024
    """Units of ResNetLike's towers."""
    dropout: float = 0.4
    """Share of the counts, and of ResNetLike's values, that are dropped in training."""

    def __post_init__(self) -> None:
        """Check every field; raise ConfigError."""
        require_input(self.num_classes, self.dims)
        require_positive("num_words", self.num_words)
        require_positive("inner", self.inner)
        fits = LEAST_POWER <= self.power <= MOST_POWER
        require(fits, "power", self.power, f"a number in [{LEAST_POWER:g}, {MOST_POWER:g}]")
        require_fraction("dropout", self.dropout)

    def build(self) -> "VladBow":
        """Return the model with freshly drawn weights."""
        return VladBow(self)


class VladBow(nn.Module):
    """See the module docstring."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.dims = config.dims
        self.scores = nn.ModuleList(nn.Linear(dim, config.num_words) for dim in config.dims)
        self.power = nn.Parameter(torch.tensor(config.power))
        self.dropout = Dropout(config.dropout)
        self.net = ResNetLike(
            [config.num_words] * len(config.dims),
            config.num_classes,
            inner=config.inner,
            dropout=config.dropout,
        )

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        """Return logits (B, C)."""
        power = self.power.clamp(LEAST_POWER, MOST_POWER)
        streams = zip(self.scores, frames_BTD.split(self.dims, dim=-1), strict=True)
        counts = [soft_counts(linear(x_BTD), power, mask_BT) for linear, x_BTD in streams]
        logits_BC: Tensor = self.net([self.dropout(counts_BK) for counts_BK in counts])
        return logits_BC


def soft_counts(scores_BTK: Tensor, power: Tensor, mask_BT: Tensor) -> Tensor:
    """Return sum_t softmax_k(sign(s) |s|^power) over real frames, (B, K), at least float32.

    |s| is taken as at least 1e-6 and at most 1e4. Of the arrays of size (B, T, K) only the scores
    are kept for the gradient; the others are those of a few videos at a time.

    Args:
        scores_BTK: s, floating point, finite everywhere.
        power: scalar >= 1.
        mask_BT: bool, True for a real frame.
    """
    dtype = torch.promote_types(scores_BTK.dtype, torch.float32)
    mask_BT = mask_BT.to(dtype)
    with torch.autocast(scores_BTK.device.type, enabled=False):
        if not torch.compiler.is_compiling():
            return _SoftCounts.apply(scores_BTK, power.to(dtype), mask_BT)  # type: ignore[no-any-return]
        scores_BTK = scores_BTK.to(dtype)
        log_BTK = scores_BTK.abs().clamp(SMALLEST, LARGEST).log()
        power_BTK = (log_BTK * power).exp()
        softmax_BTK = torch.where(scores_BTK < 0, -power_BTK, power_BTK).softmax(dim=-1)
        return (mask_BT.unsqueeze(1) @ softmax_BTK).squeeze(1)


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


class _SoftCounts(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, scores_BTK: Tensor, power: Tensor, mask_BT: Tensor) -> Tensor:
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
    def backward(ctx: FunctionCtx, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        scores_BTK, power, mask_BT = ctx.saved_tensors  # type: ignore[attr-defined]
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


TINY = Config(num_classes=5, dims=(6, 2), num_words=8, inner=16)
VARIANTS = {f"vlad_bow_{k}": Config(num_words=k) for k in (1000, 4096)}
