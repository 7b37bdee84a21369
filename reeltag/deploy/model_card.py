"""The model card of a run: what it is, what was measured, and what it cannot do.

Every figure is one that is in the run, or that was computed from predictions of exactly its
weights; what was not measured is said to be so.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PureWindowsPath
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

import reeltag
from reeltag.core.hub import prepare_hub_import
from reeltag.core.text import visible
from reeltag.encoders import list_encoders
from reeltag.evaluation.meanings import score_meanings
from reeltag.tagger.importing import IMPORTED
from reeltag.tagger.tagger import Tagger
from reeltag.tagger.thresholds import ClassThreshold, Thresholds
from reeltag.training.frame_regression import REGRESSION
from reeltag.training.mean_run import AVERAGED

MOST_ROWS = 20  # classes that are listed
_TASK, _TAGS = "video-classification", ["reeltag", "video-tagging", "moment-localization"]
_MARKDOWN = re.compile(r"([\\`*_\[\]<>|#])")


@dataclass(frozen=True, kw_only=True)
class MeasuredScores:
    """Scores of predictions that were made with the weights of the run.

    Attributes:
        data: name of the data set.
        split: that was scored; "" = not known.
        synthetic: whether a program drew the data.
        top_k: classes of a video that entered GAP.
        scores: as `evaluate` returns them.
    """

    data: str
    split: str
    synthetic: bool
    top_k: int
    scores: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class CardSource:
    """What a card is written from.

    Attributes:
        repo: user/name.
        tagger: of the run.
        config: config.json, without paths.
        metrics: metrics.json; empty where the run has none.
        measured: scores of predictions, where there are some.
        synthetic: whether the training data are synthetic, as far as is known.
        licence: of the weights, as the hub calls it; "" = not stated.
    """

    repo: str
    tagger: Tagger
    config: Mapping[str, Any]
    metrics: Mapping[str, Any]
    measured: MeasuredScores | None = None
    synthetic: bool = False
    licence: str = ""


def model_card(source: CardSource) -> str:
    """Return the text of a card, with the front matter that the hub reads."""
    prepare_hub_import()
    from huggingface_hub import ModelCard

    tagger = source.tagger
    environment = Environment(  # of Markdown, where `code` and `plain` escape what others named
        loader=PackageLoader("reeltag.deploy"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
    )
    environment.filters |= {"code": _code, "plain": _plain}
    text = environment.get_template("model_card.md").render(
        name=source.repo.partition("/")[2],
        repo=source.repo,
        family=tagger.family,
        parameters=f"{sum(p.numel() for p in tagger.parameters()):,}",
        num_classes=tagger.num_classes,
        classes=tagger.class_names[:MOST_ROWS],
        rate=f"{tagger.features.rate_hz:g}",
        streams=_streams(tagger),
        training=_training(source),
        validation=_validation(source.metrics),
        scores=_score_table(source.measured) if source.measured else None,
        thresholds=_threshold_table(tagger.thresholds) if tagger.thresholds else None,
        limits=_limits(source),
        licence=_licence(source.licence),
        version=reeltag.__version__,
    )
    return str(ModelCard(f"---\n{_front_matter(source)}\n---\n\n{text}"))


def _front_matter(source: CardSource) -> str:
    """Return the YAML that the hub finds a model by, and shows its figures from."""
    from huggingface_hub import EvalResult, ModelCardData

    measured, results = source.measured, list[EvalResult]()
    for name, meaning in score_meanings(measured.scores, measured.top_k) if measured else ():
        assert measured is not None
        if (value := measured.scores[name]) is not None:
            results.append(
                EvalResult(
                    task_type=_TASK,
                    dataset_type=_slug(measured.data),
                    dataset_name=visible(measured.data),
                    dataset_split=measured.split or None,
                    metric_type=name,
                    metric_name=f"{name}: {meaning}",
                    metric_value=round(value, 4),
                    metric_args={"interval_95": _rounded(measured.scores.get(f"{name}_interval"))},
                )
            )
    data = ModelCardData(
        license=source.licence or None,
        library_name="reeltag",
        pipeline_tag=_TASK,
        tags=_TAGS,
        model_name=source.repo.partition("/")[2] if results else None,
        eval_results=results or None,
    )
    return data.to_yaml(line_break="\n").strip()


def _streams(tagger: Tagger) -> list[dict[str, object]]:
    licences = {info.name: info.licence for info in list_encoders()}
    return [
        {
            "name": of.name,
            "width": of.width,
            "dtype": of.dtype,
            "encoder": str(of.encoder) if of.encoder.name else "not stated",
            "licence": licences.get(of.encoder.name, "not known to reeltag"),
        }
        for of in tagger.features.streams
    ]


def _training(source: CardSource) -> list[str]:
    """Return what is known of the training, a sentence each."""
    config, metrics = source.config, source.metrics
    lines = [f"Written by reeltag {_plain(str(config.get('reeltag', '(unknown)')))}."]
    if IMPORTED in config:
        file = _code(str(config[IMPORTED].get("file", "")))
        return [*lines, f"Imported from the authors' TensorFlow checkpoint {file}; not trained."]
    data, recipe = config.get("data", {}), config.get("recipe", {})
    kind = " (synthetic: drawn by a program)" if source.synthetic else ""
    items = "rated windows" if recipe.get("items") == "segments" else "videos"
    number = f"{data['videos']:,} {items}" if isinstance(data.get("videos"), int) else items
    lines.append(f"Data: {number} of {_code(str(data.get('root', 'an unknown folder')))}{kind}.")
    if AVERAGED in config:
        lines.append(f"The mean of the weights of {len(config[AVERAGED]):,} runs.")
    if REGRESSION in config:
        return [*lines, "Learned by the frame regression of `reeltag serve` and `reeltag demo`."]
    if isinstance(metrics.get("steps"), int):
        lines.append(f"{metrics['steps']:,} steps.")
    lines.append("Again: `reeltag train --config config.json --data DATA --out RUN`.")
    return lines


def _validation(metrics: Mapping[str, Any]) -> list[str]:
    if not isinstance(metrics.get("best"), float):
        return ["No validation was measured in training."]
    return [
        f"Best validation in training: {_plain(str(metrics.get('metric')))} {metrics['best']:.4f}, "
        f"at step {metrics.get('best_step')} of {metrics.get('steps')}. These weights were chosen "
        "by it, so it is rather too high; it has no interval."
    ]


def _score_table(measured: MeasuredScores) -> dict[str, object]:
    scores = measured.scores
    rows = [
        {
            "name": name,
            "value": _number(scores[name]),
            "interval": _interval(scores.get(f"{name}_interval")),
            "meaning": meaning,
        }
        for name, meaning in score_meanings(scores, measured.top_k)
    ]
    split = f", split {measured.split}" if measured.split else ""
    return {
        "videos": f"{scores['videos']:,}",
        "data": measured.data,
        "split": split + (" (synthetic)" if measured.synthetic else ""),
        "rows": rows,
        "bootstrap": f"{scores['bootstrap']:,}",
    }


def _threshold_table(thresholds: Thresholds) -> dict[str, object]:
    found = [each for each in thresholds.classes if each.logit is not None]
    promise = f"{len(found):,} of {len(thresholds.classes):,} classes have one"
    if thresholds.precision is not None and thresholds.confidence is not None:
        promise += (
            f", chosen on ratings for a precision of at least {thresholds.precision:g}, each with "
            f"a confidence of {thresholds.confidence:.0%}"
        )
    rows = [_threshold_row(each) for each in found[:MOST_ROWS]]
    more = len(found) - len(rows)
    return {"promise": f"{promise}.", "rows": rows, "more": f"{more:,}" if more else ""}


def _threshold_row(of: ClassThreshold) -> dict[str, str]:
    return {
        "name": of.name,
        "prob": _number(of.prob),
        "precision": _number(of.precision),
        "interval": _interval(of.interval),
        "recall": _number(of.recall),
        "ratings": f"{of.num_rated:,} ({of.num_positive:,} positive)",
    }


def _limits(source: CardSource) -> list[str]:
    """Return what the run cannot do, or was not shown to do."""
    tagger, thresholds = source.tagger, source.tagger.thresholds
    lines = [
        "It knows its classes alone, and only features as described above.",
        "A probability is what the training labels make of it: where these are noisy, it is the "
        "probability of the label, not of the thing.",
    ]
    if source.measured is None:
        lines.append("It was not scored on videos that had no part in its training.")
    elif source.measured.split in ("train", "all"):
        lines.append("The scored videos were trained on, too: the figures are too high.")
    elif source.measured.split == "validate":
        lines.append("The scored videos chose these weights: the figures are rather too high.")
    else:
        lines.append(
            "The figures hold for videos like those that were scored; others were not tried."
        )
    if source.synthetic or (source.measured and source.measured.synthetic):
        lines.append("Synthetic data say nothing about real videos.")
    if thresholds is None:
        lines.append("No thresholds were chosen: moments are cut at a probability of 0.5.")
    elif unreached := thresholds.unreached:
        names = ", ".join(map(_code, list(unreached)[:MOST_ROWS]))
        more = f" and {len(unreached) - MOST_ROWS:,} more" if len(unreached) > MOST_ROWS else ""
        lines.append(f"Classes without a threshold, of which no moments are found: {names}{more}.")
    if any(not of.encoder.name for of in tagger.features.streams):
        lines.append("Which encoder its features come from is not stated everywhere.")
    return lines


def _licence(licence: str) -> str:
    if licence:
        return f"Of the weights: {_plain(licence)}. That of the encoders is in the table above."
    return (
        "The licence of the weights was not stated: ask before you use them. That of the encoders "
        "is in the table above."
    )


def shared_config(value: Any) -> Any:  # noqa: ANN401  (as the JSON has it)
    """Return what a JSON file of a run holds, absolute paths cut down to their last name.

    Where folders are on the machine that trained is private.

    >>> shared_config({"data": {"root": "/home/ann/birds", "videos": 3}})
    {'data': {'root': 'birds', 'videos': 3}}
    """
    if isinstance(value, Mapping):
        return {name: shared_config(of) for name, of in value.items()}
    if isinstance(value, list):
        return [shared_config(of) for of in value]
    if isinstance(value, str) and (os.path.isabs(value) or PureWindowsPath(value).is_absolute()):
        return PureWindowsPath(value).name or value  # it takes both kinds of slashes
    return value


def _code(text: str) -> str:
    """Return a text of others as a piece of code of Markdown, which nothing in it can end.

    >>> _code("a`b c")
    "`a'b c`"
    """
    line = " ".join(visible(text).split()) or " "
    return "`{}`".format(line.replace("`", "'").replace("|", "\\|"))


def _plain(text: str) -> str:
    """Return a text of others as words of Markdown."""
    return _MARKDOWN.sub(r"\\\1", " ".join(visible(text).split()))


def _slug(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name, flags=re.ASCII).strip("-") or "data"


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"


def _interval(interval: Any) -> str:  # noqa: ANN401  (a pair)
    return " to ".join(f"{edge:.4f}" for edge in interval) if interval else "not measured"


def _rounded(interval: Any) -> list[float] | None:  # noqa: ANN401  (a pair)
    return [round(edge, 4) for edge in interval] if interval else None
