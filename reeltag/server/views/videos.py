"""Videos, the curves of classes over them, and moments."""

from dataclasses import dataclass
from typing import Literal

from reeltag.active.estimates import WeightedEstimate
from reeltag.server.views.overview import Basis

VideoState = Literal["new", "extracted", "error", "missing"]
Sort = Literal["name", "length", "newest", "rated", "class"]
ProxyState = Literal["not needed", "needed", "making", "ready", "impossible"]


@dataclass(frozen=True, kw_only=True)
class TagView:
    """A class of a whole video: the highest value of its curve."""

    name: str
    prob: float


@dataclass(frozen=True, kw_only=True)
class VideoCard:
    """A video in a list.

    Attributes:
        id: of the video.
        name: of its file, or its id.
        duration_s: seconds; None = not known.
        state: what became of it.
        reason: why it has failed or is missing, or a note.
        tags: the strongest classes, best first.
        num_ratings: that count, of its windows.
        has_poster: whether /media/poster?id= has a picture.
    """

    id: str
    name: str
    duration_s: float | None
    state: VideoState
    reason: str
    tags: tuple[TagView, ...]
    num_ratings: int
    has_poster: bool


@dataclass(frozen=True, kw_only=True)
class VideoList:
    """Videos from `offset` on, of `total` that match."""

    total: int
    offset: int
    videos: tuple[VideoCard, ...]


@dataclass(frozen=True, kw_only=True)
class SpriteView:
    """Thumbnails side by side in /media/sprite?id=; number n is of second n * step_s.

    Attributes:
        width: of one, in pixels.
        height: of one.
        columns: in a row.
        count: of all.
        step_s: seconds from one to the next.
    """

    width: int
    height: int
    columns: int
    count: int
    step_s: float


@dataclass(frozen=True, kw_only=True)
class VideoView:
    """A video with all that its page draws but curves.

    Attributes:
        card: as in lists.
        rate_hz: of its features.
        streams: in words, such as "h264 1280 x 720, 25 frames/s".
        fps: pictures per second of the file; None = not known, or it has none.
        group: near copies of it; "" = none.
        split: that it is in.
        sprite: thumbnails; None = none.
        loudness_hz: values per second of `loudness_db`.
        loudness_db: root mean square, of full scale; at most 4,000 values.
        cuts_s: where the picture changes.
        proxy: whether browsers play the file, or need a copy that they play.
        classes: all names, what is strongest here first.
    """

    card: VideoCard
    rate_hz: float
    streams: tuple[str, ...]
    fps: float | None
    group: str
    split: str
    sprite: SpriteView | None
    loudness_hz: float
    loudness_db: tuple[float, ...]
    cuts_s: tuple[float, ...]
    proxy: ProxyState
    classes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class MomentView:
    """An interval [start_s, end_s) of a video.

    Attributes:
        video: id.
        name: of the video's file.
        class_name: of the class; "" = like another moment, or a text.
        start_s: where it begins.
        end_s: where it ends.
        best_s: its strongest second.
        prob: there; of similar moments the cosine.
        rating: value of a rating that overlaps it by half, if there is one.
        sprite: thumbnails of the video; None = none.
    """

    video: str
    name: str
    class_name: str
    start_s: float
    end_s: float
    best_s: float
    prob: float
    rating: float | None
    sprite: SpriteView | None


@dataclass(frozen=True, kw_only=True)
class CurveView:
    """The curve of a class over a video.

    Attributes:
        name: of the class.
        threshold: probability from which on it counts; None = the class has none.
        prob: one for each step.
        moments: found in it.
    """

    name: str
    threshold: float | None
    prob: tuple[float, ...]
    moments: tuple[MomentView, ...]


@dataclass(frozen=True, kw_only=True)
class CurvesView:
    """Curves of a video; step n covers [n * hop_s, (n + 1) * hop_s)."""

    basis: Basis
    hop_s: float
    curves: tuple[CurveView, ...]


@dataclass(frozen=True, kw_only=True)
class SearchView:
    """Moments of all videos, best first.

    Attributes:
        what: that was searched for, in words.
        class_name: that the moments are of; "" = like another moment or a text.
        suggestions: classes that may be meant by a text, best first.
        basis: what the curves come from.
        total: moments at this threshold.
        threshold: probability; 0 where it has no meaning.
        suggested: the threshold that the finder keeps its promise at; None = none.
        expected: precision of these moments; None = no ratings to estimate it from.
        offset: of the first one here.
        moments: from there on.
    """

    what: str
    class_name: str
    suggestions: tuple[str, ...]
    basis: Basis
    total: int
    threshold: float
    suggested: float | None
    expected: WeightedEstimate | None
    offset: int
    moments: tuple[MomentView, ...]
