"""Quality on real data: single models, the zoo, the graph to deploy."""

from statistics import mean

from benchmarks.results import Row, read_rows
from benchmarks.tables.cells import interval, table, verdict

RACES = ("yt8m", "audioset", "mosaics")


def runs_of(proof: str) -> list[Row]:
    """Return the runs of a proof on real data, seed by seed."""
    runs = [row for row in read_rows("real_data") if row["proof"] == proof]
    return sorted(runs, key=lambda row: int(row["seed"]))


def quality() -> str:
    """Return a row for each proof: its figure by seed, with intervals, and the target."""
    cells = []
    for proof in sorted({row["proof"] for row in read_rows("real_data")}):
        runs = runs_of(proof)
        cells.append(
            [
                f"`{proof}`",
                runs[0]["metric"],
                ", ".join(f"{run['value']:.4f} {interval(run['interval'])}" for run in runs),
                f"{mean(run['value'] for run in runs):.4f}",
                str(runs[0].get("target", "")),
                f"{mean(run['evaluation']['gap@20'] for run in runs):.4f}",
                f"{mean(run['training']['seconds'] for run in runs):.0f}",
            ]
        )
    head = ["proof", "metric", "value [interval] by seed", "mean", "target", "GAP@20"]
    return table([*head, "training, s"], cells)


def zoo() -> str:
    """Return a row for each entry: parameters, and what it reached in each race, best first."""
    entries: dict[str, list[Row]] = {}
    for row in read_rows("zoo"):
        entries.setdefault(row["entry"], []).append(row)

    def reached(entry: str) -> list[float]:
        by_race = {race: _in(entries[entry], race) for race in RACES}
        return [mean(row["value"] for row in rows) if rows else 0.0 for rows in by_race.values()]

    cells = (
        [f"`{entry}`", _sizes(entries[entry]), *(_cell(_in(entries[entry], r)) for r in RACES)]
        for entry in sorted(entries, key=reached, reverse=True)
    )
    head = ["entry", "parameters", "YouTube-8M, GAP@20", "AudioSet, mAP", "mosaics, GAP@20"]
    return table(head, cells)


def _in(rows: list[Row], race: str) -> list[Row]:
    return [row for row in rows if row["race"] == race]


def _cell(runs: list[Row]) -> str:
    """Return the mean over seeds, the bootstrap interval of the first, and how many seeds."""
    if not runs:
        return ""
    seeds = f", {len(runs)} seeds" if len(runs) > 1 else ""
    return f"{mean(run['value'] for run in runs):.4f} {interval(runs[0]['interval'])}{seeds}"


def _sizes(rows: list[Row]) -> str:
    sizes = [row["parameters"] for row in rows]
    ends = [f"{size / 1e6:.1f}" for size in (min(sizes), max(sizes))]
    return f"{' to '.join(dict.fromkeys(ends))} M"


def deployable() -> str:
    """Return one graph's score in each form, and one network's by the number of its shards."""
    cells = []
    for row in read_rows("deployable", "graphs"):
        about = ""
        if "bytes" in row:
            off = row["max_difference"]
            about = f", {row['bytes'] / 1e6:.0f} MB, probabilities off by {off:.0e}"
        cells.append([f"one graph, {row['form']}{about}", _scored(row), row.get("target", "")])
    cells += (
        [f"one network, {row['shards']} training shards", _scored(row), ""]
        for row in read_rows("deployable", "learning_curve")
    )
    return table(["what", "GAP@20 on test [95 %]", "target"], cells)


def chosen() -> str:
    """Return what was chosen on the tune part, and what it reaches on test."""
    rows = []
    for row in read_rows("chosen", "chosen"):
        ends = zip(row["values"], row["intervals"], strict=True)
        values = ", ".join(f"{value:.4f} {interval(of)}" for value, of in ends)
        cells = [f"{row['value']:.4f}", f">= {row['target']:.3f}", verdict(row)]
        what = row["what"] + (f", {row['bytes'] / 1e6:.0f} MB" if "bytes" in row else "")
        rows.append([row["contest"], what, "; ".join(row["of"]), values, *cells])
    head = ["contest", "what", "of", "on test [95 %]", "mean", "target", "met"]
    return table(head, rows)


def candidates() -> str:
    """Return what every candidate reached on the tune part."""
    rows = [
        [row["contest"], row["candidate"], f"{row['tune']:.4f}", f"`{row['train']}`"]
        for row in read_rows("chosen", "candidates")
    ]
    return table(["contest", "candidate", "on tune", "command"], rows)


def _scored(row: Row) -> str:
    return f"{row['gap@20']:.4f} {interval(row['gap@20_interval'])}"
