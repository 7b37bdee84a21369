"""Files and folders that appear whole or not at all."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TypeAlias, cast

from reeltag.core.errors import OutputError
from reeltag.core.locks import Lock, hold, try_lock
from reeltag.core.parts import (
    is_lock,
    lock_next_to,
    lock_path,
    new_part,
    remove_dead_parts,
    remove_dead_parts_of,
)
from reeltag.core.system.folders import is_own, make_link, replace, sync_folder, user_key
from reeltag.core.system.open_files import open_file
from reeltag.core.text import json_text
from reeltag.core.writing import make_folder, sync, writing

PathLike: TypeAlias = str | Path  # what public functions take

_OTHER_TMPDIR = "Free some space, or set TMPDIR to a folder on a larger disk."


def to_paths(paths: PathLike | Sequence[PathLike]) -> list[Path]:
    """Return the paths of several files or folders; one alone is a list of one."""
    return [Path(path) for path in ([paths] if isinstance(paths, str | Path) else paths)]


@contextmanager
def whole_file(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yield a path next to `path` to write to; it becomes `path` only if the block succeeds.

    Args:
        path: of the file; its folder is made if need be.
        durable: wait until it is on the disk, so that a loss of power leaves the old or the new
            one. Not needed for what is checked when it is read, and made again.

    Raises:
        OutputError: the disk is full, or the folder cannot be written to; `path` is as before.
    """
    remove_dead_parts_of(path)
    with new_part(path) as part, writing(path, part):
        yield part
        put(part, path, durable=durable)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder next to `path`; it becomes `path` only if the block succeeds.

    Args:
        path: of the folder, which does not exist yet.

    Raises:
        OutputError: `path` exists already, cannot be written, or is being written by another
            process, which is named.
    """
    check_new_path(path)
    with hold(lock_next_to(path), path):
        check_new_path(path)
        remove_dead_parts(path.parent, path.name)
        with new_part(path, folder=True) as part, _named(part, path), writing(path, part):
            yield part
            put(part, path)


@contextmanager
def files_into(folder: Path) -> Iterator[Path]:
    """Yield an empty folder to write to; its files get to `folder` only if the block succeeds.

    They replace files of the same names there, one by one in the order of their names; others stay.
    A folder without files is not made.

    Args:
        folder: that is there or not.

    Raises:
        OutputError: it cannot be written to, or another process writes into it, which is named.
    """
    is_there = folder.is_dir()
    place = folder / folder.resolve().name if is_there else folder  # on the same disk
    with (
        hold_result(folder),
        new_part(place, folder=True) as part,
        _named(part, folder),
        writing(folder, part),
    ):
        yield part
        names = sorted(os.listdir(part))
        if names and not is_there:
            put(part, folder)
            return
        sync(part)
        for name in names:
            replace(part / name, folder / name)
        sync_folder(folder)


@contextmanager
def hold_result(
    path: Path, *, hint: str = "Wait for it, or choose another --out."
) -> Iterator[Lock]:
    """Hold the lock of a result for the length of the block; what dead processes left is removed.

    Args:
        path: of the file or folder; one that is not there is locked by its name.
        hint: what to do where another process holds it.

    Raises:
        OutputError: another process holds it, which is named; or the lock cannot be written.
    """
    with hold(lock_path(path), path, hint=hint) as lock:
        if path.is_dir():
            remove_dead_parts(path)
        else:
            remove_dead_parts(path.parent, path.name)
        yield lock


@contextmanager
def appending(path: Path) -> Iterator[BinaryIO]:
    """Yield a file that is written to at its end, and made if need be; no link is followed.

    Args:
        path: of the file.

    Raises:
        OutputError: the disk is full, or it cannot be written to; what was there stays.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    hint = "Free some space and go on; what was written before is kept."
    with writing(path, hint=hint), os.fdopen(open_file(path, flags, follow=False), "ab") as file:
        yield file


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield a folder in $TMPDIR for what is not kept; what dead processes left there is removed.

    Raises:
        OutputError: the disk is full, or the folder cannot be written to.
    """
    path = Path(tempfile.gettempdir()) / "reeltag"
    remove_dead_parts(path.parent, path.name)
    with new_part(path, folder=True) as part:
        part.chmod(0o700)
        try:
            with writing_scratch(part):
                yield part
        except OutputError as error:
            if not error.where.startswith(str(part)):
                raise
            raise OutputError(error.what, where=path.parent, hint=_OTHER_TMPDIR) from error


def scratch_file() -> BinaryIO:
    """Return a file in $TMPDIR that has no name, and is gone when it is closed.

    OutputError where that cannot be.
    """
    with writing_scratch():
        return cast(BinaryIO, tempfile.TemporaryFile())


def writing_scratch(part: Path | None = None) -> AbstractContextManager[None]:
    """Raise an OutputError that names $TMPDIR for a full disk within the block."""
    return writing(Path(tempfile.gettempdir()), part, _OTHER_TMPDIR)


def link(target: Path, path: Path) -> None:
    """Make a link to `target`, unless something is at `path`; OutputError where that cannot be."""
    if not os.path.lexists(path):
        make_folder(path.parent)
        with writing(path):
            make_link(target, path)


def private_folder() -> Path:
    """Return a folder in $TMPDIR of this user alone, which stays; it is made.

    Raises:
        OutputError: it cannot be made, or is another user's.
    """
    own = Path(tempfile.gettempdir()) / f"reeltag-cache-{user_key()}"
    with writing(own):
        own.mkdir(mode=0o700, exist_ok=True)
    if not is_own(own):
        hint = "Set XDG_CACHE_HOME, or TMPDIR, to a folder that is."
        raise OutputError("is not this user's", where=own, hint=hint)
    return own


def put(part: Path, path: Path, *, durable: bool = True) -> None:
    """Give a file or folder its name, in one rename.

    Args:
        part: what is finished.
        path: its name from now on, on the same disk; a file that is there is replaced.
        durable: wait until it is on the disk, before and after.

    Raises:
        OutputError: that cannot be.
    """
    with writing(path, part):
        if durable:
            sync(part)
        replace(part, path)
        if durable:
            sync_folder(path.parent)


@contextmanager
def _named(part: Path, path: Path) -> Iterator[None]:
    """Let errors name the result, not the part, of which nothing will be left."""
    try:
        yield
    except OutputError as error:
        if not error.where.startswith(str(part)):
            raise
        where = str(path) + error.where[len(str(part)) :]
        raise OutputError(error.what, where=where, hint=error.hint) from error


def file_state(path: PathLike) -> tuple[int, int] | None:
    """Return size and time of change of a file, by which a change is noticed; None = not there."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def is_utf8(path: Path) -> bool:
    """Return whether a path is UTF-8, as some libraries want it."""
    return not any("\ud800" <= character <= "\udfff" for character in str(path))


