"""`reeltag serve` in a process of its own, and a program that talks with it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx


@dataclass(frozen=True)
class ServedProcess:
    """A server that runs.

    Attributes:
        url: of its first page.
        process: of it.
    """

    url: str
    process: "subprocess.Popen[str]"

    def client(self) -> httpx.Client:
        """Return a program that may change things; to be closed."""
        return httpx.Client(base_url=self.url, headers={"X-Reeltag": "1"}, timeout=60)

    def memory(self) -> int:
        """Return the bytes that it holds, without files that are mapped."""
        return self._status("RssAnon")

    def peak(self) -> int:
        """Return the most bytes that were resident, mapped files included."""
        return self._status("VmHWM")

    def cpu_seconds(self) -> float:
        """Return the processor time of it so far."""
        text = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="utf-8")
        fields = text.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _status(self, field: str) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        for line in status.splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) * 1024
        raise KeyError(field)

    def kill(self) -> None:
        """End it at once, as by a loss of power."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def served(data: Path) -> Iterator[ServedProcess]:
    """Yield a server of a data folder on a free port; it is ended afterwards."""
    command = [sys.executable, "-m", "reeltag", "serve", str(data), "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            if not address:
                raise RuntimeError(f"the server did not start: {' '.join(command)}")
            yield ServedProcess(address, process)
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait()


def rating(video: str, start_s: float, class_name: str, answer: str = "yes") -> dict[str, Any]:
    """Return a rating of a window of 5 s as it is posted."""
    window = {"video": video, "start_s": start_s, "end_s": start_s + 5.0}
    return {**window, "class_name": class_name, "answer": answer, "origin": "queue"}
