"""Found moments of a video over its time, below what is known of it."""

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from numpy.typing import NDArray

from reeltag.figures.svg import GRID, INK, LINES, figure, plain, to_svg
from reeltag.report.found_moments import ShownVideo

_WIDTH = 6.2  # inches
_FAINTEST = 0.35  # opacity of an improbable moment
_LONGEST_NAME = 22


def found_over_time(
    video: ShownVideo, strip: NDArray[np.uint8] | None, has_events: bool, number: int
) -> Markup:
    """Draw a row for each class: known times outlined, found ones filled below them.

    Args:
        video: what to draw.
        strip: (H, W, 3) pictures over the whole time; None = none.
        has_events: times are known.
        number: of the figure on the page.
    """
    rows = len(video.classes)
    heights = [0.24 * rows + 0.4]
    if strip is not None:
        heights.insert(0, 0.44)
    with figure(_WIDTH, sum(heights) + 0.1) as drawn:
        axes = drawn.subplots(len(heights), 1, sharex=True, height_ratios=heights, squeeze=False)
        below: Axes = axes[-1, 0]
        if strip is not None:
            above: Axes = axes[0, 0]
            above.imshow(strip, extent=(0, video.seconds, 0, 1), aspect="auto")
            above.set_axis_off()
        _draw_rows(below, video, has_events)
        below.set_xlim(0, video.seconds)
        below.set_ylim(rows - 0.5, -0.5)
        below.set_yticks(range(rows), [_short(each.name) for each in video.classes])
        below.grid(visible=False, axis="y")
        plain(below, "seconds", "")
        return to_svg(drawn, f"found-{number}", _in_words(video))


def _draw_rows(axes: Axes, video: ShownVideo, has_events: bool) -> None:
    for row, each in enumerate(video.classes):
        if row:
            axes.axhline(row - 0.5, color=GRID, linewidth=0.6)
        known = [(start, end - start) for start, end in each.known]
        axes.broken_barh(known, (row - 0.36, 0.24), facecolor="none", edgecolor=INK, linewidth=1.1)
        place = (row - 0.04, 0.38) if has_events else (row - 0.3, 0.6)
        for start, end, prob in each.found:
            opacity = _FAINTEST + (1 - _FAINTEST) * prob
            axes.broken_barh(
                [(start, end - start)], place, facecolor=LINES[0], alpha=opacity, linewidth=0
            )


def _in_words(video: ShownVideo) -> str:
    parts = []
    for each in video.classes:
        known = ", ".join(f"{start:g} to {end:g} s" for start, end in each.known) or "never"
        found = ", ".join(f"{start:g} to {end:g} s" for start, end, _ in each.found) or "never"
        parts.append(f"{each.name} known {known}, found {found}")
    return f"Moments of video {video.id}: {'; '.join(parts)}"


def _short(name: str) -> str:
    return (
        name
        if len(name) <= _LONGEST_NAME
        else f"{name[: _LONGEST_NAME - 1]}\N{HORIZONTAL ELLIPSIS}"
    )
