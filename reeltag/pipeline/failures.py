"""Failed steps: how often each is tried, and the error at the end that names them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

from annotated_types import Ge

from reeltag.core.bounds import CheckedFields
from reeltag.core.errors import ConfigError, ReeltagError
from reeltag.pipeline.steps import Step

SHOWN = 12  # names of steps in one error


class FailedStepsError(ReeltagError):
    """Steps failed, and what did not depend on them has run or could not."""


@dataclass(frozen=True)
class Failures(CheckedFields):
    """Failures in one call.

    Attributes:
        retries: how often a failed step is run again. One that failed with a `ConfigError` is not:
            a wrong config stays wrong.
        tries: failed tries, by the step's folder name.
        given_up: reason, by the step's folder name, for those that are not tried again.
    """

    retries: Annotated[int, Ge(0)] = 0
    tries: Counter[str] = field(default_factory=Counter)
    given_up: dict[str, str] = field(default_factory=dict)

    def add(self, step: Step, why: str, *, retryable: bool = True) -> bool:
        """Record that a step failed; return whether it is to be tried again."""
        self.tries[step.folder_name] += 1
        again = retryable and self.tries[step.folder_name] <= self.retries
        if not again:
            self.given_up[step.folder_name] = f"{step.name} ({why}; {self.format_tries(step)})"
        return again

    def format_tries(self, step: Step) -> str:
        """Return how often a step was tried, in words."""
        count = self.tries[step.folder_name]
        return {1: "tried once", 2: "tried twice"}.get(count, f"tried {count} times")

    def error(self, steps: Sequence[Step], missing: Sequence[Step], hint: str = "") -> ReeltagError:
        """Return the error to raise at the end.

        Args:
            steps: of the graph.
            missing: those of them that are not finished.
            hint: where to look.
        """
        message = f"{len(self.given_up)} of {len(steps)} steps failed: "
        message += format_names(list(self.given_up.values()))
        left = [step.name for step in missing if step.folder_name not in self.given_up]
        message += f"; not run because of that: {format_names(left)}" if left else ""
        hint = f"{hint} The same command tries them again and runs what is missing.".strip()
        return FailedStepsError(message, hint=hint)


def is_retryable(error: BaseException) -> bool:
    """Return whether a step that raised this may succeed when it is run again."""
    return not isinstance(error, ConfigError)


def format_error(error: BaseException) -> str:
    """Return an error in one line, its class first."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def format_names(names: Sequence[str]) -> str:
    """Return names with commas between them, at most 12.

    >>> format_names(["a", "b"]), format_names([str(n) for n in range(14)])[-20:]
    ('a, b', '9, 10, 11 and 2 more')
    """
    shown, more = names[:SHOWN], len(names) - SHOWN
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
