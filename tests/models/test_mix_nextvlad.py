"""MixNeXtVLAD: its published size, its members, its options."""

from dataclasses import replace

import pytest
import torch

from reeltag.core.errors import ConfigError
from reeltag.models import mix_nextvlad, nextvlad
from reeltag.models.mix_nextvlad import TINY
from reeltag.testing.models import some_batch


def test_three_members_have_the_published_size() -> None:
    with torch.device("meta"):
        model, single = mix_nextvlad.Config().build(), mix_nextvlad.Config().member().build()
    millions = [sum(p.numel() for p in m.parameters()) / 1e6 for m in (single, model)]
    assert millions == [pytest.approx(78.6, abs=0.05), pytest.approx(236, abs=1)]
    size = sum(p.numel() for p in model.parameters()) * 4 / 1e6
    assert size == pytest.approx(944, abs=1)  # megabytes of the authors' checkpoint


@pytest.mark.parametrize("head", ["logistic", "moe"])
def test_member_is_a_nextvlad_model_of_its_own(head: str, rng: torch.Generator) -> None:
    model = replace(TINY, head=head).build().eval()  # type: ignore[arg-type]
    frames, mask = some_batch(rng, 8)
    logits, members = model.members(frames, mask)
    assert logits.shape == (3, 5) and members.shape == (2, 3, 5)
    for branch, member in zip(model.branches, members, strict=True):
        assert isinstance(branch, nextvlad.NeXtVLADModel)
        torch.testing.assert_close(branch(frames, mask), member)
    torch.testing.assert_close(model(frames, mask), logits)
    assert not torch.allclose(members[0], members[1])  # no weights are shared


def test_mixture_weights_members_by_its_gate(rng: torch.Generator) -> None:
    model, (frames, mask) = TINY.build().eval(), some_batch(rng, 8)
    logits, members = model.members(frames, mask)
    weights = model.mixture.weights(frames, mask)
    torch.testing.assert_close(logits, torch.einsum("bm,mbc->bc", weights, members))


@pytest.mark.parametrize(
    ("change", "words"),
    [({"num_members": 0}, "num_members is 0"), ({"groups": 5}, "groups is 5; allowed: .* divides")],
)
def test_wrong_sizes_raise(change: dict[str, int], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        replace(TINY, **change)  # type: ignore[arg-type]
