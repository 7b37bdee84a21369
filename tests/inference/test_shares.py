"""Scores of several processes: the file of one, resumed with any number of them, and errors."""

import dataclasses
import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from reeltag.core.errors import ConfigError, OutputError
from reeltag.data.splits import Splits
from reeltag.data.synth.config import SynthConfig
from reeltag.data.synth.corpus import write_corpus
from reeltag.inference import shares, stream
from reeltag.inference.prediction_job import PredictionJob
from reeltag.inference.scoring import InferenceConfig
from reeltag.inference.shares import divide, score_on_workers
from reeltag.inference.stream import Output, check_output
from reeltag.pipeline.failures import FailedStepsError
from reeltag.pipeline.keys import digest
from reeltag.pipeline.worker_config import WorkerConfig
from reeltag.predictions.file import open_predictions
from reeltag.predictions.parts import SHARES, PredictionParts, parts_of
from reeltag.soft_labels.soft_label_job import SoftLabelJob
from reeltag.soft_labels.teacher import TeacherConfig
from reeltag.tagger.tagger import Tagger
from tests.deploy.synthetic_runs import run_of
from tests.inference.near_workers import NearEngine, dividing_few_batches, work_nearby
from tests.inference.test_predict import make_tagger

CORPUS = SynthConfig(videos=60, classes=12, rgb=16, audio=8, min_frames=3, max_frames=33, shards=3)
SPLITS = Splits(train="train*", validate="validate*", test="test*")
TWO, THREE = WorkerConfig(workers=2), WorkerConfig(workers=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with DATA and RUN."""
    path = tmp_path_factory.mktemp("shares")
    write_corpus(path / "DATA", CORPUS, quiet=True)
    run_of(make_tagger(), path / "RUN")
    return path


@pytest.fixture(autouse=True)
def few_batches() -> Iterator[None]:
    """Divide the few batches that there are."""
    with dividing_few_batches():
        yield


@pytest.fixture
def near(monkeypatch: pytest.MonkeyPatch) -> list[NearEngine]:
    return work_nearby(monkeypatch)


def job_of(folder: Path, **choices: Any) -> PredictionJob:
    how = InferenceConfig(**{"device": "cpu", "segments": True, "batch_size": 8, **choices})
    data, run = folder / "DATA", folder / "RUN"
    return PredictionJob(checkpoint=run, data=data, choices=how, split="all", quiet=True)


def of_one_process(job: PredictionJob | SoftLabelJob, out: Path) -> bytes:
    job.scoring("cpu").write(Output(out))
    return out.read_bytes()


def fail_at(monkeypatch: pytest.MonkeyPatch, video: str) -> None:
    """Let the tagger fail at the batch of a video, in whatever process it is."""
    score = stream.write_parts

    def failing(scorer: Any, batches: Any, *others: Any) -> None:
        def sound() -> Iterator[Any]:
            for batch in batches:
                if video in batch.ids:
                    raise ZeroDivisionError("no luck")
                yield batch

        score(scorer, sound(), *others)

    monkeypatch.setattr(shares, "write_parts", failing)


def test_three_processes_write_the_bytes_of_one(folder: Path, tmp_path: Path) -> None:
    job = job_of(folder)
    outcome = score_on_workers(job, Output(tmp_path / "three"), THREE)
    assert (tmp_path / "three").read_bytes() == of_one_process(job, tmp_path / "one")
    assert outcome.videos == 60 and outcome.rows["videos"] == 60 and outcome.resumed_at == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "three"]


@pytest.mark.parametrize(
    "choices",
    [
        {"per_class": 5},
        {"segments": False, "per_class": 7, "top_k": 3},
        {"blank_std": 0.32},
        {"videos": False, "segment_top_k": 2},
    ],
)
def test_shares_together_have_the_rows_of_one_process(
    folder: Path, tmp_path: Path, near: list[NearEngine], choices: dict[str, Any]
) -> None:
    job = job_of(folder, **choices)
    score_on_workers(job, Output(tmp_path / "shares"), TWO)
    of_one_process(job, tmp_path / "one")
    found, wanted = (open_predictions(tmp_path / name) for name in ("shares", "one"))
    assert found.info == wanted.info
    for kind in ("videos", "segments"):
        ours, theirs = ([rows.to_arrow() for rows in of.rows(kind)] for of in (found, wanted))
        assert [row for b in ours for row in b.to_pylist()] == [
            row for b in theirs for row in b.to_pylist()
        ]
    assert len(near[0].ran) == 8


@pytest.mark.parametrize("videos", [False, True])
def test_soft_labels_of_shares_are_the_bytes_of_one_process(
    folder: Path, tmp_path: Path, near: list[NearEngine], videos: bool
) -> None:
    how = TeacherConfig(videos=videos, skip_head=0, skip_tail=0, batch_size=5, device="cpu")
    data, run = folder / "DATA", folder / "RUN"
    job = SoftLabelJob(run=run, data=data, splits=SPLITS, choices=how, quiet=True)
    score_on_workers(job, Output(tmp_path / "shares"), TWO)
    assert (tmp_path / "shares").read_bytes() == of_one_process(job, tmp_path / "one")
    assert len(near[0].ran) > 5


def test_failed_share_is_named_and_the_rest_is_resumed_by_any_number_of_workers(
    folder: Path, tmp_path: Path, near: list[NearEngine], capsys: pytest.CaptureFixture[str]
) -> None:
    job, out = job_of(folder), tmp_path / "p"
    with pytest.MonkeyPatch.context() as patch:
        fail_at(patch, "train-000017")
        with pytest.raises(FailedStepsError, match=r"1 of 8 .*share-0004 \(Zero.*: no luck"):
            score_on_workers(job, Output(out), TWO)
    done = len(near[0].ran) - 1
    assert f"{8 * done:,} of 60 videos are done and kept in {out}.parts" in capsys.readouterr().err
    assert 2 <= done < 6 and not out.exists()
    outcome = score_on_workers(job, Output(out), THREE)
    assert outcome.resumed_at == 8 * done and len(near[1].ran) == 8 - done
    assert out.read_bytes() == of_one_process(job, tmp_path / "one")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "p"]


def test_share_goes_on_after_its_last_part(
    folder: Path, tmp_path: Path, near: list[NearEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shares, "_PART_SECONDS", 0.0)
    monkeypatch.setattr(shares, "LEAST_BATCHES", 4)
    job, out = job_of(folder), tmp_path / "p"
    with pytest.MonkeyPatch.context() as patch:
        fail_at(patch, "train-000017")
        with pytest.raises(FailedStepsError):
            score_on_workers(job, Output(out), TWO)
    outcome = score_on_workers(job, Output(out), TWO)
    assert outcome.resumed_at == 3 * 8 + 28  # batches of the first share, and all of the second
    assert out.read_bytes() == of_one_process(job, tmp_path / "one")


def test_parts_of_one_process_and_of_several_are_not_mixed(
    folder: Path, tmp_path: Path, near: list[NearEngine]
) -> None:
    job, out = job_of(folder), tmp_path / "p"
    with pytest.MonkeyPatch.context() as patch:
        fail_at(patch, "train-000017")
        with pytest.raises(FailedStepsError):
            score_on_workers(job, Output(out), TWO)
    with pytest.raises(ConfigError, match="other settings .*shares 8 there, None now"):
        job.scoring("cpu").write(Output(out))
    job.scoring("cpu").write(Output(out, restart=True))
    assert not parts_of(out).exists()


def test_share_of_another_device_is_scored_again(folder: Path, tmp_path: Path) -> None:
    scoring = job_of(folder).scoring("cpu")
    there = {**scoring.settings, "device": "cuda (another)"}
    PredictionParts(tmp_path / "rows", there, ("videos", "segments")).finish(12)
    assert shares._share_parts(tmp_path / "rows", scoring).videos_done == 0


def test_worker_with_other_weights_raises(folder: Path, tmp_path: Path) -> None:
    job = job_of(folder)
    settings = digest(json.dumps(shares._fixed(job.scoring("cpu")), sort_keys=True))
    tagger = make_tagger()
    nn.init.zeros_(next(tagger.parameters()))
    other = dataclasses.replace(job, checkpoint=run_of(tagger, tmp_path / "OTHER"))
    bounds: dict[str, Any] = {"first": 0, "stop": 4, "settings": settings, "device": "cpu"}
    with pytest.raises(ConfigError, match="other weights or records are here"):
        shares.score_share(tmp_path / "share", job=other, **bounds)


def test_left_shares_are_removed_where_the_file_is_whole(tmp_path: Path) -> None:
    out = tmp_path / "p"
    parts = PredictionParts(parts_of(out), {}, ("videos",))
    parts.end(out)
    (parts.folder / SHARES / "share-0001-abc" / "rows").mkdir(parents=True)
    out.write_text("whole")
    with pytest.raises(OutputError, match="exists already"):
        check_output(out, overwrite=False)
    assert [*tmp_path.iterdir()] == [out]


def test_addresses_of_data_stay_as_they_are(tmp_path: Path) -> None:
    assert shares.whole_path(Path("DATA")) == Path.cwd() / "DATA"
    assert shares.whole_path(Path("s3://bucket/data")) == Path("s3://bucket/data")


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 400)), min_size=1, max_size=40),
    st.integers(1, 12),
)
def test_shares_are_whole_batches_with_as_many_frames(
    batches: list[tuple[int, int]], most: int
) -> None:
    sizes = np.array([size for size, _ in batches])
    frames = np.repeat([each for _, each in batches], sizes)
    starts = np.cumsum(sizes) - sizes
    found = divide(starts, frames, most)
    assert found[0][0] == 0 and found[-1][1] == len(frames) and len(found) <= most
    assert all(before[1] == after[0] for before, after in pairwise(found))
    assert {first for first, _ in found} <= set(starts.tolist())
    largest = max(size * each for size, each in batches)
    fair = frames.sum() / min(most, len(batches))
    assert max(frames[first:stop].sum() for first, stop in found) <= fair + largest


def test_missing_run_is_an_error_before_workers_start(tmp_path: Path) -> None:
    job = PredictionJob(checkpoint=tmp_path / "RUN", data=tmp_path / "DATA")
    with pytest.raises(Exception, match="RUN"):
        score_on_workers(job, Output(tmp_path / "p"), TWO)
    assert not parts_of(tmp_path / "p").exists()


def test_tagger_is_loaded_once_by_a_worker(
    folder: Path, tmp_path: Path, near: list[NearEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    loads, load = list[Path](), Tagger.load

    def counted(path: Path) -> Tagger:
        loads.append(path)
        return load(path)

    monkeypatch.setattr(Tagger, "load", counted)
    score_on_workers(job_of(folder), Output(tmp_path / "p"), TWO)
    assert len(loads) == 2  # that divides, and the worker
