"""Files and folders that appear whole or not at all."""

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

from reeltag.core.errors import OutputError

PathLike: TypeAlias = str | Path  # what public functions take


def to_paths(paths: PathLike | Sequence[PathLike]) -> list[Path]:
    """Return the paths of several files or folders; one alone is a list of one."""
    return [Path(path) for path in ([paths] if isinstance(paths, str | Path) else paths)]


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a path next to `path` to write to; it becomes `path` only if the block succeeds.

    Args:
        path: of the file; its folder is made if need be.

    Raises:
        OutputError: the disk is full, or the folder cannot be written to; `path` is as before.
    """
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        with part.open("rb") as written:
            os.fsync(written.fileno())
        os.replace(part, path)
    except OSError as error:
        raise not_written(path, error) from error
    finally:
        with suppress(OSError):  # where the folder itself is no folder, there is nothing to remove
            part.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder next to `path`; it becomes `path` only if the block succeeds.

    Args:
        path: of the folder, which does not exist yet.

    Raises:
        OutputError: `path` exists already, or cannot be written.
    """
    check_new_path(path)
    part = path.with_name(path.name + ".part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        yield part
        os.replace(part, path)
    except OSError as error:
        raise not_written(path, error) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, where there is none; OutputError if that cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise not_written(path, error) from error


def not_written(path: Path, error: OSError) -> OutputError:
    """Return what to raise where a file or folder cannot be written."""
    reason = error.strerror or str(error)
    blocked = next((folder for folder in path.parents if folder.exists()), None)
    if blocked is not None and not blocked.is_dir():
        reason = f"{blocked} is a file, not a folder"
    return OutputError(
        f"cannot be written ({reason})",
        where=path,
        hint="Free some space or choose another place; nothing was left half-written.",
    )


def file_state(path: PathLike) -> tuple[int, int] | None:
    """Return size and time of change of a file, by which a change is noticed; None = not there."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def check_new_path(path: Path, flag: str = "--out") -> None:
    """Raise OutputError if `path`, given by `flag`, is there and is more than an empty folder."""
    if path.is_dir() and not any(path.iterdir()):
        path.rmdir()
    if path.exists():
        raise OutputError(
            "exists already, and is not overwritten",
            where=path,
            hint=f"Choose another {flag}, or remove it first.",
        )


def write_json(path: Path, value: object) -> None:
    """Write `value` as indented JSON, whole or not at all."""
    with whole_file(path) as part:
        part.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
