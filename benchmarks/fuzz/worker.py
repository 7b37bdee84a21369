"""The process that runs cases: many of one target, one after the other, with limits.

Before each case its number is written into memory that the parent sees, so that a process that dies
names the case that it died of. The limits are the kernel's: address space, and processor time by a
timer whose signal ends the process, so that code in C that never returns is ended too.
"""

import gc
import os
import random
import resource
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Sequence
from ctypes import Array, c_longlong
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from benchmarks.fuzz.target import Case, Target, WrongError
from benchmarks.fuzz.targets import target_class
from reeltag.core.errors import ReeltagError

NUMBER, ACCEPTED, REFUSED, BUSY = range(4)  # places in the shared memory
SLOTS = 4
_NONE = -1  # number of a case that is not drawn


class Finding(NamedTuple):
    """What went wrong with a case.

    Attributes:
        kind: "traceback", "value", "memory", "crash", "hang".
        what: the same for all cases of one fault, more or less.
        details: of this case.
    """

    kind: str
    what: str
    details: str = ""

    @property
    def signature(self) -> tuple[str, str]:
        """Kind and what."""
        return self.kind, self.what


def drawn(target: Target, seed: int, number: int) -> Case:
    """Return case `number` of a seed."""
    return target.make(random.Random(f"{seed} {target.name} {number}"))


def prepare(name: str, shared: Path) -> None:
    """Write the seed files of a target."""
    _to_file(shared.parent / "prepared.txt")
    target_class(name).prepare(shared)


def work(
    connection: Connection, state: "Array[c_longlong]", name: str, shared: Path, own: Path
) -> None:
    """Run what is asked for until the connection is closed.

    Args:
        connection: gives (seed, numbers) or a `Case`; gets ("failed", number, finding) and "done".
        state: `SLOTS` numbers that the parent reads.
        name: of the target.
        shared: with its seed files.
        own: folder of this process.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warnings.simplefilter("ignore")
    _to_file(own / "output.txt")
    kind = target_class(name)
    target = kind(shared, own)
    gc.disable()  # by number, below: else a case pays for the others
    limit = _address_space() + (kind.limit_mb << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    connection.send("ready")
    while True:
        try:
            asked = connection.recv()
        except EOFError:
            return
        if isinstance(asked, Case):
            connection.send(("case", _run(target, asked, state, _NONE)))
            continue
        seed, numbers = asked
        _run_numbers(connection, target, state, seed, numbers)
        connection.send("done")


def _run_numbers(
    connection: Connection,
    target: Target,
    state: "Array[c_longlong]",
    seed: int,
    numbers: Sequence[int],
) -> None:
    for number in numbers:
        state[NUMBER] = number
        try:
            case = drawn(target, seed, number)
        except Exception as error:
            found: Finding | None = _finding(error, "made")
        else:
            found = _run(target, case, state, number)
        if found:
            connection.send(("failed", number, found))
        if not number % 500:
            gc.collect()


def _run(target: Target, case: Case, state: "Array[c_longlong]", number: int) -> Finding | None:
    """Return what went wrong with a case, or None; the process dies of what cannot be caught."""
    state[BUSY] = 1
    signal.setitimer(signal.ITIMER_PROF, target.limit_s)  # SIGPROF ends the process
    try:
        outcome = target.run(case)
    except ReeltagError:
        outcome = "refused"
    except Exception as error:
        return _finding(error, "read")
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        state[BUSY] = 0
    if number != _NONE:
        state[ACCEPTED if outcome == "accepted" else REFUSED] += 1
    return None


def _finding(error: Exception, doing: str) -> Finding:
    text = "".join(traceback.format_exception(error))[-6000:]
    if isinstance(error, WrongError):
        return Finding("value", error.what, f"{error.details}\n{text}")
    where = _place(error)
    kind = "memory" if isinstance(error, MemoryError) else "traceback"
    return Finding(kind, f"{type(error).__name__} in {where} while it is {doing}", text)


def _place(error: Exception) -> str:
    """Return file and function of the innermost code of ours."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/reeltag/" in frame.filename] or frames
    name = ours[-1].filename.rsplit("/reeltag/", 1)[-1]
    return f"{name}:{ours[-1].name}"


def _address_space() -> int:
    """Return the bytes of address space that this process has; 0 where that is not known."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[0])
    except OSError:
        return 1 << 42
    return pages * resource.getpagesize()


def _to_file(path: Path) -> None:
    """Send what is printed, by libraries in C too, to a file."""
    sys.stdout.flush()
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
    for number in (1, 2):
        os.dup2(file, number)
    os.close(file)
    time.sleep(0)
