"""LSTM and GRU over real frames: TensorFlow's cells, in either direction, one or several layers.

Shape letters: B videos, T frames (padded), D input size, H hidden units, L layers, S = 2 parts of
an LSTM state (cell c, then output h), G = 4 H gates of an LSTM or 2 H of a GRU, K = D + H.
"""

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn

from reeltag.layers.initialisers import xavier_linear
from reeltag.layers.kernels import packed, scanned
from reeltag.layers.kernels.dispatch import faster
from reeltag.layers.kernels.packed import State, Weights
from reeltag.layers.kernels.scanned import Step


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
            x_BTD: floating point; what is in the padding does not matter.
            mask_BT: bool, True for a real frame.
        """
        dtype = _dtype(x_BTD, self.kernels)
        layers = [
            (kernel.weight.to(dtype), (kernel.bias + self.forget).to(dtype))
            for kernel in _linears(self.kernels)
        ]
        return read_by_lstm(x_BTD.to(dtype), mask_BT, layers, self.reverse)

    def tensorflow_names(self) -> dict[str, str]:
        """Return where a checkpoint keeps each part, below the scope of the cells."""
        return _names(self, {"kernels": "basic_lstm_cell"})


class GRU(nn.Module):
    """Layers of GRU cells; a layer reads the outputs of the one below.

        r, u = sigmoid(W [x_t, h_{t-1}] + b)
        h_t = u h_{t-1} + (1 - u) tanh(V [x_t, r h_{t-1}] + a)

    States begin with 0; a video's state stays what it was after its last real frame. Source: Cho et
    al. 2014, as TensorFlow 1's GRUCell under dynamic_rnn: the reset gate is applied before the
    product (PyTorch's and cuDNN's after it), the gates start with bias 1.

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
        """Return outputs (B, T, H) of the top layer and the last states (B, L, H); as `LSTM`'s."""
        dtype = _dtype(x_BTD, self.gates)
        layers = [
            tuple(x.to(dtype) for x in (gate.weight, gate.bias, candidate.weight, candidate.bias))
            for gate, candidate in zip(_linears(self.gates), _linears(self.candidates), strict=True)
        ]
        outputs_BTH, states_BL1H = read_by_gru(x_BTD.to(dtype), mask_BT, layers, self.reverse)
        return outputs_BTH, states_BL1H.squeeze(2)

    def tensorflow_names(self) -> dict[str, str]:
        """Return where a checkpoint keeps each part, below the scope of the cells."""
        return _names(self, {"gates": "gru_cell/gates", "candidates": "gru_cell/candidate"})


@faster(cpu=packed.lstm, cuda=packed.cudnn_lstm, compile=packed.lstm)
def read_by_lstm(
    x_BTD: Tensor, mask_BT: Tensor, layers: Sequence[Weights], reverse: bool
) -> tuple[Tensor, Tensor]:
    """Return what `LSTM.forward` returns.

    Args:
        x_BTD: in the dtype of products.
        mask_BT: bool, True for a real frame.
        layers: weight (G, K) and bias (G,), the forget bias added, of each layer, in that dtype.
        reverse: read from the last frame to the first.
    """
    return _read(lstm_cell, 2, x_BTD, mask_BT, layers, reverse)


@faster(cpu=packed.gru, cuda=packed.gru, compile=packed.gru)
def read_by_gru(
    x_BTD: Tensor, mask_BT: Tensor, layers: Sequence[Weights], reverse: bool
) -> tuple[Tensor, Tensor]:
    """Return what `GRU.forward` returns, states (B, L, 1, H).

    Args: as `read_by_lstm`, but `layers`: weight and bias of the gates, (G, K) and (G,), and of the
        candidate, (H, K) and (H,).
    """
    return _read(gru_cell, 1, x_BTD, mask_BT, layers, reverse)


def lstm_cell(state: State, given_BG: Tensor, weight_GH: Tensor) -> State:
    """Return the next c and h (B, H), given what the input adds to the gates."""
    c_BH, h_BH = state
    gates_BG = given_BG + h_BH.to(given_BG.dtype) @ weight_GH.T
    i, j, f, o = gates_BG.to(c_BH.dtype).chunk(4, dim=-1)
    c_BH = f.sigmoid() * c_BH + i.sigmoid() * j.tanh()
    return c_BH, o.sigmoid() * c_BH.tanh()


