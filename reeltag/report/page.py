"""One HTML page that shows what a tagger learned: self-contained, no script, no network."""

import json
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from reeltag.core.errors import DataError
from reeltag.core.files import whole_file
from reeltag.data.index import open_index
from reeltag.data.selection import Records, select
from reeltag.data.splits import PUBLISHED_SPLITS, Split, Splits
from reeltag.data.synth.about import read_marker
from reeltag.data.vocabulary import find_vocabulary
from reeltag.inference.predictions import Predictions, open_predictions
from reeltag.report.examples import Timeline, tagged, timelines
from reeltag.report.facts import Pairs, read_log, read_pairs, train_counts
from reeltag.report.plots import (
    loss_curve,
    metric_name,
    precision_by_frequency,
    reliability_curve,
    score_over_time,
    validation_curves,
)
from reeltag.report.stylesheet import CSS
from reeltag.report.tables import best_and_worst, cards, tag_table

Counts: TypeAlias = NDArray[np.int64]


def write_report(
    run: Path | None,
    evaluation: Mapping[str, object],
    predictions: Path,
    data: Path,
    out: Path,
    *,
    split: Split | None = None,
    splits: Splits = PUBLISHED_SPLITS,
) -> None:
    """Write the page to `out`, whole or not at all. The same input gives the same bytes.

    What is not there is left out: curves without a run's metrics.csv, moments without segments.

    Args:
        run: the run folder, for the training curves and the configuration; None = without.
        evaluation: as `evaluate` returns it: gap@20, gap@20_interval, ...; any key may be absent.
        predictions: Parquet, with whole videos and perhaps segments.
        data: the data folder with the labels.
        out: the .html file.
        split: all its videos count, predicted or not. None: those of all of `data` that the file is
            about.
        splits: the rule that gives a shard its split.

    Raises:
        DataError: the predictions cannot be read, or hold no video of the split.
        ConfigError: the split is empty.
        OutputError: `out` cannot be written.
    """
    index = open_index(data)
    records = select(index, split or "all", splits=splits)
    opened = open_predictions(predictions)
    pairs = read_pairs(opened, records, only_predicted=split is None)
    num_classes = max(index.num_classes, opened.about.num_classes)
    vocabulary = find_vocabulary(data, num_classes)
    names = vocabulary.names if vocabulary else tuple(f"class {c}" for c in range(num_classes))
    moments = timelines(opened, records, data)
    sections = [
        _head(opened, records, pairs, split),
        _banner(data),
        cards(evaluation),
        _segments_line(evaluation),
        _training(run),
        _classes(pairs, names, train_counts(index, splits)) if pairs else "",
        _moments(moments, names),
        _tags(pairs, records, names) if pairs else "",
        _configuration(run),
        _foot(opened),
    ]
    title = escape(_name(opened, index.root))
    text = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{CSS}</style>\n</head>\n<body>\n"
        + "\n".join(filter(None, sections))
        + "\n</body>\n</html>\n"
    )
    with whole_file(out) as part:
        part.write_text(text, encoding="utf-8")


def _head(
    predictions: Predictions, records: Records, pairs: Pairs | None, split: Split | None
) -> str:
    """Return the title and where the figures come from."""
    index = records.index
    name = escape(_name(predictions, index.root))
    words = [f"Scored on {f'the {split} split' if split else 'the predicted videos'} of "]
    words += [f"<code>{escape(str(index.root))}</code>"]
    if pairs is not None:
        counted = pairs.predicted | (split is not None)
        videos, hours = int(counted.sum()), records.column("frames")[counted].sum() / 3600
        length = f", {hours:.1f} hours" if index.kind == "frames" else ""
        words += [f": {videos:,} videos{length}, {pairs.positives.sum() / videos:.1f} labels each"]
        missing = videos - int(pairs.predicted.sum())
        words += [f", {missing:,} of them without a prediction"] if missing else []
    streams = " and ".join(f"{stream.name} ({stream.width})" for stream in records.streams)
    words += [f". {index.num_classes:,} classes; features: {escape(streams)}."]
    return f'<h1>{name}</h1>\n<p class="lead">{"".join(words)}</p>'


def _name(predictions: Predictions, root: Path) -> str:
    family = predictions.about.family
    known = {"nextvlad": "NeXtVLAD", "netvlad": "Gated NetVLAD", "moe": "Mixture of experts"}
    return f"{known.get(family, family.capitalize()) or 'Predictions'} on {root.resolve().name}"


