"""A process that runs steps one after another: `python -m reeltag.pipeline.worker`.

It stops as any of our commands does on Ctrl-C when it gets SIGINT, and also when the process that
started it is gone, however it ended. All output of a step goes to the step's log.
"""

import os
import queue
import socket
import sys
import threading
import time
import traceback
from pathlib import Path

from reeltag.core.files import appending
from reeltag.core.locks import lock_holder, try_lock
from reeltag.core.system.processes import (
    PipeEnd,
    inherited_pipe,
    interrupt_main,
    take_interrupts,
)
from reeltag.core.writing import make_folder
from reeltag.pipeline.execution import execute, format_sessions
from reeltag.pipeline.failures import format_error, is_retryable
from reeltag.pipeline.steps import Step
from reeltag.pipeline.store import Record, is_done, lock_of
from reeltag.pipeline.tasks import Status, StepReport, Task

VISIBLE_SECONDS = 60.0  # until the result of another machine must be seen here
_Tasks = queue.SimpleQueue[Task | None]  # None ends it


def main() -> None:
    """Run tasks until the connection is closed."""
    connection = inherited_pipe(sys.argv[1])
    take_interrupts()  # Ray blocks them
    tasks = _Tasks()
    threading.Thread(target=_listen, args=(connection, tasks), daemon=True).start()
    try:
        while (task := tasks.get()) is not None:
            _work(task, connection)
    except (KeyboardInterrupt, BrokenPipeError):
        sys.stderr.flush()
    os._exit(130)  # at once: other threads are not waited for


def _listen(connection: PipeEnd, tasks: _Tasks) -> None:
    try:
        while True:
            tasks.put(connection.recv())
    except (EOFError, OSError):
        interrupt_main()
        tasks.put(None)


def _work(task: Task, connection: PipeEnd) -> None:
    _redirect_output(task.log)
    sys.path += [path for path in task.paths if path not in sys.path and Path(path).exists()]
    started = time.monotonic()
    try:
        report = _execute(task, connection)
    except BaseException as error:
        interrupted = not isinstance(error, Exception)
        if not interrupted:
            traceback.print_exc()
        report = StepReport(
            status="interrupted" if interrupted else "failed",
            step=task.step,
            seconds=time.monotonic() - started,
            message=format_error(error),
            retryable=is_retryable(error),
        )
        if interrupted:
            connection.send(report)
            raise KeyboardInterrupt from error
    sys.stdout.flush()
    sys.stderr.flush()
    connection.send(report)


def _execute(task: Task, connection: PipeEnd) -> StepReport:
    step, root = task.unpack()
    _await_inputs(step, root)

    def on_start(record: Record) -> None:
        status: Status = "started" if record.sessions == 1 else "resumed"
        connection.send(StepReport(status=status, step=task.step))

    with try_lock(lock_of(step, root)) as ours:
        if not ours:
            holder = lock_holder(lock_of(step, root)) or "another process"
            return StepReport(status="locked", step=task.step, message=holder)
        if is_done(step, root):
            return StepReport(status="present", step=task.step)
        record = execute(step, root, on_start)
    return StepReport(
        status="done",
        step=task.step,
        seconds=record.seconds,
        bytes=record.bytes,
        message=format_sessions(record),
    )


def _await_inputs(step: Step, root: Path) -> None:
    """Wait until results of other machines are seen on this one, over a shared folder."""
    end = time.monotonic() + VISIBLE_SECONDS
    for needed in step.needs:
        while not is_done(needed, root):
            if time.monotonic() > end:
                raise FileNotFoundError(f"{needed.label()} is not seen on {socket.gethostname()}")
            with os.scandir(root) as entries:  # refreshes the listing of a network folder
                any(entries)
            time.sleep(0.2)


def _redirect_output(log: Path) -> None:
    """Append all output from now on, that of libraries in C too, to a file."""
    make_folder(log.parent)
    with appending(log) as file:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    print(time.strftime("-- %Y-%m-%d %H:%M:%S"), socket.gethostname(), file=sys.stderr)


if __name__ == "__main__":
    main()
