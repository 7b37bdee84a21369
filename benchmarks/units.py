"""What `python -m benchmarks` can run: benchmarks, and the parts of those that have parts."""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib import import_module

from benchmarks.results import Row

NAMES = (
    "importing",
    "decoding",
    "extraction",
    "indexing",
    "loading",
    "described",
    "encoders",
    "labels",
    "metrics",
    "models",
    "training",
    "remote",
    "augmentation",
    "neighbours",
    "relation",
    "prediction_memory",
    "growth",
    "segment_scoring",
    "moments",
    "similar",
    "serving",
    "browsing",
    "newcomer",
    "export",
    "inference",
    "blending",
    "stacking",
)


class UnitError(ValueError):
    """A word on the command line that names no benchmark and no part of the one before it."""


@dataclass(frozen=True, kw_only=True)
class Unit:
    """What is measured, and written, in one go: a whole benchmark, or one part of it."""

    benchmark: str
    part: str | None = None

    def __str__(self) -> str:
        return f"{self.benchmark} {self.part or ''}".rstrip()

    def run(self, quick: bool) -> list[Row]:
        """Return its rows; `quick`: small sizes, no targets."""
        module = import_module(f"benchmarks.{self.benchmark}")
        rows = module.run(quick, [self.part]) if self.part else module.run(quick)
        left_out = {"target", "met"} if quick else set()
        more = {"part": self.part} if self.part else {}
        return [{key: row[key] for key in row if key not in left_out} | more for row in rows]


def units_of(words: Iterable[str]) -> list[Unit]:
    """Return the units that the words name, all of them where there is no word.

    A benchmark's name may be followed by some of its parts: "models nextvlad 'lstm*' loading". A
    part is named by itself, by its group (of a model: the family), or by a pattern.

    Raises UnitError if a unit is unknown.
    """
    chosen: dict[str, list[str]] = {}
    for word in words:
        if word in NAMES:
            chosen.setdefault(word, [])
        elif chosen:
            chosen[[*chosen][-1]].append(word)
        else:
            raise UnitError(f"there is no benchmark {word!r}; there are {', '.join(NAMES)}")
    found = []
    for name, parts in (chosen or {name: [] for name in NAMES}).items():
        found += _units(name, parts)
    return found


def _units(name: str, words: list[str]) -> list[Unit]:
    parts: dict[str, str] = getattr(import_module(f"benchmarks.{name}"), "parts", dict)()
    if not parts and not words:
        return [Unit(benchmark=name)]
    for word in words:
        if not any(_is(word, part, group) for part, group in parts.items()):
            known = ", ".join(parts) or "none"
            raise UnitError(f"{word!r} is no benchmark and no part of {name!r}; its parts: {known}")
    return [
        Unit(benchmark=name, part=part)
        for part, group in parts.items()
        if not words or any(_is(word, part, group) for word in words)
    ]


def _is(word: str, part: str, group: str) -> bool:
    return word == group or fnmatchcase(part, word)


def command_of(unit: Unit) -> str:
    """Return what a person types to repeat a unit."""
    return f"python -m benchmarks {unit}"
