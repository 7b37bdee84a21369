"""Every family of the package keeps the contract; a new one is tested by being there."""

from collections.abc import Callable

import pytest
import torch

from reeltag.models import Family, families
from reeltag.testing.models import CHECKS


@pytest.mark.parametrize("family", families(), ids=lambda family: family.name)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_family_keeps_the_contract(
    check: Callable[[Family, torch.Generator], None], family: Family, rng: torch.Generator
) -> None:
    check(family, rng)


@pytest.mark.parametrize("family", families(), ids=lambda family: family.name)
def test_family_of_the_package_names_its_source_and_has_published_sizes(family: Family) -> None:
    assert family.source and family.preprocessing.normalise in {"joint", "streams", "none"}
    assert family.config().num_classes == 3862 and family.config().dims == (1024, 128)
