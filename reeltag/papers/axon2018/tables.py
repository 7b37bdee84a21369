"""How the models and ensembles of Axon 2018 are judged, and the paper's tables beside ours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reeltag.ensembling.blend import Solver
from reeltag.papers.axon2018.steps import SOLVERS, Bench, Ensemble, Model, Voter
from reeltag.papers.common.contract import FolderOf, Goal, Line, Table
from reeltag.papers.common.work.augmentation import read_counts
from reeltag.papers.common.work.blends import BLEND, read_weights
from reeltag.papers.common.work.files import RUN, read_scores
from reeltag.pipeline.steps import Step

GAP = "gap@20"
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
    "weights": "a weight a model",
    "class-weights": "a weight a model and class",
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


def judged(
    voters: Sequence[Voter],
    augmented: Step,
    first: Mapping[str, Ensemble],
    ensemble: Ensemble,
    students: Sequence[Model],
    bench: Bench,
) -> Goal:
    """Return the goal: scores of all models and ensembles, their differences, learned weights.

    Args:
        voters: models and ensembles, with all below.
        augmented: the step that made samples.
        first: ensembles of the first seven models.
        ensemble: of all models, the teacher.
        students: one for each lambda.
        bench: numbers, costs, data.
    """
    by_name = {voter.name: voter for voter in voters}
    scores = {name: bench.scored(voter) for name, voter in by_name.items()}
    members = first["mean-7"].members
    count = bench.plan.config.sets * len(members)
    pairs = [(one.format(n=count), other.format(n=count)) for one, other in GAINS]
    gains = {
        (one, other): bench.compared(f"{one}-{other}", by_name[one], by_name[other])
        for one, other in pairs
        if one in by_name and other in by_name and one != other
    }
    over_singles = bench.compared_with_best("mean-7", first["mean-7"], members)
    weights = {by: first[f"weights-7-{by}"].learned for by in SOLVERS}
    learned = {by: made for by, made in weights.items() if made is not None}
    singles = [member.name for member in members]
    closing = _Closing(scores, {model.name: model.trained for model in students}, ensemble)
    last = [*scores.values(), *gains.values(), over_singles, augmented, *learned.values()]
    last += [*closing.students.values(), *([ensemble.learned] if ensemble.learned else [])]
    return Goal(
        steps=tuple({made.folder_name: made for made in last}.values()),
        tables=_Tables(bench, scores, gains, over_singles, singles, augmented, learned),
        closing=closing,
        best=ensemble.says(bench.plan.parts.judge),
    )


@dataclass(frozen=True)
class _Tables:
    """Tables out of scores, differences and weights, when they are there."""

    bench: Bench
    scores: Mapping[str, Step]
    gains: Mapping[tuple[str, str], Step]
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
        lines = [
            self._line(name, text, folder, note="paper: held-out" if name in VALIDATED else "")
            for name, text in self._rows.items()
            if name in self.scores
        ]
        return self._titled("Table 2: progress", lines, folder)

    @property
    def _rows(self) -> dict[str, str]:
        """Return the rows of table 2, by what is judged in them."""
        sets = self.bench.plan.config.sets
        rows = {name.format(n=sets * len(TABLE_4)): text for name, text in TABLE_2.items()}
        if sets != 2:
            rows[f"mean-{sets * len(TABLE_4)}"] = f"Simple average of {sets} x 7 models"
        return rows

    def _third(self, folder: FolderOf) -> Table:
        counts = read_counts(folder(self.augmented))
        made = ", ".join(f"{counts[of]:,} {of}" for of in ("interpolated", "extrapolated", "noisy"))
        ours = {"Before": counts["before"], "After": counts["after"]}
        return Table(
            title="Table 3: training examples",
            paper=("examples",),
            ours=("examples",),
            lines=tuple(
                Line(name=f"{name} data augmentation", paper=(float(paper),), ours=(float(count),))
                for (name, count), paper in zip(ours.items(), EXAMPLES, strict=True)
            ),
            digits=0,
            note=f"x {counts['after'] / counts['before']:.2f} (paper: x 4.72); {made}; "
            f"{counts['original']:,} videos stay",
        )

    def _fourth(self, folder: FolderOf) -> Table:
        found = {by: read_weights(folder(made)) for by, made in self.learned.items()}
        lines = [
            Line(name=text, paper=(paper, None), ours=tuple(found[by][at] for by in SOLVERS))
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
            f"{self.bench.plan.parts.counts['validate']:,} held-out videos",
        )

    def _models(self, folder: FolderOf) -> Table:
        config, lines = self.bench.plan.config, list[Line]()
        for number in range(1, config.sets + 1):
            for name, (text, _) in TABLE_4.items():
                lines.append(self._line(f"{name}-{number}", f"{text}, set {number}", folder))
        for name, text in (
            ("moe-plain", "Video-level MoE"),
            ("moe-augmented", "Video-level MoE, augmented"),
            ("netvlad+moe-plain", "Gated NetVLAD + video-level MoE"),
            ("longer", "Gated NetVLAD, trained on without the penalty"),
        ):
            if name in self.scores:
                lines.append(self._line(name, text, folder))
        return self._titled("Single models", lines, folder)

    def _ensembles(self, folder: FolderOf) -> Table:
        lines = []
        for name in self.scores:
            if ensemble := _parsed(name):
                way, count, by = ensemble
                lines.append(self._line(name, f"{count} models, {WAYS[way]}{BY[by]}", folder))
        return self._titled("Ensembles", lines, folder)

    def _students(self, folder: FolderOf) -> Table:
        lines = [
            self._line(f"student-{share:g}", f"lambda = {share:g}", folder)
            for share in self.bench.plan.config.lambdas
        ]
        weight = self.bench.costs.weight(self.bench.plan.student) / 1e6
        units = self.bench.plan.sizes.student_hidden
        made = self._titled(f"Distillation into gated NetVLAD, H = {units}", lines, folder)
        note = f"{weight:,.0f} MB of weights; lambda: share of the ensemble's labels; {made.note}"
        return Table(
            title=made.title, paper=made.paper, ours=made.ours, lines=made.lines, digits=4,
            note=note,
        )  # fmt: skip

    def _gained(self, folder: FolderOf) -> Table:
        lines = [
            _gain(f"{one} over {other}", read_scores(folder(made))[0][GAP], _published(one, other))
            for (one, other), made in self.gains.items()
        ]
        found = read_scores(folder(self.over_singles))
        name = f"mean-7 over its best, {self.singles[found['best']]}"
        lines.insert(0, _gain(name, found["difference"][GAP], None))
        return self._titled("What is gained", lines, folder, what="difference of GAP@20")

    def _line(self, name: str, text: str, folder: FolderOf, *, note: str = "") -> Line:
        found = read_scores(folder(self.scores[name]))
        interval = found[f"{GAP}_interval"]
        return Line(
            name=text,
            paper=((VALIDATED | TESTED).get(name),),
            ours=(found[GAP],),
            intervals=(None if interval is None else (interval[0], interval[1]),),
            note=note,
        )

    def _titled(
        self, title: str, lines: Sequence[Line], folder: FolderOf, *, what: str = "GAP@20"
    ) -> Table:
        counts = read_scores(folder(self.scores["netvlad-1"]))
        parts, config = self.bench.plan.parts, self.bench.plan.config
        judge = f"judged by {counts['videos']:,} videos of test"
        if parts.judge != "test":
            judge = (
                f"judged by the {counts['videos']:,} held-out videos, on which trainings were "
                "stopped and weights learned: too good by some"
            )
        return Table(
            title=title,
            paper=(what,),
            ours=(what,),
            lines=tuple(lines),
            digits=4,
            note=f"{judge}; learned from {parts.counts['train']:,}; seed {config.seed}; "
            "[95 % of draws of the videos]",
        )


@dataclass(frozen=True)
class _Closing:
    """What came of it, and what to type next."""

    scores: Mapping[str, Step]
    students: Mapping[str, Step]
    ensemble: Ensemble

    def __call__(self, folder: FolderOf) -> str:
        """Return which student is best, and how to take it and the ensemble elsewhere."""

        def gap(name: str) -> float:
            return float(read_scores(folder(self.scores[name]))[GAP])

        best = max(self.students, key=gap)
        lines = [
            f"{best} has a GAP@20 of {gap(best):.4f}, the ensemble that taught it "
            f"({self.ensemble.name}) {gap(self.ensemble.name):.4f}.",
            f"next: reeltag export {folder(self.students[best]) / RUN} --out student.onnx",
        ]
        if self.ensemble.learned is not None:
            where = folder(self.ensemble.learned) / BLEND
            lines.append(f"      reeltag export {where} --out ensemble.onnx")
        return "\n".join(lines)


def _gain(name: str, found: Mapping[str, Any], paper: float | None) -> Line:
    interval = found["interval"]
    return Line(
        name=name,
        paper=(paper,),
        ours=(found["difference"],),
        intervals=(None if interval is None else (interval[0], interval[1]),),
    )


def _published(one: str, other: str) -> float | None:
    """Return the paper's difference, where it has both on the same videos."""
    for figures in (VALIDATED, TESTED):
        if one in figures and other in figures:
            return figures[one] - figures[other]
    return None


def _parsed(name: str) -> tuple[str, int, str] | None:
    """Return way, number of models and solver of an ensemble of the seven; None of others."""
    for way in sorted(WAYS, key=len, reverse=True):
        count, _, by = name.removeprefix(f"{way}-").partition("-")
        if name.startswith(f"{way}-") and count.isdigit():
            return way, int(count), by
    return None
