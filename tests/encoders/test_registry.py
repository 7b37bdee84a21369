"""Encoders by name: ours, registered ones, import paths, entry points; names that do not work."""

import importlib.util
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from reeltag.core import discovery
from reeltag.core.errors import ConfigError, MissingPackageError
from reeltag.encoders import (
    EncoderInfo,
    _registry,
    check_packages,
    create_encoder,
    find_encoder,
    list_encoders,
    register_encoder,
)
from reeltag.testing.encoders import CHECKS

OWN = """
import numpy as np
from reeltag.encoders import EncoderIdentity, EncoderInfo, PictureEncoder

class MeanColour(PictureEncoder):
    info = EncoderInfo(
        name="mean_colour", kind="picture", width=3, licence="mine", description="mean colour"
    )
    identity = EncoderIdentity(
        name="mean_colour", version="1", weights="none", preprocessing="8 x 8"
    )
    width, size = 3, (8, 8)

    def encode(self, pictures_NHWC):
        return pictures_NHWC.mean((1, 2), dtype=np.float32)

class Other(MeanColour):
    pass

class NoInfo(PictureEncoder):
    def encode(self, pictures_NHWC):
        return pictures_NHWC

class NoEncode(PictureEncoder):
    info = MeanColour.info

class Named(MeanColour):
    info = EncoderInfo(name="mean colour", kind="picture")

class Ours(MeanColour):
    info = EncoderInfo(name="log_mel", kind="picture")
"""


@pytest.fixture(autouse=True)
def as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    list_encoders()  # so that ours stay registered
    monkeypatch.setattr(_registry, "_registered", dict(_registry._registered))
    _registry._installed.cache_clear()
    yield
    _registry._installed.cache_clear()
    sys.modules.pop("own_encoder", None)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Write a module of an own encoder, importable as own_encoder."""
    (tmp_path / "own_encoder.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    return __import__("own_encoder")


def announce(monkeypatch: pytest.MonkeyPatch, **points: str) -> None:
    found = [
        EntryPoint(name, value, _registry._ENTRY_POINTS.name) for name, value in points.items()
    ]
    monkeypatch.setattr(discovery, "entry_points", lambda group: found)


def test_own_encoder_is_created_by_its_import_path(own: Any) -> None:
    encoder = create_encoder("own_encoder:MeanColour")
    assert isinstance(encoder, own.MeanColour)
    for check in CHECKS:
        check(encoder)


def test_registered_encoder_is_found_by_name_and_listed(own: Any) -> None:
    assert register_encoder(own.MeanColour) is own.MeanColour
    register_encoder(own.MeanColour)  # a cell of a notebook that is run again
    assert isinstance(create_encoder("mean_colour"), own.MeanColour)
    assert [info.name for info in list_encoders("mean*", kind="picture")] == ["mean_colour"]
    assert not list_encoders("mean*", kind="sound")


def test_announced_encoder_is_found_by_its_entry_point(
    own: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    announce(monkeypatch, mean_colour="own_encoder:MeanColour")
    assert find_encoder("mean_colour") is own.MeanColour
    assert "mean_colour" in [info.name for info in list_encoders()]


def test_broken_package_stops_the_list_but_none_of_our_encoders(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    announce(monkeypatch, broken="no_such_module:Encoder")
    assert create_encoder("log_mel").width == 192
    with pytest.raises(ConfigError, match="entry point broken = no_such_module:Encoder cannot"):
        list_encoders()


@pytest.mark.parametrize(
    ("points", "words"),
    [
        ({"log_mel": "own_encoder:MeanColour"}, "'log_mel' is given to two encoders: own_enc"),
        ({"other": "own_encoder:MeanColour"}, "'mean_colour', but announced as 'other'"),
        ({"mean_colour": "own_encoder:missing"}, "mean_colour = own_encoder:missing is no enc"),
    ],
)
def test_unusable_announced_encoder_raises(
    points: dict[str, str], words: str, own: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    announce(monkeypatch, **points)
    with pytest.raises(ConfigError, match=words):
        list_encoders()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("log_mell", r"no encoder 'log_mell'\n  Did you mean log_mel\? There are bge_small"),
        ("resnet", r"no encoder 'resnet'\n  There are (.|\n)*@register_encoder"),
        ("own_encoder:NoInfo", r"own_encoder:NoInfo has no info\n"),
        ("own_encoder:NoEncode", r"own_encoder:NoEncode has no encode\(\)\n"),
        ("own_encoder:missing", "own_encoder:missing is no encoder"),
        ("own_encoder:np", "own_encoder:np is no encoder"),
        ("no_such_module:X", r"no_such_module:X cannot be imported.*\n.*PYTHONPATH"),
        (":X", ":X cannot be imported"),
        ("", "there is no encoder ''"),
    ],
)
def test_unusable_name_raises_with_the_remedy(name: str, words: str, own: Any) -> None:
    with pytest.raises(ConfigError, match=words):
        create_encoder(name)


def test_name_is_given_once_and_is_a_word(own: Any) -> None:
    register_encoder(own.MeanColour)
    with pytest.raises(ConfigError, match="two encoders: own_encoder:Other and own_encoder:Mean"):
        register_encoder(own.Other)
    with pytest.raises(ConfigError, match="'log_mel' is given to two encoders: own_encoder:Ours"):
        register_encoder(own.Ours)
    with pytest.raises(ConfigError, match="cannot be called 'mean colour'"):
        register_encoder(own.Named)


def test_missing_extra_is_named_before_anything_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "reeltag.core.extras.find_spec",
        lambda name: None if name == "onnxruntime" else importlib.util.find_spec("json"),
    )
    with pytest.raises(MissingPackageError) as caught:
        create_encoder("efficientnet_lite0")
    assert str(caught.value) == (
        "needs onnxruntime, which is not installed\n"
        "  Install the extra 'video': pip install 'reeltag[video]'"
    )


def test_encoder_without_an_extra_needs_nothing() -> None:
    check_packages(EncoderInfo(name="x", kind="sound"))
