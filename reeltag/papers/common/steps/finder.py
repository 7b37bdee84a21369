"""A trained model with thresholds of its classes, as a run folder to be used.

finder = step(write_finder, final, predicted, data, name="final", evaluation=e, precision=0.9)
"""

import shutil
from pathlib import Path

from reeltag.core.console import say
from reeltag.core.files import whole_folder
from reeltag.data.features import FEATURES_FILE
from reeltag.evaluation.rating_scores import RatingScores
from reeltag.evaluation.truth import read_truth
from reeltag.papers.common.costs import files_cost
from reeltag.papers.common.dataset_source import DataLocation, open_data
from reeltag.papers.common.splits.assignment import EvalSplit
from reeltag.papers.common.steps.files import PREDICTIONS, RUN
from reeltag.pipeline.steps import step_function
from reeltag.predictions.file import open_predictions
from reeltag.tagger.run_files import read_class_names

_FILES = ("config.json", "classes.csv", FEATURES_FILE, "model.safetensors", "metrics.json")


@step_function("finder", version=1, cost=files_cost)
def write_finder(
    out: Path,
    trained: Path,
    predictions: Path,
    data: DataLocation,
    *,
    evaluation: EvalSplit,
    precision: float,
) -> None:
    """Copy a run, with thresholds that promise a precision by ratings it was not chosen on.

    Args:
        out: folder of the step; gets the run folder `run`, with `thresholds.json`.
        trained: folder of a `train` step.
        predictions: folder of a step with predictions of the evaluated videos, by a model that has
            not seen them: the run itself, or one that was trained alike.
        data: where the data set is.
        evaluation: which videos and classes.
        precision: that is promised, in (0, 1).
    """
    run = trained / RUN
    names = tuple(read_class_names(run))
    file = open_predictions(predictions / PREDICTIONS)
    data_set = open_data(data, evaluation.truth_splits)
    truth = read_truth(data_set, evaluation.truth or "all", len(names), quiet=True)
    scores = RatingScores.of_rows(file.rows("segments"), truth)
    thresholds = scores.thresholds(names, precision)
    reached = len(names) - len(thresholds.unreached)
    say(f"{reached:,} of {len(names):,} classes reach a precision of {precision:g}")
    if (out / RUN).exists():
        return
    with whole_folder(out / RUN) as part:
        for name in _FILES:
            if (run / name).is_file():
                shutil.copyfile(run / name, part / name)
        thresholds.save(part)
