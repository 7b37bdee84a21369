"""Plans: which steps are done and which are to do, with their cost; nothing is run."""

import heapq
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal

from reeltag.core.errors import DataError
from reeltag.core.locks import lock_holder
from reeltag.pipeline.running import missing
from reeltag.pipeline.steps import Estimate, Node, Source, Step, as_steps, ordered
from reeltag.pipeline.store import (
    Record,
    folder_of,
    is_done,
    lock_of,
    part_of,
    read_record,
    seconds_spent,
    size_of,
)

State = Literal["done", "partial", "to do", "not needed"]
Basis = Literal["measured", "estimate", "similar steps", "unknown"]


@dataclass(frozen=True, kw_only=True)
class PlannedStep:
    """One step of a plan.

    Attributes:
        step: which.
        number: in the order of work, from 1.
        state: "not needed": it is missing, but no step to do needs it.
        seconds: that it took; of one to do, the remaining ones; None = unknown.
        bytes: that it holds, or will add; None = unknown.
        basis: of seconds and bytes: measured on this step, its own estimate (scaled by the times
            of its function in this folder), or the median of other steps of its function.
        holder: the process that runs it now, in words, or "".
    """

    step: Step
    number: int
    state: State
    seconds: float | None
    bytes: int | None
    basis: Basis
    holder: str = ""


@dataclass(frozen=True, kw_only=True)
class RunPlan:
    """The steps of a run, with their states and costs.

    Attributes:
        goals: of the run.
        root: folder of the results.
        rows: the steps, inputs first.
        sources: data that no step writes.
        seconds: of all that is to do, one step after another, as far as known.
        bytes: that will be added, as far as known.
        unknown: number of steps to do without an estimate of their seconds.
        free: bytes that the disk of `root` has left.
    """

    goals: tuple[Step, ...]
    root: Path
    rows: tuple[PlannedStep, ...]
    sources: tuple[Source, ...]
    seconds: float
    bytes: int
    unknown: int
    free: int

    def seconds_on(self, workers: int) -> float:
        """Return the seconds of so many workers, which begin ready steps in the order of work.

        As `RunPlan.seconds`, without steps of unknown length.
        """
        rows = {row.step.folder_name: row for row in self.rows if row.state in ("partial", "to do")}
        needs = {name: _names(row.step.needs) & rows.keys() for name, row in rows.items()}
        running, now = list[tuple[float, str]](), 0.0
        while needs or running:
            ready = [name for name, before in needs.items() if not before]
            for name in ready[: workers - len(running)]:
                heapq.heappush(running, (now + (rows[name].seconds or 0.0), name))
                del needs[name]
            now, ended = heapq.heappop(running)
            for before in needs.values():
                before.discard(ended)
        return now

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON values."""
        return {
            "root": str(self.root),
            "steps": [_described(row, self.root) for row in self.rows],
            "sources": [
                {"name": s.name, "key": s.key, "path": str(s.path), "exists": s.path.exists()}
                for s in self.sources
            ],
            "to_do": {
                "seconds": self.seconds,
                "bytes": self.bytes,
                "steps_without_estimate": self.unknown,
                "bytes_free": self.free,
            },
        }


def plan(goals: Step | Iterable[Step], root: Path) -> RunPlan:
    """Return the plan of `run(goals, root)`. Nothing is written.

    Raises DataError if data that the steps need are missing, or a step.json is damaged.
    """
    goals = tuple(as_steps(goals))
    nodes = ordered(goals)
    to_do = {step.folder_name for step in missing(goals, root)}
    history = _history(root)
    steps = [node for node in nodes if isinstance(node, Step)]
    rows = [_row(step, n, to_do, root, history) for n, step in enumerate(steps, start=1)]
    open_ = [row for row in rows if row.state in ("partial", "to do")]
    return RunPlan(
        goals=goals,
        root=root,
        rows=tuple(rows),
        sources=tuple(node for node in nodes if isinstance(node, Source)),
        seconds=sum(row.seconds or 0.0 for row in open_),
        bytes=sum(row.bytes or 0 for row in open_),
        unknown=sum(row.seconds is None for row in open_),
        free=shutil.disk_usage(_existing(root)).free,
    )


def _row(
    step: Step, number: int, to_do: set[str], root: Path, history: Mapping[str, list[Record]]
) -> PlannedStep:
    folder, part = folder_of(step, root), part_of(step, root)
    if is_done(step, root):
        record = read_record(folder)
        return PlannedStep(
            step=step,
            number=number,
            state="done",
            seconds=record.seconds if record else None,
            bytes=record.bytes if record else size_of(folder),
            basis="measured",
        )
    expected, basis = _expected(step, history.get(step.id, []))
    seconds, bytes_ = expected.seconds, expected.bytes
    partial = part.exists()
    if partial:
        before = seconds_spent(part, read_record(part))
        seconds = None if seconds is None else max(0.0, seconds - before)
        bytes_ = None if bytes_ is None else max(0, bytes_ - size_of(part))
    needed: State = "partial" if partial else "to do"
    return PlannedStep(
        step=step,
        number=number,
        state=needed if step.folder_name in to_do else "not needed",
        seconds=seconds,
        bytes=bytes_,
        basis=basis,
        holder=lock_holder(lock_of(step, root)),
    )


def _expected(step: Step, others: list[Record]) -> tuple[Estimate, Basis]:
    """Return the expected cost: the step's estimate, or the cost of others of its function."""
    own = step.estimate()
    ratios = [record.seconds / record.estimate for record in others if record.estimate]
    seconds, count = own.seconds, own.bytes
    if seconds is not None and ratios:
        seconds *= median(ratios)
    basis: Basis = "unknown" if seconds is None else "estimate"
    if seconds is None and others:
        seconds, basis = median(record.seconds for record in others), "similar steps"
    if count is None and others:
        count = round(median(record.bytes for record in others))
    return Estimate(seconds=seconds, bytes=count), basis


def _history(root: Path) -> dict[str, list[Record]]:
    """Return the finished steps under `root`, by the id of their function."""
    found: dict[str, list[Record]] = {}
    for path in sorted(root.glob("*/step.json")):
        with suppress(DataError):  # a step.json of another program
            record = read_record(path.parent)
            if record is not None and record.finished:
                found.setdefault(record.id, []).append(record)
    return found


def _described(row: PlannedStep, root: Path) -> dict[str, Any]:
    return {
        "number": row.number,
        "name": row.step.name,
        "key": row.step.key,
        "folder": str(folder_of(row.step, root)),
        "state": row.state,
        "needs": [node.label() for node in row.step.needs],
        "seconds": row.seconds,
        "bytes": row.bytes,
        "basis": row.basis,
        "holder": row.holder,
    }


def _names(nodes: Iterable[Node]) -> set[str]:
    return {node.folder_name for node in nodes if isinstance(node, Step)}


def _existing(folder: Path) -> Path:
    folder = folder.absolute()
    return next(path for path in (folder, *folder.parents) if path.exists())
