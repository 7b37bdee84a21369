"""One HTML page that shows what a tagger learned: self-contained, no script, no network."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from reeltag.core.errors import ConfigError, DataError
from reeltag.core.files import whole_file
from reeltag.data.class_list import ClassList
from reeltag.data.splits import PUBLISHED_SPLITS, Split, Splits
from reeltag.data.synth.about import read_marker
from reeltag.figures.stylesheet import CSS
from reeltag.report.evaluated import Judged, judge, read_segments, read_videos
from reeltag.report.examples import choose, tagged, timelines
from reeltag.report.facts import Training, read_training
from reeltag.report.hard_classes import hard_classes, rated_classes
from reeltag.report.results import Result
from reeltag.report.sections import (
    moments_section,
    paper_section,
    segments_section,
    training_section,
    videos_section,
)
from reeltag.report.tables import cards, tag_table

FAMILIES = {"nextvlad": "NeXtVLAD", "netvlad": "Gated NetVLAD", "moe": "Mixture of experts"}


@dataclass(frozen=True, kw_only=True)
class Examples:
    """Which videos are shown over time.

    Attributes:
        count: how many of the best, of the worst, and at random.
        seed: of the random ones.
        videos: ids to be shown besides.
    """

    count: int = 2
    seed: int = 0
    videos: tuple[str, ...] = ()


def write_report(
    out: Path,
    *,
    predictions: Path | None = None,
    data: Path | None = None,
    run: Path | None = None,
    result: Result | None = None,
    split: Split | None = None,
    splits: Splits = PUBLISHED_SPLITS,
    bootstrap: int = 200,
    examples: Examples = Examples(),
    quiet: bool = False,
) -> dict[str, Any]:
    """Write the page to `out`, whole or not at all. The same input gives the same bytes.

    What is not there is left out, and the page says so. Memory is what `evaluate` takes: of the
    rows of predictions only those of videos that are shown are kept.

    Args:
        out: the .html file.
        predictions: Parquet, with whole videos, segments or both; None = no scores.
        data: the data folder with the labels; without it there are no scores.
        run: the run folder, for the training curves and the configuration; None = without.
        result: what a solution came to, for the paper's tables.
        split: all its videos count, predicted or not. None: those that the file is about.
        splits: the rule that gives a shard its split.
        bootstrap: replicates for the intervals; 0 = no intervals.
        examples: videos to look at.
        quiet: no progress.

    Returns:
        The scores as `evaluate` names them, and "left_out": sentences on what is not there.

    Raises:
        DataError: the predictions cannot be read, or fit to nothing in the data.
        ConfigError: the split is empty, or a wanted video is not there.
        OutputError: `out` cannot be written.
    """
    left_out, judged = list[str](), None
    if predictions is not None and data is not None:
        judged = judge(
            predictions, data, split=split, splits=splits, bootstrap=bootstrap, quiet=quiet
        )
    else:
        lacking = "predictions" if predictions is None else "data"
        left_out.append(f"Scores, classes and moments: no {lacking} were given.")
    sections = [
        _head(judged, result, run, split),
        _banner(data) if judged else "",
        cards(judged.scores) if judged else "",
        _segments_line(judged.scores) if judged else "",
        paper_section(result) if result else "",
        _training(run, left_out),
        *(_judged_sections(judged, data, splits, examples, left_out) if judged and data else ()),
        _left_out(left_out),
        _configuration(run),
        _foot(judged, result),
    ]
    _write(out, _title(judged, result, run), sections)
    return dict(judged.scores if judged else {}) | {"left_out": left_out}


def _training(run: Path | None, left_out: list[str]) -> str:
    found = training_section(run)
    if not found:
        whose = "no run was given" if run is None else f"{run} has no metrics.csv"
        left_out.append(f"Training curves: {whose}.")
    return found


def _judged_sections(
    judged: Judged, data: Path, splits: Splits, examples: Examples, left_out: list[str]
) -> tuple[str, ...]:
    """Return what the predictions show; what they do not is told to `left_out`."""
    file, names = judged.file.path.name, _names(judged, data)
    training = read_training(judged.index, splits, judged.records, names)
    segments = moments = ""
    if examples.videos and "segment" not in judged.precision:
        raise ConfigError(
            "has no effect without segments that are rated",
            where="--videos",
            hint="`reeltag predict --segments` scores segments.",
        )
    if "segment" in judged.precision:
        segments, moments = _of_segments(judged, data, training, names, examples)
    elif not judged.file.holds("segments"):
        left_out.append(f"Moments and classes in segments: {file} holds no segments.")
    else:
        left_out.append("Moments and classes in segments: none of these segments is rated.")
    videos = tags = ""
    if judged.file.holds("videos"):
        facts = read_videos(judged)
        if "video" in judged.precision:
            videos = videos_section(judged, facts, training, names)
        else:
            left_out.append("Classes in whole videos: none of these videos has a label.")
        tags = (
            "<h2>Tags</h2>\n<p>"
            f"{len(facts.tagged)} of {int(facts.predicted.sum()):,} videos, at equal distances "
            'in the split, with their best classes. <span class="tag hit">✓</span> is a label of '
            f"the video.</p>\n{tag_table(tagged(judged, facts), names)}"
        )
    else:
        left_out.append(f"Classes and tags of whole videos: {file} holds no whole videos.")
    return segments, moments, videos, tags


def _of_segments(
    judged: Judged,
    data: Path,
    training: Training,
    names: tuple[str, ...],
    examples: Examples,
) -> tuple[str, str]:
    facts = read_segments(judged)
    classes = rated_classes(judged, facts)
    hard = hard_classes(judged, facts, classes, training)
    chosen = choose(judged, facts, count=examples.count, seed=examples.seed, wanted=examples.videos)
    shown = timelines(judged, chosen, data)
    rated = len(np.unique(judged.truth.segment_video()))
    return (
        segments_section(facts, classes, hard, training, names),
        moments_section(shown, names, rated, examples.seed),
    )


def _names(judged: Judged, data: Path) -> tuple[str, ...]:
    num_classes = judged.truth.num_classes
    vocabulary = ClassList.find(data) or ClassList.numbered(num_classes)
    return vocabulary.names


def _write(out: Path, title: str, sections: Sequence[str]) -> None:
    text = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{CSS}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(filter(None, sections))
        + "\n</main>\n</body>\n</html>\n"
    )
    with whole_file(out) as part:
        part.write_text(text, encoding="utf-8")


def _title(judged: Judged | None, result: Result | None, run: Path | None) -> str:
    what = result.solution if result else ""
    if judged is None:
        return what or (run.resolve().name if run else "reeltag")
    family = judged.file.about.family
    what = what or FAMILIES.get(family, family.capitalize()) or "Predictions"
    return f"{what} on {judged.index.root.resolve().name}"


def _head(
    judged: Judged | None, result: Result | None, run: Path | None, split: Split | None
) -> str:
    """Return the title and where the figures come from."""
    title = f"<h1>{escape(_title(judged, result, run))}</h1>"
    if judged is None:
        return title
    index, counted = judged.index, np.ones(len(judged.truth), bool) if split else judged.judged
    videos, hours = int(counted.sum()), judged.seconds[counted].sum() / 3600
    length = f", {hours:.1f} hours" if index.kind == "frames" else ""
    words = f"Scored on {f'the {split} split' if split else 'the predicted videos'} of "
    words += f"<code>{escape(str(index.root))}</code>: {videos:,} videos{length}"
    if len(judged.truth.label_keys):
        words += f", {len(judged.truth.label_keys) / videos:.1f} labels each"
    missing = int(judged.scores["videos_without_prediction"])
    if split and missing:
        words += f", {missing:,} of them without a prediction"
    streams = " and ".join(f"{stream.name} ({stream.width})" for stream in judged.records.streams)
    words += f". {index.num_classes:,} classes; features: {escape(streams)}."
    if result is not None:
        words += f" Scores, classes and moments are those of <code>{escape(_file(judged))}</code>."
    return f'{title}\n<p class="lead">{words}</p>'


def _file(judged: Judged) -> str:
    return "/".join(judged.file.path.parts[-2:])


def _banner(data: Path | None) -> str:
    marker = read_marker(data) if data else None
    if marker is None:
        return ""
    maker = escape(str(marker.get("made_by", "reeltag synth")))
    return (
        f'<p class="banner"><b>Synthetic data.</b> These videos were drawn from random numbers by '
        f"{maker}. The page shows that everything works; its figures say nothing about real "
        "videos.</p>"
    )


def _segments_line(scores: Mapping[str, Any]) -> str:
    intervals = "Intervals are 95 % bootstrap intervals over videos." if scores["bootstrap"] else ""
    if scores.get("map@k") is None:
        return f'<p class="note">{intervals}</p>' if intervals else ""
    segments, classes = int(scores["segments"]), int(scores["classes"])
    return (
        f'<p class="note">MAP@K is over {segments:,} rated segments of {classes:,} classes. '
        f"{intervals}</p>"
    )


def _left_out(sentences: Sequence[str]) -> str:
    if not sentences:
        return ""
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    return f'<h2>Not on this page</h2>\n<ul class="note">{items}</ul>'


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


def _foot(judged: Judged | None, result: Result | None) -> str:
    where = [f"result {', '.join(map(str, result.files))}"] if result else []
    if judged is not None:
        about = judged.file.about
        where += [f"predictions {_file(judged)}"]
        where += [f"checkpoint {about.run}"] if about.run else []
        where += [f"reeltag {about.version}"]
    return f"<footer>{escape('; '.join(where))}</footer>" if where else ""
