"""Size of a graph, tensor by tensor, before a byte of it is written.

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

LARGE = 17_000  # elements up to which a tensor is not packed
BYTES = {"fp32": 4, "fp16": 2, "uint8": 1}  # an element
CODEBOOK = 1024  # bytes
AROUND = 400  # bytes at most that a packed tensor and its nodes add to the graph, without names
SHOWN = 8  # tensors named in an error
NAMED = 64  # tensors of fewer elements, constants of the graph, are not named in an error
LEAST = 0.01  # fraction of the weights below which no smaller model is proposed

_UNITS = {
    "": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30
}  # fmt: skip


def parse_bytes(text: str) -> int:
    """Return a number of bytes: 1GB is 10^9, 1GiB is 2^30.

    >>> parse_bytes("1.5 MB"), parse_bytes("1GiB"), parse_bytes("300")
    (1500000, 1073741824, 300)

    Raises ConfigError if it is not a number of bytes above 0.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*([kmg]i?)?b?\s*", text, re.IGNORECASE)
    number = round(float(found[1]) * _UNITS[(found[2] or "").lower()]) if found else 0
    if number <= 0:
        raise ConfigError(
            f"must be a size above 0, as 1GB (10^9 bytes), 900MB or 1GiB (2^30); got {text!r}",
            where="--max-bytes",
        )
    return number


def format_bytes(number: int) -> str:
    """Return a size in words.

    >>> format_bytes(999), format_bytes(20_500), format_bytes(1_234_567_890)
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
        stored: bytes as trained.
        packable: whether a lower precision makes it smaller: floats, and more than 17,000.
    """

    name: str
    elements: int
    stored: int
    packable: bool

    def bytes_at(self, precision: Precision) -> int:
        """Return its bytes, with those of the nodes that unpack it."""
        if precision == "fp32" or not self.packable:
            return self.stored
        codebook = CODEBOOK if precision == "uint8" else 0
        return BYTES[precision] * self.elements + codebook + AROUND + 6 * len(self.name)


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Bytes of a graph.

    Attributes:
        weights: its tensors.
        overhead: bytes of all else: nodes, names of tensors and classes, metadata.
        members: prefix of the names of a member's tensors -> name of the member.
    """

    weights: Sequence[Weight]
    overhead: int
    members: dict[str, str]

    def bytes_at(self, precision: Precision) -> int:
        """Return the size of the file, per packed tensor at most some hundred bytes too high."""
        return self.overhead + sum(weight.bytes_at(precision) for weight in self.weights)

    def check_limit(self, limit: int, precision: Precision) -> None:
        """Raise ConfigError where the graph is larger than `limit` bytes.

        The error names the largest tensors, and the precisions that would fit or that none does.
        """
        size = self.bytes_at(precision)
        if size <= limit:
            return
        raise ConfigError(
            f"the model takes {format_bytes(size)} in {precision}; allowed: {format_bytes(limit)}. "
            f"It consists of\n{self.table(precision)}",
            where="--max-bytes",
            hint=self.fitting_options(limit),
        )

    def fitting_options(self, limit: int) -> str:
        """Return as a sentence what would fit into `limit` bytes."""
        sizes = {precision: self.bytes_at(precision) for precision in get_args(Precision)}
        fitting = [
            f"--precision {p} ({format_bytes(size)})" for p, size in sizes.items() if size <= limit
        ]
        if fitting:
            return f"What fits: {' or '.join(fitting)}."
        least = sizes["uint8"]
        none_fits = f"No precision fits: even in uint8 it takes {format_bytes(least)}. "
        if len(self.members) > 1:
            return none_fits + self._fewer_members(limit)
        fraction = (limit - self.overhead) / max(1, least - self.overhead)
        if fraction < LEAST:
            return none_fits + (
                f"Allow {format_bytes(least)}, or distil it into a far smaller student."
            )
        return (
            none_fits + f"Train a model with at most {fraction:.0%} of its weights (fewer hidden "
            "units or clusters) as its student, or allow more bytes."
        )

    def _fewer_members(self, limit: int) -> str:
        sizes = self._member_bytes()
        room, kept = limit - self.overhead, 0
        for _, size in sorted(sizes, key=lambda pair: pair[1]):
            room -= size
            kept += room >= 0
        listed = ", ".join(f"{name} {format_bytes(size)}" for name, size in sizes)
        fewer = (
            f"{kept} of them fit together; blend fewer" if kept else "None fits; take smaller ones"
        )
        return (
            f"Its members in uint8: {listed}. {fewer}, distil them into one student, or allow more "
            "bytes."
        )

    def _member_bytes(self) -> list[tuple[str, int]]:
        """Return the bytes of each member in uint8, with its part of the constants of none."""
        own = [
            (name, sum(w.bytes_at("uint8") for w in self.weights if w.name.startswith(prefix)))
            for prefix, name in self.members.items()
        ]
        scale = (self.bytes_at("uint8") - self.overhead) / max(1, sum(size for _, size in own))
        return [(name, round(size * scale)) for name, size in own]

    def table(self, precision: Precision) -> str:
        """Return the largest tensors and their bytes, a line each."""
        heavy = sorted(self.weights, key=lambda weight: -weight.bytes_at(precision))
        named = [weight for weight in heavy if weight.elements > NAMED][:SHOWN]
        lines = [(w.name, w.elements, w.bytes_at(precision)) for w in named]
        others = [weight for weight in heavy if weight not in named]
        if others:
            elements = sum(weight.elements for weight in others)
            size = sum(weight.bytes_at(precision) for weight in others)
            lines.append((f"{len(others)} other tensors", elements, size))
        lines.append(("graph, class names", 0, self.overhead))
        wide = max(len(name) for name, _, _ in lines)
        return "\n".join(
            f"    {name:<{wide}}  {format_bytes(size):>9}"
            + (f"  {elements:,} numbers" * (elements > 0))
            for name, elements, size in lines
        )
