"""A blend, and the folder that it is kept in.

    blend.json       method, members in order, the data it was fitted on and its error there
    weights.npy      (M,) or (M, C), where there are any
    trees/           where the method is lightgbm

Letters in shapes: M models, C classes.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from reeltag.core.arrays import NOT_ARRAYS
from reeltag.core.errors import DataError, reason_of
from reeltag.core.fields import from_json, parse_json
from reeltag.core.files import PathLike, whole_folder, write_json
from reeltag.ensembling.members import EnsembleMember
from reeltag.ensembling.trees import Trees
from reeltag.predictions.rows import Kind

Method: TypeAlias = Literal["mean", "weights", "class-weights", "geometric", "rank", "lightgbm"]
FITTED: tuple[Method, ...] = ("weights", "class-weights", "lightgbm")
_HINT = "A blend is what `reeltag blend P1 P2 ... --method ... --save BLEND` makes."


@dataclass(frozen=True, kw_only=True)
class BlendFit:
    """The data that a blend was fitted on, and its error there.

    Attributes:
        data: folder.
        split: part of it.
        kind: whole videos, or segments with ratings.
        solver: of the weights.
        rows: videos or segments.
        pairs: entries, of a row and a class that at least one model lists.
        error: mean of (p - y)^2 over the pairs.
        error_of_mean: likewise, of equal weights.
    """

    data: str
    split: str
    kind: Kind
    solver: str
    rows: int
    pairs: int
    error: float | None = None
    error_of_mean: float | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class BlendModel:
    """A way to make the predictions of M models one, with its weights or trees.

    Attributes:
        method: see `reeltag.ensembling.blending`.
        members: M, in the order of the files.
        num_classes: C.
        candidates: number of best classes of a row that count, per model; 0 = all that it lists.
        weights: (M,), or (M, C), where the method has them.
        trees: where the method has them.
        fitted: None where the method needs no fit.
    """

    method: Method
    members: tuple[EnsembleMember, ...]
    num_classes: int
    candidates: int = 0
    weights: NDArray[np.float64] | None = None
    trees: Trees | None = None
    fitted: BlendFit | None = None

    def save(self, folder: PathLike) -> None:
        """Write the folder that `load` reads.

        Args:
            folder: to be created.

        Raises:
            OutputError: `folder` exists, or the disk is full.
        """
        folder = Path(folder)
        with whole_folder(folder) as part:
            if self.weights is not None:
                np.save(part / "weights.npy", self.weights)
            if self.trees is not None:
                (part / "trees").mkdir()
                self.trees.save(part / "trees")
            write_json(part / "blend.json", dataclasses.asdict(self._header()))

    def _header(self) -> "_Header":
        return _Header(
            method=self.method,
            members=self.members,
            num_classes=self.num_classes,
            candidates=self.candidates,
            fitted=self.fitted,
        )

    @classmethod
    def load(cls, folder: PathLike) -> "BlendModel":
        """Return what `save` wrote.

        Args:
            folder: that it wrote.

        Raises:
            DataError: something is missing or damaged.
        """
        folder = Path(folder)
        path = folder / "blend.json"
        try:
            value = parse_json(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            what = f"is no blend: blend.json cannot be read ({reason_of(error)})"
            raise DataError(what, where=folder, hint=_HINT) from error
        header: _Header = from_json(_Header, value, where=path, field="blend")
        has_weights = header.method in ("weights", "class-weights")
        return cls(
            **{field.name: getattr(header, field.name) for field in dataclasses.fields(header)},
            weights=_read_weights(folder / "weights.npy", header) if has_weights else None,
            trees=Trees.load(folder / "trees") if header.method == "lightgbm" else None,
        )


@dataclass(frozen=True, kw_only=True)
class _Header:
    """The content of blend.json; the attributes are those of `BlendModel`."""

    method: Method
    members: tuple[EnsembleMember, ...]
    num_classes: int
    candidates: int = 0
    fitted: BlendFit | None = None


def _read_weights(path: Path, header: _Header) -> NDArray[np.float64]:
    """Return the weights of a blend, finite and of the right shape."""
    shape = (len(header.members),) + (header.num_classes,) * (header.method == "class-weights")
    try:
        weights = np.load(path, allow_pickle=False)
    except NOT_ARRAYS as error:
        raise DataError(f"cannot be read ({reason_of(error)})", where=path, hint=_HINT) from error
    is_numeric = getattr(weights, "dtype", np.dtype(object)).kind in "fiu"
    if not is_numeric or weights.shape != shape or not np.isfinite(weights).all():
        found = getattr(weights, "shape", None)
        what = f"must hold finite numbers of the shape {shape}, has the shape {found}"
        raise DataError(what, where=path, hint=_HINT)
    return np.asarray(weights, np.float64)
