"""Scores of the models and ensembles of Axon 2018, and the paper's tables next to ours."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from reeltag.ensembling.blending import Solver
from reeltag.papers.axon2018.config import AxonPlan
from reeltag.papers.axon2018.steps import SOLVERS, AxonGraph, Ensemble, Member, Single
from reeltag.papers.common.graph import Evaluation, difference_row
from reeltag.papers.common.program import FolderOf, Goal
from reeltag.papers.common.steps.blend import read_weights
from reeltag.papers.common.steps.files import BLEND, RUN, read_counts, read_scores
from reeltag.papers.common.tables import Table, TableRow
from reeltag.pipeline.steps import Step

GAP: Literal["gap@20"] = "gap@20"
VALIDATED = {"netvlad-1": 0.8575, "netvlad+moe-augmented": 0.8598, "relation": 0.8788}  # "Val GAP"
TESTED = {"mean-7": 0.8827, "mean-14": 0.8862, "weights-14-sgd": 0.8873, "student-1": 0.8732}
TABLE_2 = {  # {n}: of all sets together, 14 with two
    "netvlad-1": "Single baseline model (gated NetVLAD)",
    "netvlad+moe-augmented": "Gated NetVLAD + video-level MoE, augmented in feature space",
    "relation": "Gated NetVLAD + penalty exploiting label relationship",
    "mean-7": "Simple average of all of the 7 models",
    "mean-{n}": "Simple average of two sets of the 7 models (14)",
    "weights-{n}-sgd": "Ensembled using learned weights",
    "student-1": "Distilled model",
}
TABLE_4 = {
    "netvlad": ("Gated NetVLAD", 0.2367),
    "netfv": ("Gated NetFV", 0.1508),
    "gated-dbow": ("Gated soft-DBoW", 0.1590),
    "dbow": ("Soft-DBoW", 0.1000),
    "netrvlad": ("Gated NetRVLAD", 0.1968),
    "gru": ("GRU", 0.1306),
    "lstm": ("LSTM", 0.0621),
}
EXAMPLES = (5_001_275, 23_590_464)  # table 3
WAYS = {
    "mean": "mean",
    "weights": "a weight per model",
    "class-weights": "a weight per model and class",
}
BY = {"": "", "sgd": ", SGD on MSE", "nnls": ", exact (NNLS)"}
GAINS = (
    ("netvlad+moe-augmented", "netvlad-1"),
    ("netvlad+moe-augmented", "netvlad+moe-plain"),
    ("moe-augmented", "moe-plain"),
    ("relation", "netvlad-1"),
    ("relation", "longer"),
    ("mean-{n}", "mean-7"),
    ("weights-{n}-sgd", "mean-{n}"),
    ("weights-{n}-nnls", "mean-{n}"),
    ("weights-{n}-nnls", "weights-{n}-sgd"),
    ("weights-{n}-sgd", "class-weights-{n}-sgd"),
    ("weights-{n}-nnls", "class-weights-{n}-nnls"),
    ("student-1", "student-0"),
    ("student-0.5", "student-0"),
    ("student-1", "netvlad-1"),
    ("weights-{n}-sgd", "student-1"),
)


def evaluate_members(
    members: Sequence[Member],
    augmented: Step,
    first: Mapping[str, Ensemble],
    teacher: Ensemble,
    students: Sequence[Single],
    graph: AxonGraph,
) -> Goal:
    """Return the goal: scores of all models and ensembles, their differences, learned weights.

    Args:
        members: models and ensembles, with all below.
        augmented: the step that wrote samples.
        first: ensembles of the first seven models.
        teacher: the ensemble of all models.
        students: one for each lambda.
        graph: plan and builder of steps.
    """
    split, builder = graph.plan.assignment.split, graph.builder
    predictions = {member.name: member.predict(split) for member in members}
    seven = first["mean-7"].members
    count = graph.plan.config.sets * len(seven)
    pairs = [(one.format(n=count), other.format(n=count)) for one, other in GAINS]
    pairs = [(one, other) for one, other in pairs if one != other]
    evaluation = builder.evaluate(predictions, pairs, metric=GAP)
    singles = [predictions[member.name] for member in seven]
    over_singles = builder.compare_with_best("mean-7", predictions["mean-7"], singles)
    weights = {solver: first[f"weights-7-{solver}"].learned for solver in SOLVERS}
    learned = {solver: of for solver, of in weights.items() if of is not None}
    closing = _Closing(evaluation, {model.name: model.trained for model in students}, teacher)
    last = [*evaluation.steps, over_singles, augmented, *learned.values()]
    last += [*closing.students.values(), *([teacher.learned] if teacher.learned else [])]
    names = [member.name for member in seven]
    return Goal(
        steps=tuple({of.folder_name: of for of in last}.values()),
        tables=_AxonTables(graph.plan, evaluation, over_singles, names, augmented, learned),
        closing=closing,
        best=predictions[teacher.name],
        run=closing.run,
    )


@dataclass(frozen=True)
class _AxonTables:
    """Tables of scores, differences and weights, when they are there."""

    plan: AxonPlan
    evaluation: Evaluation
    over_singles: Step
    singles: Sequence[str]
    augmented: Step
    learned: Mapping[Solver, Step]

    def __call__(self, folder: FolderOf) -> list[Table]:
        """Return the paper's tables 2, 3 and 4, then what it has no figures of."""
        return [
            self._second(folder),
            self._third(folder),
            self._fourth(folder),
            self._models(folder),
            self._ensembles(folder),
            self._students(folder),
            self._gained(folder),
        ]

    def _second(self, folder: FolderOf) -> Table:
        rows = [
            self._row(name, text, folder, note="paper: held-out" if name in VALIDATED else "")
            for name, text in self._rows.items()
            if name in self.evaluation.scores
        ]
        return self._table("Table 2: progress", rows, folder)

    @property
    def _rows(self) -> dict[str, str]:
        """The rows of table 2, by the name of the model or ensemble."""
        sets = self.plan.config.sets
        rows = {name.format(n=sets * len(TABLE_4)): text for name, text in TABLE_2.items()}
        if sets != 2:
            rows[f"mean-{sets * len(TABLE_4)}"] = f"Simple average of {sets} x 7 models"
        return rows

    def _third(self, folder: FolderOf) -> Table:
        counts = read_counts(folder(self.augmented))
        kinds = ("interpolated", "extrapolated", "noisy")
        samples = ", ".join(f"{counts[kind]:,} {kind}" for kind in kinds)
        ours = {"Before": counts["before"], "After": counts["after"]}
        return Table(
            title="Table 3: training examples",
            paper=("examples",),
            ours=("examples",),
            lines=tuple(
                TableRow(name=f"{name} augmentation", paper=(float(paper),), ours=(float(count),))
                for (name, count), paper in zip(ours.items(), EXAMPLES, strict=True)
            ),
            digits=0,
            note=f"x {counts['after'] / counts['before']:.2f} (paper: x 4.72); {samples}; "
            f"{counts['original']:,} videos stay",
        )

    def _fourth(self, folder: FolderOf) -> Table:
        found = {by: read_weights(folder(learned)) for by, learned in self.learned.items()}
        lines = [
            TableRow(name=text, paper=(paper, None), ours=tuple(found[by][at] for by in SOLVERS))
            for at, (text, paper) in enumerate(TABLE_4.values())
        ]
        sums = ", ".join(f"{sum(found[by]):.3f}" for by in SOLVERS)
        published = sum(paper for _, paper in TABLE_4.values())
        return Table(
            title="Table 4: learned weights of the first seven models",
            paper=("SGD", "NNLS"),
            ours=("SGD", "NNLS"),
            lines=tuple(lines),
            digits=4,
            note=f"sums: paper {published:.3f}, ours {sums}; learned on "
            f"{self.plan.assignment.counts['validate']:,} held-out videos",
        )

    def _models(self, folder: FolderOf) -> Table:
        config, rows = self.plan.config, list[TableRow]()
        for number in range(1, config.sets + 1):
            for name, (text, _) in TABLE_4.items():
                rows.append(self._row(f"{name}-{number}", f"{text}, set {number}", folder))
        for name, text in (
            ("moe-plain", "Video-level MoE"),
            ("moe-augmented", "Video-level MoE, augmented"),
            ("netvlad+moe-plain", "Gated NetVLAD + video-level MoE"),
            ("longer", "Gated NetVLAD, trained further without the penalty"),
        ):
            if name in self.evaluation.scores:
                rows.append(self._row(name, text, folder))
        return self._table("Single models", rows, folder)

    def _ensembles(self, folder: FolderOf) -> Table:
        rows = []
        for name in self.evaluation.scores:
            if ensemble := _parsed(name):
                way, count, by = ensemble
                rows.append(self._row(name, f"{count} models, {WAYS[way]}{BY[by]}", folder))
        return self._table("Ensembles", rows, folder)

    def _students(self, folder: FolderOf) -> Table:
        rows = [
            self._row(f"student-{fraction:g}", f"lambda = {fraction:g}", folder)
            for fraction in self.plan.config.lambdas
        ]
        title = f"Distillation into gated NetVLAD, H = {self.plan.sizes.student_hidden}"
        table = self._table(title, rows, folder)
        megabytes = f"{self.plan.student_bytes / 1e6:,.0f} MB of weights"
        note = f"{megabytes}; lambda: fraction of the ensemble's labels; {table.note}"
        return replace(table, note=note)

    def _gained(self, folder: FolderOf) -> Table:
        rows = self.evaluation.difference_rows(folder, _published_gain)
        found = read_scores(folder(self.over_singles))
        name = f"mean-7 over its best, {self.singles[found['best']]}"
        rows.insert(0, difference_row(name, found["difference"][GAP], (None,)))
        return self._table("What is gained", rows, folder, metric="difference of GAP@20")

    def _row(self, name: str, text: str, folder: FolderOf, *, note: str = "") -> TableRow:
        paper = ((VALIDATED | TESTED).get(name),)
        return self.evaluation.row(name, text, folder, paper=paper, note=note)

    def _table(
        self, title: str, rows: Sequence[TableRow], folder: FolderOf, *, metric: str = "GAP@20"
    ) -> Table:
        counts = self.evaluation.read("netvlad-1", folder)
        assignment, config = self.plan.assignment, self.plan.config
        videos = f"on {counts['videos']:,} videos of test"
        if assignment.split != "test":
            videos = (
                f"on the {counts['videos']:,} held-out videos, on which trainings were stopped "
                "and weights learned: too good by some"
            )
        return Table(
            title=title,
            paper=(metric,),
            ours=(metric,),
            lines=tuple(rows),
            digits=4,
            note=f"{videos}; trained on {assignment.counts['train']:,}; seed {config.seed}; "
            "[95 % of draws of the videos]",
        )


