"""A picture of which label implies which: boxes with names, joined by arrows."""

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.textpath import TextPath
from numpy.typing import NDArray

from reeltag.core.errors import ConfigError, DataError
from reeltag.core.files import PathLike, whole_file
from reeltag.figures.box_layout import place_boxes
from reeltag.labels.correlation import Correlation

FORMATS = (".svg", ".png", ".pdf")
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same boxes everywhere
    "svg.fonttype": "path",  # and words that fit them, whatever fonts the reader has
    "svg.hashsalt": "reeltag",
    "text.parse_math": False,  # names may hold a $
}
INK, MUTED, PAPER = "#1b2733", "#5b6875", "#ffffff"
SHADES = LinearSegmentedColormap.from_list("boxes", ["#f1f5f9", "#bcd9ee", "#6fb0dc"])
ARROWS = LinearSegmentedColormap.from_list("arrows", ["#a9b4bf", "#33475b"])
POINT = 1 / 72  # inch
FONT = (7.5, 12.5)  # points, of the rarest and of the most frequent class
LINE = (0.5, 2.4)  # points, of the weakest and of the strongest arrow
PAD = 0.07  # inch, from a word to the edge of its box
GAP, MARGIN, BORDER, HEAD, FOOT = 0.55, 0.14, 0.3, 0.85, 0.6  # inch
WRAP = 18  # characters


@dataclass(frozen=True)
class GraphSize:
    """How many classes and implications between them a picture shows."""

    classes: int
    implications: int


@dataclass(frozen=True, eq=False)
class _Graph:
    """The n chosen classes, as boxes with their names, and the m arrows between them."""

    names: tuple[str, ...]
    videos_n: NDArray[np.int64]
    font_n: NDArray[np.float64]
    edges_m2: NDArray[np.int64]
    probs_m: NDArray[np.float64]


def check_format(path: Path) -> None:
    """Raise ConfigError where the path does not end in .svg, .png or .pdf."""
    if path.suffix.lower() not in FORMATS:
        raise ConfigError(f"must end in {', '.join(FORMATS)}, got {path.name!r}", where="picture")


def draw_implications(
    correlation: Correlation,
    path: PathLike,
    *,
    tau: float = 0.5,
    min_videos: int = 1,
    limit: int = 60,
    among: NDArray[np.bool_] | None = None,
) -> GraphSize:
    """Draw the implications of probability tau or more between the most frequent classes.

    Classes that neither imply nor are implied are left out. The same correlation gives the same
    picture, byte by byte.

    Args:
        correlation: of the labels.
        path: .svg, .png or .pdf, which is replaced whole or not at all.
        tau: least probability of an arrow, > 0.
        min_videos: classes with fewer videos are left out.
        limit: largest number of classes, at least 2.
        among: (C,) bool, the classes to choose from; None: all.

    Raises:
        ConfigError: the path has another ending, or tau is not > 0.
        DataError: no class implies another.
        OutputError: the file cannot be written.
    """
    path = Path(path)
    check_format(path)
    graph = _chosen(correlation, tau, min_videos, limit, among)
    title = "Which label implies which"
    total = correlation.num_classes if among is None else int(among.sum())
    words = (
        f"A → B: a fraction of {tau:g} or more of the videos with A have B too. "
        f"{len(graph.names)} of {total:,} classes, the most frequent; "
        f"{correlation.num_videos:,} videos."
    )
    with mpl.rc_context(STYLE):
        drawn = _drawn(graph, tau, title, words)
        with whole_file(path) as part:
            metadata = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
            kind = path.suffix.lower()
            drawn.savefig(part, format=kind[1:], dpi=200, metadata=metadata.get(kind))
    return GraphSize(len(graph.names), len(graph.probs_m))


