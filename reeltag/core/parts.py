"""Temporary files and folders: their names, whose they are, and who removes them.

    .NAME.0123456789abcdef.reeltag-part      becomes NAME in one rename

The name is hidden, so that no pattern of shards or of results finds it, and random. It is made
only where nothing is there (O_EXCL, mkdir), and no link is followed. While its process lives it is
locked, as in `core.locks`; a process removes what it has made itself, and what the lock proves to
have been left by a dead process, if the name says that it was to become the same result. Where a
file system has no locks nothing is proven, and nothing of another process is removed.

On Windows an open file or folder cannot be renamed: a file next to it is locked in its place.

    .NAME.0123456789abcdef.reeltag-guard     for .NAME.0123456789abcdef.reeltag-part
"""

import hashlib
import os
import re
import secrets
import shutil
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

from reeltag.core.addresses import check_is_local
from reeltag.core.locks import Descriptor, is_same_file
from reeltag.core.system.open_files import FOLDER, OPEN_FILES_MOVE
from reeltag.core.writing import writing

_PART_ENDING, _GUARD_ENDING = ".reeltag-part", ".reeltag-guard"
_PART = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{16}\.reeltag-(?P<kind>part|guard)", re.DOTALL)
_LONGEST = 200  # bytes of a name within another one; a file system takes 255
_NEW_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL
_LOCK = "reeltag-lock"


@contextmanager
def new_part(path: Path, *, folder: bool = False) -> Iterator[Path]:
    """Yield a new, empty file or folder next to `path`; at the end it is removed if still there.

    Args:
        path: of what it is to become; its folder is made if need be.
        folder: make a folder.

    Raises:
        OutputError: it cannot be made.
    """
    check_is_local(path)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        part, file = _new_part(path, folder=folder)
    try:
        yield part
    finally:
        if file.is_open:  # else this is a forked process, and the parent's to remove
            remove_ours(part)
            file.close()
            if not OPEN_FILES_MOVE:
                remove_ours(_guard(part))


def is_part(name: str) -> bool:
    """Return whether the name of a file or folder is that of a part, or of what is for one."""
    return _PART.fullmatch(name) is not None


def is_lock(name: str) -> bool:
    """Return whether the name of a file is that of a lock."""
    return name.startswith(".") and name.endswith(f".{_LOCK}")


def part_name(name: str) -> str:
    """Return a new name for what is to become `name`."""
    return f".{_short(name)}.{secrets.token_hex(8)}{_PART_ENDING}"


def lock_path(result: Path) -> Path:
    """Return the lock file of a result: in a folder that is there, else next to it.

    Links are followed, so that all paths of a result have one lock. OutputError for an address.
    """
    check_is_local(result)
    whole = result.resolve()
    return whole / f".{_LOCK}" if whole.is_dir() else lock_next_to(whole)


def lock_next_to(result: Path) -> Path:
    """Return the lock file of a result that is not there yet, next to it; see `lock_path`."""
    check_is_local(result)
    whole = result.resolve()
    return whole.with_name(f".{_short(whole.name)}.{_LOCK}")


def remove_dead_parts(folder: Path, name: str | None = None) -> None:
    """Remove parts in a folder whose processes have ended.

    Args:
        folder: that is looked into, but not into folders in it.
        name: only what was to become this; None = all, where the whole folder is one result.
    """
    found = _parts_in(folder)
    for names in found.values() if name is None else [found.get(_short(name), [])]:
        for part in names:
            _remove_if_dead(folder / part)


def remove_dead_parts_of(path: Path) -> None:
    """Remove what dead processes left of a file; each folder is looked into once by a process."""
    left = _parts_at_first(path.parent.absolute()).get(_short(path.name), [])
    for name in left:
        _remove_if_dead(path.with_name(name))
    left.clear()


def remove_ours(part: Path) -> None:
    """Remove a file of ours, or a folder with all that is in it; a link is not followed."""
    with suppress(OSError):
        if part.is_dir() and not part.is_symlink():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)


def discard(folder: Path, of: Path) -> None:
    """Remove a folder of ours: in one step it is a part of a result, then what is in it goes.

    Args:
        folder: that is removed; there may be none.
        of: the result, in the same folder. Whoever writes it next removes what a kill leaves.
    """
    part = folder.with_name(part_name(of.name))
    with suppress(OSError):
        folder.rename(part)
        remove_ours(part)


def _guard(part: Path) -> Path:
    """Return what is locked while the process of a part lives: the part, or a file next to it."""
    if OPEN_FILES_MOVE:
        return part
    return part.with_name(part.name.removesuffix(_PART_ENDING) + _GUARD_ENDING)


def _new_part(path: Path, *, folder: bool) -> tuple[Path, Descriptor]:
    """Return a new part and its open guard, which is locked."""
    while True:
        part = path.with_name(part_name(path.name))
        with suppress(FileExistsError):
            file = _locked(part, folder=folder)
            if file is not None:
                return part, file


def _locked(part: Path, *, folder: bool) -> Descriptor | None:
    """Make a part and lock it; None where a process took it for a dead one before that."""
    if OPEN_FILES_MOVE and folder:
        part.mkdir()
        try:
            file = Descriptor(part, FOLDER)
        except FileNotFoundError:
            return None
    else:
        file = Descriptor(_guard(part), _NEW_FILE)
    if file.lock() is False or not is_same_file(file.number, _guard(part)):
        file.close()
        return None
    if not OPEN_FILES_MOVE:
        part.mkdir() if folder else part.touch(exist_ok=False)
    return file


def _remove_if_dead(part: Path) -> None:
    """Remove a part if its lock is free; it is held while that is done."""
    guard = _guard(part)
    with suppress(OSError):
        is_folder = guard.is_dir() and not guard.is_symlink()
        file = Descriptor(guard, FOLDER if is_folder else os.O_RDWR)
        try:
            is_dead = file.lock() and is_same_file(file.number, guard)
            if is_dead:
                remove_ours(part)
        finally:
            file.close()
        if is_dead and not OPEN_FILES_MOVE:
            remove_ours(guard)


def _parts_in(folder: Path) -> dict[str, list[str]]:
    """Return the parts in a folder, by the name that they were to get."""
    found = defaultdict[str, list[str]](list)
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if match := _PART.fullmatch(entry.name):
                part = entry.name[: match.start("kind")] + "part"
                if part not in found[match["name"]]:  # it has a guard, too
                    found[match["name"]].append(part)
    return dict(found)


@lru_cache(maxsize=1024)
def _parts_at_first(folder: Path) -> dict[str, list[str]]:
    """Return what `_parts_in` found at first: to write N files must not list N names N times."""
    return _parts_in(folder)


def _short(name: str) -> str:
    """Return a name, cut where it is too long to be part of another one, with a hash of it."""
    encoded = os.fsencode(name)
    if len(encoded) <= _LONGEST:
        return name
    digest = hashlib.sha256(encoded).hexdigest()[:16]
    return f"{encoded[: _LONGEST - 17].decode(errors='ignore')}~{digest}"
