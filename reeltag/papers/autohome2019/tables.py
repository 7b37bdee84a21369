"""Scores of the models of Autohome 2019, and the paper's tables next to ours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reeltag.papers.autohome2019.config import AutohomePlan
from reeltag.papers.common.graph import Evaluation, GraphBuilder
from reeltag.papers.common.program import FolderOf, Goal
from reeltag.papers.common.tables import Table, TableRow
from reeltag.pipeline.steps import Step

PAPER = {  # MAP on the fifth of the rated segments that was held out, tables 2 to 5
    **{"same": 0.770, "different": 0.773, "gru": 0.778},
    **{"m2": 0.782, "m2.5": 0.783, "m3": 0.781},
    **{"tau0.4": 0.788, "tau0.5": 0.791, "tau0.6": 0.789},
    **{"dbof": 0.740, "dbof-gcn": 0.749},
}
TEST = "-test"  # at the end of the names of steps that evaluate the test split
LEADERBOARD = 0.782  # private, of the final fit
NAMES = {
    "same": "3NeXtVLAD_Same",
    "different": "3NeXtVLAD_Diff",
    "gru": "3NeXtVLAD_Diff + Attention-GRU",
    "dbof": "Dbof",
    "dbof-gcn": "Dbof with GCN",
    "noise": "+ Gaussian noise",
}
SHORT = {"same": "3 same", "different": "3 different", "gru": "+ GRU", "dbof": "DBoF"}
SHORT |= {"dbof-gcn": "GCN", "noise": "+ noise"}


def evaluate_models(
    models: Sequence[Step], final: Step, plan: AutohomePlan, builder: GraphBuilder
) -> Goal:
    """Return the goal: every model evaluated, what each gains, and the final model.

    They are evaluated on the fifth, as in the paper; where the test split is rated, on that too.

    Args:
        models: steps that train, in the order of the tables; "train-gru" is called "gru" here.
        final: the step that fits the best of them on all rated videos; evaluated on test alone.
        plan: sizes and splits.
        builder: of steps.
    """
    by_name = {model.name.removeprefix("train-"): model for model in models}
    splits = {"": plan.evaluation}
    if not plan.assignment.fold.count:  # the test split is rated
        splits[TEST] = plan.assignment.evaluation
    evaluations = []
    for mark, split in splits.items():
        predictions = {
            name: builder.predict_segments(name + mark, model, evaluation=split)
            for name, model in by_name.items()
        }
        pairs = _pairs([*by_name], plan)
        evaluations.append(builder.evaluate(predictions, pairs, evaluation=split, mark=mark))
    goals, best = [of for evaluation in evaluations for of in evaluation.steps], None
    if TEST in splits:
        best = builder.predict_segments("final", final, evaluation=splits[TEST])
        evaluations.append(builder.evaluate({"final": best}, (), evaluation=splits[TEST]))
        goals += evaluations[-1].steps
    else:
        best = evaluations[0].predictions.get(f"tau{plan.config.tau:g}")
        goals.append(final)
    tables = _AutohomeTables(plan, evaluations[: len(splits)], evaluations[len(splits) :])
    return Goal(steps=tuple(goals), tables=tables, best=best)


def _pairs(names: Sequence[str], plan: AutohomePlan) -> list[tuple[str, str]]:
    """Return which is compared with which: with the row above, or the best of the table before."""
    weighted, related = f"m{plan.config.rated_weight:g}", f"tau{plan.config.tau:g}"
    pairs = [("different", "same"), ("gru", "different"), ("dbof-gcn", "dbof"), ("noise", related)]
    pairs += [(f"m{m:g}", "gru") for m in plan.rated_weights]
    pairs += [(f"tau{tau:g}", weighted) for tau in plan.taus]
    pairs += [(related, "gru"), (related, "same")]
    order = {name: place for place, name in enumerate(names)}
    known = [pair for pair in dict.fromkeys(pairs) if pair[0] in order]
    return sorted(known, key=lambda pair: order[pair[0]])


@dataclass(frozen=True)
class _AutohomeTables:
    """Tables of scores and gains, when they are there: of the fifth first, then of test.

    Attributes:
        plan: sizes.
        rows: evaluations of all models, on the fifth and perhaps on test.
        final: evaluation of the final model, if any.
    """

    plan: AutohomePlan
    rows: Sequence[Evaluation]
    final: Sequence[Evaluation]

    def __call__(self, folder: FolderOf) -> list[Table]:
        """Return what the paper has, what each row gains, and the final model on the test split."""
        weights = [f"m{m:g}" for m in self.plan.rated_weights]
        related = [*(f"tau{tau:g}" for tau in self.plan.taus), "noise"]
        tables = {
            "Table 2: architectures": ["same", "different", "gru"],
            "Table 3: label reweighting": weights,
            f"Table 4: label correlation, with m = {self.plan.config.rated_weight:g}": related,
            "Table 5: GCN": ["dbof", "dbof-gcn"],
        }
        found = []
        for title, names in tables.items():
            known = [name for name in names if name in self.rows[0].scores]
            rows = [
                [
                    evaluation.row(name, self._text(name), folder, paper=(PAPER.get(name),))
                    for name in known
                ]
                for evaluation in self.rows
            ]
            found.append(self._table("MAP", rows, title, folder))
        gains = [each.difference_rows(folder, _published_gain, SHORT) for each in self.rows]
        found.append(
            self._table("difference of MAP", gains, "What each row gains", folder, digits=4)
        )
        return [*found, *(self._final(evaluation, folder) for evaluation in self.final)]

    def _table(
        self,
        metric: str,
        rows: Sequence[Sequence[TableRow]],
        title: str,
        folder: FolderOf,
        *,
        digits: int = 3,
    ) -> Table:
        """Return a table with the paper's figure, that of our fifth and that of our test split."""
        config = self.plan.config
        counts = [_counts(each.read("gru", folder)) for each in self.rows]
        return Table(
            title=title,
            paper=(metric,),
            ours=(metric, f"{metric}, test")[: len(self.rows)],
            lines=tuple(_joined(alike) for alike in zip(*rows, strict=True)),
            digits=digits,
            note=f"MAP@100,000, of 1/{config.folds} of the rated videos, held out: ours on "
            f"{'; test: '.join(counts)}; seed {config.seed}; "
            f"(95 % of {config.bootstrap:,} draws of the videos)",
        )

    def _final(self, evaluation: Evaluation, folder: FolderOf) -> Table:
        name = f"{self._text(f'tau{self.plan.config.tau:g}')}, fitted on all rated videos"
        counts = _counts(evaluation.read("final", folder))
        return Table(
            title="Final model",
            paper=("MAP, private leaderboard",),
            ours=("MAP, test",),
            lines=(evaluation.row("final", name, folder, paper=(LEADERBOARD,)),),
            note=f"MAP@100,000; {counts} of test; seed {self.plan.config.seed}",
        )

    def _text(self, name: str) -> str:
        """Return what the paper calls a row; parameters of rows that it does not have too."""
        if name.startswith("tau"):
            return f"+ Label Correlation (tau {name.removeprefix('tau')})"
        if name.startswith("m"):
            n, m = self.plan.config.unrated_weight, name.removeprefix("m")
            return f"+ reweight (n {n:g}, m {m})"
        return NAMES[name]


def _joined(rows: Sequence[TableRow]) -> TableRow:
    """Return one row with our figures of several, which are of one model."""
    return TableRow(
        name=rows[0].name,
        paper=rows[0].paper,
        ours=tuple(row.ours[0] for row in rows),
        intervals=tuple(row.intervals[0] for row in rows),
    )


def _counts(scores: Mapping[str, Any]) -> str:
    return f"{scores['segments']:,} rated segments, {scores['classes']:,} classes"


def _published_gain(one: str, other: str) -> tuple[float | None]:
    both = {one, other} <= PAPER.keys()
    return (round(PAPER[one] - PAPER[other], 3) if both else None,)