def _chosen(
    correlation: Correlation,
    tau: float,
    min_videos: int,
    limit: int,
    among: NDArray[np.bool_] | None,
) -> _Graph:
    """Return the graph of the most frequent classes, as many as leave at most `limit` joined."""
    videos = correlation.counts.videos
    found = correlation.implications(tau)
    edges_m2 = np.stack([found.row_of_entry(), found.classes.astype(np.int64)], axis=1)
    allowed = videos >= max(min_videos, 1)
    allowed = allowed if among is None else allowed & among
    inside = allowed[edges_m2].all(axis=1)
    edges_m2, probs_m = edges_m2[inside], found.values[inside]
    if not len(edges_m2):
        raise DataError(
            f"no class implies another with a probability of {tau:g} or more",
            where=correlation.source or "label correlation",
            hint="Lower --tau or --min-videos.",
        )
    rank = np.empty(len(videos), np.int64)
    rank[np.argsort(-videos, kind="stable")] = np.arange(len(videos))
    worst_m = rank[edges_m2].max(axis=1)  # an arrow is shown once the rarer class is
    order = np.argsort(worst_m, kind="stable")
    new = np.unique(edges_m2[order].reshape(-1), return_index=True)[1] // 2
    classes_at = np.cumsum(np.bincount(new, minlength=len(order)))  # after each arrow
    fits = classes_at <= max(limit, 2)
    ends = worst_m[order][~fits]
    shown = worst_m < (ends[0] if len(ends) else len(videos))
    if not shown.any():  # the first class brings more than `limit` with it: its first arrows
        shown = np.isin(np.arange(len(order)), order[fits])
    nodes, numbers = np.unique(edges_m2[shown], return_inverse=True)
    size = np.log(videos[nodes] / videos[nodes].min())
    size = size / max(size.max(), 1e-9)
    return _Graph(
        names=tuple(correlation.names[node] for node in nodes),
        videos_n=videos[nodes],
        font_n=FONT[0] + (FONT[1] - FONT[0]) * size,
        edges_m2=numbers.reshape(-1, 2),
        probs_m=probs_m[shown],
    )


def _drawn(graph: _Graph, tau: float, title: str, words: str) -> Figure:
    """Return the figure; its coordinates are inches."""
    texts = [textwrap.fill(name, WRAP, max_lines=3, placeholder=" …") for name in graph.names]
    boxes = [_extent(text, size) for text, size in zip(texts, graph.font_n, strict=True)]
    sizes_n2 = np.array(boxes) + 2 * PAD
    centres_n2 = place_boxes(sizes_n2, graph.edges_m2, gap=GAP, margin=MARGIN)
    low, high = (centres_n2 - sizes_n2 / 2).min(axis=0), (centres_n2 + sizes_n2 / 2).max(axis=0)
    width = max(high[0] - low[0], 7.5) + 2 * BORDER
    centres_n2 += (
        (width - (high[0] - low[0])) / 2 - low[0],
        BORDER + FOOT - low[1],
    )
    height = high[1] - low[1] + 2 * BORDER + HEAD + FOOT
    figure = Figure(figsize=(width, height), facecolor=PAPER)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(0, height))
    axes.set_axis_off()
    mutual = {tuple(edge) for edge in graph.edges_m2.tolist()}
    for (one, other), prob in zip(graph.edges_m2.tolist(), graph.probs_m, strict=True):
        bend = 0.18 if (other, one) in mutual else 0.0
        _arrow(axes, centres_n2[[one, other]], sizes_n2[[one, other]], _strength(prob, tau), bend)
    for centre, size, text, font, videos in zip(
        centres_n2, sizes_n2, texts, graph.font_n, graph.videos_n, strict=True
    ):
        _box(axes, centre, size, text, font, SHADES(_position(videos, graph.videos_n)))
    top = height - BORDER
    axes.text(BORDER, top, title, size=15, weight="bold", color=INK, va="top")
    lines = textwrap.fill(words, int((width - 2 * BORDER) / (9 * 0.55 * POINT)))
    axes.text(BORDER, top - 0.32, lines, size=9, color=MUTED, va="top", linespacing=1.35)
    _legend(axes, graph, tau)
    return figure


