"""Recurrent layers that read real frames only, packed step by step, the longest video first.

On CUDA an LSTM is cuDNN's, which computes the same; TensorFlow 1's GRU is not cuDNN's.

Shape letters: B videos, T frames (padded), N real frames in the order of reading, D input size,
H hidden units, L layers, S parts of a state, G = 4 H gates, K = D + H.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

import torch
from torch import Tensor

from reeltag.layers.kernels.gru_steps import gru_steps
from reeltag.layers.kernels.lstm_steps import lstm_steps
from reeltag.layers.kernels.packing import Packing, packing_of

State: TypeAlias = tuple[Tensor, ...]
Weights: TypeAlias = Sequence[Tensor]  # weight and bias of each product of a cell


def _read(
    steps: Callable[[Tensor, Weights, Packing], State],
    x_BTD: Tensor,
    mask_BT: Tensor,
    layers: Sequence[Weights],
    reverse: bool,
) -> tuple[Tensor, Tensor]:
    """Return what `read_by_lstm` and `read_by_gru` of `layers.recurrent` return."""
    packing, states = packing_of(mask_BT, reverse=reverse), []
    x_ND = packing.pack(x_BTD)
    for weights in layers:
        x_ND, *state = steps(x_ND, weights, packing)
        states.append(torch.stack([packing.restore(part) for part in state], dim=1))
    return packing.unpack(x_ND), torch.stack(states, dim=1)


def torch_lstm_steps(
    x_ND: Tensor, weights: Weights, packing: Packing
) -> tuple[Tensor, Tensor, Tensor]:
    """Return what `lstm_steps` returns; a packing's rows are those of torch's PackedSequence.

    Computed in float32 (float64 stays), for cuDNN would keep cells in the dtype of the input; on
    CUDA in TF32 where `torch.backends.cudnn.allow_tf32` lets it, which is torch's default.
    """
    if not packing.counts:  # torch.lstm wants one frame at least
        return lstm_steps(x_ND, weights, packing)
    exact = torch.promote_types(x_ND.dtype, torch.float32)
    weight_GK, bias_G = (part.to(exact) for part in weights)
    size, dim, count = len(bias_G) // 4, x_ND.shape[1], packing.counts[0]
    input_GD, state_GH = _torch_order(weight_GK).split([dim, size], dim=1)
    bias_G = _torch_order(bias_G)
    # one piece of memory, as cuDNN wants its weights: otherwise it copies them at each call
    pieces = [input_GD, state_GH, bias_G, torch.zeros_like(bias_G)]
    flat = torch.cat([piece.flatten() for piece in pieces])
    parameters = [
        view.view_as(piece)
        for view, piece in zip(flat.split([p.numel() for p in pieces]), pieces, strict=True)
    ]
    zeros_1bH = flat.new_zeros(1, count, size)
    h_NH, h_1bH, c_1bH = torch.lstm(
        x_ND.to(exact),
        torch.tensor(packing.counts),
        (zeros_1bH, zeros_1bH),
        parameters,
        True,  # biases
        1,  # layer
        0.0,  # dropout
        torch.is_grad_enabled(),  # cuDNN keeps what a backward pass needs
        False,  # both directions
    )
    without_frames = flat.new_zeros(packing.shape[0] - count, size)
    c_BH, h_BH = (torch.cat([last[0], without_frames]) for last in (c_1bH, h_1bH))
    return h_NH.to(x_ND.dtype), c_BH, h_BH


def _torch_order(gates: Tensor) -> Tensor:
    """Return rows of input, candidate, forget, output gate in torch's order: i, f, j, o."""
    i, j, f, o = gates.chunk(4)
    return torch.cat([i, f, j, o])


lstm, cudnn_lstm = partial(_read, lstm_steps), partial(_read, torch_lstm_steps)
gru = partial(_read, gru_steps)
