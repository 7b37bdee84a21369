"""Models by name: ours, registered ones, import paths, entry points; and names that do not work."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from reeltag.core import discovery
from reeltag.core.errors import ConfigError, DataError
from reeltag.data.dataset import Dataset
from reeltag.models import (
    ModelConfig,
    _registry,
    create_model,
    families,
    family_of,
    find_family,
    list_models,
    model_config,
    moe,
    nextvlad,
    register_model,
)
from reeltag.tagger.run_files import read_config
from reeltag.tagger.tagger import Tagger
from reeltag.training.config import Recipe
from reeltag.training.fit import train

OWN = """
from dataclasses import dataclass
from torch import nn
from reeltag.models import ModelConfig

class Net(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.linear = nn.Linear(sum(config.dims), config.num_classes)

    def forward(self, frames_BTD, mask_BT=None):
        return self.linear(frames_BTD[:, 0])

@dataclass(frozen=True, kw_only=True)
class Config(ModelConfig):
    '''The first frame.'''
    size: int = 3

    def build(self):
        return Net(self)

class NoDataclass(Config):
    pass

@dataclass(frozen=True, kw_only=True)
class NoBuild(ModelConfig):
    pass

@dataclass(frozen=True, kw_only=True)
class NoDefault(Config):
    width: int

@dataclass(frozen=True, kw_only=True)
class Other(Config):
    pass
"""


@pytest.fixture(autouse=True)
def as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(_registry, "_registered", {})
    _registry._installed.cache_clear()
    yield
    _registry._installed.cache_clear()
    sys.modules.pop("own_net", None)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Write a module of an own model, importable as own_net."""
    (tmp_path / "own_net.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    return __import__("own_net")


def announce(monkeypatch: pytest.MonkeyPatch, **points: str) -> None:
    found = [
        EntryPoint(name, value, _registry._ENTRY_POINTS.name) for name, value in points.items()
    ]
    monkeypatch.setattr(discovery, "entry_points", lambda group: found)


def test_created_model_takes_frames_with_and_without_a_mask(rng: torch.Generator) -> None:
    torch.manual_seed(0)
    model = create_model("nextvlad_8g_k128", num_classes=7, dims=(16, 8), hidden=16).eval()
    frames = torch.randn(2, 5, 24, generator=rng)
    logits = model(frames)
    assert logits.shape == (2, 7)
    every = torch.ones(2, 5, dtype=torch.bool)
    torch.testing.assert_close(model(frames, every), logits, rtol=0, atol=0)
    assert not torch.equal(model(frames, every.tril(2)), logits)


def test_list_models_matches_families_and_variants() -> None:
    assert list_models("next*") == [
        "nextvlad",
        "nextvlad_16g_k128",
        "nextvlad_32g_k128",
        "nextvlad_8g_k112_r16",
        "nextvlad_8g_k128",
    ]
    assert len(families()) == 35 and list_models() == sorted(list_models())


def test_config_names_its_family() -> None:
    assert family_of(nextvlad.Config()).name == "nextvlad"
    assert family_of(moe.TINY).variants is moe.VARIANTS
    assert model_config("moe_16") == moe.Config(num_experts=16)
    assert model_config("reeltag.models.moe:Config", l2=0.0) == moe.Config(l2=0.0)


def test_registered_model_is_found_by_name_and_variant(own: Any) -> None:
    variants = {"own_net_wide": {"size": 9}}
    register_model("own_net", recipe={"batch_size": 7}, variants=variants)(own.Config)
    family = find_family("own_net")
    assert family.config == own.Config and family.about == "The first frame."
    assert family.tiny == own.Config(num_classes=5, dims=(6, 2))
    assert model_config("own_net_wide", num_classes=4) == own.Config(size=9, num_classes=4)
    assert list_models("own*") == ["own_net", "own_net_wide"]
    assert family_of(own.Config(size=1)) is family and family in families()


def test_run_of_an_unregistered_config_names_its_import_path(
    own: Any, corpus: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    train(Dataset.open(corpus, quiet=True), run, own.Config(), Recipe(batch_size=8, max_steps=1))
    assert read_config(run)["family"] == "own_net:Config"
    assert isinstance(Tagger.load(run).model, own.Net)
    sys.modules.pop("own_net")
    sys.path.remove(str(tmp_path))
    with pytest.raises(DataError, match=r"own_net:Config cannot be imported.*\n.*PYTHONPATH"):
        Tagger.load(run)


def test_run_folder_names_a_model_as_any_process_finds_it(
    own: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    register_model("own_net")(own.Config)
    assert find_family("own_net").reference == "own_net:Config"  # no package announces the name
    _registry._installed.cache_clear()
    announce(monkeypatch, own_net="own_net:Config")
    assert find_family("own_net").reference == "own_net"
    assert find_family("moe").reference == "moe"


def test_announced_model_is_found_by_its_entry_point(
    own: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    announce(monkeypatch, own_net="own_net:Config")
    assert model_config("own_net", size=5) == own.Config(size=5)
    assert "own_net" in list_models()


def test_broken_package_stops_the_list_but_none_of_our_models(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    announce(monkeypatch, broken="no_such_module:Config")
    assert model_config("moe_4") == moe.VARIANTS["moe_4"]
    for broken in (families, lambda: find_family("broken")):
        with pytest.raises(ConfigError, match="entry point broken = no_such_module:Config cannot"):
            broken()


@pytest.mark.parametrize(
    ("points", "words"),
    [
        (
            {"moe": "own_net:Config"},
            "'moe' is given to two models: own_net:Config and .*moe:C",
        ),
        ({"own": "own_net:Net"}, "own_net:Net, which is no Config"),
        ({"own": "own_net:Missing"}, "own = own_net:Missing names no class"),
    ],
)
def test_unusable_announced_model_raises(
    points: dict[str, str], words: str, own: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    announce(monkeypatch, **points)
    with pytest.raises(ConfigError, match=words):
        families()


def test_entry_point_and_decorator_must_agree(own: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    register_model("own_net")(own.Config)
    announce(monkeypatch, other_net="own_net:Config")
    with pytest.raises(ConfigError, match="is registered as 'own_net', but announced as 'other"):
        find_family("other_net")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nextvald", r"no model 'nextvald'\n  Did you mean nextvlad .*Families: attention_net,"),
        ("resnet", "(.|\n)*@register_model"),
        ("own_net:Net", "own_net:Net is no Config of a model"),
        ("own_net:NoBuild", r"own_net:NoBuild, which has no build\(\)\n.*build\(\) returns"),
        ("own_net:NoDataclass", r"own_net:NoDataclass, which is no dataclass\n.*@dataclass"),
        ("own_net:NoDefault", "own_net:NoDefault, which cannot be made: .*'width'"),
        ("own_net:missing", "own_net:missing names no class, but None"),
        ("no_such_module:Config", r"no_such_module:Config cannot be imported.*\n.*PYTHONPATH"),
    ],
)
def test_unusable_name_raises_with_the_remedy(name: str, words: str, own: Any) -> None:
    with pytest.raises(ConfigError, match=words):
        model_config(name)


def test_name_is_registered_once(own: Any) -> None:
    register_model("own_net")(own.Config)
    register_model("own_net")(own.Config)  # a cell of a notebook that is run again
    with pytest.raises(ConfigError, match="'own_net' .* two models: own_net:Other and own_net:C"):
        register_model("own_net")(own.Other)
    with pytest.raises(ConfigError, match="'moe' is given .*own_net:Config and reeltag.models.moe"):
        register_model("moe")(own.Config)
    register_model("other", variants={"moe_4": {}})(own.Other)
    with pytest.raises(ConfigError, match="'moe_4' is given to two models"):
        families()


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a/b"])
def test_registered_name_is_a_word(name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be called"):
        register_model(name)


def test_unknown_field_raises_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"moe has no field 'hidden'\n.*num_experts"):
        create_model("moe", num_classes=3, dims=(4,), hidden=3)


def test_config_without_an_importable_name_raises_before_training(
    corpus: Path, tmp_path: Path
) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Inner(ModelConfig):
        def build(self) -> nn.Module:
            return moe.TINY.build()

    with pytest.raises(ConfigError, match=r"<locals>.Inner is neither registered nor"):
        train(
            Dataset.open(corpus, quiet=True),
            tmp_path / "run",
            Inner(),
            Recipe(batch_size=8, max_steps=1),
        )
    assert not (tmp_path / "run").exists()
    register_model("inner")(Inner)
    assert find_family("inner").reference == "inner"
