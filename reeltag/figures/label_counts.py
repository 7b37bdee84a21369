"""Label counts before and after an augmentation, as in Axon AI 2018, Fig. 2."""

import numpy as np
from numpy.typing import NDArray

from reeltag.figures.svg import LINES, MUTED, figure, log_axis, plain, to_svg_file


def draw_label_counts(before: NDArray[np.int64], after: NDArray[np.int64], pivot: float) -> str:
    """Draw the number of videos of each label before and after, on logarithmic axes.

    Left: the counts, sorted, over their rank (Fig. 2 of the paper). Right: a dot per label.

    Args:
        before: (C,) videos of each class.
        after: (C,) samples of each class.
        pivot: count above which labels are sub-sampled.
    """
    with figure(10, 4) as drawn:
        left, right = drawn.subplots(1, 2)
        for counts, colour, name in ((before, LINES[0], "before"), (after, LINES[1], "after")):
            falling = -np.sort(-counts[counts > 0])
            rank = np.arange(1, len(falling) + 1)
            left.plot(rank, falling, color=colour, label=f"{name}: {_shown(falling.sum())} labels")
        left.legend(loc="lower left")
        log_axis(left, "x")
        log_axis(left, "y")
        left.set_ylim(bottom=0.8)
        plain(left, "rank of the label", "videos", "Label counts")
        held = (before > 0) & (after > 0)
        ends = np.array([1, max(before.max(), 2)])
        right.plot(ends, ends, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        near = ends[1] ** 0.8
        right.annotate("unchanged", (near, near), (8, -12), textcoords="offset points",
                       color=MUTED, fontsize=8.5)  # fmt: skip
        if 1 < pivot < before.max():
            right.axvline(pivot, color=MUTED, linewidth=1, linestyle=(0, (1, 2)))
            top = right.get_xaxis_transform()
            right.annotate(f" pivot {_shown(pivot)}", (pivot, 0.03), xycoords=top, color=MUTED,
                           fontsize=8.5)  # fmt: skip
        right.scatter(
            before[held], after[held], s=10, color=LINES[1], alpha=0.45, linewidths=0, zorder=2
        )
        log_axis(right, "x")
        log_axis(right, "y")
        right.set_ylim(bottom=0.8)
        plain(right, "videos before", "samples after", "Each label")
        return to_svg_file(drawn, "label-counts", "Label counts before and after, log-log")


def _shown(number: float) -> str:
    return f"{number:,.0f}"
