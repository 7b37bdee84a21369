"""A process as after `pip install reeltag`: of what is installed only the base can be imported."""

import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec
from importlib.metadata import (
    Distribution,
    DistributionFinder,
    packages_distributions,
)
from types import ModuleType
from typing import Any

from packaging.utils import canonicalize_name

from benchmarks.packages import distributions

_EVERYWHERE = DistributionFinder.Context()
OURS = {"reeltag", "tests", "benchmarks", "conftest"}


def _modules_of(known: set[str]) -> set[str]:
    """Return the top-level names that distributions have."""
    return {
        module
        for module, homes in packages_distributions().items()
        if known & {canonicalize_name(home) for home in homes}
    }


class _OnlyBase(DistributionFinder):
    """Asks the other finders for what may be found."""

    def __init__(self, finders: Sequence[Any], modules: set[str], distributions: set[str]) -> None:
        self._finders, self._modules, self._distributions = finders, modules, distributions

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        top = fullname.partition(".")[0]
        if top not in self._modules and not top.startswith("_sysconfigdata_"):
            return None
        specs = (finder.find_spec(fullname, path, target) for finder in self._finders)
        return next(filter(None, specs), None)

    def find_distributions(
        self, context: DistributionFinder.Context = _EVERYWHERE
    ) -> Iterator[Distribution]:
        for finder in self._finders:
            for found in getattr(finder, "find_distributions", lambda _: ())(context):
                if canonicalize_name(found.metadata["Name"]) in self._distributions:
                    yield found


def hide_extras() -> None:
    """Let this process find only the standard library, the base of reeltag, and ours."""
    base = distributions()
    allowed = {*sys.stdlib_module_names, *_modules_of(base), *OURS}
    for name in [name for name in sys.modules if name.partition(".")[0] not in allowed]:
        if not name.startswith("__"):
            del sys.modules[name]
    sys.meta_path[:] = [_OnlyBase([*sys.meta_path], allowed, base)]
