"""How good a moment finder is, beside what one has without it, and what to type next."""

import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from reeltag.data.index import Index
from reeltag.papers.common.contract import FolderOf, Goal, Line, Table
from reeltag.papers.common.implications import names_of
from reeltag.papers.common.segment_costs import Costs
from reeltag.papers.common.work.evaluation import compare, score
from reeltag.papers.common.work.files import RUN, read_scores
from reeltag.papers.common.work.segments import copy_video_scores, predict_segments
from reeltag.papers.moments.config import Plan
from reeltag.pipeline.steps import Source, Step, step

NAMES = {
    "copied": "copied clip score: the video's score, for each of its segments",
    "I": "stage I: the video model, asked about each segment",
    "II": "moment finder: the same, taught by rated segments",
}


def judged(stage_1: Step, tuned: Step, final: Step, plan: Plan, costs: Costs, data: Source) -> Goal:
    """Return the goal: the final model, the scores of `tuned` and of both baselines, the gains.

    Args:
        stage_1: the step that trains on whole videos.
        tuned: the finder that has not seen what judges; `stage_1` where there is no other.
        final: the finder to be used.
        plan: sizes, and who judges.
        costs: on the data.
        data: the data set.
    """
    told = partial(_Told, plan, costs.index, data.path, final)
    if not plan.own.judged:
        return Goal(steps=(final,), tables=told({}, None).tables, closing=told({}, None).closing)
    config, judges = plan.config, plan.own.roles.judges
    judging: dict[str, Any] = {"judges": judges, "bootstrap": config.bootstrap}
    scoring = partial(costs.scoring, draws=config.bootstrap)

    def predicted(model: Step, name: str) -> Step:
        return step(
            predict_segments,
            model,
            data,
            name=name,
            judges=judges,
            videos=name == "I",
            precision=config.precision,
            runtime={"device": config.device},
            estimate=partial(costs.predicting, plan.model),
        )

    said = {"I": predicted(stage_1, "I")}
    said["copied"] = step(copy_video_scores, said["I"], name="I", estimate=costs.rewriting)
    if tuned is not stage_1:
        said["II"] = predicted(tuned, "II")
    scores = {
        name: step(score, said[name], data, name=name, **judging, estimate=scoring)
        for name in NAMES
        if name in said
    }
    best, *others = [said[name] for name in ("II", "I", "copied") if name in said]
    gains = step(
        compare, data, best, *others, name="gains", **judging, estimate=partial(scoring, 3)
    )
    known = told(scores, gains)
    goals = (*scores.values(), gains, *([] if final in (stage_1, tuned) else [final]))
    return Goal(steps=goals, tables=known.tables, closing=known.closing, best=said.get("II"))


@dataclass(frozen=True)
class _Told:
    """What is said at the end: a table, a plain word, commands."""

    plan: Plan
    index: Index
    data: Path
    final: Step
    scores: Mapping[str, Step]
    gains: Step | None

    def tables(self, folder: FolderOf) -> list[Table]:
        """Return the finder beside its baselines, and what is gained over them."""
        if self.gains is None:
            return []
        found = {name: read_scores(folder(made)) for name, made in self.scores.items()}
        lines = [
            _line(NAMES[name], of["map@k"], of["map@k_interval"]) for name, of in found.items()
        ]
        gained = [
            _line(f"over {short}", gain["difference"], gain["interval"])
            for short, gain in self._gains(folder)
        ]
        counts, own = found["I"], self.plan.own
        who = "test" if own.roles.judges.split == "test" else "videos kept from training"
        note = (
            f"MAP: mean average precision of {counts['classes']:,} classes, judged by "
            f"{counts['segments']:,} rated segments of {counts['videos']:,} videos ({who}); "
            f"seed {self.plan.config.seed}; (95 % of draws of the videos)"
        )
        made = {
            "How good the moment finder is": ("MAP", lines),
            "What it gains": ("difference of MAP", gained),
        }
        return [
            Table(title=title, paper=(), ours=(what,), lines=tuple(rows), note=note)
            for title, (what, rows) in made.items()
        ]

    def closing(self, folder: FolderOf) -> str:
        """Return a plain word on how good it is, and the commands to type next."""
        if self.gains is None:
            word = (
                "No rated segment is there to judge by: how good it is cannot be told. Look at "
                "what it finds, rate that (yes and no), and run this again."
            )
        else:
            value = read_scores(folder(self.scores.get("II", self.scores["I"])))["map@k"]
            gains = [(name, *_ends(gain["interval"])) for name, gain in self._gains(folder)]
            word = verdict(value, gains, taught="II" in self.scores)
        if self.plan.own.roles.judges.fold.count and not self.plan.config.without_ratings:
            word += (
                " The final model was then fitted on all ratings, those of these videos included."
            )
        return f"{word}\n\nNext:\n" + "\n".join(f"  {line}" for line in self._next(folder))

    def _gains(self, folder: FolderOf) -> list[tuple[str, Mapping[str, Any]]]:
        assert self.gains is not None
        found = read_scores(folder(self.gains))
        against = ["stage I", "the copied clip score"][-len(found) :]
        return [(name, of["map@k"]) for name, of in zip(against, found, strict=True)]

    def _next(self, folder: FolderOf) -> list[str]:
        run, data = (shlex.quote(str(p)) for p in (folder(self.final) / RUN, self.data))
        split = "" if self.plan.own.has_test else " --split all"
        name = shlex.quote(names_of(self.index)[self.plan.own.frequent])
        work = shlex.quote(str(folder(self.final).parent))
        lines = [
            f"reeltag moments {run} --data {data}{split} --class {name} --top 20",
            f"reeltag predict {run} --data {data}{split} --segments --out segments.parquet",
        ]
        if self.gains is not None:
            lines.append(f"reeltag report {work} --data {data} --out page.html")
        return lines


def verdict(
    value: float, gains: list[tuple[str, float | None, float | None]], *, taught: bool
) -> str:
    """Return in words how good a finder is.

    Args:
        value: its MAP; nan or None where no class could be judged.
        gains: over what, and the ends of the interval of the difference of MAP.
        taught: whether rated segments taught it.
    """
    if value is None or math.isnan(value):
        return "No class has a positive rating among the videos that judge: rate more segments."
    better = [name for name, low, _ in gains if low is not None and low > 0]
    worse = [name for name, _, high in gains if high is not None and high < 0]
    unsure = [name for name, *_ in gains if name not in better + worse]
    words = [
        f"The {'finder' if taught else 'video model'} has MAP {value:.3f} on videos it has "
        "never seen."
    ]
    if better:
        words.append(f"It is better than {' and '.join(better)}.")
    if unsure:
        words.append(
            f"Whether it is better than {' and '.join(unsure)} cannot be told from so few ratings: "
            "the interval of the difference holds 0. More rated segments would teach it and tell."
        )
    if worse:
        words.append(
            f"It is worse than {' and '.join(worse)}: "
            + ("too few ratings, or ratings of another kind of video; " if taught else "")
            + "rate more segments before you rely on it."
        )
    return " ".join(words)


def _line(name: str, value: float | None, interval: list[float] | None) -> Line:
    value = None if value is None or math.isnan(value) else value
    low, high = _ends(interval)
    both = None if value is None or low is None or high is None else (low, high)
    return Line(name=name, ours=(value,), intervals=(both,))


def _ends(interval: list[float] | None) -> tuple[float | None, float | None]:
    if interval is None or any(math.isnan(end) for end in interval):
        return None, None
    return interval[0], interval[1]
