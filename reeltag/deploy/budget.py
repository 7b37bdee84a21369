"""What a graph will weigh, tensor by tensor, before a byte of it is written.

    fp32     as trained
    fp16     tensors of more than 17,000 elements in half precision: 2 bytes an element
    uint8    the same tensors as codes: 1 byte an element and a codebook of 1 kB

Smaller tensors, and those of whole numbers, stay as they are. Source of the limit of 17,000: Skalic
& Austin 2018, `quantize.py`. Arithmetic is in float32 at every precision.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from reeltag.core.errors import ConfigError

Precision = Literal["fp32", "fp16", "uint8"]

LARGE = 17_000  # elements up to which a tensor is left alone
BYTES = {"fp32": 4, "fp16": 2, "uint8": 1}  # an element
CODEBOOK = 1024  # bytes
AROUND = 400  # bytes at most that a tensor and what unpacks it add to the graph, but for its names
SHOWN = 8  # tensors named in an error
NAMED = 64  # elements that such a tensor has more than: fewer are constants of the graph
LEAST = 0.01  # share of the weights below which none is named

_UNITS = {
    "": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30
}  # fmt: skip


def parse_bytes(text: str) -> int:
    """Return a number of bytes: 1GB is 10^9, 1GiB is 2^30.

    >>> parse_bytes("1.5 MB"), parse_bytes("1GiB"), parse_bytes("300")
    (1500000, 1073741824, 300)

    Raises:
        ConfigError: it is not a number of bytes above 0.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*([kmg]i?)?b?\s*", text, re.IGNORECASE)
    number = round(float(found[1]) * _UNITS[(found[2] or "").lower()]) if found else 0
    if number <= 0:
        raise ConfigError(
            f"must be a size above 0, as 1GB (10^9 bytes), 900MB or 1GiB (2^30); got {text!r}",
            where="--max-bytes",
        )
    return number


def told_bytes(number: int) -> str:
    """Return a size for people.

    >>> told_bytes(999), told_bytes(20_500), told_bytes(1_234_567_890)
    ('999 B', '20.5 kB', '1.235 GB')
    """
    for unit, size, digits in (("GB", 10**9, 3), ("MB", 10**6, 1), ("kB", 10**3, 1)):
        if number >= size:
            return f"{number / size:.{digits}f} {unit}"
    return f"{number} B"


@dataclass(frozen=True, kw_only=True)
class Weight:
    """A tensor of a graph.

    Attributes:
        name: as in the tagger.
        elements: how many.
        stored: bytes it takes as trained.
        packable: whether a lower precision makes it smaller: floats, and more than 17,000.
    """

    name: str
    elements: int
    stored: int
    packable: bool

    def bytes_at(self, precision: Precision) -> int:
        """Return what it takes, with what unpacks it."""
        if precision == "fp32" or not self.packable:
            return self.stored
        codebook = CODEBOOK if precision == "uint8" else 0
        return BYTES[precision] * self.elements + codebook + AROUND + 6 * len(self.name)


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What a graph takes.

    Attributes:
        weights: its tensors.
        rest: bytes of all else: nodes, names of tensors and classes, what it says of itself.
        members: name in front of the tensors of a member, and what the member is called.
    """

    weights: Sequence[Weight]
    rest: int
    members: dict[str, str]

    def bytes_at(self, precision: Precision) -> int:
        """Return the size of the file, at most some hundred bytes too high a packed tensor."""
        return self.rest + sum(weight.bytes_at(precision) for weight in self.weights)

    def refuse_above(self, limit: int, precision: Precision) -> None:
        """Raise ConfigError where the graph is larger than `limit` bytes.

        It names the largest tensors and the precisions that would fit, or says that none does.
        """
        size = self.bytes_at(precision)
        if size <= limit:
            return
        raise ConfigError(
            f"the model takes {told_bytes(size)} in {precision}; allowed: {told_bytes(limit)}. "
            f"It consists of\n{self.table(precision)}",
            where="--max-bytes",
            hint=self.way_out(limit),
        )

    def way_out(self, limit: int) -> str:
        """Return what would fit into `limit` bytes, as a sentence."""
        sizes = {precision: self.bytes_at(precision) for precision in get_args(Precision)}
        fitting = [
            f"--precision {p} ({told_bytes(size)})" for p, size in sizes.items() if size <= limit
        ]
        if fitting:
            return f"What fits: {' or '.join(fitting)}."
        least = sizes["uint8"]
        words = f"No precision fits: even in uint8 it takes {told_bytes(least)}. "
        if len(self.members) > 1:
            return words + self._fewer_members(limit)
        share = (limit - self.rest) / max(1, least - self.rest)
        if share < LEAST:
            return words + f"Allow {told_bytes(least)}, or distil it into a far smaller student."
        return (
            words + f"Train a model with at most {share:.0%} of its weights (fewer hidden units or "
            "clusters) as its student, or allow more bytes."
        )

    def _fewer_members(self, limit: int) -> str:
        sizes = self._member_bytes()
        room, kept = limit - self.rest, 0
        for _, size in sorted(sizes, key=lambda pair: pair[1]):
            room -= size
            kept += room >= 0
        told = ", ".join(f"{name} {told_bytes(size)}" for name, size in sizes)
        fewer = (
            f"{kept} of them fit together; blend fewer" if kept else "None fits; take smaller ones"
        )
        return (
            f"Its members in uint8: {told}. {fewer}, distil them into one student, or allow more "
            "bytes."
        )

    def _member_bytes(self) -> list[tuple[str, int]]:
        """Return what each member takes in uint8; constants without its name are shared out."""
        own = [
            (name, sum(w.bytes_at("uint8") for w in self.weights if w.name.startswith(prefix)))
            for prefix, name in self.members.items()
        ]
        share = (self.bytes_at("uint8") - self.rest) / max(1, sum(size for _, size in own))
        return [(name, round(size * share)) for name, size in own]

    def table(self, precision: Precision) -> str:
        """Return the largest tensors and what they take, a line each."""
        heavy = sorted(self.weights, key=lambda weight: -weight.bytes_at(precision))
        named = [weight for weight in heavy if weight.elements > NAMED][:SHOWN]
        lines = [(w.name, w.elements, w.bytes_at(precision)) for w in named]
        others = [weight for weight in heavy if weight not in named]
        if others:
            elements = sum(weight.elements for weight in others)
            size = sum(weight.bytes_at(precision) for weight in others)
            lines.append((f"{len(others)} other tensors", elements, size))
        lines.append(("graph, class names", 0, self.rest))
        wide = max(len(name) for name, _, _ in lines)
        return "\n".join(
            f"    {name:<{wide}}  {told_bytes(size):>9}"
            + (f"  {elements:,} numbers" * (elements > 0))
            for name, elements, size in lines
        )