def _extent(text: str, size: float) -> tuple[float, float]:
    """Return width and height in inches of text of one or more lines."""
    lines = text.splitlines()
    widths = [TextPath((0, 0), line, size=size).get_extents().width for line in lines]
    return max(widths) * POINT, (1.25 * len(lines) - 0.25) * size * POINT


def _position(videos: int, of_n: NDArray[np.int64]) -> float:
    """Return the position in [0, 1] of a number of videos from least to most, by its logarithm."""
    least, most = np.log(of_n.min()), np.log(of_n.max())
    return float((np.log(videos) - least) / max(most - least, 1e-9))


def _strength(prob: float, tau: float) -> float:
    """Return the position of a probability between tau and 1, in [0, 1]."""
    return float((prob - tau) / (1 - tau)) if tau < 1 else 1.0


def _arrow(
    axes: Axes,
    centres_22: NDArray[np.float64],
    sizes_22: NDArray[np.float64],
    strength: float,
    bend: float,
) -> None:
    """Draw an arrow from the edge of one box to the edge of the other."""
    along = centres_22[1] - centres_22[0]
    turned = np.array([along[1], -along[0]]) * bend  # where a bent arrow leaves, seen from the line
    ends = []
    for centre, size, way in (
        (centres_22[0], sizes_22[0], along),
        (centres_22[1], sizes_22[1], -along),
    ):
        way = way + turned
        scale = np.min((size / 2 + 0.02) / np.maximum(np.abs(way), 1e-9))
        ends.append(centre + way * scale)
    axes.add_patch(
        FancyArrowPatch(
            ends[0],
            ends[1],
            connectionstyle=f"arc3,rad={bend}",
            arrowstyle=f"-|>,head_length={3 + 2.2 * strength},head_width={1.6 + 1.2 * strength}",
            mutation_scale=1,
            shrinkA=0,
            shrinkB=0,
            linewidth=LINE[0] + (LINE[1] - LINE[0]) * strength,
            color=ARROWS(strength),
            joinstyle="miter",
            zorder=1 + strength,
        )
    )


def _box(
    axes: Axes,
    centre: NDArray[np.float64],
    size: NDArray[np.float64],
    text: str,
    font: float,
    colour: tuple[float, float, float, float],
) -> None:
    axes.add_patch(
        FancyBboxPatch(
            (centre[0] - size[0] / 2, centre[1] - size[1] / 2),
            size[0],
            size[1],
            boxstyle="round,pad=0,rounding_size=0.06",
            facecolor=colour,
            edgecolor="#7d93a6",
            linewidth=0.6,
            zorder=3,
        )
    )
    axes.text(centre[0], centre[1], text, size=font, color=INK, ha="center", va="center", zorder=4,
              linespacing=1.05)  # fmt: skip


def _legend(axes: Axes, graph: _Graph, tau: float) -> None:
    """Explain below the graph the widths of arrows and the shades of boxes."""
    y, x = BORDER + 0.08, BORDER
    axes.text(x, y, "probability", size=8.5, color=MUTED, va="center")
    x += 0.85
    for prob in (tau, (1 + tau) / 2, 1.0) if tau < 1 else (1.0,):
        strength = _strength(prob, tau)
        ends = np.array([[x, y], [x + 0.5, y]])
        _arrow(axes, ends, np.zeros((2, 2)), strength, 0.0)
        axes.text(x + 0.58, y, f"{prob:.2g}", size=8.5, color=INK, va="center")
        x += 1.05
    x += 0.2
    axes.text(x, y, "videos", size=8.5, color=MUTED, va="center")
    x += 0.55
    least, most = int(graph.videos_n.min()), int(graph.videos_n.max())
    middle = round(float(np.sqrt(least * most)))
    for count in dict.fromkeys((least, middle, most)):
        text = f"{count:,}"
        size = np.array(_extent(text, 8.5)) + 2 * PAD
        shade = SHADES(_position(count, graph.videos_n))
        _box(axes, np.array([x + size[0] / 2, y]), size, text, 8.5, shade)
        x += size[0] + 0.12
