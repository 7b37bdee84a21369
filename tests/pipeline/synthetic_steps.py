"""Steps of arithmetic: each writes a number, and a line into a log of calls."""

import json
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reeltag.core.errors import ConfigError
from reeltag.pipeline.steps import Estimate, Source, Step, step, step_function
from tests.processes import wait_until


@dataclass(frozen=True)
class Numbers:
    """A config as families have them."""

    rate: float = 0.5
    sizes: tuple[int, ...] = (3, 4)
    workers: int = field(default=2, compare=False)


def value(folder: Path) -> float:
    """Return the number that a step wrote."""
    number: float = json.loads((folder / "value.json").read_text())
    return number


@step_function("number", version=1)
def number(out: Path, data: Path, *, numbers: Numbers, log: Path) -> None:
    """Write the product of data and config."""
    _note(log, out)
    _write(out, float(data.read_text(encoding="utf-8")) * numbers.rate)


@step_function("total", version=1)
def total(out: Path, *inputs: Path, plus: float = 0.0, log: Path) -> None:
    """Write the sum of the inputs."""
    _note(log, out)
    _write(out, sum(map(value, inputs)) + plus)


@step_function("total_of_others", version=1)
def total_of_others(out: Path, *inputs: Path, plus: float = 0.0, log: Path) -> None:
    """Do the same under another id."""
    total(out, *inputs, plus=plus, log=log)


def cost_of(step: Step) -> Estimate:
    """Return the cost that a step's config names."""
    return Estimate(seconds=step.config["seconds"], bytes=step.config["bytes_"])


@step_function("costly", version=1, cost=cost_of)
def costly(out: Path, *inputs: Path, seconds: float | None, bytes_: int) -> None:
    """Do nothing."""


@step_function("nested", version=1)
def nested(out: Path, *, of: dict[str, Any], log: Path) -> None:
    """Write the sum of the paths in a config."""
    _note(log, out)
    _write(out, sum(json.loads(path.read_text()) for path in of["paths"]))


@step_function("slow", version=1)
def slow(out: Path, *, ticks: int, log: Path, gate: Path) -> None:
    """Count up to `ticks`, resuming where an earlier call was killed; wait at 3 for `gate`."""
    _note(log, out)
    state = out / "ticks"
    for tick in range(int(state.read_text()) if state.exists() else 0, ticks):
        if tick == 3:
            wait_until(gate.exists)
        (out / "ticks.part").write_text(str(tick + 1))
        (out / "ticks.part").rename(state)  # complete, whenever it is stopped
    _write(out, float(ticks))


@step_function("failing", version=1)
def failing(out: Path, *inputs: Path, flag: Path, after: Path | None = None) -> None:
    """Fail while `flag` exists, once `after` exists."""
    (out / "started").touch()
    wait_until((after or out).exists)
    if flag.exists():
        raise ZeroDivisionError("by the flag")
    _write(out, 1.0)


@step_function("failing_at_first", version=1)
def failing_at_first(out: Path, *, how: str, log: Path) -> None:
    """Fail the first time: by an error, by one that is not retryable, or with the process."""
    _note(log, out)
    print("output of the step")
    if not (out / "started").exists():
        (out / "started").touch()
        if how == "process":
            os.kill(os.getpid(), signal.SIGKILL)
        raise ConfigError("never") if how == "config" else ZeroDivisionError("at first")
    _write(out, 1.0)


@step_function("meeting", version=1)
def meeting(out: Path, *, mine: str, other: str, folder: Path) -> None:
    """Write process and environment, once another step runs at the same time."""
    (folder / mine).touch()
    wait_until((folder / other).exists)
    names = ("OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES")
    found = {name: os.environ.get(name) for name in names} | {"pid": os.getpid()}
    (out / "environment.json").write_text(json.dumps(found))


def diamond(data: Source, log: Path, *, rate: float = 0.5, plus: float = 0.0) -> Step:
    """Return a goal over two steps that need the same third."""
    runtime = {"log": log}
    top = step(number, data, name="top", numbers=Numbers(rate=rate), runtime=runtime)
    left = step(total, top, name="left", plus=plus, runtime=runtime)
    right = step(total, top, name="right", plus=7.0, runtime=runtime)
    return step(total, left, right, name="goal", runtime=runtime)


def calls(log: Path) -> list[str]:
    """Return the names of the steps that ran, in that order."""
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    return [line.rsplit("-", 1)[0] for line in lines]


def folders(root: Path) -> Sequence[str]:
    """Return the names in a folder."""
    return sorted(path.name for path in root.iterdir())


def _note(log: Path, out: Path) -> None:
    with log.open("a", encoding="utf-8") as file:
        file.write(f"{out.name.removesuffix('.part')}\n")


def _write(out: Path, number: float) -> None:
    (out / "value.json").write_text(json.dumps(number))
