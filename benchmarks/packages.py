"""What `pip install reeltag` and its extras install, by the metadata of what is installed here."""

import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, distribution, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

FOR_DEVELOPERS = {"dev", "docs"}  # extras
_PROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"


def distributions(extras: Iterable[str] = ()) -> set[str]:
    """Return the names of the distributions that `reeltag`, or `reeltag[EXTRAS]`, needs.

    Args:
        extras: that are installed with it.
    """
    found, waiting = set[str](), [("reeltag", frozenset(extras))]
    seen = set[tuple[str, frozenset[str]]]()
    while waiting:
        name, wanted = waiting.pop()
        if (name, wanted) in seen:
            continue
        seen.add((name, wanted))
        try:
            lines = [*_requirements(name)]
        except PackageNotFoundError:  # of another system, or not installed here
            continue
        found.add(name)
        for needed in map(Requirement, lines):
            marker = needed.marker
            if marker is None or any(marker.evaluate({"extra": of}) for of in wanted | {""}):
                waiting.append((canonicalize_name(needed.name), frozenset(needed.extras)))
    return found


def _requirements(name: str) -> Iterator[str]:
    """Yield what a distribution needs; of reeltag as its project has it now."""
    if name != "reeltag":
        yield from requires(name) or ()
        return
    project = tomllib.loads(_PROJECT.read_text(encoding="utf-8"))["project"]
    yield from project["dependencies"]
    for extra, lines in project["optional-dependencies"].items():
        yield from (f"{line}; extra == '{extra}'" for line in lines)


def missing(extra: str) -> list[str]:
    """Return what an extra names and is not installed here.

    Args:
        extra: of reeltag.
    """
    left = []
    for needed in map(Requirement, _requirements("reeltag")):
        if needed.marker is not None and needed.marker.evaluate({"extra": extra}):
            try:
                distribution(needed.name)
            except PackageNotFoundError:
                left.append(needed.name)
    return left


def installed_bytes(names: Iterable[str]) -> int:
    """Return the bytes of the files of distributions, without bytecode.

    Args:
        names: of distributions that are installed.
    """
    return sum(
        file.size or 0
        for name in names
        for file in distribution(name).files or ()
        if file.suffix != ".pyc"
    )
