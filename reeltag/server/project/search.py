"""Moments of all videos: of a class, of a text, or like another moment; best first.

Letters in shapes: V videos, M moments.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from reeltag.active.estimates import WeightedEstimate, precision_at
from reeltag.core.errors import ConfigError
from reeltag.core.probability import sigmoid
from reeltag.library.similar import SimilarMoment
from reeltag.predictions.interval_rows import Intervals
from reeltag.server.project.curves import CurveStore
from reeltag.server.project.missing import NotThereError
from reeltag.server.project.moments import (
    moment_views,
    moments_of_class,
    rating_of,
)
from reeltag.server.project.previews import previews_of
from reeltag.server.project.progress import drawn_ratings
from reeltag.server.project.project import Project
from reeltag.server.project.scoring import by_class, unseen_by
from reeltag.server.project.text_classes import TextMeaning, meaning_of
from reeltag.server.project.text_moments import TextSearch
from reeltag.server.project.thresholds import CurveThreshold, thresholds_of
from reeltag.server.views.videos import MomentView, SearchView

_AT_LEAST = 20  # videos that a first search shows moments of, however low the threshold
_LOWEST = 0.01
_KEPT = 64  # searches whose moments are kept


@dataclass(frozen=True, kw_only=True)
class MomentSearchChoice:
    """What is searched for; one of `class_name`, `text` and `video` is given.

    Attributes:
        class_name: name of a class.
        text: in words.
        video: id, of which the moment at `at_s` is meant.
        at_s: second.
        threshold: probability; None = what is suggested.
        search: part of the name of the videos; "" = all.
        offset: of the first moment.
        limit: of moments.
    """

    class_name: str = ""
    text: str = ""
    video: str = ""
    at_s: float = 0.0
    threshold: float | None = None
    search: str = ""
    offset: int = 0
    limit: int = 24


@dataclass(frozen=True, eq=False)
class ClassSearch:
    """All moments of a class, best first, and the threshold that they reach."""

    name: str
    curves: CurveStore
    intervals: Intervals
    threshold: float
    chosen: CurveThreshold


_cache: OrderedDict[tuple[str, int, float], Intervals] = OrderedDict()
_lock = Lock()


def search_view(project: Project, choice: MomentSearchChoice) -> SearchView:
    """Return moments.

    Args:
        project: that is searched.
        choice: what is searched for.

    Raises:
        NotThereError: there is no such class or video.
        ConfigError: not one thing is searched for, or there are no curves to search.
    """
    given = [of for of in (choice.class_name, choice.text, choice.video) if of]
    if len(given) != 1:
        raise ConfigError("search for a class, a text, or a moment of a video: one of them")
    if choice.video:
        return _similar(project, choice)
    if choice.text:
        return _of_text(project, choice)
    return _of_class(project, choice)


def _of_class(project: Project, choice: MomentSearchChoice, words: str = "") -> SearchView:
    """Return moments of a class."""
    found = found_moments(project, choice)
    page = np.arange(len(found.intervals))[choice.offset : choice.offset + choice.limit]
    shown = found.intervals.take(page)
    ratings = project.ratings.by_video()
    return SearchView(
        what=words or found.name,
        class_name=found.name,
        suggestions=(),
        basis=found.curves.meta.basis,
        total=len(found.intervals),
        threshold=round(found.threshold, 4),
        suggested=found.chosen.prob if found.chosen.promised else None,
        expected=expected_precision(project, found.name, found.threshold),
        offset=choice.offset,
        moments=moment_views(project, shown, [found.name], ratings),
    )


def found_moments(project: Project, choice: MomentSearchChoice) -> ClassSearch:
    """Return all moments of a class, or of the class that a text means, best first.

    Args:
        project: that is searched.
        choice: what is searched for.

    Raises:
        NotThereError: there is no such class, or no class is like the text.
        ConfigError: there are no curves, or they do not have the class.
    """
    name = choice.class_name or _class_of_text(project, choice.text)
    index = project.class_index(name)
    curves = project.curves
    if curves is None:
        raise ConfigError(
            "there are no curves to search yet",
            hint="Wait until they are computed, or look for moments like another one.",
        )
    if index is None:
        raise ConfigError(
            f"the current finder does not know {name!r} yet",
            hint="Rate some moments of it, and learn from these.",
        )
    chosen = thresholds_of(project, curves)[index]
    threshold = choice.threshold
    if threshold is None:
        threshold = _first_threshold(curves, index, chosen)
    intervals = _moments(curves, index, threshold)
    if choice.search:
        intervals = intervals.take(_named(project, intervals, choice.search))
    return ClassSearch(curves.classes[index], curves, intervals, threshold, chosen)


def _of_text(project: Project, choice: MomentSearchChoice) -> SearchView:
    """Return moments of the class that is called so, like the text, or of a class that is near."""
    text, meaning = choice.text, _meaning(project, choice.text)
    found = _by_encoder(project, text, meaning)
    if found is not None:
        near = (meaning.name,) if meaning.name and not meaning.is_name else ()
        return _alike(project, choice, found.moments, f"{text}: by {found.encoder}", near)
    if not meaning.name:
        return _alike(project, choice, (), text, meaning.alike)
    words = meaning.name if meaning.is_name else f"{text}: {meaning.name}"
    return _of_class(project, replace(choice, class_name=meaning.name, text=""), words)


def _meaning(project: Project, text: str) -> TextMeaning:
    """Return the class that a text means, of those that can be searched."""
    curves = project.curves
    return meaning_of(text, project.class_names if curves is None else curves.classes)


def _by_encoder(project: Project, text: str, meaning: TextMeaning) -> TextSearch | None:
    """Return moments like a text; None where a class is called so, or no encoder knows texts."""
    if meaning.is_name and project.curves is not None:
        return None
    return project.texts.find(project.data, text)


def _class_of_text(project: Project, text: str) -> str:
    """Return the class whose moments a text finds.

    Args:
        project: that has the classes.
        text: as it was typed.

    Raises:
        NotThereError: no class is like it.
        ConfigError: it finds moments without a class.
    """
    meaning = _meaning(project, text)
    if _by_encoder(project, text, meaning) is not None:
        raise ConfigError("moments like a text are of no class", hint="Search for a class.")
    if not meaning.name:
        names = " or ".join(meaning.alike)
        hint = f"Did you mean {names}?" if names else ""
        raise NotThereError(f"no class is like {text!r}", hint=hint)
    return meaning.name


def _first_threshold(curves: CurveStore, index: int, chosen: CurveThreshold) -> float:
    """Return the class's threshold, or a lower one where moments of few videos reach it."""
    best = np.sort(sigmoid(curves.best[:, index], np.float64))[::-1]
    enough = float(best[min(_AT_LEAST, len(best)) - 1]) if len(best) else _LOWEST
    if chosen.promised:
        return chosen.prob
    return float(max(_LOWEST, min(chosen.prob, np.floor(100 * enough) / 100)))


