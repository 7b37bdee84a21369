"""Moments in curves, as they are shown: at the thresholds of a finder, with what people said.

Letters in shapes: C classes, K of them, S steps of a video, V videos, M moments.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa

from reeltag.core.probability import prob_logits, sigmoid
from reeltag.library.database.ratings import LibraryRating
from reeltag.predictions.interval_rows import Intervals
from reeltag.predictions.intervals import IntervalConfig, intervals_of_curves
from reeltag.server.project.curves import CurveStore, Float32
from reeltag.server.project.previews import previews_of
from reeltag.server.project.project import Project
from reeltag.server.views.videos import MomentView

_HALF = 0.5


def interval_config(curves: CurveStore) -> IntervalConfig:
    """Return how curves become moments: as by `reeltag moments`, at the steps of the curves."""
    hop = curves.meta.hop_s
    default = IntervalConfig()
    return IntervalConfig(
        length_s=max(hop, curves.meta.length_s),
        hop_s=hop,
        min_length_s=min(default.min_length_s, curves.meta.length_s),
    )


def moments_of_video(
    curves: CurveStore, video: str, probs_KS: Float32, thresholds: Sequence[float]
) -> Intervals:
    """Return the moments of K classes in a video, by class and time; classes are 0 to K - 1.

    Args:
        curves: that the probabilities are of.
        video: id.
        probs_KS: of the video; 0 where no window is.
        thresholds: K probabilities.
    """
    at = curves.places[video]
    gap = np.full((len(probs_KS), 1), -np.inf, np.float32)
    return intervals_of_curves(
        np.concatenate([probs_KS, gap], axis=1),
        curves.steps[at : at + 1],
        pa.array([video]),
        curves.seconds[at : at + 1],
        interval_config(curves),
        prob_logits(np.array(thresholds)),
    )


def moments_of_class(curves: CurveStore, index: int, threshold: float) -> Intervals:
    """Return the moments of a class in all videos, by video and time.

    Args:
        curves: of all videos.
        index: of the class in them.
        threshold: probability.
    """
    probs = sigmoid(curves.logits.of_class(index), np.float32)
    probs[curves.ends] = -np.inf
    return intervals_of_curves(
        probs[None],
        curves.steps,
        curves.id_array,
        curves.seconds,
        interval_config(curves),
        prob_logits(np.array([threshold])),
    )


def moment_views(
    project: Project,
    found: Intervals,
    names: Sequence[str],
    ratings: dict[str, list[LibraryRating]],
) -> tuple[MomentView, ...]:
    """Return moments as they are shown.

    Args:
        project: of the videos.
        found: M moments.
        names: of the classes that `found.classes` are numbers of.
        ratings: of each video that has some.
    """
    videos, ids = project.videos, found.ids.to_pylist()
    shown = {
        video: (
            videos.names[videos.places[video]] if video in videos.places else video,
            previews_of(project.path, video).sprite,
        )
        for video in dict.fromkeys(ids)
    }
    seconds = (found.start_s, found.end_s, found.peak_s)
    columns = [column.round(3).tolist() for column in seconds]
    columns += [found.peak_prob.round(4).tolist(), found.classes.tolist()]
    views = list[MomentView]()
    for video, start, end, best, prob, of_class in zip(ids, *columns, strict=True):
        name = names[of_class]
        views.append(
            MomentView(
                video=video,
                name=shown[video][0],
                class_name=name,
                start_s=start,
                end_s=end,
                best_s=best,
                prob=prob,
                rating=rating_of(ratings.get(video, ()), name, start, end),
                sprite=shown[video][1],
            )
        )
    return tuple(views)


def rating_of(
    ratings: Iterable[LibraryRating], name: str, start_s: float, end_s: float
) -> float | None:
    """Return the value of the last rating of a class that overlaps a moment by half of either.

    Args:
        ratings: of the video.
        name: of the class.
        start_s: of the moment.
        end_s: of the moment.
    """
    value = None
    for rating in ratings:
        if rating.class_name != name or rating.end_s is None or rating.value is None:
            continue
        common = min(end_s, rating.end_s) - max(start_s, rating.start_s)
        if common >= _HALF * min(end_s - start_s, rating.end_s - rating.start_s):
            value = rating.value
    return value
