"""The LSTM recurrence over packed frames, forward and backward.

The products with the input are taken for several steps at once, the gradients of weight and input
for all of them; a step holds the product with the last state and the gates. Products are in the
dtype of the input, states in float32 (float64 stays).

Shape letters: N real frames in the order of reading (`packing`), n of one step, B videos,
D input size, H hidden units, G = 4 H gates, K = D + H input and state side by side.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from reeltag.layers.kernels.dispatch import Context
from reeltag.layers.kernels.laid_out_product import (
    CHUNK,
    Product,
    bias_gradient,
    given_or_zero,
    runs,
    tanh_,
    through_sigmoid_,
    through_tanh_,
    weight_gradient,
)
from reeltag.layers.kernels.packing import Packing


def lstm_steps(
    x_ND: Tensor, weights: Sequence[Tensor], packing: Packing
) -> tuple[Tensor, Tensor, Tensor]:
    """Return outputs (N, H) of one layer, and c and h (B, H) after each video's last frame.

    The states are in the order of the packing, longest video first. Without autograd no
    activations are kept.

    Args:
        x_ND: input.
        weights: kernel (G, K), of the dtype of the input, its gates in TensorFlow's order: input,
            candidate, forget, output; and bias (G,), the forget bias added.
        packing: of the frames.
    """
    out: tuple[Tensor, Tensor, Tensor] = _LSTMSteps.apply(
        x_ND, *weights, packing, torch.is_grad_enabled()
    )
    return out


class _LSTMSteps(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Context,
        x_ND: Tensor,
        weight_GK: Tensor,
        bias_G: Tensor,
        packing: Packing,
        keep: bool,
    ) -> tuple[Tensor, Tensor, Tensor]:
        videos, size, blocks = packing.shape[0], len(bias_G) // 4, packing.blocks()
        input_GD, state_GH = weight_GK.split([x_ND.shape[1], size], dim=1)
        enter = Product(input_GD, min(CHUNK, len(x_ND)), bias_G)
        product = Product(state_GH, videos)
        exact = torch.promote_types(x_ND.dtype, torch.float32)
        c_BH, h_BH, tanh_BH = x_ND.new_zeros(3, videos, size, dtype=exact).unbind()
        active_BG = x_ND.new_empty(videos, 4 * size, dtype=exact)
        h_NH = x_ND.new_empty(len(x_ND), size)
        c_NH = x_ND.new_empty(len(x_ND) if keep else 0, size, dtype=exact)
        gates_NG = x_ND.new_empty(len(c_NH), 4 * size)
        for steps in runs(packing, x_ND):
            start = blocks[steps[0]].start
            given_nG = enter(x_ND[start : blocks[steps[-1]].stop])
            for t in steps:
                rows, count = blocks[t], packing.counts[t]
                gates = given_nG[rows.start - start : rows.stop - start]
                if t > 0:
                    before = blocks[t - 1].start
                    gates = product(h_NH[before : before + count], gates)
                active = active_BG[:count].copy_(gates)
                i, j, _, o = active.split(size, dim=1)
                i.sigmoid_()
                tanh_(j)
                active[:, 2 * size :].sigmoid_()
                c = c_BH[:count].mul_(active[:, 2 * size : 3 * size]).addcmul_(i, j)
                h_NH[rows] = torch.mul(tanh_(tanh_BH[:count].copy_(c)), o, out=h_BH[:count])
                if keep:
                    gates_NG[rows] = active
                    c_NH[rows] = c
        if keep:
            ctx.rest = packing
            ctx.save_for_backward(x_ND, weight_GK, gates_NG, c_NH, h_NH)
        ctx.set_materialize_grads(False)
        return h_NH, c_BH, h_BH

    @staticmethod
    @once_differentiable
    def backward(ctx: Context, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        x_ND, weight_GK, gates_NG, c_NH, h_NH = ctx.saved_tensors
        packing: Packing = ctx.rest
        dgates_NG = _gate_gradients(packing, weight_GK, gates_NG, c_NH, gradients)
        before_MH = h_NH.index_select(0, packing.earlier())
        dx_ND = dweight_GK = None
        if ctx.needs_input_grad[0]:
            input_DG = weight_GK[:, : x_ND.shape[1]].contiguous().T
            dx_ND = Product(input_DG, min(CHUNK, len(x_ND))).of_all(dgates_NG)
        if ctx.needs_input_grad[1]:
            dweight_GK = weight_gradient(dgates_NG, x_ND, before_MH)
        return dx_ND, dweight_GK, bias_gradient(dgates_NG), None, None


def _gate_gradients(
    packing: Packing,
    weight_GK: Tensor,
    gates_NG: Tensor,
    c_NH: Tensor,
    gradients: tuple[Tensor | None, ...],
) -> Tensor:
    """Return the gradients (N, G) of what goes into the gates: the recurrence run backwards.

    Args: as in the forward pass; then the activated gates, the cell states after each frame, and
        the gradients of the outputs (N, H), of the last c and of the last h (B, H), or None for 0.
    """
    videos, size, blocks = packing.shape[0], c_NH.shape[1], packing.blocks()
    product = Product(weight_GK[:, -size:].contiguous().T, videos)
    dc_BH, dh_BH = (given_or_zero(g, c_NH.new_empty(videos, size)) for g in gradients[1:])
    active_BG, dactive_BG = c_NH.new_empty(2, videos, 4 * size).unbind()
    tanh_BH, dgates_NG = torch.empty_like(dc_BH), torch.empty_like(gates_NG)
    for t in reversed(range(len(blocks))):
        rows, count = blocks[t], packing.counts[t]
        active, dactive = active_BG[:count].copy_(gates_NG[rows]), dactive_BG[:count]
        i, j, f, o = active.split(size, dim=1)
        di, dj, df, do = dactive.split(size, dim=1)
        dc, dh, tanh_c = dc_BH[:count], dh_BH[:count], tanh_BH[:count]
        if gradients[0] is not None:
            dh += gradients[0][rows]
        tanh_(tanh_c.copy_(c_NH[rows]))
        torch.mul(dh, tanh_c, out=do)
        dc += through_tanh_(dh.mul_(o), tanh_c)
        torch.mul(dc, j, out=di)
        torch.mul(dc, i, out=dj)
        if t > 0:
            before = blocks[t - 1].start
            torch.mul(dc, c_NH[before : before + count], out=df)
        else:
            df.zero_()
        dc *= f
        through_sigmoid_(di, i)
        through_tanh_(dj, j)
        through_sigmoid_(dactive[:, 2 * size :], active[:, 2 * size :])
        dgates_NG[rows] = dactive
        if t > 0:
            dh.copy_(product(dgates_NG[rows]))
    return dgates_NG
