"""Time stamps: where they begin, and those that cannot be."""

from fractions import Fraction

from reeltag.library.media.timeline import Clock, middle, num_frames

MS = Fraction(1, 1000)


def placed(stamps: list[int | None], start: int = 0, limit: int = 60) -> list[float]:
    clock = Clock(MS, Fraction(start), Fraction(limit))
    return [float(clock.seconds(clock.place(stamp, 40))) for stamp in stamps]


def test_time_begins_at_the_start_of_the_file() -> None:
    assert placed([5000, 5040], start=5) == [0.0, 0.04]
    assert placed([4990, 5040], start=5) == [-0.01, 0.04]


def test_missing_time_stamp_follows_on() -> None:
    assert placed([0, None, None, 500]) == [0.0, 0.04, 0.08, 0.5]


def test_pause_within_the_file_is_kept() -> None:
    assert placed([0, 40_000]) == [0.0, 40.0]
    assert placed([0, 1_000_000], limit=3600) == [0.0, 1000.0]


def test_jump_beyond_the_end_is_left_out() -> None:
    assert placed([0, 90_000, 90_040]) == [0.0, 0.04, 0.08]
    assert placed([0, 10**9, 10**9 + 40], limit=3600) == [0.0, 0.04, 0.08]


def test_joined_files_go_on_where_the_first_ended() -> None:
    assert placed([0, 30_000, 0, 30_000]) == [0.0, 30.0, 30.04, 60.04]
    assert placed([0, 2_000, 0, 2_000]) == [0.0, 2.0, 2.04, 4.04]


def test_small_step_back_is_kept() -> None:
    assert placed([0, 80, 40, 120]) == [0.0, 0.08, 0.04, 0.12]


def test_frames_and_their_middles_are_exact() -> None:
    assert middle(2, 0.5) == 5 and middle(0, 25.0) == Fraction(1, 50)
    assert num_frames(Fraction(120), 0.1) == 12 and num_frames(Fraction(1201, 100), 25.0) == 301
