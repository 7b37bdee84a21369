"""A rating as it is given, and the name of a new class: checked before anything is stored."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from reeltag.core.errors import DataError
from reeltag.library.database.ratings import LibraryRating
from reeltag.server.views.ratings import Answer, Origin
from reeltag.training.frame_regression import YES

if TYPE_CHECKING:  # which has ratings
    from reeltag.server.project.project import Project

LONGEST_NAME = 200  # characters of a class, or of who rates
_HIDDEN = re.compile(  # controls, and what turns the direction of the text around it
    r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


class ConflictError(DataError):
    """What is asked for does not fit what is there by now; over HTTP it is a 409."""

    status = 409


@dataclass(frozen=True, kw_only=True)
class NewRating:
    """A rating as a person gives it.

    Attributes:
        video: id.
        start_s: of the window.
        end_s: of the window; None = the whole video.
        class_name: of the class.
        answer: yes, no or unsure.
        value: in [0, 1] that says the same as the answer; None = 1 or 0.
        origin: where it was asked.
        chance: in (0, 1] that the window was drawn with; None = it was not drawn.
        who: rates.
        client_id: the name that the page gave it; of one that is sent again nothing is stored.
    """

    video: str
    start_s: float
    end_s: float | None
    class_name: str
    answer: Answer
    value: float | None = None
    origin: Origin = "timeline"
    chance: float | None = None
    who: str = ""
    client_id: str | None = None


def checked_rating(given: NewRating, project: "Project") -> LibraryRating:
    """Return a rating as it is stored.

    Args:
        given: by a person.
        project: that has its video and class.

    Raises:
        NotThereError: there is no such video or class.
        DataError: the window, value or chance is not possible.
    """
    seconds = project.videos.seconds[project.videos.place(given.video)]
    name = project.class_name(given.class_name)
    end_s = given.end_s
    rules = [
        (0 <= given.start_s < np.inf, f"start_s must be at least 0, got {given.start_s:g}"),
        (end_s is None or _ms(given.start_s) < _ms(end_s) < np.inf, "end_s must be after start_s"),
        (end_s is not None or given.start_s == 0, "the whole video begins at 0"),
        (not _ms(given.start_s) >= _ms(seconds), f"the video ends at {seconds:g} s"),
        (given.chance is None or 0 < given.chance <= 1, "chance must be in (0, 1]"),
        (len(given.who) <= LONGEST_NAME, f"who: at most {LONGEST_NAME} characters"),
        (not _HIDDEN.search(given.who), "who: has characters that cannot be seen"),
        (_fits(given.answer, given.value), f"value must be in [0, 1] and say {given.answer}"),
    ]
    for holds, rule in rules:
        if not holds:
            raise DataError(rule, where="rating")
    value = {"yes": 1.0, "no": 0.0, "unsure": None}[given.answer]
    return LibraryRating(
        video_id=given.video,
        start_s=_ms(given.start_s),
        end_s=None if end_s is None else _ms(min(end_s, _finite(seconds, end_s))),
        class_name=name,
        value=value if given.value is None else given.value,
        who=given.who.strip(),
        origin=given.origin,
        chance=given.chance,
        is_unsure=given.answer == "unsure",
        client_id=given.client_id,
    )


def checked_name(name: str, known: Sequence[str]) -> str:
    """Return the name of a new class without spaces around it.

    Args:
        name: as it was typed.
        known: classes that there are.

    Raises:
        DataError: it is empty, too long, a number, or has characters that cannot be seen.
        ConflictError: there is such a class, in any case.
    """
    name = name.strip()
    rules = (
        (name, "the name of a class must not be empty"),
        (len(name) <= LONGEST_NAME, f"the name of a class has at most {LONGEST_NAME} characters"),
        (not _HIDDEN.search(name), "the name of a class has characters that cannot be seen"),
        (not name.isdecimal(), f"the name of a class must not be a number, got {name}"),
    )
    for holds, rule in rules:
        if not holds:
            raise DataError(rule, hint="Type another name.")
    same = next((of for of in known if of.casefold() == name.casefold()), None)
    if same is not None:
        raise ConflictError(f"there is a class {same!r} already")
    return name


def _fits(answer: Answer, value: float | None) -> bool:
    if value is None:
        return True
    return answer != "unsure" and 0 <= value <= 1 and (value > YES) == (answer == "yes")


def _finite(seconds: float, otherwise: float) -> float:
    return float(seconds) if np.isfinite(seconds) else otherwise


def _ms(seconds: float) -> float:
    """Return seconds as they are stored: rounded to milliseconds."""
    return round(seconds, 3)
