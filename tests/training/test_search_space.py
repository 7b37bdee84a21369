"""What a study searches: ranges of every family that can be built, and what people say instead."""

import dataclasses
from typing import Any

import pytest

from reeltag.core.errors import ConfigError
from reeltag.models import Family, families, resnet_like, sub_nets, transformer
from reeltag.training.config import Recipe
from reeltag.training.search_space import (
    Choice,
    Range,
    applied,
    derived,
    flags,
    parsed,
    present,
)

every_family = pytest.mark.parametrize("family", families(), ids=lambda f: f.name)
RECIPE = Recipe()


def ends(of: Range | Choice) -> list[Any]:
    if isinstance(of, Choice):
        return list(of.names())
    return [int(of.low), int(of.high)] if of.whole else [of.low, of.high]


@every_family
def test_range_ends_make_a_config(family: Family) -> None:
    model = family.config()
    space = derived(model, RECIPE)
    assert "learning_rate" in space
    for name, of in space.items():
        for value in ends(of):
            changed, recipe = applied(model, RECIPE, {name: value})
            assert present(changed, recipe, name) == value
            assert (changed, recipe) != (model, RECIPE) or value == present(model, RECIPE, name)


@every_family
def test_range_holds_the_present_value(family: Family) -> None:
    model = family.config()
    for name, of in derived(model, RECIPE).items():
        value = present(model, RECIPE, name)
        if isinstance(of, Choice):
            assert value in of.names()
        else:
            assert isinstance(value, int | float) and of.low <= value <= of.high


def test_sizes_counts_dropout_and_rate_are_searched_by_the_rules() -> None:
    space = derived(resnet_like.Config(), RECIPE)
    assert space == {
        "model.inner": Choice((512, 1024, 2048, 4096)),
        "model.stream_blocks": Range(low=1, high=3, whole=True),
        "model.concat_blocks": Range(low=1, high=3, whole=True),
        "model.dropout": Range(low=0.0, high=0.7),
        "learning_rate": Range(low=2e-5, high=2e-3, log=True),
    }
    tuples = derived(sub_nets.Config(), RECIPE)["model.hidden"]
    assert tuples == Choice(([256, 256], [512, 512], [1024, 1024], [2048, 2048]))
    assert "model.heads" not in derived(transformer.Config(), RECIPE)


@pytest.mark.parametrize(
    ("text", "flag", "found"),
    [
        ("inner=256:2048", "model.inner", Range(low=256, high=2048, whole=True)),
        ("inner=256:2048:log", "model.inner", Range(low=256, high=2048, log=True, whole=True)),
        ("--model.dropout=0.1:0.5", "model.dropout", Range(low=0.1, high=0.5)),
        ("learning-rate=1e-4:1e-2:log", "learning_rate", Range(low=1e-4, high=1e-2, log=True)),
        ("gate=true,false", "model.gate", Choice((True, False))),
        ("batch_size=128,256", "batch_size", Choice((128, 256))),
        ("schedule=constant,one-cycle", "schedule", Choice(("constant", "one-cycle"))),
        ("stream_blocks=2", "model.stream_blocks", Choice((2,))),
        ("parts=[[1.0,0.5],[1.0,1.0]]", "model.parts", Choice(([1.0, 0.5], [1.0, 1.0]))),
        ("parts=[2.0,1.0]", "model.parts", Choice(([2.0, 1.0],))),
    ],
)
def test_range_text_is_parsed(text: str, flag: str, found: Range | Choice) -> None:
    assert parsed(text, resnet_like.Config()) == (flag, found)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("inner", "must be FIELD=RANGE"),
        ("innner=3:4", "must be FIELD=RANGE .*got 'innner=3:4'(.|\n)*inner"),
        ("inner=many", "model.inner must be a whole number, got 'many'"),
        ("inner=1.5:3", "model.inner must be a whole number, got 1.5"),
        ("inner=4:2", "4:2 is no range"),
        ("learning_rate=0:1:log", "0:1:log is no range"),
        ("schedule=linear", "schedule must be 'staircase' or 'constant' or 'one-cycle'"),
        ("gate=yes", "model.gate must be true or false, got 'yes'"),
    ],
)
def test_field_that_cannot_be_searched_raises(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parsed(text, resnet_like.Config())


def test_values_become_the_flags_of_train() -> None:
    found = flags(sub_nets.Config(), {"model.hidden": "[64, 32]", "learning_rate": 1e-3})
    assert found == ["--model.hidden", "64", "32", "--learning-rate", "0.001"]
    resnet = resnet_like.Config()
    assert flags(resnet, {"model.gate": True}) == ["--model.gate"]
    assert flags(resnet, {"model.gate": False}) == ["--model.no-gate"]


def test_value_of_a_nested_field_is_put_there() -> None:
    _, recipe = applied(resnet_like.Config(), RECIPE, {"soft.weight": 0.25, "clip_norm": 3.0})
    soft = dataclasses.replace(RECIPE.soft, weight=0.25)
    optim = dataclasses.replace(RECIPE.optim, clip_norm=3.0)
    assert recipe == dataclasses.replace(RECIPE, soft=soft, optim=optim)
