"""Where results lie, and what is written down of each.

ROOT/train-II-A-0123456789ab/            a finished step, with step.json inside
ROOT/train-II-A-0123456789ab.part/       one that has begun; appears under its name in one rename
ROOT/train-II-A-0123456789ab.lock        while a process works on it
"""

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import reeltag
from reeltag.core.errors import DataError
from reeltag.core.fields import from_json
from reeltag.core.files import write_json
from reeltag.pipeline.keys import readable
from reeltag.pipeline.steps import Node, Step, path_of

RECORD = "step.json"


@dataclass(frozen=True, kw_only=True)
class Record:
    """What step.json says that is read again; the file says more, for people.

    Attributes:
        id: of the function.
        seconds: worked on it, in all sessions; of a step that has begun, in the earlier ones.
        began: when the last session began, seconds since 1970.
        sessions: how often it was begun or gone on with.
        finished: whether it is whole.
        bytes: of all its files; 0 before it is finished.
        estimate: seconds that it was thought to take before; None = nobody knew.
    """

    id: str
    seconds: float
    began: float
    sessions: int
    finished: bool
    bytes: int
    estimate: float | None = None


def folder_of(node: Node, root: Path) -> Path:
    """Return where the result of a step lies, or will lie; of a source, its path."""
    return folders(root)(node)


def part_of(step: Step, root: Path) -> Path:
    """Return where a step is worked on."""
    return root / f"{step.folder_name}.part"


def lock_of(step: Step, root: Path) -> Path:
    """Return the file that is locked while a process works on a step."""
    return root / f"{step.folder_name}.lock"


def is_done(node: Node, root: Path) -> bool:
    """Return whether a result is there, whole."""
    return folder_of(node, root).exists()


def read_record(folder: Path) -> Record | None:
    """Return what step.json in `folder` says; None where there is none.

    Raises:
        DataError: it is damaged.
    """
    path = folder / RECORD
    hint = f"Remove {folder}, and it is made again."
    try:
        value = json.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError as error:
        raise DataError("is no JSON", where=path, hint=hint) from error
    try:
        known = {name: value[name] for name in Record.__dataclass_fields__ if name in value}
        record: Record = from_json(Record, known, where=path, field="step")
    except (DataError, TypeError) as error:
        raise DataError("was not written by reeltag", where=path, hint=hint) from error
    return record


def begin(step: Step, root: Path) -> Record:
    """Write down that work on a step begins, or goes on, and return that."""
    part = part_of(step, root)
    part.mkdir(parents=True, exist_ok=True)
    before = read_record(part)
    if before is not None and before.finished:
        return before  # only the rename was missing
    expected = step.estimate().seconds
    record = Record(
        id=step.id,
        seconds=spent(part, before),
        began=time.time(),
        sessions=before.sessions + 1 if before else 1,
        finished=False,
        bytes=0,
        estimate=None if expected is None else float(expected),
    )
    _write(part, step, root, record)
    return record


def finish(step: Step, root: Path, record: Record, seconds: float) -> Record:
    """Give a step that has been made its name: the folder appears there at once, and whole."""
    part = part_of(step, root)
    if not record.finished:
        whole = {"finished": True, "seconds": record.seconds + seconds, "bytes": size_of(part)}
        record = Record(**{**asdict(record), **whole})
        _write(part, step, root, record)
    _sync(part)
    os.replace(part, folder_of(step, root))
    return record


def spent(part: Path, record: Record | None) -> float:
    """Return the seconds that went into an unfinished step, up to its last sign of life."""
    if record is None:
        return 0.0
    latest = max(path.stat().st_mtime for path in [part, *part.rglob("*")])
    return record.seconds + max(0.0, latest - record.began)


def size_of(folder: Path) -> int:
    """Return the bytes of all files in a folder; 0 where there is none."""
    files = (path.lstat() for path in folder.rglob("*") if path.is_file())
    return sum(found.st_size for found in files)


def folders(root: Path) -> Callable[[Any], Path]:
    """Return the function that tells where steps and sources lie."""
    return lambda step: root / step.folder_name if isinstance(step, Step) else step.path


def _write(part: Path, step: Step, root: Path, record: Record) -> None:
    date = time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(record.began))
    value = {
        "name": step.name,
        "key": step.key,
        **asdict(record),
        "function": path_of(step.fn),
        "version": step.version,
        "config": readable(step.config),
        "runtime": readable(step.runtime),
        "inputs": [given.readable() for given in step.inputs],
        "date": date,
        "reeltag": reeltag.__version__,
    }
    write_json(part / RECORD, value)


def _sync(folder: Path) -> None:
    """Wait until the disk has all files of a folder: its name must not outlive its content."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                os.fsync(file.fileno())
