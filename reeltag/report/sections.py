"""The sections of the page, each a function from facts to what its template shows, or None."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from reeltag.core.probability import sigmoid
from reeltag.report.evaluated import EvaluatedFile, SegmentFacts, VideoFacts, labels_of
from reeltag.report.examples import Timeline
from reeltag.report.facts import Reliability, TrainingLabels, read_log
from reeltag.report.hard_classes import HardClass, RatedClasses, reasons
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
from reeltag.report.results import MetricValue, ResultTable, SolveResult
from reeltag.report.view import (
    Calibration,
    Card,
    ClassRow,
    HardRow,
    MomentsSection,
    PaperSection,
    Picture,
    RatedRow,
    SegmentsSection,
    ShownTag,
    TaggedVideo,
    TagsSection,
    TrainingSection,
    VideosSection,
)

MOST_CLASSES = 1000  # rows of the table of all rated classes
MOST_METRICS = 3  # of ours that a table of a paper has bars for
NUM_CLASSES = 8  # rows in the tables of best and worst
ENOUGH = 5  # positives that a class needs to be in them, where enough classes have them
NUM_TAGS = 5
HEADLINES = {
    "gap@20": ("GAP@20", "average precision of one ranking of all videos' 20 best classes"),
    "hit@1": ("Hit@1", "videos whose best class is one of their labels"),
    "perr": ("PERR", "labels among as many best classes as the video has labels"),
    "map": ("mAP", "average precision of a class's ranking of the videos, mean over classes"),
    "map@k": (
        "MAP@K",
        "average precision of a class's ranking of its rated segments, mean over classes",
    ),
}


def cards(scores: Mapping[str, object]) -> tuple[Card, ...]:
    """Return one card for each headline score that the evaluation has."""
    found = []
    for key, (name, about) in HEADLINES.items():
        value, ends = scores.get(key), scores.get(f"{key}_interval")
        interval = (float(ends[0]), float(ends[1])) if isinstance(ends, list | tuple) else None
        if isinstance(value, int | float) and np.isfinite(value):
            found.append(Card(name=name, value=value, interval=interval, about=about))
    return tuple(found)


def paper_section(result: SolveResult) -> PaperSection:
    """Return the paper's tables next to ours, and bars of each stage."""
    return PaperSection(
        seeds=len(result.files),
        compared=any(table.paper for table in result.tables),
        tables=tuple((table, _bars(table, at)) for at, table in enumerate(result.tables, start=1)),
    )


def _bars(table: ResultTable, number: int) -> tuple[Picture, ...]:
    """Return bars for our metrics, and first for the paper's like our first, or else its last."""
    names = [row.name for row in table.rows]
    columns = [
        (f"{table.prefix}{metric}", [row.ours[at] for row in table.rows], True)
        for at, metric in enumerate(table.ours[:MOST_METRICS])
    ]
    if table.paper:
        metric = table.ours[0] if table.ours[0] in table.paper else table.paper[-1]
        at = table.paper.index(metric)
        paper = [MetricValue(value=row.paper[at]) for row in table.rows]
        columns.insert(0, (f"paper: {metric}", paper, False))
    pictures = []
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
        pictures.append(Picture(title=metric, svg=drawing, caption=" ".join(marks)))
    return tuple(pictures)


def training_section(run: Path | None) -> TrainingSection | None:
    """Return loss and validation over the steps of a run; None without a log."""
    log = read_log(run)
    prefix = "validate_"
    validated = {name.removeprefix(prefix): log[name] for name in log if name.startswith(prefix)}
    curves = list[tuple[str, Markup]]()
    if "train_loss" in log:
        curves.append(("Training loss", loss_curve(*log["train_loss"])))
    if validated:
        curves.append(("Validation", validation_curves(validated)))
    if not curves:
        return None
    return TrainingSection(
        steps=int(max(at.max() for at, _ in log.values())),
        duration=_duration(log["seconds"][1].max()) if "seconds" in log else "",
        best=tuple(
            (metric_name(name), float(values.max()), int(at[values.argmax()]))
            for name, (at, values) in validated.items()
        ),
        curves=tuple(curves),
    )


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def segments_section(
    facts: SegmentFacts,
    classes: RatedClasses,
    hard: Sequence[HardClass],
    training: TrainingLabels,
    names: tuple[str, ...],
) -> SegmentsSection | None:
    """Return average precision by class of rated segments, the worst classes, the calibration."""
    if not len(classes.shown):
        return None
    ranked = precision_by_rank(
        classes.precision[classes.shown], classes.random_precision[classes.shown], len(hard)
    )
    shown = np.where(np.isin(np.arange(len(names)), classes.shown), classes.precision, np.nan)
    axis = f"{training.of} (log scale)"
    dots = precision_by_frequency(
        training.counts, shown, classes.positives, axis, "rated-frequency"
    )
    unscored = int(np.isnan(facts.scores).sum())
    skipped = f" {unscored:,} ratings without a score are left out." if unscored else ""
    rows = [_rated_row(c, classes, training, names) for c in classes.shown[:MOST_CLASSES].tolist()]
    return SegmentsSection(
        num_classes=len(classes.shown),
        unlisted=int(((classes.positives > 0) & ~facts.listed).sum()),
        counts_unlisted=bool((~facts.listed[classes.shown]).any()),
        training=training.of,
        by_rank=Picture(
            title="Average precision by class",
            svg=ranked,
            caption=f"A bar is a class; the {len(hard)} worst, in the other colour, are in the "
            "table below.",
        ),
        by_frequency=Picture(
            title="Are frequent classes found better?",
            svg=dots,
            caption="A dot is a class; the larger, the more rated positives.",
        ),
        hard=tuple(
            _hard_row(one, row, classes, training, names)
            for one, row in zip(hard, rows, strict=False)
        ),
        rated=tuple(rows),
        calibration=_calibration(
            facts.reliability,
            "were rated as there",
            "rated segments",
            f"of rated segments and their class.{skipped} The fraction of positives among rated "
            "segments need not be that of all segments.",
        ),
    )


