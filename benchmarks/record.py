"""What every measurement carries: commit, hardware, versions, date; and where it is written."""

import datetime
import json
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import torch

import reeltag
from reeltag.core.files import write_json

PROJECT = Path(__file__).resolve().parent.parent
RESULTS = PROJECT / "results"


def environment() -> dict[str, Any]:
    """Return where and with what a figure was measured, as plain JSON values."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "commit": _git("rev-parse", "--short", "HEAD")
        + ("+" if _git("status", "-s", "-uno") else ""),
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "gpu": gpu,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "reeltag": reeltag.__version__,
    }


def write_result(name: str, command: str, content: dict[str, Any]) -> Path:
    """Write `results/<name>.json`: the command that repeats it, the environment, the figures."""
    path = RESULTS / f"{name}.json"
    write_json(path, {"command": command, **environment(), **content})
    return path


def read_result(name: str) -> dict[str, Any]:
    """Return `results/<name>.json`."""
    content: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
    return content


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def _cpu() -> str:
    names = [
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return names[0] if names else platform.processor()
