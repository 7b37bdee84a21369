"""LSTM and GRU over real frames: TensorFlow's cells, in either direction, one or several layers.

Shape letters: B videos, T frames (padded), D input size, H hidden units, L layers, S = 2 parts of
an LSTM state (cell c, then output h), N real frames in the order of reading.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch._higher_order_ops.scan import scan_op  # only in torch.export; a prototype, they say

from reeltag.layers.initialisers import xavier_linear
from reeltag.layers.recurrent_gru import gru_steps
from reeltag.layers.recurrent_lstm import lstm_steps
from reeltag.layers.recurrent_packing import packing_of

State = tuple[Tensor, ...]


class LSTM(nn.Module):
    """Layers of LSTM cells; a layer reads the outputs of the one below.

        i, j, f, o = W [x_t, h_{t-1}] + b
        c_t = sigmoid(f + 1) c_{t-1} + sigmoid(i) tanh(j)
        h_t = sigmoid(o) tanh(c_t)

    States begin with 0; a video's state stays what it was after its last real frame. Source:
    Hochreiter & Schmidhuber 1997 and Gers et al. 2000, as TensorFlow's BasicLSTMCell under
    dynamic_rnn: one kernel, no peepholes, forget bias 1.

    Args:
        input_size: D.
        hidden: H.
        num_layers: L.
        reverse: read each video from its last real frame to its first.
    """

    forget: Tensor

    def __init__(
        self, input_size: int, hidden: int, num_layers: int = 1, *, reverse: bool = False
    ) -> None:
        super().__init__()
        self.hidden, self.reverse = hidden, reverse
        sizes = [input_size] + [hidden] * (num_layers - 1)
        self.kernels = nn.ModuleList(xavier_linear(size + hidden, 4 * hidden) for size in sizes)
        forget = torch.zeros(4, hidden).index_fill_(0, torch.tensor(2), 1.0).flatten()
        self.register_buffer("forget", forget, persistent=False)

    def forward(self, x_BTD: Tensor, mask_BT: Tensor) -> tuple[Tensor, Tensor]:
        """Return outputs (B, T, H) of the top layer and the last states (B, L, S, H).

        Outputs are in the autocast dtype, 0 in the padding; states in float32 (float64 stays), 0
        where a video has no frame.

        Args:
            x_BTD: floating point; what stands in the padding does not matter.
            mask_BT: bool, True for a real frame.
        """
        if torch.compiler.is_exporting():
            return self._scanned(x_BTD, mask_BT)
        packing, states = packing_of(mask_BT, reverse=self.reverse), []
        dtype = _dtype(x_BTD, next(self.parameters()))
        x_ND = packing.pack(x_BTD.to(dtype))
        for kernel in _linears(self.kernels):
            bias_G = kernel.bias + self.forget
            x_ND, *state = lstm_steps(x_ND, kernel.weight.to(dtype), bias_G.to(dtype), packing)
            states.append(torch.stack([packing.restore(part) for part in state], dim=1))
        return packing.unpack(x_ND), torch.stack(states, dim=1)

    def _scanned(self, x_BTD: Tensor, mask_BT: Tensor) -> tuple[Tensor, Tensor]:
        states = []
        for kernel in _linears(self.kernels):
            input_GD, state_GH = kernel.weight.split([x_BTD.shape[-1], self.hidden], dim=1)
            given_BTG = x_BTD @ input_GD.T + kernel.bias + self.forget
            shape = x_BTD.shape[0], self.hidden
            zeros = x_BTD.new_zeros(shape), x_BTD.new_zeros(shape)  # ONNX wants no shared memory
            cell = _Cell(_lstm_cell, [state_GH], reverse=self.reverse)
            state, x_BTD = cell.scan(zeros, given_BTG, mask_BT)
            states.append(torch.stack(state, dim=1))
        return x_BTD * mask_BT.unsqueeze(-1), torch.stack(states, dim=1)

    def tensorflow_names(self) -> dict[str, str]:
        """Return where a checkpoint keeps each part, below the scope of the cells."""
        return _names(self, {"kernels": "basic_lstm_cell"})


class GRU(nn.Module):
    """Layers of GRU cells; a layer reads the outputs of the one below.

        r, u = sigmoid(W [x_t, h_{t-1}] + b)
        h_t = u h_{t-1} + (1 - u) tanh(V [x_t, r h_{t-1}] + a)

    States begin with 0; a video's state stays what it was after its last real frame. Source: Cho et
    al. 2014, as TensorFlow 1's GRUCell under dynamic_rnn: the reset gate is applied before the
    product (PyTorch's after it), the gates start with bias 1.

    Args:
        input_size: D.
        hidden: H.
        num_layers: L.
        reverse: read each video from its last real frame to its first.
    """

    def __init__(
        self, input_size: int, hidden: int, num_layers: int = 1, *, reverse: bool = False
    ) -> None:
        super().__init__()
        self.hidden, self.reverse = hidden, reverse
        sizes = [input_size] + [hidden] * (num_layers - 1)
        self.gates = nn.ModuleList(xavier_linear(size + hidden, 2 * hidden) for size in sizes)
        self.candidates = nn.ModuleList(xavier_linear(size + hidden, hidden) for size in sizes)
        for gate in _linears(self.gates):
            nn.init.ones_(gate.bias)

    def forward(self, x_BTD: Tensor, mask_BT: Tensor) -> tuple[Tensor, Tensor]:
        """Return outputs (B, T, H) of the top layer and the last states (B, L, H).

        Outputs are in the autocast dtype, 0 in the padding; states in float32 (float64 stays), 0
        where a video has no frame.

        Args:
            x_BTD: floating point; what stands in the padding does not matter.
            mask_BT: bool, True for a real frame.
        """
        if torch.compiler.is_exporting():
            return self._scanned(x_BTD, mask_BT)
        packing, states = packing_of(mask_BT, reverse=self.reverse), []
        dtype = _dtype(x_BTD, next(self.parameters()))
        x_ND = packing.pack(x_BTD.to(dtype))
        for gate, candidate in self._cells():
            x_ND, h_BH = gru_steps(
                x_ND,
                (gate.weight.to(dtype), candidate.weight.to(dtype)),
                (gate.bias.to(dtype), candidate.bias.to(dtype)),
                packing,
            )
            states.append(packing.restore(h_BH))
        return packing.unpack(x_ND), torch.stack(states, dim=1)

    def _scanned(self, x_BTD: Tensor, mask_BT: Tensor) -> tuple[Tensor, Tensor]:
        states = []
        for gate, candidate in self._cells():
            sizes = [x_BTD.shape[-1], self.hidden]
            gate_GD, gate_GH = gate.weight.split(sizes, dim=1)
            new_HD, new_HH = candidate.weight.split(sizes, dim=1)

            given = torch.cat(
                [x_BTD @ gate_GD.T + gate.bias, x_BTD @ new_HD.T + candidate.bias], dim=-1
            )
            zeros = (x_BTD.new_zeros(x_BTD.shape[0], self.hidden),)
            cell = _Cell(_gru_cell, [gate_GH, new_HH], reverse=self.reverse)
            state, x_BTD = cell.scan(zeros, given, mask_BT)
            states.append(state[0])
        return x_BTD * mask_BT.unsqueeze(-1), torch.stack(states, dim=1)

    def _cells(self) -> Iterator[tuple[nn.Linear, nn.Linear]]:
        return zip(_linears(self.gates), _linears(self.candidates), strict=True)

    def tensorflow_names(self) -> dict[str, str]:
        """Return where a checkpoint keeps each part, below the scope of the cells."""
        return _names(self, {"gates": "gru_cell/gates", "candidates": "gru_cell/candidate"})


class Bidirectional(nn.Module):
    """Two recurrent layers over the same frames, from the first on and from the last on.

    Args:
        ahead: reads forwards.
        back: reads backwards (`reverse`).
    """

    def __init__(self, ahead: LSTM | GRU, back: LSTM | GRU) -> None:
        super().__init__()
        self.ahead, self.back = ahead, back

    def forward(self, x_BTD: Tensor, mask_BT: Tensor) -> tuple[Tensor, Tensor]:
        """Return what both return, side by side along H: at frame t both have read frame t."""
        (ahead, state), (back, back_state) = self.ahead(x_BTD, mask_BT), self.back(x_BTD, mask_BT)
        return torch.cat([ahead, back], dim=-1), torch.cat([state, back_state], dim=-1)


def bidirectional(
    cell: Callable[..., LSTM | GRU], input_size: int, hidden: int, num_layers: int = 1
) -> Bidirectional:
    """Return a pair of `LSTM` or `GRU` of `hidden` units each way; outputs have twice as many."""
    return Bidirectional(
        cell(input_size, hidden, num_layers), cell(input_size, hidden, num_layers, reverse=True)
    )


def _linears(layers: Iterable[nn.Module]) -> list[nn.Linear]:
    return [layer for layer in layers if isinstance(layer, nn.Linear)]


def _dtype(x: Tensor, weight: Tensor) -> torch.dtype:
    """Return the dtype of products: that of autocast where it is on."""
    device = x.device.type
    on = torch.is_autocast_enabled(device)
    return torch.get_autocast_dtype(device) if on else weight.dtype


def _lstm_cell(state: State, given_BG: Tensor, weight_GH: Tensor) -> State:
    c_BH, h_BH = state
    i, j, f, o = (given_BG + h_BH @ weight_GH.T).chunk(4, dim=-1)
    c_BH = f.sigmoid() * c_BH + i.sigmoid() * j.tanh()
    return c_BH, o.sigmoid() * c_BH.tanh()


def _gru_cell(state: State, given: Tensor, gate_GH: Tensor, candidate_HH: Tensor) -> State:
    (h_BH,), width = state, len(gate_GH)
    r_BH, u_BH = (given[:, :width] + h_BH @ gate_GH.T).sigmoid().chunk(2, dim=-1)
    new_BH = (given[:, width:] + (r_BH * h_BH) @ candidate_HH.T).tanh()
    return (u_BH * h_BH + (1 - u_BH) * new_BH,)


@dataclass(frozen=True)
class _Cell:
    """A cell as the body of a loop in an exported graph, with its weights on the state side.

    The operator is called without its public face, `scan`, which compiles the body, remembers that
    for the next layer, and then fixes the batch size.
    """

    step: Callable[..., State]
    weights: list[Tensor]
    reverse: bool

    def scan(self, state: State, given_BTG: Tensor, mask_BT: Tensor) -> tuple[State, Tensor]:
        """Return the last states and the outputs (B, T, H).

        Where there is no frame the state is copied, before the first as after the last, so reading
        backwards needs no more than the reversed axis.
        """
        inputs = [given_BTG.transpose(0, 1), mask_BT.T.unsqueeze(-1)]
        inputs = [x.flip(0) for x in inputs] if self.reverse else inputs
        *last, outputs_TBH = scan_op(self.masked, list(state), inputs, tuple(self.weights))
        outputs_TBH = outputs_TBH.flip(0) if self.reverse else outputs_TBH
        return tuple(last), outputs_TBH.transpose(0, 1)

    def masked(self, *inputs: Tensor) -> list[Tensor]:
        """Return the next state and the output of one step, all inputs in a row."""
        size = len(inputs) - 2 - len(self.weights)
        old, (given_BG, real_B1), weights = (
            inputs[:size],
            inputs[size : size + 2],
            inputs[size + 2 :],
        )
        pairs = zip(self.step(old, given_BG, *weights), old, strict=True)
        new = [torch.where(real_B1, *pair) for pair in pairs]
        return [*new, new[-1].clone()]


def _names(layers: nn.Module, scopes: dict[str, str]) -> dict[str, str]:
    names = {}
    for ours, theirs in scopes.items():
        for index in range(len(layers.get_submodule(ours))):  # type: ignore[arg-type]
            scope = f"multi_rnn_cell/cell_{index}/{theirs}"
            names[f"{ours}.{index}.weight"] = f"{scope}/kernel"
            names[f"{ours}.{index}.bias"] = f"{scope}/bias"
    return names
