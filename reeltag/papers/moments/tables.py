"""Scores of a moment finder next to its baselines, and what to type next."""

import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from reeltag.data.dataset import Dataset
from reeltag.papers.common.graph import Evaluation, GraphBuilder, difference_row
from reeltag.papers.common.program import FolderOf, Goal
from reeltag.papers.common.steps.evaluate import compare
from reeltag.papers.common.steps.files import RUN, read_scores
from reeltag.papers.common.steps.finder import write_finder
from reeltag.papers.common.steps.predict import copy_video_scores
from reeltag.papers.common.tables import Table, interval_of
from reeltag.papers.moments.config import MomentsPlan
from reeltag.pipeline.steps import Step, step
from reeltag.tagger.thresholds import Thresholds

_ANY_PROB = " --prob 0.5"  # for classes without a threshold
_NAMED = 10  # classes without a threshold in the closing words
NAMES = {
    "copied": "copied clip score: the video's score, for each of its segments",
    "I": "stage I: the video model, scoring each segment",
    "II": "moment finder: the same, trained on rated segments",
}


def evaluate_finder(
    stage_1: Step,
    tuned: Step,
    final: Step,
    plan: MomentsPlan,
    builder: GraphBuilder,
    data: Dataset,
) -> Goal:
    """Return the goal: the final model, the scores of `tuned` and of both baselines, the gains.

    Args:
        stage_1: the step that trains on whole videos.
        tuned: the finder that has not seen the evaluated videos; `stage_1` where there is none.
        final: the finder to be used.
        plan: sizes and splits.
        builder: of steps.
        data: the data set.
    """
    if not plan.own.evaluable:
        result = _FinderResult(plan, data, final, None, None, None)
        return Goal(steps=(final,), tables=result.tables, closing=result.closing, run=result.run)
    predictions = {"I": builder.predict_segments("I", stage_1, videos=True)}
    predictions["copied"] = step(copy_video_scores, predictions["I"], name="I")
    if tuned is not stage_1:
        predictions["II"] = builder.predict_segments("II", tuned)
    by_name = {name: predictions[name] for name in NAMES if name in predictions}
    evaluation = builder.evaluate(by_name, ())
    gains = step(
        compare,
        builder.data,
        *reversed(by_name.values()),
        name="gains",
        evaluation=builder.evaluation,
        bootstrap=builder.bootstrap,
    )
    best = predictions.get("II")
    finder = step(
        write_finder,
        final,
        best or predictions["I"],
        builder.data,
        name="final",
        evaluation=builder.evaluation,
        precision=plan.config.target_precision,
    )
    result = _FinderResult(plan, data, final, evaluation, gains, finder)
    steps = (*evaluation.steps, gains, finder)
    return Goal(
        steps=steps, tables=result.tables, closing=result.closing, best=best, run=result.run
    )


