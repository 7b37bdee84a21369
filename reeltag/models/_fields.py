"""Kinds of fields of a Config: what a value may be, and how a study of sizes searches it.

A family writes `hidden: Size = 1024`; the bounds are checked when a Config is made, and
`reeltag tune` searches what is marked here, so that no list elsewhere names a field.
"""

from enum import Enum
from typing import Annotated

from annotated_types import Ge, Lt, MinLen, MultipleOf

from reeltag.core.bounds import Amount, Fraction, NotNegative, Part, Positive


class SearchKind(Enum):
    """How a field is searched by default; a field without it is not."""

    SCALE = "a quarter, half, once, twice; of a tuple all items by the same factor"
    STEPS = "from one less, at least 1, to two more"
    DROPOUT = "0 to 0.7"


Size = Annotated[int, Ge(1), SearchKind.SCALE]  # units, clusters, words
EvenSize = Annotated[int, Ge(2), MultipleOf(2), SearchKind.SCALE]
Sizes = Annotated[tuple[Positive, ...], MinLen(1), SearchKind.SCALE]  # one per layer or stream
Widths = Annotated[tuple[Positive, ...], MinLen(1)]
Count = Annotated[int, Ge(1), SearchKind.STEPS]  # layers, rounds, experts
CountOrZero = Annotated[int, Ge(0), SearchKind.STEPS]
DropoutRate = Annotated[float, Ge(0), Lt(1), SearchKind.DROPOUT]
Penalty = Amount  # weight of a penalty, in nats

__all__ = [
    "Amount",
    "Count",
    "CountOrZero",
    "DropoutRate",
    "EvenSize",
    "Fraction",
    "NotNegative",
    "Part",
    "Penalty",
    "Positive",
    "SearchKind",
    "Size",
    "Sizes",
    "Widths",
]
