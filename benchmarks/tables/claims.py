"""Each claim of the four papers, and whether it holds here."""

from collections.abc import Callable
from functools import partial
from statistics import NormalDist

from benchmarks.claims import CLAIMS, Claim, Evidence, Gain, Order, Technique, Trial, Untested
from benchmarks.results import Row, read_rows
from benchmarks.tables.cells import interval, table

_HEAD = ("claim", "paper", "data", "here [95 %]", "seeds", "holds", "command")
_Z95, _Z80 = (NormalDist().inv_cdf(at) for at in (0.975, 0.8))
_DATA = {
    "reels": "reels",
    "mosaics": "mosaics",
    "audioset": "AudioSet",
    "yt8m": "60 shards",
    "yt8m_noisy": "60 shards, worse labels",
    "yt8m_100": "100 shards",
}


def claims() -> dict[str, Callable[[], str]]:
    """Return for each paper what makes the table of its claims."""
    names = {paper: paper.lower().replace(" ", "-") for paper in CLAIMS}
    return {names[paper]: partial(_claims, of) for paper, of in CLAIMS.items()}


def _claims(of: tuple[Claim, ...]) -> str:
    rows = []
    for claim in of:
        found = [cells for evidence in claim.evidence if (cells := _cells(evidence, claim.gain))]
        first = (claim.words, claim.paper)
        rows += [[*(first if not n else ("", "")), *cells] for n, cells in enumerate(found)]
    return table(_HEAD, rows)


def _cells(evidence: Evidence, gain: float | None) -> list[str] | None:
    """Return data, difference, seeds, verdict and command; None where it is not measured yet."""
    if isinstance(evidence, Untested):
        return ["", "", "", f"cannot be tested: {evidence.why}", ""]
    row = _row(evidence)
    if row is None:
        return None
    low, high = row["interval"]
    holds = "yes" if low > 0 else "**no**" if high < 0 else "undecided"
    if holds == "undecided" and gain is not None:
        times = more_videos(low, high, gain)
        holds += ", less than there" if gain > high else f", {times:.2g} x the videos would tell"
    difference = f"{row['difference']:+.4f} {interval(row['interval'], 4, '+')}"
    return [row["data"], difference, str(row["seeds"]), holds, f"`{row['command']}`"]


def more_videos(low: float, high: float, gain: float) -> float:
    """Return how many times the videos would tell a gain from 0 in 80 of 100 such tests.

    The standard error of a difference is that of its interval, and falls with the root of the
    number of videos: (z_.975 + z_.8)^2 error^2 / gain^2.

    Args:
        low: end of the 95 % interval.
        high: the other one.
        gain: to be seen.
    """
    error = (high - low) / (2 * _Z95)
    return ((_Z95 + _Z80) * error / gain) ** 2


def _row(evidence: Order | Gain | Trial | Technique) -> Row | None:
    """Return the measured difference that is the evidence; None without one."""
    if isinstance(evidence, Technique):
        for row in read_rows("techniques", "comparisons"):
            if (row["race"], row["technique"]) == (evidence.race, evidence.technique):
                command = f"python -m benchmarks.techniques {row['race']}"
                return {**row, "data": _DATA[row["race"]], "command": command}
        return None
    if isinstance(evidence, Trial):
        for row in read_rows("failed_orders", "trials"):
            if row["about"] == evidence.about:
                found = _ordered(row["orders"], evidence)
                data = "mosaics" if "mosaics" in row["about"] else "reels"
                words = f"{data}, {evidence.about.removesuffix(f', {data}')}"
                return found and {
                    **found,
                    "data": words,
                    "seeds": len(row["seeds"]),
                    "command": "python -m benchmarks.failed_orders",
                }
        return None
    for row in read_rows("reproductions"):
        if row["proof"] == evidence.proof:
            found = (
                _ordered(row["orders"], evidence)
                if isinstance(evidence, Order)
                else _gained(row, evidence.row)
            )
            more = row["proof"].partition(f"{row['data']}-")[2].replace("-", " ")
            return found and {
                **found,
                "data": _DATA[row["data"]] + (f", {more}" if more else ""),
                "seeds": len(row["seeds"]),
                "command": f"python -m benchmarks.reproductions {row['proof']}",
            }
    return None


def _ordered(orders: list[Row], of: Order | Trial) -> Row | None:
    for row in orders:
        if (row["better"], row["worse"]) == (of.better, of.worse):
            return row
    return None


def _gained(proof: Row, name: str) -> Row | None:
    for each in proof["tables"]:
        for row in each["rows"]:
            if row["name"] == name and row["ours"][0] is not None:
                return {"difference": row["ours"][0], "interval": row["intervals"][0]}
    return None
