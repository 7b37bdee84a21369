"""The weights of a mixture: the formula as loops, and what they do not depend on."""

import pytest
import torch

from reeltag.layers.mixture_gate import InputMixture, ScalarMixture

MASK = torch.arange(4) < torch.tensor([[4], [2], [1]])


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("count_padding", [True, False])
def test_input_mixture_matches_loops(
    training: bool, count_padding: bool, rng: torch.Generator
) -> None:
    mixture = InputMixture(5, 3, count_padding=count_padding).double().train(training)
    with torch.no_grad():
        for value in (*mixture.parameters(), *mixture.buffers()):
            value.copy_(torch.rand(value.shape, generator=rng) + 0.2)
    frames = torch.randn(3, 4, 5, generator=rng).double() * MASK.unsqueeze(-1)
    members = torch.randn(3, 3, 7, generator=rng).double()
    norm, linear = mixture.norm, mixture.linear
    mean, var = norm.running_mean.clone(), norm.running_var.clone()
    means = []
    for b in range(3):
        length = 4 if count_padding else int(MASK[b].sum())
        means.append(sum(frames[b, t] for t in range(length)) / length)
    if training:
        mean = torch.stack(means).mean(dim=0)  # type: ignore[arg-type]
        var = torch.stack(means).var(dim=0, correction=0)  # type: ignore[arg-type]
    ours = mixture(frames, MASK, members)
    for b in range(3):
        normed = (means[b] - mean) / (var + 1e-3).sqrt() * norm.weight + norm.bias
        scores = [(linear.weight[m] @ normed + linear.bias[m]).exp() for m in range(3)]
        expected = sum(scores[m] / sum(scores) * members[m, b] for m in range(3))
        torch.testing.assert_close(ours[b], expected, rtol=1e-10, atol=1e-12)


def test_input_mixture_weights_sum_to_one(rng: torch.Generator) -> None:
    mixture = InputMixture(5, 3)
    weights = mixture.weights(torch.randn(3, 4, 5, generator=rng), MASK)
    assert weights.shape == (3, 3) and (weights > 0).all()
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(3))


def test_scalar_mixture_starts_as_the_mean_for_every_video(rng: torch.Generator) -> None:
    mixture, members = ScalarMixture(3), torch.randn(3, 4, 5, generator=rng)
    frames, mask = torch.zeros(4, 1, 2), torch.ones(4, 1, dtype=torch.bool)
    torch.testing.assert_close(mixture(frames, mask, members), members.mean(dim=0))
    with torch.no_grad():
        mixture.scores_M.copy_(torch.tensor([0.0, 1.0, 2.0]))
    share = torch.tensor([0.0, 1.0, 2.0]).softmax(dim=0)
    expected = share[0] * members[0] + share[1] * members[1] + share[2] * members[2]
    torch.testing.assert_close(mixture(frames, mask, members), expected)
