"""The picture of a study: drawn for any mix of trials, reproducible."""

from pathlib import Path

from reeltag.figures.study import Dot, draw_study

DOTS = [
    Dot(number=0, value=0.5, state="complete"),
    Dot(number=1, value=None, state="failed"),
    Dot(number=2, value=0.4, state="pruned"),
    Dot(number=3, value=0.6, state="complete"),
    Dot(number=4, value=None, state="running"),
]


def test_study_picture_is_reproducible(tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        importance = {"model.inner": 0.75, "learning_rate": 0.25}
        draw_study(DOTS, importance, tmp_path / name, metric="GAP@20", title="5 trials")
    text = (tmp_path / "a.svg").read_text()
    assert text == (tmp_path / "b.svg").read_text() and "<svg" in text


def test_study_is_drawn_before_a_trial_is_complete(tmp_path: Path) -> None:
    for dots in (DOTS[1:2], DOTS[4:], DOTS[:1]):
        draw_study(dots, {}, tmp_path / "c.svg", metric="GAP@20", title="1 trial")
        assert "<svg" in (tmp_path / "c.svg").read_text()
