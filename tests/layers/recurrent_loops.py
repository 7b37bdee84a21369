"""LSTM and GRU as plain loops: each video alone, frame by frame, layer by layer."""

import torch
from torch import Tensor, nn

from reeltag.layers.recurrent import GRU, LSTM


def lstm_cell(layer: nn.Module, index: int, x: Tensor, state: list[Tensor]) -> list[Tensor]:
    """Return [c, h] after one frame of one video, by TensorFlow's BasicLSTMCell."""
    named = dict(layer.named_parameters())
    kernel, bias = named[f"kernels.{index}.weight"], named[f"kernels.{index}.bias"]
    i, j, f, o = (kernel @ torch.cat([x, state[1]]) + bias).chunk(4)
    c = torch.sigmoid(f + 1) * state[0] + torch.sigmoid(i) * torch.tanh(j)
    return [c, torch.sigmoid(o) * torch.tanh(c)]


def gru_cell(layer: nn.Module, index: int, x: Tensor, state: list[Tensor]) -> list[Tensor]:
    """Return [h] after one frame of one video, by TensorFlow 1's GRUCell."""
    (h,), named = state, dict(layer.named_parameters())
    kernel, bias = named[f"gates.{index}.weight"], named[f"gates.{index}.bias"]
    r, u = torch.sigmoid(kernel @ torch.cat([x, h]) + bias).chunk(2)
    kernel, bias = named[f"candidates.{index}.weight"], named[f"candidates.{index}.bias"]
    new = torch.tanh(kernel @ torch.cat([x, r * h]) + bias)
    return [u * h + (1 - u) * new]


def loops(layer: LSTM | GRU, x_BTD: Tensor, mask_BT: Tensor) -> tuple[Tensor, Tensor]:
    """Return (outputs, last states): each video alone, frame by frame, layer by layer."""
    cell, parts = (lstm_cell, 2) if isinstance(layer, LSTM) else (gru_cell, 1)
    count = len(layer.kernels if isinstance(layer, LSTM) else layer.gates)
    outputs, states = [], []
    for x_TD, mask_T in zip(x_BTD, mask_BT, strict=True):
        state = [[x_TD.new_zeros(layer.hidden)] * parts for _ in range(count)]
        rows = [x_TD.new_zeros(layer.hidden)] * len(x_TD)
        for t in sorted(range(len(x_TD)), reverse=layer.reverse):
            if not mask_T[t]:
                continue
            h = x_TD[t]
            for index in range(count):
                state[index] = cell(layer, index, h, state[index])
                h = state[index][-1]
            rows[t] = h
        outputs.append(torch.stack(rows))
        states.append(torch.stack([torch.stack(parts) for parts in state]))
    last = torch.stack(states)
    return torch.stack(outputs), last if parts == 2 else last.squeeze(2)
