"""The page of claims: what decides a line, and that each names evidence that there can be."""

import pytest

from benchmarks.claims import CLAIMS, Claim, Gain, Order, Technique, Trial
from benchmarks.failed_orders import TRIALS
from benchmarks.reproductions import PROOFS, named
from benchmarks.results import read_rows
from benchmarks.tables import claims as page
from benchmarks.tables.claims import more_videos
from benchmarks.technique_comparisons import COMPARISONS


def test_videos_that_tell_a_gain_are_those_of_the_textbook() -> None:
    # two-sided test at 5 %, power of 80 %: the gain is 2.8 standard errors
    assert more_videos(-1.96, 1.96, 2.8016) == pytest.approx(1, rel=1e-3)
    assert more_videos(-1.96, 1.96, 1.4008) == pytest.approx(4, rel=1e-3)


@pytest.mark.parametrize(
    ("ends", "gain", "margin", "words"),
    [
        ((0.001, 0.002), None, 0, "yes"),
        ((-0.002, -0.001), 0.1, 0, "**no**"),
        ((-0.001, 0.002), None, 0, "undecided"),
        ((-0.001, 0.002), 0.01, 0, "undecided, less than there"),
        ((-0.0196, 0.0196), 0.014008, 0, "undecided, 4 x the videos would tell"),
        ((-0.004, -0.002), None, 0.005, "yes"),
        ((-0.008, -0.006), None, 0.005, "**no**"),
    ],
)
def test_interval_alone_decides(
    ends: tuple[float, float],
    gain: float | None,
    margin: float,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    row = {"difference": 0.1, "seeds": 1, "interval": ends}
    monkeypatch.setattr(page, "_row", lambda evidence: row)
    evidence = Order("oppo2019-reels", "II-A", "I")
    assert page._cells(evidence, Claim("c", "p", (evidence,), gain, margin))[3] == words


def test_claim_that_is_not_measured_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "read_rows", lambda *of: [])
    every = "\n".join(made() for made in page.claims().values())
    lines = [line for line in every.splitlines() if line.endswith("` |")]
    assert len(lines) > 60 and all("| not measured yet | `python -m" in line for line in lines)


def test_evidence_is_a_comparison_that_some_program_makes() -> None:
    techniques = {race: {each.technique for each in of} for race, of in COMPARISONS.items()}
    trials = {trial.about: trial for trial in TRIALS}
    gains = {
        proof["proof"]: {row["name"] for table in proof["tables"] for row in table["rows"]}
        for proof in read_rows("reproductions")
    }
    for claim in (claim for of in CLAIMS.values() for claim in of):
        assert claim.evidence
        for each in claim.evidence:
            if isinstance(each, Technique):
                assert each.technique in techniques[each.race], claim.words
            elif isinstance(each, Trial):
                assert (each.better, each.worse) in trials[each.about].orders, claim.words
            elif isinstance(each, Order):
                pairs = [tuple(map(named, pair)) for pair in PROOFS[each.proof].orders]
                assert (each.better, each.worse) in pairs, claim.words
            elif isinstance(each, Gain):
                rows = gains.get(each.proof)  # of what was measured
                assert each.proof in PROOFS and (rows is None or each.row in rows), claim.words
