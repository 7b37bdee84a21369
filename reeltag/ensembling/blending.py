"""Blends: the predictions of several models combined, fitted on one split, applied to others.

    mean             of the probabilities; a class that a model does not list has the probability 0
    weights          a weighted sum of them, one weight per model
    class-weights    likewise, a weight per model and class
    geometric        mean of the logits; see `combining.mean_logits`
    rank             mean of the ranks that a score has among all scores of its model in the file
    lightgbm         boosted trees on (video, class) rows; see `stacking`

Letters in shapes: M models, C classes, P entries (a class of a row).
"""

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from reeltag.core.console import say, track
from reeltag.core.errors import ConfigError, DataError
from reeltag.core.files import PathLike, scratch_folder, to_paths
from reeltag.data.class_list import ClassList
from reeltag.data.dataset import Dataset
from reeltag.data.splits import Split
from reeltag.ensembling.alignment import AlignedRows, align_predictions
from reeltag.ensembling.blend_model import FITTED, BlendFit, BlendModel, Method
from reeltag.ensembling.combining import Ranks, best_first, mean_logits, weighted
from reeltag.ensembling.fitting import (
    Gram,
    PairFile,
    SgdConfig,
    StepGrams,
    least_squares_weights,
    sgd_weights,
)
from reeltag.ensembling.leaks import check_leak
from reeltag.ensembling.members import EnsembleMember, open_members
from reeltag.ensembling.stacking import predict_trees, train_trees
from reeltag.ensembling.tree_building import TreeTargets
from reeltag.ensembling.tree_config import TreeConfig
from reeltag.ensembling.trees import Trees
from reeltag.evaluation.truth import Truth, read_truth
from reeltag.predictions.file import (
    PredictionInfo,
    Predictions,
    prediction_writer,
)
from reeltag.predictions.rows import KINDS, Kind
from reeltag.predictions.submissions import open_scores

Solver: TypeAlias = Literal["nnls", "sgd"]


@dataclass(frozen=True, kw_only=True)
class BlendConfig:
    """How predictions are blended, and how what is fitted is fitted."""

    method: Method = "mean"
    """See the docstring of this module; mean, geometric and rank need no fit."""
    solver: Solver = "nnls"
    """Of weights: least squares with weights >= 0, exactly; or "sgd", as Axon."""
    candidates: int = 0
    """Number of best classes of a row that count, per model; 0 = all that it lists (lightgbm: as
    `trees` says)."""
    sgd: SgdConfig = field(default_factory=SgdConfig)
    """Steps of "sgd"."""
    trees: TreeConfig = field(default_factory=TreeConfig)
    """How the trees of lightgbm grow."""
    seed: int = 0
    """Random seed of "sgd"."""


@dataclass(frozen=True, eq=False)
class FittedWeights:
    """Weights (M,) or, by class, (M, C), the sums they come from, and the number of rows."""

    weights: NDArray[np.float64]
    gram: Gram
    rows: int


def unfitted_blend(files: Sequence[PathLike], method: Method, candidates: int = 0) -> BlendModel:
    """Return a blend of a method that needs no fit.

    Args:
        files: of predictions, one per model.
        method: mean, geometric or rank.
        candidates: of a model's best classes of a row that count; 0: all.

    Raises:
        ConfigError: there is no file, or one is given twice.
        DataError: a file is none of predictions, or has other classes than the first.
    """
    files = to_paths(files)
    if method in FITTED:
        raise ValueError(f"{method} needs a fit")
    members = open_members(files)
    check_ranks(members, method)
    return BlendModel(
        method=method,
        members=tuple(map(EnsembleMember.of, members)),
        num_classes=members[0].info.num_classes,
        candidates=candidates,
    )


