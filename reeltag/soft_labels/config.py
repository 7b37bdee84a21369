"""Which soft labels are learned from: the flags `--soft.*` of `reeltag train`."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Ge, Le

from reeltag.core.bounds import CheckedFields, NotNegative
from reeltag.core.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class SoftLabelConfig(CheckedFields):
    """Soft labels to learn from in addition to the labels of the data."""

    prefix: ClassVar[str] = "soft"

    file: str = ""
    """File of `reeltag soft-labels`; empty = none. With --items segments its segments are added to
    the rated ones; with --items videos the labels of the videos are mixed."""
    weight: Annotated[float, Ge(0), Le(1)] = 1.0
    """Whole videos: w of the target w * soft + (1 - w) * label, in [0, 1] (Axon 1; Samsung 0.1 to
    1). Segments: weight of a soft label, where that of a rating is 1. 0 leaves soft labels out."""
    equal: NotNegative = 0
    """Segments drawn for each class, out of those drawn for it before (OPPO 1000); 0 takes all."""
    keep_outside: bool = False
    """With `equal`: also learn from classes outside the list of --classes."""
    ignore_unknown: bool = False
    """Leave out, and count, rows that do not belong to the data, instead of raising an error."""

    def check(self) -> None:
        """Raise ConfigError for options that have no effect."""
        if self.equal and not self.file:
            raise ConfigError("soft.equal draws from a file: name it with --soft.file")
        if self.keep_outside and not self.equal:
            raise ConfigError("soft.keep_outside has no effect without --soft.equal")

    @property
    def used(self) -> bool:
        """Whether there are soft labels to learn from."""
        return bool(self.file) and self.weight > 0
