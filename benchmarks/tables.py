"""Put what results/ holds into the tables of the pages in docs/.

python -m benchmarks.tables
"""

import json
from itertools import groupby
from pathlib import Path
from statistics import mean, median
from typing import Any

from benchmarks.record import PROJECT, RESULTS

DOCS = PROJECT / "docs"
RACES = ("yt8m", "audioset", "mosaics")


def main() -> None:
    """Rewrite what stands between the markers of the pages."""
    _fill(DOCS / "results.md", {"quality": _quality(), "speed": _speed()})
    _fill(DOCS / "models.md", {"zoo": _zoo(), "rates": _rates()})
    if (RESULTS / "techniques.json").exists():
        _fill(DOCS / "techniques.md", _techniques())
    if (RESULTS / "reproductions.json").exists():
        _fill(DOCS / "reproductions.md", _reproductions())
    if (RESULTS / "deployable.json").exists():
        _fill(DOCS / "reproductions.md", {"deployable": _deployable()})
    if (RESULTS / "failed_orders.json").exists():
        _fill(DOCS / "reproductions.md", _failed_orders())
    if (RESULTS / "bench_segment_scoring.json").exists():
        _fill(DOCS / "scale.md", {"segment_scoring": _figures("bench_segment_scoring*.json")})


def _fill(page: Path, tables: dict[str, str]) -> None:
    text = page.read_text()
    for name, table in tables.items():
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        before, after = text.split(begin)[0], text.split(end)[1]
        text = f"{before}{begin}\n{table}\n{end}{after}"
    page.write_text(text)


def _zoo() -> str:
    """Return a row an entry: its parameters and what it reached in each race, best first."""
    measured = _read(RESULTS / "zoo.json")["rows"]
    rows = ["| entry | parameters | YouTube-8M, GAP@20 | AudioSet, mAP | mosaics, GAP@20 |"]
    rows.append("|---|---|---|---|---|")
    entries = dict.fromkeys(row["entry"] for row in measured)

    def best(entry: str) -> list[float]:
        means = [_mean_in(measured, entry, race) for race in RACES]
        return [mean or 0.0 for mean in means]

    for entry in sorted(entries, key=best, reverse=True):
        sizes = [row["parameters"] for row in measured if row["entry"] == entry]
        cells = [_cell([r for r in measured if _is(r, entry, race)]) for race in RACES]
        rows.append(f"| `{entry}` | {_range(sizes)} | {' | '.join(cells)} |")
    return "\n".join(rows)


def _is(row: dict[str, Any], entry: str, race: str) -> bool:
    return bool(row["entry"] == entry and row["race"] == race)


def _mean_in(rows: list[dict[str, Any]], entry: str, race: str) -> float | None:
    values = [row["value"] for row in rows if _is(row, entry, race)]
    return mean(values) if values else None


def _cell(runs: list[dict[str, Any]]) -> str:
    """Return the mean over seeds, the bootstrap interval of the first, and how many seeds."""
    if not runs:
        return ""
    low, high = runs[0]["interval"]
    seeds = f", {len(runs)} seeds" if len(runs) > 1 else ""
    return f"{mean(run['value'] for run in runs):.4f} [{low:.3f}, {high:.3f}]{seeds}"


def _range(sizes: list[int]) -> str:
    ends = [f"{size / 1e6:.1f}" for size in (min(sizes), max(sizes))]
    return f"{' to '.join(dict.fromkeys(ends))} M"


