"""What is done, what is to do, and what it will cost: a plan, made without running anything."""

import heapq
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal

from reeltag.core.errors import DataError
from reeltag.pipeline.locks import holder
from reeltag.pipeline.running import missing
from reeltag.pipeline.steps import Estimate, Node, Source, Step, as_steps, ordered
from reeltag.pipeline.store import (
    Record,
    folder_of,
    is_done,
    lock_of,
    part_of,
    read_record,
    size_of,
    spent,
)

State = Literal["done", "partly", "to do", "not needed"]
Basis = Literal["measured", "estimate", "like others", "unknown"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One step of a plan.

    Attributes:
        step: which.
        number: in the order of work, from 1.
        state: "not needed": it is not there, but nothing that is to do needs it.
        seconds: that it took; of one to do, what is left to do; None = nobody knows.
        bytes: that it holds, or will add; None = nobody knows.
        basis: where seconds and bytes come from: measured on this step, its own estimate (scaled
            by what the function really took in this folder), or the median of other steps here.
        holder: the process that works on it just now, in words, or empty.
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
    """What `run` would do.

    Attributes:
        goals: what it is for.
        root: folder of the results.
        rows: the steps, inputs first.
        sources: data that no step makes.
        seconds: of all that is to do, one step after another, as far as known.
        bytes: that will be added, as far as known.
        unknown: steps to do of which nobody knows how long they take.
        free: bytes that the disk of `root` has left.
    """

    goals: tuple[Step, ...]
    root: Path
    rows: tuple[Row, ...]
    sources: tuple[Source, ...]
    seconds: float
    bytes: int
    unknown: int
    free: int

    def seconds_on(self, workers: int) -> float:
        """Return how long so many workers take, who begin what is ready in the order of work.

        As `RunPlan.seconds`, without steps of which nobody knows how long they take.
        """
        rows = {row.step.folder_name: row for row in self.rows if row.state in ("partly", "to do")}
        needs = {name: _names(row.step.needs) & rows.keys() for name, row in rows.items()}
        at_work, now = list[tuple[float, str]](), 0.0
        while needs or at_work:
            ready = [name for name, before in needs.items() if not before]
            for name in ready[: workers - len(at_work)]:
                heapq.heappush(at_work, (now + (rows[name].seconds or 0.0), name))
                del needs[name]
            now, ended = heapq.heappop(at_work)
            for before in needs.values():
                before.discard(ended)
        return now

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON values."""
        return {
            "root": str(self.root),
            "steps": [_described(row, self.root) for row in self.rows],
            "sources": [
                {"name": s.name, "key": s.key, "path": str(s.path), "there": s.path.exists()}
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
    """Return what `run(goals, root)` would do, and what that would cost. Nothing is written.

    Raises:
        DataError: data that the steps need are not there, or a step.json is damaged.
    """
    goals = tuple(as_steps(goals))
    nodes = ordered(goals)
    to_do = {step.folder_name for step in missing(goals, root)}
    history = _history(root)
    steps = [node for node in nodes if isinstance(node, Step)]
    rows = [_row(step, n, to_do, root, history) for n, step in enumerate(steps, start=1)]
    open_ = [row for row in rows if row.state in ("partly", "to do")]
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
) -> Row:
    folder, part = folder_of(step, root), part_of(step, root)
    if is_done(step, root):
        record = read_record(folder)
        return Row(
            step=step,
            number=number,
            state="done",
            seconds=record.seconds if record else None,
            bytes=record.bytes if record else size_of(folder),
            basis="measured",
        )
    expected, basis = _expected(step, history.get(step.id, []))
    seconds, bytes_ = expected.seconds, expected.bytes
    partly = part.exists()
    if partly:
        before = spent(part, read_record(part))
        seconds = None if seconds is None else max(0.0, seconds - before)
        bytes_ = None if bytes_ is None else max(0, bytes_ - size_of(part))
    needed: State = "partly" if partly else "to do"
    return Row(
        step=step,
        number=number,
        state=needed if step.folder_name in to_do else "not needed",
        seconds=seconds,
        bytes=bytes_,
        basis=basis,
        holder=holder(lock_of(step, root)),
    )


def _expected(step: Step, alike: list[Record]) -> tuple[Estimate, Basis]:
    """Return what a step should cost: its estimate, or what others of its function did cost."""
    own = step.estimate()
    ratios = [record.seconds / record.estimate for record in alike if record.estimate]
    seconds, count = own.seconds, own.bytes
    if seconds is not None and ratios:
        seconds *= median(ratios)
    basis: Basis = "unknown" if seconds is None else "estimate"
    if seconds is None and alike:
        seconds, basis = median(record.seconds for record in alike), "like others"
    if count is None and alike:
        count = round(median(record.bytes for record in alike))
    return Estimate(seconds=seconds, bytes=count), basis


def _history(root: Path) -> dict[str, list[Record]]:
    """Return the finished steps under `root`, by the id of their function."""
    found: dict[str, list[Record]] = {}
    for path in sorted(root.glob("*/step.json")):
        with suppress(DataError):  # a file of another program, in a folder of another
            record = read_record(path.parent)
            if record is not None and record.finished:
                found.setdefault(record.id, []).append(record)
    return found


def _described(row: Row, root: Path) -> dict[str, Any]:
    return {
        "number": row.number,
        "name": row.step.name,
        "key": row.step.key,
        "folder": str(folder_of(row.step, root)),
        "state": row.state,
        "needs": [node.readable() for node in row.step.needs],
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
