"""What can be found by name without importing it: files of a package, entry points of others."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pkgutil import iter_modules
from typing import NoReturn

from reeltag.core.errors import ConfigError


def module_names(package: str) -> tuple[str, ...]:
    """Return the modules of a package, sorted, without those that begin with `_`.

    The package itself is not imported, only what is above it.
    """
    spec = find_spec(package)
    found = iter_modules(spec.submodule_search_locations if spec else None)
    return tuple(sorted(of.name for of in found if not of.name.startswith("_")))


def described(point: EntryPoint) -> str:
    """Return what an entry point names, and which package announces it, for an error."""
    package = f" of the package {point.dist.name}" if point.dist else ""
    return f"{point.value}{package}"


@dataclass(frozen=True, kw_only=True)
class EntryPointGroup:
    """A group of entry points, by which installed packages give names to objects of a kind.

    Attributes:
        name: of the group, such as "reeltag.models".
        kind: what the objects are, in the plural, for errors.
        rename_hint: where an object is given another name, for errors.
    """

    name: str
    kind: str
    rename_hint: str

    def announced(self, taken: Mapping[str, str]) -> dict[str, EntryPoint]:
        """Return the entry points of installed packages by name, sorted; none is loaded.

        Two that name the same object are one.

        Args:
            taken: names that no package may give -> import path of what has the name.

        Raises:
            ConfigError: a name is taken, or given to two objects.
        """
        found: dict[str, EntryPoint] = {}
        points = entry_points(group=self.name)
        for point in sorted(points, key=lambda point: (point.name, point.value)):
            if point.name in taken:
                self.raise_given_twice(point.name, described(point), taken[point.name])
            other = found.setdefault(point.name, point)
            if other.value != point.value:
                self.raise_given_twice(point.name, described(point), described(other))
        return found

    def raise_given_twice(self, name: str, one: str, other: str) -> NoReturn:
        """Raise ConfigError: two objects, named by their import paths, are given one name."""
        what = f"the name {name!r} is given to two {self.kind}: {one} and {other}"
        raise ConfigError(what, hint=self.rename_hint)
