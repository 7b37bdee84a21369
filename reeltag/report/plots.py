"""The plots of the page, each a function from numbers to an <svg> element."""

import textwrap
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from reeltag.figures.svg import INK, LINES, MUTED, PAPER, figure, log_axis, plain, to_svg
from reeltag.report.examples import ClassTrace, Timeline
from reeltag.report.facts import Reliability
from reeltag.report.results import MetricValue

HALF = 5.2  # inches: half of the page's width
MIN_PAIRS = 5  # of a bin of the reliability curve that is drawn
NAME = 26  # letters of a stage's name in one line
Dashes = str | tuple[float, tuple[float, ...]]
# lines differ in dashes too, for readers who do not see the colours
DASHES: tuple[Dashes, ...] = ("solid", (0, (5, 1.6)), (0, (1.6, 1.2)))
Series = tuple[NDArray[np.float64], NDArray[np.float64]]


def loss_curve(steps: NDArray[np.float64], losses: NDArray[np.float64]) -> Markup:
    """Draw the training loss over steps, logarithmic where it falls far."""
    with figure(HALF, 2.8) as drawn:
        axes = drawn.add_subplot()
        axes.plot(steps, losses, color=LINES[0])
        if losses.min() > 0 and losses.max() > 20 * losses.min():
            log_axis(axes, "y")
        plain(axes, "step", "nats per video")
        _steps(axes)
        return to_svg(drawn, "loss", "Training loss over steps")