def _rated_row(
    label: int, classes: RatedClasses, training: TrainingLabels, names: tuple[str, ...]
) -> RatedRow:
    return RatedRow(
        name=names[label],
        precision=float(classes.precision[label]),
        random_precision=float(classes.random_precision[label]),
        positives=int(classes.positives[label]),
        negatives=int(classes.negatives[label]),
        training=int(training.counts[label]),
    )


def _hard_row(
    one: HardClass,
    rated: RatedRow,
    classes: RatedClasses,
    training: TrainingLabels,
    names: tuple[str, ...],
) -> HardRow:
    positives, negatives = classes.elsewhere[one.label].tolist()
    return HardRow(
        rated=rated,
        reasons=tuple(reasons(one.label, classes, training)),
        elsewhere=(positives, negatives),
        companions=tuple((names[each.second], each.prob) for each in one.companions),
        rivals=one.rivals,
        confused=one.confused,
        company=tuple((names[label], count) for label, count in one.company),
    )


def videos_section(
    file: EvaluatedFile, facts: VideoFacts, training: TrainingLabels, names: tuple[str, ...]
) -> VideosSection:
    """Return average precision by class of whole videos, and the calibration."""
    precision, num_classes = file.precision["video"], file.truth.num_classes
    positives = np.bincount(file.truth.labels.classes, minlength=num_classes)
    known = ~np.isnan(precision)
    never = int((known & (training.counts == 0)).sum())
    unseen = f" {never:,} of them, at the left edge, have no training video." if never else ""
    axis = f"{training.of} (log scale)"
    dots = precision_by_frequency(training.counts, precision, positives, axis, "frequency")
    best, worst, least = _best_and_worst(precision, positives)

    def rows(labels: NDArray[np.int64]) -> tuple[ClassRow, ...]:
        return tuple(
            ClassRow(
                name=names[label],
                precision=float(precision[label]),
                positives=int(positives[label]),
                training=int(training.counts[label]),
            )
            for label in labels.tolist()
        )

    return VideosSection(
        num_classes=int(known.sum()),
        training=training.of,
        by_frequency=Picture(
            title="Are frequent classes learned better?",
            svg=dots,
            caption="A dot is a class; the larger, the more videos it is measured on. Few videos "
            f"make a dot jump up and down by chance.{unseen}",
        ),
        calibration=_calibration(
            facts.reliability,
            "are labels",
            "videos",
            "of a video and a class that the file keeps for it; most unlikely classes are not "
            "kept.",
        ),
        best=rows(best),
        worst=rows(worst),
        least_positives=least,
    )


def _best_and_worst(
    precision: NDArray[np.float64], positives: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Return the best and the worst classes, and how many positives each has at least.

    Classes with fewer than five positives are left out, unless too few would remain.
    """
    known = ~np.isnan(precision)
    least = ENOUGH if (known & (positives >= ENOUGH)).sum() >= 2 * NUM_CLASSES else 1
    chosen = np.flatnonzero(known & (positives >= least))
    falling = chosen[np.argsort(-precision[chosen], kind="stable")]
    number = min(NUM_CLASSES, (len(falling) + 1) // 2)
    return falling[:number], falling[len(falling) - number :][::-1], least


def _calibration(reliability: Reliability, true: str, of: str, which: str) -> Calibration | None:
    if not any(part.pairs >= MIN_PAIRS for part in reliability.bins):
        return None
    curve = reliability_curve(reliability, true, f"reliability-{of.split()[0]}")
    return Calibration(
        of=of, true=true, which=which, svg=curve, error=reliability.error, pairs=reliability.pairs
    )


def moments_section(
    timelines: Sequence[Timeline], names: tuple[str, ...], rated: int, seed: int
) -> MomentsSection | None:
    """Return scores over time of some of the rated videos."""
    if not timelines:
        return None
    return MomentsSection(
        timelines=tuple(
            (one, tuple(names[label] for label in one.labels), score_over_time(one, names, number))
            for number, one in enumerate(timelines, start=1)
        ),
        rated=rated,
        seed=seed,
        truth=any(trace.present for one in timelines for trace in one.traces),
    )


def tags_section(file: EvaluatedFile, facts: VideoFacts, names: tuple[str, ...]) -> TagsSection:
    """Return predicted videos at equal distances in the split, with their best classes."""
    videos = []
    for video, classes, scores in facts.examples:
        true = labels_of(file.truth, video).tolist()
        best = np.argsort(-scores, kind="stable")[:NUM_TAGS]
        listed, probs = classes[best].tolist(), sigmoid(scores[best]).tolist()
        videos.append(
            TaggedVideo(
                id=file.truth.ids[video].as_py(),
                seconds=float(file.seconds[video]),
                tags=tuple(
                    ShownTag(name=names[label], prob=prob, is_label=label in true)
                    for label, prob in zip(listed, probs, strict=True)
                ),
                missed=tuple(names[label] for label in true if label not in listed),
            )
        )
    return TagsSection(predicted=int(facts.predicted.sum()), videos=tuple(videos))
