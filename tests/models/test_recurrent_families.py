"""What the recurrent families make of their layers' outputs and states, against loops."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reeltag.core.errors import ConfigError
from reeltag.data.sampling import FrameChoice
from reeltag.layers.recurrent import Bidirectional
from reeltag.models import bigru, bilstm, early_concat_lstm, gru, lstm, lstm_bi_attention
from tests.layers.recurrent_loops import loops

LENGTHS = torch.tensor([[4], [2], [1]])
MASK = torch.arange(4) < LENGTHS


def frames(rng: torch.Generator) -> Tensor:
    return torch.randn(3, 4, 8, generator=rng).double()


def tiny(config: object) -> nn.Module:
    torch.manual_seed(0)
    model: nn.Module = config.build().double().eval()  # type: ignore[attr-defined]
    return model


def both(pair: Bidirectional, x_BTD: Tensor) -> Tensor:
    return torch.cat([loops(way, x_BTD, MASK)[0] for way in (pair.ahead, pair.back)], dim=-1)


def millions(module: nn.Module) -> float:
    return sum(p.numel() for p in module.parameters()) / 1e6


@pytest.mark.parametrize(
    ("config", "recurrent", "experts"),
    [
        (gru.Config(), 17.1, 46.4),
        (lstm.Config(), 17.3, 79.1),
        (lstm.VARIANTS["lstm_2x1024"], 17.3, 19.8),
    ],
    ids=["WILLOW's GRU", "WILLOW's LSTM", "starter LSTM"],
)
def test_sizes_are_the_published_ones(
    config: lstm.Config | gru.Config, recurrent: float, experts: float
) -> None:
    with torch.device("meta"):
        model = config.build()
    assert round(millions(model.rnn), 1) == recurrent
    assert round(millions(model.head), 1) == experts


def test_lstm_reads_all_states_or_the_top_output(rng: torch.Generator) -> None:
    x = frames(rng)
    for read in ("states", "output"):
        model = tiny(lstm.Config(num_classes=5, dims=(6, 2), cells=4, read=read))
        assert isinstance(model, lstm.LSTMModel)
        outputs, state = loops(model.rnn, x, MASK)
        if read == "states":  # of each video: c and h of the first layer, c and h of the second
            seen = torch.stack([torch.cat([*state[b, 0], *state[b, 1]]) for b in range(3)])
        else:
            seen = torch.stack([outputs[b, length - 1] for b, length in enumerate(LENGTHS)])[:, 0]
        torch.testing.assert_close(model(x, MASK), model.head(seen), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("family", [lstm, gru])
def test_backward_reads_the_reversed_video(family: object, rng: torch.Generator) -> None:
    x, config = frames(rng), {"num_classes": 5, "dims": (6, 2), "cells": 4}
    ahead, back = (
        tiny(family.Config(**config, backward=way))  # type: ignore[attr-defined]
        for way in (False, True)
    )
    for b, length in enumerate(LENGTHS.flatten().tolist()):
        video, real = x[b : b + 1, :length], MASK[b : b + 1, :length]
        torch.testing.assert_close(back(video, real), ahead(video.flip(1), real))
    assert not torch.allclose(back(x, MASK), ahead(x, MASK))


def test_bilstm_reads_the_last_cell_of_the_upper_layer(rng: torch.Generator) -> None:
    model, x = tiny(bilstm.TINY), frames(rng)
    assert isinstance(model, bilstm.BidirectionalLSTM)
    _, state = loops(model.upper, both(model.both, x), MASK)
    torch.testing.assert_close(model(x, MASK), model.head(state[:, 0, 0]))


@pytest.mark.parametrize("gate", [False, True])
def test_bigru_reads_the_last_state_through_its_gate(gate: bool, rng: torch.Generator) -> None:
    model, x = tiny(bigru.Config(num_classes=5, dims=(6, 2), cells=4, gate=gate)), frames(rng)
    assert isinstance(model, bigru.BidirectionalGRU)
    (stack,) = model.stacks
    assert isinstance(stack, bigru.Stack)
    state = loops(stack.upper, both(stack.both, x), MASK)[1][:, 0]
    if model.gate is not None:
        state = state * torch.sigmoid(state @ model.gate.weight.T + model.gate.bias)
    torch.testing.assert_close(model(x, MASK), model.head(state))


def test_branched_bigru_normalises_each_stream_over_real_frames(rng: torch.Generator) -> None:
    config = bigru.Config(num_classes=5, dims=(6, 2), cells=6, branched=True)
    model, x = tiny(config).train(), frames(rng)
    assert isinstance(model, bigru.BidirectionalGRU)
    states = []
    for stack, part in zip(model.stacks, x.split([6, 2], dim=-1), strict=True):
        assert isinstance(stack, bigru.Stack)
        units = normed(normed(part) @ stack.linear.weight.T).clamp(0, 6)
        states.append(loops(stack.upper, both(stack.both, units), MASK)[1][:, 0])
    assert [state.shape[-1] for state in states] == [6, 2]
    expected = model.head(torch.cat(states, dim=-1))
    torch.testing.assert_close(model(x, MASK), expected, rtol=1e-9, atol=1e-10)


def normed(x_BTD: Tensor) -> Tensor:
    real = x_BTD[MASK]
    return (x_BTD - real.mean(dim=0)) / (real.var(dim=0, correction=0) + 1e-3).sqrt()


def test_branched_streams_are_as_wide_as_the_authors() -> None:
    with torch.device("meta"):
        model = bigru.VARIANTS["bigru_branched_bn"].build()
    sizes = [
        (stack.linear.out_features, stack.both.ahead.hidden, stack.upper.hidden)
        for stack in model.stacks
        if isinstance(stack, bigru.Stack)
    ]
    assert sizes == [(1024, 512, 1024), (128, 64, 128)]


def test_early_concat_lstm_sees_both_states_of_both_layers(rng: torch.Generator) -> None:
    model, x = tiny(early_concat_lstm.TINY), frames(rng)
    assert isinstance(model, early_concat_lstm.EarlyConcatLSTM)
    state = loops(model.rnn, x, MASK)[1].reshape(3, -1)
    torch.testing.assert_close(model(x, MASK), model.output(F.relu(model.hidden(state))))
    with torch.device("meta"):
        assert early_concat_lstm.Config().build().hidden.in_features == 4096


def test_bi_attention_weighs_units_and_both_readings(rng: torch.Generator) -> None:
    model, x = tiny(lstm_bi_attention.TINY), frames(rng)
    assert isinstance(model, lstm_bi_attention.LSTMBiAttention)
    found = torch.zeros(3, 24).double()
    for branch, part, place in zip(
        model.branches, x.split([6, 2], dim=-1), (slice(0, 18), slice(18, 24)), strict=True
    ):
        assert isinstance(branch, lstm_bi_attention.Branch)
        units = F.relu(part @ branch.linear.weight.T + branch.linear.bias)
        z = torch.cat([units, both(branch.rnn, units)], dim=-1)
        for b, length in enumerate(LENGTHS.flatten().tolist()):
            weights = torch.softmax(z[b, :length] @ branch.pool.score.weight[0], dim=0)
            found[b, place] = sum(w * row for w, row in zip(weights, z[b], strict=False))
    hidden = found / (1 + 1e-5) ** 0.5  # running statistics 0 and 1
    for linear in model.hidden:
        hidden = F.relu(linear(hidden))
    torch.testing.assert_close(model(x, MASK), model.output(hidden))


def test_willow_lstm_recipe_has_150_frames_in_random_order() -> None:
    choice = FrameChoice(**lstm.RECIPE["frames"])  # type: ignore[arg-type]
    assert (choice.how, choice.num_frames, choice.ordered) == ("random", 150, False)


@pytest.mark.parametrize(
    ("family", "field", "value", "allowed"),
    [
        (bilstm, "cells", 7, "an even integer >= 2"),
        (bigru, "cells", 0, "an even integer >= 2"),
        (lstm, "read", "cells", "'states' or 'output'"),
        (lstm, "cells", 0, "an integer >= 1"),
        (gru, "num_layers", 0, "an integer >= 1"),
        (early_concat_lstm, "hidden", 0, "an integer >= 1"),
        (lstm_bi_attention, "hidden", (8, 0), "one or more, each an integer >= 1"),
    ],
)
def test_wrong_field_raises_with_its_name(
    family: object, field: str, value: object, allowed: str
) -> None:
    with pytest.raises(ConfigError) as error:
        family.Config(**{field: value})  # type: ignore[attr-defined]
    assert f"{field} is {value!r}; allowed: {allowed}" in str(error.value)
