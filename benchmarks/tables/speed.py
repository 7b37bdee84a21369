"""Speed and memory: the figures of every benchmark, and the rates of the models."""

from collections.abc import Callable, Sequence
from statistics import median

from benchmarks.results import RESULTS, Row, read_rows
from benchmarks.tables.cells import by_machine, number, table, value, verdict


def speed() -> str:
    """Return for each benchmark its command, and its figures by machine."""
    names = sorted(path.stem.removeprefix("bench_") for path in RESULTS.glob("bench_*.json"))
    return "\n\n".join(_benchmark(name) for name in names)


def _benchmark(name: str) -> str:
    head = f"**`python -m benchmarks {name}`**"
    return f"{head}\n\n{figures_of(name)()}"


def figures(rows: Sequence[Row]) -> str:
    """Return a row for each figure: value, target, whether it is met."""
    cells = ([row["name"], value(row), row.get("target", ""), verdict(row)] for row in rows)
    return table(["figure", "value", "target", "met"], cells)


def figures_of(name: str) -> Callable[[], str]:
    """Return what tables the figures of one benchmark by machine."""
    return lambda: by_machine(read_rows(f"bench_{name}"), figures)


def rates() -> str:
    """Return a row for each model at its authors' size: how fast it trains, and what limits it."""
    return by_machine(read_rows("bench_models"), _rates)


def _rates(rows: Sequence[Row]) -> str:
    by_variant: dict[str, dict[str, Row]] = {}
    products: dict[str, list[float]] = {}  # rates of plain products, measured with each model
    for row in rows:
        _, variant, precision = row["name"].split()
        by_variant.setdefault(variant, {})[precision] = row["details"]
        products.setdefault(precision, []).append(row["details"]["matmul_gflop_s"])
    plain = {precision: median(values) for precision, values in products.items()}
    cells = [_rate(variant, by, plain) for variant, by in by_variant.items()]
    head = ["variant", "parameters", "batch x frames", "videos/s fp32", "bf16", "TensorFlow"]
    head += ["GFLOP per video", "fraction of the matmul rate, bf16", "memory, GiB"]
    return table(head, cells)


def _rate(variant: str, by: dict[str, Row], plain: dict[str, float]) -> list[str]:
    """Return the cells of a variant; those of a precision that was not measured are empty."""
    rough, exact = by.get("bf16"), by.get("fp32")
    one = rough or by["fp32"]
    reached = ""
    if rough:
        reached = f"{rough['videos_per_second'] * rough['gflop_a_video'] / plain['bf16']:.0%}"
    peers = dict.fromkeys(one.get("tensorflow") or [])
    return [
        f"`{variant}`",
        f"{one['parameters'] / 1e6:.1f} M",
        f"{one['batch']} x {one['frames']}",
        number(exact["videos_per_second"]) if exact else "",
        number(rough["videos_per_second"]) if rough else "",
        "-".join(map(number, peers)),
        f"{one['gflop_a_video']:.3g}",
        reached,
        f"{one['peak_rss_gib']:.1f}",
    ]
