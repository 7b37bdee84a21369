"""The trials of a study and the importance of its fields, as one picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from reeltag.core.files import PathLike, whole_file

STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same picture everywhere
    "font.size": 9,
    "svg.fonttype": "path",
    "svg.hashsalt": "reeltag",
    "text.parse_math": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.edgecolor": "#c5cdd5",
    "axes.labelcolor": "#5b6875",
    "axes.titlecolor": "#1b2733",
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "grid.color": "#e6eaee",
    "xtick.color": "#c5cdd5",
    "ytick.color": "#c5cdd5",
    "xtick.labelcolor": "#5b6875",
    "ytick.labelcolor": "#1b2733",
    "legend.frameon": False,
    "legend.fontsize": 8.5,
}
INK, BLUE, GREY, RED = "#1b2733", "#2f7fb5", "#8b97a3", "#b5482f"
SHOWN = 12  # fields
ROWS = 6  # of the axes: fewer fields leave room below


@dataclass(frozen=True, kw_only=True)
class Dot:
    """A trial: its number, its validation metric (None: not measured), and its state."""

    number: int
    value: float | None
    state: str


def draw_study(
    dots: Sequence[Dot], importance: Mapping[str, float], path: PathLike, *, metric: str, title: str
) -> None:
    """Draw the history of a study and the importance of its fields, as SVG.

    Args:
        dots: the trials by number, at least one.
        importance: fraction of the variation that each field explains, the largest first; may be
            empty.
        path: the .svg, which is replaced whole or not at all.
        metric: name of the values.
        title: above the history.

    Raises:
        OutputError: the file cannot be written.
    """
    path = Path(path)
    names = list(importance)[:SHOWN]
    with mpl.rc_context(STYLE):
        drawn = Figure(figsize=(10.4, max(3.6, 1.4 + 0.3 * len(names))), layout="constrained")
        left, right = drawn.subplots(1, 2, width_ratios=(1.5, 1))
        _draw_history(left, dots, metric, title)
        _draw_importance(right, {name: importance[name] for name in names})
        with whole_file(path) as part:
            drawn.savefig(part, format="svg", metadata={"Date": None})


def _draw_history(axes: Axes, dots: Sequence[Dot], metric: str, title: str) -> None:
    axes.set_title(title)
    axes.grid(visible=True)
    marks = (("complete", "o", BLUE), ("pruned", "x", GREY), ("running", "D", GREY))
    for state, mark, colour in marks:
        found = [(d.number, d.value) for d in dots if d.state == state and d.value is not None]
        if found:
            axes.plot(*zip(*found, strict=True), mark, color=colour, markersize=4.5, label=state)
    failed = [dot.number for dot in dots if dot.state == "failed"]
    if failed:
        axes.plot(failed, np.full(len(failed), 0.02), "|", color=RED, markersize=9, label="failed",
                  transform=axes.get_xaxis_transform())  # fmt: skip
    done = [(d.number, d.value) for d in dots if d.state == "complete" and d.value is not None]
    if done:
        numbers, values = zip(*done, strict=True)
        best = np.maximum.accumulate(values)
        axes.step([*numbers, dots[-1].number], [*best, best[-1]], where="post", color=INK,
                  linewidth=1.3, label="best so far")  # fmt: skip
    if axes.has_data():
        axes.legend(loc="lower right", bbox_to_anchor=(1.02, 0.98), ncols=5, columnspacing=1.2,
                    handlelength=1.4)  # fmt: skip
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.tick_params(length=0)
    axes.set(xlabel="trial", ylabel=f"{metric} on validation")


def _draw_importance(axes: Axes, importance: Mapping[str, float]) -> None:
    axes.set_title("Importance of fields")
    axes.tick_params(length=0)
    if not importance:
        axes.set_axis_off()
        axes.text(0, 0.9, "two different trials are needed", color=GREY, transform=axes.transAxes)
        return
    names, values = list(importance)[::-1], list(importance.values())[::-1]
    axes.barh(names, values, 0.62, color=BLUE, alpha=0.75)
    for at, value in enumerate(values):
        axes.annotate(f"{value:.0%}", (value, at), (4, 0), textcoords="offset points",
                      va="center", color=INK, fontsize=8.5)  # fmt: skip
    axes.set_xlim(0, 1.15 * max(max(values), 1e-9))
    axes.set_ylim(len(names) - 0.5 - max(len(names), ROWS), len(names) - 0.5)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    axes.set_xlabel("fraction of the variation explained")
