"""Processes that we start: a pipe to them, how they are stopped, and what ended them."""

import _thread
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias

if sys.platform == "win32":
    from multiprocessing.connection import PipeConnection

    PipeEnd: TypeAlias = PipeConnection
else:
    import ctypes
    from multiprocessing.connection import Connection

    PipeEnd: TypeAlias = Connection

if TYPE_CHECKING:
    Popen = subprocess.Popen[bytes]

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_ENDS = {  # ntstatus.h
    0xC0000005: "an access violation",
    0xC0000017: "a lack of memory",
    0xC00000FD: "a stack overflow",
    0xC000013A: "Ctrl-C",
}


def start_apart(command: Sequence[str], pipe: PipeEnd | None = None, **options: Any) -> "Popen":  # noqa: ANN401
    """Start a program in a process group of its own: a terminal's Ctrl-C reaches us only.

    Args:
        command: program and arguments.
        pipe: its end of a pipe, which it gets as another argument, for `inherited_pipe`.
        **options: of `subprocess.Popen`.

    Raises:
        OSError: it cannot be started.
    """
    if sys.platform == "win32":
        startup = subprocess.STARTUPINFO()
        if pipe is not None:
            os.set_handle_inheritable(pipe.fileno(), True)
            startup.lpAttributeList = {"handle_list": [pipe.fileno()]}
            command = [*command, str(pipe.fileno())]
        group = subprocess.CREATE_NEW_PROCESS_GROUP
        return subprocess.Popen(command, startupinfo=startup, creationflags=group, **options)
    files = () if pipe is None else (pipe.fileno(),)
    command = [*command, *map(str, files)]
    return subprocess.Popen(command, pass_fds=files, start_new_session=True, **options)


def inherited_pipe(argument: str) -> PipeEnd:
    """Return the pipe that `start_apart` gave this program as an argument; it goes no further.

    Args:
        argument: the last one.
    """
    if sys.platform == "win32":
        os.set_handle_inheritable(int(argument), False)
        return PipeEnd(int(argument))
    os.set_inheritable(int(argument), False)
    return PipeEnd(int(argument))


def interrupt(process: "Popen", *, group: bool = False) -> None:
    """Let a program of `start_apart` stop as by Ctrl-C, if it still runs.

    Args:
        process: the program.
        group: with all that it has started, as on Windows always.
    """
    if sys.platform == "win32":
        _send(process, signal.CTRL_BREAK_EVENT)
    elif group:
        _send_to_group(process, signal.SIGINT)
    else:
        _send(process, signal.SIGINT)


def kill_group(process: "Popen") -> None:
    """End a program of `start_apart` at once, with all that it has started."""
    if sys.platform == "win32":
        if process.poll() is None:
            command = ["taskkill", "/T", "/F", "/PID", str(process.pid)]
            subprocess.run(command, capture_output=True, check=False)
    else:
        _send_to_group(process, signal.SIGKILL)


def _send(process: "Popen", number: int) -> None:
    if process.poll() is None:
        with suppress(OSError):  # it ended meanwhile
            process.send_signal(number)


if sys.platform == "win32":
    INTERRUPTS = (signal.SIGINT, signal.SIGBREAK)  # what asks a program to stop
    HANGUP = signal.SIGBREAK  # of a terminal that is closed
    KILLED = 1  # status of a program that was ended
else:
    INTERRUPTS = (signal.SIGINT,)
    HANGUP = signal.SIGHUP
    KILLED = -signal.SIGKILL

    def _send_to_group(process: "Popen", number: int) -> None:
        if process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)


def ended_by(status: int) -> str:
    """Return what ended a program, by its status: the name of a signal; "" for itself.

    Args:
        status: as `subprocess` has it.
    """
    if sys.platform == "win32":
        return _ENDS.get(status & 0xFFFFFFFF, "")
    return signal.Signals(-status).name if status < 0 else ""


def take_interrupts() -> None:
    """Let this program stop by KeyboardInterrupt, whoever blocked or ignored that before."""
    for number in INTERRUPTS:
        signal.signal(number, signal.default_int_handler)
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})


def interrupt_main() -> None:
    """Raise KeyboardInterrupt in the main thread; on Windows when it does not wait for a lock."""
    if sys.platform == "win32":
        _thread.interrupt_main()
    else:
        os.kill(os.getpid(), signal.SIGINT)


def end_with(parent: int) -> None:
    """Let the kernel of Linux end this program with its parent, also where it hangs in C.

    Args:
        parent: its process id; the program ends at once where that is gone.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def at_fork(
    before: Callable[[], object],
    after_in_parent: Callable[[], object],
    after_in_child: Callable[[], object],
) -> None:
    """Register what is called when this process is forked, which Windows cannot do.

    Args:
        before: in the parent.
        after_in_parent: in the parent.
        after_in_child: in the child.
    """
    if sys.platform != "win32":
        os.register_at_fork(
            before=before, after_in_parent=after_in_parent, after_in_child=after_in_child
        )
