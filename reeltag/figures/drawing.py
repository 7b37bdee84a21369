"""Matplotlib figures as SVG text that stands inside a page and takes the page's colours.

Figures are drawn in placeholder colours; `to_svg` puts CSS variables in their place, so that one
drawing is right on a light and on a dark page. Text stays text, in the page's font.
"""

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

INK, MUTED, GRID, PAPER = "#010203", "#040506", "#070809", "#0a0b0c"
LINES = ("#0d0e0f", "#101112", "#131415")  # told apart also by those who see few colours
VARIABLES = {
    INK: "ink", MUTED: "muted", GRID: "grid", PAPER: "paper",
    LINES[0]: "line-1", LINES[1]: "line-2", LINES[2]: "line-3",
}  # fmt: skip
STYLE: dict[Any, Any] = {  # keys are Literals in matplotlib's later stubs
    "svg.fonttype": "none",
    "text.parse_math": False,  # names may hold a $
    "font.size": 9,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.7,
}


@contextmanager
def figure(width: float, height: float) -> Iterator[Figure]:
    """Yield an empty figure of that size in inches, in the page's style."""
    with mpl.rc_context(STYLE):
        yield Figure(figsize=(width, height), layout="constrained")


def to_svg(drawn: Figure, name: str, words: str) -> str:
    """Return the figure as an <svg> element; the same figure gives the same text.

    Args:
        drawn: made within `figure`, and still in it.
        name: distinct on the page; prefixes every id.
        words: what a person who cannot see it should know.
    """
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": name}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # the reader's has it
        drawn.savefig(buffer, format="svg", transparent=True)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    for colour, variable in VARIABLES.items():
        text = text.replace(colour, f"var(--{variable})")
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'href="#', f'href="#{name}-', text)
    text = re.sub(r"url\(#", f"url(#{name}-", text)
    text = re.sub(r" font-family: [^;\"]*;", "", text)
    return text.replace("<svg ", f'<svg role="img" aria-label="{escape(words)}" ', 1).strip()


def log_axis(axes: Axes, which: Literal["x", "y"]) -> None:
    """Make an axis logarithmic, with plain numbers (0.1, 1, 1,000) instead of powers."""
    axes.set(**{f"{which}scale": "log"})
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
    axis.set_minor_formatter(NullFormatter())


def plain(axes: Axes, xlabel: str, ylabel: str, title: str = "") -> None:
    """Name the axes and take away the ticks' marks."""
    axes.set(xlabel=xlabel, ylabel=ylabel)
    if title:
        axes.set_title(title)
    axes.tick_params(which="both", length=0)
