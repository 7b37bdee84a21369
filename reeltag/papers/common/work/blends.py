"""Steps that put predictions together: by their mean, or by weights that are learned.

    both = step(mean, said_a, said_b, name="A+B")
    how  = step(learn_weights, data, held_a, held_b, name="weights-2", method="weights", ...)
    both = step(combine, how, said_a, said_b, name="weights-2-test")

Trees over predictions are grown by `stack` of .videos.
"""

from pathlib import Path

from reeltag.data.dataset import Dataset
from reeltag.data.splits import Splits
from reeltag.ensembling import blend
from reeltag.ensembling.blend import Method, SgdConfig, Solver
from reeltag.papers.common.work.files import PREDICTIONS
from reeltag.pipeline.steps import step_function

BLEND = "blend"  # folder inside of what `learn_weights` makes


@step_function("mean", version=1)
def mean(out: Path, *predictions: Path) -> None:
    """Average the probabilities of several steps' predictions."""
    blend.mean([folder / PREDICTIONS for folder in predictions], out / PREDICTIONS)


@step_function("learn_weights", version=1)
def learn_weights(
    out: Path,
    data: Path,
    *predictions: Path,
    method: Method,
    solver: Solver,
    splits: Splits,
    sgd: SgdConfig | None = None,
    seed: int = 0,
) -> None:
    """Learn on the held-out videos how much each model counts.

    Args:
        out: of the step; gets the folder `blend`, as `reeltag blend --save` makes it.
        data: the data folder.
        *predictions: folders of steps that made predictions of the held-out videos.
        method: weights, or class-weights.
        solver: sgd, as the paper; or nnls, exact.
        splits: the rule that gives a shard its split; learned on `validate`.
        sgd: steps of SGD; None: as `reeltag blend`.
        seed: of SGD.
    """
    if (out / BLEND).exists():
        return
    found = blend.fit(
        [folder / PREDICTIONS for folder in predictions],
        Dataset.open(data, splits=splits),
        method,
        solver=solver,
        split="validate",
        sgd=sgd or SgdConfig(),
        seed=seed,
    )
    found.save(out / BLEND)


@step_function("combine", version=1)
def combine(out: Path, learned: Path, *predictions: Path, top_k: int = 50) -> None:
    """Put predictions of a split together by weights that were learned.

    Args:
        out: of the step; gets `predictions.parquet`.
        learned: folder of a `learn_weights` step for the same models in the same order.
        *predictions: folders of steps that made predictions of the split.
        top_k: classes kept for each video.
    """
    files = [folder / PREDICTIONS for folder in predictions]
    blend.blend(files, blend.Blend.load(learned / BLEND), out / PREDICTIONS, top_k=top_k)


def read_weights(folder: Path) -> list[float]:
    """Return the weights that a `learn_weights` step of the method `weights` found, one a model."""
    weights = blend.Blend.load(folder / BLEND).weights
    assert weights is not None and weights.ndim == 1
    return [float(weight) for weight in weights]
