"""All encoders that are installed keep the contract."""

from collections.abc import Callable
from functools import cache

import pytest

from reeltag.core.errors import MissingPackageError
from reeltag.encoders import Encoder, EncoderInfo, check_packages, create_encoder, list_encoders
from reeltag.testing.encoders import CHECKS

NAMES = [info.name for info in list_encoders() if ":" not in info.name]


def installed(name: str) -> str:
    """Return the name; skip the test, with a counted word, where its extra is not installed."""
    (info,) = list_encoders(name)
    try:
        check_packages(info)
    except MissingPackageError:
        pytest.skip(f"the extra {info.extra} is not installed")
    return name


@cache
def loaded(name: str) -> Encoder:
    return create_encoder(name, device="cpu")


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", NAMES)
def test_encoder_keeps_the_contract(name: str, check: Callable[[Encoder], None]) -> None:
    check(loaded(installed(name)))


@pytest.mark.parametrize("name", NAMES)
def test_identity_is_the_same_each_time(name: str) -> None:
    again = create_encoder(installed(name), device="cpu")
    assert again.identity == loaded(name).identity
    assert again.identity.name == again.info.name == name


def test_default_encoders_are_listed_with_all_that_is_known() -> None:
    infos: dict[str, EncoderInfo] = {info.name: info for info in list_encoders()}
    assert infos["efficientnet_lite0"].kind == "picture" and infos["log_mel"].kind == "sound"
    assert [infos[name].width for name in ("efficientnet_lite0", "log_mel")] == [1280, 192]
    assert [info.name for info in list_encoders(kind="picture") if ":" not in info.name] == [
        "efficientnet_lite0"
    ]
