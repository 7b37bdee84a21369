"""Scores of the models of OPPO 2019, and the paper's tables next to ours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reeltag.papers.common.graph import Evaluation, GraphBuilder
from reeltag.papers.common.program import FolderOf, Goal
from reeltag.papers.common.steps.blend import mean
from reeltag.papers.common.steps.predict import copy_video_scores
from reeltag.papers.common.tables import Table, TableRow
from reeltag.papers.oppo2019.config import OppoPlan
from reeltag.pipeline.steps import Step, step

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
SAME_AS = {"equal": "II-B"}  # trained in the same way
NOTES = {
    "copied": "baseline without segments",
    "I": "baseline per segment",
    "I-all-frames": "paper: about 0.004 below the next",
    "equal": "ours is Model B, which is trained in the same way",
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


def evaluate_models(
    models: Sequence[Step], best: Sequence[Step], plan: OppoPlan, builder: GraphBuilder
) -> Goal:
    """Return the goal: every model's score, that of the mean of the `best`, and all gains.

    Args:
        models: steps that train; "train-I" is called "I" here.
        best: those whose predictions are averaged in the end.
        plan: sizes and splits.
        builder: of steps.
    """
    predictions = {
        name: builder.predict_segments(name, model, videos=name == "I")
        for name, model in zip(map(_short_name, models), models, strict=True)
    }
    averaged = [predictions[_short_name(model)] for model in best]
    predictions["ensemble"] = step(mean, *averaged, name="ensemble")
    predictions["copied"] = step(copy_video_scores, predictions["I"], name="I")
    evaluation = builder.evaluate(predictions, GAINS)
    tables = _OppoTables(plan, evaluation)
    return Goal(steps=evaluation.steps, tables=tables, best=predictions["ensemble"])


@dataclass(frozen=True)
class _OppoTables:
    """Tables of scores and gains, when they are there."""

    plan: OppoPlan
    evaluation: Evaluation

    def __call__(self, folder: FolderOf) -> list[Table]:
        """Return what the paper has, and what was gained with each stage."""
        found = [self._models("Table 1: models", TABLE_1, folder)]
        if "original" in self.evaluation.scores:
            found.append(self._models("Table 2: soft labels, one NeXtVLAD", TABLE_2, folder))
        gains = self.evaluation.difference_rows(folder, _published_gain, SHORT)
        return [*found, self._table("What each stage gains", "difference of MAP", gains, folder)]

    def _models(self, title: str, names: Mapping[str, str], folder: FolderOf) -> Table:
        rows = [
            self.evaluation.row(
                SAME_AS.get(name, name),
                text,
                folder,
                paper=(PAPER.get(name),),
                note=NOTES.get(name, ""),
            )
            for name, text in names.items()
            if SAME_AS.get(name, name) in self.evaluation.scores
        ]
        return self._table(title, "MAP", rows, folder)

    def _table(self, title: str, metric: str, rows: Sequence[TableRow], folder: FolderOf) -> Table:
        counts = self.evaluation.read("I", folder)
        split = "a fold of validate" if self.plan.assignment.fold.count else "test"
        return Table(
            title=title,
            paper=(metric,),
            ours=(metric,),
            lines=tuple(rows),
            digits=4,
            note="MAP@100,000; the paper's on the private leaderboard, ours on "
            f"{counts['segments']:,} rated segments of {split}, {counts['classes']:,} classes; "
            f"seed {self.plan.config.seed}; [95 % of draws of the videos]",
        )


def _short_name(model: Step) -> str:
    return model.name.removeprefix("train-")


def _published_gain(one: str, other: str) -> tuple[float | None]:
    return (PAPER[one] - PAPER[other] if one in PAPER and other in PAPER else None,)
