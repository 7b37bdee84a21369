"""Steps of Axon 2018: models and ensembles that predict a split."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from reeltag.data.splits import Split
from reeltag.ensembling.blending import Solver
from reeltag.inference.scoring import InferenceConfig
from reeltag.models import ModelConfig
from reeltag.papers.axon2018.config import TOP_K, AxonPlan
from reeltag.papers.common.graph import GraphBuilder
from reeltag.papers.common.recipe import SplitRecipe
from reeltag.papers.common.steps.augment import augment, average_frames
from reeltag.papers.common.steps.blend import combine, learn_weights, mean
from reeltag.papers.common.steps.files import DATA
from reeltag.papers.common.steps.predict import predict_videos
from reeltag.papers.common.steps.soft_labels import soft_label_videos
from reeltag.pipeline.keys import Keyed
from reeltag.pipeline.steps import Step, step

SOLVERS: tuple[Solver, ...] = ("sgd", "nnls")  # the paper's first


class Member(Protocol):
    """A model or an ensemble."""

    @property
    def name(self) -> str:
        """Its name in names of steps and in tables."""

    def predict(self, split: Split) -> Step:
        """Return the step that predicts the videos of a split."""


@dataclass(frozen=True)
class Single:
    """A trained model.

    Attributes:
        graph: that it is in.
        name: such as "netvlad-1".
        trained: the step that trains it.
        data: the data set that it predicts, or its means.
    """

    graph: "AxonGraph"
    name: str
    trained: Step
    data: Keyed

    def predict(self, split: Split) -> Step:
        """Return the step that predicts the videos of a split."""
        plan = self.graph.plan
        return step(
            predict_videos,
            self.data,
            self.trained,
            name=f"{self.name}-{split}",
            splits=plan.assignment.splits,
            inference=InferenceConfig(top_k=TOP_K, batch_size=64, precision=plan.sizes.precision),
            split=split,
            cross_entropy=False,
            runtime={"device": plan.config.device},
        )


@dataclass(frozen=True)
class Ensemble:
    """Several models or ensembles together.

    Attributes:
        name: such as "mean-7".
        members: of it.
        learned: the step that learned their weights; None: equal weights.
    """

    name: str
    members: Sequence[Member]
    learned: Step | None = None

    def predict(self, split: Split) -> Step:
        """Return the step that combines the members' predictions of a split."""
        predictions = [member.predict(split) for member in self.members]
        name = f"{self.name}-{split}"
        if self.learned is None:
            return step(mean, *predictions, name=name)
        return step(combine, self.learned, *predictions, name=name, top_k=TOP_K)


@dataclass(frozen=True)
class AxonGraph:
    """Builds the steps of the paper on one data set.

    Attributes:
        plan: sizes and recipes of all stages.
        builder: of steps that papers share.
    """

    plan: AxonPlan
    builder: GraphBuilder

    def train(
        self,
        name: str,
        model: ModelConfig,
        recipe: SplitRecipe,
        *,
        data: Keyed | None = None,
        start: Step | None = None,
        soft: Step | None = None,
    ) -> Single:
        """Return a model trained on the data set, or on `data`, which it predicts too."""
        trained = self.builder.train(name, model, recipe, data=data, start=start, soft=soft)
        return Single(self, name, trained, data or self.builder.data)

    def single(self, name: str, number: int) -> Single:
        """Return one of the seven models, of set `number` (from 0)."""
        model = self.plan.seven[name]
        recipe = self.plan.single(model, self.plan.seed(number))
        return self.train(f"{name}-{number + 1}", model, recipe)

    def means(self) -> Keyed:
        """Return the data set with one vector per video."""
        data, assignment = self.builder.data, self.plan.assignment
        if not self.plan.frames and "labels" not in data.files.given:
            return data
        which = tuple(assignment.counts)
        return step(average_frames, data, splits=assignment.splits, which=which) / DATA

    def augmented(self, means: Keyed) -> Step:
        """Return the step that writes samples around the videos of rare labels."""
        plan, sampling = self.plan.augmentation
        return step(
            augment,
            means,
            splits=self.plan.assignment.splits,
            plan=plan,
            making=sampling,
            seed=self.plan.config.seed,
        )

    def experts(self, name: str, means: Keyed, augmented: Step | None = None) -> Single:
        """Return the video-level mixture of experts; what it predicts is never augmented."""
        data = means if augmented is None else augmented / DATA
        trained = self.train(name, self.plan.experts, self.plan.video_level(), data=data)
        return replace(trained, data=means)

    def fine_tuned(self, name: str, start: Single, weight: float) -> Single:
        """Return a model that was trained further, with the penalty at this weight."""
        model = start.trained.config["model"]
        return self.train(name, model, self.plan.fine_tuned(model, weight), start=start.trained)

    def mean(self, name: str, members: Sequence[Member]) -> Ensemble:
        """Return an ensemble of equal weights."""
        return Ensemble(name, members)

    def weighted(
        self, name: str, members: Sequence[Member], solver: Solver, *, classes: bool = False
    ) -> Ensemble:
        """Return an ensemble whose weights are learned on the held-out videos.

        Args:
            name: of it.
            members: of it.
            solver: sgd: as the paper; nnls: exactly, and none below 0.
            classes: a weight for each model and class, not one for each model.
        """
        by_sgd = solver == "sgd"
        learned = step(
            learn_weights,
            self.builder.data,
            *[member.predict("validate") for member in members],
            name=name,
            method="class-weights" if classes else "weights",
            solver=solver,
            splits=self.plan.assignment.splits,
            sgd=self.plan.descent if by_sgd else None,
            seed=self.plan.config.seed if by_sgd else 0,
        )
        return Ensemble(name, members, learned)

    def students(self, teacher: Ensemble) -> list[Single]:
        """Return a student for each lambda; that of 0 never sees the teacher's labels."""
        soft = step(
            soft_label_videos,
            teacher.predict("train"),
            self.builder.data,
            name=f"by-{teacher.name}",
            splits=self.plan.assignment.splits,
            top_k=TOP_K,
        )
        return [
            self.train(
                f"student-{fraction:g}",
                self.plan.student,
                self.plan.distilled(fraction),
                soft=soft if fraction else None,
            )
            for fraction in self.plan.config.lambdas
        ]
