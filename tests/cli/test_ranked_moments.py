"""`reeltag moments --ranked`: moments that stand out, without a threshold."""

from pathlib import Path

import numpy as np
import pytest

from reeltag.cli.main import run
from reeltag.data.dataset import Dataset
from reeltag.inference.moments import score_windows
from reeltag.predictions.interval_rows import Intervals, windows_by_video
from reeltag.predictions.intervals import IntervalConfig
from reeltag.predictions.ranked_intervals import rank_intervals
from reeltag.tagger.tagger import Tagger
from tests.cli.moment_runs import places, run_json


def test_ranked_moments_stand_out_whatever_the_thresholds(
    data: Path, checkpoint: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    common = (checkpoint, "--data", data, "--split", "validate", "--class", 3)
    found = run_json(capfd, *common, "--ranked", "--length", 2)
    (of_class,) = found["classes"]
    tagger, data_set = Tagger.load(checkpoint), Dataset.open(data, quiet=True)
    config = IntervalConfig(length_s=2)
    videos = windows_by_video(score_windows(tagger, data_set, config, split="validate"))
    best = Intervals.concatenate([rank_intervals(video, config) for video in videos])
    best = best.take(best.classes == 3)
    best = best.take(np.argsort(-best.scores, kind="stable"))
    columns = (best.ids.to_pylist(), best.start_s.tolist(), best.end_s.tolist())
    expected = [(3, *row) for row in zip(*columns, strict=True)]
    assert len(expected) > 5 and places(found) == expected
    assert of_class["threshold"] is None
    contrasts = [each["prob"] for each in of_class["moments"]]
    assert contrasts == pytest.approx(best.peak_prob.tolist(), abs=1e-6)


def test_ranked_moments_have_no_threshold_to_choose(
    data: Path, checkpoint: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for flag in ("--prob", "--precision"):
        assert run(["moments", str(checkpoint), "--data", str(data), "--ranked", flag, "0.5"]) == 2
        assert "--ranked needs no threshold" in capfd.readouterr().err
