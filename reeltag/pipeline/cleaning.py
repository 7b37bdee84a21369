"""Folders of earlier graphs, found and removed."""

import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from reeltag.pipeline.locks import attempted, holder
from reeltag.pipeline.steps import Step, ordered
from reeltag.pipeline.store import RECORD, size_of

_OURS = re.compile(r"(?P<step>.+-[0-9a-f]{12})(?P<kind>\.part|\.trash)?")


@dataclass(frozen=True, kw_only=True)
class Leftover:
    """A folder that the graph does not need, with the bytes in it and who works on it, if any."""

    folder: Path
    bytes: int
    holder: str = ""


def leftovers(goals: Step | Iterable[Step], root: Path) -> list[Leftover]:
    """Return the results under `root`, finished or not, that are none of the goals' graph.

    Folders that steps did not make (without a step.json) are left alone.
    """
    needed = {node.readable() for node in ordered(goals)}
    found = []
    for folder in sorted(root.iterdir()) if root.is_dir() else []:
        name = _OURS.fullmatch(folder.name)
        if name is None or not folder.is_dir():
            continue
        result = name["kind"] != ".trash"
        if result and (name["step"] in needed or not (folder / RECORD).is_file()):
            continue
        who = holder(root / f"{name['step']}.lock")
        found.append(Leftover(folder=folder, bytes=size_of(folder), holder=who))
    return found


def remove(leftover: Leftover) -> bool:
    """Remove a folder, unless a process works on it; return whether it is gone.

    It loses its name first: a removal that is killed leaves no half of a result under it.
    """
    folder = leftover.folder
    step = _OURS.fullmatch(folder.name)
    assert step is not None
    with attempted(folder.with_name(f"{step['step']}.lock")) as ours:
        if not ours:
            return False
        trash = folder.with_name(f"{step['step']}.trash")
        if trash != folder:
            shutil.rmtree(trash, ignore_errors=True)
            os.replace(folder, trash)
        shutil.rmtree(trash)
    return True
