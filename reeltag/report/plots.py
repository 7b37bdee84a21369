"""The plots of the page, each a function from facts to an <svg> element."""

import textwrap
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from reeltag.figures.drawing import INK, LINES, MUTED, PAPER, figure, log_axis, plain, to_svg
from reeltag.report.examples import Line, Timeline
from reeltag.report.facts import Reliability
from reeltag.report.results import Figure

HALF = 5.2  # inches: half of the page's width
MIN_PAIRS = 5  # of a bin of the reliability curve that is drawn
NAME = 26  # letters of a stage's name in one line
Dashes = str | tuple[float, tuple[float, ...]]
DASHES: tuple[Dashes, ...] = (
    "solid",
    (0, (5, 1.6)),
    (0, (1.6, 1.2)),
)  # tells lines apart where colours do not
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
    counts: NDArray[np.int64],
    precision: NDArray[np.float64],
    positives: NDArray[np.int64],
    of: str,
    name: str,
) -> str:
    """Draw a dot a class: average precision over its number of labels, and the running median.

    Args:
        counts: (C,) labels, the x axis; classes without any stand at 0.8.
        precision: (C,) NaN where the class has no positive; such classes are left out.
        positives: (C,) positives the precision is measured on; the dot's area.
        of: what `counts` counts.
        name: of the drawing, distinct on the page.
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
            axes.legend(loc="lower right", bbox_to_anchor=(1.02, 0.99))
        log_axis(axes, "x")
        axes.set_ylim(-0.03, 1.03)
        plain(axes, of, "average precision")
        words = f"Average precision of {len(known):,} classes over their number of {of}"
        return to_svg(drawn, name, words)


def precision_by_rank(
    precision: NDArray[np.float64], chance: NDArray[np.float64], worst: int
) -> str:
    """Draw the average precision of each class, the worst first, and that of a random order.

    Args:
        precision: (N,) rising, of the classes that are shown.
        chance: (N,) of the same classes.
        worst: so many are marked, from the first on.
    """
    places = np.arange(1, len(precision) + 1)
    with figure(HALF, 3.6) as drawn:
        axes = drawn.add_subplot()
        colours = [LINES[1] if place <= worst else LINES[0] for place in places]
        axes.bar(places, precision, width=1, color=colours, alpha=0.75, linewidth=0)
        axes.plot(places, chance, ".", color=INK, markersize=4, label="in a random order")
        axes.legend(loc="lower right", bbox_to_anchor=(1.02, 0.99), handletextpad=0.1)
        axes.set_ylim(0, 1.03)
        axes.set_xlim(0.4, len(precision) + 0.6)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.grid(visible=False, axis="x")
        plain(axes, "classes, the worst first", "average precision")
        words = (
            f"Average precision of {len(precision):,} classes, from {precision[0]:.3f} to "
            f"{precision[-1]:.3f}; half of them have {np.median(precision):.3f} or more"
        )
        return to_svg(drawn, "precision", words)


def reliability_curve(reliability: Reliability, true: str, name: str) -> str:
    """Draw the share of hits over the probability said, with intervals, and how many pairs.

    Args:
        reliability: of at least one bin with five pairs.
        true: what a hit is: "are labels".
        name: of the drawing, distinct on the page.
    """
    bins = [part for part in reliability.bins if part.pairs >= MIN_PAIRS]
    said = np.array([part.said for part in bins])
    share = np.array([part.hits / part.pairs for part in bins])
    low, high = np.array([part.interval for part in bins]).T
    with figure(HALF, 3.6) as drawn:
        axes, below = drawn.subplots(2, 1, sharex=True, height_ratios=(3.1, 1))
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        at, side = ((0, 5), "right") if share.mean() < said.mean() else ((5, -10), "left")
        axes.annotate("perfect", (0.7, 0.7), at, textcoords="offset points", ha=side,
                      color=MUTED, fontsize=8.5)  # fmt: skip
        reach = np.maximum([share - low, high - share], 0)
        axes.errorbar(said, share, reach, color=LINES[0], fmt="o-", markersize=4.5, elinewidth=1)
        axes.set_ylim(-0.03, 1.03)
        plain(axes, "", f"share that {true}")
        below.bar(said, [part.pairs for part in bins], width=0.05, color=LINES[0], alpha=0.6)
        for part in bins:
            below.annotate(_short(part.pairs), (part.said, part.pairs), (0, 1.5), ha="center",
                           textcoords="offset points", color=MUTED, fontsize=7)  # fmt: skip
        below.set_yticks([])
        below.set_ylim(0, 1.25 * max(part.pairs for part in bins))
        below.set_xlim(-0.03, 1.03)
        below.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        plain(below, "predicted probability", "pairs")
        told = "; ".join(
            f"said {part.said:.0%}, was {part.hits / part.pairs:.0%} of {part.pairs:,}"
            for part in bins
        )
        return to_svg(drawn, name, f"Share that {true} over predicted probability: {told}")


def _short(count: int) -> str:
    for size, letter in ((10**6, "M"), (10**3, "k")):
        if count >= 10 * size:
            return f"{count / size:,.0f}{letter}"
    return f"{count:,}"


def stage_bars(
    names: Sequence[str], figures: Sequence[Figure], metric: str, name: str, *, ours: bool
) -> tuple[str, float]:
    """Draw a bar a stage, with its interval or its seeds; return also where the bars begin.

    Bars begin at 0 unless the figures are close together: then they could not be told apart.

    Args:
        names: of the stages.
        figures: of each; None as value = no bar.
        metric: what the figures are.
        name: of the drawing, distinct on the page.
        ours: measured here, not the paper's.
    """
    values = np.array([np.nan if one.value is None else one.value for one in figures])
    ends = [end for one in figures for end in (*(one.interval or ()), *one.seeds)]
    everything = np.append(values[~np.isnan(values)], ends)
    start = _bar_start(everything)
    places = np.arange(len(names))
    with figure(HALF, 0.75 + 0.36 * len(names)) as drawn:
        axes = drawn.add_subplot()
        axes.barh(places, values - start, 0.62, left=start, color=LINES[0] if ours else MUTED,
                  alpha=0.55, linewidth=0)  # fmt: skip
        for place, one in zip(places, figures, strict=True):
            if one.interval is not None:
                axes.plot(one.interval, (place, place), color=INK, linewidth=1.3)
            if len(one.seeds) > 1:
                axes.plot(one.seeds, np.full(len(one.seeds), place), "o", color=INK, markersize=4,
                          markerfacecolor=PAPER)  # fmt: skip
        lines = [textwrap.wrap(text, NAME, max_lines=3, placeholder=" …") for text in names]
        axes.set_yticks(places, ["\n".join(parts) for parts in lines])
        axes.tick_params(axis="y", labelcolor=INK)
        axes.invert_yaxis()
        reach = max(float(everything.max()) - start, 1e-9)
        axes.set_xlim(start, start + 1.06 * reach)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.grid(visible=False, axis="y")
        plain(axes, "", "")
        told = "; ".join(
            f"{text} {one.value:.4g}"
            for text, one in zip(names, figures, strict=True)
            if one.value is not None
        )
        return to_svg(drawn, name, f"{metric}: {told}"), start


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def _bar_start(values: NDArray[np.float64]) -> float:
    """Return 0, or a round number below all values where these are close together."""
    low, high = float(values.min()), float(values.max())
    if low <= 0 or high - low > 0.3 * high:
        return min(low, 0.0)
    spread = max(high - low, 0.02 * high)
    step = 10.0 ** np.floor(np.log10(spread))
    return float(max(np.floor((low - 0.5 * spread) / step) * step, 0.0))


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
        for line, colour, dashes in zip(timeline.lines, LINES, DASHES, strict=False):
            _draw_line(axes, line, colour, dashes, _shortened(names[line.label], 72 // rows))
        axes.set_ylim(-0.05, 1.05)
        axes.set_xlim(0, max(timeline.seconds, 5))
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        plain(axes, "" if truth else "seconds", "probability")
        axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1), ncols=3, columnspacing=1.2,
                    handlelength=1.9, handletextpad=0.5)  # fmt: skip
        told = "; ".join(_in_words(line, names[line.label]) for line in timeline.lines)
        words = f"Probability over the {timeline.seconds} seconds of video {timeline.id}: {told}"
        return to_svg(drawn, f"timeline-{number}", words)


def _in_words(line: Line, name: str) -> str:
    rated = [f"{'there' if yes else 'not there'} at {start} s" for start, yes in line.rated]
    return f"{name}, rated {', '.join(rated)}"


def _draw_line(axes: Axes, line: Line, colour: str, dashes: Dashes, name: str) -> None:
    x, y = [0.0], [np.nan]
    for start, chance in zip(line.starts.tolist(), line.chances.tolist(), strict=True):
        if start != x[-1]:  # nothing was said of what lies between
            x, y = [*x, start], [*y, np.nan]
        x, y = [*x, start, start + 5], [*y, chance, chance]
    axes.plot(x, y, color=colour, linestyle=dashes, label=name, linewidth=1.5)
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
