"""What every measurement carries: command, commit, date, hardware, versions."""

import datetime
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import torch

import reeltag
from benchmarks.results import PROJECT

CODE = (".", ":!results", ":!docs", ":!*.md")  # what decides a figure


def environment(command: str) -> dict[str, Any]:
    """Return where, when and with what a figure is measured by `command`, as plain JSON values."""
    return {
        "command": command,
        "commit": code_commit(),
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "gpu": _gpu(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "reeltag": reeltag.__version__,
    }


def machine() -> str:
    """Return the hardware in words, as far as it decides a speed; part of the key of a figure."""
    capability = torch.backends.cpu.get_cpu_capability()
    return f"{os.cpu_count()} cores of {_cpu()} ({capability}), {_gpu() or 'no GPU'}"


def code_commit() -> str:
    """Return the last commit that changed code, with `+` where the code has changed since."""
    commit = _git("log", "-1", "--format=%h", "--", *CODE)
    return commit + ("+" if _git("status", "-s", "-uno", "--", *CODE) else "")


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def _gpu() -> str | None:
    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
