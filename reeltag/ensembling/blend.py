"""Blends: how the predictions of several models become one, learned on one split, used on others.

    mean             of the probabilities; a class that a model does not list has the probability 0
    weights          a weighted sum of them, one weight a model
    class-weights    likewise, a weight for each model and class
    geometric        mean of the logits; see `combining.mean_logits`
    rank             mean of the ranks that a score has among all scores of its model in the file
    lightgbm         boosted trees on (video, class) rows; see `stacking`

Letters in shapes: M models, C classes, P pairs of a row and a class.
"""

import dataclasses
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from reeltag.core.console import say, track
from reeltag.core.errors import ConfigError, DataError
from reeltag.data.class_list import ClassList
from reeltag.data.dataset import Dataset
from reeltag.data.splits import Split
from reeltag.ensembling.alignment import AlignedRows, align_predictions
from reeltag.ensembling.blend_folder import FITTED, Blend, Fitted, Method
from reeltag.ensembling.combining import Ranks, best_first, mean_logits, weighted
from reeltag.ensembling.fitting import Gram, Kept, SgdConfig, Sums, descended, solved
from reeltag.ensembling.leaks import refuse_leak
from reeltag.ensembling.members import Member, open_members
from reeltag.ensembling.stacking import predict_trees, train_trees
from reeltag.ensembling.tree_building import Targets
from reeltag.ensembling.tree_config import PUBLISHED, TreeConfig
from reeltag.ensembling.trees import Trees
from reeltag.evaluation.truth import Truth, read_truth
from reeltag.predictions.file import (
    PredictionInfo,
    Predictions,
    open_predictions,
    prediction_writer,
)
from reeltag.predictions.rows import KINDS, Kind

__all__ = ["FITTED", "Blend", "Method", "SgdConfig", "Solver", "blend", "fit", "mean", "plain"]

Solver: TypeAlias = Literal["nnls", "sgd"]
_SGD = SgdConfig()


def plain(files: Sequence[Path], method: Method, candidates: int = 0) -> Blend:
    """Return a blend of a method that needs no fit: mean, geometric or rank.

    Raises:
        ConfigError: there is no file, or one stands twice.
        DataError: a file is none of predictions, or about other classes than the first.
    """
    if method in FITTED:
        raise ValueError(f"{method} needs a fit")
    members = open_members(files)
    return Blend(
        method=method,
        members=tuple(map(Member.of, members)),
        num_classes=members[0].info.num_classes,
        candidates=candidates,
    )


def fit(
    files: Sequence[Path],
    data: Dataset | None,
    method: Method,
    *,
    solver: Solver = "nnls",
    split: Split = "validate",
    candidates: int = 0,
    sgd: SgdConfig = _SGD,
    trees: TreeConfig = PUBLISHED,
    seed: int = 0,
    allow_leak: bool = False,
    quiet: bool = True,
) -> Blend:
    """Return the blend that fits best what is true of a split.

    Whole videos are fitted on where the files hold some, else rated segments.

    Args:
        files: of `reeltag predict`, one a model, all about the same videos of that split.
        data: with the truth; None for a method that needs no fit.
        method: mean, geometric and rank need no fit.
        solver: of weights: "nnls", least squares with weights >= 0, exactly; or "sgd", as Axon.
        split: the part of the data that the files are about.
        candidates: of each model only so many best classes of a row count; 0 = all that it lists
            (trees: what `trees` says).
        sgd: steps of "sgd".
        trees: how trees are grown, where the method is lightgbm.
        seed: of "sgd".
        allow_leak: fit even on videos that a model was trained on.
        quiet: no progress, no words.

    Raises:
        ConfigError: the split is empty, or a model was trained on videos of the files.
        DataError: the files do not fit each other (see `joining.joined`), or the data.
    """
    if method not in FITTED:
        return plain(files, method, candidates)
    if data is None:
        raise ConfigError(
            f"{method} is fitted on data, and none is given", hint="Give --fit-on DATA."
        )
    members = open_members(files)
    kind: Kind = "videos" if members[0].holds("videos") else "segments"
    if not allow_leak:
        refuse_leak(members, kind, data)
    truth = read_truth(data, split, members[0].info.num_classes, quiet=quiet)
    if method == "lightgbm":
        candidates = candidates or trees.candidates
        grown = _grown(files, kind, truth, dataclasses.replace(trees, candidates=candidates), quiet)
        return dataclasses.replace(
            plain(files, "mean", candidates),
            method=method,
            trees=grown,
            fitted=_fitted(data, split, kind, "lightgbm", grown.info.videos, grown.info.rows),
        )
    weights, gram, rows = learned(
        files,
        truth,
        kind=kind,
        by_class=method == "class-weights",
        solver=solver,
        candidates=candidates,
        sgd=sgd,
        seed=seed,
        quiet=quiet,
    )
    told = dataclasses.replace(
        _fitted(data, split, kind, solver, rows, gram.pairs),
        error=gram.error(weights),
        error_of_mean=gram.error(np.full(len(files), 1 / len(files))),
    )
    return dataclasses.replace(
        plain(files, "mean", candidates), method=method, weights=weights, fitted=told
    )


