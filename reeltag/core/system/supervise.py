"""Runs a program and ends it, with all that it started, when whoever asked for it is gone.

    python supervise.py PROGRAM ARGUMENTS...     with a pipe as stdin

The end of stdin, as when the server is killed, ends the whole process group. It is run as a file
and needs nothing but Python's own library, so that it starts at once and stays small.
"""

import os
import signal
import subprocess
import sys
import threading


def main(arguments: list[str]) -> int:
    """Run a program; its exit status, as a shell has it where a signal ended it.

    Args:
        arguments: the program and what it is given.
    """
    for number in {signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGBREAK", signal.SIGINT)}:
        signal.signal(number, lambda *_: None)  # not SIG_IGN, which the program would inherit
    child = subprocess.Popen(arguments, stdin=subprocess.DEVNULL)
    threading.Thread(target=_watch, daemon=True).start()
    status = child.wait()
    if sys.platform != "win32":
        os.killpg(os.getpgrp(), signal.SIGTERM)  # what the program has started and left behind
    return status if status >= 0 else 128 - status


def _watch() -> None:
    """End the process group when stdin ends; nothing is ever written to it."""
    while os.read(0, 1024):
        pass
    if sys.platform == "win32":
        subprocess.run(["taskkill", "/T", "/F", "/PID", str(os.getpid())], check=False)
    else:
        os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
