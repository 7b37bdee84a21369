"""The curves of a video as a time line draws them."""

from collections.abc import Sequence

import numpy as np

from reeltag.server.project.moments import moment_views, moments_of_video
from reeltag.server.project.project import Project
from reeltag.server.project.thresholds import thresholds_of
from reeltag.server.views.videos import CurvesView, CurveView


def curves_view(
    project: Project,
    video: str,
    classes: Sequence[str] = (),
    *,
    top: int = 8,
    finder: str = "",
) -> CurvesView:
    """Return the curves of some classes over a video; of classes without curves there are none.

    Args:
        project: that it is in.
        video: id.
        classes: names; none: the `top` strongest.
        top: number of classes.
        finder: key; "" = the current one, or else the encoder.

    Raises:
        NotThereError: there is no such video, class or finder.
    """
    project.videos.place(video)
    key = project.finders.get(finder).key if finder else ""
    curves = project.curves_of(key) if key else project.curves
    if curves is None:
        for name in classes:
            project.class_index(name)
        return CurvesView(basis=project.basis, hop_s=1.0, curves=())
    if classes:
        places = [project.class_index(name, curves) for name in classes]
        chosen = np.array([place for place in dict.fromkeys(places) if place is not None], np.int64)
    else:
        chosen = curves.by_strength(video)[:top]
    probs = curves.curve(video, chosen)
    if probs is None or not len(chosen):
        return CurvesView(basis=curves.meta.basis, hop_s=curves.meta.hop_s, curves=())
    every = thresholds_of(project, curves)
    thresholds = [every[place].prob for place in chosen.tolist()]
    names = [curves.classes[place] for place in chosen.tolist()]
    found = moments_of_video(curves, video, probs, thresholds)
    views = moment_views(project, found, names, project.ratings.by_video())
    by_class: dict[str, list[int]] = {}
    for at, view in enumerate(views):
        by_class.setdefault(view.class_name, []).append(at)
    rounded = probs.astype(np.float64).round(4).tolist()
    drawn = [
        CurveView(
            name=name,
            threshold=threshold,
            prob=tuple(values),
            moments=tuple(views[at] for at in by_class.get(name, ())),
        )
        for name, threshold, values in zip(names, thresholds, rounded, strict=True)
    ]
    return CurvesView(basis=curves.meta.basis, hop_s=curves.meta.hop_s, curves=tuple(drawn))
