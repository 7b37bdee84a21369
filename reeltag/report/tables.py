"""The page's words and tables, as HTML; everything that comes from files is escaped."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from reeltag.report.examples import Tagged
from reeltag.report.facts import Training
from reeltag.report.hard_classes import HardClass, RatedClasses, reasons
from reeltag.report.results import Figure, ResultTable

NUM_CLASSES = 8  # rows in the tables of best and worst
ENOUGH = 5  # positives that a class needs to stand in them, where enough classes have them
HEADLINES = {
    "gap@20": ("GAP@20", "average precision of one ranking of all videos' 20 best classes"),
    "hit@1": ("Hit@1", "videos whose best class is one of their labels"),
    "perr": ("PERR", "labels among as many best classes as the video has labels"),
    "map": ("mAP", "average precision of a class's ranking of the videos, mean over classes"),
    "map@k": (
        "MAP@K",
        "average precision of a class's ranking of its rated 5-second segments, mean over classes",
    ),
}


def table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table whose first cell of each row is its header; it scrolls where it is too wide.

    Args:
        caption: what it shows, as HTML; read out, and printed above it.
        columns: headers, as HTML; one that begins with > is of a column of numbers.
        rows: of cells, as HTML.
    """
    kinds = [' class="number"' if name.startswith(">") else "" for name in columns]
    names = [name.removeprefix(">") for name in columns]
    head = "".join(
        f'<th scope="col"{kind}>{name}</th>' for name, kind in zip(names, kinds, strict=True)
    )
    body = "".join(
        f'<tr><th scope="row">{row[0]}</th>'
        + "".join(f"<td{kind}>{cell}</td>" for cell, kind in zip(row[1:], kinds[1:], strict=True))
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll" tabindex="0"><table><caption><span>{caption}</span></caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def cards(evaluation: Mapping[str, object]) -> str:
    """Return one card for each headline number that the evaluation has; "" without any."""
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
    return f'<div class="cards">{"".join(parts)}</div>' if parts else ""


def _interval(ends: object) -> str:
    if isinstance(ends, list | tuple) and len(ends) == 2:
        return f"95 %: {float(ends[0]):.3f} to {float(ends[1]):.3f}"
    return ""


def result_table(found: ResultTable) -> str:
    """Return a table of a paper beside ours, its intervals or the number of seeds under figures."""
    columns = ["model or stage", *map(escape, found.marks)]
    columns += [f">paper: {escape(name)}" for name in found.paper]
    here = "here: " if found.paper else ""
    columns += [f">{here}{escape(name)}" for name in found.ours]
    noted = any(row.note for row in found.rows)
    rows = [
        (
            escape(row.name),
            *map(escape, row.marks),
            *(_plain(value, found.digits) for value in row.paper),
            *(_figure(figure, found.digits) for figure in row.ours),
            *([escape(row.note)] if noted else []),
        )
        for row in found.rows
    ]
    return table(escape(found.title), [*columns, *(["note"] if noted else [])], rows)


def _plain(value: float | None, digits: int) -> str:
    return "&ndash;" if value is None else f"{value:.{digits}f}"


def _figure(figure: Figure, digits: int) -> str:
    text = f"<b>{_plain(figure.value, digits)}</b>" if figure.value is not None else "&ndash;"
    if figure.interval is not None:
        low, high = (f"{end:.{digits}f}" for end in figure.interval)
        text += f"<br><small>{low} to {high}</small>"
    if len(figure.seeds) > 1:
        spread = float(np.std(figure.seeds, ddof=1))
        text += f"<br><small>&plusmn; {spread:.{digits}f}, {len(figure.seeds)} seeds</small>"
    return text


def hard_table(
    hard: Sequence[HardClass],
    classes: RatedClasses,
    training: Training,
    names: tuple[str, ...],
) -> str:
    """Return the classes of the lowest average precision, and what may be why."""
    columns = (
        "class",
        ">average precision",
        ">random order",
        ">rated +",
        ">rated &minus;",
        f">{training.of}",
        ">+ / &minus; elsewhere",
        "goes with",
        "negatives above the positives",
    )
    rows = (
        (
            _class_cell(one.label, classes, training, names),
            _bar(classes.precision[one.label]),
            f"{classes.chance[one.label]:.3f}",
            f"{classes.positives[one.label]:,}",
            f"{classes.negatives[one.label]:,}",
            f"{training.counts[one.label]:,}",
            " / ".join(f"{count:,}" for count in classes.elsewhere[one.label]),
            _companions(one, names),
            _rivals(one, classes, names),
        )
        for one in hard
    )
    caption = f"The {len(hard)} classes of the lowest average precision, and what may be why"
    return table(caption, columns, rows)


def _class_cell(
    label: int, classes: RatedClasses, training: Training, names: tuple[str, ...]
) -> str:
    words = "; ".join(reasons(label, classes, training))
    return escape(names[label]) + (f"<br><small>{escape(words)}</small>" if words else "")


def _companions(one: HardClass, names: tuple[str, ...]) -> str:
    lines = [f"{escape(names[each.second])} {each.prob:.0%}" for each in one.companions]
    return "<br>".join(lines) or "&ndash;"


def _rivals(one: HardClass, classes: RatedClasses, names: tuple[str, ...]) -> str:
    if not one.rivals:
        return "none"
    positives, negatives = classes.positives[one.label], classes.negatives[one.label]
    told = f"{one.confused:,} of {negatives:,} above half of the positives"
    if one.company:
        company = ", ".join(f"{escape(names[label])} ({count})" for label, count in one.company)
        told += f"; their videos: {company}"
    most = ", ".join(
        f"<code>{escape(rival.id)}</code> {rival.start} s ({rival.above:,})" for rival in one.rivals
    )
    return f"{told}<br><small>above most, of {positives:,}: {most}</small>"


def rated_table(
    classes: RatedClasses, training: Training, names: tuple[str, ...], most: int
) -> str:
    """Return a line for each class with rated positives, the worst first; at most so many."""
    columns = ("class", ">average precision", ">random order", ">rated +", ">rated &minus;")
    rows = (
        (
            escape(names[label]),
            f"{classes.precision[label]:.3f}",
            f"{classes.chance[label]:.3f}",
            f"{classes.positives[label]:,}",
            f"{classes.negatives[label]:,}",
            f"{training.counts[label]:,}",
        )
        for label in classes.shown[:most].tolist()
    )
    return table("Average precision of rated classes", [*columns, f">{training.of}"], rows)


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
    sides = (("Best", falling[:number]), ("Worst", falling[len(falling) - number :][::-1]))
    for which, classes in sides:
        rows = (
            (
                escape(names[label]),
                _bar(precision[label]),
                f"{positives[label]:,}",
                f"{counts[label]:,}",
            )
            for label in classes.tolist()
        )
        columns = ("class", ">average precision", ">positives", f">{of}")
        tables.append(table(f"{which} classes", columns, rows))
    return tables[0], tables[1], needed


def _bar(value: float) -> str:
    return f'<span class="bar"><i style="width:{value:.0%}"></i></span>{value:.3f}'


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
        lines.append((f"<code>{escape(row.id)}</code>", f"{row.seconds} s", tags, missed))
    columns = ("video", ">length", "best classes", "labels not among them")
    return table("Best classes of some videos", columns, lines)


def _percent(chance: float) -> str:
    return f"{chance:.0%}" if chance >= 0.01 else "&lt; 1%"
