"""Results of `reeltag solve` in WORK/<name>.json: tables of the paper's figures and ours.

The same solution run with several seeds gives several files; they become one, with means.
"""

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reeltag.core.errors import ConfigError, DataError
from reeltag.predictions.file import open_predictions

_HINT = "Such a file is written by `reeltag solve NAME --data DATA --out WORK` when all is done."


@dataclass(frozen=True, kw_only=True)
class MetricValue:
    """A figure that we measured.

    Attributes:
        value: the mean over the seeds; None = not measured.
        interval: 95 %, (low, high), where there is one seed and an interval.
        seeds: each seed's value, where there are several.
    """

    value: float | None
    interval: tuple[float, float] | None = None
    seeds: tuple[float, ...] = ()

    @property
    def spread(self) -> float | None:
        """Return the standard deviation over the seeds; None with one."""
        return statistics.stdev(self.seeds) if len(self.seeds) > 1 else None


@dataclass(frozen=True, kw_only=True)
class ResultRow:
    """A row of a table: a model or a stage; `marks` are its words in the columns of words."""

    name: str
    paper: tuple[float | None, ...]
    ours: tuple[MetricValue, ...]
    note: str
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ResultTable:
    """A table: metrics of the paper and ours, and rows with a figure for each of them.

    `marks` are names of columns of words, before the figures.
    """

    title: str
    paper: tuple[str, ...]
    ours: tuple[str, ...]
    rows: tuple[ResultRow, ...]
    digits: int
    note: str
    marks: tuple[str, ...] = ()

    @property
    def prefix(self) -> str:
        """Return what the names of our metrics begin with."""
        return "here: " if self.paper else ""

    @property
    def columns(self) -> list[str]:
        """Return the names of the columns after the first; those of numbers begin with >."""
        paper, ours = (">paper: ", self.paper), (f">{self.prefix}", self.ours)
        return [*self.marks, *(head + name for head, names in (paper, ours) for name in names)]


@dataclass(frozen=True, kw_only=True)
class SolveResult:
    """The result of a solution.

    Attributes:
        solution: its name.
        files: that were read, one per seed.
        tables: of the paper.
        steps: (name, folder) in the order in which they ran, of the first file.
        config: of the first file.
        best: folder of the step that is the solution's result; None where none is named.
    """

    solution: str
    files: tuple[Path, ...]
    tables: tuple[ResultTable, ...]
    steps: tuple[tuple[str, Path], ...]
    config: Mapping[str, Any]
    best: Path | None = None

    def predictions(self, stage: str = "") -> tuple[str, Path] | None:
        """Return the best step, or the last one, with its predictions; None without predictions.

        Args:
            stage: only this step, by its name, with or without the part before the first dash.

        Raises:
            ConfigError: no step of that name holds predictions.
        """
        found = [
            (name, file)
            for name, folder in self.steps
            for file in sorted(folder.glob("*.parquet"))
            if _is_predictions(file)
        ]
        if not stage:
            best = [(name, file) for name, file in found if file.parent == self.best]
            return (best or found)[-1] if found else None
        for name, file in reversed(found):
            if stage in (name, name.partition("-")[2]):
                return name, file
        there = ", ".join(dict.fromkeys(name for name, _ in found)) or "none is there"
        raise ConfigError(
            f"no step {stage!r} with predictions; with predictions: {there}", where="--stage"
        )


def find_result(folder: Path) -> Path | None:
    """Return the result of `reeltag solve` in WORK, None without; ConfigError for several."""
    found = [path for path in sorted(folder.glob("*.json")) if _is_result(path)]
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise ConfigError(
            f"holds the results of {len(found)} solutions: {names}",
            where=folder,
            hint=f"Name one: `reeltag report {found[0]} ...`.",
        )
    return found[0] if found else None


