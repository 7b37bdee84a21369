"""What single families promise: published sizes, their own options, the authors' checkpoints."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from reeltag.core.errors import ConfigError, DataError
from reeltag.layers.experts import MixtureOfExperts
from reeltag.models import (
    ModelConfig,
    families,
    find_family,
    list_models,
    logistic,
    model_config,
    moe,
    netvlad,
    nextvlad,
    penalty,
)
from reeltag.models._tensorflow import load_tensorflow, parameter_names


@pytest.mark.parametrize(
    ("variant", "millions"),
    [
        ("nextvlad_8g_k128", 88.9),  # arXiv:1811.05014 table 1: 89 M
        ("nextvlad_8g_k112_r16", 78.6),  # table 2: 79 M
        ("netvlad_k256_h1024", 321.5),
        ("netvlad_k256_h800", 254.4),  # Axon 2018 sec. 3.4: 970.5 MiB
    ],
)
def test_parameters_are_as_many_as_published(variant: str, millions: float) -> None:
    with torch.device("meta"):
        model = model_config(variant).build()
    assert sum(p.numel() for p in model.parameters()) / 1e6 == pytest.approx(millions, abs=0.05)


def test_moe_2_on_the_visual_mean_has_the_published_size() -> None:
    with torch.device("meta"):
        model = moe.Config(dims=(1024,)).build()
    assert sum(p.numel() for p in model.parameters()) / 1e6 == pytest.approx(19.8, abs=0.05)


def test_variants_have_names_of_their_own_and_build() -> None:
    assert {"logistic", "moe_2", "moe_4", "moe_16", "nextvlad_16g_k128"} <= set(list_models())
    for config in (c for family in families() for c in family.variants.values()):
        with torch.device("meta"):
            assert isinstance(config.build(), nn.Module)


def test_logistic_on_frames_is_logistic_on_their_mean(rng: torch.Generator) -> None:
    model, mask = logistic.TINY.build(), torch.tensor([[True, True, False]])
    frames = torch.randn(1, 3, 8, generator=rng)
    mean = frames[:, :2].mean(dim=1, keepdim=True)
    torch.testing.assert_close(model(frames, mask), model(mean, mask[:, :1]))


def test_later_streams_have_half_the_clusters_and_groups() -> None:
    model = nextvlad.Config(num_classes=5, dims=(8, 8), num_clusters=6, groups=4).build()
    assert [pool.num_clusters for pool in model.pools] == [6, 3]
    assert [pool.groups for pool in model.pools] == [4, 2]
    pools = netvlad.Config(num_classes=5, dims=(8, 8), num_clusters=6).build().pools
    assert [pool.num_clusters for pool in pools] == [6, 3]


def test_penalty_is_the_sum_over_heads() -> None:
    one, other = logistic.TINY.build(), moe.TINY.build()
    expected = one.head.penalty() + other.head.penalty()
    torch.testing.assert_close(penalty(nn.Sequential(one, other)), expected)
    assert penalty(nn.Linear(2, 2)).item() == 0


@pytest.mark.parametrize(
    ("config", "change", "words"),
    [
        (nextvlad.TINY, {"groups": 5}, r"groups is 5; allowed: .* divides 2 \* 6"),
        (nextvlad.TINY, {"groups": 1}, "groups is 1"),  # none left for the second stream
        (nextvlad.TINY, {"num_clusters": 1}, "num_clusters is 1; allowed: >= 2"),
        (nextvlad.TINY, {"num_clusters": 0}, "num_clusters is 0; allowed: an integer >= 1"),
        (nextvlad.TINY, {"reduction": 3}, "reduction is 3; allowed: a divisor of hidden"),
        (nextvlad.TINY, {"dropout": 1.0}, r"dropout is 1.0; allowed: a number in \[0, 1\)"),
        (nextvlad.TINY, {"l2": -1.0}, "l2 is -1.0; allowed: a finite number >= 0"),
        (netvlad.TINY, {"num_clusters": 1}, "num_clusters is 1; allowed: >= 2"),
        (netvlad.TINY, {"hidden": 0}, "hidden is 0"),
        (moe.TINY, {"num_experts": 0}, "num_experts is 0"),
        (logistic.TINY, {"dims": (3, 0)}, r"dims is \(3, 0\)"),
    ],
)
def test_wrong_config_raises(config: Any, change: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        replace(config, **change)


def test_unknown_family_raises_with_the_known_ones() -> None:
    assert find_family("moe").config is moe.Config
    with pytest.raises(ConfigError, match=r"no model 'resnet'\n.*nextvlad"):
        find_family("resnet")


def dump(config: ModelConfig) -> tuple[nn.Module, dict[str, np.ndarray[Any, Any]]]:
    """Return a model, and its weights as a dump of the authors' checkpoint would hold them."""
    model = config.build()
    state = model.state_dict()
    arrays = {"global_step": np.array(3), "tower/beta1_power": np.array(0.5)}
    for ours, theirs in parameter_names(model).items():  # type: ignore[arg-type]
        value = state[ours]
        owner, _, leaf = ours.rpartition(".")
        around = model.get_submodule(owner.rpartition(".")[0])
        if isinstance(around, MixtureOfExperts):
            rows = (-1, config.num_classes)  # ours m * C + c, theirs c * M + m
            value = value.unflatten(0, rows).transpose(0, 1).flatten(0, 1)
        if leaf == "weight" and isinstance(model.get_submodule(owner), nn.Linear):
            value = value.T
        value = value.unsqueeze(0) if "centres" in leaf else value
        arrays[f"tower/{theirs}:0"] = value.numpy().copy()
        arrays[f"tower/{theirs}/Adam_1"] = value.numpy()
    return model, arrays


@pytest.mark.parametrize(
    "config",
    [logistic.TINY, moe.TINY, nextvlad.TINY, netvlad.TINY, replace(nextvlad.TINY, head="moe")],
    ids=lambda c: type(c).__module__,
)
def test_dumped_checkpoint_gives_every_weight(config: ModelConfig) -> None:
    model, arrays = dump(config)
    other = config.build()
    load_tensorflow(other, arrays)
    ours, theirs = other.state_dict(), model.state_dict()
    for name in [name for name in ours if name.endswith("num_batches")]:
        assert ours.pop(name) > theirs.pop(name)  # a long training is behind a checkpoint
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


def test_dump_that_does_not_fit_raises_and_changes_nothing() -> None:
    _, arrays = dump(moe.TINY)
    missing = {name: value for name, value in arrays.items() if "gates" not in name}
    extra = arrays | {"tower/gates/biases": np.zeros(3)}
    wrong = arrays | {"tower/experts/weights:0": np.zeros((8, 9))}
    model = moe.TINY.build()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(DataError, match=r"Model: missing: gates/weights \(8, 15\)\n"):
        load_tensorflow(model, missing)
    with pytest.raises(DataError, match=r"Model: unknown to the model: gates/biases \(3,\)\n"):
        load_tensorflow(model, extra)
    with pytest.raises(DataError, match=r"experts/weights is \(8, 9\), needed \(8, 10\)"):
        load_tensorflow(model, wrong)
    torch.testing.assert_close(model.state_dict(), before, rtol=0, atol=0)


def test_model_without_tensorflow_names_raises() -> None:
    with pytest.raises(ConfigError, match="no TensorFlow names are known for Linear"):
        load_tensorflow(nn.Linear(2, 2), {})
    three = replace(nextvlad.TINY, dims=(6, 2, 2)).build()
    with pytest.raises(ConfigError, match="have two streams"):
        load_tensorflow(three, {})
