"""What our metrics share: states that survive a rank that saw nothing, and the checks of inputs."""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat


class RankingMetric(Metric):
    """A torchmetrics.Metric in [0, 1], higher is better, which may hold rows in growing lists.

    Works wherever a Metric does: `self.log` in Lightning, MetricCollection, several ranks (rows
    are joined in the order of ranks), `merge_state`. Keyword arguments are those of Metric.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    plot_lower_bound = 0.0
    plot_upper_bound = 1.0

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self._empty: dict[str, Tensor] = {}

    def add_rows(self, name: str, dtype: torch.dtype, width: int | None = None) -> None:
        """Add a state of rows (N,) or (N, width) that is joined across ranks."""
        self.add_state(name, default=[], dist_reduce_fx="cat")
        self._empty[name] = torch.empty((0,) if width is None else (0, width), dtype=dtype)

    def add_sum(self, name: str, size: int | None = None) -> None:
        """Add a float64 state, a scalar or (size,), that is summed across ranks."""
        default = torch.zeros(() if size is None else (size,), dtype=torch.double)
        self.add_state(name, default=default, dist_reduce_fx="sum")

    def push(self, name: str, rows: Tensor) -> None:
        """Append rows to a state."""
        getattr(self, name).append(rows)

    def rows(self, name: str) -> Tensor:
        """Return all rows of a state so far."""
        held = getattr(self, name)
        parts = [held] if isinstance(held, Tensor) else held
        joined: Tensor = dim_zero_cat(parts or [self._empty[name].to(self.device)])
        return joined

    def sync(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 (as torchmetrics has it)
        """Join the ranks; one that saw no batch takes part with empty rows of the right type."""
        for name, empty in self._empty.items():
            if isinstance(held := getattr(self, name), list) and not held:
                held.append(empty.to(self.device))
        super().sync(*args, **kwargs)


def check_batch(scores_BC: Tensor, *others: Tensor) -> None:
    """Raise ValueError unless all are (B, C)."""
    if scores_BC.ndim != 2 or any(other.shape != scores_BC.shape for other in others):
        shapes = ", ".join(str(tuple(tensor.shape)) for tensor in (scores_BC, *others))
        raise ValueError(f"scores and labels must all be (B, C), got {shapes}")


def comparable(scores_BC: Tensor) -> Tensor:
    """Return scores as float32, or float64 where they are; detached from the graph."""
    wide = scores_BC.dtype in (torch.float32, torch.float64)
    return scores_BC.detach() if wide else scores_BC.detach().float()


def label_mass(labels_BC: Tensor) -> Tensor:
    """Return the sum of labels of each row, (B,) float64: their number where they are 0 and 1."""
    if labels_BC.dtype == torch.bool:
        return labels_BC.count_nonzero(dim=1).double()  # faster than a sum of bools
    return labels_BC.sum(dim=1).double()
