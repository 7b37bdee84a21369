"""A figure of a benchmark: a row with name, value, unit, and the target that it has to meet."""

import operator
from collections.abc import Mapping
from pathlib import Path

from benchmarks.results import Row

SIGNS = {"<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt}


def figure(
    name: str,
    value: float,
    unit: str,
    target: str | None = None,
    details: Mapping[str, object] | None = None,
) -> Row:
    """Return a row; with a target, like "<= 1.5" or ">= 8,000" in the same unit, also `met`."""
    row: Row = {"name": name, "value": value, "unit": unit}
    if target:
        row |= {"target": target, "met": meets(value, target)}
    return row | ({"details": dict(details)} if details else {})


def meets(value: float, target: str) -> bool:
    """Return whether a value meets a target: a sign, a number, perhaps its unit."""
    sign, number, *_ = target.split()
    return bool(SIGNS[sign](value, float(number.replace(",", ""))))


def process_memory(field: str) -> int:
    """Return a memory figure of this process in bytes (/proc/self/status: VmHWM, VmRSS, ...)."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise KeyError(field)
