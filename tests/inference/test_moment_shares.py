"""Moments found by several processes are those of one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reeltag.cli.main import run
from reeltag.core.errors import ConfigError
from reeltag.data.dataset import Dataset
from reeltag.inference import moment_shares
from reeltag.inference.moment_shares import MomentJob, find_intervals_on, find_share
from reeltag.inference.moments import BestIntervals, find_intervals_in, score_windows
from reeltag.pipeline.failures import FailedStepsError
from reeltag.pipeline.worker_config import WorkerConfig
from reeltag.predictions.interval_rows import Intervals
from reeltag.predictions.intervals import IntervalConfig
from reeltag.tagger.loading import any_tagger
from reeltag.tagger.thresholds import Thresholds
from tests.cli.moment_runs import run_json, write_data, write_run
from tests.inference.near_workers import NearEngine, dividing_few_batches, work_nearby

NAMES = tuple(f"class {c}" for c in range(12))
CONFIG = IntervalConfig(length_s=5, hop_s=1, min_length_s=1, merge_gap_s=2, smooth_s=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with DATA and RUN."""
    path = tmp_path_factory.mktemp("moments")
    write_data(path / "DATA")
    write_run(path / "RUN")
    return path


@pytest.fixture(autouse=True)
def few_batches() -> Iterator[None]:
    """Divide the few batches that there are."""
    with dividing_few_batches():
        yield


@pytest.fixture
def near(monkeypatch: pytest.MonkeyPatch) -> list[NearEngine]:
    return work_nearby(monkeypatch)


def job_of(folder: Path, **fields: Any) -> MomentJob:
    job = {"batch_size": 4, "device": "cpu", "split": "all", "config": CONFIG, **fields}
    return MomentJob(checkpoint=folder / "RUN", data=folder / "DATA", **job)


def of_one_process(job: MomentJob, thresholds: Thresholds, **options: Any) -> BestIntervals:
    data = Dataset.open(job.data, quiet=True)
    windows = score_windows(
        any_tagger(job.checkpoint), data, job.config, split="all", batch_size=4, device="cpu"
    )
    return find_intervals_in(
        windows, job.config, thresholds, classes=job.classes, top=job.top, **options
    )


def assert_same(found: BestIntervals, wanted: BestIntervals) -> None:
    assert found.windows == wanted.windows > 0
    assert found.counts.tolist() == wanted.counts.tolist() and found.counts.sum() > 5
    ours, theirs = found.ranked(), wanted.ranked()
    assert ours.ids.to_pylist() == theirs.ids.to_pylist()
    for name in moment_shares._COLUMNS:
        assert getattr(ours, name).tolist() == getattr(theirs, name).tolist()


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"top": 3},
        {"classes": (2, 5, 7), "top": 4},
        {"config": IntervalConfig(length_s=5, hop_s=1, ranked=True)},
    ],
)
def test_moments_of_shares_are_those_of_one_process(
    folder: Path, near: list[NearEngine], fields: dict[str, Any]
) -> None:
    job, thresholds = job_of(folder, **fields), Thresholds.at_prob(NAMES, 0.5)
    found = find_intervals_on(job, WorkerConfig(workers=2), thresholds)
    assert_same(found, of_one_process(job, thresholds))
    assert len(near[0].ran) == 8


def test_moments_that_do_not_count_are_dropped_before_the_best_are_chosen(
    folder: Path, near: list[NearEngine]
) -> None:
    def is_late(intervals: Intervals) -> np.ndarray[Any, np.dtype[np.bool_]]:
        late: np.ndarray[Any, np.dtype[np.bool_]] = intervals.start_s >= 4
        return late

    job, thresholds = job_of(folder, top=2), Thresholds.at_prob(NAMES, 0.5)
    found = find_intervals_on(job, WorkerConfig(workers=2), thresholds, is_late)
    assert_same(found, of_one_process(job, thresholds, keep=is_late))
    assert min(found.ranked().start_s) >= 4


def test_two_processes_find_what_the_command_finds_alone(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    video = Dataset.open(folder / "DATA", quiet=True).table["id"].to_pylist()[:9]
    words: list[object] = [folder / "RUN", "--data", folder / "DATA", "--split", "all"]
    words += ["--device", "cpu", "--batch-size", 2, "--prob", 0.5, "--hop", 2]
    words += [word for name in video for word in ("--video", name)]
    alone = run_json(capfd, *words)
    assert run_json(capfd, *words, "--workers", 2) == alone and alone["windows"] > 9


def test_worker_with_other_weights_raises(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="other weights are here"):
        find_share(tmp_path, first=0, stop=4, weights="00", job=job_of(folder), thresholds=tmp_path)


def test_share_that_fails_is_named_and_nothing_is_left(
    folder: Path, near: list[NearEngine], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise ZeroDivisionError("no luck")

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(moment_shares, "find_intervals_in", failing)
    with pytest.raises(FailedStepsError, match=r"moment-share-0001 \(ZeroDivisionError: no luck"):
        find_intervals_on(job_of(folder), WorkerConfig(workers=2), Thresholds.at_prob(NAMES, 0.5))
    assert not [*tmp_path.iterdir()]


def test_predictions_that_are_there_are_not_divided(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["moments", "--predictions", "p.parquet", "--workers", "2"]) == 2
    assert "scores that are there are read by one process" in capfd.readouterr().err
