"""Golden layer files that our modules match: each file next to this one names some in BUILDERS."""

from importlib import import_module
from pkgutil import iter_modules

from tests.models.golden.file import Builder, Golden

BUILDERS: dict[str, Builder] = {}  # start of a golden file's name -> our module with its settings
for _found in iter_modules(__path__):
    if _found.name != "file":
        BUILDERS |= import_module(f"{__name__}.{_found.name}").BUILDERS

__all__ = ["BUILDERS", "Golden", "builder_of"]


def builder_of(stem: str) -> Builder | None:
    """Return what builds our module for a golden file: the longest start of its name counts."""
    fits = [start for start in BUILDERS if stem.startswith(start)]
    return BUILDERS[max(fits, key=len)] if fits else None
