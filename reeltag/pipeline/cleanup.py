"""Cleanup: finds and removes the folders of earlier graphs."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from reeltag.core.files import put
from reeltag.core.locks import lock_holder, try_lock
from reeltag.core.parts import remove_ours
from reeltag.pipeline.steps import Step, ordered
from reeltag.pipeline.store import RECORD, size_of

_OURS = re.compile(r"(?P<step>.+-[0-9a-f]{12})(?P<kind>\.part|\.trash)?")


@dataclass(frozen=True, kw_only=True)
class UnusedFolder:
    """A folder that the graph does not need, its size, and the process that works on it, if any."""

    folder: Path
    bytes: int
    holder: str = ""


def unused_folders(goals: Step | Iterable[Step], root: Path) -> list[UnusedFolder]:
    """Return the results under `root`, finished or not, that the goals do not need.

    Folders without a step.json are left alone.
    """
    needed = {node.label() for node in ordered(goals)}
    found = []
    for folder in sorted(root.iterdir()) if root.is_dir() else []:
        name = _OURS.fullmatch(folder.name)
        if name is None or not folder.is_dir():
            continue
        result = name["kind"] != ".trash"
        if result and (name["step"] in needed or not (folder / RECORD).is_file()):
            continue
        holder = lock_holder(root / f"{name['step']}.lock")
        found.append(UnusedFolder(folder=folder, bytes=size_of(folder), holder=holder))
    return found


def remove(unused: UnusedFolder) -> bool:
    """Remove a folder, unless a process works on it; return whether it is gone.

    It is renamed first: a removal that is killed leaves no partial result under its name.
    """
    folder = unused.folder
    step = _OURS.fullmatch(folder.name)
    assert step is not None
    with try_lock(folder.with_name(f"{step['step']}.lock")) as ours:
        if not ours:
            return False
        trash = folder.with_name(f"{step['step']}.trash")
        if trash != folder:
            remove_ours(trash)
            put(folder, trash, durable=False)
        remove_ours(trash)
    return True