def _rates() -> str:
    """Return a row a model at its authors' size: how fast it trains, and what limits it."""
    rows = ["| variant | parameters | batch x frames | videos/s fp32 | bf16 | TensorFlow |"]
    rows[0] += " GFLOP a video | share of the matmul rate, bf16 | memory, GiB |"
    rows.append("|---|---|---|---|---|---|---|---|---|")
    found: dict[str, dict[str, dict[str, Any]]] = {}
    rates: dict[str, list[float]] = {}  # of plain products, measured beside each model
    for figure in _read(RESULTS / "bench_models.json")["figures"]:
        _, variant, precision = figure["name"].split()
        found.setdefault(variant, {})[precision] = figure["details"]
        rates.setdefault(precision, []).append(figure["details"]["matmul_gflop_s"])
    for variant, by in found.items():
        precision = "bf16" if "bf16" in by else "fp32"
        one, best = by["fp32"], by[precision]
        share = best["videos_per_second"] * best["gflop_a_video"] / median(rates[precision])
        peer = best.get("tensorflow")
        peers = "" if peer is None else "-".join(f"{rate:,.4g}" for rate in dict.fromkeys(peer))
        rows.append(
            f"| `{variant}` | {best['parameters'] / 1e6:.1f} M | {best['batch']} x "
            f"{best['frames']} | {one['videos_per_second']:,.4g} | "
            f"{best['videos_per_second']:,.4g} | {peers} | {best['gflop_a_video']:.3g} | "
            f"{share:.0%} | {best['peak_rss_gib']:.1f} |"
        )
    return "\n".join(rows)


def _techniques() -> dict[str, str]:
    """Return a table a race: each technique's difference, with its interval, beside the paper's."""
    compared = _read(RESULTS / "techniques.json")["comparisons"]
    tables = {}
    for race, group in groupby(compared, key=lambda each: each["race"]):
        rows = ["| technique | without | with | difference [95 %] | sd of seeds | seeds | paper |"]
        rows.append("|---|---|---|---|---|---|---|")
        for each in group:
            low, high = each["interval"]
            sure = "**" if low > 0 or high < 0 else ""
            spread = max(each["seed_sd"] or 0.0, each["against_seed_sd"] or 0.0)
            rows.append(
                f"| {each['technique']} | {each['against_value']:.4f} | {each['value']:.4f} | "
                f"{sure}{each['difference']:+.4f}{sure} [{low:+.4f}, {high:+.4f}] | {spread:.4f} | "
                f"{each['seeds']} | {each['paper']} |"
            )
        tables[race] = "\n".join(rows)
    return tables


def _quality() -> str:
    files = sorted(RESULTS.glob("real_*.json"), key=lambda path: path.stem)
    rows = ["| proof | metric | value [interval] by seed | mean | bar | GAP@20 | training, s |"]
    rows.append("|---|---|---|---|---|---|---|")
    for name, group in groupby(files, key=lambda path: path.stem.split("_seed")[0]):
        runs = [_read(path) for path in group]
        values = ", ".join(
            f"{run['value']:.4f} [{run['interval'][0]:.3f}, {run['interval'][1]:.3f}]"
            for run in runs
        )
        gap = mean(run["evaluation"]["gap@20"] for run in runs)
        seconds = mean(run["training"]["seconds"] for run in runs)
        average = mean(run["value"] for run in runs)
        bar = runs[0]["bar"] or ""
        metric = runs[0]["metric"]
        rows.append(
            f"| `{name.removeprefix('real_')}` | {metric} | {values} | {average:.4f} | {bar} | "
            f"{gap:.4f} | {seconds:.0f} |"
        )
    return "\n".join(rows)


def _reproductions() -> dict[str, str]:
    """Return for each proof the tables of its paper beside ours, and the paper's orders."""
    found = {}
    for proof in _read(RESULTS / "reproductions.json")["proofs"]:
        texts = [_paper_table(table) for table in proof["tables"]]
        texts += [_orders(proof)] if proof["orders"] else []
        found[proof["proof"]] = "\n\n".join(texts)
    return found


def _paper_table(table: dict[str, Any]) -> str:
    digits = table["digits"]

    def told(value: float | None) -> str:
        return "" if value is None else f"{value:.{digits}f}"

    paper = [f"paper: {metric}" for metric in table["paper"]]
    seeds = [head for metric in table["ours"] for head in (f"ours: {metric}", "by seed, or 95 %")]
    rows = [f"**{table['title']}**", ""]
    rows.append(f"| | {' | '.join([*table['marks'], *paper, *seeds])} |")
    rows.append("|---" * (1 + len(table["marks"]) + len(paper) + len(seeds)) + "|")
    for row in table["rows"]:
        cells = [*row["marks"]]
        cells += [told(value) for value in row["paper"] or [None] * len(paper)]
        for value, by, ends in zip(row["ours"], row["seeds"], row["intervals"], strict=True):
            interval = f"[{', '.join(map(told, ends))}]" if ends else ""
            cells += [told(value), ", ".join(map(told, by)) or interval]
        rows.append(f"| {row['name']} | {' | '.join(cells)} |")
    return "\n".join(rows)


