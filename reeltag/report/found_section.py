"""What the page shows of moments that were found."""

from pathlib import Path

from reeltag.report.film_strip import film_strip
from reeltag.report.found_moments import FoundMoments, choose_found, score_found
from reeltag.report.found_plots import found_over_time
from reeltag.report.view import Card, FoundSection


def found_section(moments: FoundMoments, data: Path, *, count: int, seed: int) -> FoundSection:
    """Return moments next to known events: scores, classes, and some videos over their time.

    Args:
        moments: what was found and what is known.
        data: folder of the videos, for their thumbnails.
        count: videos that are shown, of the best, of the worst, and at random.
        seed: random seed of the random ones.
    """
    scores, classes = score_found(moments)
    has_events = moments.known is not None
    shown = choose_found(moments, count=count, seed=seed)
    chosen = f"{len(shown):,} of {len(moments.searched):,} videos: "
    chosen += "those that agree best and worst, and " if has_events else ""
    chosen += f"random ones (seed {seed})."
    ends = [(name.removeprefix("map@tiou="), value) for name, value in scores.items()]
    named = [(f"mAP at tIoU {at}", at, value) for at, value in ends]
    return FoundSection(
        videos=len(moments.searched),
        moments=len(moments.found),
        events=None if moments.known is None else len(moments.known.classes),
        scores=scores,
        cards=tuple(
            Card(
                name=name,
                value=value,
                interval=None,
                about=f"a moment is right at a temporal IoU of {at} or more",
            )
            for name, at, value in named
        ),
        timelines=tuple(
            (video, found_over_time(video, film_strip(data, video.id), has_events, number))
            for number, video in enumerate(shown, 1)
        ),
        chosen=chosen,
        classes=tuple(classes),
    )
