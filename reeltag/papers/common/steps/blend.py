"""Predictions put together: by their mean, by learned weights, or by trees.

    both = step(mean, predicted_a, predicted_b, name="A+B")
    learned = step(learn_weights, data, held_out_a, held_out_b, name="2", method="weights", ...)
    both = step(combine, learned, predicted_a, predicted_b, name="weights-2-test")
    trees = step(stack, data, *members, name="all", splits=splits, config=TreeConfig())

What learns does not start over after a kill.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path

from reeltag.data.splits import Splits
from reeltag.ensembling.alignment import align_predictions
from reeltag.ensembling.blend_model import BlendModel, Method
from reeltag.ensembling.blending import BlendConfig, Solver, blend, fit_blend, unfitted_blend
from reeltag.ensembling.fitting import SgdConfig
from reeltag.ensembling.stacking import predict_trees, train_trees
from reeltag.ensembling.tree_config import TreeConfig
from reeltag.ensembling.trees import Trees
from reeltag.evaluation.truth import read_truth
from reeltag.papers.common.costs import files_cost
from reeltag.papers.common.dataset_source import DataLocation, open_data
from reeltag.papers.common.steps.files import BLEND, OUT_OF_FOLD, PREDICTIONS, TREES
from reeltag.pipeline.steps import step_function
from reeltag.predictions.file import PredictionInfo, open_predictions


@step_function("mean", version=1, cost=files_cost)
def mean(out: Path, *predictions: Path) -> None:
    """Average the probabilities of several steps' predictions."""
    files = [folder / PREDICTIONS for folder in predictions]
    blend(files, unfitted_blend(files, "mean"), out / PREDICTIONS)


@step_function("learn_weights", version=1, cost=files_cost)
def learn_weights(
    out: Path,
    data: DataLocation,
    *predictions: Path,
    method: Method,
    solver: Solver,
    splits: Splits,
    sgd: SgdConfig | None = None,
    seed: int = 0,
) -> None:
    """Learn the weight of each model on the held-out videos.

    Args:
        out: folder of the step; gets the folder `blend`, as `reeltag blend --save` writes it.
        data: where the data set is.
        *predictions: folders of steps with predictions of the held-out videos.
        method: weights, or class-weights.
        solver: sgd, as the paper; or nnls, exact.
        splits: the rule that gives a shard its split; `validate` is held out.
        sgd: steps of SGD; None: as `reeltag blend`.
        seed: random seed of SGD.
    """
    if (out / BLEND).exists():
        return
    files = [folder / PREDICTIONS for folder in predictions]
    config = BlendConfig(method=method, solver=solver, sgd=sgd or SgdConfig(), seed=seed)
    fit_blend(files, open_data(data, splits), config).save(out / BLEND)


@step_function("combine", version=1, cost=files_cost)
def combine(out: Path, learned: Path, *predictions: Path, top_k: int = 50) -> None:
    """Put predictions of a split together by learned weights.

    Args:
        out: folder of the step; gets `predictions.parquet`.
        learned: folder of a `learn_weights` step for the same models in the same order.
        *predictions: folders of steps with predictions of the split.
        top_k: classes kept for each video.
    """
    files = [folder / PREDICTIONS for folder in predictions]
    blend(files, BlendModel.load(learned / BLEND), out / PREDICTIONS, top_k=top_k)


@step_function("stack", version=1, cost=files_cost)
def stack(
    out: Path,
    data: DataLocation,
    *members: Path,
    names: tuple[str, ...],
    splits: Splits,
    config: TreeConfig,
    threads: int = 0,
) -> None:
    """Grow trees over out-of-fold predictions, and predict training and test videos with them.

    Args:
        out: folder of the step; gets `trees`, `out_of_fold.parquet` and `predictions.parquet`.
        data: where the data set is.
        *members: folders of `predict_folds` steps.
        names: of the members.
        splits: the rule that gives a shard its split.
        config: how the trees grow; the folds are those of the members.
        threads: of LightGBM; 0 = all cores. The trees do not depend on it.
    """
    files = [folder / OUT_OF_FOLD for folder in members]
    info = open_predictions(files[0]).info
    data_set = open_data(data, splits, quiet=True)
    truth = read_truth(data_set, "train", info.num_classes, quiet=True)
    top_k = config.candidates
    if not (out / TREES).exists():
        blocks = partial(align_predictions, files, top_k=top_k)
        train_trees(blocks, truth, out / TREES, replace(config, threads=threads), models=names)
    trees = Trees.load(out / TREES)
    for name, split in ((OUT_OF_FOLD, "train"), (PREDICTIONS, "test")):
        blocks_of_split = align_predictions([folder / name for folder in members], top_k=top_k)
        predicted = PredictionInfo(
            num_classes=info.num_classes, family="lightgbm", data=info.data, split=split
        )
        predict_trees(blocks_of_split, trees, out / name, predicted)


def read_weights(folder: Path) -> list[float]:
    """Return the weight of each model that a `learn_weights` step of the method `weights` found."""
    weights = BlendModel.load(folder / BLEND).weights
    assert weights is not None and weights.ndim == 1
    return [float(weight) for weight in weights]
