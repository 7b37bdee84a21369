"""Finders: what was learned, and whether it was worth it."""

from dataclasses import dataclass
from typing import Literal

from reeltag.server.views.overview import FinderView, JobView
from reeltag.server.views.ratings import ClassProgress
from reeltag.server.views.videos import CurvesView, VideoView


@dataclass(frozen=True, kw_only=True)
class ClassDifference:
    """Average precision of a class by two finders on the same held-out ratings.

    Attributes:
        name: of the class.
        old: of the finder before.
        new: of the finder.
        low: end of the 95 % interval of new - old, by a paired bootstrap over videos.
        high: the other end.
        num_ratings: that both were scored on.
        verdict: "better", "worse", or "no difference shown".
    """

    name: str
    old: float
    new: float
    low: float
    high: float
    num_ratings: int
    verdict: Literal["better", "worse", "no difference shown"]


@dataclass(frozen=True, kw_only=True)
class ComparisonView:
    """Two finders on the ratings that neither was trained on.

    Attributes:
        old: finder before.
        new: finder.
        words: as in "better on 12 classes, no difference shown on 30".
        num_ratings: held out.
        classes: those with ratings of both kinds.
    """

    old: FinderView
    new: FinderView
    words: str
    num_ratings: int
    classes: tuple[ClassDifference, ...]


@dataclass(frozen=True, kw_only=True)
class LearnView:
    """What can be learned from, what was learned, and whether it was worth it.

    Attributes:
        classes: all.
        finders: newest first.
        comparison: of the current finder with the one before; None = not possible.
        can_learn: whether there is enough to learn from.
        why_not: in words, where not.
        job: that learns now, or the last one that did if it has failed; None = neither.
    """

    classes: tuple[ClassProgress, ...]
    finders: tuple[FinderView, ...]
    comparison: ComparisonView | None
    can_learn: bool
    why_not: str
    job: JobView | None


@dataclass(frozen=True, kw_only=True)
class HardMoment:
    """A rated window on which two finders differ most."""

    video: str
    name: str
    start_s: float
    end_s: float
    class_name: str
    value: float
    old: float
    new: float


@dataclass(frozen=True, kw_only=True)
class CompareView:
    """Two finders side by side on one video, and on the hardest moments."""

    old: FinderView
    new: FinderView
    video: VideoView
    old_curves: CurvesView
    new_curves: CurvesView
    hardest: tuple[HardMoment, ...]
