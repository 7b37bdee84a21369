"""Settings of an export, which help shows where the packages of the extra are not installed."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from annotated_types import Ge, Gt

from reeltag.core.bounds import CheckedFields
from reeltag.core.fields import ADDED
from reeltag.deploy.budget import Precision, parse_bytes
from reeltag.deploy.codebooks import Rule


@dataclass(frozen=True, kw_only=True)
class ExportConfig(CheckedFields):
    """Settings of an export."""

    max_bytes: str = "1GB"
    """Most that the file may take, as 1GB (10^9 bytes), 900MB or 1GiB (2^30); YouTube-8M's
    challenge of 2018 allowed 1 GB."""
    precision: Precision = "fp32"
    """How tensors of more than 17,000 numbers are stored."""
    arithmetic: Literal["fp32", "int8"] = field(default="fp32", metadata=ADDED)
    """Of the matrix products. int8 is less accurate (what is multiplied is rounded to 256 steps)
    and, on a CPU with instructions for it, faster; weights are then stored in int8. Compare the
    scores: give --data."""
    codebook: Rule = "uniform"
    """The 256 numbers of a tensor in uint8: evenly from least to greatest, or of k-means, which
    is more accurate and takes longer."""
    top_k: Annotated[int, Ge(1)] = 20
    """Classes that the graph lists per video, best first (its third output is all logits)."""
    input: Literal["auto", "uint8", "float32"] = "auto"
    """Type of the frames; auto: float32 for means of videos, else uint8 as in the records."""

    tolerance: Annotated[float, Gt(0)] | None = None
    """Largest difference of a probability from PyTorch's, on random input, that is not an error;
    None: 0.0001 in fp32, 0.01 in fp16, 0.05 in uint8 and in int8 arithmetic."""

    @property
    def coarsest(self) -> Literal["fp32", "fp16", "uint8", "int8"]:
        """What rounds most: the weights as they are stored, or the products."""
        return "int8" if self.arithmetic == "int8" else self.precision

    def check(self) -> None:
        """Raise ConfigError where `max_bytes` is no size, or weights are to be packed twice."""
        parse_bytes(self.max_bytes)
        self.check_field(
            "precision",
            self.arithmetic == "fp32" or self.precision == "fp32",
            "fp32 with int8 arithmetic, which stores weights in int8",
        )
