"""Windows, as far as reeltag can see it, in a process of its own on another system.

`become_windows` takes away what Windows does not have, adds the little that we use of what it has,
and lets the system refuse what Windows refuses: to rename, replace or remove what this process has
open or mapped, to open a folder, to flush a file that cannot be written to, and names with
characters that NTFS does not hold. Libraries in C (pyarrow, torch) are not held back.
"""

import errno
import fcntl
import multiprocessing.connection
import os
import shutil
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

# what asks for the system when it is imported or first used, and is not ours
FIRST = (
    "asyncio",
    "joblib.externals.loky",
    "lightning.pytorch",
    "multiprocessing.pool",
    "pyarrow.dataset",
    "pyarrow.parquet",
    "rich.console",
    "rich.table",
    "safetensors.torch",
    "scipy.sparse",
    "tempfile",
    "torch",
    "torchmetrics",
    "tyro",
)
_OS = """
    O_CLOEXEC O_DIRECTORY O_NOFOLLOW fork getpgrp getuid killpg pread preadv pwrite
    register_at_fork sched_getaffinity statvfs sysconf uname
"""
_SIGNALS = ("SIGHUP", "pthread_sigmask")  # others use SIGKILL, which a type checker looks for
_FORBIDDEN = set('\\:*?"<>|') | {chr(code) for code in range(32)}
_DENIED, _IN_USE, _NO_PRIVILEGE = 5, 32, 1314


def become_windows(folder: Path) -> None:
    """Let this process be on Windows from now on.

    Args:
        folder: where the rules of its file system hold.
    """
    for name in FIRST:
        import_module(name)
    sys.modules["msvcrt"] = _msvcrt()
    sys.modules |= dict.fromkeys(("fcntl", "resource", "pwd", "grp"))  # type: ignore[arg-type]
    os.O_BINARY, os.O_NOINHERIT = 0, os.O_CLOEXEC  # type: ignore[attr-defined]
    os.set_handle_inheritable = os.set_inheritable  # type: ignore[attr-defined]
    signal.SIGBREAK = signal.SIGUSR1  # type: ignore[attr-defined]
    signal.CTRL_BREAK_EVENT = signal.SIGINT  # type: ignore[attr-defined]
    connection = multiprocessing.connection
    connection.PipeConnection = connection.Connection  # type: ignore[attr-defined]
    subprocess.STARTUPINFO = SimpleNamespace  # type: ignore[attr-defined]
    subprocess.CREATE_NEW_PROCESS_GROUP = 512  # type: ignore[attr-defined]
    ssl.enum_certificates = lambda store_name: []  # type: ignore[attr-defined]  # for aiohttp
    subprocess.Popen = _Popen  # type: ignore[misc, assignment]
    shutil._use_fd_functions = False  # type: ignore[attr-defined]
    looks_here = SimpleNamespace(NeedCurrentDirectoryForExePath=lambda _: False)
    shutil._winapi = looks_here  # type: ignore[attr-defined]  # from Python 3.12 on
    real_fsync, writable = os.fsync, (os.O_WRONLY, os.O_RDWR)

    def fsync(fd: Any) -> None:
        if fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE not in writable:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        real_fsync(fd)

    os.fsync = fsync
    for name in _OS.split():
        delattr(os, name)
    for name in _SIGNALS:
        delattr(signal, name)
    sys.platform = "win32"
    sys.addaudithook(_Rules(folder.resolve()).check)


class _Popen(subprocess.Popen[bytes]):
    """Takes what Windows takes, and starts the program as this system does."""

    def __init__(self, command: Any, *, startupinfo: Any = None, **options: Any) -> None:
        assert options.pop("creationflags", 512) == 512
        given = getattr(startupinfo, "lpAttributeList", {})
        super().__init__(command, pass_fds=given.get("handle_list", ()), **options)


class _Rules:
    """What Windows refuses in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def check(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Raise what Windows would, before this system does it."""
        if event == "open":
            (path,) = self._ours(arguments[:1])
            if path is not None and path.is_dir():
                raise _refused(_DENIED, path)
        elif event == "os.mkdir":
            self._ours(arguments[:1])
        elif event in ("os.rename", "os.remove", "os.rmdir"):
            for path in filter(None, self._ours(arguments[: 2 if event == "os.rename" else 1])):
                for open_one in _open_files():
                    if path == open_one or path in open_one.parents:
                        raise _refused(_IN_USE, path)
        elif event == "os.symlink":
            raise _refused(_NO_PRIVILEGE, Path(arguments[1]))

    def _ours(self, paths: Iterable[object]) -> list[Path | None]:
        """Return the paths that are in the folder; OSError for a name that cannot be."""
        found = list[Path | None]()
        for path in paths:
            known = None if isinstance(path, int) else Path(os.path.abspath(os.fsdecode(path)))  # type: ignore[arg-type]
            is_ours = known is not None and self._folder in known.parents
            found.append(known if is_ours else None)
            if known is not None and is_ours and _FORBIDDEN & set(str(known)):
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), str(known))
        return found


def _open_files() -> Iterator[Path]:
    """Yield what this process has open or mapped."""
    for link in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            yield Path(os.readlink(f"/proc/self/fd/{link}"))
    file = os.open("/proc/self/maps", os.O_RDONLY)
    with os.fdopen(file, encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            if "/" in line:
                yield Path(line[line.index("/") :].rstrip("\n"))


def _refused(code: int, path: Path) -> PermissionError:
    error = PermissionError(errno.EACCES, "refused as on Windows", str(path))
    error.winerror = code  # type: ignore[attr-defined]
    return error


def _msvcrt() -> ModuleType:
    """Return the module with its locks, which are those of `flock` here."""
    module = ModuleType("msvcrt")
    module.LK_NBLCK, module.LK_UNLCK = 2, 0  # type: ignore[attr-defined]

    def locking(file: int, mode: int, size: int) -> None:
        assert size == 1
        assert os.lseek(file, 0, os.SEEK_CUR) > 1 << 20  # else the holder cannot be read
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB if mode else fcntl.LOCK_UN)
        except BlockingIOError:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES)) from None

    module.locking = locking  # type: ignore[attr-defined]
    return module