def fit_blend(
    files: Sequence[PathLike],
    data: Dataset | None,
    config: BlendConfig,
    *,
    split: Split = "validate",
    allow_leak: bool = False,
    quiet: bool = True,
) -> BlendModel:
    """Return the blend that fits the labels of a split best.

    It is fitted on whole videos where the files hold some, else on rated segments.

    Args:
        files: of `reeltag predict`, one per model, all with the same videos of that split.
        data: with the truth; None for a method that needs no fit.
        config: the method and its options.
        split: the part of the data that was predicted.
        allow_leak: fit even on videos that a model was trained on.
        quiet: show no progress and log nothing.

    Raises:
        ConfigError: the split is empty, or a model was trained on videos of the files.
        DataError: the files do not fit each other (see `align_predictions`), or the data.
    """
    files = to_paths(files)
    method = config.method
    if method not in FITTED:
        return unfitted_blend(files, method, config.candidates)
    if data is None:
        raise ConfigError(
            f"{method} is fitted on data, and none is given", hint="Give --fit-on DATA."
        )
    members = _members_for(files, data)
    check_ranks(members, method)
    kind: Kind = "videos" if members[0].holds("videos") else "segments"
    if not allow_leak:
        check_leak(members, kind, data)
    truth = read_truth(data, split, members[0].info.num_classes, quiet=quiet)
    candidates, trees, weights, errors = config.candidates, None, None, dict[str, float]()
    if method == "lightgbm":
        candidates = candidates or config.trees.candidates
        tree_config = dataclasses.replace(config.trees, candidates=candidates)
        trees = _grow_trees(files, kind, truth, tree_config, quiet)
        solver, rows, pairs = "lightgbm", trees.info.videos, trees.info.rows
    else:
        found = fit_weights(files, truth, config, kind=kind, quiet=quiet)
        solver, rows, pairs, weights = config.solver, found.rows, found.gram.pairs, found.weights
        equal = np.full(len(files), 1 / len(files))
        errors = {"error": found.gram.error(weights), "error_of_mean": found.gram.error(equal)}
    path = data.whole_location
    fitted = BlendFit(
        data=path, split=split, kind=kind, solver=solver, rows=rows, pairs=pairs, **errors
    )
    plain = unfitted_blend(files, "mean", candidates)
    plain = dataclasses.replace(plain, num_classes=truth.num_classes)
    return dataclasses.replace(plain, method=method, weights=weights, trees=trees, fitted=fitted)


def _members_for(files: Sequence[Path], data: Dataset) -> list[Predictions]:
    """Return the members; those that do not say their classes have those of the data."""
    members = open_members(files, None if data.classes.inferred else data.num_classes)
    about = members[0].info
    more = max(about.num_classes, data.num_classes)
    return open_members(files, more) if about.inferred else members


def fit_weights(
    files: Sequence[PathLike],
    truth: Truth,
    config: BlendConfig,
    *,
    kind: Kind = "videos",
    quiet: bool = True,
) -> FittedWeights:
    """Return the weights of models, one each or, for "class-weights", one per class too.

    Arguments and errors are those of `fit_blend`; leaks are not checked.
    """
    files = to_paths(files)
    by_class, batch = config.method == "class-weights", config.sgd.batch_size
    gram = Gram(len(files), truth.num_classes if by_class else 1)
    with ExitStack() as stack:
        steps: StepGrams | PairFile | None = None
        if config.solver == "sgd":
            steps = PairFile(batch) if by_class else StepGrams(batch)
            stack.enter_context(closing(steps))
        blocks = align_predictions(files, kind, config.candidates)
        rows = _add_pairs(blocks if quiet else track(blocks, f"reading {kind}"), truth, gram, steps)
        if not gram.positives.any():
            labels = "labels" if kind == "videos" else "positive ratings"
            raise DataError(
                f"holds no {labels} of the {kind} and classes that {files[0]} lists",
                where=truth.data,
                hint="Weights are learned from labels: give --fit-on data that have some.",
            )
        if steps is None:
            return FittedWeights(least_squares_weights(gram), gram, rows)
        return FittedWeights(
            sgd_weights(steps, config.sgd, *gram.hits.shape, config.seed), gram, rows
        )


def _add_pairs(
    blocks: Iterator[AlignedRows], truth: Truth, gram: Gram, steps: StepGrams | PairFile | None
) -> int:
    """Add all entries with a known label to `gram` and `steps`; return the number of rows."""
    targets, rows = TreeTargets(truth), 0
    for block in blocks:
        known, positive = targets.of(block, targets.videos_of(block.ids))
        owner = block.row_of_entry()[known]
        part = block.probs[known], block.classes[known], positive[known]
        gram.add(*part)
        if steps is not None:
            steps.add(*part, owner)
        rows += len(block) if block.kind == "videos" else len(np.unique(owner))
    return rows


def _grow_trees(
    files: Sequence[Path], kind: Kind, truth: Truth, config: TreeConfig, quiet: bool
) -> Trees:
    """Return trees grown in a temporary folder."""
    names = [f"{at}: {open_scores(path).info.family}" for at, path in enumerate(files, 1)]
    with scratch_folder() as folder:
        return train_trees(
            lambda: align_predictions(files, kind, config.candidates),
            truth,
            folder / "trees",
            config,
            models=names,
            quiet=quiet,
        )


