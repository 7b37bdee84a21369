"""What a disk, or the library that writes to it, says where something cannot be written.

Most libraries raise an OSError. Some have an error of their own, with the words of the system in
its text (safetensors), with an OSError somewhere behind it (torch), or with neither. `writing`
makes an OutputError of all of these, and leaves alone what has nothing to do with writing.
"""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reeltag.core.addresses import check_is_local
from reeltag.core.errors import OutputError, ReeltagError
from reeltag.core.system.folders import is_in_use, sync_file, sync_folder

# of a disk: no error of a computation has these words in its text
_CODES = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)
_WORDS = {os.strerror(code).lower(): code for code in _CODES} | {"disk is full": errno.ENOSPC}
_NUMBER = re.compile(r"\b(?:os error|errno[ =:]*) ?(\d+)", re.IGNORECASE)
_PROBE_BYTES = 1 << 16


@contextmanager
def writing(path: Path, part: Path | None = None, hint: str = "") -> Iterator[None]:
    """Raise an OutputError for whatever goes wrong with a disk within the block.

    Args:
        path: of what is written, for the error.
        part: temporary file or folder that is written in its place. Where an error says nothing
            of a disk, it is asked whether it takes any more.
        hint: the way out; "" = that nothing was left half-written.

    Raises:
        OutputError: the disk is full, or the file cannot be written to.
    """
    try:
        yield
    except ReeltagError:
        raise
    except Exception as error:
        reason = _of_disk(error, path, part)
        if reason is None:
            raise
        raise not_written(path, reason, hint) from error


def not_written(path: Path, error: OSError, hint: str = "") -> OutputError:
    """Return what to raise where a file or folder cannot be written.

    Args:
        path: of the file or folder.
        error: of the system.
        hint: the way out; "" = that nothing was left half-written.
    """
    reason = error.strerror or str(error)
    folders = [path, *path.parents] if isinstance(error, FileExistsError) else path.parents
    blocked = next((folder for folder in folders if folder.exists()), None)
    if blocked is not None and not blocked.is_dir():
        reason = f"{blocked} is a file, not a folder"
    way_out = "Free some space or choose another place; nothing was left half-written."
    if is_in_use(error):
        way_out = "A program may have it open: close that, and try again."
    return OutputError(f"cannot be written ({reason})", where=path, hint=hint or way_out)


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, where there is none; OutputError if that cannot be."""
    check_is_local(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise not_written(path, error) from error


def sync(path: Path) -> None:
    """Wait until a file, or all that is in a folder, is on the disk; a link is left alone."""
    if path.is_symlink():
        return
    if path.is_dir():
        for inner in sorted(path.iterdir()):
            sync(inner)
        sync_folder(path)
    elif path.is_file():
        sync_file(path)


def _of_disk(error: Exception, path: Path, part: Path | None) -> OSError | None:
    """Return what a disk did not take, or None where an error is of something else."""
    if isinstance(error, OSError) and error.errno is not None:
        return error if _is_here(error, path, part) else None
    seen = list[BaseException]()
    behind: BaseException | None = error
    while behind is not None and behind not in seen:
        if isinstance(behind, OSError) and behind.errno in _CODES:
            return behind
        seen.append(behind)
        behind = behind.__cause__ or behind.__context__
    text = str(error)
    code = next((code for words, code in _WORDS.items() if words in text.lower()), None)
    number = _NUMBER.search(text)
    if code is None and number is not None and int(number[1]) in _CODES:
        code = int(number[1])
    if code is not None:
        return OSError(code, os.strerror(code))
    if isinstance(error, OSError | RuntimeError) or type(error).__module__ != "builtins":
        full = _refusal(part) if part is not None else None
        return error if full is None and type(error) is OSError and "writ" in text else full
    return None


def _is_here(error: OSError, path: Path, part: Path | None) -> bool:
    """Return whether an error of the system is of what is written, as far as it says of what."""
    if isinstance(error, ConnectionError | TimeoutError | ChildProcessError):
        return False  # `reeltag ... | head`, or what is fetched meanwhile
    if not isinstance(error.filename, str | bytes):
        return True
    named = Path(os.fsdecode(error.filename)).absolute()
    ours = [of.absolute() for of in (path, part) if of is not None]
    return named in ours[0].parents or any(of in (named, *named.parents) for of in ours)


def _refusal(part: Path) -> OSError | None:
    """Return the error of writing a little more; None where the disk takes it."""
    probe = part / ".probe" if part.is_dir() else part
    try:
        if probe.parent.is_dir():
            with probe.open("ab") as file:
                file.write(bytes(_PROBE_BYTES))
                file.flush()
                os.fsync(file.fileno())
    except OSError as error:
        return error
    return None
