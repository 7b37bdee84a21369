"""Put what results/ holds into the tables of docs/results.md.

python -m benchmarks.tables
"""

import json
from itertools import groupby
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.record import PROJECT, RESULTS

PAGE = PROJECT / "docs" / "results.md"


def main() -> None:
    """Rewrite what stands between the markers of the page."""
    text = PAGE.read_text()
    for name, table in (("quality", _quality()), ("speed", _speed())):
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        before, after = text.split(begin)[0], text.split(end)[1]
        text = f"{before}{begin}\n{table}\n{end}{after}"
    PAGE.write_text(text)


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


def _speed() -> str:
    rows = ["| figure | value | bar | met |", "|---|---|---|---|"]
    for path in sorted(RESULTS.glob("bench_*.json")):
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
