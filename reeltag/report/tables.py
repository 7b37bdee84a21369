"""The page's words and tables, as HTML; everything that comes from files is escaped."""

from collections.abc import Iterable, Mapping
from html import escape

import numpy as np
from numpy.typing import NDArray

from reeltag.report.examples import Tagged

NUM_CLASSES = 8  # rows in the tables of best and worst
ENOUGH = 5  # positives that a class needs to stand in them, where enough classes have them
HEADLINES = {
    "gap@20": ("GAP@20", "average precision of one ranking of all videos' 20 best classes"),
    "hit@1": ("Hit@1", "videos whose best class is one of their labels"),
    "perr": ("PERR", "labels among as many best classes as the video has labels"),
    "map": ("mAP", "average precision of a class's ranking of the videos, mean over classes"),
    "map@k": ("MAP@K", "the same, of the rated 5-second segments: is the moment found?"),
}


def cards(evaluation: Mapping[str, object]) -> str:
    """Return one card for each headline number that the evaluation has."""
    parts = []
    for key, (name, about) in HEADLINES.items():
        value = evaluation.get(key)
        if isinstance(value, int | float) and np.isfinite(value):
            interval = _interval(evaluation.get(f"{key}_interval"))
            parts.append(
                f'<div class="card"><div class="name">{name}</div>'
                f'<div class="value">{value:.3f}</div>'
                f'<div class="interval">{interval}</div><div class="about">{about}</div></div>'
            )
    return f'<div class="cards">{"".join(parts)}</div>'


def _interval(ends: object) -> str:
    if isinstance(ends, list | tuple) and len(ends) == 2:
        return f"95 %: {float(ends[0]):.3f} to {float(ends[1]):.3f}"
    return ""


def best_and_worst(
    precision: NDArray[np.float64],
    positives: NDArray[np.int64],
    counts: NDArray[np.int64],
    names: tuple[str, ...],
    of: str,
) -> tuple[str, str, int]:
    """Return the tables of the best and the worst classes, and how many positives each has.

    Classes with fewer than five positives are left out, unless too few would remain.
    """
    known = ~np.isnan(precision)
    needed = ENOUGH if (known & (positives >= ENOUGH)).sum() >= 2 * NUM_CLASSES else 1
    chosen = np.flatnonzero(known & (positives >= needed))
    falling = chosen[np.argsort(-precision[chosen], kind="stable")]
    number = min(NUM_CLASSES, (len(falling) + 1) // 2)
    tables = []
    for classes in (falling[:number], falling[len(falling) - number :][::-1]):
        rows = "".join(
            f"<tr><td>{escape(names[label])}</td>"
            f'<td class="number"><span class="bar"><i style="width:{precision[label]:.0%}"></i>'
            f"</span>{precision[label]:.3f}</td>"
            f'<td class="number">{positives[label]:,}</td>'
            f'<td class="number">{counts[label]:,}</td></tr>'
            for label in classes.tolist()
        )
        head = (
            f'<th>class</th><th class="number">average precision</th>'
            f'<th class="number">positives</th><th class="number">{of}</th>'
        )
        tables.append(f'<div class="scroll"><table><tr>{head}</tr>{rows}</table></div>')
    return tables[0], tables[1], needed


def tag_table(rows: Iterable[Tagged], names: tuple[str, ...]) -> str:
    """Return a row a video: length, its best classes with probability, labels not among them."""
    lines = []
    for row in rows:
        tags = "".join(
            f'<span class="tag{" hit" if hit else ""}">{escape(names[label])} '
            f"<small>{_percent(chance)}{' ✓' if hit else ''}</small></span>"
            for label, chance, hit in row.tags
        )
        missed = ", ".join(escape(names[label]) for label in row.missed) or "&ndash;"
        if not row.missed and not any(hit for _, _, hit in row.tags):
            missed = "has no label"
        lines.append(
            f'<tr><td class="id">{escape(row.id)}</td><td class="number">{row.seconds} s</td>'
            f'<td>{tags}</td><td class="note">{missed}</td></tr>'
        )
    head = (
        '<th>video</th><th class="number">length</th><th>best classes</th>'
        "<th>labels not among them</th>"
    )
    return f'<div class="scroll"><table><tr>{head}</tr>{"".join(lines)}</table></div>'


def _percent(chance: float) -> str:
    return f"{chance:.0%}" if chance >= 0.01 else "&lt; 1%"
