"""One GPU: what `python -m benchmarks gpu` measured, by machine."""

from collections.abc import Callable, Sequence

from benchmarks.results import Row, read_rows
from benchmarks.tables.cells import by_machine, number, table
from benchmarks.tables.speed import figures

NOT_MEASURED = "Not measured: no CUDA device was at hand. `python -m benchmarks gpu` measures it."
_PRECISIONS = ("tf32", "fp16", "bf16")


def gpu_figures() -> str:
    """Return all figures but those of steps, with their targets."""
    return _by_machine([row for row in read_rows("gpu") if row["part"] != "steps"], figures)


def gpu_steps() -> str:
    """Return a row for each family: videos/s of a training step, eager and compiled."""
    return _by_machine([row for row in read_rows("gpu") if row["part"] == "steps"], _steps)


def gpu_problems() -> str:
    """Return what could not be measured, and why; "None." where all was."""
    rows = read_rows("gpu", "problems")
    return table(["figure", "error"], ([r["name"], r["error"]] for r in rows)) if rows else "None."


def _by_machine(rows: Sequence[Row], tabled: Callable[[Sequence[Row]], str]) -> str:
    return by_machine(rows, tabled) if rows else NOT_MEASURED


def _steps(rows: Sequence[Row]) -> str:
    by_variant: dict[str, dict[tuple[str, bool], Row]] = {}
    for row in rows:
        _, variant, precision, *compiled = row["name"].split()
        by_variant.setdefault(variant, {})[precision, bool(compiled)] = row
    head = ["variant", "batch x frames", *_PRECISIONS, *(f"{of}, compiled" for of in _PRECISIONS)]
    head += ["fraction of the matmul rate, bf16", "memory, GiB"]
    return table(head, (_cells(variant, by) for variant, by in by_variant.items()))


def _cells(variant: str, by: dict[tuple[str, bool], Row]) -> list[str]:
    """Return the cells of a variant; of what was not measured they are empty."""
    details = next(iter(by.values()))["details"]
    size = f"{details['batch']:,} x {details['frames']}"
    speeds = [
        number(by[precision, compiled]["value"]) if (precision, compiled) in by else ""
        for compiled in (False, True)
        for precision in _PRECISIONS
    ]
    rough = by.get(("bf16", False), {}).get("details", {})
    share = rough.get("fraction_of_matmul_rate")
    memory = max(row["details"]["peak_gib"] for row in by.values())
    return [variant, size, *speeds, "" if share is None else f"{share:.2f}", number(memory)]