def _orders(proof: dict[str, Any]) -> str:
    """Return a row for each pair of models of which the paper says which is better."""
    head = f"**The orders, {proof['metric']}, {_seeds(proof['seeds'])}**"
    return "\n".join([head, "", *_order_rows(proof["orders"])])


def _seeds(seeds: list[int]) -> str:
    return f"{len(seeds)} seeds" if len(seeds) > 1 else "one seed"


def _order_rows(orders: list[dict[str, Any]]) -> list[str]:
    rows = ["| better | than | ours | against | difference [95 %] | holds here |"]
    rows.append("|---|---|---|---|---|---|")
    for each in orders:
        low, high = each["interval"]
        holds = "yes" if low > 0 else "**no**" if high < 0 else "not told apart"
        rows.append(
            f"| {each['better']} | {each['worse']} | {each['value']:.4f} | {each['against']:.4f} | "
            f"{each['difference']:+.4f} [{low:+.4f}, {high:+.4f}] | {holds} |"
        )
    return rows


def _failed_orders() -> dict[str, str]:
    """Return how soft labels are spread over the classes, and the orders of the trials."""
    found = _read(RESULTS / "failed_orders.json")
    heads = "least, tenth, median, ninetieth, most"
    rows = [f"| soft labels are drawn from | classes that judge | segments of a class: {heads} |"]
    rows[0] += " m | classes that m cuts | left of the segments |"
    rows.append("|---|---|---|---|---|---|")
    for of in found["uneven"]:
        spread = ", ".join(f"{of[name]:,.0f}" for name in heads.split(", "))
        left = f"{of['segments_equal']:,} of {of['segments']:,}"
        rows.append(
            f"| {of['drawn']} | {of['classes']:,} | {spread} | {of['per_class']:,} | "
            f"{of['classes_cut']:,} | {left} |"
        )
    trials = []
    for trial in found["trials"]:
        about = f"**{trial['about']}**, {_seeds(trial['seeds'])}: `{trial['command']}`"
        trials += [about, "", *_order_rows(trial["orders"]), ""]
    return {"uneven": "\n".join(rows), "trials": "\n".join(trials[:-1])}


def _deployable() -> str:
    """Return one graph's score in each form, and one network's by the number of its shards."""
    found = _read(RESULTS / "deployable.json")
    graph, rows = found["graph"], ["| what | GAP@20 on test [95 %] | bar |", "|---|---|---|"]

    def row(what: str, of: dict[str, Any], bar: str = "") -> None:
        low, high = of["gap@20_interval"]
        rows.append(f"| {what} | {of['gap@20']:.4f} [{low:.3f}, {high:.3f}] | {bar} |")

    row("one graph, PyTorch", graph["pytorch"])
    for precision, of in graph["onnxruntime"].items():
        size, off = of["bytes"] / 1e6, of["max_difference"]
        told = f"{precision}, {size:.0f} MB, probabilities off by {off:.0e}"
        row(f"one graph, onnxruntime, {told}", of, f">= {graph['bar']:.3f}")
    for of in found["learning_curve"]:
        row(f"one network, {of['shards']} training shards", of)
    return "\n".join(rows)


def _speed() -> str:
    return _figures("bench_*.json")


def _figures(pattern: str) -> str:
    rows = ["| figure | value | bar | met |", "|---|---|---|---|"]
    for path in sorted(RESULTS.glob(pattern)):
        for figure in _read(path)["figures"]:
            met = {True: "yes", False: "**no**", None: ""}[figure.get("met")]
            value = (
                f"{figure['value']:,.4g}" if figure["value"] < 1000 else f"{figure['value']:,.0f}"
            )
            bar = figure.get("bar") or ""
            rows.append(f"| {figure['name']} | {value} {figure['unit']} | {bar} | {met} |")
    return "\n".join(rows)


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


if __name__ == "__main__":
    main()
