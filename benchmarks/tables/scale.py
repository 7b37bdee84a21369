"""How time and memory grow, and what archives cost, counted from what was measured."""

from collections.abc import Sequence
from statistics import median

from benchmarks.results import Row, read_rows
from benchmarks.tables.cells import by_machine, number, row_of, table

VIDEOS = 3.9e6
DRAWN, EVERY = 6 * VIDEOS, 60 * VIDEOS  # segments: n = 2 for 3.0 labels; all of 300 seconds
FLOP = 0.215e9  # of a segment, forward
READING = 450  # seconds for 1.35 TB at 3 GB/s
GPU_FLOPS = 200e12
PLANNED = 6_000_000  # videos
PICTURE = "![Time and memory of each command against the number of videos](../images/growth.svg)"
UNMEASURED = "Not measured yet: `python -m benchmarks growth`."
COST = ", moe of 0.6 M"  # a model that costs next to nothing: what is left is around it


def _around(what: str) -> tuple[Row, float, float]:
    """Return a speed, its fraction of the bare model's, and seconds per segment beyond that."""
    name = f"{what} of 100,000 videos{COST}"
    rate = row_of("bench_segment_scoring", name)
    part: float = row_of("bench_segment_scoring", f"{name}: fraction of the bare forward pass")[
        "value"
    ]
    return rate, part, (1 - part) / rate["value"]


def around() -> str:
    """Return what reading, cutting, ranking and writing cost per segment, on one core."""
    rows = []
    for what, shown in (("segments", "every segment"), ("soft labels", "a drawn segment")):
        rate, part, seconds = _around(what)
        cells = [f"{rate['value']:,.0f}", f"{part:.3f}", f"{1e6 * seconds:.1f}"]
        rows.append([shown, *cells])
    head = ["what", "segments/s", "fraction of the bare model's speed", "us around the model"]
    return table(head, rows)


def jobs() -> str:
    """Return how long the jobs take, and where the bound is."""
    soft, every = (
        n * _around(what)[2] for what, n in (("soft labels", DRAWN), ("segments", EVERY))
    )
    flops = {
        precision: median(
            row["details"]["matmul_gflop_s"]
            for row in _of_first_machine(read_rows("bench_models"))
            if row["name"].startswith("train ") and row["name"].endswith(precision)
        )
        * 1e9
        for precision in ("fp32", "bf16")
    }
    cpu = ", ".join(
        f"{EVERY * FLOP / rate / 3600:.0f} hours {precision} ({rate / 1e12:.2f} TFLOP/s)"
        for precision, rate in flops.items()
    )
    eight = f"{_time(every / 32)} around the model, {_time(READING / 8)} of reading"
    eight += f", {_time(EVERY * FLOP / GPU_FLOPS / 8)} of arithmetic"
    where = "around the model"
    rows = [
        [f"soft labels, {DRAWN / 1e6:.1f} M segments", _time(soft), _time(soft / 8), where],
        [
            f"every segment, {EVERY / 1e6:.0f} M, best of 1000 classes kept",
            *(_time(every), _time(every / 8), where),
        ],
        [
            "every segment, 4 processes on the GPU",
            *(_time(every / 4), f"(needs 32 cores: {eight})", f"{where}, then reading"),
        ],
        ["every segment on the 2 cores of this machine", cpu, "", "arithmetic"],
    ]
    head = ["job", "1 GPU, 1 process", "8 GPUs, a process, a core and a disk each"]
    return table([*head, "where the bound is"], rows)


def _of_first_machine(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row["machine"] == rows[0]["machine"]]


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"


def growth() -> str:
    """Return the time of each command at each number of videos, its slope and its memory."""
    tables = by_machine(read_rows("bench_growth"), _growth)
    return f"{tables}\n\n{PICTURE}" if tables else UNMEASURED


def six_million() -> str:
    """Return time and memory of each command for 6 M videos, by its growth in the last decade."""
    return by_machine(read_rows("bench_growth"), _six_million) or UNMEASURED


def _growth(rows: Sequence[Row]) -> str:
    by_name, commands = {row["name"]: row for row in rows}, _commands(rows)
    sizes = [*next(iter(commands.values()))]
    head = ["command", *(f"{size:,}, s" for size in sizes), "slope", "peak, MiB", "bytes per video"]
    lines = []
    for name, measured in commands.items():
        slope, more = by_name.get(f"{name}, slope"), by_name.get(f"{name}, growth of peak memory")
        peak = measured[max(measured)].get("peak_mib")
        lines.append(
            [
                f"`{name}`",
                *(number(measured[n]["cpu_seconds"]) if n in measured else "" for n in sizes),
                f"{slope['value']:.2f}" if slope else "",
                number(peak) if peak else "",
                number(more["value"]) if more else "",
            ]
        )
    return table(head, lines)


def _six_million(rows: Sequence[Row]) -> str:
    lines = []
    for name, measured in _commands(rows).items():
        few, many = sorted(measured)[-2:]
        ends = [measured[few], measured[many]]
        seconds = _extended(few, many, *(of["cpu_seconds"] for of in ends))
        memory = ""
        if "peak_mib" in ends[0]:
            memory = number(_extended(few, many, *(of["peak_mib"] for of in ends)) / 1024)
        lines.append([f"`{name}`", number(seconds), memory])
    return table(["command", "seconds of processor time", "peak memory, GiB"], lines)


def _commands(rows: Sequence[Row]) -> dict[str, dict[int, dict[str, float]]]:
    """Return what was measured of each command, by the number of videos."""
    return {
        row["name"].split(",")[0]: {int(n): of for n, of in row["details"]["by_videos"].items()}
        for row in rows
        if "by_videos" in row.get("details", {})
    }


def _extended(few: int, many: int, at_few: float, at_many: float) -> float:
    """Return the value for the planned videos on the straight line through two sizes."""
    return at_many + (at_many - at_few) * (PLANNED - many) / (many - few)
