"""What `pip install reeltag` and its extras install, by the metadata of what is installed here."""

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution, requires

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

FOR_DEVELOPERS = {"dev", "docs"}  # extras


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
            lines = requires(name) or ()
        except PackageNotFoundError:  # of another system, or not installed here
            continue
        found.add(name)
        for needed in map(Requirement, lines):
            marker = needed.marker
            if marker is None or any(marker.evaluate({"extra": of}) for of in wanted | {""}):
                waiting.append((canonicalize_name(needed.name), frozenset(needed.extras)))
    return found


def missing(extra: str) -> list[str]:
    """Return what an extra names and is not installed here.

    Args:
        extra: of reeltag.
    """
    left = []
    for needed in map(Requirement, requires("reeltag") or ()):
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
