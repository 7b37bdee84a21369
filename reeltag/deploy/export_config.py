"""Settings of an export, which help shows where the packages of the extra are not installed."""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt

from reeltag.core.bounds import CheckedFields
from reeltag.deploy.budget import Precision, parse_bytes
from reeltag.deploy.codebooks import Rule


@dataclass(frozen=True, kw_only=True)
class ExportConfig(CheckedFields):
    """Settings of an export."""

    max_bytes: str = "1GB"
    """Most that the file may take, as 1GB (10^9 bytes), 900MB or 1GiB (2^30); YouTube-8M's
    challenge of 2018 allowed 1 GB."""
    precision: Precision = "fp32"
    """How tensors of more than 17,000 numbers are stored; arithmetic is fp32 in any case."""
    codebook: Rule = "uniform"
    """The 256 numbers of a tensor in uint8: evenly from least to greatest, or of k-means, which
    is more accurate and takes longer."""
    top_k: Annotated[int, Ge(1)] = 20
    """Classes that the graph lists per video, best first (its third output is all logits)."""
    input: Literal["auto", "uint8", "float32"] = "auto"
    """Type of the frames; auto: float32 for means of videos, else uint8 as in the records."""

    tolerance: Annotated[float, Gt(0)] | None = None
    """Largest difference of a probability from PyTorch's, on random input, that is not an error;
    None: 0.0001 in fp32, 0.01 in fp16, 0.05 in uint8."""

    def check(self) -> None:
        """Raise ConfigError where `max_bytes` is no size."""
        parse_bytes(self.max_bytes)
