"""NeXtVLAD: the paper's formula as loops, the published order of operations, and the fast one."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from reeltag.layers.aggregation import weighted_sum
from reeltag.layers.assignment import soft_assign
from reeltag.layers.kernels.frame_sums import expand_and_sum
from reeltag.layers.nextvlad import NeXtVLAD

MASK = torch.arange(4) < torch.tensor([[4], [2], [1]])


def random_layer(rng: torch.Generator, **options: bool) -> NeXtVLAD:
    """Return a layer (D 6, K 3, G 2, expansion 2) none of whose parameters is trivial."""
    layer = NeXtVLAD(6, 3, 2, **options).double()
    with torch.no_grad():
        for value in (*layer.parameters(), *layer.buffers()):
            value.copy_(torch.rand(value.shape, generator=rng) + 0.2)
        layer.assign.weight.sub_(0.7)
        layer.expand.weight.sub_(0.7)
    return layer


def frames(rng: torch.Generator) -> Tensor:
    return torch.randn(3, 4, 6, generator=rng).double() * MASK.unsqueeze(-1)


def published(layer: NeXtVLAD, frames_BTD: Tensor, mask_BT: Tensor) -> Tensor:
    """Compute the layer as its authors wrote it: widen, score what was widened, sum, normalise."""
    wide = layer.expand(frames_BTD)
    attention = layer.attend(wide).sigmoid() * mask_BT.unsqueeze(-1)
    counted = torch.ones_like(mask_BT) if layer.count_padding else mask_BT
    scores = layer.assign(wide)
    rows = scores[counted]
    mean, var = rows.mean(dim=0), rows.var(dim=0, correction=0)
    if not layer.training:
        mean, var = layer.assign_norm.running_mean, layer.assign_norm.running_var
    norm = layer.assign_norm
    scores = (scores - mean) / (var + 1e-3).sqrt() * norm.weight + norm.bias
    scores = scores.unflatten(-1, (layer.groups, -1)).softmax(dim=-1) * attention.unsqueeze(-1)
    weights = scores.flatten(1, 2)
    parts = wide.unflatten(-1, (layer.groups, -1)).flatten(1, 2)
    vlad = parts.transpose(1, 2) @ weights - weights.sum(dim=1, keepdim=True) * layer.centres_FK
    vlad = F.normalize(vlad, dim=1, eps=1e-6).flatten(1)
    mean, var = vlad.mean(dim=0), vlad.var(dim=0, correction=0)
    if not layer.training:
        mean, var = layer.norm.running_mean, layer.norm.running_var
    return (vlad - mean) / (var + 1e-3).sqrt() * layer.norm.weight + layer.norm.bias


def test_nextvlad_matches_loops(rng: torch.Generator) -> None:
    layer, x = random_layer(rng).eval(), frames(rng)
    ours = layer(x, MASK)
    norm = layer.assign_norm
    for b in range(3):
        vlad = torch.zeros(6, 3).double()  # F, K
        for t in range(4):
            wide = layer.expand.weight @ x[b, t] + layer.expand.bias
            for g in range(2):
                score = layer.attend.weight[g] @ wide + layer.attend.bias[g]
                z = torch.stack([layer.assign.weight[g * 3 + k] @ wide for k in range(3)])
                channel = slice(g * 3, g * 3 + 3)
                z = (z - norm.running_mean[channel]) / (norm.running_var[channel] + 1e-3).sqrt()
                share = (z * norm.weight[channel] + norm.bias[channel]).softmax(dim=0)
                for k in range(3):
                    residual = wide[g * 6 : g * 6 + 6] - layer.centres_FK[:, k]
                    vlad[:, k] += MASK[b, t] * score.sigmoid() * share[k] * residual
        vlad = vlad / vlad.norm(dim=0, keepdim=True)
        expected = layer.norm(vlad.flatten().unsqueeze(0))
        torch.testing.assert_close(ours[b : b + 1], expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("count_padding", [True, False])
@pytest.mark.parametrize("folded", [True, False])
def test_nextvlad_matches_published_order_with_gradients(
    training: bool, count_padding: bool, folded: bool, rng: torch.Generator
) -> None:
    layer = random_layer(rng, count_padding=count_padding).train(training)
    x, mask = (frames(rng), MASK) if folded else (frames(rng)[:2], MASK[:2])
    assert folded == (mask.numel() >= layer.expand.out_features)
    cotangent = torch.randn(len(x), layer.output_size, generator=rng).double()
    results = []
    for function in (published, lambda layer, *inputs: layer(*inputs)):
        layer.zero_grad()
        out = function(layer, x, mask)
        (out * cotangent).sum().backward()
        results.append([out.detach(), *(p.grad.clone() for p in layer.parameters())])  # type: ignore[union-attr]
    torch.testing.assert_close(results[0], results[1], rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("many", [True, False])
def test_nextvlad_few_and_many_rows_agree(many: bool, rng: torch.Generator) -> None:
    layer, x = random_layer(rng).eval(), frames(rng)
    part = slice(0, 3 if many else 1)
    torch.testing.assert_close(layer(x, MASK)[part], layer(x[part], MASK[part]))


def test_nextvlad_padding_does_not_move_running_statistics(rng: torch.Generator) -> None:
    x, mask, states = frames(rng), MASK, []
    for extra in (0, 5):
        layer = random_layer(torch.Generator().manual_seed(1))
        layer(F.pad(x, (0, 0, 0, extra)), F.pad(mask, (0, extra)))
        states.append(layer.state_dict())
    torch.testing.assert_close(states[0], states[1])


def test_nextvlad_checks_that_groups_divide() -> None:
    with pytest.raises(ValueError, match="5 groups do not divide 12 = 2 \\* 6"):
        NeXtVLAD(6, 3, 5)


def test_assignment_gradients_match_differences(
    rng: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reeltag.layers.kernels.soft_assign.CACHE", 24)  # one video at a time
    scores = torch.randn(3, 4, 6, generator=rng).double().requires_grad_()
    attention = (torch.rand(3, 4, 2, generator=rng).double() * MASK.unsqueeze(-1)).requires_grad_()
    gamma, beta = (torch.rand(6, generator=rng).double().requires_grad_() for _ in range(2))

    def weights_and_mass(*inputs: Tensor) -> tuple[Tensor, Tensor]:
        weights, mass, _, _ = soft_assign(
            inputs[0], inputs[1], MASK.double(), inputs[2], inputs[3], 1e-3, None
        )
        return weights, mass

    assert torch.autograd.gradcheck(weights_and_mass, (scores, attention, gamma, beta))
    values = torch.randn(3, 4, 5, generator=rng).double().requires_grad_()
    assert torch.autograd.gradcheck(weighted_sum, (scores, values))


@pytest.mark.parametrize("cache", [24, 48, 10**6])
def test_soft_assign_parts_of_a_batch_change_nothing(
    cache: int, rng: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = (
        5 + torch.randn(3, 4, 6, generator=rng),
        torch.rand(3, 4, 2, generator=rng) * MASK.unsqueeze(-1),
        MASK.float(),
        torch.ones(6),
        torch.zeros(6),
        1e-3,
        None,
    )
    expected = soft_assign(*arguments)
    monkeypatch.setattr("reeltag.layers.kernels.soft_assign.CACHE", cache)
    torch.testing.assert_close(soft_assign(*arguments), expected)


@pytest.mark.parametrize("num_frames", [2, 20], ids=["through the wide frames", "through sums"])
@pytest.mark.parametrize("with_frames", [True, False])
def test_expand_and_sum_gradient_is_the_same_in_both_orders(
    num_frames: int, with_frames: bool, rng: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reeltag.layers.kernels.frame_sums.TOGETHER", 2)
    x, weights, expand = (
        torch.randn(*shape, generator=rng, dtype=torch.float64).requires_grad_()
        for shape in ((3, num_frames, 6), (3, num_frames, 2), (10, 6))
    )
    x = x.detach().requires_grad_(with_frames)
    gradients = []
    for function in (expand_and_sum, plain_expand_and_sum):
        out = function(x, expand, weights, 2)
        leaves = [weights, expand] + [x] * with_frames
        gradients.append(torch.autograd.grad(out.square().sum(), leaves))
    torch.testing.assert_close(gradients[0], gradients[1])


def plain_expand_and_sum(x: Tensor, expand: Tensor, weights: Tensor, groups: int) -> Tensor:
    wide = torch.unflatten(x @ expand.T, -1, (groups, -1))
    shares = torch.unflatten(weights, -1, (groups, -1))
    return torch.einsum("btgk,btgf->bkf", shares, wide)
