"""ImageNet's 1000 classes, and words for groups of them: 118 of the classes are dogs.

Source: names are those of WordNet's synsets, Russakovsky et al. 2015, "ImageNet large scale visual
recognition challenge", arXiv:1409.0575; groups by hand, mostly along WordNet.
"""

from functools import cache
from importlib.resources import files


@cache
def imagenet_names() -> tuple[str, ...]:
    """Return the names of the classes; synonyms are separated by ", "."""
    return tuple(_text("imagenet_classes.txt").splitlines())


@cache
def imagenet_groups() -> dict[str, tuple[int, ...]]:
    """Return groups by their names, with synonyms: the numbers of their classes."""
    groups = {}
    for line in _text("imagenet_groups.txt").splitlines():
        name, _, parts = line.partition(": ")
        ranges = [part.partition("-") for part in parts.split()]
        numbers = [range(int(a), int(b or a) + 1) for a, _, b in ranges]
        groups[name] = tuple(number for some in numbers for number in some)
    return groups


def _text(name: str) -> str:
    return files("reeltag.encoders").joinpath(name).read_text(encoding="utf-8")
