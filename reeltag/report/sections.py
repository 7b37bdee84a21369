"""The sections of the page, each a function from facts to HTML; "" where there is nothing."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np

from reeltag.report.evaluated import Judged, SegmentFacts, VideoFacts
from reeltag.report.examples import Timeline
from reeltag.report.facts import Reliability, Training, read_log
from reeltag.report.hard_classes import HardClass, RatedClasses
from reeltag.report.plots import (
    MIN_PAIRS,
    loss_curve,
    metric_name,
    precision_by_frequency,
    precision_by_rank,
    reliability_curve,
    score_over_time,
    stage_bars,
    validation_curves,
)
from reeltag.report.results import Figure, Result, ResultTable
from reeltag.report.tables import best_and_worst, hard_table, rated_table, result_table

SIDE = '<figure class="side gap">'  # its words stand beside it
MOST_CLASSES = 1000  # lines of the table of all rated classes
MOST_METRICS = 3  # of ours that a table of a paper has bars for


def paper_section(result: Result) -> str:
    """Return the paper's tables beside ours, and bars of each stage."""
    seeds = len(result.files)
    told = f"Means over {seeds} runs with different seeds, and their standard deviation. "
    beside = any(table.paper for table in result.tables)
    warning = (
        "What stands under <i>here</i> may be measured on other and less data than the paper's: "
        "then the order of the lines can be compared, not the height of the figures."
    )
    words = f"{told if seeds > 1 else ''}{warning if beside else ''}"
    heading = "The paper and here" if beside else "What it came to"
    parts = [f"<h2>{heading}</h2>", f"<p>{words}</p>" if words else ""]
    for number, table in enumerate(result.tables, start=1):
        note = f'<p class="note">{escape(table.note)}</p>' if table.note else ""
        parts.append(f'<div class="paper">{result_table(table)}</div>{note}')
        parts.append(_bars(table, number))
    return "\n".join(filter(None, parts))


def _bars(table: ResultTable, number: int) -> str:
    """Return bars for our metrics, and for the paper's like our first, or else its last, before."""
    names = [row.name for row in table.rows]
    columns = [
        (f"{'here: ' if table.paper else ''}{metric}", [row.ours[at] for row in table.rows], True)
        for at, metric in enumerate(table.ours[:MOST_METRICS])
    ]
    if table.paper:
        metric = table.ours[0] if table.ours[0] in table.paper else table.paper[-1]
        at = table.paper.index(metric)
        paper = [Figure(value=row.paper[at]) for row in table.rows]
        columns.insert(0, (f"paper: {metric}", paper, False))
    figures = []
    for at, (metric, values, ours) in enumerate(columns):
        shown = [i for i, one in enumerate(values) if one.value is not None]
        if len(shown) < 2:  # nothing to compare
            continue
        drawing, start = stage_bars(
            [names[i] for i in shown],
            [values[i] for i in shown],
            metric,
            f"stages-{number}-{at}",
            ours=ours,
        )
        marks = [f"Bars begin at {start:g}, not at 0."] if start else []
        marks += ["Lines are 95 % intervals."] if any(one.interval for one in values) else []
        marks += ["Dots are seeds."] if any(len(one.seeds) > 1 for one in values) else []
        figures.append(
            f"<figure><h3>{escape(metric)}</h3>{drawing}"
            f"<figcaption>{' '.join(marks)}</figcaption></figure>"
        )
    return f'<div class="two">{"".join(figures)}</div>' if figures else ""


def training_section(run: Path | None) -> str:
    """Return loss and validation over the steps of a run; "" without a log."""
    log = read_log(run)
    prefix = "validate_"
    curves = {name.removeprefix(prefix): log[name] for name in log if name.startswith(prefix)}
    figures = []
    if "train_loss" in log:
        figures.append(f"<figure><h3>Training loss</h3>{loss_curve(*log['train_loss'])}</figure>")
    if curves:
        figures.append(f"<figure><h3>Validation</h3>{validation_curves(curves)}</figure>")
    if not figures:
        return ""
    steps = int(max(at.max() for at, _ in log.values()))
    told = f"{steps:,} steps"
    if "seconds" in log:
        told += f" in {_duration(log['seconds'][1].max())}"
    for name, (at, values) in curves.items():
        told += (
            f"; the best {metric_name(name)} on the validation videos was {values.max():.3f}, "
            f"at step {int(at[values.argmax()]):,}"
        )
    shown = f'<div class="two">{"".join(figures)}</div>'
    return f"<h2>Training</h2>\n<p>{escape(told)}.</p>\n{shown}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def segments_section(
    facts: SegmentFacts,
    classes: RatedClasses,
    hard: Sequence[HardClass],
    training: Training,
    names: tuple[str, ...],
) -> str:
    """Return average precision by class of rated segments, the worst classes, the reliability."""
    number = len(classes.shown)
    if not number:
        return ""
    unlisted = int(((classes.positives > 0) & ~facts.listed).sum())
    left_out = f" {unlisted:,} more that no row holds are left out." if unlisted else ""
    ranked = precision_by_rank(
        classes.precision[classes.shown], classes.chance[classes.shown], len(hard)
    )
    shown = np.where(np.isin(np.arange(len(names)), classes.shown), classes.precision, np.nan)
    dots = precision_by_frequency(
        training.counts, shown, classes.positives, f"{training.of} (log scale)", "rated-frequency"
    )
    unscored = int(np.isnan(facts.scores).sum())
    skipped = f" {unscored:,} ratings without a score are not counted." if unscored else ""
    curve = _calibration(
        facts.reliability,
        "were rated as there",
        "rated segments",
        f" of rated segments and their class.{skipped} The share of positives among rated "
        "segments need not be that of all segments.",
    )
    more = f", the worst {MOST_CLASSES:,}" if number > MOST_CLASSES else ""
    return (
        "<h2>Classes in segments</h2>\n"
        f"<p>Average precision of {number:,} classes over their rated segments; MAP@K is the mean."
        f"{left_out} With few negatives a random order comes far, so what it reaches on average "
        "stands beside.</p>\n"
        f'<div class="two"><figure><h3>Average precision by class</h3>{ranked}<figcaption>A bar is '
        f"a class; the {len(hard)} worst, in the other colour, stand in the table below."
        "</figcaption></figure><figure><h3>Are frequent classes found better?</h3>"
        f"{dots}<figcaption>A dot is a class; the larger, the more rated positives."
        "</figcaption></figure></div>\n"
        f'<div class="gap wide">{hard_table(hard, classes, training, names)}</div>\n'
        f'<p class="note">Goes with: the share of the {training.of} with this class that have the '
        "other label too, the most certain first. Above the positives: rated negatives with a "
        "higher score than rated positives of the class, what else two or more of their videos "
        "have as label, and the three that stand above most positives.</p>\n"
        f"<details><summary>All {number:,} rated classes{more}</summary>"
        f"{rated_table(classes, training, names, MOST_CLASSES)}</details>\n"
        f"{curve.replace('<figure>', SIDE, 1)}"
    )


