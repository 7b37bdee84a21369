"""What passes between the one who shares steps out and the workers who make them."""

import pickle
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from reeltag.core.errors import ConfigError
from reeltag.pipeline.steps import Step

LOGS = "logs"  # folder below that of the results
Answer = Literal["begun", "resumed", "done", "there", "taken", "failed", "stopped", "died", "lost"]


@dataclass(frozen=True, kw_only=True)
class Order:
    """A step that a worker is to make.

    Attributes:
        step: name of its folder.
        log: file that everything is appended to that the step says.
        paths: where modules are found; the worker looks there too, after its own.
        content: the step and the folder of results, pickled: it is the worker's main
            thread that unpacks them, for that imports the function, and what fails is reported.
    """

    step: str
    log: Path
    paths: tuple[str, ...]
    content: bytes

    def opened(self) -> tuple[Step, Path]:
        """Return the step and the folder of results."""
        step, root = pickle.loads(self.content)
        return step, root


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """What a worker says.

    Attributes:
        answer: "begun" or "resumed", later one of the others: "there": it was made meanwhile;
            "taken": another process is at it; "stopped": by Ctrl-C; "died": the worker itself
            ended; "lost": and with it the machine, it takes no more orders.
        step: name of the folder; "" where the worker had none.
        seconds: worked on it; of "done", in all sessions.
        bytes: of the result.
        words: why, who, or how many sessions.
        hopeless: to try it again is no use.
    """

    answer: Answer
    step: str
    seconds: float = 0.0
    bytes: int = 0
    words: str = ""
    hopeless: bool = False


def order(step: Step, root: Path) -> Order:
    """Return the order to make a step.

    Raises:
        ConfigError: the step cannot be sent to another process.
    """
    if step.fn.__module__ == "__main__":
        raise ConfigError(
            f"{step.fn.__qualname__} stands in the program itself, where no worker finds it",
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
    return Order(step=step.folder_name, log=log_of(step, root), paths=paths, content=content)


def log_of(step: Step, root: Path) -> Path:
    """Return the file that keeps what a step says while a worker makes it."""
    return root.absolute() / LOGS / f"{step.folder_name}.log"
