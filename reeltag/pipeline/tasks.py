"""Messages between the scheduler and its workers."""

import pickle
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from reeltag.core.errors import ConfigError
from reeltag.pipeline.steps import Step

LOGS = "logs"  # folder below that of the results
Status = Literal[
    "started", "resumed", "done", "present", "locked", "failed", "interrupted", "died", "lost"
]


@dataclass(frozen=True, kw_only=True)
class Task:
    """A step for a worker to run.

    Attributes:
        step: name of its folder.
        log: file to which all output of the step is appended.
        paths: where modules are found; the worker looks there too, after its own.
        content: the step and the folder of results, pickled. The worker's main thread unpickles
            them: that imports the function, and an error is reported.
    """

    step: str
    log: Path
    paths: tuple[str, ...]
    content: bytes

    def unpack(self) -> tuple[Step, Path]:
        """Return the step and the folder of results."""
        step, root = pickle.loads(self.content)
        return step, root


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """A worker's report.

    Attributes:
        status: "started" or "resumed", later one of the others: "present": it was finished
            meanwhile; "locked": another process runs it; "interrupted": by Ctrl-C; "died": the
            worker itself ended; "lost": and so did its machine, it takes no more tasks.
        step: name of the folder; "" where the worker had none.
        seconds: worked on it; of "done", in all sessions.
        bytes: of the result.
        message: reason, holder of the lock, or number of sessions.
        retryable: whether it may succeed when it is run again.
    """

    status: Status
    step: str
    seconds: float = 0.0
    bytes: int = 0
    message: str = ""
    retryable: bool = True


def create_task(step: Step, root: Path) -> Task:
    """Return the task to run a step.

    Raises ConfigError if the step cannot be sent to another process.
    """
    if step.fn.__module__ == "__main__":
        raise ConfigError(
            f"{step.fn.__qualname__} is defined in the program itself, where no worker finds it",
            where=step.name,
            hint="Put the functions of steps into a module, or leave out --workers.",
        )
    try:
        content = pickle.dumps((step, root.absolute()))
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"cannot be sent to another process ({error})",
            where=step.name,
            hint="Its function and its config must be those of a module.",
        ) from error
    paths = tuple(str(Path(path).absolute()) for path in sys.path)
    return Task(step=step.folder_name, log=log_of(step, root), paths=paths, content=content)


def log_of(step: Step, root: Path) -> Path:
    """Return the file with the output of a step that a worker runs."""
    return root.absolute() / LOGS / f"{step.folder_name}.log"
