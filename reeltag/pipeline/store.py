"""Folders of results, and the record in each.

ROOT/train-II-A-0123456789ab/            a finished step, with step.json inside
ROOT/train-II-A-0123456789ab.part/       an unfinished one; it gets its name in one rename
ROOT/train-II-A-0123456789ab.lock        while a process runs it
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import reeltag
from reeltag.core.errors import DataError
from reeltag.core.fields import from_json
from reeltag.core.files import put, remove_left_within, write_json
from reeltag.core.parts import remove_dead_parts
from reeltag.core.writing import make_folder
from reeltag.pipeline.keys import json_value
from reeltag.pipeline.steps import Node, Step, qualified_name

RECORD = "step.json"


@dataclass(frozen=True, kw_only=True)
class Record:
    """The fields of step.json that are read again; the file has more, for people.

    Attributes:
        id: of the function.
        seconds: of all sessions; of an unfinished step, of the earlier ones.
        began: when the last session began, seconds since 1970.
        sessions: how often it was begun or resumed.
        finished: whether it is complete.
        bytes: of all its files; 0 before it is finished.
        estimate: seconds expected before it began; None = unknown.
    """

    id: str
    seconds: float
    began: float
    sessions: int
    finished: bool
    bytes: int
    estimate: float | None = None


def folder_of(node: Node, root: Path) -> Path:
    """Return the folder of a step's result, finished or not; of a source, its path."""
    return locator(root)(node)


def part_of(step: Step, root: Path) -> Path:
    """Return the folder of an unfinished step."""
    return root / f"{step.folder_name}.part"


def lock_of(step: Step, root: Path) -> Path:
    """Return the file that is locked while a process runs a step."""
    return root / f"{step.folder_name}.lock"


def is_done(node: Node, root: Path) -> bool:
    """Return whether a step is finished; of a source, whether it exists."""
    return folder_of(node, root).exists()


def read_record(folder: Path) -> Record | None:
    """Return the record in `folder`; None where there is none.

    Raises DataError if it is damaged.
    """
    path = folder / RECORD
    hint = f"Remove {folder}, and the step runs again."
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
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
    """Write the record of a step that begins or resumes, and return it."""
    part = part_of(step, root)
    make_folder(part)
    remove_dead_parts(part)
    before = read_record(part)
    if before is not None and before.finished:
        return before  # only the rename was missing
    expected = step.estimate().seconds
    record = Record(
        id=step.id,
        seconds=seconds_spent(part, before),
        began=time.time(),
        sessions=before.sessions + 1 if before else 1,
        finished=False,
        bytes=0,
        estimate=None if expected is None else float(expected),
    )
    _write(part, step, root, record)
    return record


def finish(step: Step, root: Path, record: Record, seconds: float) -> Record:
    """Rename the folder of a step that has run: it appears complete, in one rename."""
    part = part_of(step, root)
    if not record.finished:
        remove_left_within(part)  # of sessions that were killed
        complete = {"finished": True, "seconds": record.seconds + seconds, "bytes": size_of(part)}
        record = Record(**{**asdict(record), **complete})
        _write(part, step, root, record)
    put(part, folder_of(step, root))
    return record


def seconds_spent(part: Path, record: Record | None) -> float:
    """Return the seconds spent on an unfinished step, up to its last write."""
    if record is None:
        return 0.0
    latest = max(path.stat().st_mtime for path in [part, *part.rglob("*")])
    return record.seconds + max(0.0, latest - record.began)


def size_of(folder: Path) -> int:
    """Return the bytes of all files in a folder; 0 where there is none."""
    files = (path.lstat() for path in folder.rglob("*") if path.is_file())
    return sum(found.st_size for found in files)


def locator(root: Path) -> Callable[[Any], Path]:
    """Return the function that maps a step to its folder, and a source to its path."""
    return lambda step: root / step.folder_name if isinstance(step, Step) else step.path


def _write(part: Path, step: Step, root: Path, record: Record) -> None:
    date = time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(record.began))
    value = {
        "name": step.name,
        "key": step.key,
        **asdict(record),
        "function": qualified_name(step.fn),
        "version": step.version,
        "config": json_value(step.config),
        "runtime": json_value(step.runtime),
        "inputs": [given.label() for given in step.inputs],
        "date": date,
        "reeltag": reeltag.__version__,
    }
    write_json(part / RECORD, value)