def check_new_path(path: Path, flag: str = "--out") -> None:
    """Raise OutputError if `path`, given by `flag`, is there and is more than an empty folder."""
    if path.is_dir() and not any(path.iterdir()):
        path.rmdir()
    if path.exists():
        remove_left(path)
        raise OutputError(
            "exists already, and is not overwritten",
            where=path,
            hint=f"Choose another {flag}, or remove it first.",
        )


def check_new_file(path: Path, flag: str, *, overwrite: bool) -> None:
    """Raise OutputError if a folder is at `path`, or a file that is not to be replaced.

    Args:
        path: of a file to write.
        flag: that gives it, with an example, for the hint.
        overwrite: whether it may be replaced.
    """
    if path.is_dir():
        raise OutputError("is a folder", where=path, hint=f"Name a file, as in {flag}.")
    if path.exists() and not overwrite:
        remove_left(path)
        raise OutputError(
            "exists already, and is not overwritten",
            where=path,
            hint=f"Choose another {flag.split()[0]}, or add --overwrite.",
        )


def check_files_folder(folder: Path, flag: str, *, overwrite: bool) -> None:
    """Raise OutputError if a file is in the place of a folder, or files that are not replaced.

    Args:
        folder: to write files into.
        flag: that gives it, for the hint.
        overwrite: whether files of the same names are replaced.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError("is a file, not a folder", where=folder, hint=f"Choose another {flag}.")
    if overwrite or not folder.is_dir():
        return
    remove_left(folder)
    if any(folder.iterdir()):
        raise OutputError(
            "holds files already, and they are not overwritten",
            where=folder,
            hint=f"Choose another {flag}, or add --overwrite.",
        )


def remove_left(path: Path) -> None:
    """Remove what a process left that was killed, of a result that is not written now.

    Args:
        path: of the result. Nothing is removed while another process writes it.
    """
    for lock in {lock_path(path), lock_next_to(path)}:
        if lock.exists():
            with suppress(OutputError), try_lock(lock):
                pass
    remove_dead_parts(path.parent, path.name)
    if path.is_dir():
        remove_dead_parts(path, path.resolve().name)


def remove_left_within(folder: Path) -> None:
    """Remove what killed processes left anywhere in a folder: parts, and locks that nobody holds.

    Args:
        folder: of results, which this process alone writes now.
    """
    for within in [folder, *(path for path in folder.rglob("*") if path.is_dir())]:
        if within.is_dir():  # it was no part
            remove_dead_parts(within)
    for lock in [path for path in folder.rglob("*") if is_lock(path.name)]:
        with suppress(OutputError), try_lock(lock):
            pass


def write_json(path: Path, value: object) -> None:
    """Write `value` as indented JSON, whole or not at all."""
    write_text(path, json_text(value, indent=2) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text in UTF-8, whole or not at all."""
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8")