def validation_curves(curves: dict[str, Series]) -> Markup:
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
    axis: str,
    name: str,
) -> Markup:
    """Draw a dot per class: average precision over its number of labels, and the running median.

    Args:
        counts: (C,) labels, the x axis; classes without any are at 0.8.
        precision: (C,) NaN where the class has no positive; such classes are left out.
        positives: (C,) positives the precision is measured on; the dot's area.
        axis: name of the x axis.
        name: of the drawing, unique on the page.
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
        plain(axes, axis, "average precision")
        words = f"Average precision of {len(known):,} classes over their number of {axis}"
        return to_svg(drawn, name, words)


def precision_by_rank(
    precision: NDArray[np.float64], random_precision: NDArray[np.float64], worst: int
) -> Markup:
    """Draw the average precision of each class, the worst first, and of a random order.

    Args:
        precision: (N,) rising, of the classes that are shown.
        random_precision: (N,) expected of a random order, of the same classes.
        worst: number of classes that are marked, from the first on.
    """
    places = np.arange(1, len(precision) + 1)
    with figure(HALF, 3.6) as drawn:
        axes = drawn.add_subplot()
        colours = [LINES[1] if place <= worst else LINES[0] for place in places]
        axes.bar(places, precision, width=1, color=colours, alpha=0.75, linewidth=0)
        axes.plot(places, random_precision, ".", color=INK, markersize=4, label="random order")
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


def reliability_curve(reliability: Reliability, true: str, name: str) -> Markup:
    """Draw the fraction of hits over the predicted probability, with intervals, and the pairs.

    Args:
        reliability: at least one bin has five pairs.
        true: what hits do: "are labels".
        name: of the drawing, unique on the page.
    """
    bins = [part for part in reliability.bins if part.pairs >= MIN_PAIRS]
    probs = np.array([part.mean_prob for part in bins])
    hits = np.array([part.hits / part.pairs for part in bins])
    low, high = np.array([part.interval for part in bins]).T
    with figure(HALF, 3.6) as drawn:
        axes, below = drawn.subplots(2, 1, sharex=True, height_ratios=(3.1, 1))
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        at, side = ((0, 5), "right") if hits.mean() < probs.mean() else ((5, -10), "left")
        axes.annotate("perfect", (0.7, 0.7), at, textcoords="offset points", ha=side,
                      color=MUTED, fontsize=8.5)  # fmt: skip
        reach = np.maximum([hits - low, high - hits], 0)
        axes.errorbar(probs, hits, reach, color=LINES[0], fmt="o-", markersize=4.5, elinewidth=1)
        axes.set_ylim(-0.03, 1.03)
        plain(axes, "", f"fraction that {true}")
        below.bar(probs, [part.pairs for part in bins], width=0.05, color=LINES[0], alpha=0.6)
        for part in bins:
            below.annotate(_short(part.pairs), (part.mean_prob, part.pairs), (0, 1.5), ha="center",
                           textcoords="offset points", color=MUTED, fontsize=7)  # fmt: skip
        below.set_yticks([])
        below.set_ylim(0, 1.25 * max(part.pairs for part in bins))
        below.set_xlim(-0.03, 1.03)
        below.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        plain(below, "predicted probability", "pairs")
        words = "; ".join(
            f"predicted {part.mean_prob:.0%}, true {part.hits / part.pairs:.0%} of {part.pairs:,}"
            for part in bins
        )
        return to_svg(drawn, name, f"Fraction that {true} over predicted probability: {words}")


def _short(count: int) -> str:
    for size, letter in ((10**6, "M"), (10**3, "k")):
        if count >= 10 * size:
            return f"{count / size:,.0f}{letter}"
    return f"{count:,}"


def stage_bars(
    names: Sequence[str], measured: Sequence[MetricValue], metric: str, name: str, *, ours: bool
) -> tuple[Markup, float]:
    """Draw a bar per stage, with its interval or its seeds; return also where the bars begin.

    Bars begin at 0 unless the values are too close together to be distinguished.

    Args:
        names: of the stages.
        measured: of each; None as value = no bar.
        metric: name of the metric.
        name: of the drawing, unique on the page.
        ours: measured here, not the paper's.
    """
    values = np.array([np.nan if one.value is None else one.value for one in measured])
    ends = [end for one in measured for end in (*(one.interval or ()), *one.seeds)]
    everything = np.append(values[~np.isnan(values)], ends)
    start = _bar_start(everything)
    places = np.arange(len(names))
    with figure(HALF, 0.75 + 0.36 * len(names)) as drawn:
        axes = drawn.add_subplot()
        axes.barh(places, values - start, 0.62, left=start, color=LINES[0] if ours else MUTED,
                  alpha=0.55, linewidth=0)  # fmt: skip
        for place, one in zip(places, measured, strict=True):
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
        words = "; ".join(
            f"{text} {one.value:.4g}"
            for text, one in zip(names, measured, strict=True)
            if one.value is not None
        )
        return to_svg(drawn, name, f"{metric}: {words}"), start


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


def score_over_time(timeline: Timeline, names: tuple[str, ...], number: int) -> Markup:
    """Draw the probability of a video's rated classes over its time, with the ratings marked."""
    truth = any(trace.present for trace in timeline.traces)
    rows = len(timeline.traces)
    with figure(HALF, 2.6 + 0.14 * rows * truth) as drawn:
        if truth:
            axes, below = drawn.subplots(2, 1, sharex=True, height_ratios=(14, rows))
            for row, (trace, colour) in enumerate(zip(timeline.traces, LINES, strict=False)):
                spans = [(start, end - start) for start, end in trace.present]
                below.broken_barh(spans, (-row - 0.35, 0.7), color=colour, linewidth=0)
            below.set_ylim(0.4 - rows, 0.6)
            below.set_yticks([])
            below.grid(visible=False)
            plain(below, "seconds", "truth")
        else:
            axes = drawn.add_subplot()
        for trace, colour, dashes in zip(timeline.traces, LINES, DASHES, strict=False):
            _draw_trace(axes, trace, colour, dashes, _shortened(names[trace.label], 72 // rows))
        axes.set_ylim(-0.05, 1.05)
        axes.set_xlim(0, max(timeline.seconds, 5))
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        plain(axes, "" if truth else "seconds", "probability")
        axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1), ncols=3, columnspacing=1.2,
                    handlelength=1.9, handletextpad=0.5)  # fmt: skip
        spoken = "; ".join(_in_words(trace, names[trace.label]) for trace in timeline.traces)
        length = f"{timeline.seconds:g} seconds"
        words = f"Probability over the {length} of video {timeline.id}: {spoken}"
        return to_svg(drawn, f"timeline-{number}", words)


def _in_words(trace: ClassTrace, name: str) -> str:
    rated = [f"{'there' if yes else 'not there'} at {start:g} s" for start, _, yes in trace.rated]
    return f"{name}, rated {', '.join(rated)}"


def _draw_trace(axes: Axes, trace: ClassTrace, colour: str, dashes: Dashes, name: str) -> None:
    x, y = [0.0], [np.nan]
    for (start, end), prob in zip(trace.times.tolist(), trace.probs.tolist(), strict=True):
        if start != x[-1]:  # nothing is known in between
            x, y = [*x, start], [*y, np.nan]
        x, y = [*x, start, end], [*y, prob, prob]
    axes.plot(x, y, color=colour, linestyle=dashes, label=name, linewidth=1.5)
    for start, end, positive in trace.rated:
        at = np.flatnonzero((trace.times == (start, end)).all(axis=1))
        height = trace.probs[at[0]] if len(at) and not np.isnan(trace.probs[at[0]]) else 0.0
        axes.plot(
            (start + end) / 2,
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
    """Return the usual spelling of a metric's name."""
    return {"gap@20": "GAP@20", "map": "mAP", "perr": "PERR", "hit@1": "Hit@1"}.get(name, name)
