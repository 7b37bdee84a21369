"""What a library holds, in numbers."""

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from reeltag.library.database.library import Library
from reeltag.library.database.tables import FEATURES_ONLY, STATES

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True, kw_only=True)
class ErrorKind:
    """Videos with the same error, but for numbers in it.

    Attributes:
        error: of the first.
        videos: how many.
        first: path of the first.
    """

    error: str
    videos: int
    first: str


@dataclass(kw_only=True)
class LibrarySummary:
    """The videos of a library.

    Attributes:
        videos: how many there are with a file.
        hours: of those whose duration is known.
        bytes: of their files.
        states: state -> videos, of "new", "extracted", "error" and "missing".
        copies: further files with the content of another one.
        without: "picture" and "sound" -> videos that have none, where that is known.
        noted: videos that were decoded in part, or of which something is not used.
        groups: of near copies with more than one video.
        errors: the most frequent first.
        ratings: that count.
        records: videos that were rated and are known by their features alone, without a file.
    """

    videos: int = 0
    hours: float = 0.0
    bytes: int = 0
    states: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STATES, 0))
    copies: int = 0
    without: dict[str, int] = field(default_factory=lambda: {"picture": 0, "sound": 0})
    noted: int = 0
    groups: int = 0
    errors: list[ErrorKind] = field(default_factory=list)
    ratings: int = 0
    records: int = 0


def summarise_library(library: Library) -> LibrarySummary:
    """Return what a library holds."""
    summary = LibrarySummary(copies=library.num_copies())
    errors: dict[str, list[tuple[str, str]]] = defaultdict(list)
    groups, seconds = Counter[str](), 0.0
    names = ("state", "size", "note", "has_picture", "has_sound", "duration_s", "group")
    for content, state, size, note, *has, duration_s, group in library.values("content", *names):
        if content.startswith(FEATURES_ONLY):
            summary.records += 1
            continue
        has_picture, has_sound = has
        summary.videos += 1
        summary.states[state] += 1
        summary.bytes += size
        summary.noted += bool(note)
        summary.without["picture"] += has_picture is False
        summary.without["sound"] += has_sound is False
        seconds += duration_s or 0.0
        groups[group] += bool(group)
    for path, error in library.values("path", "error"):
        if error:
            shown = str(path).encode("utf-8", "backslashreplace").decode("utf-8")
            errors[_NUMBER.sub("#", error)].append((shown, error))
    kinds = [ErrorKind(error=of[0][1], videos=len(of), first=of[0][0]) for of in errors.values()]
    summary.errors = sorted(kinds, key=lambda kind: (-kind.videos, kind.error))
    summary.hours = seconds / 3600
    summary.groups = sum(number > 1 for number in groups.values())
    summary.ratings = len(library.ratings.all())
    return summary
