"""What a blend is, and the folder that it is kept in.

    blend.json       method, members in order, what it was fitted on and how well
    weights.npy      (M,) or (M, C), where there are any
    trees/           where the method is lightgbm

Letters in shapes: M models, C classes.
"""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from reeltag.core.errors import DataError, reason_of
from reeltag.core.fields import from_json
from reeltag.core.files import whole_folder, write_json
from reeltag.ensembling.members import Member
from reeltag.ensembling.trees import Trees
from reeltag.predictions.rows import Kind

Method: TypeAlias = Literal["mean", "weights", "class-weights", "geometric", "rank", "lightgbm"]
FITTED: tuple[Method, ...] = ("weights", "class-weights", "lightgbm")
_HINT = "A blend is what `reeltag blend P1 P2 ... --method ... --save BLEND` makes."


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """What a blend was fitted on, and how well it fits there.

    Attributes:
        data: folder.
        split: part of it.
        kind: whole videos, or segments with ratings.
        solver: of the weights.
        rows: videos or segments.
        pairs: of a row and a class that at least one model lists.
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
class Blend:
    """How the predictions of M models become one.

    Attributes:
        method: see `reeltag.ensembling.blend`.
        members: M, in the order of the files.
        num_classes: C.
        candidates: of each model so many best classes of a row count; 0 = all that it lists.
        weights: (M,), or (M, C), where the method has them.
        trees: where the method has them.
        fitted: None where the method needs no fit.
    """

    method: Method
    members: tuple[Member, ...]
    num_classes: int
    candidates: int = 0
    weights: NDArray[np.float64] | None = None
    trees: Trees | None = None
    fitted: Fitted | None = None

    def save(self, folder: Path) -> None:
        """Write the folder that `load` reads.

        Raises:
            OutputError: `folder` exists, or the disk is full.
        """
        with whole_folder(folder) as part:
            if self.weights is not None:
                np.save(part / "weights.npy", self.weights)
            if self.trees is not None:
                (part / "trees").mkdir()
                self.trees.save(part / "trees")
            write_json(part / "blend.json", dataclasses.asdict(self._told()))

    def _told(self) -> "_Told":
        return _Told(
            method=self.method,
            members=self.members,
            num_classes=self.num_classes,
            candidates=self.candidates,
            fitted=self.fitted,
        )

    @classmethod
    def load(cls, folder: Path) -> "Blend":
        """Return what `save` wrote.

        Raises:
            DataError: something is missing or damaged.
        """
        path = folder / "blend.json"
        try:
            value = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            what = f"is no blend: blend.json cannot be read ({reason_of(error)})"
            raise DataError(what, where=folder, hint=_HINT) from error
        told: _Told = from_json(_Told, value, where=path, field="blend")
        has_weights = told.method in ("weights", "class-weights")
        return cls(
            **{field.name: getattr(told, field.name) for field in dataclasses.fields(told)},
            weights=_read_weights(folder / "weights.npy", told) if has_weights else None,
            trees=Trees.load(folder / "trees") if told.method == "lightgbm" else None,
        )


@dataclass(frozen=True, kw_only=True)
class _Told:
    """What blend.json says; the attributes are those of `Blend`."""

    method: Method
    members: tuple[Member, ...]
    num_classes: int
    candidates: int = 0
    fitted: Fitted | None = None


def _read_weights(path: Path, told: _Told) -> NDArray[np.float64]:
    """Return the weights of a blend, finite and of the right shape."""
    shape = (len(told.members),) + (told.num_classes,) * (told.method == "class-weights")
    try:
        weights = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"cannot be read ({reason_of(error)})", where=path, hint=_HINT) from error
    if weights.shape != shape or not np.isfinite(weights).all():
        what = f"must hold finite numbers of the shape {shape}, has the shape {weights.shape}"
        raise DataError(what, where=path, hint=_HINT)
    return np.asarray(weights, np.float64)
