"""A process that makes steps as it is told: `python -m reeltag.pipeline.worker`.

It stops as Ctrl-C stops any of our commands when it gets SIGINT, and also when the one who gave the
orders is gone, however that came. What a step says goes to the step's log.
"""

import os
import queue
import signal
import sys
import threading
import time
import traceback
from multiprocessing.connection import Connection
from pathlib import Path

from reeltag.pipeline.failures import hopeless, reason
from reeltag.pipeline.locks import attempted, holder
from reeltag.pipeline.making import make, sessions
from reeltag.pipeline.orders import Answer, Order, StepReport
from reeltag.pipeline.steps import Step
from reeltag.pipeline.store import Record, is_done, lock_of

SIGHT = 60.0  # seconds until what another machine has made must be seen here
_Orders = queue.SimpleQueue[Order]


def main() -> None:
    """Work until there are no more orders."""
    connection = Connection(int(sys.argv[1]))
    os.set_inheritable(connection.fileno(), False)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})  # as Ray blocks it
    orders = _Orders()
    threading.Thread(target=_listen, args=(connection, orders), daemon=True).start()
    try:
        while True:
            _work(orders.get(), connection)
    except (KeyboardInterrupt, BrokenPipeError):
        sys.stderr.flush()
        os._exit(130)  # nothing is left to be done, and no thread is waited for


def _listen(connection: Connection, orders: _Orders) -> None:
    try:
        while True:
            orders.put(connection.recv())
    except (EOFError, OSError):
        os.kill(os.getpid(), signal.SIGINT)


def _work(order: Order, connection: Connection) -> None:
    _write_to(order.log)
    sys.path += [path for path in order.paths if path not in sys.path and Path(path).exists()]
    begun = time.monotonic()
    try:
        report = _made(order, connection)
    except Exception as error:
        traceback.print_exc()
        report = StepReport(
            answer="failed",
            step=order.step,
            seconds=time.monotonic() - begun,
            words=reason(error),
            hopeless=hopeless(error),
        )
    except BaseException as error:
        words = reason(error)
        seconds = time.monotonic() - begun
        connection.send(StepReport(answer="stopped", step=order.step, seconds=seconds, words=words))
        raise KeyboardInterrupt from error
    sys.stdout.flush()
    sys.stderr.flush()
    connection.send(report)


def _made(order: Order, connection: Connection) -> StepReport:
    step, root = order.opened()
    _await_inputs(step, root)

    def on_begin(record: Record) -> None:
        answer: Answer = "begun" if record.sessions == 1 else "resumed"
        connection.send(StepReport(answer=answer, step=order.step))

    with attempted(lock_of(step, root)) as ours:
        if not ours:
            who = holder(lock_of(step, root)) or "another process"
            return StepReport(answer="taken", step=order.step, words=who)
        if is_done(step, root):
            return StepReport(answer="there", step=order.step)
        record = make(step, root, on_begin)
    return StepReport(
        answer="done",
        step=order.step,
        seconds=record.seconds,
        bytes=record.bytes,
        words=sessions(record),
    )


def _await_inputs(step: Step, root: Path) -> None:
    """Wait until what was made on another machine is seen on this one, over a shared folder."""
    end = time.monotonic() + SIGHT
    for needed in step.needs:
        while not is_done(needed, root):
            if time.monotonic() > end:
                raise FileNotFoundError(f"{needed.readable()} is not seen on {os.uname().nodename}")
            with os.scandir(root) as there:  # looks at the folder anew, where it is on a network
                any(there)
            time.sleep(0.2)


def _write_to(log: Path) -> None:
    """Let everything that is said from now on, by libraries in C too, be appended to a file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as file:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    print(time.strftime("-- %Y-%m-%d %H:%M:%S"), os.uname().nodename, file=sys.stderr)


if __name__ == "__main__":
    main()
