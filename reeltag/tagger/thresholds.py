"""Thresholds of classes: `thresholds.json` of a run, and the evidence that each was chosen by."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, ClassVar, Self

import numpy as np
from annotated_types import Ge, Gt, Le, Lt
from numpy.typing import NDArray

from reeltag.core.bounds import CheckedFields, NotNegative
from reeltag.core.errors import DataError, reason_of
from reeltag.core.fields import from_json, parse_json
from reeltag.core.files import PathLike, write_json
from reeltag.data.class_list import ClassList

THRESHOLDS_FILE = "thresholds.json"
_HINT = "Choose thresholds again: `reeltag moments RUN --precision 0.9`; or delete the file."

Between = Annotated[float, Gt(0), Lt(1)]


@dataclass(frozen=True, kw_only=True)
class ClassThreshold(CheckedFields):
    """The threshold of a class; scores that are at least as high count as detections."""

    name: str
    """Of the class."""
    logit: float | None = None
    """None = no threshold is good enough: the class is not detected."""
    prob: float | None = None
    """The same as a probability."""
    precision: float | None = None
    """Fraction of positives among the ratings whose score reaches it; None = not rated."""
    interval: tuple[float, float] | None = None
    """95 % interval of the precision."""
    recall: float | None = None
    """Fraction of the positive ratings whose score reaches it."""
    num_above: NotNegative = 0
    """Ratings whose score reaches it."""
    num_rated: NotNegative = 0
    """Ratings in all."""
    num_positive: NotNegative = 0
    """Positive ratings in all."""
    reason: str = ""
    """Why there is no threshold."""


@dataclass(frozen=True, kw_only=True)
class Thresholds(CheckedFields):
    """The thresholds of all classes, in their order, and what they promise."""

    VERSION: ClassVar[int] = 1

    precision: Between | None = None
    """Promised for each class that has a threshold; None = nothing is."""
    confidence: Between | None = None
    """Of the bound that keeps the promise; None = nothing is promised."""
    correlation: Annotated[float, Ge(0), Le(1)] | None = None
    """Between ratings of a class in one video, beyond what their scores tell; None = not known."""
    classes: tuple[ClassThreshold, ...] = ()
    """In the order of the classes."""
    version: int = VERSION
    """Of the format of the file."""

    @classmethod
    def at_prob(cls, names: Sequence[str], prob: float) -> Self:
        """Return one threshold for all classes, a probability in (0, 1), that promises nothing."""
        logit = math.log(prob) - math.log1p(-prob)
        return cls(classes=tuple(ClassThreshold(name=n, logit=logit, prob=prob) for n in names))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the classes."""
        return tuple(each.name for each in self.classes)

    @property
    def high_logits(self) -> NDArray[np.float64]:
        """(C,) thresholds that a moment must reach; inf = the class has none."""
        logits = [math.inf if each.logit is None else each.logit for each in self.classes]
        return np.array(logits, np.float64)

    @property
    def unreached(self) -> dict[str, str]:
        """The classes without a threshold, and why they have none."""
        return {each.name: each.reason for each in self.classes if each.logit is None}

    def save(self, folder: PathLike) -> None:
        """Write thresholds.json into a folder, whole or not at all; OutputError if it cannot be."""
        folder = Path(folder)
        write_json(folder / THRESHOLDS_FILE, dataclasses.asdict(self))

    def renamed(self, names: Sequence[str]) -> Self:
        """Return the same thresholds under other names of the classes, as many."""
        pairs = zip(self.classes, names, strict=True)
        return replace(self, classes=tuple(replace(each, name=name) for each, name in pairs))

    @classmethod
    def find(cls, folder: PathLike, names: Sequence[str]) -> Self | None:
        """Return the thresholds in a run folder; None where there are none.

        Args:
            folder: the run folder.
            names: of its classes.

        Raises:
            DataError: as `open`, or they are of other classes.
        """
        folder = Path(folder)
        path = folder / THRESHOLDS_FILE
        if not path.is_file():
            return None
        found = cls.open(path)
        same = ClassList(found.names)
        same.check_same(ClassList(tuple(names)), where=path, other_where="the class list")
        return found

    @classmethod
    def open(cls, path: PathLike) -> Self:
        """Return the thresholds in a file; DataError if it is broken, or of another version."""
        path = Path(path)
        try:
            found = parse_json(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            what = f"cannot be read ({reason_of(error)})"
            raise DataError(what, where=path, hint=_HINT) from error
        version = found.get("version") if isinstance(found, dict) else None
        if version != cls.VERSION:
            what = f"is of version {version!r}, and not {cls.VERSION}"
            raise DataError(what, where=path, hint=_HINT)
        thresholds: Self = from_json(cls, found, where=path, field="thresholds")
        return thresholds
