"""The steps of Samsung 2018: how each is made, what it costs, and who is judged by which name."""

from dataclasses import dataclass, field
from functools import partial
from typing import Any

from reeltag.models import ModelConfig, family_of
from reeltag.papers.common.video_costs import VideoCosts
from reeltag.papers.common.work.blends import mean
from reeltag.papers.common.work.files import OUT_OF_FOLD
from reeltag.papers.common.work.training import train
from reeltag.papers.common.work.videos import (
    TENSORS,
    fit_clusters,
    gather,
    predict_folds,
    predict_videos,
    soften_videos,
    stack,
)
from reeltag.papers.samsung2018.config import Plan
from reeltag.papers.samsung2018.fleet import Member
from reeltag.pipeline.steps import Estimate, Source, Step, step
from reeltag.training.config import Recipe

_A_ROW = 1e-7  # seconds for a row of the trees, a tree: of a CPU's thread
_ROWS = 2.0  # candidates of a video, for each one that a member may name


@dataclass(frozen=True)
class Bench:
    """Where steps are made; what predicts the test videos is remembered by its name.

    Attributes:
        plan: sizes, and who judges.
        costs: on the data.
        data: the data set.
        said: steps whose `predictions.parquet` are judged.
        runs: of these, the steps that train a single network.
    """

    plan: Plan
    costs: VideoCosts
    data: Source
    said: dict[str, Step] = field(default_factory=dict)
    runs: dict[str, Step] = field(default_factory=dict)

    def trained(
        self,
        name: str,
        model: ModelConfig,
        recipe: Recipe,
        **how: Any,  # noqa: ANN401
    ) -> Step:
        """Return a training; `how` is what `train` takes beside these."""
        return step(
            train,
            self.data,
            name=name,
            model=model,
            recipe=recipe,
            runtime={"accelerator": self.plan.config.device},
            estimate=partial(self.costs.training, model, recipe, means=not self.plan.frames),
            **how,
        )

    def first_level(self, member: Member) -> Step:
        """Return what a member says: of each fold when trained without it, and of the test."""
        how: dict[str, Any] = {}
        if member.preprocessing is not None:
            how["preprocessing"] = member.preprocessing
        if member.centroids:
            how["start"] = self._clusters(member) / TENSORS
        folds = [
            self.trained(
                f"{member.name}-fold-{fold}",
                member.model,
                self.plan.first_level(member, fold),
                **how,
            )
            for fold in range(self.plan.config.folds)
        ]
        self.said[member.name] = step(
            predict_folds,
            self.data,
            *folds,
            name=member.name,
            splits=self.plan.parts.splits,
            asking=self.plan.asking,
            runtime={"device": self.plan.config.device},
            estimate=partial(self._predicting, member.model, len(folds), folds=True),
        )
        return self.said[member.name]

    def stacked(self, members: dict[str, Step]) -> Step:
        """Return the trees over what members say out of fold; remember their mean beside them."""
        steps, trees = [*members.values()], self.plan.trees
        self.said["mean"] = step(
            mean,
            *steps,
            name="fleet",
            estimate=partial(self.costs.combining, len(steps), "test"),
        )
        self.said["lightgbm"] = step(
            stack,
            self.data,
            *steps,
            name="fleet",
            names=tuple(members),
            splits=self.plan.parts.splits,
            config=trees,
            runtime={"threads": self.plan.config.threads},
            estimate=partial(self._growing, len(steps)),
        )
        return self.said["lightgbm"]

    def softened(self, teacher: Step) -> Step:
        """Return the out-of-fold predictions of the trees as soft labels."""
        return step(
            soften_videos,
            teacher / OUT_OF_FOLD,
            self.data,
            name="by-lightgbm",
            splits=self.plan.parts.splits,
            top_k=self.plan.config.soft_top_k,
            estimate=partial(self.costs.combining, 1, "train"),
        )

    def single(
        self,
        name: str,
        model: ModelConfig,
        recipe: Recipe,
        **how: Any,  # noqa: ANN401
    ) -> Step:
        """Return a network that learns from all training videos; remember what it says."""
        run = self.runs[name] = self.trained(name, model, recipe, **how)
        self.said[name] = step(
            predict_videos,
            self.data,
            run,
            name=name,
            splits=self.plan.parts.splits,
            asking=self.plan.asking,
            runtime={"device": self.plan.config.device},
            estimate=partial(self._predicting, model, 1),
        )
        return run

    def gathered(self, nets: list[Step]) -> Step:
        """Return what six nets have learned, under the names it has in the final graph."""
        return step(
            gather,
            *nets,
            name="nets",
            part="model.net.towers",
            into="nets.{}.towers",
            estimate=partial(Estimate, seconds=1.0, bytes=self.costs.weight(self.plan.final) // 2),
        )

    def _clusters(self, member: Member) -> Step:
        return step(
            fit_clusters,
            self.data,
            name=f"{member.centroids}",
            preprocessing=family_of(member.model).preprocessing,
            clusters=member.centroids,
            splits=self.plan.parts.splits,
        )

    def _predicting(self, model: ModelConfig, networks: int, *, folds: bool = False) -> Estimate:
        means = not self.plan.frames
        parts = [self.costs.predicting(model, "test", networks, means=means)]
        parts += [self.costs.predicting(model, "train", means=means)] * folds
        kept = self.plan.parts.counts["test"] + self.plan.parts.counts["train"] * folds
        return Estimate(
            seconds=sum(part.seconds or 0.0 for part in parts),
            bytes=6 * self.plan.asking.top_k * kept,
        )

    def _growing(self, members: int) -> Estimate:
        trees, videos = self.plan.trees, self.plan.parts.counts["train"]
        rows = videos * min(_ROWS * trees.candidates, self.costs.index.num_classes)
        seconds = rows * trees.folds * (trees.num_trees * _A_ROW + members * 1e-7)
        return Estimate(seconds=seconds, bytes=round(rows * 6))