def read_results(paths: Sequence[Path]) -> SolveResult:
    """Return one result of one or more files of the same solution, one per seed.

    DataError where a file is no result, or they are of different solutions or tables.
    """
    read = [_read(path) for path in paths]
    first = read[0]
    for path, other in zip(paths, read, strict=True):
        if (other.solution, *map(_shape, other.tables)) != (
            first.solution,
            *map(_shape, first.tables),
        ):
            raise DataError(
                f"has other tables ({other.solution}) than {paths[0]} ({first.solution})",
                where=path,
                hint="Several files are the same solution run with several seeds.",
            )
    return SolveResult(
        solution=first.solution,
        files=tuple(paths),
        tables=tuple(_merged(group) for group in zip(*(r.tables for r in read), strict=True)),
        steps=first.steps,
        config=first.config,
        best=first.best,
    )


def _read(path: Path) -> SolveResult:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})", where=path, hint=_HINT) from error
    except ValueError as error:
        raise DataError(f"is not JSON ({error})", where=path, hint=_HINT) from error
    try:
        tables = tuple(_table(table) for table in found["tables"])
        steps = [(str(step["name"]), Path(step["folder"])) for step in found["steps"]]
        config = found.get("config", {})
        solution = str(found["program"])
        best = None if found.get("best") is None else path.parent / str(found["best"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        cause = f"lacks {error}" if isinstance(error, KeyError) else str(error)
        raise DataError(
            f"is not the result of a solution ({cause})", where=path, hint=_HINT
        ) from error
    located = tuple((name, _located(folder, path.parent)) for name, folder in steps)
    return SolveResult(
        solution=solution, files=(path,), tables=tables, steps=located, config=config, best=best
    )


def _located(folder: Path, work: Path) -> Path:
    """Return the folder of a step, which is in WORK, also after WORK was moved."""
    return work / folder.name if (work / folder.name).is_dir() else folder


def _table(table: Mapping[str, Any]) -> ResultTable:
    paper, ours = tuple(map(str, table["paper"])), tuple(map(str, table["ours"]))
    marks = tuple(map(str, table.get("marks", ())))
    return ResultTable(
        title=str(table["title"]),
        paper=paper,
        ours=ours,
        rows=tuple(_row(line, len(paper), len(ours), len(marks)) for line in table["lines"]),
        digits=int(table.get("digits", 3)),
        note=str(table.get("note", "")),
        marks=marks,
    )


def _row(line: Mapping[str, Any], num_paper: int, num_ours: int, num_marks: int) -> ResultRow:
    name = str(line["name"])
    paper = [_number(value) for value in line.get("paper") or [None] * num_paper]
    ours = [_number(value) for value in line.get("ours") or [None] * num_ours]
    ends = line.get("intervals") or [None] * num_ours
    marks = tuple(map(str, line.get("marks") or [""] * num_marks))
    if (len(paper), len(ours), len(ends)) != (num_paper, num_ours, num_ours):
        raise ValueError(f"row {name!r} has another number of figures than its table has metrics")
    if len(marks) != num_marks:
        raise ValueError(f"row {name!r} has {len(marks)} marks, its table {num_marks}")
    figures = [
        MetricValue(value=value, interval=(float(pair[0]), float(pair[1])) if pair else None)
        for value, pair in zip(ours, ends, strict=True)
    ]
    note = str(line.get("note", ""))
    return ResultRow(name=name, paper=tuple(paper), ours=tuple(figures), note=note, marks=marks)


def _number(value: object) -> float | None:
    number = None if value is None else float(value)  # type: ignore[arg-type]
    return number if number is None or math.isfinite(number) else None


def _merged(tables: Sequence[ResultTable]) -> ResultTable:
    if len(tables) == 1:
        return tables[0]
    first = tables[0]
    rows = tuple(
        replace(
            group[0],
            ours=tuple(_mean(figures) for figures in zip(*(r.ours for r in group), strict=True)),
        )
        for group in zip(*(table.rows for table in tables), strict=True)
    )
    return replace(first, rows=rows)


def _mean(figures: Sequence[MetricValue]) -> MetricValue:
    values = tuple(figure.value for figure in figures if figure.value is not None)
    return MetricValue(value=sum(values) / len(values) if values else None, seeds=values)


def _shape(table: ResultTable) -> tuple[object, ...]:
    return table.title, table.paper, table.ours, tuple(row.name for row in table.rows)


def _is_predictions(path: Path) -> bool:
    try:
        open_predictions(path)
    except DataError:
        return False
    return True


def _is_result(path: Path) -> bool:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and {"program", "tables", "steps"} <= found.keys()
