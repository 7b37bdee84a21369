"""Steps of Axon 2018 by what they are for: models and ensembles that can be asked about a split."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from reeltag.core.errors import ConfigError
from reeltag.data.splits import Split
from reeltag.ensembling.blend import Solver
from reeltag.models import ModelConfig
from reeltag.papers.axon2018.config import TOP_K, Plan
from reeltag.papers.common.video_costs import VideoCosts
from reeltag.papers.common.work.augmentation import FOLDER, augment, average_frames
from reeltag.papers.common.work.blends import combine, learn_weights, mean
from reeltag.papers.common.work.evaluation import compare, compare_with_best, score_videos
from reeltag.papers.common.work.training import train
from reeltag.papers.common.work.videos import Asking, predict_videos, soften_videos
from reeltag.pipeline.keys import Keyed
from reeltag.pipeline.steps import Source, Step, step
from reeltag.training.config import Recipe

SOLVERS: tuple[Solver, ...] = ("sgd", "nnls")  # the paper's first


class Voter(Protocol):
    """A model or an ensemble."""

    @property
    def name(self) -> str:
        """Return what it is called in names of steps and in tables."""

    def says(self, split: Split) -> Step:
        """Return the step that asks it about the videos of a split."""


@dataclass(frozen=True)
class Model:
    """A model, trained.

    Attributes:
        bench: whose it is.
        name: such as "netvlad-1".
        trained: the step that trains it.
        data: what it looks at: the data, or their means.
    """

    bench: "Bench"
    name: str
    trained: Step
    data: Keyed

    def says(self, split: Split) -> Step:
        """Return the step that asks it about the videos of a split."""
        bench, config = self.bench, self.bench.plan.config
        return step(
            predict_videos,
            self.data,
            self.trained,
            name=f"{self.name}-{split}",
            splits=bench.plan.parts.splits,
            asking=Asking(top_k=TOP_K, batch_size=64, precision=bench.plan.sizes.precision),
            split=split,
            losses=False,
            runtime={"device": config.device},
            estimate=partial(
                bench.costs.predicting,
                self.trained.config["model"],
                split,
                means=self.data is not bench.given,
            ),
        )


@dataclass(frozen=True)
class Ensemble:
    """Several models or ensembles together.

    Attributes:
        bench: whose it is.
        name: such as "mean-7".
        members: of it.
        learned: the step that learned their weights; None: they count alike.
    """

    bench: "Bench"
    name: str
    members: Sequence[Voter]
    learned: Step | None = None

    def says(self, split: Split) -> Step:
        """Return the step that puts together what the members say of a split."""
        said = [member.says(split) for member in self.members]
        name, estimate = f"{self.name}-{split}", partial(
            self.bench.costs.combining, len(said), split
        )  # fmt: skip
        if self.learned is None:
            return step(mean, *said, name=name, estimate=estimate)
        return step(combine, self.learned, *said, name=name, top_k=TOP_K, estimate=estimate)


@dataclass(frozen=True)
class Bench:
    """What makes steps on one data set.

    Attributes:
        plan: numbers of all stages.
        costs: on the data.
        given: the data.
    """

    plan: Plan
    costs: VideoCosts
    given: Source

    def trained(
        self,
        name: str,
        model: ModelConfig,
        recipe: Recipe,
        *,
        data: Keyed | None = None,
        start: Step | None = None,
        soft: Step | None = None,
    ) -> Model:
        """Return a model that learns from the data, or from `data`; it looks at `data` later too.

        Args:
            name: of the model.
            model: its sizes.
            recipe: how it learns.
            data: in place of the data.
            start: the training whose weights are the first ones.
            soft: the step that made soft labels.
        """
        data = data or self.given
        made = step(
            train,
            data,
            name=name,
            model=model,
            recipe=recipe,
            start=start,
            soft=soft,
            runtime={"accelerator": self.plan.config.device},
            estimate=partial(self.costs.training, model, recipe, means=data is not self.given),
        )
        return Model(self, name, made, data)

    def single(self, name: str, number: int) -> Model:
        """Return one of the seven models, of set `number` (from 0)."""
        model = self.plan.seven[name]
        recipe = self.plan.single(model, self.plan.seed(number))
        return self.trained(f"{name}-{number + 1}", model, recipe)

    def means(self) -> Keyed:
        """Return the data with one vector a video."""
        if not self.plan.frames:
            return self.given
        which = tuple(self.plan.parts.counts)
        made = step(
            average_frames,
            self.given,
            splits=self.plan.parts.splits,
            which=which,
            estimate=partial(self.costs.averaging, which),
        )
        return made / FOLDER

    def augmented(self, means: Keyed) -> Step:
        """Return the step that makes samples around the videos of rare labels."""
        plan, making = self.plan.augmentation
        return step(
            augment,
            means,
            splits=self.plan.parts.splits,
            plan=plan,
            making=making,
            seed=self.plan.config.seed,
            estimate=self.costs.augmenting,
        )

    def experts(self, name: str, means: Keyed, augmented: Step | None = None) -> Model:
        """Return the video-level mixture of experts; what it is asked about is never augmented."""
        data = means if augmented is None else augmented / FOLDER
        model = self.plan.experts
        made = self.trained(name, model, self.plan.video_level(), data=data)
        return Model(self, name, made.trained, means)

    def fine_tuned(self, name: str, start: Model, weight: float) -> Model:
        """Return a model that was trained on, with the penalty at this weight."""
        model = start.trained.config["model"]
        recipe = self.plan.fine_tuned(model, weight)
        return self.trained(name, model, recipe, start=start.trained)

    def mean(self, name: str, members: Sequence[Voter]) -> Ensemble:
        """Return an ensemble whose members count alike."""
        return Ensemble(self, name, members)

    def weighted(
        self, name: str, members: Sequence[Voter], solver: Solver, *, classes: bool = False
    ) -> Ensemble:
        """Return an ensemble whose weights are learned on the held-out videos.

        Args:
            name: of it.
            members: of it.
            solver: sgd: as the paper; nnls: exactly, and none below 0.
            classes: a weight for each model and class, not one for each model.
        """
        learned = step(
            learn_weights,
            self.given,
            *[member.says("validate") for member in members],
            name=name,
            method="class-weights" if classes else "weights",
            solver=solver,
            splits=self.plan.parts.splits,
            sgd=self.plan.descent if solver == "sgd" else None,
            seed=self.plan.config.seed if solver == "sgd" else 0,
            estimate=partial(self.costs.fitting, len(members)),
        )
        return Ensemble(self, name, members, learned)

    def students(self, teacher: Ensemble) -> list[Model]:
        """Return a student for each lambda; that of 0 never sees what the teacher says.

        Raises:
            ConfigError: the student would weigh more than is allowed.
        """
        self._refuse_heavy()
        soft = step(
            soften_videos,
            teacher.says("train"),
            self.given,
            name=f"by-{teacher.name}",
            splits=self.plan.parts.splits,
            top_k=TOP_K,
            estimate=partial(self.costs.combining, 1, "train"),
        )
        return [
            self.trained(
                f"student-{share:g}",
                self.plan.student,
                self.plan.distilled(share),
                soft=soft if share else None,
            )
            for share in self.plan.config.lambdas
        ]

    def scored(self, voter: Voter) -> Step:
        """Return the step that scores what a model or an ensemble says."""
        draws = self.plan.config.bootstrap
        return step(
            score_videos,
            voter.says(self.plan.parts.judge),
            self.given,
            name=voter.name,
            judges=self.plan.parts.judges,
            bootstrap=draws,
            estimate=partial(self.costs.scoring, 1, draws),
        )

    def compared(self, name: str, one: Voter, other: Voter) -> Step:
        """Return the step that compares one with another, by the same draws."""
        return self._beside(compare, name, (one, other))

    def compared_with_best(self, name: str, one: Voter, others: Sequence[Voter]) -> Step:
        """Return the step that compares one with the best of the others, by the same draws."""
        return self._beside(compare_with_best, name, (one, *others))

    def _beside(self, how: Callable[..., None], name: str, voters: Sequence[Voter]) -> Step:
        draws = self.plan.config.bootstrap
        return step(
            how,
            self.given,
            *[voter.says(self.plan.parts.judge) for voter in voters],
            name=name,
            judges=self.plan.parts.judges,
            bootstrap=draws,
            estimate=partial(self.costs.scoring, 2, draws),
        )

    def _refuse_heavy(self) -> None:
        weight, allowed = self.costs.weight(self.plan.student), self.plan.config.max_bytes
        if weight > allowed:
            raise ConfigError(
                f"the student of {self.plan.sizes.student_hidden} units and "
                f"{self.plan.sizes.clusters} clusters weighs {weight:,} bytes, and may weigh "
                f"{allowed:,}",
                where="--max-bytes",
                hint="Take fewer units (--student-hidden) or clusters (--clusters).",
            )
