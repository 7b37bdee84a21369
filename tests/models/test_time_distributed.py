"""Layers on every frame: convolutions, sorting and maxima against their formulas as loops."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from reeltag.core.errors import ConfigError
from reeltag.models import time_distributed_conv, time_distributed_max, time_distributed_sort
from reeltag.models.time_distributed_conv import ConvolutionBlock
from reeltag.models.time_distributed_sort import SortedOverTime, interpolation

MASK = torch.arange(7) < torch.tensor([[7], [4], [1]])


def num_parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("training", [False, True])
def test_convolution_block_matches_loops(training: bool, rng: torch.Generator) -> None:
    block = ConvolutionBlock(2, 3, dropout=0.0).double().train(training)
    frames = torch.randn(3, 7, 2, generator=rng).double() * MASK.unsqueeze(-1)
    lengths = MASK.sum(dim=1).tolist()
    convolved = torch.zeros(3, 7, 3).double()
    for b, length in enumerate(lengths):
        for t in range(length):
            for k in (-1, 0, 1):
                if 0 <= t + k < length:
                    convolved[b, t] += block.convolution.weight[:, :, k + 1] @ frames[b, t + k]
    mean, var = torch.zeros(3).double(), torch.ones(3).double()
    if training:
        mean, var = convolved[MASK].mean(dim=0), convolved[MASK].var(dim=0, correction=0)
    units = torch.relu((convolved - mean) / (var + 1e-5).sqrt())
    maxima, mask = block(frames, MASK)
    assert mask.sum(dim=1).tolist() == [3, 2, 1]
    for b, length in enumerate(lengths):
        for s in range(maxima.shape[1]):
            window = units[b, 3 * s : min(3 * s + 3, length)]
            expected = window.amax(dim=0) if len(window) else torch.zeros(3).double()
            torch.testing.assert_close(maxima[b, s], expected, rtol=1e-10, atol=1e-12)


def test_channel_dropout_drops_a_channel_for_the_whole_video(rng: torch.Generator) -> None:
    torch.manual_seed(0)
    block = ConvolutionBlock(2, 40, dropout=0.5)
    block.norm.eval()
    frames = torch.randn(2, 7, 2, generator=rng)
    maxima, _ = block(frames, torch.ones(2, 7, dtype=torch.bool))
    silent = (maxima == 0).all(dim=1)
    assert 20 < silent.sum() < 60 and not torch.equal(silent[0], silent[1])


def sorted_by_hand(x: Tensor, positions: int) -> Tensor:
    """Return the values of `x` (n,) at equally spaced positions of its sorted order."""
    rising = sorted(x.tolist())
    places = []
    for j in range(positions):
        place = (len(rising) - 1) * j / (positions - 1)
        low = min(int(place), len(rising) - 1)
        high = min(low + 1, len(rising) - 1)
        places.append(rising[low] + (place - low) * (rising[high] - rising[low]))
    return torch.tensor(places, dtype=x.dtype)


def test_sorting_matches_loops(rng: torch.Generator) -> None:
    pool = SortedOverTime(5, 4).double()
    x = torch.randn(3, 7, 2, generator=rng).double()
    expected = torch.zeros(3, 2).double()
    for b, length in enumerate(MASK.sum(dim=1).tolist()):
        for c in range(2):
            places = sorted_by_hand(x[b, :length, c], 5)
            units = torch.relu(pool.inner.weight @ places + pool.inner.bias)
            expected[b, c] = pool.outer.weight[0] @ units + pool.outer.bias[0]
    torch.testing.assert_close(pool(x, MASK), expected, rtol=1e-10, atol=1e-12)


def test_as_many_frames_as_positions_are_only_sorted() -> None:
    weights = interpolation(torch.tensor([303]), 310, 303, torch.float32)
    assert torch.equal(weights[0], torch.eye(303, 310))


def test_interpolation_weights_sum_to_one_and_end_at_the_last_frame() -> None:
    weights = interpolation(torch.tensor([1, 2, 300]), 300, 303, torch.float32)
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(3, 303), rtol=0, atol=1e-4)
    assert weights[0, :, 0].eq(1).all() and not weights[1, :, 2:].any()
    assert weights[2, 0, 0] == 1 and weights[2, -1, -1] == 1


def test_maximum_over_time_is_taken_per_unit_after_the_relu(rng: torch.Generator) -> None:
    model = time_distributed_max.TINY.build().double().eval()
    frames = torch.randn(3, 7, 8, generator=rng).double()
    found = []
    for index, part in enumerate(frames.split((6, 2), dim=-1)):
        units = torch.relu(model.linears[index](part) / (1 + 1e-5) ** 0.5)
        rows = [units[b, :length].amax(dim=0) for b, length in enumerate(MASK.sum(dim=1).tolist())]
        found.append(torch.stack(rows))
    torch.testing.assert_close(model(frames, MASK), model.head(found), rtol=1e-10, atol=1e-12)


def test_published_sizes_have_the_parameters_of_the_table() -> None:
    with torch.device("meta"):
        conv, largest = time_distributed_conv.Config(), time_distributed_max.Config()
        convolutions = 3 * (1024 * 2048 + 2048 * 2048 + 128 * 512 + 512 * 512)
        norms, output = 2 * 2 * (2048 + 512), (2048 + 512 + 1) * 3862
        assert num_parameters(conv.build()) == convolutions + norms + output
        model = largest.build()
        dense = 1024**2 + 128**2 + 2 * 1152
        assert num_parameters(model) == dense + num_parameters(model.head)
        sort = time_distributed_sort.Config().build()
        assert num_parameters(sort.pool) == 304 * 1000 + 1001


def test_wrong_sizes_raise() -> None:
    with pytest.raises(
        ConfigError, match=r"channels is \(\); allowed: one or more, each an integer >= 1"
    ):
        replace(time_distributed_conv.TINY, channels=())
    with pytest.raises(ConfigError, match=r"other_channels is \(4, 0\); allowed"):
        replace(time_distributed_conv.TINY, other_channels=(4, 0))
    with pytest.raises(ConfigError, match="positions is 1; allowed: an integer >= 2"):
        replace(time_distributed_sort.TINY, positions=1)
    with pytest.raises(ConfigError, match="stream_blocks is -1; allowed: an integer >= 0"):
        replace(time_distributed_sort.TINY, stream_blocks=-1)
    with pytest.raises(ConfigError, match="inner is 0; allowed: an integer >= 1"):
        replace(time_distributed_max.TINY, inner=0)