@dataclass(frozen=True)
class _FinderResult:
    """What is shown at the end: a table, a sentence, commands.

    Attributes:
        plan: sizes and splits.
        data: the data set.
        final: the step that trains the finder.
        evaluation: of the finder and its baselines; None where nothing can be evaluated.
        gains: the step that compares the finder with its baselines.
        finder: the step that chooses thresholds for it; None where nothing can be evaluated.
    """

    plan: MomentsPlan
    data: Dataset
    final: Step
    evaluation: Evaluation | None
    gains: Step | None
    finder: Step | None

    def tables(self, folder: FolderOf) -> list[Table]:
        """Return the finder with its baselines, and what is gained over them."""
        if self.evaluation is None:
            return []
        rows = [self.evaluation.row(name, NAMES[name], folder) for name in self.evaluation.scores]
        gains = [difference_row(f"over {name}", gain) for name, gain in self._gains(folder)]
        counts = self.evaluation.read("I", folder)
        tested = self.plan.own.assignment.evaluation.split == "test"
        note = (
            f"MAP: mean average precision of {counts['classes']:,} classes on "
            f"{counts['segments']:,} rated segments of {counts['videos']:,} "
            f"{'test videos' if tested else 'held-out videos'}; seed {self.plan.config.seed}; "
            "(95 % of draws of the videos)"
        )
        return [
            Table(title=title, paper=(), ours=(metric,), lines=tuple(lines), note=note)
            for title, metric, lines in (
                ("How good the moment finder is", "MAP", rows),
                ("What it gains", "difference of MAP", gains),
            )
        ]

    def closing(self, folder: FolderOf) -> str:
        """Return in words how good it is, and the commands to type next."""
        if self.evaluation is None:
            what = "There is no rated segment to evaluate"
            if self.plan.own.ratings and not self.plan.config.without_ratings:
                what = "All ratings were trained on, for they are too few to hold some out"
            text = (
                f"{what}: how good it is remains open, and no precision is promised: moments are "
                "those of probability .5. Look at what it finds, rate that (yes and no), and run "
                "this again."
            )
        else:
            rated = "II" in self.evaluation.scores
            value = self.evaluation.read("II" if rated else "I", folder)["map@k"]
            gains = [
                (name, *(interval_of(gain["interval"]) or (None, None)))
                for name, gain in self._gains(folder)
            ]
            text = verdict(value, gains, rated=rated)
        if self.plan.own.assignment.evaluation.fold.count and not self.plan.config.without_ratings:
            text += (
                " The final model was then fitted on all ratings, those of these videos included."
            )
        thresholds = self._thresholds(folder)
        if thresholds is not None:
            text += "\n\n" + format_thresholds(thresholds)
        return f"{text}\n\nNext:\n" + "\n".join(f"  {line}" for line in self._next(folder))

    def _gains(self, folder: FolderOf) -> list[tuple[str, Mapping[str, Any]]]:
        assert self.gains is not None
        found = read_scores(folder(self.gains))
        baselines = ["stage I", "the copied clip score"][-len(found) :]
        return [(name, of["map@k"]) for name, of in zip(baselines, found, strict=True)]

    def run(self, folder: FolderOf) -> Path:
        """Return the run folder to be used."""
        return folder(self.finder or self.final) / RUN

    def _thresholds(self, folder: FolderOf) -> Thresholds | None:
        if self.finder is None:
            return None
        return Thresholds.find(self.run(folder), self.data.classes.names)

    def _next(self, folder: FolderOf) -> list[str]:
        work, data = (shlex.quote(str(p)) for p in (folder(self.final).parent, self.data.path))
        split = "" if self.plan.own.has_test else " --split all"
        shown, prob, prob_of_all = self.plan.own.frequent, "", ""
        thresholds = self._thresholds(folder)
        if thresholds is not None:
            reached = np.flatnonzero(np.isfinite(thresholds.high_logits)).tolist()
            rated = sum(each.num_rated > 0 for each in thresholds.classes)
            if shown not in reached:
                shown, prob = (reached[0], "") if reached else (shown, _ANY_PROB)
            prob_of_all = _ANY_PROB if 2 * len(reached) < rated else ""
        name = shlex.quote(self.data.classes.names[shown])
        lines = [
            f"reeltag moments {work} --data {data}{split} --class {name}{prob} --top 20",
            f"reeltag moments {work} --data {data}{split}{prob_of_all} --csv moments.csv",
            f"reeltag predict {work} --data {data}{split} --segments --out segments.parquet",
        ]
        if self.evaluation is not None:
            lines.append(f"reeltag report {work} --data {data} --out page.html")
        return lines


def format_thresholds(thresholds: Thresholds) -> str:
    """Return in words which classes keep the promised precision, and which cannot."""
    rated = [each for each in thresholds.classes if each.num_rated]
    lost = [each for each in rated if each.logit is None]
    text = (
        f"Thresholds of {len(rated) - len(lost):,} of {len(rated):,} rated classes promise a "
        f"precision of {thresholds.precision:g}; they were chosen on the ratings of the evaluated "
        "videos, and `reeltag moments` uses them."
    )
    if not lost:
        return text
    named = [f"  {each.name}: {each.reason}" for each in lost[:_NAMED]]
    if len(lost) > _NAMED:
        named.append(f"  and {len(lost) - _NAMED:,} more, in thresholds.json")
    return "\n".join([f"{text} These classes cannot, and have no moments without --prob:", *named])


def verdict(
    value: float, gains: list[tuple[str, float | None, float | None]], *, rated: bool
) -> str:
    """Return in words how good a finder is.

    Args:
        value: its MAP; nan or None where no class could be evaluated.
        gains: over what, and the ends of the interval of the difference of MAP.
        rated: whether it was trained on rated segments.
    """
    if value is None or math.isnan(value):
        return "No class has a positive rating among the evaluated videos: rate more segments."
    better = [name for name, low, _ in gains if low is not None and low > 0]
    worse = [name for name, _, high in gains if high is not None and high < 0]
    unsure = [name for name, *_ in gains if name not in better + worse]
    words = [
        f"The {'finder' if rated else 'video model'} has MAP {value:.3f} on videos it has "
        "never seen."
    ]
    if better:
        words.append(f"It is better than {' and '.join(better)}.")
    if unsure:
        words.append(
            f"Whether it is better than {' and '.join(unsure)} is open with so few ratings: the "
            "interval of the difference contains 0. More rated segments would train it and show."
        )
    if worse:
        words.append(
            f"It is worse than {' and '.join(worse)}: "
            + ("too few ratings, or ratings of another kind of video; " if rated else "")
            + "rate more segments before you rely on it."
        )
    return " ".join(words)
