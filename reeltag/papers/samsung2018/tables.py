"""How the networks and ensembles of Samsung 2018 are judged, and the slides' table beside ours."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from reeltag.papers.common.contract import FolderOf, Goal, Line, Table
from reeltag.papers.common.work.evaluation import compare, compare_with_best, score_videos
from reeltag.papers.common.work.files import RUN, read_scores
from reeltag.papers.samsung2018.steps import Bench
from reeltag.pipeline.steps import Step, step

YES, NO = "\N{CHECK MARK}", "\N{MULTIPLICATION SIGN}"
FINAL, LARGE = 0.88729, 0.88743
RESULTS = (  # row, model, on frames, GAP@20, BCE in 1/1000, part of the final ensemble
    (0, "Final ensemble", True, FINAL, None, True),
    (1, "ResNetLike + soft labels", False, 0.87417, 0.92, True),
    (2, "ResNetLike + mixup", False, 0.86105, 0.97, True),
    (3, "ResNetLike over linear combinations", True, 0.85325, 1.02, True),
    (4, "ResNetLike + soft ranking loss", False, 0.85184, None, True),
    (5, "AttentionNet", True, 0.85094, 1.08, True),
    (6, "LSTM-Bi-Attention", True, 0.84645, 1.04, True),
    (7, "Time Distributed Convolutions", True, 0.84144, 1.0, True),
    (8, "VLAD-BOW + learnable power", True, 0.83959, 1.1, True),
    (9, "Video only ResNetLike", False, 0.83212, 1.1, True),
    (10, "Time Distributed Dense Sorting", True, 0.83136, None, False),
    (11, "EarlyConcatLSTM", True, 0.82998, 1.2, True),
    (12, "Time Distributed Dense Max Pooling", True, 0.82656, 1.1, True),
    (13, "Self-attention (transformer encoder)", True, 0.8237, 1.2, True),
    (14, "10000 clusters + ResNetLike", True, 0.7900, 1.3, True),
    (15, "Audio only ResNetLike", False, 0.50676, 2.5, True),
    (16, "Bottleneck 4 neurons", False, 0.41079, 2.9, True),
)
OF_ROW = {0: "final", 1: "soft", 2: "mixup", 4: "soft-ranking"}  # the others are members' own
PAPER = {"final": FINAL, "lightgbm": LARGE, "soft": 0.87417, "mixup": 0.86105}
PAPER |= {"soft-ranking": 0.85184}
ENSEMBLES = {
    "mean": "Mean of the fleet",
    "lightgbm": "Large ensemble (LightGBM over the fleet)",
    "final": "Final ensemble (one graph)",
}
SHORT = {"plain": "plain", "soft": "soft labels", "lightgbm": "LightGBM", "final": "final graph"}
GAINS = (
    ("soft", "mixup"),
    ("soft", "plain"),
    ("mixup", "plain"),
    ("soft-ranking", "plain"),
    ("lightgbm", "mean"),
    ("final", "lightgbm"),
    ("final", "soft"),
)


def judged(bench: Bench) -> Goal:
    """Return the goal: every score, what each stage gains, and the final graph."""
    draws = bench.plan.config.bootstrap
    judging: dict[str, Any] = {"judges": bench.plan.parts.judges, "bootstrap": draws}
    scores = {
        name: step(
            score_videos,
            said,
            bench.data,
            name=name,
            **judging,
            estimate=partial(bench.costs.scoring, 1, draws),
        )
        for name, said in bench.said.items()
    }
    gains = {
        (one, other): step(
            compare,
            bench.data,
            bench.said[one],
            bench.said[other],
            name=f"{one}-{other}",
            **judging,
            estimate=partial(bench.costs.scoring, 2, draws),
        )
        for one, other in GAINS
    }
    rivals = {
        "lightgbm": tuple(member.name for member in bench.plan.fleet),
        "final": tuple(f"net-{name}" for name in bench.plan.nets),
    }
    best = {
        name: step(
            compare_with_best,
            bench.data,
            bench.said[name],
            *(bench.said[other] for other in others),
            name=name,
            **judging,
            estimate=partial(bench.costs.scoring, 2, draws),
        )
        for name, others in rivals.items()
    }
    tables = _Tables(bench, scores, gains, best, rivals)
    goals = (*scores.values(), *gains.values(), *best.values(), bench.runs["final"])
    return Goal(steps=goals, tables=tables, closing=tables.closing, best=bench.said["final"])


@dataclass(frozen=True)
class _Tables:
    """Tables out of scores and gains, when they are there."""

    bench: Bench
    scores: Mapping[str, Step]
    gains: Mapping[tuple[str, str], Step]
    best: Mapping[str, Step]
    rivals: Mapping[str, tuple[str, ...]]

    def __call__(self, folder: FolderOf) -> list[Table]:
        """Return the slides' table, the fleet, the ensembles, and what is gained."""
        said = {name: read_scores(folder(made)) for name, made in self.scores.items()}
        note = self._note(said["final"])
        return [
            self._results(said, note),
            self._fleet(said, note),
            self._ensembles(said, note),
            self._gained(folder, note),
        ]

    def closing(self, folder: FolderOf) -> str:
        """Return which command makes a file of the final graph."""
        run = folder(self.bench.runs["final"]) / RUN
        return f"The final graph: reeltag export {run} --out model.onnx --max-bytes 1GB"

    def _results(self, said: Mapping[str, Any], note: str) -> Table:
        """Return every row of the slides, and the plain ResNetLike, which they do not have."""
        own = {member.row: member.name for member in self.bench.plan.fleet if member.row} | OF_ROW
        lines = []
        for row, name, on_frames, gap, loss, in_ensemble in RESULTS:
            scores = said.get(own.get(row, ""))
            lines.append(
                Line(
                    name=f"{row or ''} {name}".strip(),
                    marks=(YES if on_frames else NO, YES if in_ensemble else NO),
                    paper=(gap, loss),
                    note="" if scores else self._missing(on_frames),
                    **_figures(scores),
                )
            )
        plain = Line(
            name="ResNetLike, plain", marks=(NO, NO), note="ours", **_figures(said["plain"])
        )
        lines.insert(5, plain)
        return Table(
            title="Results",
            marks=("Fr.", "Ens."),
            paper=("GAP@20", "BCE, 1/1000"),
            ours=("GAP@20", "BCE, 1/1000"),
            lines=tuple(lines),
            digits=4,
            note=f"{note}. Rows 0, 1, 2, 4 and plain: one network, all training videos; the other "
            "rows: the mean of the folds' networks. Fr. and Ens. as the slides mark them",
        )

    def _missing(self, on_frames: bool) -> str:
        if on_frames and not self.bench.plan.frames:
            return "no frames here"
        return "no such member"

    def _fleet(self, said: Mapping[str, Any], note: str) -> Table:
        """Return all members: each fold's network out of fold, and the mean of them."""
        lines = [
            Line(
                name=member.name,
                marks=(YES if member.stacked else NO,),
                ours=(said[member.name]["out_of_fold"], *_figures(said[member.name])["ours"]),
                intervals=(None, *_figures(said[member.name])["intervals"]),
            )
            for member in self.bench.plan.fleet
        ]
        return Table(
            title="First level",
            marks=("stacked",),
            paper=(),
            ours=("GAP@20 out of fold", "GAP@20", "BCE, 1/1000"),
            lines=tuple(lines),
            digits=4,
            note=f"{note}; out of fold: one network, judged by the training videos it has not seen",
        )

    def _ensembles(self, said: Mapping[str, Any], note: str) -> Table:
        names = {**ENSEMBLES, **{f"net-{of}": f"Small net {of.upper()}" for of in "abcdef"}}
        lines = [
            Line(
                name=text,
                paper=(PAPER.get(name),),
                ours=(said[name]["gap@20"],),
                intervals=(_pair(said[name]["gap@20_interval"]),),
            )
            for name, text in names.items()
        ]
        return Table(
            title="Ensembles, and the nets of the final graph",
            paper=("GAP@20",),
            ours=("GAP@20",),
            lines=tuple(lines),
            digits=4,
            note=note,
        )

    def _gained(self, folder: FolderOf, note: str) -> Table:
        found = [
            (one, other, read_scores(folder(of))[0]) for (one, other), of in self.gains.items()
        ]
        for name, of in self.best.items():
            scores = read_scores(folder(of))
            found.append((name, self.rivals[name][scores["best"]], scores["difference"]))
        lines = [
            Line(
                name=f"{_named(one)} over {_named(other)}",
                paper=(PAPER[one] - PAPER[other] if {one, other} <= set(PAPER) else None,),
                ours=(gain["gap@20"]["difference"],),
                intervals=(_pair(gain["gap@20"]["interval"]),),
                note="the best of its kind" if other in self.rivals.get(one, ()) else "",
            )
            for one, other, gain in found
        ]
        return Table(
            title="What each stage gains",
            paper=("difference of GAP@20",),
            ours=("difference of GAP@20",),
            lines=tuple(lines),
            digits=4,
            note=note,
        )

    def _note(self, scores: Mapping[str, Any]) -> str:
        plan = self.bench.plan
        return (
            f"the slides' on YouTube-8M of 2018, ours judged by {scores['videos']:,} test videos, "
            f"{plan.parts.counts['train']:,} to learn from in {plan.config.folds} folds; seed "
            f"{plan.config.seed}; [95 % of draws of the videos]"
        )


def _figures(scores: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return GAP and cross-entropy with their intervals, as a line takes them."""
    if scores is None:
        return {"ours": (None, None), "intervals": (None, None)}
    loss = None if "bce" not in scores else 1000 * scores["bce"]
    about = scores.get("bce_interval")
    thousand = None if about is None else (1000 * about[0], 1000 * about[1])
    return {
        "ours": (scores["gap@20"], loss),
        "intervals": (_pair(scores["gap@20_interval"]), thousand),
    }


def _named(name: str) -> str:
    return SHORT.get(name, name)


def _pair(interval: list[float] | None) -> tuple[float, float] | None:
    return None if interval is None else (interval[0], interval[1])
