"""Matplotlib figures as SVG for a page, whose colours they take, or for a file of their own.

Figures are drawn in placeholder colours. In a page CSS variables take their place, so that one
drawing is right on light and dark; in a file the light colours do. Text stays text.
"""

import io
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal
from xml.etree import ElementTree

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from reeltag.core.text import visible

INK, MUTED, GRID, PAPER = "#010203", "#040506", "#070809", "#0a0b0c"
LINES = ("#0d0e0f", "#101112", "#131415")  # distinct also for colour-blind readers
VARIABLES = {
    INK: "ink", MUTED: "muted", GRID: "grid", PAPER: "paper",
    LINES[0]: "line-1", LINES[1]: "line-2", LINES[2]: "line-3",
}  # fmt: skip
LIGHT = {
    "ink": "#1b1f24", "muted": "#5b6470", "grid": "#dfe3e8", "paper": "#ffffff",
    "line-1": "#2563b8", "line-2": "#c2570c", "line-3": "#6b7f10",
}  # fmt: skip
SVG = "http://www.w3.org/2000/svg"
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


ElementTree.register_namespace("", SVG)
ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")


@contextmanager
def figure(width: float, height: float) -> Iterator[Figure]:
    """Yield an empty figure of that size in inches, in the page's style."""
    with mpl.rc_context(STYLE):
        yield Figure(figsize=(width, height), layout="constrained")


def to_svg(drawn: Figure, name: str, words: str) -> Markup:
    """Return the figure as an <svg> element of a page; the same figure gives the same text.

    Args:
        drawn: made within `figure`, and still in it.
        name: unique on the page; prefixes every id.
        words: the figure in words, for screen readers.
    """
    colours = {place: f"var(--{name})" for place, name in VARIABLES.items()}
    return Markup(ElementTree.tostring(_to_element(drawn, name, words, colours), "unicode"))


def to_svg_file(drawn: Figure, name: str, words: str) -> str:
    """Return the figure as the text of an .svg file in light colours; arguments as `to_svg`."""
    colours = {place: LIGHT[name] for place, name in VARIABLES.items()}
    root = _to_element(drawn, name, words, colours)
    root.set("style", "font-family:system-ui,-apple-system,'Segoe UI',Roboto,sans-serif")
    paper = {"width": "100%", "height": "100%", "fill": LIGHT["paper"]}
    root.insert(0, ElementTree.Element(f"{{{SVG}}}rect", paper))
    return ElementTree.tostring(root, "unicode") + "\n"


def _to_element(
    drawn: Figure, name: str, words: str, colours: Mapping[str, str]
) -> ElementTree.Element:
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": name}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # the reader's has it
        drawn.savefig(buffer, format="svg", transparent=True)
    root = ElementTree.fromstring(visible(buffer.getvalue()))
    for metadata in root.findall(f"{{{SVG}}}metadata"):
        root.remove(metadata)
    for element in root.iter():
        for key, value in element.items():
            for placeholder, colour in colours.items():
                value = value.replace(placeholder, colour)
            if key == "id":
                value = f"{name}-{value}"
            elif key.endswith("href"):
                value = value.replace("#", f"#{name}-", 1)
            value = value.replace("url(#", f"url(#{name}-")
            element.set(key, re.sub(" font-family: [^;]*;", "", value))
    root.set("role", "img")
    root.set("aria-label", words)
    return root


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
