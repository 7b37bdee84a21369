"""Which system it runs on is asked in `core/system` alone; elsewhere nothing is of one system."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import reeltag

ROOT = Path(reeltag.__file__).parent
PLACE = "core/system/"
MODULES = """
    _winapi ctypes fcntl grp msvcrt nt posix pty pwd resource termios tty winreg
"""
OS = """
    O_BINARY O_CLOEXEC O_DIRECT O_DIRECTORY O_NOFOLLOW O_NOINHERIT WNOHANG chown confstr ctermid
    eventfd fchmod fchown fdatasync fork forkpty fsync getegid geteuid getgid getloadavg getpgid
    getpgrp getpriority getuid initgroups killpg lchown mkfifo mknod name nice openpty pathconf
    pidfd_open posix_fadvise posix_fallocate pread preadv pwrite pwritev register_at_fork
    sched_getaffinity sched_setaffinity sendfile set_handle_inheritable setpgid setpgrp
    setpriority setsid statvfs sync sysconf uname wait wait3 wait4 waitid waitpid
"""
SIGNAL = """
    CTRL_BREAK_EVENT CTRL_C_EVENT SIGALRM SIGBREAK SIGHUP SIGKILL SIGUSR1 SIGUSR2 alarm pause
    pthread_kill pthread_sigmask setitimer sigwait
"""
NAMES = {
    *(f"os.{name}" for name in OS.split()),
    *(f"signal.{name}" for name in SIGNAL.split()),
    "sys.platform",
    "sys.getwindowsversion",
}
KEYWORDS = {"creationflags", "pass_fds", "preexec_fn", "start_new_session", "startupinfo"}
FOLDERS = ("/proc/", "/dev/", "/tmp", "/sys/")
ALLOWED = {
    "core/writing.py": {"os.fsync"},  # of a file that is open for writing, which all can
}


def of_one_system(source: str) -> Iterator[str]:
    """Yield what a module has that is not there, or is another thing, on some system."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (of.name for of in node.names if of.name.split(".")[0] in MODULES.split())
        elif isinstance(node, ast.ImportFrom):
            if (node.module or "").split(".")[0] in MODULES.split():
                yield str(node.module)
            yield from (name for of in node.names if (name := f"{node.module}.{of.name}") in NAMES)
        elif isinstance(node, ast.Attribute) and (name := ast.unparse(node)) in NAMES:
            yield name
        elif isinstance(node, ast.keyword) and node.arg in KEYWORDS:
            yield node.arg
        elif isinstance(node, ast.Constant) and str(node.value).startswith(FOLDERS):
            yield str(node.value)


def test_system_is_asked_in_one_place() -> None:
    found = dict[str, set[str]]()
    for path in sorted(ROOT.rglob("*.py")):
        module = path.relative_to(ROOT).as_posix()
        if not module.startswith(PLACE):
            found[module] = set(of_one_system(path.read_text(encoding="utf-8")))
    found = {module: names for module, names in found.items() if names}
    assert found == ALLOWED


@pytest.mark.parametrize(
    "line",
    [
        "import fcntl",
        "import ctypes.util",
        "from resource import getrlimit",
        "from os import killpg",
        "os.pread(file, 1, 0)",
        "signal.signal(signal.SIGHUP, f)",
        "if sys.platform == 'darwin': pass",
        "os.name == 'nt'",
        "Popen(command, start_new_session=True)",
        "Path('/proc/self/status')",
    ],
)
def test_planted_line_is_found(line: str) -> None:
    assert list(of_one_system(line))
