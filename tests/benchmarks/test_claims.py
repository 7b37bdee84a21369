"""The page of claims: what decides a line, and that each names evidence that there can be."""

import pytest

from benchmarks.claims import CLAIMS, Gain, Order, Technique, Trial
from benchmarks.failed_orders import TRIALS
from benchmarks.reproductions import PROOFS, named
from benchmarks.tables import claims as page
from benchmarks.tables.claims import more_videos
from benchmarks.technique_comparisons import COMPARISONS


def test_videos_that_tell_a_gain_are_those_of_the_textbook() -> None:
    # two-sided test at 5 %, power of 80 %: the gain is 2.8 standard errors
    assert more_videos(-1.96, 1.96, 2.8016) == pytest.approx(1, rel=1e-3)
    assert more_videos(-1.96, 1.96, 1.4008) == pytest.approx(4, rel=1e-3)


@pytest.mark.parametrize(
    ("ends", "gain", "words"),
    [
        ((0.001, 0.002), None, "yes"),
        ((-0.002, -0.001), 0.1, "**no**"),
        ((-0.001, 0.002), None, "undecided"),
        ((-0.001, 0.002), 0.01, "undecided, less than there"),
        ((-0.0196, 0.0196), 0.014008, "undecided, 4 x the videos would tell"),
    ],
)
def test_interval_alone_decides(
    ends: tuple[float, float],
    gain: float | None,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    row = {"data": "d", "difference": 0.1, "seeds": 1, "command": "c", "interval": ends}
    monkeypatch.setattr(page, "_row", lambda evidence: row)
    cells = page._cells(Order("a", "b", "c"), gain)
    assert cells is not None and cells[3] == words


def test_evidence_is_a_comparison_that_some_program_makes() -> None:
    techniques = {race: {each.technique for each in of} for race, of in COMPARISONS.items()}
    trials = {trial.about: trial for trial in TRIALS}
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
                assert each.proof in PROOFS