def blend(
    files: Sequence[PathLike],
    model: BlendModel,
    out: PathLike,
    *,
    top_k: int = 0,
    quiet: bool = True,
) -> dict[Kind, int]:
    """Write the blend of prediction files as another one; return its rows by kind.

    Memory grows by 16 to 40 bytes per video.

    Args:
        files: one per member of the blend, in their order.
        model: the blend.
        out: the file to make; written over if it exists.
        top_k: classes kept of a row; 0 = all that any model lists (with trees, all candidates).
        quiet: show no progress and log nothing.

    Raises:
        ConfigError: there is no file, or one is given twice.
        DataError: the files do not fit the blend or each other; see `align_predictions`.
        OutputError: `out` cannot be written.
    """
    files = to_paths(files)
    out = Path(out)
    members = open_members(files, model.num_classes if model.fitted else None)
    check_ranks(members, model.method)
    check_members(members, model, quiet=quiet)
    kinds = [kind for kind in KINDS if any(member.holds(kind) for member in members)]
    if not kinds:
        raise DataError("holds no rows", where=files[0])
    info = _blended_info(members, model, top_k)
    if model.trees is not None:
        blocks = (
            block for kind in kinds for block in align_predictions(files, kind, model.candidates)
        )
        return predict_trees(blocks, model.trees, out, info, quiet=quiet)
    written: dict[Kind, int] = {}
    with prediction_writer(out, info) as writer:
        for kind in kinds:
            logits_of = _Scores(model, members, kind)
            found: Iterator[AlignedRows] = align_predictions(files, kind, model.candidates)
            for block in found if quiet else track(found, f"blending {kind}"):
                writer.write(best_first(block, logits_of(block), top_k))
                written[kind] = written.get(kind, 0) + len(block)
    return written


class _Scores:
    """Maps rows to (P,) logits by a blend without trees."""

    def __init__(self, model: BlendModel, members: Sequence[Predictions], kind: Kind) -> None:
        self._method = model.method
        self._ranks = Ranks(members, kind) if model.method == "rank" else None
        equal = np.full(len(members), 1 / len(members))
        self._weights = equal if model.weights is None else model.weights

    def __call__(self, block: AlignedRows) -> NDArray[np.float32]:
        if self._ranks is not None:
            return self._ranks.mean(block)
        if self._method == "geometric":
            return mean_logits(block)
        return weighted(block.logits, self._weights, block.classes)


def check_ranks(files: Sequence[Predictions], method: Method) -> None:
    """Raise ConfigError where a method takes probabilities from a file that has ranks alone.

    Args:
        files: of predictions.
        method: by which they are to be blended.
    """
    ranked = next((file.path for file in files if file.info.ranks), None)
    if ranked is not None and method != "rank":
        raise ConfigError(
            f"has ranks, as a submission of 2019 does, and {method} needs probabilities",
            where=ranked,
            hint="Blend it with --method rank.",
        )


def check_members(files: Sequence[Predictions], model: BlendModel, *, quiet: bool = True) -> None:
    """Raise DataError where files are not, in this order, of the members of a blend.

    A run of the same family that has another path than when the blend was made is logged and
    accepted, unless another member has that path.
    """
    order = "\n".join(f"    {at}. {member}" for at, member in enumerate(model.members, 1))
    hint = f"The blend is of these, in this order:\n{order}"
    if len(files) != len(model.members):
        raise DataError(f"{len(files)} files for a blend of {len(model.members)} models", hint=hint)
    about, path = files[0].info, files[0].path
    own = ClassList.numbered(about.num_classes, inferred=about.inferred)
    own.check_same(ClassList.numbered(model.num_classes), where=path, other_where="the blend")
    runs = {member.run for member in model.members if member.run}
    for at, (file, member) in enumerate(zip(files, model.members, strict=True), 1):
        its = EnsembleMember.of(file)
        if its.family != member.family or (its.run != member.run and its.run in runs):
            what = f"is file {at}, and of {its}; member {at} of the blend is {member}"
            raise DataError(what, where=file.path, hint=hint)
        learned = model.weights is not None and its.listed and member.listed
        if learned and its.listed != member.listed and not quiet:
            say(
                f"{file.path} lists {its.listed} classes of a row, and the weights were learned on "
                f"{member.listed}: what is not listed counts as p = 0"
            )
        if its.run != member.run and not quiet:
            say(f"{file.path} is of {its.run or '?'}, used for member {at}, {member.run or '?'}")


def _blended_info(members: Sequence[Predictions], model: BlendModel, top_k: int) -> PredictionInfo:
    first = members[0].info
    families = ", ".join(dict.fromkeys(member.info.family for member in members))

    def union(listed: Sequence[int]) -> int:
        """Return the most classes of a row of the union; 0 = not known."""
        most = min(sum(listed), first.num_classes) if all(listed) else 0
        return min(top_k, most or top_k) if top_k else most

    return dataclasses.replace(
        first,
        top_k=union([member.info.top_k for member in members]),
        segment_top_k=union([member.info.segment_top_k for member in members]),
        per_class=0,
        family=f"{model.method} of {families}",
        run="",
        ranks=any(member.info.ranks for member in members),
    )
