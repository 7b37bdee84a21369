"""Which ratings a finder has not learned from, and what it says of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reeltag.library.database.ratings import LibraryRating
from reeltag.server.project.finders import Finder
from reeltag.server.project.learned import LearnedFrom
from reeltag.server.project.ratings import WindowKey, key_of
from reeltag.server.project.windows import VideoWindow, moment_probs
from reeltag.training.frame_regression import YES

if TYPE_CHECKING:  # which has finders
    from reeltag.server.project.project import Project


@dataclass(frozen=True, eq=False)
class ClassRatings:
    """Q rated windows of a class, each once: the mean where several people rated it.

    Attributes:
        moments: where they are.
        values: (Q,) in [0, 1].
        chances: (Q,) that each was drawn with; NaN = it was not drawn.
        orders: (Q,) a number that is larger for what was rated later.
    """

    moments: tuple[VideoWindow, ...]
    values: NDArray[np.float64]
    chances: NDArray[np.float64]
    orders: NDArray[np.int64]

    def __len__(self) -> int:
        """Return Q."""
        return len(self.moments)

    @property
    def is_positive(self) -> NDArray[np.bool_]:
        """(Q,) whether the class is there."""
        return np.asarray(self.values > YES, bool)

    def taken(self, which: NDArray[np.bool_]) -> "ClassRatings":
        """Return some of them, by a mask (Q,)."""
        moments = tuple(of for of, is_in in zip(self.moments, which, strict=True) if is_in)
        return ClassRatings(moments, self.values[which], self.chances[which], self.orders[which])


def by_class(ratings: Iterable[LibraryRating]) -> dict[str, ClassRatings]:
    """Return class -> its rated windows; those of whole videos and unsure ones are left out."""
    found = dict[str, dict[WindowKey, list[LibraryRating]]]()
    for rating in ratings:
        if rating.value is not None and rating.end_s is not None:
            windows = found.setdefault(rating.class_name, {})
            windows.setdefault(key_of(rating), []).append(rating)
    return {name: _rated(list(windows.values())) for name, windows in found.items()}


def _rated(windows: list[list[LibraryRating]]) -> ClassRatings:
    firsts = [some[0] for some in windows]
    chances = [
        next((of.chance for of in some if of.chance is not None), np.nan) for some in windows
    ]
    return ClassRatings(
        tuple(VideoWindow(of.video_id, of.start_s, of.end_s or 0.0) for of in firsts),
        np.array([fmean([of.value for of in some if of.value is not None]) for some in windows]),
        np.array(chances, np.float64),
        np.array([max(of.key or 0 for of in some) for some in windows], np.int64),
    )


def unseen_by(project: "Project", finder: Finder, rated: ClassRatings) -> NDArray[np.bool_]:
    """Return (Q,) which ratings a finder has not learned from.

    These are the ratings of videos of test, which never train, and those that were given after it
    was trained.

    Args:
        project: of the finder.
        finder: any.
        rated: of a class.
    """
    learned = LearnedFrom.find(project, finder)
    later: NDArray[np.bool_] = rated.orders > learned.last_key
    splits, places = project.videos.splits, project.videos.places
    held_out = [
        moment.video in places and splits[places[moment.video]] == "test"
        for moment in rated.moments
    ]
    unseen: NDArray[np.bool_] = later | np.array(held_out, bool)
    return unseen


def finder_probs(
    project: "Project", finder: Finder, name: str, rated: ClassRatings
) -> NDArray[np.float64] | None:
    """Return (Q,) the probabilities of a class by a finder; None = it has no curve of it.

    A window of a video without a curve is NaN.

    Args:
        project: of the finder.
        finder: any.
        name: of the class.
        rated: its windows.
    """
    curves = project.curves_of(finder.key)
    index = None if curves is None else curves.class_places.get(name)
    return None if curves is None or index is None else moment_probs(curves, index, rated.moments)
