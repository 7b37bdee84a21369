"""How a person rated moments in another tool: yes, no, or not yet."""

import re
from collections.abc import Callable
from dataclasses import dataclass

_VALUES = {
    **dict.fromkeys(("yes", "y", "true", "1", "+"), 1.0),
    **dict.fromkeys(("no", "n", "false", "0", "-"), 0.0),
}
_PROBABILITY = re.compile(r"[01]\.\d\d")  # as exports have it: nobody changed it


@dataclass(frozen=True)
class GivenRating:
    """A class at the seconds [start_s, end_s) of a video, as a person left it.

    Attributes:
        video: id, or name of a file.
        start_s: second at which it begins.
        end_s: second at which it ends.
        title: name of the class, in one line.
        value: 1 = the class is there, 0 = it is not; None: not rated.
    """

    video: str
    start_s: float
    end_s: float
    title: str
    value: float | None


def verdict_of(text: str) -> float | None:
    """Return the rating of a text: 1 for yes and for nothing at all, 0 for no, None for all else.

    >>> verdict_of("yes"), verdict_of("N"), verdict_of(""), verdict_of("0.93")
    (1.0, 0.0, 1.0, None)
    """
    text = text.strip().casefold()
    return 1.0 if not text else _VALUES.get(text)


def split_verdict(text: str, is_class: Callable[[str], bool]) -> tuple[str, float | None]:
    """Return class and verdict of a label such as "Guitar", "Guitar yes" or "Guitar 0.93".

    A text that names no class is returned whole, for whoever reports which names are unknown.

    Args:
        text: of the label, in one line.
        is_class: whether a class has a name.
    """
    title, _, last = text.rpartition(" ")
    is_ending = verdict_of(last) is not None or _PROBABILITY.fullmatch(last) is not None
    if is_class(text) or not title or not (is_class(title) or is_ending):
        return text, 1.0
    return title, verdict_of(last)
