"""Speed and memory: the figures of every benchmark, and the rates of the models."""

from collections.abc import Callable, Sequence
from statistics import median

from benchmarks.originals import Source, originals
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
        kind, variant, precision = row["name"].split()
        if kind != "train":
            continue  # a ratio: counted again below, from the same figures
        by_variant.setdefault(variant, {})[precision] = row
        products.setdefault(precision, []).append(row["details"]["matmul_gflop_s"])
    plain = {precision: median(values) for precision, values in products.items()}
    cells = [_rate(variant, by, plain) for variant, by in by_variant.items()]
    head = ["variant", "parameters", "batch x frames", "videos/s fp32", "bf16", "TensorFlow"]
    head += [
        "ratio",
        "target",
        "GFLOP per video",
        "fraction of the matmul rate, bf16",
        "memory, GiB",
    ]
    return table(head, cells)


def _rate(variant: str, by: dict[str, Row], plain: dict[str, float]) -> list[str]:
    """Return the cells of a variant; those of a precision that was not measured are empty."""
    rough, exact = by.get("bf16"), by.get("fp32")
    row = rough or by["fp32"]
    one = row["details"]
    reached = ""
    if rough:
        reached = f"{rough['value'] * one['gflop_a_video'] / plain['bf16']:.0%}"
    return [
        f"`{variant}`",
        f"{one['parameters'] / 1e6:.1f} M",
        f"{one['batch']} x {one['frames']}",
        number(exact["value"]) if exact else "",
        number(rough["value"]) if rough else "",
        *_against_original(variant, row),
        f"{one['gflop_a_video']:.3g}",
        reached,
        f"{one['peak_rss_gib']:.1f}",
    ]


def _against_original(variant: str, row: Row) -> list[str]:
    """Return the rate of the original, the ratio of ours to it, and the target of the ratio.

    The ratio is empty where both were not measured alike: on another machine, or at another batch.
    """
    original = originals().get(variant)
    if original is None:
        return ["", "", ""]
    rates = "-".join(map(number, dict.fromkeys(original.videos_per_second)))
    ratio = original.ratio(row)
    return [rates, "" if ratio is None else f"{ratio:.2f}", f"{original.target:g}"]


def peers() -> str:
    """Return a row for each source of originals' rates: which, where, when, how."""
    variants: dict[Source, list[str]] = {}
    for variant, original in originals().items():
        variants.setdefault(original.source, []).append(f"`{variant}`")
    cells = (
        [", ".join(of), source.hardware, source.date, source.software, source.how]
        for source, of in variants.items()
    )
    return table(["originals of", "hardware", "date", "software", "how"], cells)
