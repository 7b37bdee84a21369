"""How the models of OPPO 2019 are judged, and the paper's tables beside ours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from reeltag.papers.common.contract import FolderOf, Goal, Line, Table
from reeltag.papers.common.segment_costs import Costs
from reeltag.papers.common.work.blends import mean
from reeltag.papers.common.work.evaluation import compare, score
from reeltag.papers.common.work.files import read_scores
from reeltag.papers.common.work.segments import copy_video_scores, predict_segments
from reeltag.papers.oppo2019.config import Plan
from reeltag.pipeline.steps import Source, Step, step

PAPER = {  # MAP on the private leaderboard, tables 1 and 2
    "I": 0.72770,
    "II-A": 0.75723,
    "II-B": 0.76901,
    "II-C": 0.77455,
    "III-I": 0.73589,
    "III-A": 0.78425,
    "III-B": 0.78585,
    "III-C": 0.78595,
    "ensemble": 0.78687,
    "original-fresh": 0.72439,
    "original": 0.74414,
    "equal-fresh": 0.76239,
    "equal": 0.76764,
}
TABLE_1 = {
    "copied": "no segments: the video's score, copied",
    "I-all-frames": "NeXtVLAD (Pre-trained), not down-sampled",
    "I": "NeXtVLAD (Pre-trained)",
    "II-A": "NeXtVLAD (Model A)",
    "II-B": "NeXtVLAD (Model B)",
    "II-C": "NeXtVLAD (Model C)",
    "III-I": "MixNeXtVLAD (Pre-trained)",
    "III-A": "MixNeXtVLAD (Model A)",
    "III-B": "MixNeXtVLAD (Model B)",
    "III-C": "MixNeXtVLAD (Model C)",
    "ensemble": "Final ensemble",
}
TABLE_2 = {
    "original-fresh": "Original Soft-Label",
    "original": "Original Soft-Label + Pre-training",
    "equal-fresh": "Equal Soft-Label",
    "equal": "Equal Soft-Label + Pre-training",
}
SHORT = {
    "I": "stage I",
    "I-all-frames": "stage I on all frames",
    "original": "Original",
    "original-fresh": "Original, fresh",
    "equal-fresh": "Equal, fresh",
    "II-B": "II-B (Equal)",
    "copied": "copied video score",
}
SAME_AS = {"equal": "II-B"}  # made in the same way
NOTES = {
    "copied": "what anyone can do: to be beaten",
    "I": "per segment: to be beaten",
    "I-all-frames": "paper: about 0.004 below the next",
    "equal": "ours is Model B, which is made in the same way",
}
GAINS = (
    ("I", "I-all-frames"),
    ("II-A", "I"),
    ("II-B", "II-A"),
    ("II-C", "II-B"),
    ("II-B", "original"),
    ("equal-fresh", "original-fresh"),
    ("II-B", "equal-fresh"),
    ("III-A", "II-C"),
    ("III-C", "II-C"),
    ("ensemble", "III-A"),
    ("ensemble", "III-C"),
    ("ensemble", "I"),
    ("ensemble", "copied"),
)


def judged(
    models: Sequence[Step], best: Sequence[Step], plan: Plan, costs: Costs, data: Source
) -> Goal:
    """Return the goal: every model's score, that of the mean of the `best`, and all gains.

    Args:
        models: steps that train; "train-I" is called "I" here.
        best: those whose predictions are averaged in the end.
        plan: sizes, and who judges.
        costs: on the data.
        data: the data set.
    """
    judges, device = plan.roles.judges, plan.config.device
    judging: dict[str, Any] = {"judges": judges, "bootstrap": plan.config.bootstrap}
    scoring = partial(costs.scoring, draws=plan.config.bootstrap)
    said: dict[str, Step] = {}
    for model in models:
        name = model.name.removeprefix("train-")
        said[name] = step(
            predict_segments,
            model,
            data,
            name=name,
            judges=judges,
            videos=name == "I",
            precision=plan.sizes.precision,
            runtime={"device": device},
            estimate=partial(costs.predicting, plan.mix if "III" in name else plan.single),
        )
    averaged = [said[model.name.removeprefix("train-")] for model in best]
    said["ensemble"] = step(
        mean, *averaged, name="ensemble", estimate=partial(costs.rewriting, len(averaged))
    )
    said["copied"] = step(copy_video_scores, said["I"], name="I", estimate=costs.rewriting)
    scores = {
        name: step(score, made, data, name=name, **judging, estimate=scoring)
        for name, made in said.items()
    }
    gains = {
        (one, other): step(
            compare,
            data,
            said[one],
            said[other],
            name=f"{one}-{other}",
            **judging,
            estimate=partial(scoring, 2),
        )
        for one, other in GAINS
        if one in said and other in said
    }
    tables = _Tables(plan, scores, gains)
    goals = (*scores.values(), *gains.values())
    return Goal(steps=goals, tables=tables, best=said["ensemble"])


@dataclass(frozen=True)
class _Tables:
    """Tables out of scores and gains, when they are there."""

    plan: Plan
    scores: Mapping[str, Step]
    gains: Mapping[tuple[str, str], Step]

    def __call__(self, folder: FolderOf) -> list[Table]:
        """Return what the paper has, and what was gained with each stage."""
        found = [self._table("Table 1: models", TABLE_1, folder)]
        if "original" in self.scores:
            found.append(self._table("Table 2: soft labels, one NeXtVLAD", TABLE_2, folder))
        return [*found, self._gained(folder)]

    def _table(self, title: str, names: Mapping[str, str], folder: FolderOf) -> Table:
        lines = []
        for name, text in names.items():
            made = self.scores.get(SAME_AS.get(name, name))
            if made is None:
                continue
            scores = read_scores(folder(made))
            lines.append(
                Line(
                    name=text,
                    paper=(PAPER.get(name),),
                    ours=(scores["map@k"],),
                    intervals=(_pair(scores["map@k_interval"]),),
                    note=NOTES.get(name, ""),
                )
            )
        return self._titled(title, "MAP", tuple(lines), folder)

    def _gained(self, folder: FolderOf) -> Table:
        lines = []
        for (one, other), made in self.gains.items():
            gain = read_scores(folder(made))[0]["map@k"]
            paper = PAPER[one] - PAPER[other] if one in PAPER and other in PAPER else None
            lines.append(
                Line(
                    name=f"{_named(one)} over {_named(other)}",
                    paper=(paper,),
                    ours=(gain["difference"],),
                    intervals=(_pair(gain["interval"]),),
                )
            )
        return self._titled("What each stage gains", "difference of MAP", tuple(lines), folder)

    def _titled(self, title: str, what: str, lines: tuple[Line, ...], folder: FolderOf) -> Table:
        counts, config = read_scores(folder(self.scores["I"])), self.plan.config
        judges = "a fold of validate" if self.plan.roles.fold.count else "test"
        return Table(
            title=title,
            paper=(what,),
            ours=(what,),
            lines=lines,
            digits=4,
            note="MAP@100,000; the paper's on the private leaderboard, ours "
            f"judged by {counts['segments']:,} rated segments of {judges}, "
            f"{counts['classes']:,} classes; seed {config.seed}; [95 % of draws of the videos]",
        )


def _named(name: str) -> str:
    return SHORT.get(name, name)


def _pair(interval: list[float] | None) -> tuple[float, float] | None:
    return None if interval is None else (interval[0], interval[1])
