"""Autohome's mixture: the sizes of its paper, its members, its options."""

from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from reeltag.core.errors import ConfigError
from reeltag.models import autohome_mix
from reeltag.models.autohome_mix import TINY, VARIANTS
from reeltag.testing.models import some_batch


def test_nextvlad_sizes_are_the_papers() -> None:
    with torch.device("meta"):
        model = VARIANTS["autohome_mix_3_nextvlad"].build()
    millions = [sum(p.numel() for p in m.parameters()) / 1e6 for m in model.nextvlads]
    assert millions == [pytest.approx(size, abs=0.05) for size in (78.6, 93.2, 79.2)]
    total = sum(p.numel() for p in model.parameters()) / 1e6
    assert total == pytest.approx(251, abs=0.5)


def test_later_members_come_after_the_first(rng: torch.Generator) -> None:
    model, (frames, mask) = TINY.build().eval(), some_batch(rng, 8)
    logits, members = model.members(frames, mask)
    assert logits.shape == (3, 5) and members.shape == (3, 3, 5)
    for branch, member in zip(model.nextvlads, members, strict=False):
        torch.testing.assert_close(branch(frames, mask), member)
    assert model.gru is not None
    torch.testing.assert_close(model.gru_classifier(model.gru(frames, mask)), members[-1])


@pytest.mark.parametrize(
    ("change", "num_members"),
    [
        ({"gru": False}, 2),
        ({"mixture": "scalars"}, 3),
        ({"gru_both_ways": True, "gru_layers": 2}, 3),
        ({"gru_chunk": 2}, 3),
        ({"num_clusters": (4,), "reduction": (2,)}, 2),
    ],
)
def test_options_build_and_train(
    change: dict[str, Any], num_members: int, rng: torch.Generator
) -> None:
    model = replace(TINY, **change).build()
    logits, members = model.members(*some_batch(rng, 8))
    assert len(members) == num_members
    logits.square().sum().backward()
    grads = [p.grad for p in model.mixture.parameters()]
    assert all(grad is not None and grad.any() for grad in grads)


def test_scalars_do_not_look_at_the_video(rng: torch.Generator) -> None:
    model = replace(TINY, mixture="scalars").build().eval()
    logits, members = model.members(*some_batch(rng, 8))
    torch.testing.assert_close(logits, members.mean(dim=0))  # they start equal


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"num_clusters": ()}, r"num_clusters is \(\); allowed: one or more, each an integer >= 1"),
        ({"reduction": (2,)}, r"reduction is \(2,\); allowed: 2 numbers"),
        ({"reduction": (2, 3)}, "reduction is 3; allowed: a divisor of hidden"),
        ({"gru_reduction": 3}, "gru_reduction is 3; allowed: a divisor of hidden"),
        ({"gru_hidden": 0}, "gru_hidden is 0"),
        ({"gru_chunk": -1}, "gru_chunk is -1; allowed: an integer >= 0"),
        ({"num_clusters": (4, 1)}, "num_clusters is 1; allowed: >= 2"),
    ],
)
def test_wrong_sizes_raise(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        replace(TINY, **change)


def test_published_recipe_has_no_distillation() -> None:
    assert autohome_mix.RECIPE["members"] == {"weight": 0.0}


def test_chunked_model_ignores_padding_and_exports(rng: torch.Generator) -> None:
    model, (frames, mask) = replace(TINY, gru_chunk=4).build().eval(), some_batch(rng, 8)
    logits = model(frames, mask)
    longer = F.pad(frames, (0, 0, 0, 9), value=7.0), F.pad(mask, (0, 9))
    torch.testing.assert_close(model(*longer), logits)
    gru = model.gru  # what has the chunks; the contract exports the rest
    assert gru is not None
    shape = {0: torch.export.Dim("batch", min=1), 1: torch.export.Dim("length", min=1)}
    with torch.no_grad():
        program = torch.export.export(gru, (frames, mask), dynamic_shapes=(shape, shape)).module()
        for lengths in ((9, 2, 3, 1, 7), (1, 1)):
            other = some_batch(rng, 8, lengths)
            torch.testing.assert_close(program(*other), gru(*other))
