"""The types that the scripts of the pages are checked with are those of the views."""

import dataclasses
import re
from pathlib import Path
from types import ModuleType

import pytest

import reeltag.server
from reeltag.active import estimates
from reeltag.server.views import learning, overview, ratings, videos

TYPES = Path(reeltag.server.__file__).parent / "static" / "views.d.ts"


@pytest.mark.parametrize("module", [estimates, overview, videos, ratings, learning])
def test_types_of_scripts_have_the_fields_of_the_views(module: ModuleType) -> None:
    found = {
        name: re.findall(r"^  (\w+):", body, re.MULTILINE)
        for name, body in re.findall(
            r"^export interface (\w+) \{\n(.*?)^\}", TYPES.read_text(), re.MULTILINE | re.DOTALL
        )
    }
    wanted = {
        name: [field.name for field in dataclasses.fields(view)]
        for name, view in vars(module).items()
        if dataclasses.is_dataclass(view) and view.__module__ == module.__name__
    }
    assert wanted
    assert {name: found.get(name) for name in wanted} == wanted