def learned(
    files: Sequence[Path],
    truth: Truth,
    *,
    kind: Kind = "videos",
    by_class: bool = False,
    solver: Solver = "nnls",
    candidates: int = 0,
    sgd: SgdConfig = _SGD,
    seed: int = 0,
    quiet: bool = True,
) -> tuple[NDArray[np.float64], Gram, int]:
    """Return weights (M,) or, by class, (M, C), the sums they come from, and the number of rows.

    Arguments and errors as `fit`, but that the truth is given, and nothing is asked about leaks.
    """
    gram = Gram(len(files), truth.num_classes if by_class else 1)
    with ExitStack() as stack:
        steps: Sums | Kept | None = None
        if solver == "sgd":
            steps = Kept(sgd.batch_size) if by_class else Sums(sgd.batch_size)
            stack.enter_context(closing(steps))
        rows = _read(files, kind, truth, candidates, gram, steps, quiet)
        weights = solved(gram) if steps is None else descended(steps, sgd, *gram.hits.shape, seed)
    return weights, gram, rows


def _fitted(data: Dataset, split: Split, kind: Kind, solver: str, rows: int, pairs: int) -> Fitted:
    path = str(data.path.resolve())
    return Fitted(data=path, split=split, kind=kind, solver=solver, rows=rows, pairs=pairs)


def _read(
    files: Sequence[Path],
    kind: Kind,
    truth: Truth,
    candidates: int,
    gram: Gram,
    steps: Sums | Kept | None,
    quiet: bool,
) -> int:
    """Add all pairs to `gram` and `steps`, and return how many rows there are."""
    targets = Targets(truth)
    rows, positives = 0, 0
    found: Iterator[AlignedRows] = align_predictions(files, kind, candidates)
    for block in found if quiet else track(found, f"reading {kind}"):
        wanted, positive = targets.of(block, targets.videos_of(block.ids))
        owner = block.row_of_entry()[wanted]
        part = block.probs[wanted], block.classes[wanted], positive[wanted]
        gram.add(*part)
        if steps is not None:
            steps.add(*part, owner)
        rows += len(block) if kind == "videos" else len(np.unique(owner))
        positives += int(positive[wanted].sum())
    if not positives:
        labels = "labels" if kind == "videos" else "positive ratings"
        raise DataError(
            f"holds no {labels} of the {kind} and classes that {files[0]} lists",
            where=truth.data,
            hint="Weights are learned from labels: give --fit-on data that have some.",
        )
    return rows


def _grown(
    files: Sequence[Path], kind: Kind, truth: Truth, config: TreeConfig, quiet: bool
) -> Trees:
    """Return trees that were grown in a temporary folder."""
    names = [f"{at}: {open_predictions(path).info.family}" for at, path in enumerate(files, 1)]
    with tempfile.TemporaryDirectory(prefix="reeltag-") as folder:
        return train_trees(
            lambda: align_predictions(files, kind, config.candidates),
            truth,
            Path(folder) / "trees",
            config,
            models=names,
            quiet=quiet,
        )


