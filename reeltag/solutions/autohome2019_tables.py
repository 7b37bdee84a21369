"""How the models of Autohome 2019 are judged, and the paper's tables beside ours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from reeltag.pipeline.steps import Source, Step, step
from reeltag.solutions.autohome2019_config import Plan
from reeltag.solutions.contract import FolderOf, Goal, Line, Table
from reeltag.solutions.costs import Costs
from reeltag.solutions.work import compare, predict_segments, read_scores, score

PAPER = {  # MAP on the fifth of the rated segments that was held out, tables 2 to 5
    **{"same": 0.770, "different": 0.773, "gru": 0.778},
    **{"m2": 0.782, "m2.5": 0.783, "m3": 0.781},
    **{"tau0.4": 0.788, "tau0.5": 0.791, "tau0.6": 0.789},
    **{"dbof": 0.740, "dbof-gcn": 0.749},
}
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
    """Return the goal: every model judged by the fifth, what each gains, and the final model.

    Args:
        models: steps that train, in the order of the tables; "train-gru" is called "gru" here.
        final: the step that fits the best of them on all rated videos; where the test split is
            rated, it is judged there.
        plan: sizes, and who judges.
        costs: on the data.
        data: the data set.
    """
    judges, config = plan.judges, plan.config
    draws = config.bootstrap

    def predicted(model: Step, name: str, judges: object) -> Step:
        return step(
            predict_segments,
            model,
            data,
            name=name,
            judges=judges,
            precision=plan.sizes.precision,
            means={"device": config.device},
            estimate=partial(costs.predicting, model.config["model"]),
        )

    said = {name: predicted(model, name, judges) for name, model in _named(models).items()}
    scores = {
        name: step(score, made, data, name=name, judges=judges, bootstrap=draws)
        for name, made in said.items()
    }
    gains = {
        pair: step(
            compare,
            data,
            *(said[name] for name in pair),
            name="-".join(pair),
            judges=judges,
            bootstrap=draws,
        )
        for pair in _gains(list(said), plan)
    }
    tested, best = None, said.get(f"tau{config.tau:g}")
    if not plan.roles.fold.count:  # the test split is rated
        judges = plan.roles.judges
        best = predicted(final, "final", judges)
        tested = step(score, best, data, name="final", judges=judges, bootstrap=draws)
    goals = (*scores.values(), *gains.values(), tested or final)
    return Goal(steps=goals, tables=_Tables(plan, scores, gains, tested), best=best)


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
    """Tables out of scores and gains, when they are there."""

    plan: Plan
    scores: Mapping[str, Step]
    gains: Mapping[tuple[str, str], Step]
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
        lines = tuple(
            _line(self._name(name), PAPER.get(name), read_scores(folder(self.scores[name])))
            for name in names
            if name in self.scores
        )
        return Table(
            title=title, paper=("MAP",), ours=("MAP",), lines=lines, note=self._note(folder)
        )

    def _gained(self, folder: FolderOf) -> Table:
        lines = []
        for (one, other), made in self.gains.items():
            gain = read_scores(folder(made))[0]["map@k"]
            paper = round(PAPER[one] - PAPER[other], 3) if {one, other} <= PAPER.keys() else None
            lines.append(
                Line(
                    name=f"{SHORT.get(one, one)} over {SHORT.get(other, other)}",
                    paper=(paper,),
                    ours=(gain["difference"],),
                    intervals=(_pair(gain["interval"]),),
                )
            )
        what = ("difference of MAP",)
        note = self._note(folder)
        return Table(
            title="What each row gains",
            paper=what,
            ours=what,
            lines=tuple(lines),
            digits=4,
            note=note,
        )

    def _final(self, tested: Step, folder: FolderOf) -> Table:
        scores = read_scores(folder(tested))
        name = f"{self._name(f'tau{self.plan.config.tau:g}')}, fitted on all rated videos"
        return Table(
            title="Final model",
            paper=("MAP, private leaderboard",),
            ours=("MAP, test",),
            lines=(_line(name, LEADERBOARD, scores),),
            note=f"MAP@100,000; {scores['segments']:,} rated segments of test, "
            f"{scores['classes']:,} classes; seed {self.plan.config.seed}",
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
        counts = read_scores(folder(self.scores["gru"]))
        return (
            f"MAP@100,000, of 1/{config.folds} of the rated videos, held out: ours by "
            f"{counts['segments']:,} rated segments, {counts['classes']:,} classes; "
            f"seed {config.seed}; (95 % of {config.bootstrap:,} draws of the videos)"
        )


def _line(name: str, paper: float | None, scores: Mapping[str, object]) -> Line:
    ours = scores["map@k"]
    interval = _pair(scores.get("map@k_interval"))  # type: ignore[arg-type]
    return Line(name=name, paper=(paper,), ours=(ours,), intervals=(interval,))  # type: ignore[arg-type]


def _pair(interval: list[float] | None) -> tuple[float, float] | None:
    return None if interval is None else (interval[0], interval[1])
