"""The plots of the page, each a function from facts to an <svg> element."""

from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from reeltag.report.drawing import INK, LINES, MUTED, PAPER, figure, log_axis, plain, to_svg
from reeltag.report.examples import Line, Timeline
from reeltag.report.facts import Bin

HALF = 5.2  # inches: half of the page's width
Series = tuple[NDArray[np.float64], NDArray[np.float64]]


def loss_curve(steps: NDArray[np.float64], losses: NDArray[np.float64]) -> str:
    """Draw the training loss over steps, logarithmic where it falls far."""
    with figure(HALF, 2.8) as drawn:
        axes = drawn.add_subplot()
        axes.plot(steps, losses, color=LINES[0])
        if losses.min() > 0 and losses.max() > 20 * losses.min():
            log_axis(axes, "y")
        plain(axes, "step", "nats per video")
        _steps(axes)
        return to_svg(drawn, "loss", "Training loss over steps")


def validation_curves(curves: dict[str, Series]) -> str:
    """Draw the validation metrics, at most three: name -> (steps, values)."""
    with figure(HALF, 2.8) as drawn:
        axes = drawn.add_subplot()
        for (name, (steps, values)), colour in zip(curves.items(), LINES, strict=False):
            axes.plot(steps, values, "o-", color=colour, markersize=4, label=metric_name(name))
        axes.set_ylim(bottom=0)
        plain(axes, "step", metric_name(next(iter(curves))) if len(curves) == 1 else "")
        if len(curves) > 1:
            axes.legend()
        _steps(axes)
        return to_svg(drawn, "validation", "Validation metric over steps")


def _steps(axes: Axes) -> None:
    axes.set_xlim(left=0)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))


def precision_by_frequency(
    counts: NDArray[np.int64], precision: NDArray[np.float64], positives: NDArray[np.int64], of: str
) -> str:
    """Draw a dot a class: average precision over its number of labels, and the running median.

    Args:
        counts: (C,) labels, the x axis; classes without any stand at 0.8.
        precision: (C,) NaN where the class has no positive; such classes are left out.
        positives: (C,) positives the precision is measured on; the dot's area.
        of: what `counts` counts.
    """
    known = np.flatnonzero(~np.isnan(precision))
    x, y = np.maximum(counts[known], 0.8), precision[known]
    with figure(HALF, 3.6) as drawn:
        axes = drawn.add_subplot()
        area = 8 + 60 * positives[known] / max(positives.max(), 1)
        axes.scatter(x, y, s=area, color=LINES[0], alpha=0.45, linewidths=0)
        edges = np.quantile(np.log(x), np.linspace(0, 1, min(8, len(known) // 6 + 1) + 1))
        middles = [
            (np.exp(np.median(np.log(x[inside]))), np.median(y[inside]))
            for low, high in pairwise(edges)
            if (inside := (np.log(x) >= low) & (np.log(x) <= high)).sum() >= 3
        ]
        if len(middles) > 1:
            axes.plot(*np.array(middles).T, color=INK, label="median")
            axes.legend(loc="lower right")
        log_axis(axes, "x")
        axes.set_ylim(-0.03, 1.03)
        plain(axes, of, "average precision")
        return to_svg(drawn, "frequency", "Average precision of each class over its frequency")


def reliability_curve(bins: list[Bin]) -> str:
    """Draw the share of hits over the probability said, with intervals, and how many pairs."""
    said = np.array([part.said for part in bins])
    share = np.array([part.hits / part.pairs for part in bins])
    low, high = np.array([part.interval for part in bins]).T
    with figure(HALF, 3.6) as drawn:
        axes, below = drawn.subplots(2, 1, sharex=True, height_ratios=(3.4, 1))
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        axes.annotate("perfect", (0.86, 0.86), (0, 5), textcoords="offset points", ha="right",
                      color=MUTED, fontsize=8.5)  # fmt: skip
        reach = np.maximum([share - low, high - share], 0)
        axes.errorbar(said, share, reach, color=LINES[0], fmt="o-", markersize=4.5, elinewidth=1)
        axes.set_ylim(-0.03, 1.03)
        plain(axes, "", "share that are labels")
        below.bar(said, [part.pairs for part in bins], width=0.06, color=LINES[0], alpha=0.6)
        log_axis(below, "y")
        below.set_xlim(-0.03, 1.03)
        below.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        plain(below, "predicted probability", "pairs")
        return to_svg(drawn, "reliability", "Share of true labels over predicted probability")


def score_over_time(timeline: Timeline, names: tuple[str, ...], number: int) -> str:
    """Draw the probability of a video's rated classes over its time, with the ratings marked."""
    truth = any(line.shown for line in timeline.lines)
    rows = len(timeline.lines)
    with figure(HALF, 2.6 + 0.14 * rows * truth) as drawn:
        if truth:
            axes, below = drawn.subplots(2, 1, sharex=True, height_ratios=(14, rows))
            for row, (line, colour) in enumerate(zip(timeline.lines, LINES, strict=False)):
                spans = [(start, end - start) for start, end in line.shown]
                below.broken_barh(spans, (-row - 0.35, 0.7), color=colour, linewidth=0)
            below.set_ylim(0.4 - rows, 0.6)
            below.set_yticks([])
            below.grid(visible=False)
            plain(below, "seconds", "truth")
        else:
            axes = drawn.add_subplot()
        for line, colour in zip(timeline.lines, LINES, strict=False):
            _draw_line(axes, line, colour, names[line.label])
        axes.set_ylim(-0.05, 1.05)
        axes.set_xlim(0, timeline.seconds)
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        plain(axes, "" if truth else "seconds", "probability")
        axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1), ncols=3, columnspacing=1.2,
                    handlelength=1.2, handletextpad=0.5)  # fmt: skip
        return to_svg(drawn, f"timeline-{number}", f"Scores over time of video {timeline.id}")


def _draw_line(axes: Axes, line: Line, colour: str, name: str) -> None:
    edges = np.append(line.starts, line.starts[-1] + 5)
    axes.stairs(line.chances, edges, baseline=None, color=colour, label=name, linewidth=1.6)
    for start, positive in line.rated:
        at = np.flatnonzero(line.starts == start)
        height = line.chances[at[0]] if len(at) and not np.isnan(line.chances[at[0]]) else 0.0
        axes.plot(
            start + 2.5,
            height,
            color=colour,
            marker="o",
            markersize=7.5,
            markeredgecolor=colour,
            markerfacecolor=colour if positive else PAPER,
            markeredgewidth=1.6,
            clip_on=False,
            zorder=3,
        )


def metric_name(name: str) -> str:
    """Return how people write a metric that programs call `name`."""
    return {"gap@20": "GAP@20", "map": "mAP", "perr": "PERR", "hit@1": "Hit@1"}.get(name, name)
