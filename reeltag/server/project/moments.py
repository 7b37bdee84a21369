"""Moments in curves, as they are shown: at the thresholds of a finder, with what people said.

Letters in shapes: C classes, K of them, S steps of a video, V videos, M moments.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reeltag.core.errors import DataError
from reeltag.core.probability import prob_logits, sigmoid
from reeltag.library.database.ratings import LibraryRating
from reeltag.predictions.interval_rows import Intervals
from reeltag.predictions.intervals import IntervalConfig, intervals_of_curves
from reeltag.server.project.curves import CurveStore, Float32, curves_folder
from reeltag.server.project.finders import weights_of
from reeltag.server.project.previews import previews_of
from reeltag.server.project.project import Project
from reeltag.server.views.videos import MomentView
from reeltag.tagger.moments import DEFAULT_PROB
from reeltag.tagger.thresholds import THRESHOLDS_FILE, ClassThreshold, Thresholds

ENCODER_PROB = 0.2  # from which on a class of an encoder counts: it has more than a thousand
_HALF = 0.5


class CurveThreshold(NamedTuple):
    """From which probability on a class counts.

    Attributes:
        prob: of the finder's run; the default where it has none that is good enough.
        promised: it keeps the precision that was asked for.
        chosen: what is known of it; None = nothing.
    """

    prob: float
    promised: bool
    chosen: ClassThreshold | None


def thresholds_of(project: Project, curves: CurveStore) -> tuple[CurveThreshold, ...]:
    """Return the thresholds of C classes: those of the finder's run, or else the default."""
    found = None
    if curves.meta.basis == "finder":
        finder = next((of for of in project.finders.history if of.key == curves.meta.key), None)
        kept = curves_folder(project.folder, curves.meta.key) / curves.meta.token
        folders = [kept] if finder is None else [weights_of(Path(finder.path)).parent, kept]
        found = next((of for of in map(_read, folders) if of is not None), None)
    default = DEFAULT_PROB if curves.meta.basis == "finder" else ENCODER_PROB
    if found is None or len(found.classes) != len(curves.classes):
        return (CurveThreshold(default, False, None),) * len(curves.classes)
    promised = found.precision is not None
    return tuple(
        CurveThreshold(default, False, of)
        if of.prob is None
        else CurveThreshold(of.prob, promised, of)
        for of in found.classes
    )


def _read(folder: Path) -> Thresholds | None:
    path = folder / THRESHOLDS_FILE
    try:
        return _opened(path, path.stat().st_mtime_ns)
    except (OSError, DataError):
        return None


@lru_cache(maxsize=64)
def _opened(path: Path, _mtime_ns: int) -> Thresholds:
    return Thresholds.open(path)


def interval_config(curves: CurveStore) -> IntervalConfig:
    """Return how curves become moments: as by `reeltag moments`, at the steps of the curves."""
    hop = curves.meta.hop_s
    default = IntervalConfig()
    return IntervalConfig(
        length_s=max(hop, curves.meta.length_s),
        hop_s=hop,
        min_length_s=min(default.min_length_s, curves.meta.length_s),
    )


def high_logits(probs: Iterable[float | None]) -> NDArray[np.float64]:
    """Return the logits of thresholds; inf where there is none."""
    known = [(0.0 if of is None else of, of is None) for of in probs]
    logits = prob_logits(np.array([prob for prob, _ in known], np.float64))
    return np.where([is_none for _, is_none in known], np.inf, logits)


def moments_of_video(
    curves: CurveStore, video: str, probs_KS: Float32, thresholds: Sequence[float | None]
) -> Intervals:
    """Return the moments of K classes in a video, by class and time; classes are 0 to K - 1.

    Args:
        curves: that the probabilities are of.
        video: id.
        probs_KS: of the video; 0 where no window is.
        thresholds: K probabilities; None = no moments.
    """
    at = curves.places[video]
    gap = np.full((len(probs_KS), 1), -np.inf, np.float32)
    return intervals_of_curves(
        np.concatenate([probs_KS, gap], axis=1),
        curves.steps[at : at + 1],
        pa.array([video]),
        curves.seconds[at : at + 1],
        interval_config(curves),
        high_logits(thresholds),
    )


def moments_of_class(curves: CurveStore, index: int, threshold: float) -> Intervals:
    """Return the moments of a class in all videos, by video and time.

    Args:
        curves: of all videos.
        index: of the class in them.
        threshold: probability.
    """
    probs = sigmoid(curves.logits[index], np.float32)
    probs[curves.ends] = -np.inf
    return intervals_of_curves(
        probs[None],
        curves.steps,
        curves.id_array,
        curves.seconds,
        interval_config(curves),
        high_logits([threshold]),
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
