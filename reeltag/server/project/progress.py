"""How far one has come with each class, how sure that is, and what more ratings would bring."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from threading import RLock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reeltag.active.estimates import (
    DrawnRatings,
    WeightedEstimate,
    average_precision,
    levelled_weights,
    precision_at,
    recall_at,
)
from reeltag.active.learning_curve import ExpectedGain, expected_gain
from reeltag.active.policies import PolicyName
from reeltag.data.dataset import Dataset
from reeltag.data.selection import lists_of
from reeltag.library.database.ratings import LibraryRating
from reeltag.server.project.finders import Finder
from reeltag.server.project.learned import LearnedFrom
from reeltag.server.project.previews import previews_of
from reeltag.server.project.ratings import yes_and_no
from reeltag.server.project.scoring import (
    ClassRatings,
    by_class,
    finder_probs,
    unseen_by,
)
from reeltag.server.project.thresholds import threshold_prob
from reeltag.server.views.ratings import ClassProgress, RateView, WindowView

if TYPE_CHECKING:  # which has progress
    from reeltag.server.project.project import Project

_FEWEST = 5  # ratings behind a figure
_MORE = 50  # ratings whose gain is expected
_FINDERS = 8  # the last ones, of which a learning curve is made
_ENOUGH = 0.01  # of average precision: a smaller gain is not worth 50 ratings
_NOTHING = ClassRatings((), np.zeros(0), np.zeros(0), np.zeros(0, np.int64))


class Progress:
    """The progress of all classes; figures of a class are computed again where it was rated.

    Args:
        project: with ratings and finders.
    """

    def __init__(self, project: "Project") -> None:
        self._project, self._lock = project, RLock()
        self._figures = dict[str, tuple[object, "_Figures"]]()
        self._gains = dict[str, tuple[object, ExpectedGain | None]]()
        self._labels: tuple[Dataset | None, dict[str, int]] = (None, {})

    def of(self, names: Sequence[str] | None = None) -> list[ClassProgress]:
        """Return the progress of some classes; None: of those of the data, and of rated ones."""
        project = self._project
        ratings, labels = project.ratings.all(), self._num_labels()
        mine = dict[str, list[LibraryRating]]()
        for rating in ratings:
            mine.setdefault(rating.class_name, []).append(rating)
        if names is None:
            names = tuple(dict.fromkeys((*project.data.classes.names, *mine)))
        rated = by_class(ratings)
        found = []
        for name in names:
            num_yes, num_no, num_unsure = yes_and_no(mine.get(name, []))
            figures = self._figures_of(name, rated.get(name, _NOTHING))
            found.append(
                ClassProgress(
                    name=name,
                    num_labels=labels.get(name, 0),
                    num_yes=num_yes,
                    num_no=num_no,
                    num_unsure=num_unsure,
                    precision=figures.precision,
                    recall=figures.recall,
                    average_precision=figures.average_precision,
                    gain=figures.expected,
                    advice=self._advice(name, num_yes, num_no, figures),
                )
            )
        return found

    def _figures_of(self, name: str, rated: ClassRatings) -> "_Figures":
        project = self._project
        finders = project.finders.history[:_FINDERS]
        current = project.finders.current
        if current is None or len(rated) < _FEWEST:
            return _Figures()
        stores = tuple(id(project.curves_of(finder.key)) for finder in finders)
        key = stores, rated.values.tobytes(), rated.orders.tobytes()
        with self._lock:
            gain = self._gains.get(name)
            if gain is None or gain[0] != key:  # whichever finder is the current one
                gain = self._gains[name] = key, _gain(project, finders, name, rated)
            known = self._figures.get(name)
            if known is None or known[0] != (current.key, key):
                figures = replace(_figures(project, current, name, rated), gain=gain[1])
                known = self._figures[name] = (current.key, key), figures
            return known[1]

    def _num_labels(self) -> dict[str, int]:
        """Return class -> videos that are labelled with it."""
        data = self._project.data
        with self._lock:
            if self._labels[0] is not data:
                table = data.table.filter(~data.table["skip"].to_numpy()).combine_chunks()
                counts = np.bincount(lists_of(table, "labels")[1], minlength=data.num_classes)
                self._labels = data, dict(zip(data.classes.names, counts.tolist(), strict=False))
            return self._labels[1]

    def _advice(self, name: str, num_yes: int, num_no: int, figures: "_Figures") -> str:
        """Return in words what to do next."""
        project = self._project
        if not num_yes:
            return "No moment of it yet: find one by search, or mark it on the time line."
        if not num_no:
            return "Only yes so far: rate some windows, so that it is known what it is not."
        finder = project.finders.current
        curves = None if finder is None else project.curves_of(finder.key)
        if finder is None or curves is None or name not in curves.class_places:
            return "Learn from these ratings: no finder knows this class yet."
        if figures.average_precision is None:
            return "Rate some more: how good it is shows on ratings made after learning."
        gain = figures.expected
        if gain is None:
            return "Rate some more, and learn again: what more ratings bring shows after 3 finders."
        if gain.high < _ENOUGH:
            return f"Enough: {_MORE} more ratings would hardly change it."
        return f"{_MORE} more ratings are expected to gain {gain.value:.2f} of average precision."


@dataclass(frozen=True)
class _Figures:
    """How good the current finder is at a class, and what more ratings would bring."""

    precision: WeightedEstimate | None = None
    recall: WeightedEstimate | None = None
    average_precision: WeightedEstimate | None = None
    gain: ExpectedGain | None = None

    @property
    def expected(self) -> WeightedEstimate | None:
        """The gain of more ratings, with the number of those that it was measured on."""
        if self.gain is None or self.average_precision is None:
            return None
        number = self.average_precision.num_ratings
        gain = self.gain
        return WeightedEstimate(value=gain.value, low=gain.low, high=gain.high, num_ratings=number)


def _figures(project: "Project", current: Finder, name: str, rated: ClassRatings) -> _Figures:
    """Return the figures of a class on ratings that finders have not learned from."""
    drawn = drawn_ratings(project, current, name, rated, unseen_by(project, current, rated))
    curves = project.curves_of(current.key)
    if drawn is None or curves is None:
        return _Figures()
    threshold = threshold_prob(project, curves, name)
    return _Figures(
        precision_at(drawn, threshold), recall_at(drawn, threshold), average_precision(drawn)
    )


def _gain(
    project: "Project", finders: Sequence[Finder], name: str, rated: ClassRatings
) -> ExpectedGain | None:
    """Return what more ratings would bring, by finders on what none of them has learned from."""
    number = {finder.key: LearnedFrom.find(project, finder) for finder in finders}
    points = [finder for finder in finders if number[finder.key].per_class.get(name)]
    if not points:
        return None
    unseen = np.ones(len(rated), bool)
    for finder in points:
        unseen &= unseen_by(project, finder, rated)
    counts, values = list[int](), list[float]()
    for finder in points:
        drawn = drawn_ratings(project, finder, name, rated, unseen)
        found = None if drawn is None else average_precision(drawn)
        if found is not None:
            counts.append(number[finder.key].per_class[name])
            values.append(found.value)
    return expected_gain(counts, values, _MORE)


def drawn_ratings(
    project: "Project",
    finder: Finder,
    name: str,
    rated: ClassRatings,
    which: NDArray[np.bool_],
) -> DrawnRatings | None:
    """Return ratings of a class with a finder's scores; None where they are too few.

    Where enough of them were drawn, these alone count, by their chances; otherwise all count alike.

    Args:
        project: of the finder.
        finder: any.
        name: of the class.
        rated: all rated windows of it.
        which: (Q,) those that count, which the finder has not learned from.
    """
    probs = finder_probs(project, finder, name, rated)
    if probs is None:
        return None
    weights = rating_weights(rated, len(project.queue.grid))
    which = which & np.isfinite(probs)
    is_drawn = np.isfinite(weights) & which
    if is_drawn.sum() >= _FEWEST:
        which = is_drawn
    else:
        weights = np.ones(len(rated))
    if which.sum() < _FEWEST:
        return None
    videos = [moment.video for moment in rated.taken(which).moments]
    return DrawnRatings(
        probs[which], rated.is_positive[which], weights=weights[which], videos=videos
    )


def rating_weights(rated: ClassRatings, num_windows: int) -> NDArray[np.float64]:
    """Return (Q,) how many windows each rating stands for, but for a factor; NaN = not drawn.

    Args:
        rated: of a class.
        num_windows: that there are.
    """
    weights = np.full(len(rated), np.nan)
    drawn = np.flatnonzero(np.isfinite(rated.chances))
    drawn = drawn[np.argsort(rated.orders[drawn], kind="stable")]
    weights[drawn] = levelled_weights(rated.chances[drawn], max(num_windows, len(drawn)))
    return np.where(weights > 0, weights, np.nan)


def class_progress(project: "Project", names: Sequence[str] | None = None) -> list[ClassProgress]:
    """Return the progress of some classes; None: of all."""
    return project.progress.of(names)


def rate_view(
    project: "Project", classes: Sequence[str], count: int, policy: PolicyName
) -> RateView:
    """Return windows to rate next, and how far one has come.

    Args:
        project: of the videos.
        classes: names; none: those with the fewest ratings.
        count: of windows.
        policy: how they are chosen.

    Raises:
        NotThereError: there is no such class.
    """
    windows = []
    videos = project.videos
    for moment, name, prob, why, chance in project.queue.draw(classes, count, policy):
        windows.append(
            WindowView(
                video=moment.video,
                name=videos.names[videos.places[moment.video]],
                start_s=moment.start_s,
                end_s=moment.end_s,
                class_name=name,
                prob=prob,
                why=why,
                chance=chance,
                sprite=previews_of(project.path, moment.video).sprite,
            )
        )
    names = tuple(dict.fromkeys((*classes, *(window.class_name for window in windows))))
    current = project.finders.current
    last_key = 0 if current is None else LearnedFrom.find(project, current).last_key
    ratings = project.ratings.all()
    today = datetime.now(UTC).date()
    return RateView(
        windows=tuple(windows),
        classes=tuple(class_progress(project, names)),
        num_today=sum(of.rated_at is not None and of.rated_at.date() == today for of in ratings),
        since_learned=sum((of.key or 0) > last_key for of in ratings),
    )
