"""The split batch norm of the frames computes the same as the whole one."""

import pytest
import torch

from reeltag.layers.input_norm import InputNorm, folded

MASK = torch.arange(5) < torch.tensor([[5], [3]])


@pytest.mark.parametrize("gradient", [True, False])  # of the frames: computed another way
@pytest.mark.parametrize("training", [True, False])
def test_input_norm_scaled_and_shifted_is_the_norm(
    training: bool, gradient: bool, rng: torch.Generator
) -> None:
    whole, split = (InputNorm(4).double().train(training) for _ in range(2))
    for norm in (whole, split):
        torch.nn.init.constant_(norm.weight, 3.0)
        torch.nn.init.constant_(norm.bias, 2.0)
    frames = torch.randn(2, 5, 4, generator=rng).double().requires_grad_(gradient)
    ours = split.standardise(frames, MASK) * split.weight + split.bias
    torch.testing.assert_close(ours, whole(frames, MASK), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(split.state_dict(), whole.state_dict(), rtol=1e-12, atol=1e-12)


def test_folded_map_matches_scaled_and_shifted_values(rng: torch.Generator) -> None:
    weight, x = torch.randn(3, 4, generator=rng), torch.randn(5, 4, generator=rng)
    scale, shift = torch.rand(2, 4, generator=rng)
    ours, offset = folded(weight, (scale, shift))
    assert offset is not None
    torch.testing.assert_close(x @ ours.T + offset, (scale * x + shift) @ weight.T)


def test_input_norm_without_shift_keeps_a_buffer_for_it() -> None:
    norm = InputNorm(4, shift=False)
    assert [name for name, _ in norm.named_parameters()] == ["weight"]
    assert norm.state_dict().keys() == InputNorm(4).state_dict().keys()
