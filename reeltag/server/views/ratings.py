"""Ratings of windows, what to rate next, and how far one has come."""

from dataclasses import dataclass
from typing import Literal

from reeltag.active.estimates import WeightedEstimate
from reeltag.server.views.videos import SpriteView

Answer = Literal["yes", "no", "unsure"]
Origin = Literal["queue", "timeline", "search", "import"]


@dataclass(frozen=True, kw_only=True)
class RatingView:
    """What a person said of a class in a window.

    Attributes:
        key: of the rating.
        video: id.
        start_s: of the window.
        end_s: of the window; None = the whole video.
        class_name: of the class.
        answer: yes (value above 0.5), no, unsure.
        value: in [0, 1]; None = unsure.
        who: rated.
        rated_at: UTC, ISO 8601.
        origin: where it was asked.
    """

    key: int
    video: str
    start_s: float
    end_s: float | None
    class_name: str
    answer: Answer
    value: float | None
    who: str
    rated_at: str
    origin: Origin


@dataclass(frozen=True, kw_only=True)
class DisagreementView:
    """A window and class that people rated differently.

    Attributes:
        video: id.
        name: of the video's file.
        start_s: of the window.
        end_s: of the window; None = the whole video.
        class_name: of the class.
        ratings: of it that count, one of each person.
    """

    video: str
    name: str
    start_s: float
    end_s: float | None
    class_name: str
    ratings: tuple[RatingView, ...]


@dataclass(frozen=True, kw_only=True)
class WindowView:
    """A window to rate.

    Attributes:
        video: id.
        name: of the video's file.
        start_s: of the window.
        end_s: of the window.
        class_name: that is asked about.
        prob: the finder's; None = there is none.
        why: chosen for, in words ("unsure", "random", ...).
        chance: probability in (0, 1] with which it was drawn, given back with the rating.
        sprite: thumbnails of the video.
    """

    video: str
    name: str
    start_s: float
    end_s: float
    class_name: str
    prob: float | None
    why: str
    chance: float
    sprite: SpriteView | None


@dataclass(frozen=True, kw_only=True)
class ClassProgress:
    """What is known of a class, and what more ratings would bring.

    Attributes:
        name: of the class.
        num_labels: videos labelled with it.
        num_yes: ratings.
        num_no: ratings.
        num_unsure: ratings.
        precision: of its moments at its threshold; None = not known.
        recall: of its windows.
        average_precision: on held-out ratings, where there are enough.
        gain: expected of 50 more ratings, of average precision; None = not known yet.
        advice: in words.
    """

    name: str
    num_labels: int
    num_yes: int
    num_no: int
    num_unsure: int
    precision: WeightedEstimate | None
    recall: WeightedEstimate | None
    average_precision: WeightedEstimate | None
    gain: WeightedEstimate | None
    advice: str


@dataclass(frozen=True, kw_only=True)
class RateView:
    """Windows to rate next, in order, and how far one has come."""

    windows: tuple[WindowView, ...]
    classes: tuple[ClassProgress, ...]
    num_today: int
    since_learned: int
