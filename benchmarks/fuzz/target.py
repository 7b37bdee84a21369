"""What a fuzz target is: it makes cases, runs one, and says what must not happen."""

import random
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple, TypeAlias

Outcome: TypeAlias = Literal["accepted", "refused"]


class Case(NamedTuple):
    """One input.

    Attributes:
        variant: which reader it is for, and as which file.
        data: its bytes.
    """

    variant: str
    data: bytes


class WrongError(Exception):
    """A reader took a case and gave what it must not give.

    Args:
        what: in a few words that are the same for all cases of one fault.
        details: of this case.
    """

    def __init__(self, what: str, details: str = "") -> None:
        super().__init__(what)
        self.what, self.details = what, details


class Target(ABC):
    """A reader, or several of a kind, that is fuzzed.

    Cases depend on the random generator and on the seed files alone, so that a case is repeated by
    its number.

    Args:
        shared: folder that `prepare` filled; read only.
        own: an empty folder of this process.

    Attributes:
        name: on the command line.
        about: what is read, for the table.
        limit_s: processor seconds that a case may take.
        limit_mb: address space that a case may take, in MiB, beyond what the process had before.
    """

    name: ClassVar[str]
    about: ClassVar[str]
    limit_s: ClassVar[float] = 10.0
    limit_mb: ClassVar[int] = 1024

    def __init__(self, shared: Path, own: Path) -> None:
        self.shared, self.own = shared, own

    @classmethod
    def prepare(cls, shared: Path) -> None:
        """Write the files that cases are mutations of; once, in a process of its own.

        Args:
            shared: empty folder for them.
        """
        return

    @abstractmethod
    def make(self, rng: random.Random) -> Case:
        """Return a case."""

    @classmethod
    def smaller(cls, case: Case) -> Iterator[Case]:
        """Yield cases that are a little smaller, by what the bytes mean; none by default."""
        yield from ()

    @abstractmethod
    def run(self, case: Case) -> Outcome:
        """Read a case; return whether it was accepted or refused.

        Raises:
            ReeltagError: the case is refused, which is as good as to return that.
            WrongError: what was read is not what is in it.
            Exception: any other is a failure too.
        """