def blend(
    files: Sequence[Path], how: Blend, out: Path, *, top_k: int = 0, quiet: bool = True
) -> dict[Kind, int]:
    """Write the blend of prediction files as another one; return its rows by kind.

    Memory does not grow with the number of videos, but for 16 to 40 bytes of each.

    Args:
        files: one of each member of the blend, in their order.
        how: they are blended.
        out: the file to make; written over if it exists.
        top_k: classes kept of a row; 0 = all that any model lists (with trees, all candidates).
        quiet: no progress, no words.

    Raises:
        ConfigError: there is no file, or one stands twice.
        DataError: the files do not fit the blend or each other; see `joining.joined`.
        OutputError: `out` cannot be written.
    """
    members = open_members(files)
    refuse_others(members, how, quiet=quiet)
    kinds = [kind for kind in KINDS if any(member.holds(kind) for member in members)]
    if not kinds:
        raise DataError("holds no rows: an empty join", where=files[0])
    about = _about(members, how, top_k)
    if how.trees is not None:
        blocks = (
            block for kind in kinds for block in align_predictions(files, kind, how.candidates)
        )
        return predict_trees(blocks, how.trees, out, about, quiet=quiet)
    written: dict[Kind, int] = {}
    with prediction_writer(out, about) as writer:
        for kind in kinds:
            logits_of = _Scores(how, members, kind)
            found: Iterator[AlignedRows] = align_predictions(files, kind, how.candidates)
            for block in found if quiet else track(found, f"blending {kind}"):
                writer.write(best_first(block, logits_of(block), top_k))
                written[kind] = written.get(kind, 0) + len(block)
    return written


def mean(files: Sequence[Path], out: Path) -> dict[Kind, int]:
    """Write the mean of the probabilities of prediction files; see `blend`."""
    return blend(files, plain(files, "mean"), out)


class _Scores:
    """Maps a block to (P,) logits by a blend without trees."""

    def __init__(self, how: Blend, members: Sequence[Predictions], kind: Kind) -> None:
        self._method = how.method
        self._ranks = Ranks(members, kind) if how.method == "rank" else None
        equal = np.full(len(members), 1 / len(members))
        self._weights = equal if how.weights is None else how.weights

    def __call__(self, block: AlignedRows) -> NDArray[np.float32]:
        if self._ranks is not None:
            return self._ranks.mean(block)
        if self._method == "geometric":
            return mean_logits(block)
        return weighted(block.logits, self._weights, block.classes)


def refuse_others(files: Sequence[Predictions], how: Blend, *, quiet: bool = True) -> None:
    """Raise DataError where files are not, in this order, of the members of a blend.

    A run that has another path than when the blend was made, but the same family, passes, with a
    word, unless another member has that path.
    """
    order = "\n".join(
        f"    {at}. {member.family or '?'} {member.run}" for at, member in enumerate(how.members, 1)
    )
    hint = f"The blend is of these, in this order:\n{order}"
    if len(files) != len(how.members):
        raise DataError(f"{len(files)} files for a blend of {len(how.members)} models", hint=hint)
    own, path = ClassList.numbered(files[0].info.num_classes), files[0].path
    own.check_same(ClassList.numbered(how.num_classes), where=path, other_where="the blend")
    runs = {member.run for member in how.members if member.run}
    for at, (file, member) in enumerate(zip(files, how.members, strict=True), 1):
        its = Member.of(file)
        if its.family != member.family or (its.run != member.run and its.run in runs):
            raise DataError(
                f"is file {at}, and of {its.family or '?'} {its.run}; member {at} of the blend is "
                f"{member.family or '?'} {member.run}",
                where=file.path,
                hint=hint,
            )
        if its.run != member.run and not quiet:
            say(f"{file.path} is of {its.run or '?'}, taken for member {at}, {member.run or '?'}")


def _about(members: Sequence[Predictions], how: Blend, top_k: int) -> PredictionInfo:
    first = members[0].info
    families = ", ".join(dict.fromkeys(member.info.family for member in members))
    return dataclasses.replace(
        first,
        top_k=_at_most([member.info.top_k for member in members], first.num_classes, top_k),
        segment_top_k=_at_most(
            [member.info.segment_top_k for member in members], first.num_classes, top_k
        ),
        per_class=0,
        family=f"{how.method} of {families}",
        run="",
    )


def _at_most(listed: Sequence[int], num_classes: int, top_k: int) -> int:
    """Return how many classes a row of the union holds at most; 0 = not known."""
    union = min(sum(listed), num_classes) if all(listed) else 0
    return min(top_k, union or top_k) if top_k else union
