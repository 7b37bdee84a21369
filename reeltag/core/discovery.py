"""What can be found by name without importing it: files of a package, entry points of others."""

from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pkgutil import iter_modules


def module_names(package: str) -> tuple[str, ...]:
    """Return the modules of a package, sorted, without those that begin with `_`.

    The package itself is not imported, only what is above it.
    """
    spec = find_spec(package)
    found = iter_modules(spec.submodule_search_locations if spec else None)
    return tuple(sorted(of.name for of in found if not of.name.startswith("_")))


def announced(group: str) -> tuple[EntryPoint, ...]:
    """Return the entry points of installed packages in a group, sorted by name; none is loaded."""
    return tuple(sorted(entry_points(group=group), key=lambda point: (point.name, point.value)))
