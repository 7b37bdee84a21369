"""How the models of Autohome 2019 are judged, and the paper's tables beside ours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from reeltag.papers.autohome2019.config import Plan
from reeltag.papers.common.contract import FolderOf, Goal, Line, Table
from reeltag.papers.common.segment_costs import Costs
from reeltag.papers.common.splits.segments import Judges
from reeltag.papers.common.work.evaluation import compare, score
from reeltag.papers.common.work.files import read_scores
from reeltag.papers.common.work.segments import predict_segments
from reeltag.pipeline.steps import Source, Step, step

PAPER = {  # MAP on the fifth of the rated segments that was held out, tables 2 to 5
    **{"same": 0.770, "different": 0.773, "gru": 0.778},
    **{"m2": 0.782, "m2.5": 0.783, "m3": 0.781},
    **{"tau0.4": 0.788, "tau0.5": 0.791, "tau0.6": 0.789},
    **{"dbof": 0.740, "dbof-gcn": 0.749},
}
TEST = "-test"  # at the end of the names of steps in which the test split judges
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


def judged(models: Sequence[Step], final: Step, plan: Plan, costs: Costs, data: Source) -> Goal:
    """Return the goal: every model judged, what each gains, and the final model.

    The fifth judges, as in the paper; where the test split is rated, it judges too, by more
    videos.

    Args:
        models: steps that train, in the order of the tables; "train-gru" is called "gru" here.
        final: the step that fits the best of them on all rated videos; judged by test alone.
        plan: sizes, and who judges.
        costs: on the data.
        data: the data set.
    """
    juries = [_Jury("", plan.judges, plan, costs, data)]
    tested, best = None, None
    if not plan.roles.fold.count:  # the test split is rated
        juries.append(_Jury(TEST, plan.roles.judges, plan, costs, data))
        best = juries[1].asked(final, "final")
        tested = juries[1].scored(best, "final")
    said = [{n: jury.asked(m, n + jury.mark) for n, m in _named(models).items()} for jury in juries]
    scores, gains = [], []
    for jury, of in zip(juries, said, strict=True):
        scores.append({name: jury.scored(step, name + jury.mark) for name, step in of.items()})
        pairs = _gains(list(of), plan)
        gains.append({(one, than): jury.compared(of, one, than) for one, than in pairs})
    tables = _Tables(plan, scores, gains, tested)
    goals = [made for of in scores for made in of.values()]
    goals += [made for of in gains for made in of.values()]
    best = best or said[0].get(f"tau{plan.config.tau:g}")
    return Goal(steps=(*goals, tested or final), tables=tables, best=best)


@dataclass(frozen=True)
class _Jury:
    """Videos that judge, and the steps in which they do.

    Attributes:
        mark: at the end of their names.
        judges: the videos.
        plan: sizes.
        costs: on the data.
        data: the data set.
    """

    mark: str
    judges: Judges
    plan: Plan
    costs: Costs
    data: Source

    def asked(self, model: Step, name: str) -> Step:
        costs = replace(self.costs, roles=replace(self.costs.roles, judges=self.judges))
        return step(
            predict_segments,
            model,
            self.data,
            name=name,
            judges=self.judges,
            precision=self.plan.sizes.precision,
            runtime={"device": self.plan.config.device},
            estimate=partial(costs.predicting, model.config["model"]),
        )

    def scored(self, said: Step, name: str) -> Step:
        return step(score, said, self.data, name=name, **self._how)

    def compared(self, said: Mapping[str, Step], one: str, other: str) -> Step:
        name = f"{one}-{other}{self.mark}"
        return step(compare, self.data, said[one], said[other], name=name, **self._how)

    @property
    def _how(self) -> dict[str, Any]:
        return {"judges": self.judges, "bootstrap": self.plan.config.bootstrap}


def _named(models: Sequence[Step]) -> dict[str, Step]:
    return {model.name.removeprefix("train-"): model for model in models}


def _gains(names: Sequence[str], plan: Plan) -> list[tuple[str, str]]:
    """Return which is compared with which: with the row above, or the best of the table before."""
    weighed, related = f"m{plan.config.rated_weight:g}", f"tau{plan.config.tau:g}"
    pairs = [("different", "same"), ("gru", "different"), ("dbof-gcn", "dbof"), ("noise", related)]
    pairs += [(f"m{m:g}", "gru") for m in plan.rated_weights]
    pairs += [(f"tau{tau:g}", weighed) for tau in plan.taus]
    pairs += [(related, "gru"), (related, "same")]
    order = {name: place for place, name in enumerate(names)}
    there = [pair for pair in dict.fromkeys(pairs) if pair[0] in order]
    return sorted(there, key=lambda pair: order[pair[0]])


@dataclass(frozen=True)
class _Tables:
    """Tables out of scores and gains, when they are there: of the fifth first, then of test."""

    plan: Plan
    scores: Sequence[Mapping[str, Step]]
    gains: Sequence[Mapping[tuple[str, str], Step]]
    tested: Step | None

    def __call__(self, folder: FolderOf) -> list[Table]:
        """Return what the paper has, what each row gains, and the final model on the test split."""
        config = self.plan.config
        weights = [f"m{m:g}" for m in self.plan.rated_weights]
        related = [*(f"tau{tau:g}" for tau in self.plan.taus), "noise"]
        tables = {
            "Table 2: architectures": ["same", "different", "gru"],
            "Table 3: label reweighting": weights,
            f"Table 4: label correlation, with m = {config.rated_weight:g}": related,
            "Table 5: GCN": ["dbof", "dbof-gcn"],
        }
        found = [self._table(title, names, folder) for title, names in tables.items()]
        found.append(self._gained(folder))
        return [*found, self._final(self.tested, folder)] if self.tested else found

    def _table(self, title: str, names: Sequence[str], folder: FolderOf) -> Table:
        lines = [
            _line(self._name(name), PAPER.get(name), self._read(self.scores, name, folder))
            for name in names
            if name in self.scores[0]
        ]
        return self._beside("MAP", lines, title=title, folder=folder)

    def _gained(self, folder: FolderOf) -> Table:
        lines = []
        for one, other in self.gains[0]:
            gains = [each[0]["map@k"] for each in self._read(self.gains, (one, other), folder)]
            paper = round(PAPER[one] - PAPER[other], 3) if {one, other} <= PAPER.keys() else None
            lines.append(
                Line(
                    name=f"{SHORT.get(one, one)} over {SHORT.get(other, other)}",
                    paper=(paper,),
                    ours=tuple(gain["difference"] for gain in gains),
                    intervals=tuple(_pair(gain["interval"]) for gain in gains),
                )
            )
        title = "What each row gains"
        return self._beside("difference of MAP", lines, title=title, folder=folder, digits=4)

    def _beside(
        self, metric: str, lines: Sequence[Line], *, title: str, folder: FolderOf, digits: int = 3
    ) -> Table:
        """Return a table with the paper's figure, that of our fifth and that of our test split."""
        return Table(
            title=title,
            paper=(metric,),
            ours=(metric, f"{metric}, test")[: len(self.scores)],
            lines=tuple(lines),
            digits=digits,
            note=self._note(folder),
        )

    def _read(self, of: Sequence[Mapping[Any, Step]], key: object, folder: FolderOf) -> list[Any]:
        return [read_scores(folder(steps[key])) for steps in of]

    def _final(self, tested: Step, folder: FolderOf) -> Table:
        scores = read_scores(folder(tested))
        name = f"{self._name(f'tau{self.plan.config.tau:g}')}, fitted on all rated videos"
        return Table(
            title="Final model",
            paper=("MAP, private leaderboard",),
            ours=("MAP, test",),
            lines=(_line(name, LEADERBOARD, [scores]),),
            note=f"MAP@100,000; {_judging(scores)} of test; seed {self.plan.config.seed}",
        )

    def _name(self, name: str) -> str:
        """Return what the paper calls a row; parameters of rows that it does not have too."""
        config = self.plan.config
        if name.startswith("tau"):
            return f"+ Label Correlation (tau {name.removeprefix('tau')})"
        if name.startswith("m"):
            return f"+ reweight (n {config.unrated_weight:g}, m {name.removeprefix('m')})"
        return NAMES[name]

    def _note(self, folder: FolderOf) -> str:
        config = self.plan.config
        judging = [_judging(each) for each in self._read(self.scores, "gru", folder)]
        return (
            f"MAP@100,000, of 1/{config.folds} of the rated videos, held out: ours by "
            f"{'; test: '.join(judging)}; seed {config.seed}; "
            f"(95 % of {config.bootstrap:,} draws of the videos)"
        )


def _judging(scores: Mapping[str, Any]) -> str:
    return f"{scores['segments']:,} rated segments, {scores['classes']:,} classes"


def _line(name: str, paper: float | None, scores: Sequence[Mapping[str, Any]]) -> Line:
    return Line(
        name=name,
        paper=(paper,),
        ours=tuple(each["map@k"] for each in scores),
        intervals=tuple(_pair(each.get("map@k_interval")) for each in scores),
    )


def _pair(interval: list[float] | None) -> tuple[float, float] | None:
    return None if interval is None else (interval[0], interval[1])
