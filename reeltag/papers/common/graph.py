"""Steps that papers share, and what their scores become in tables."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from reeltag.models import ModelConfig, frame_logistic
from reeltag.papers.common.dataset_source import DatasetSource
from reeltag.papers.common.program import FolderOf
from reeltag.papers.common.recipe import SplitRecipe
from reeltag.papers.common.splits.assignment import EvalSplit
from reeltag.papers.common.steps.evaluate import compare, compare_with_best, score, score_videos
from reeltag.papers.common.steps.files import RUN, SOFT_LABELS, read_scores
from reeltag.papers.common.steps.predict import predict_segments
from reeltag.papers.common.steps.regress import regress_frames
from reeltag.papers.common.steps.train import train
from reeltag.papers.common.tables import TableRow, figure_of, interval_of
from reeltag.pipeline.keys import Keyed
from reeltag.pipeline.steps import Step, step
from reeltag.training.frame_regression import FrameRegressionConfig

Metric = Literal["map@k", "gap@20"]
Paper = tuple[float | None, ...]  # the paper's figures in a row: one, or none in its table


@dataclass(frozen=True)
class Evaluation:
    """Predictions of models, and the steps that score and compare them.

    Attributes:
        metric: of segments or of videos.
        predictions: by the name of the model.
        scores: likewise.
        differences: by the names of the better and the worse model.
    """

    metric: Metric
    predictions: Mapping[str, Step]
    scores: Mapping[str, Step]
    differences: Mapping[tuple[str, str], Step]

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps that score and compare."""
        return (*self.scores.values(), *self.differences.values())

    def read(self, name: str, folder: FolderOf) -> Mapping[str, Any]:
        """Return the scores of a model, as `reeltag evaluate --json`."""
        found: Mapping[str, Any] = read_scores(folder(self.scores[name]))
        return found

    def row(
        self, name: str, text: str, folder: FolderOf, *, paper: Paper = (), note: str = ""
    ) -> TableRow:
        """Return the row of a model, called `text`, with the paper's figure where it has one."""
        found = self.read(name, folder)
        value, interval = found[self.metric], found.get(f"{self.metric}_interval")
        return TableRow(
            name=text,
            paper=paper,
            ours=(figure_of(value),),
            intervals=(interval_of(interval),),
            note=note,
        )

    def difference_rows(
        self,
        folder: FolderOf,
        paper: Callable[[str, str], Paper] = lambda one, other: (),
        short: Mapping[str, str] | None = None,
    ) -> list[TableRow]:
        """Return a row per difference.

        Args:
            folder: of each step.
            paper: returns the paper's difference of two models, (None,) where it has none.
            short: short names of models.
        """
        short = short or {}
        return [
            difference_row(
                f"{short.get(one, one)} over {short.get(other, other)}",
                read_scores(folder(compared))[0][self.metric],
                paper(one, other),
            )
            for (one, other), compared in self.differences.items()
        ]


@dataclass(frozen=True)
class GraphBuilder:
    """Builds steps on one data set.

    Attributes:
        data: the data set.
        evaluation: what is evaluated.
        bootstrap: replicates of intervals.
        precision: of the large products in predictions.
        device: where steps run, as trainings call it.
    """

    data: DatasetSource
    evaluation: EvalSplit
    bootstrap: int
    precision: Literal["fp32", "bf16"] = "fp32"
    device: str = "auto"

    def train(
        self,
        name: str,
        model: ModelConfig,
        recipe: SplitRecipe,
        *,
        data: Keyed | None = None,
        start: Keyed | None = None,
        soft: Step | None = None,
        equal: int = 0,
        **options: Any,  # noqa: ANN401
    ) -> Step:
        """Return a training.

        Args:
            name: of the model.
            model: sizes.
            recipe: how it learns.
            data: in place of the data set.
            start: the training, or file of tensors, whose weights are the first ones.
            soft: the step that wrote soft labels.
            equal: of these, at most so many segments per class; 0 = all.
            **options: what `train` takes besides these.
        """
        fields: dict[str, Keyed | int] = dict(options.pop("fields", {}))
        if start is not None:
            fields["init"] = start / RUN if isinstance(start, Step) else start
        if soft is not None:
            fields["soft.file"] = soft / SOFT_LABELS
        if equal:
            fields["soft.equal"] = equal
        rated = recipe.items == "segments" or (recipe.fold.count and recipe.fold.by == "ratings")
        return step(
            train,
            data or (self.data if rated else self.data.without_ratings),
            name=name,
            model=model,
            recipe=recipe,
            fields=fields,
            runtime={"accelerator": self.device},
            **options,
        )

    def regress_frames(
        self,
        name: str,
        recipe: SplitRecipe,
        rated: SplitRecipe | None,
        regression: FrameRegressionConfig,
    ) -> Step:
        """Return the fit of a frame regression.

        Args:
            name: of the model.
            recipe: which whole videos are learned from.
            rated: which rated windows; None = none.
            regression: how it is fitted.
        """
        reads_ratings = rated is not None or recipe.fold.count
        return step(
            regress_frames,
            self.data if reads_ratings else self.data.without_ratings,
            name=name,
            model=frame_logistic.Config(),
            recipe=recipe,
            rated=rated,
            regression=regression,
        )

    def predict_segments(
        self,
        name: str,
        trained: Step,
        *,
        evaluation: EvalSplit | None = None,
        videos: bool = False,
    ) -> Step:
        """Return the predictions of a model on the evaluated segments, and videos if wanted."""
        return step(
            predict_segments,
            trained,
            self.data,
            name=name,
            evaluation=evaluation or self.evaluation,
            videos=videos,
            precision=self.precision,
            runtime={"device": self.device},
        )

    def evaluate(
        self,
        predictions: Mapping[str, Step],
        pairs: Iterable[tuple[str, str]],
        *,
        metric: Metric = "map@k",
        evaluation: EvalSplit | None = None,
        mark: str = "",
    ) -> Evaluation:
        """Return the scores of predictions, and the differences of pairs of them.

        Args:
            predictions: by the name of the model.
            pairs: names of models to compare; pairs without predictions are left out.
            metric: map@k of segments, or gap@20 of videos.
            evaluation: in place of the builder's.
            mark: at the end of the names of the steps.
        """
        options: dict[str, Any] = {
            "evaluation": evaluation or self.evaluation,
            "bootstrap": self.bootstrap,
        }
        function = score if metric == "map@k" else score_videos
        scores = {
            name: step(function, predicted, self.data, name=name + mark, **options)
            for name, predicted in predictions.items()
        }
        differences = {
            (one, other): step(
                compare,
                self.data,
                predictions[one],
                predictions[other],
                name=f"{one}-{other}{mark}",
                **options,
            )
            for one, other in pairs
            if one in predictions and other in predictions
        }
        return Evaluation(metric, dict(predictions), scores, differences)

    def compare_with_best(self, name: str, one: Step, others: Iterable[Step]) -> Step:
        """Return the comparison of predictions with the best of several others, by GAP@20."""
        return step(
            compare_with_best,
            self.data,
            one,
            *others,
            name=name,
            evaluation=self.evaluation,
            bootstrap=self.bootstrap,
        )


def difference_row(name: str, found: Mapping[str, Any], paper: Paper = ()) -> TableRow:
    """Return the row of a comparison by one metric, as of `reeltag compare --json`."""
    return TableRow(
        name=name,
        paper=paper,
        ours=(figure_of(found["difference"]),),
        intervals=(interval_of(found["interval"]),),
    )