def videos_section(
    judged: Judged, facts: VideoFacts, training: Training, names: tuple[str, ...]
) -> str:
    """Return average precision by class of whole videos, and the reliability."""
    precision, num_classes = judged.precision["video"], judged.truth.num_classes
    positives = np.bincount(judged.truth.label_keys % num_classes, minlength=num_classes)
    best, worst, needed = best_and_worst(precision, positives, training.counts, names, training.of)
    scored = int((~np.isnan(precision)).sum())
    never = int((~np.isnan(precision) & (training.counts == 0)).sum())
    unseen = f" {never:,} of them, at the left edge, have no training video." if never else ""
    dots = precision_by_frequency(
        training.counts, precision, positives, f"{training.of} (log scale)", "frequency"
    )
    curve = _calibration(
        facts.reliability,
        "are labels",
        "videos",
        " of a video and a class that the file keeps for it, so that what a model thinks unlikely "
        "is hardly among them.",
    )
    return (
        "<h2>Classes in whole videos</h2>\n"
        f"<p>Average precision of the {scored:,} classes that these videos have, over the classes "
        "kept for each video; what is not kept counts as missed.</p>\n"
        f'<div class="two"><figure><h3>Are frequent classes learned better?</h3>{dots}'
        "<figcaption>A dot is a class; the larger, the more videos it is measured on. Few videos "
        f"make a dot jump up and down by chance.{unseen}</figcaption></figure>{curve}</div>\n"
        f'<div class="two gap"><div>{best}</div><div>{worst}</div></div>\n'
        f'<p class="note">Of the classes with {needed} or more positives here.</p>'
    )


def _calibration(reliability: Reliability, true: str, of: str, which: str) -> str:
    if not any(part.pairs >= MIN_PAIRS for part in reliability.bins):
        return ""
    curve = reliability_curve(reliability, true, f"reliability-{of.split()[0]}")
    return (
        f"<figure><h3>Can the probabilities of {of} be believed?</h3>{curve}<figcaption>Expected "
        f"calibration error (ECE) {reliability.error:.3f} over {reliability.pairs:,} pairs{which} "
        "Each point is a tenth of the probability scale: what was said, and how often it was so; "
        "whiskers are 95 % intervals. Below the dashed line the model is too sure."
        "</figcaption></figure>"
    )


def moments_section(
    shown: Sequence[Timeline], names: tuple[str, ...], rated: int, seed: int
) -> str:
    """Return scores over time of some of the rated videos."""
    if not shown:
        return ""
    figures = "".join(
        f"<figure><h3>{escape(timeline.id)} <small>{timeline.why}, {timeline.loss:.2f} nats"
        f"</small></h3>{score_over_time(timeline, names, number)}<figcaption>Labels of the video: "
        f"{', '.join(escape(names[label]) for label in timeline.labels) or 'none'}.</figcaption>"
        "</figure>"
        for number, timeline in enumerate(shown, start=1)
    )
    truth = ""
    if any(line.shown for timeline in shown for line in timeline.lines):
        truth = (
            " The bars below, known because the data are synthetic, say when a class truly shows."
        )
    return (
        "<h2>Moments</h2>\n<p>Probability of a class in each 5-second segment, of the three "
        'classes with the most ratings. <span class="key yes"></span> rated: it is there; '
        f'<span class="key"></span> rated: it is not. {len(shown)} of {rated:,} rated videos: best '
        "and worst by the mean log loss of their ratings, in nats, and random ones "
        f"(seed {seed}), of those with enough ratings of both kinds.{truth}</p>\n"
        f'<div class="two">{figures}</div>'
    )
