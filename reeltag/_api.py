"""The verbs of `import reeltag`: a folder or an object in, a typed result out.

Each takes what the command of its name takes and calls the same code; the modules below have the
options that are left out here. In the examples DATA is a small synthetic corpus (`synth`).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

from lightning.pytorch.callbacks import Callback

from reeltag.core.files import PathLike, to_paths
from reeltag.data.class_list import ClassList
from reeltag.data.dataset import Dataset
from reeltag.data.splits import Split
from reeltag.data.synth.config import SynthConfig
from reeltag.data.synth.corpus import write_corpus
from reeltag.deploy.export_config import ExportConfig
from reeltag.deploy.sources import load_source
from reeltag.evaluation import comparison
from reeltag.evaluation import scores as evaluation
from reeltag.evaluation.config import EvaluationConfig
from reeltag.inference.moments import (
    VideoMoment,
    find_intervals_in,
    score_windows,
    video_moments,
)
from reeltag.inference.predict import predict as write_predictions
from reeltag.inference.scoring import InferenceConfig
from reeltag.inference.stream import Output
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.models import ModelConfig, family_of, model_config
from reeltag.predictions.file import Predictions, open_predictions
from reeltag.predictions.intervals import DEFAULT_INTERVALS, IntervalConfig
from reeltag.tagger.hub_runs import local_run
from reeltag.tagger.import_config import ImportConfig
from reeltag.tagger.importing import TensorflowArrays, import_checkpoint
from reeltag.tagger.loading import any_tagger
from reeltag.tagger.moments import DEFAULT_PROB, thresholds_for
from reeltag.tagger.tagger import AnyTagger, Tagger
from reeltag.training import fit
from reeltag.training.config import Recipe
from reeltag.training.loggers import Loggers
from reeltag.training.losses import Objective
from reeltag.training.recipes import recipe_for

Data: TypeAlias = Dataset | Path | str


def synth(out: PathLike, **sizes: Any) -> Path:  # noqa: ANN401
    """Write a synthetic corpus in YouTube-8M's format and return its folder.

    Args:
        out: folder to make.
        **sizes: fields of `SynthConfig`, such as videos=1200, classes=40, rgb=1024.

    Raises:
        OutputError: `out` exists or cannot be written.
        ConfigError: a size is out of range.

    Example:
        >>> synth(TMP / "corpus", videos=12, classes=3, rgb=8, audio=4).name
        'corpus'
    """
    write_corpus(Path(out), SynthConfig(**sizes), quiet=True)
    return Path(out)


def load(run: PathLike, device: str = "cpu") -> AnyTagger:
    """Return a tagger in eval mode: stored frames in, tags and moments out.

    Args:
        run: run folder that `train` wrote, WORK of `reeltag solve`, graph that `export` wrote, or
            run on the Hugging Face Hub, "hf://user/name" or "hf://user/name@revision".
        device: where a run folder's tagger computes, such as "cpu" or "cuda"; a graph computes
            where onnxruntime does.

    Raises:
        DataError: `run` is not a finished run folder, nor a graph.
        HubUnreachableError: it is on the hub, which cannot be reached, and not in the cache.

    Example:
        >>> import numpy as np
        >>> frames = np.zeros((30, 20), np.uint8)  # (T, D): seconds, bytes as stored
        >>> [tag.name for tag in load(RUN).predict(frames, top_k=1)]  # doctest: +ELLIPSIS
        ['...']
    """
    return any_tagger(run).to(device)


def import_weights(
    checkpoint: PathLike,
    model: str | ModelConfig,
    out: PathLike,
    *,
    preprocessing: PreprocessingConfig | None = None,
    **config: Any,  # noqa: ANN401
) -> Tagger:
    """Make a run folder of a TensorFlow checkpoint of a model's authors, and return its tagger.

    Args:
        checkpoint: .npz file with an array for each variable, by the authors' names; how to dump
            one: docs/how-to/import-weights.md.
        model: family, variant or import path, or a Config. Its sizes are read from the arrays;
            what they do not show is that of the Config.
        out: run folder to make.
        preprocessing: what happens to stored frames first; None: as the family's authors.
        **config: fields of `ImportConfig`, such as classes="vocabulary.csv", dims=(1024, 128).

    Raises:
        DataError: the file cannot be read, or an array is missing, has no place in the model or
            another shape.
        ConfigError: the family knows no names of TensorFlow variables, or an option does not fit
            the arrays.
        OutputError: `out` exists or cannot be written.

    Example:
        >>> import numpy as np
        >>> scope = "tower/fully_connected"
        >>> arrays = {f"{scope}/weights": np.zeros((20, 3)), f"{scope}/biases": np.zeros(3)}
        >>> np.savez(TMP / "model.npz", **arrays)
        >>> tagger = import_weights(TMP / "model.npz", "logistic", TMP / "run", dims=(16, 4))
        >>> tagger.class_names
        ('class 0', 'class 1', 'class 2')
    """
    options = ImportConfig(**config)
    opened = TensorflowArrays.open(Path(checkpoint), averages=options.averages)
    sizes = model_config(model) if isinstance(model, str) else model
    fitted = opened.sized(sizes, options.dims, defaults_may_differ=True)
    return import_checkpoint(opened, fitted, Path(out), options, preprocessing=preprocessing)


def train(
    data: Data,
    model: str | ModelConfig,
    out: PathLike,
    *,
    recipe: Recipe | None = None,
    preprocessing: PreprocessingConfig | None = None,
    objective: Objective | None = None,
    loggers: Loggers | None = None,
    callbacks: Sequence[Callback] = (),
) -> fit.Result:
    """Train a model, fitted to the streams and classes of the data, into a new run folder.

    Args:
        data: data set or its folder.
        model: family, variant or import path, or a Config, whose `dims` and `num_classes` are
            taken from the data.
        out: run folder to make.
        recipe: how; None: as the family's authors do (`reeltag.training.recipes.recipe_for`).
        preprocessing: what happens to stored frames first; None: as the family's authors.
        objective: (batch, tagger) -> loss, logs; None: that of the recipe.
        loggers: "tensorboard", "wandb", "mlflow", or loggers of Lightning; None: TensorBoard where
            it is installed.
        callbacks: of Lightning, in addition to our own.

    Returns:
        The run folder, the steps done, and the best validation.

    Raises:
        OutputError: `out` exists or cannot be written.
        DataError: the data cannot be used.
        ConfigError: an option is out of range, or there is no such model.
        TrainingError: the loss is not finite.

    Example:
        >>> train(DATA, "logistic", TMP / "run", recipe=Recipe(max_steps=2, batch_size=8)).steps
        2
    """
    config = model_config(model) if isinstance(model, str) else model
    return fit.train(
        _dataset(data),
        Path(out),
        config,
        recipe or recipe_for(family_of(config)),
        preprocessing=preprocessing,
        objective=objective,
        loggers=loggers,
        callbacks=callbacks,
    )


def predict(
    model: AnyTagger | PathLike,
    data: Data,
    out: PathLike,
    *,
    split: Split = "test",
    choices: InferenceConfig | None = None,
    overwrite: bool = False,
) -> Predictions:
    """Score a split into a Parquet file and return it, opened.

    Args:
        model: tagger, run folder, exported graph or run on the hub, "hf://user/name".
        data: data set or its folder.
        out: file to make.
        split: which shards.
        choices: what is scored, and how; None: whole videos, 20 classes each.
        overwrite: replace `out` if it exists.

    Returns:
        Rows of id, start_s, classes and scores (logits), best first.

    Raises:
        ConfigError: tagger and data do not fit each other, or the split is empty.
        DataError: the data cannot be read, or a logit is not a number.
        OutputError: `out` exists or cannot be written.

    Example:
        >>> predict(RUN, DATA, TMP / "p.parquet").info.num_classes
        4
    """
    if isinstance(model, AnyTagger):
        tagger, run = model, None
    else:
        run = local_run(model)
        tagger = any_tagger(run)
    write_predictions(
        tagger,
        _dataset(data),
        Output(Path(out), overwrite=overwrite),
        choices or InferenceConfig(),
        split=split,
        run=run,
    )
    return open_predictions(Path(out))


def evaluate(
    predictions: PathLike,
    data: Data,
    *,
    quiet: bool = False,
    **config: Any,  # noqa: ANN401
) -> dict[str, Any]:
    """Return all scores that predictions and data allow: GAP@20, Hit@1, PERR, mAP, MAP@K.

    Args:
        predictions: file of `predict`.
        data: data set or its folder, with the truth.
        quiet: show no progress, and log nothing.
        **config: fields of `EvaluationConfig`: split, top_k, k, bootstrap, seed, ...

    Returns:
        Score by name, in [0, 1]; `<name>_interval` is the 95 % interval over videos.

    Raises:
        DataError: the two are about different classes or videos.
        ConfigError: a setting is out of range.

    Example:
        >>> 0 < evaluate(PREDICTIONS, DATA, split="test", bootstrap=0)["gap@20"] <= 1
        True
    """
    settings = EvaluationConfig(**config)
    return evaluation.evaluate(Path(predictions), _dataset(data), settings, quiet=quiet)


def compare(
    predictions: Sequence[PathLike] | PathLike,
    against: Sequence[PathLike] | PathLike,
    data: Data,
    *,
    quiet: bool = False,
    **config: Any,  # noqa: ANN401
) -> dict[str, comparison.Difference]:
    """Return the difference in each score, with a paired bootstrap interval over the videos.

    Args:
        predictions: file of `predict`, or one for each seed of one way of training.
        against: likewise of the other way.
        data: data set or its folder, with the truth.
        quiet: show no progress, and log nothing.
        **config: as `evaluate`.

    Returns:
        Difference by the name of the score; above 0, `predictions` is better.

    Raises:
        DataError: the files are about different videos, or share no score.
        ConfigError: a side has no file, or a setting is out of range.

    Example:
        >>> compare(PREDICTIONS, PREDICTIONS, DATA, split="test")["gap@20"].difference
        0.0
    """
    sides, settings = (to_paths(predictions), to_paths(against)), EvaluationConfig(**config)
    return comparison.compare(*sides, _dataset(data), settings, quiet=quiet)


def moments(
    model: AnyTagger | PathLike,
    data: Data,
    classes: Sequence[str | int] = (),
    *,
    split: Split = "all",
    config: IntervalConfig = DEFAULT_INTERVALS,
    prob: float | None = None,
    top: int | None = None,
    device: str = "auto",
) -> dict[str, list[VideoMoment]]:
    """Return the moments of classes in the videos of a split, best first: intervals of any length.

    Args:
        model: tagger, run folder, exported graph or run on the hub, "hf://user/name".
        data: data set or its folder, with frames.
        classes: name, MID or index of each; none: all.
        split: which shards.
        config: windows, smoothing, shortest moment and gap, in seconds; ranked=True needs no
            thresholds, and `prob` of a moment is then by how much it stands out.
        prob: threshold of all classes, in (0, 1); None: those of the run, or else 0.5.
        top: moments per class; None: all.
        device: where it is computed; "auto" takes a GPU where there is one.

    Returns:
        Moments [start_s, end_s) by class name; a class without any has an empty list.

    Raises:
        DataError: the data cannot be read, or a score is not a number.
        ConfigError: a class is not one of the tagger's, tagger and data do not fit each other, or
            the records hold no frames.

    Example:
        >>> (best,) = moments(RUN, DATA, ["Music"], prob=0.01, top=1)["Music"]
        >>> best.end_s > best.start_s and best.prob > 0.01
        True
    """
    tagger = model if isinstance(model, AnyTagger) else any_tagger(model)
    known = ClassList(tagger.class_names)
    wanted = [known.index_of(name) for name in classes] or range(tagger.num_classes)
    thresholds = thresholds_for(tagger, DEFAULT_PROB if config.ranked else prob)
    windows = score_windows(tagger, _dataset(data), config, split=split, device=device)
    best = find_intervals_in(windows, config, thresholds, classes=tuple(wanted), top=top)
    found: dict[str, list[VideoMoment]] = {tagger.class_names[c]: [] for c in wanted}
    for moment in video_moments(best.ranked(), thresholds):
        found[moment.name].append(moment)
    return found


def export(source: PathLike, out: PathLike, **config: Any) -> dict[str, Any]:  # noqa: ANN401
    """Write one ONNX graph of a run or a blend, stored frames and a mask in, best classes out.

    Args:
        source: run folder, run on the hub, or a folder of `reeltag blend --save`.
        out: file to make; it ends in .onnx.
        **config: fields of `ExportConfig`, such as precision="uint8", max_bytes="1GB".

    Returns:
        path, bytes, precision, max_difference (of a probability, against PyTorch), ...

    Raises:
        ConfigError: the graph would be larger than `max_bytes`, or an option is out of range.
        OutputError: `out` exists or cannot be written.

    Example:
        >>> export(RUN, TMP / "model.onnx")["precision"]
        'fp32'
    """
    from reeltag.deploy.export import export as write_graph  # it needs the extra

    return write_graph(load_source(source), Path(out), ExportConfig(**config))


def _dataset(data: Data) -> Dataset:
    return data if isinstance(data, Dataset) else Dataset.open(data, quiet=True)
