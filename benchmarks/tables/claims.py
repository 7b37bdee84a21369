"""Each claim of the four papers, and whether it holds here."""

from collections.abc import Callable
from functools import partial
from statistics import NormalDist
from typing import NamedTuple

from benchmarks.claims import CLAIMS, DATA, Claim, Evidence, Gain, Order, Technique, Trial, Untested
from benchmarks.results import Row, read_rows
from benchmarks.tables.cells import holds, interval, table
from benchmarks.tables.techniques import RACES

_HEAD = ("claim", "paper", "data", "here [95 %]", "seeds", "holds", "command")
_Z95, _Z80 = (NormalDist().inv_cdf(at) for at in (0.975, 0.8))


class _Source(NamedTuple):
    """What a piece of evidence is of, and what measures it."""

    data: str
    command: str


def claims() -> dict[str, Callable[[], str]]:
    """Return for each paper what makes the table of its claims."""
    names = {paper: paper.lower().replace(" ", "-") for paper in CLAIMS}
    return {names[paper]: partial(_claims, of) for paper, of in CLAIMS.items()}


def _claims(of: tuple[Claim, ...]) -> str:
    rows = []
    for claim in of:
        for number, evidence in enumerate(claim.evidence):
            first = ("", "") if number else (claim.words, claim.paper)
            rows.append([*first, *_cells(evidence, claim)])
    return table(_HEAD, rows)


def _cells(evidence: Evidence, claim: Claim) -> list[str]:
    """Return data, difference, seeds, verdict and command."""
    if isinstance(evidence, Untested):
        return ["", "", "", f"cannot be tested: {evidence.why}", ""]
    data, command = _source(evidence)
    row = _row(evidence)
    if row is None:
        return [data, "", "", "not measured yet", f"`{command}`"]
    low, high = row["interval"]
    verdict = holds(row["interval"], claim.margin)
    if verdict == "undecided" and claim.gain is not None:
        times = more_videos(low, high, claim.gain)
        less = ", less than there"
        verdict += less if claim.gain > high else f", {times:.2g} x the videos would tell"
    difference = f"{row['difference']:+.4f} {interval(row['interval'], 4, '+')}"
    return [data, difference, str(row["seeds"]), verdict, f"`{command}`"]


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


def _source(evidence: Order | Gain | Trial | Technique) -> _Source:
    if isinstance(evidence, Technique):
        what = f"{RACES[evidence.race]}: {evidence.technique}"
        return _Source(what, f"python -m benchmarks.techniques {evidence.race}")
    if isinstance(evidence, Trial):
        return _Source(evidence.about, "python -m benchmarks.failed_orders")
    command = f"python -m benchmarks.reproductions {evidence.proof}"
    return _Source(DATA[evidence.proof], command)


def _row(evidence: Order | Gain | Trial | Technique) -> Row | None:
    """Return the measured difference that is the evidence; None without one."""
    if isinstance(evidence, Technique):
        wanted = {"race": evidence.race, "technique": evidence.technique}
        return _first(read_rows("techniques", "comparisons"), wanted)
    pair = {} if isinstance(evidence, Gain) else _pair(evidence)
    if isinstance(evidence, Trial):
        trial = _first(read_rows("failed_orders", "trials"), {"about": evidence.about})
        found = trial and _first(trial["orders"], pair)
        return found and {**found, "seeds": len(trial["seeds"])} if trial else None
    proof = _first(read_rows("reproductions"), {"proof": evidence.proof})
    if proof is None:
        return None
    found = _gained(proof, evidence.row) if isinstance(evidence, Gain) else None
    found = found or _first(proof["orders"], pair or {"better": None})
    return found and {**found, "seeds": len(proof["seeds"])}


def _pair(evidence: Order | Trial) -> Row:
    return {"better": evidence.better, "worse": evidence.worse}


def _first(rows: list[Row], wanted: Row) -> Row | None:
    """Return the first row with these values."""
    for row in rows:
        if all(row[name] == value for name, value in wanted.items()):
            return row
    return None


def _gained(proof: Row, name: str) -> Row | None:
    for each in proof["tables"]:
        for row in each["rows"]:
            if row["name"] == name and row["ours"][0] is not None:
                return {"difference": row["ours"][0], "interval": row["intervals"][0]}
    return None
