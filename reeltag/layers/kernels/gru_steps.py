"""The GRU recurrence over packed frames, forward and backward; TensorFlow 1's cell.

The reset gate is applied before the product, so a step holds two: gates, then candidate. The rest
is as in `lstm_steps`.

Shape letters: N real frames in the order of reading (`packing`), n of one step, B videos,
D input size, H hidden units, G = 2 H gates, K = D + H input and state side by side.
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


def gru_steps(x_ND: Tensor, weights: Sequence[Tensor], packing: Packing) -> tuple[Tensor, Tensor]:
    """Return outputs (N, H) of one layer, and the state (B, H) after each video's last frame.

    The states are in the order of the packing, longest video first. Without autograd no
    activations are kept.

    Args:
        x_ND: input.
        weights: kernel (G, K) and bias (G,) of the gates, reset and then update, kernel (H, K) and
            bias (H,) of the candidate; of the dtype of the input.
        packing: of the frames.
    """
    out: tuple[Tensor, Tensor] = _GRUSteps.apply(x_ND, *weights, packing, torch.is_grad_enabled())
    return out


class _GRUSteps(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Context,
        x_ND: Tensor,
        gate_GK: Tensor,
        gate_G: Tensor,
        candidate_HK: Tensor,
        candidate_H: Tensor,
        packing: Packing,
        keep: bool,
    ) -> tuple[Tensor, Tensor]:
        videos, size, dim = packing.shape[0], len(candidate_H), x_ND.shape[1]
        blocks = packing.blocks()
        gate, candidate = (Product(w[:, dim:], videos) for w in (gate_GK, candidate_HK))
        enter_gate, enter_new = (
            Product(w[:, :dim], min(CHUNK, len(x_ND)), bias)
            for w, bias in ((gate_GK, gate_G), (candidate_HK, candidate_H))
        )
        exact = torch.promote_types(x_ND.dtype, torch.float32)
        h_BH = x_ND.new_zeros(videos, size, dtype=exact)
        active_BG = x_ND.new_empty(videos, 2 * size, dtype=exact)
        new_BH, reset_BH = torch.empty_like(h_BH), x_ND.new_empty(videos, size)
        h_NH = x_ND.new_empty(len(x_ND), size)
        kept = len(x_ND) if keep else 0
        gates_NG, new_NH = x_ND.new_empty(kept, 2 * size), x_ND.new_empty(kept, size)
        for steps in runs(packing, x_ND):
            start = blocks[steps[0]].start
            x_nD = x_ND[start : blocks[steps[-1]].stop]
            into_gate_nG, into_new_nH = enter_gate(x_nD), enter_new(x_nD)
            for t in steps:
                rows, count = blocks[t], packing.counts[t]
                here = slice(rows.start - start, rows.stop - start)
                gates_nG, new_nH, h = into_gate_nG[here], into_new_nH[here], h_BH[:count]
                before = slice(blocks[t - 1].start, blocks[t - 1].start + count)
                gates = gate(h_NH[before], gates_nG) if t > 0 else gates_nG
                active = active_BG[:count].copy_(gates).sigmoid_()
                reset, update = active.split(size, dim=1)
                new = new_nH
                if t > 0:
                    new = candidate(torch.mul(reset, h, out=reset_BH[:count]), new_nH)
                new = tanh_(new_BH[:count].copy_(new))
                h_NH[rows] = torch.lerp(new, h, update, out=h)
                if keep:
                    gates_NG[rows] = active
                    new_NH[rows] = new
        if keep:
            ctx.rest = packing
            ctx.save_for_backward(x_ND, gate_GK, candidate_HK, gates_NG, new_NH, h_NH)
        ctx.set_materialize_grads(False)
        return h_NH, h_BH

    @staticmethod
    @once_differentiable
    def backward(ctx: Context, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        x_ND, gate_GK, candidate_HK, gates_NG, new_NH, h_NH = ctx.saved_tensors
        packing: Packing = ctx.rest
        size, dim = h_NH.shape[1], x_ND.shape[1]
        before_MH = h_NH.index_select(0, packing.earlier())
        dgates_NG, dnew_NH = _gate_gradients(
            packing, (gate_GK, candidate_HK), (gates_NG, new_NH, before_MH), gradients
        )
        dx_ND = dgate_GK = dcandidate_HK = None
        if ctx.needs_input_grad[0]:
            rows = min(CHUNK, len(x_ND))
            dx_ND, through_new_ND = (
                Product(weight[:, :dim].contiguous().T, rows).of_all(gradient)
                for weight, gradient in ((gate_GK, dgates_NG), (candidate_HK, dnew_NH))
            )
            dx_ND += through_new_ND
        if ctx.needs_input_grad[1]:
            dgate_GK = weight_gradient(dgates_NG, x_ND, before_MH)
        if ctx.needs_input_grad[3]:
            first = len(x_ND) - len(before_MH)
            reset_MH = before_MH.mul_(gates_NG[first:, :size])
            dcandidate_HK = weight_gradient(dnew_NH, x_ND, reset_MH)
        dbiases = bias_gradient(dgates_NG), bias_gradient(dnew_NH)
        return dx_ND, dgate_GK, dbiases[0], dcandidate_HK, dbiases[1], None, None


def _gate_gradients(
    packing: Packing,
    weights: tuple[Tensor, Tensor],
    kept: tuple[Tensor, Tensor, Tensor],
    gradients: tuple[Tensor | None, ...],
) -> tuple[Tensor, Tensor]:
    """Return the gradients (N, G), (N, H) of what goes into gates and candidate.

    Args: as in the forward pass; then what it kept: activated gates (N, G), candidates (N, H), and
        the states before each row that is not a first frame; and the gradients of the outputs
        (N, H) and of the last states (B, H), or None for 0.
    """
    gates_NG, new_NH, before_MH = kept
    videos, size, blocks = packing.shape[0], new_NH.shape[1], packing.blocks()
    first = len(new_NH) - len(before_MH)
    gate, candidate = (Product(w[:, -size:].contiguous().T, videos) for w in weights)
    exact = torch.promote_types(new_NH.dtype, torch.float32)
    dh_BH = given_or_zero(gradients[1], new_NH.new_empty(videos, size, dtype=exact))
    active_BG, dactive_BG = dh_BH.new_empty(2, videos, 2 * size).unbind()
    new_BH, dnew_BH, before_BH = dh_BH.new_empty(3, videos, size).unbind()
    dgates_NG, dnew_NH = torch.empty_like(gates_NG), torch.empty_like(new_NH)
    for t in reversed(range(len(blocks))):
        rows, count = blocks[t], packing.counts[t]
        active, dactive = active_BG[:count].copy_(gates_NG[rows]), dactive_BG[:count]
        new, dnew, dh = new_BH[:count].copy_(new_NH[rows]), dnew_BH[:count], dh_BH[:count]
        before = before_BH[:count].zero_()
        if t > 0:
            before.copy_(before_MH[rows.start - first : rows.stop - first])
        (reset, update), (dreset, dupdate) = active.split(size, dim=1), dactive.split(size, dim=1)
        if gradients[0] is not None:
            dh += gradients[0][rows]
        torch.sub(before, new, out=dupdate).mul_(dh)
        torch.mul(dh, update, out=dnew)  # the part of dh that stays
        dh -= dnew  # the part that goes into the candidate
        dnew_nH = dnew_NH[rows].copy_(through_tanh_(dh, new))
        if t == 0:
            dreset.zero_()
            dgates_NG[rows] = through_sigmoid_(dactive, active)
            continue
        dh.copy_(candidate(dnew_nH))
        torch.mul(dh, before, out=dreset)
        dnew.addcmul_(dh, reset)
        dgates_nG = dgates_NG[rows].copy_(through_sigmoid_(dactive, active))
        dh.copy_(gate(dgates_nG)).add_(dnew)
    return dgates_NG, dnew_NH
