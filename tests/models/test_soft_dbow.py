"""Soft-DBoW: published sizes, its options, what raises."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from reeltag.core.errors import ConfigError
from reeltag.models import model_config, soft_dbow


@pytest.mark.parametrize(
    ("variant", "millions"),
    [("soft_dbow_k8000_h1024", 37.3), ("soft_dbow_gated_k4096_h1024", 37.1)],
)
def test_parameters_are_as_many_as_published(variant: str, millions: float) -> None:
    with torch.device("meta"):
        named = dict(model_config(variant).build().named_parameters())
    count = sum(p.numel() for name, p in named.items() if "norm" not in name)
    assert count / 1e6 == pytest.approx(millions, abs=0.05)  # the figures leave batch norm out


def test_later_streams_have_an_eighth_of_the_words_and_no_gate() -> None:
    model = replace(soft_dbow.TINY, dims=(6, 2, 3), pooling="gated").build()
    assert [pool.num_clusters for pool in model.pools] == [16, 2, 2]
    assert [hasattr(pool, "gate_norm") for pool in model.pools] == [True, False, False]


def test_maximum_doubles_the_pooled_width() -> None:
    plain, both = (replace(soft_dbow.TINY, maximum=m).build() for m in (False, True))
    assert both.head.hidden.in_features == 2 * plain.head.hidden.in_features == 36


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"num_clusters": 0}, "num_clusters is 0; allowed: an integer >= 1"),
        ({"num_clusters": 7}, "num_clusters is 7; allowed: >= 8 with several streams"),
        ({"pooling": "gated", "maximum": True}, "maximum is True; allowed: False with gated"),
        ({"gate_rank": -1}, "gate_rank is -1; allowed: an integer >= 0"),
    ],
)
def test_wrong_config_raises(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        replace(soft_dbow.TINY, **change)
