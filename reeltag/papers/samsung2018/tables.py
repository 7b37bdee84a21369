"""Scores of the networks and ensembles of Samsung 2018, and the slides' table next to ours."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reeltag.papers.common.graph import Evaluation, difference_row
from reeltag.papers.common.program import FolderOf, Goal
from reeltag.papers.common.steps.files import RUN, read_scores
from reeltag.papers.common.tables import Table, TableRow, interval_of
from reeltag.papers.samsung2018.steps import SamsungGraph
from reeltag.pipeline.steps import Step

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
    "mean": "Mean of the first level",
    "lightgbm": "Large ensemble (LightGBM over the first level)",
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


def evaluate_graph(graph: SamsungGraph) -> Goal:
    """Return the goal: every score, what each stage gains, and the final graph."""
    predictions, builder = graph.predictions, graph.builder
    evaluation = builder.evaluate(predictions, GAINS, metric="gap@20")
    rivals = {
        "lightgbm": tuple(member.name for member in graph.plan.members),
        "final": tuple(f"net-{name}" for name in graph.plan.nets),
    }
    best = {
        name: builder.compare_with_best(
            name, predictions[name], [predictions[other] for other in others]
        )
        for name, others in rivals.items()
    }
    tables = _SamsungTables(graph, evaluation, best, rivals)
    goals = (*evaluation.steps, *best.values(), graph.runs["final"])
    return Goal(
        steps=goals,
        tables=tables,
        closing=tables.closing,
        best=predictions["final"],
        run=tables.run,
    )


@dataclass(frozen=True)
class _SamsungTables:
    """Tables of scores and gains, when they are there."""

    graph: SamsungGraph
    evaluation: Evaluation
    best: Mapping[str, Step]
    rivals: Mapping[str, tuple[str, ...]]

    def __call__(self, folder: FolderOf) -> list[Table]:
        """Return the slides' table, the first level, the ensembles, and what is gained."""
        scores = {name: self.evaluation.read(name, folder) for name in self.evaluation.scores}
        note = self._note(scores["final"])
        return [
            self._results(scores, note),
            self._first_level(scores, note),
            self._ensembles(folder, note),
            self._gained(folder, note),
        ]

    def run(self, folder: FolderOf) -> Path:
        """Return the final graph's run."""
        return folder(self.graph.runs["final"]) / RUN

    def closing(self, folder: FolderOf) -> str:
        """Return the command that exports the final graph."""
        return (
            f"The final graph: reeltag export {self.run(folder)} --out model.onnx --max-bytes 1GB"
        )

    def _results(self, scores: Mapping[str, Any], note: str) -> Table:
        """Return every row of the slides, and the plain ResNetLike, which they do not have."""
        own = {member.row: member.name for member in self.graph.plan.members if member.row} | OF_ROW
        lines = []
        for row, name, on_frames, gap, loss, in_ensemble in RESULTS:
            found = scores.get(own.get(row, ""))
            lines.append(
                TableRow(
                    name=f"{row or ''} {name}".strip(),
                    marks=(YES if on_frames else NO, YES if in_ensemble else NO),
                    paper=(gap, loss),
                    note="" if found else self._missing(on_frames),
                    **_figures(found),
                )
            )
        plain = TableRow(
            name="ResNetLike, plain", marks=(NO, NO), note="ours", **_figures(scores["plain"])
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
        if on_frames and not self.graph.plan.frames:
            return "no frames here"
        return "no such member"

    def _first_level(self, scores: Mapping[str, Any], note: str) -> Table:
        """Return all members: each fold's network out of fold, and the mean of them."""
        lines = [
            TableRow(
                name=member.name,
                marks=(YES if member.stacked else NO,),
                ours=(scores[member.name]["out_of_fold"], *_figures(scores[member.name])["ours"]),
                intervals=(None, *_figures(scores[member.name])["intervals"]),
            )
            for member in self.graph.plan.members
        ]
        return Table(
            title="First level",
            marks=("stacked",),
            paper=(),
            ours=("GAP@20 out of fold", "GAP@20", "BCE, 1/1000"),
            lines=tuple(lines),
            digits=4,
            note=f"{note}; out of fold: one network, on the training videos it has not seen",
        )

    def _ensembles(self, folder: FolderOf, note: str) -> Table:
        names = {**ENSEMBLES, **{f"net-{of}": f"Small net {of.upper()}" for of in "abcdef"}}
        rows = [
            self.evaluation.row(name, text, folder, paper=(PAPER.get(name),))
            for name, text in names.items()
        ]
        return Table(
            title="Ensembles, and the nets of the final graph",
            paper=("GAP@20",),
            ours=("GAP@20",),
            lines=tuple(rows),
            digits=4,
            note=note,
        )

    def _gained(self, folder: FolderOf, note: str) -> Table:
        rows = self.evaluation.difference_rows(folder, _published_gain, SHORT)
        for name, compared in self.best.items():
            found = read_scores(folder(compared))
            row = difference_row(
                f"{SHORT.get(name, name)} over {self.rivals[name][found['best']]}",
                found["difference"]["gap@20"],
                (None,),
            )
            rows.append(replace(row, note="the best of its kind"))
        return Table(
            title="What each stage gains",
            paper=("difference of GAP@20",),
            ours=("difference of GAP@20",),
            lines=tuple(rows),
            digits=4,
            note=note,
        )

    def _note(self, scores: Mapping[str, Any]) -> str:
        plan = self.graph.plan
        return (
            f"the slides' on YouTube-8M of 2018, ours on {scores['videos']:,} test videos, "
            f"{plan.assignment.counts['train']:,} to train on in {plan.config.folds} folds; seed "
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
        "intervals": (interval_of(scores["gap@20_interval"]), thousand),
    }


def _published_gain(one: str, other: str) -> tuple[float | None]:
    return (PAPER[one] - PAPER[other] if one in PAPER and other in PAPER else None,)