def _moments(curves: CurveStore, index: int, threshold: float) -> Intervals:
    """Return the moments of a class, best first; the last searches are kept."""
    key = curves.meta.token, index, threshold
    with _lock:
        known = _cache.get(key)
        if known is not None:
            _cache.move_to_end(key)
            return known
    found = moments_of_class(curves, index, threshold)
    found = found.take(np.argsort(-found.scores, kind="stable"))
    with _lock:
        _cache[key] = found
        while len(_cache) > _KEPT:
            _cache.popitem(last=False)
    return found


def _named(project: Project, intervals: Intervals, search: str) -> NDArray[np.bool_]:
    """Return (M,) whose videos' names hold all words."""
    videos = project.videos
    kept = {videos.ids[at] for at in np.flatnonzero(videos.named(search)).tolist()}
    return np.array([video in kept for video in intervals.ids.to_pylist()], bool)


def expected_precision(project: Project, name: str, threshold: float) -> WeightedEstimate | None:
    """Return the precision of windows at a threshold, by ratings that the finder has not seen.

    Args:
        project: with ratings.
        name: of the class.
        threshold: probability.
    """
    finder = project.finders.current
    rated = None if finder is None else by_class(project.ratings.all()).get(name)
    if finder is None or rated is None:
        return None
    drawn = drawn_ratings(project, finder, name, rated, unseen_by(project, finder, rated))
    return None if drawn is None else precision_at(drawn, threshold)


def _similar(project: Project, choice: MomentSearchChoice) -> SearchView:
    """Return moments that look and sound like one."""
    videos = project.videos
    place = videos.place(choice.video)
    if videos.rows[place] < 0:
        raise ConfigError(f"video {choice.video!r} has no features to compare")
    found = project.similar.find(project.data, choice.video, choice.at_s)
    return _alike(project, choice, found, f"like {videos.names[place]} at {choice.at_s:g} s")


def _alike(
    project: Project,
    choice: MomentSearchChoice,
    found: Sequence[SimilarMoment],
    words: str,
    suggestions: tuple[str, ...] = (),
) -> SearchView:
    """Return moments without a class, a page of them."""
    videos = project.videos
    if choice.search:
        named = videos.named(choice.search)
        found = [of for of in found if named[videos.places[of.video]]]
    page = found[choice.offset : choice.offset + choice.limit]
    ratings = project.ratings.by_video()
    moments = tuple(
        MomentView(
            video=of.video,
            name=videos.names[videos.places[of.video]],
            class_name="",
            start_s=round(of.start_s, 3),
            end_s=round(of.end_s, 3),
            best_s=round(of.best_s, 3),
            prob=round(max(0.0, of.similarity), 4),
            rating=rating_of(ratings.get(of.video, ()), "", of.start_s, of.end_s),
            sprite=previews_of(project.path, of.video).sprite,
        )
        for of in page
    )
    return SearchView(
        what=words,
        class_name="",
        suggestions=suggestions,
        basis=project.basis,
        total=len(found),
        threshold=0.0,
        suggested=None,
        expected=None,
        offset=choice.offset,
        moments=moments,
    )
