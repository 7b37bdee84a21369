"""What a solution gives back: the last steps, and tables with the paper's figures beside ours."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from reeltag.data.synth.config import SynthConfig
from reeltag.pipeline.steps import Step


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of a table.

    Attributes:
        name: of the model or stage, as the paper calls it.
        paper: a figure for each metric of the paper; None = the paper has none.
        ours: a figure for each metric that we measured; None = not measured.
        intervals: of our figures, 95 %, (low, high); None, or empty, where there are none.
        note: a word beside it.
        marks: what stands in the table's columns of words; empty = nothing.
    """

    name: str
    paper: tuple[float | None, ...] = ()
    ours: tuple[float | None, ...] = ()
    intervals: tuple[tuple[float, float] | None, ...] = ()
    note: str = ""
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of a paper, with ours beside it.

    Attributes:
        title: "Table 1", and what it shows.
        paper: the paper's metrics: "MAP@K, private leaderboard".
        ours: our metrics, which may be others: "MAP@K, test part of the reels".
        lines: from top to bottom.
        digits: behind the point.
        note: data, seeds, how it was measured; reels and mosaics are named as such.
        marks: heads of columns of words, which stand before the figures.
    """

    title: str
    paper: tuple[str, ...]
    ours: tuple[str, ...]
    lines: tuple[Line, ...]
    digits: int = 3
    note: str = ""
    marks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for line in self.lines:
            if len(line.marks) not in (0, len(self.marks)):
                raise ValueError(f"{self.title}, {line.name}: marks {line.marks}, {self.marks}")
            for what, of in (("paper", line.paper), ("ours", line.ours)):
                if len(of) not in (0, len(getattr(self, what))):
                    raise ValueError(
                        f"{self.title}, {line.name}: {len(of)} figures of {what}, "
                        f"{len(getattr(self, what))} metrics"
                    )
            if len(line.intervals) not in (0, len(line.ours)):
                raise ValueError(f"{self.title}, {line.name}: intervals and figures differ")

    def to_json(self) -> dict[str, Any]:
        """Return the table as JSON values."""
        return dataclasses.asdict(self)


FolderOf = Callable[[Step], Path]


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What a solution is for: its last steps, and what is read from them when they are there.

    Attributes:
        steps: the last ones.
        tables: what is read from them.
        closing: what is said below the tables: how good it is, what to type next; "" = nothing.
        best: step with the predictions of what the solution came to, which a report looks into.
    """

    steps: tuple[Step, ...]
    tables: Callable[[FolderOf], Sequence[Table]]
    closing: Callable[[FolderOf], str] = lambda folder: ""
    best: Step | None = None


class SolutionModule(Protocol):
    """A module of this package that `reeltag solve` knows; see `reeltag.papers`."""

    __name__: str
    __doc__: str | None

    @property
    def Config(self) -> type[Any]:  # noqa: N802
        """A frozen dataclass: sizes, seeds, scale."""

    @property
    def TINY(self) -> Any:  # noqa: ANN401, N802
        """A Config with which the whole program takes less than half a minute."""

    @property
    def TINY_DATA(self) -> SynthConfig:  # noqa: N802
        """The corpus for it."""

    @property
    def solve(self) -> Callable[[Path, Any], Goal]:
        """Build the graph for data and Config."""
