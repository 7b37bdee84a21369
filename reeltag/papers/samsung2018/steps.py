"""Steps of Samsung 2018: the first level by folds, trees over it, and single networks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reeltag.models import ModelConfig, family_of
from reeltag.papers.common.graph import GraphBuilder
from reeltag.papers.common.recipe import SplitRecipe
from reeltag.papers.common.steps.blend import mean, stack
from reeltag.papers.common.steps.files import OUT_OF_FOLD, TENSORS
from reeltag.papers.common.steps.predict import predict_folds, predict_videos
from reeltag.papers.common.steps.soft_labels import soft_label_videos
from reeltag.papers.common.steps.train import fit_centroids, gather_tensors
from reeltag.papers.samsung2018.config import SamsungPlan
from reeltag.papers.samsung2018.first_level import FirstLevelModel
from reeltag.pipeline.keys import Keyed
from reeltag.pipeline.steps import Step, step


@dataclass(frozen=True)
class SamsungGraph:
    """Builds the steps of the slides on one data set, and keeps those that predict the test videos.

    Attributes:
        plan: sizes and recipes.
        builder: of steps that papers share.
        predictions: steps with predictions to evaluate, by the name of the model.
        runs: of these, the steps that train a single network.
    """

    plan: SamsungPlan
    builder: GraphBuilder
    predictions: dict[str, Step] = field(default_factory=dict)
    runs: dict[str, Step] = field(default_factory=dict)

    def first_level(self, member: FirstLevelModel) -> Step:
        """Return a member's predictions: of each fold by a network without it, and of the test."""
        options: dict[str, Any] = {}
        if member.preprocessing is not None:
            options["preprocessing"] = member.preprocessing
        if member.centroids:
            options["start"] = self._centroids(member) / TENSORS
        folds = [
            self.builder.train(
                f"{member.name}-fold-{fold}",
                member.model,
                self.plan.first_level(member, fold),
                **options,
            )
            for fold in range(self.plan.config.folds)
        ]
        self.predictions[member.name] = step(
            predict_folds,
            self.builder.data,
            *folds,
            name=member.name,
            splits=self.plan.assignment.splits,
            inference=self.plan.inference,
            runtime={"device": self.builder.device},
        )
        return self.predictions[member.name]

    def stacked(self, members: Mapping[str, Step]) -> Step:
        """Return the trees over members' out-of-fold predictions; keep the members' mean too."""
        fleet = "fleet"  # in names of folders
        self.predictions["mean"] = step(mean, *members.values(), name=fleet)
        self.predictions["lightgbm"] = step(
            stack,
            self.builder.data,
            *members.values(),
            name=fleet,
            names=tuple(members),
            splits=self.plan.assignment.splits,
            config=self.plan.trees,
            runtime={"threads": self.plan.config.threads},
        )
        return self.predictions["lightgbm"]

    def soft_labels(self, teacher: Step) -> Step:
        """Return the out-of-fold predictions of the trees as soft labels."""
        return step(
            soft_label_videos,
            teacher / OUT_OF_FOLD,
            self.builder.data,
            name="by-lightgbm",
            splits=self.plan.assignment.splits,
            top_k=self.plan.config.soft_top_k,
        )

    def single(
        self,
        name: str,
        model: ModelConfig,
        recipe: SplitRecipe,
        *,
        start: Keyed | None = None,
        soft: Step | None = None,
    ) -> Step:
        """Return a network that learns from all training videos; keep its predictions."""
        run = self.builder.train(name, model, recipe, start=start, soft=soft)
        self.runs[name] = run
        self.predictions[name] = step(
            predict_videos,
            self.builder.data,
            run,
            name=name,
            splits=self.plan.assignment.splits,
            inference=self.plan.inference,
            runtime={"device": self.builder.device},
        )
        return run

    def gathered(self, nets: list[Step]) -> Step:
        """Return the weights of six nets under the names they have in the final graph."""
        return step(
            gather_tensors, *nets, name="nets", part="model.net.towers", into="nets.{}.towers"
        )

    def _centroids(self, member: FirstLevelModel) -> Step:
        return step(
            fit_centroids,
            self.builder.data,
            name=f"{member.centroids}",
            preprocessing=family_of(member.model).preprocessing,
            clusters=member.centroids,
            splits=self.plan.assignment.splits,
        )
