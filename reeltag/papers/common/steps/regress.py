"""Frame regressions: for few videos, on labels and ratings at once."""

import json
from pathlib import Path

from reeltag.core.files import write_json
from reeltag.data.items import VideoSet
from reeltag.models.frame_logistic import Config
from reeltag.papers.common.costs import train_cost
from reeltag.papers.common.dataset_source import DataLocation, open_data
from reeltag.papers.common.recipe import SplitRecipe
from reeltag.papers.common.steps.files import RUN
from reeltag.pipeline.steps import step_function
from reeltag.training.batches import training_items
from reeltag.training.frame_regression import FrameRegressionConfig, fit_frame_regression


@step_function("regress_frames", version=5, cost=train_cost)
def regress_frames(
    out: Path,
    data: DataLocation,
    *,
    model: Config,
    recipe: SplitRecipe,
    rated: SplitRecipe | None,
    regression: FrameRegressionConfig,
) -> None:
    """Fit `frame_logistic` into the run folder `out/run`.

    Args:
        out: folder of the step.
        data: where the data set is.
        model: sizes; classes and widths are taken from the data.
        recipe: which whole videos are learned from.
        rated: which rated windows; None = none.
        regression: how it is fitted.
    """
    run = out / RUN
    if not run.exists():
        windows = None if rated is None else _items(data, rated)
        how = recipe.without_splits()
        fit_frame_regression(_items(data, recipe), run, model, how, regression, windows=windows)
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    write_json(run / "metrics.json", {**metrics, "run": RUN})  # `out` will be renamed


def _items(data: DataLocation, recipe: SplitRecipe) -> VideoSet:
    """Return the videos or windows that a recipe selects."""
    return training_items(open_data(data, recipe.splits), recipe.without_splits())
