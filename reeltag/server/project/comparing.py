"""Was it worth it? Two finders on the ratings that neither has learned from.

Letters in shapes: Q rated windows, V videos, R replicates of the bootstrap.
"""

from collections import Counter
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from reeltag.active.estimates import average_precisions
from reeltag.core.seeding import derive_seed
from reeltag.server.project.finders import Finder
from reeltag.server.project.overview import finder_view
from reeltag.server.project.progress import rating_weights
from reeltag.server.project.scoring import ClassRatings, by_class, finder_probs, unseen_by
from reeltag.server.views.learning import ClassDifference, ComparisonView, HardMoment

if TYPE_CHECKING:  # which has finders
    from reeltag.server.project.project import Project

_REPLICATES = 1000
_ROUNDING = 1e-9  # of sums of floats: finders that rank alike do not differ
_TAIL = 2.5  # per cent
_HARDEST = 20
_HOW = (
    "Rate some more windows: those that are rated from now on compare both. Or extract with a part "
    "of the videos in test (`reeltag extract --split`), whose ratings are never trained on."
)


def comparison_view(project: "Project", old: Finder, new: Finder) -> ComparisonView:
    """Return what two finders are worth on the ratings that neither has learned from.

    A class counts where it has a yes and a no among these, of two videos or more, and both finders
    know it.

    Args:
        project: of the finders.
        old: finder before.
        new: finder.
    """
    found, number, alone = list[ClassDifference](), 0, 0
    for name, rated in sorted(by_class(project.ratings.all()).items()):
        unseen = unseen_by(project, old, rated) & unseen_by(project, new, rated)
        number += int(unseen.sum())
        probs = [finder_probs(project, of, name, rated) for of in (old, new)]
        if probs[0] is None or probs[1] is None:
            alone += probs[0] is None and probs[1] is not None and bool(unseen.any())
            continue
        which = unseen & np.isfinite(probs[0]) & np.isfinite(probs[1])
        weights = _weights(rated, len(project.queue.grid))
        mine = rated.taken(which)
        difference = _difference(name, mine, probs[0][which], probs[1][which], weights[which])
        found += [] if difference is None else [difference]
    return ComparisonView(
        old=finder_view(project, old),
        new=finder_view(project, new),
        words=_words(found, number, alone),
        num_ratings=number,
        classes=tuple(found),
    )


def hardest_moments(project: "Project", old: Finder, new: Finder) -> tuple[HardMoment, ...]:
    """Return the rated windows on which two finders differ most, at most 20."""
    found = []
    videos = project.videos
    for name, rated in by_class(project.ratings.all()).items():
        probs = [finder_probs(project, of, name, rated) for of in (old, new)]
        if probs[0] is None or probs[1] is None:
            continue
        for at in np.flatnonzero(np.isfinite(probs[0]) & np.isfinite(probs[1])).tolist():
            window = rated.moments[at]
            place = videos.places.get(window.video)
            found.append(
                HardMoment(
                    video=window.video,
                    name=window.video if place is None else videos.names[place],
                    start_s=window.start_s,
                    end_s=window.end_s,
                    class_name=name,
                    value=float(rated.values[at]),
                    old=float(probs[0][at]),
                    new=float(probs[1][at]),
                )
            )
    found.sort(key=lambda of: (-abs(of.new - of.old), of.video, of.start_s, of.class_name))
    return tuple(found[:_HARDEST])


def _weights(rated: ClassRatings, num_windows: int) -> NDArray[np.float64]:
    """Return (Q,) weights by the chances that ratings were drawn with; those without one weigh 1.

    Drawn ratings weigh 1 on the average.
    """
    weights = rating_weights(rated, num_windows)
    is_drawn = np.isfinite(weights)
    if is_drawn.any():
        weights /= weights[is_drawn].mean()
    return np.where(is_drawn, weights, 1.0)


def _difference(
    name: str,
    rated: ClassRatings,
    old: NDArray[np.float64],
    new: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> ClassDifference | None:
    """Return average precisions and their difference; None without a yes, a no and two videos."""
    hits = rated.is_positive
    videos = np.unique([of.video for of in rated.moments], return_inverse=True)[1]
    num_videos = int(videos.max(initial=-1)) + 1
    if not hits.any() or hits.all() or num_videos < 2:
        return None
    random = np.random.default_rng(derive_seed(0, "paired bootstrap", name))
    copies_RV = random.multinomial(num_videos, np.full(num_videos, 1 / num_videos), _REPLICATES)
    copies_RQ = np.concatenate([np.ones((1, len(hits))), copies_RV[:, videos]]) * weights
    old_R, new_R = _ranked(old, hits, copies_RQ), _ranked(new, hits, copies_RQ)
    value = float(new_R[0] - old_R[0])
    scatter = (new_R - old_R)[1:]
    scatter = scatter[np.isfinite(scatter)]
    low, high = (
        np.percentile(scatter, [_TAIL, 100 - _TAIL]) - scatter.mean() + value
        if len(scatter)
        else (-1.0, 1.0)
    )
    verdict: Literal["better", "worse", "no difference shown"] = "no difference shown"
    if low > _ROUNDING or high < -_ROUNDING:
        verdict = "better" if low > 0 else "worse"
    return ClassDifference(
        name=name,
        old=float(old_R[0]),
        new=float(new_R[0]),
        low=float(low),
        high=float(high),
        num_ratings=len(hits),
        verdict=verdict,
    )


def _ranked(
    scores: NDArray[np.float64], hits: NDArray[np.bool_], weights_RQ: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return (R,) average precisions of windows by their scores."""
    order = np.argsort(-scores, kind="stable")
    return average_precisions(weights_RQ[:, order], hits[order])


def _words(found: list[ClassDifference], num_ratings: int, num_alone: int) -> str:
    """Return in words what a comparison shows."""
    verdicts = Counter[str](of.verdict for of in found)
    order = ("better", "worse", "no difference shown")
    parts = [f"{of} on {_classes(verdicts[of])}" for of in order if verdicts[of]]
    if num_alone:
        parts.append(f"{_classes(num_alone)} new")
    if not num_ratings:
        return f"There is no rating that neither of the two has learned from. {_HOW}"
    if not found:
        known = ", ".join(parts)
        few = f"{num_ratings:,} ratings are too few to compare: no class has a yes and a no"
        return f"{known}; {few}. {_HOW}" if known else f"{few}. {_HOW}"
    return ", ".join(parts)


def _classes(number: int) -> str:
    return "1 class" if number == 1 else f"{number:,} classes"