def _banner(data: Path) -> str:
    marker = read_marker(data)
    if marker is None:
        return ""
    maker = escape(str(marker.get("made_by", "reeltag synth")))
    return (
        f'<p class="banner"><b>Synthetic data.</b> These videos were drawn from random numbers by '
        f"{maker}. The page shows that everything works; its figures say nothing about real "
        "videos.</p>"
    )


def _segments_line(evaluation: Mapping[str, object]) -> str:
    segments, classes = evaluation.get("segments"), evaluation.get("classes")
    if not isinstance(segments, int) or not isinstance(classes, int):
        return ""
    return (
        f'<p class="note">MAP@K is over {segments:,} rated segments of {classes:,} classes. '
        "Intervals are 95 % bootstrap intervals over videos.</p>"
    )


def _training(run: Path | None) -> str:
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


def _classes(pairs: Pairs, names: tuple[str, ...], in_training: Counts | None) -> str:
    precision = pairs.average_precision()
    counts = pairs.positives if in_training is None else in_training
    counts = np.pad(counts, (0, len(names) - len(counts)))
    of = "labels in this split" if in_training is None else "training videos"
    scored = int((~np.isnan(precision)).sum())
    best, worst, needed = best_and_worst(precision, pairs.positives, counts, names, of)
    bins = pairs.reliability()
    never = int((~np.isnan(precision) & (counts == 0)).sum())
    unseen = f" {never:,} of them, at the left edge, have no training video." if never else ""
    curve = ""
    if bins:
        curve = (
            f"<figure><h3>Can the probabilities be believed?</h3>{reliability_curve(bins)}"
            "<figcaption>Each point is a tenth of the probability scale: what was said, and how "
            "often it was a label; whiskers are 95 % intervals, bars count the pairs of video and "
            "class. Below the dashed line the model is too sure.</figcaption></figure>"
        )
    dots = precision_by_frequency(counts, precision, pairs.positives, f"{of} (log scale)")
    return (
        "<h2>Classes</h2>\n"
        f"<p>Average precision of the {scored:,} classes that these videos have, over the classes "
        "kept for each video; what is not kept counts as missed.</p>\n"
        f'<div class="two"><figure><h3>Are frequent classes learned better?</h3>{dots}'
        "<figcaption>A dot is a class; the larger, the more videos it is measured on. Few videos "
        f"make a dot jump up and down by chance.{unseen}</figcaption></figure>{curve}</div>\n"
        f'<div class="two" style="margin-top:1.8rem"><div><h3>Best classes</h3>{best}</div>'
        f"<div><h3>Worst classes</h3>{worst}</div></div>\n"
        f'<p class="note" style="margin-top:.5rem">Of the classes with {needed} or more positives '
        "here.</p>"
    )


def _moments(shown: list[Timeline], names: tuple[str, ...]) -> str:
    if not shown:
        return ""
    figures = "".join(
        f"<figure><h3>{escape(timeline.id)}</h3>{score_over_time(timeline, names, number)}</figure>"
        for number, timeline in enumerate(shown, start=1)
    )
    truth = ""
    if any(line.shown for timeline in shown for line in timeline.lines):
        truth = (
            " The bars below, known because the data are synthetic, say when a class truly shows."
        )
    return (
        "<h2>Moments</h2>\n<p>Probability of a class in each 5-second segment. "
        '<span class="key yes"></span> rated: it is there; <span class="key"></span> rated: it is '
        f"not. These are the videos with the most ratings of both kinds.{truth}</p>\n"
        f'<div class="two">{figures}</div>'
    )


def _tags(pairs: Pairs, records: Records, names: tuple[str, ...]) -> str:
    return (
        "<h2>Tags</h2>\n<p>Some videos, at equal distances in the split, with their best classes. "
        f'<span class="tag hit">✓</span> is a label of the video.</p>\n'
        f"{tag_table(tagged(pairs, records), names)}"
    )


def _configuration(run: Path | None) -> str:
    path = run / "config.json" if run else None
    if path is None or not path.is_file():
        return ""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(
            f"is not JSON ({error})",
            where=path,
            hint="Mend it, or leave out --run.",
        ) from error
    text = escape(json.dumps(config, indent=2, ensure_ascii=False))
    return f"<details><summary>Configuration of the run</summary><pre>{text}</pre></details>"


def _foot(predictions: Predictions) -> str:
    about = predictions.about
    where = [f"predictions {predictions.path.name}"]
    where += [f"checkpoint {about.run}"] if about.run else []
    return f"<footer>{escape(', '.join(where))}; reeltag {escape(about.version)}</footer>"
