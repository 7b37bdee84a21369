"""One HTML page that shows what a tagger learned: self-contained, no script, no network."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from reeltag.core.errors import ConfigError, DataError
from reeltag.core.files import PathLike, whole_file
from reeltag.core.text import json_text, visible
from reeltag.data.class_list import ClassList
from reeltag.data.dataset import Dataset
from reeltag.data.splits import Split
from reeltag.data.synth.about import read_marker
from reeltag.evaluation.config import EvaluationConfig
from reeltag.evaluation.scores import DEFAULT_CONFIG
from reeltag.figures.svg import LIGHT
from reeltag.report.evaluated import EvaluatedFile, evaluate_file, read_segments, read_videos
from reeltag.report.examples import choose, timelines
from reeltag.report.facts import TrainingLabels, read_training_labels
from reeltag.report.found_moments import read_found
from reeltag.report.found_section import found_section
from reeltag.report.hard_classes import hard_classes, rated_classes
from reeltag.report.results import SolveResult
from reeltag.report.sections import (
    cards,
    moments_section,
    paper_section,
    segments_section,
    tags_section,
    training_section,
    videos_section,
)
from reeltag.report.view import FoundSection, Headline, MomentsSection, Page, SegmentsSection

FAMILIES = {"nextvlad": "NeXtVLAD", "netvlad": "Gated NetVLAD", "moe": "Mixture of experts"}


@dataclass(frozen=True, kw_only=True)
class Examples:
    """Which videos are shown over time.

    Attributes:
        count: how many of the best, of the worst, and at random.
        seed: random seed of the random ones.
        videos: ids of further videos.
    """

    count: int = 2
    seed: int = 0
    videos: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ReportSource:
    """What a page is about; sections without input are left out.

    Attributes:
        predictions: Parquet, with whole videos, segments or both; None = no scores.
        data: with the labels; without it there are no scores.
        run: the run folder, for the training curves and the configuration.
        result: of a solution, for the paper's tables.
        moments: table of `reeltag moments --csv`, of the data.
        events: table of times that are known, with the columns id, start_s, end_s, class.
    """

    predictions: Path | None = None
    data: Dataset | None = None
    run: Path | None = None
    result: SolveResult | None = None
    moments: Path | None = None
    events: Path | None = None


def write_report(
    out: PathLike,
    source: ReportSource,
    config: EvaluationConfig = DEFAULT_CONFIG,
    *,
    examples: Examples = Examples(),
    quiet: bool = False,
) -> dict[str, Any]:
    """Write the page to `out`, whole or not at all. The same input gives the same bytes.

    Memory is that of `evaluate`: of the rows of predictions only those of videos that are shown are
    kept.

    Args:
        out: the .html file.
        source: what the page is about.
        config: how predictions are scored.
        examples: videos that are shown over time.
        quiet: show no progress.

    Returns:
        The scores as `evaluate` and `evaluate_moments` name them, and "left_out": sentences on
        missing sections.

    Raises:
        DataError: the predictions cannot be read, or are not of these data.
        ConfigError: the split is empty, or a wanted video is not there.
        OutputError: `out` cannot be written.
    """
    out = Path(out)
    left_out, file = list[str](), None
    run, result = source.run, source.result
    if source.predictions is not None and source.data is not None:
        file = evaluate_file(source.predictions, source.data, config, quiet=quiet)
    else:
        lacking = "predictions" if source.predictions is None else "data"
        left_out.append(f"Scores, classes and moments: no {lacking} were given.")
    training = training_section(run)
    if training is None:
        cause = "no run was given" if run is None else f"{run} has no metrics.csv"
        left_out.append(f"Training curves: {cause}.")
    scored = _scored_sections(file, examples, left_out) if file else {}
    found = _found(source, config.split, examples)
    page = Page(
        title=_title(file, result, run),
        headline=_headline(file, source, config.split) if file else None,
        paper=paper_section(result) if result else None,
        found=found,
        training=training,
        **{name: scored.get(name) for name in ("segments", "moments", "videos", "tags")},
        left_out=tuple(left_out),
        config=_config(run),
        sources=_sources(file, result),
    )
    with whole_file(out) as part:
        part.write_text(render(page), encoding="utf-8")
    scores = dict(file.scores if file else {}) | (found.scores if found else {})
    return scores | {"left_out": left_out}


def render(page: Page) -> str:
    """Return the page as HTML; every word in it is escaped, drawings alone are markup."""
    environment = Environment(
        loader=PackageLoader("reeltag.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "grouped": "{:,}".format,
        "percent": "{:.0%}".format,
        "fixed": lambda value, digits=3: "\N{EN DASH}" if value is None else f"{value:.{digits}f}",
    }
    return visible(environment.get_template("page.html").render(page=page, light=LIGHT))


def _found(source: ReportSource, split: Split | None, examples: Examples) -> FoundSection | None:
    if source.moments is None or source.data is None:
        return None
    found = read_found(source.moments, source.events, source.data, split)
    return found_section(found, source.data.path, count=examples.count, seed=examples.seed)


def _scored_sections(
    file: EvaluatedFile, examples: Examples, left_out: list[str]
) -> dict[str, Any]:
    """Return the sections that the predictions allow; add the others to `left_out`."""
    name, names = file.predictions.path.name, _names(file)
    training = read_training_labels(file.records, names)
    found: dict[str, Any] = {}
    if examples.videos and "segment" not in file.precision:
        raise ConfigError(
            "has no effect without rated segments",
            where="--videos",
            hint="`reeltag predict --segments` scores segments.",
        )
    if "segment" in file.precision:
        found["segments"], found["moments"] = _segment_sections(file, training, names, examples)
    elif not file.predictions.holds("segments"):
        left_out.append(f"Moments and classes in segments: {name} holds no segments.")
    else:
        left_out.append("Moments and classes in segments: none of these segments is rated.")
    if file.predictions.holds("videos"):
        facts = read_videos(file)
        if "video" in file.precision:
            found["videos"] = videos_section(file, facts, training, names)
        else:
            left_out.append("Classes in whole videos: none of these videos has a label.")
        found["tags"] = tags_section(file, facts, names)
    else:
        left_out.append(f"Classes and tags of whole videos: {name} holds no whole videos.")
    return found


def _segment_sections(
    file: EvaluatedFile,
    training: TrainingLabels,
    names: tuple[str, ...],
    examples: Examples,
) -> tuple[SegmentsSection | None, MomentsSection | None]:
    facts = read_segments(file)
    classes = rated_classes(file, facts)
    hard = hard_classes(file, facts, classes, training)
    chosen = choose(file, facts, count=examples.count, seed=examples.seed, wanted=examples.videos)
    shown = timelines(file, chosen)
    rated = len(np.unique(file.truth.ratings.videos))
    return (
        segments_section(facts, classes, hard, training, names),
        moments_section(shown, names, rated, examples.seed),
    )


def _names(file: EvaluatedFile) -> tuple[str, ...]:
    classes = file.data.classes
    return (ClassList.numbered(file.truth.num_classes) if classes.inferred else classes).names


def _title(file: EvaluatedFile | None, result: SolveResult | None, run: Path | None) -> str:
    subject = result.solution if result else ""
    if file is None:
        return subject or (run.resolve().name if run else "reeltag")
    family = file.predictions.info.family
    subject = subject or FAMILIES.get(family, family.capitalize()) or "Predictions"
    return f"{subject} on {file.data.root.resolve().name}"


def _headline(file: EvaluatedFile, source: ReportSource, split: Split | None) -> Headline:
    data, scores, truth, result = file.data, file.scores, file.truth, source.result
    counted = np.ones(len(truth), bool) if split else file.evaluated
    videos, marker = int(counted.sum()), read_marker(data.path)
    marker = marker or (read_marker(source.events) if source.events else None)
    return Headline(
        data=str(data.root) if data.index.mirror is None else data.location,
        split=split or "",
        videos=videos,
        hours=float(file.seconds[counted].sum() / 3600) if data.kind == "frames" else None,
        labels=len(truth.labels.classes) / videos,
        missing=int(scores["videos_without_prediction"]) if split else 0,
        classes=data.num_classes,
        streams=tuple(f"{stream.name} ({stream.width})" for stream in file.records.streams),
        file=_short_path(file) if result else "",
        synthetic=str(marker.get("made_by", "reeltag synth")) if marker else "",
        cards=cards(scores),
        rated=None
        if scores.get("map@k") is None
        else (int(scores["segments"]), int(scores["classes"])),
        unlisted=int(scores.get("classes_unlisted", 0))
        if scores.get("average_over") == "rated"
        else 0,
        bootstrap=bool(scores["bootstrap"]),
    )


def _short_path(file: EvaluatedFile) -> str:
    return "/".join(file.predictions.path.parts[-2:])


def _config(run: Path | None) -> str:
    path = run / "config.json" if run else None
    if path is None or not path.is_file():
        return ""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(
            f"is not JSON ({error})", where=path, hint="Repair it, or leave out --run."
        ) from error
    return json_text(config, indent=2)


def _sources(file: EvaluatedFile | None, result: SolveResult | None) -> tuple[str, ...]:
    found = [f"result {', '.join(map(str, result.files))}"] if result else []
    if file is not None:
        about = file.predictions.info
        found += [f"predictions {_short_path(file)}"]
        found += [f"checkpoint {about.run}"] if about.run else []
        found += [f"reeltag {about.version}"]
    return tuple(found)
