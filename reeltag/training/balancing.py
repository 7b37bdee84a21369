"""Features brought to like scales, so that one penalty of the weights suits all; folded back after.

    x -> (x - mean) / deviation                         each dimension has the variance 1
      -> times (S + shrinkage * I) ^ -exponent          streams with frames enough; S = covariance
      -> divided by the root of its mean square norm    each stream counts as much as another one

Bands of a spectrum are much alike, and a penalty holds small what tells them apart. A power of
their covariance between 0 (as they are) and -1/2 (whitened: all directions alike) weakens that.
Where a stream has few frames for its width most directions are noise, and it stays as it is: on
films (docs/results/moments.md) 192 bands with 29 frames a dimension win by it, 1,024 or 1,280
features of a network with 5 or 4 lose.

Shape letters: N frames, D feature size of all streams, E that of one stream, C classes.
"""

from itertools import pairwise
from typing import NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

EXPONENT, SHRINKAGE = 0.25, 0.1
FRAMES_PER_DIMENSION = 20  # from which on a stream's covariance is used
_SMALLEST_DEVIATION = 1e-6
_ROWS = 1 << 16  # frames at once: memory


class Balance(NamedTuple):
    """A linear change of features.

    Attributes:
        mean: (D,) is subtracted.
        parts: of each stream a matrix (E, E) by which it is multiplied then, or factors (E,).
    """

    mean: Tensor
    parts: tuple[Tensor, ...]

    @classmethod
    def of(cls, frames_ND: Tensor, dims: tuple[int, ...]) -> Self:
        """Return the balance of frames.

        Args:
            frames_ND: (N, D), the streams side by side.
            dims: width E of each stream.
        """
        deviation_D = frames_ND.std(dim=0, correction=0)
        scale_D = torch.where(
            deviation_D > _SMALLEST_DEVIATION,
            1 / deviation_D.clamp(min=_SMALLEST_DEVIATION),
            0.0,  # of what is constant nothing can be learned
        )
        found = cls(frames_ND.mean(dim=0), tuple(scale_D.split(dims)))
        return found._replace(
            parts=tuple(
                found._stream(frames_ND[:, first:last], found.mean[first:last], scale_E)
                for (first, last), scale_E in zip(_bounds(dims), found.parts, strict=True)
            )
        )

    @staticmethod
    def _stream(frames_NE: Tensor, mean_E: Tensor, scale_E: Tensor) -> Tensor:
        """Return the matrix or the factors of a stream."""
        num_frames, width = frames_NE.shape
        if num_frames < FRAMES_PER_DIMENSION * width:
            factor_E: Tensor = scale_E / width**0.5
            return factor_E
        covariance_EE = torch.zeros(width, width, dtype=torch.float64)
        for block in frames_NE.split(_ROWS):
            unit = ((block - mean_E) * scale_E).double()
            covariance_EE += unit.T @ unit / num_frames
        value_E, vector_EE = torch.linalg.eigh(covariance_EE)
        value_E = value_E.clamp(min=0)
        power_E = (value_E + SHRINKAGE * value_E.mean()).clamp(min=1e-12) ** -EXPONENT
        norm = (value_E * power_E**2).sum().sqrt().clamp(min=1e-12)
        change_EE = vector_EE @ torch.diag(power_E / norm) @ vector_EE.T
        matrix_EE: Tensor = scale_E.unsqueeze(1) * change_EE.to(scale_E.dtype)
        return matrix_EE

    def apply_(self, frames_ND: Tensor) -> None:
        """Change frames (N, D) in place."""
        for block in frames_ND.split(_ROWS):
            block.sub_(self.mean)
            for (first, last), part in zip(self._bounds(), self.parts, strict=True):
                of = block[:, first:last]
                of.copy_(of @ part if part.ndim > 1 else of * part)

    def fold(self, weight_CD: Tensor, bias_C: Tensor) -> tuple[Tensor, Tensor]:
        """Return the weights (C, D) and biases (C,) for frames as they are."""
        folded = torch.cat(
            [
                weight_CD[:, first:last] @ part.T
                if part.ndim > 1
                else weight_CD[:, first:last] * part
                for (first, last), part in zip(self._bounds(), self.parts, strict=True)
            ],
            dim=1,
        )
        return folded, bias_C - folded @ self.mean

    def _bounds(self) -> list[tuple[int, int]]:
        return _bounds(tuple(len(part) for part in self.parts))


def _bounds(dims: tuple[int, ...]) -> list[tuple[int, int]]:
    """Return the first dimension of each stream, and that after its last."""
    return [*pairwise(np.cumsum([0, *dims]).tolist())]
