"""Frame regressions: for few videos, on labels and ratings at once."""

import json
from pathlib import Path

from reeltag.core.files import write_json
from reeltag.models import ModelConfig
from reeltag.papers.common.costs import train_cost
from reeltag.papers.common.dataset_source import DataLocation, open_data
from reeltag.papers.common.recipe import SplitRecipe
from reeltag.papers.common.steps.files import RUN
from reeltag.pipeline.steps import step_function
from reeltag.training.frame_regression import FrameRegressionConfig, fit_frame_regression


@step_function("regress_frames", version=1, cost=train_cost)
def regress_frames(
    out: Path,
    data: DataLocation,
    *,
    model: ModelConfig,
    recipe: SplitRecipe,
    rated: SplitRecipe | None,
    regression: FrameRegressionConfig,
) -> None:
    """Fit `frame_logistic` into the run folder `out/run`.

    Args:
        out: folder of the step.
        data: where the data set is.
        model: names the family; classes and widths are taken from the data.
        recipe: which whole videos are learned from.
        rated: which rated windows; None = none.
        regression: how it is fitted.
    """
    del model  # of the estimate of costs alone
    run = out / RUN
    if not run.exists():
        fit_frame_regression(
            open_data(data, recipe.splits),
            run,
            recipe.without_splits(),
            None if rated is None else rated.without_splits(),
            regression,
            rated_data=None if rated is None else open_data(data, rated.splits),
        )
    metrics = json.loads((run / "metrics.json").read_text())
    write_json(run / "metrics.json", {**metrics, "run": RUN})  # `out` will be renamed