def gru_cell(state: State, given: Tensor, gate_GH: Tensor, candidate_HH: Tensor) -> State:
    """Return the next h (B, H), given what the input adds to gates and candidate."""
    (h_BH,), width = state, len(gate_GH)
    gates_BG = given[:, :width] + h_BH.to(given.dtype) @ gate_GH.T
    r_BH, u_BH = gates_BG.to(h_BH.dtype).sigmoid().chunk(2, dim=-1)
    new_BH = given[:, width:] + (r_BH * h_BH).to(given.dtype) @ candidate_HH.T
    return (u_BH * h_BH + (1 - u_BH) * new_BH.to(h_BH.dtype).tanh(),)


def _read(
    cell: Callable[..., State],
    parts: int,
    x_BTD: Tensor,
    mask_BT: Tensor,
    layers: Sequence[Weights],
    reverse: bool,
) -> tuple[Tensor, Tensor]:
    """Return outputs (B, T, H) of the top layer and the last states (B, L, parts, H).

    Where there is no frame the state is copied, before the first as after the last, so reading
    backwards needs no more than the reversed axis.
    """
    batch, states = x_BTD.shape[0], []
    exact = torch.promote_types(x_BTD.dtype, torch.float32)

    def step(*inputs: Tensor) -> list[Tensor]:
        """Return the next state and the output of one step, all inputs in a row."""
        old, (given_BG, real_B1) = inputs[:parts], inputs[parts : parts + 2]
        pairs = zip(cell(old, given_BG, *inputs[parts + 2 :]), old, strict=True)
        new = [torch.where(real_B1, *pair) for pair in pairs]
        return [*new, new[-1].clone()]

    for weights in layers:
        dim = x_BTD.shape[-1]
        products = list(zip(weights[::2], weights[1::2], strict=True))
        given_BTG = torch.cat([x_BTD @ w_GK[:, :dim].T + b_G for w_GK, b_G in products], dim=-1)
        inputs = [given_BTG.transpose(0, 1), mask_BT.T.unsqueeze(-1)]
        inputs = [x.flip(0) for x in inputs] if reverse else inputs
        size = batch, weights[0].shape[1] - dim
        zeros = [x_BTD.new_zeros(size, dtype=exact) for _ in range(parts)]  # not shared, for ONNX
        of_state = [w_GK[:, dim:] for w_GK, _ in products]
        *last, outputs_TBH = loop(inputs[0], inputs[1], zeros, of_state, step)
        outputs_TBH = outputs_TBH.flip(0) if reverse else outputs_TBH
        states.append(torch.stack(last, dim=1))
        x_BTD = outputs_TBH.transpose(0, 1).to(x_BTD.dtype)
    return x_BTD * mask_BT.unsqueeze(-1), torch.stack(states, dim=1)


@faster(export=scanned.scan, when=scanned.has_scan)
def loop(
    given_TBG: Tensor, real_TB1: Tensor, state: list[Tensor], weights: list[Tensor], step: Step
) -> list[Tensor]:
    """Return the last state and the outputs (T, B, H) of `step`, taken once a frame.

    Args:
        given_TBG: what each frame adds.
        real_TB1: bool, whether a video has that frame.
        state: before the first step, (B, H) each.
        weights: of the state.
        step: (*state, given, real, *weights) -> the next state, and an output.
    """
    outputs = []
    for given_BG, real_B1 in zip(given_TBG, real_TB1, strict=True):
        *state, output_BH = step(*state, given_BG, real_B1, *weights)
        outputs.append(output_BH)
    return [*state, torch.stack(outputs) if outputs else given_TBG.new_zeros(0, *state[0].shape)]


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


def _dtype(x: Tensor, layers: nn.Module) -> torch.dtype:
    """Return the dtype of products: that of autocast where it is on, else that of the weights."""
    device = x.device.type
    on = torch.is_autocast_enabled(device)
    return torch.get_autocast_dtype(device) if on else next(layers.parameters()).dtype


def _names(layers: nn.Module, scopes: dict[str, str]) -> dict[str, str]:
    names = {}
    for ours, theirs in scopes.items():
        for index in range(len(layers.get_submodule(ours))):  # type: ignore[arg-type]
            scope = f"multi_rnn_cell/cell_{index}/{theirs}"
            names[f"{ours}.{index}.weight"] = f"{scope}/kernel"
            names[f"{ours}.{index}.bias"] = f"{scope}/bias"
    return names