@dataclass(frozen=True)
class _Closing:
    """The best student, and what to type next."""

    evaluation: Evaluation
    students: Mapping[str, Step]
    teacher: Ensemble

    def __call__(self, folder: FolderOf) -> str:
        """Return which student is best, and how to take it and the ensemble elsewhere."""
        best, run = self._best(folder), shlex.quote(str(self.run(folder)))
        lines = [
            f"{best} has a GAP@20 of {self._gap(best, folder):.4f}, its teacher "
            f"({self.teacher.name}) {self._gap(self.teacher.name, folder):.4f}.",
            f"next: reeltag export {run} --out student.onnx",
        ]
        if self.teacher.learned is not None:
            where = shlex.quote(str(folder(self.teacher.learned) / BLEND))
            lines.append(f"      reeltag export {where} --out ensemble.onnx")
        return "\n".join(lines)

    def run(self, folder: FolderOf) -> Path:
        """Return the run of the best student."""
        return folder(self.students[self._best(folder)]) / RUN

    def _best(self, folder: FolderOf) -> str:
        return max(self.students, key=lambda name: self._gap(name, folder))

    def _gap(self, name: str, folder: FolderOf) -> float:
        return float(self.evaluation.read(name, folder)[GAP])


def _published_gain(one: str, other: str) -> tuple[float | None]:
    """Return the paper's difference, where it has both on the same videos."""
    for figures in (VALIDATED, TESTED):
        if one in figures and other in figures:
            return (figures[one] - figures[other],)
    return (None,)


def _parsed(name: str) -> tuple[str, int, str] | None:
    """Return way, number of models and solver of an ensemble of the seven; None of others."""
    for way in sorted(WAYS, key=len, reverse=True):
        count, _, by = name.removeprefix(f"{way}-").partition("-")
        if name.startswith(f"{way}-") and count.isdigit():
            return way, int(count), by
    return None
