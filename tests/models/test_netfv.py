"""NetFV, and the sizes of NetVLAD's kinds: published counts, options, what raises."""

from dataclasses import replace

import pytest
import torch

from reeltag.core.errors import ConfigError
from reeltag.models import model_config, netfv, netvlad


@pytest.mark.parametrize(
    ("variant", "millions"),
    [
        ("netfv_k128_h1024", 321.4),
        ("netvlad_k256_h1024", 321.5),
        ("netvlad_rvlad_k256_h1024", 321.2),
    ],
)
def test_parameters_are_as_many_as_published(variant: str, millions: float) -> None:
    with torch.device("meta"):
        model = model_config(variant).build()
    assert sum(p.numel() for p in model.parameters()) / 1e6 == pytest.approx(millions, abs=0.051)


def test_coupled_centres_are_no_parameters() -> None:
    names = dict(replace(netfv.TINY, coupled=True).build().named_parameters())
    assert not any("centres" in name for name in names)


@pytest.mark.parametrize("source", ["none", "probabilities", "input"])
def test_gates_work_without_their_diagonal(source: str, rng: torch.Generator) -> None:
    model = replace(netvlad.TINY, remove_diagonal=True, probability_gate=source).build()  # type: ignore[arg-type]
    logits = model(torch.randn(3, 4, 8, generator=rng), torch.ones(3, 4, dtype=torch.bool))
    assert logits.shape == (3, 5) and logits.isfinite().all()


def test_wrong_config_raises() -> None:
    with pytest.raises(ConfigError, match="num_clusters is 1; allowed: >= 2 with several streams"):
        replace(netfv.TINY, num_clusters=1)
    with pytest.raises(ConfigError, match="hidden is 0; allowed: an integer >= 1"):
        replace(netfv.TINY, hidden=0)
