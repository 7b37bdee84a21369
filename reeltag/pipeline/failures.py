"""Steps that failed: how often each is tried, and what is said of them at the end."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from reeltag.core.errors import ConfigError, ReeltagError
from reeltag.pipeline.steps import Step

SHOWN = 12  # names of steps in one error


class FailedStepsError(ReeltagError):
    """Steps failed, and all that did not depend on them was made, or was to be made."""


@dataclass(frozen=True)
class Failures:
    """What failed in one call.

    Attributes:
        retries: how often a step that failed is tried again. A `ConfigError` is not: what cannot
            be built today cannot be built in a moment.
        tries: that failed, by the step's folder name.
        given_up: why, by the step's folder name, of those that are not tried again.
    """

    retries: int = 0
    tries: Counter[str] = field(default_factory=Counter)
    given_up: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.retries < 0:
            raise ConfigError(f"must be >= 0, got {self.retries}", where="retries")

    def add(self, step: Step, why: str, *, hopeless: bool = False) -> bool:
        """Note that a step failed; return whether it is to be tried again."""
        self.tries[step.folder_name] += 1
        again = not hopeless and self.tries[step.folder_name] <= self.retries
        if not again:
            self.given_up[step.folder_name] = f"{step.name} ({why}; {self.tried(step)})"
        return again

    def tried(self, step: Step) -> str:
        """Say how often a step was tried."""
        count = self.tries[step.folder_name]
        return {1: "tried once", 2: "tried twice"}.get(count, f"tried {count} times")

    def error(self, steps: Sequence[Step], missing: Sequence[Step], hint: str = "") -> ReeltagError:
        """Return what is raised at the end.

        Args:
            steps: of the graph.
            missing: of them, those that are not there.
            hint: where to look.
        """
        words = f"{len(self.given_up)} of {len(steps)} steps failed: "
        words += listed(list(self.given_up.values()))
        left = [step.name for step in missing if step.folder_name not in self.given_up]
        words += f"; not made for that: {listed(left)}" if left else ""
        return FailedStepsError(
            words, hint=f"{hint} The same command tries them again and makes the rest.".strip()
        )


def hopeless(error: BaseException) -> bool:
    """Return whether it is no use to try again what raised this."""
    return isinstance(error, ConfigError)


def reason(error: BaseException) -> str:
    """Return an error in one line, its kind first."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def listed(names: Sequence[str]) -> str:
    """Return names with commas between them, not more than a person reads.

    >>> listed(["a", "b"]), listed([str(n) for n in range(14)])[-20:]
    ('a, b', '9, 10, 11 and 2 more')
    """
    shown, more = names[:SHOWN], len(names) - SHOWN
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
