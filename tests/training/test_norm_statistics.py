"""Running statistics computed again: the mean of those of each batch, and nothing else moves."""

import dataclasses
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from reeltag.core.batch import FrameBatch
from reeltag.core.errors import ConfigError
from reeltag.layers.norm import MaskedBatchNorm
from reeltag.models import find_family
from reeltag.tagger.tagger import Tagger
from reeltag.training.norm_statistics import recompute_norms


def made_tagger(family: str) -> Tagger:
    torch.manual_seed(0)
    module = find_family(family)
    config = dataclasses.replace(module.tiny, num_classes=3, dims=(6, 2))
    return Tagger(config, [("a", 6), ("b", 2)], ["x", "y", "z"])


def batches(rng: torch.Generator, count: int) -> Iterator[FrameBatch]:
    for number in range(count):
        frames = torch.randint(0, 60 * (number + 1), (4, 7, 8), generator=rng).to(torch.uint8)
        mask = torch.arange(7) < torch.tensor([[7], [3], [5], [1]])
        yield FrameBatch(frames=frames, mask=mask)


@pytest.mark.parametrize("family", ["nextvlad", "dbof"])
def test_statistics_are_the_mean_over_batches(
    family: str, rng: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    tagger = made_tagger(family)
    norms = {n: m for n, m in tagger.named_modules() if isinstance(m, MaskedBatchNorm)}
    before = {name: value.clone() for name, value in tagger.state_dict().items()}
    told: dict[MaskedBatchNorm, list[tuple[Tensor, Tensor]]] = {m: [] for m in norms.values()}
    track = MaskedBatchNorm.track

    def noted(norm: MaskedBatchNorm, mean: Tensor, var: Tensor) -> None:
        told[norm].append((mean.double(), var.double()))
        track(norm, mean, var)

    monkeypatch.setattr(MaskedBatchNorm, "track", noted)
    assert recompute_norms(tagger.eval(), batches(rng, 3)) == len(norms) > 1
    assert not tagger.training
    for norm, parts in told.items():
        assert len(parts) == 3
        mean, var = (torch.stack(part).mean(0).float() for part in zip(*parts, strict=True))
        torch.testing.assert_close(norm.running_mean, mean)
        torch.testing.assert_close(norm.running_var, var)
    for name, value in tagger.state_dict().items():  # weights, and how far training had come
        if not name.endswith(("running_mean", "running_var")):
            assert torch.equal(value, before[name]), name


def test_model_without_batch_norm_and_no_batch_at_all_raise(rng: torch.Generator) -> None:
    with pytest.raises(ConfigError, match="logistic with these options has no batch norm"):
        recompute_norms(made_tagger("logistic"), batches(rng, 1))
    with pytest.raises(ConfigError, match="there is no batch"):
        recompute_norms(made_tagger("nextvlad"), [])
