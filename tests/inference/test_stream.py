"""Batches to file: the same for any batch size, resumable anywhere, exact per class."""

import io
import os
import signal
from collections.abc import Iterator
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from reeltag.core.batch import FrameBatch
from reeltag.core.errors import ConfigError, DataError, OutputError
from reeltag.core.files import hold_result
from reeltag.inference import scoring
from reeltag.inference.scoring import InferenceConfig, Scorer
from reeltag.inference.stream import Outcome, Output, check_output, write_predictions
from reeltag.predictions import top_k
from reeltag.predictions.file import PredictionInfo, open_predictions
from reeltag.predictions.parts import parts_of
from reeltag.predictions.rows import Kind
from reeltag.predictions.top_k import top_classes
from tests.inference.standin import NUM_CLASSES, MeanTagger, make_videos, reader
from tests.processes import Launch, die

VIDEOS = make_videos([1 + 7 * n % 31 for n in range(90)])
Pairs = dict[tuple[str, int, int], float]


def predict(
    out: Path,
    data: list[Tensor] = VIDEOS,
    *,
    stop_at: int | None = None,
    ctrl_c: tuple[int, int] = (0, 0),
    part_seconds: float = 60.0,
    restart: bool = False,
    tagger: MeanTagger | None = None,
    **choices: Any,
) -> Outcome:
    """Predict with the stand-in; `stop_at`: fail when so many videos were read in this run.

    `ctrl_c`: when so many were read, press it so many times.
    """
    wanted = InferenceConfig(device="cpu", **{"segments": True, **choices})
    read = reader(data, wanted.batch_size)

    def failing(first: int) -> Iterator[FrameBatch]:
        seen = 0
        for batch in read(first):
            if stop_at is not None and seen >= stop_at:
                raise KeyboardInterrupt
            for _ in range(ctrl_c[1] if seen == ctrl_c[0] else 0):
                signal.raise_signal(signal.SIGINT)
            seen += len(batch)
            yield batch

    return write_predictions(
        Scorer(tagger or MeanTagger(), NUM_CLASSES, wanted),
        failing,
        len(data),
        Output(out, restart=restart, part_seconds=part_seconds),
        PredictionInfo(num_classes=NUM_CLASSES),
        {"top_k": wanted.top_k, "per_class": wanted.per_class},
    )


def pairs(path: Path, kind: Kind) -> Pairs:
    """Return (id, start or -1, class) -> score."""
    found: Pairs = {}
    for rows in open_predictions(path).rows(kind):
        row = rows.row_of_entry()
        starts = rows.starts
        keys = zip(rows.ids.take(row).to_pylist(), starts[row].tolist(), rows.classes, strict=True)
        for (name, start, c), score in zip(keys, rows.scores.tolist(), strict=True):
            assert (name, start, int(c)) not in found
            found[name, start, int(c)] = score
    return found


def rows_in_order(found: Pairs) -> list[tuple[str, int]]:
    return list(dict.fromkeys((name, start) for name, start, _ in found))


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_stream_is_independent_of_batch_size(tmp_path: Path, batch_size: int) -> None:
    predict(tmp_path / "all", batch_size=90, top_k=NUM_CLASSES)
    predict(tmp_path / "some", batch_size=batch_size, top_k=NUM_CLASSES)
    for kind in ("videos", "segments"):
        expected, found = pairs(tmp_path / "all", kind), pairs(tmp_path / "some", kind)
        assert found == pytest.approx(expected, abs=1e-5)
        assert rows_in_order(found) == rows_in_order(expected)


def test_stream_writes_videos_and_segments_in_one_pass(tmp_path: Path) -> None:
    outcome = predict(tmp_path / "p", batch_size=7)
    num_segments = sum(-(-len(video) // 5) for video in VIDEOS)
    assert outcome.rows == {"videos": len(VIDEOS), "segments": num_segments}
    assert len(pairs(tmp_path / "p", "segments")) == num_segments * NUM_CLASSES
    assert [path.name for path in tmp_path.iterdir()] == ["p"]


def test_stream_writes_the_chosen_kinds_alone(tmp_path: Path) -> None:
    predict(tmp_path / "videos", segments=False, top_k=3)
    assert not open_predictions(tmp_path / "videos").holds("segments")
    assert len(pairs(tmp_path / "videos", "videos")) == 3 * len(VIDEOS)
    predict(tmp_path / "segments", videos=False)
    assert not open_predictions(tmp_path / "segments").holds("videos")
    predict(tmp_path / "both")
    assert pairs(tmp_path / "segments", "segments") == pairs(tmp_path / "both", "segments")


@pytest.mark.parametrize("per_class", [0, 40])
@pytest.mark.parametrize("stop_at", [7, 35, 84])
def test_stream_resumes_to_the_same_file(
    tmp_path: Path, stop_at: int, per_class: int, capfd: pytest.CaptureFixture[str]
) -> None:
    predict(tmp_path / "whole", batch_size=7, per_class=per_class)
    out = tmp_path / "p"
    with pytest.raises(KeyboardInterrupt):
        predict(out, batch_size=7, per_class=per_class, stop_at=stop_at, part_seconds=0)
    assert not out.exists()
    log = " ".join(capfd.readouterr().err.split())
    assert f"{stop_at} of 90 videos are done" in log and "the same command goes on" in log
    outcome = predict(out, batch_size=4, per_class=per_class, part_seconds=0)
    assert outcome.resumed_at == stop_at
    for kind in ("videos", "segments"):
        assert pairs(out, kind) == pytest.approx(pairs(tmp_path / "whole", kind), abs=1e-5)
    assert {path.name for path in tmp_path.iterdir()} == {"whole", "p"}


@pytest.mark.parametrize("per_class", [0, 40])
@pytest.mark.parametrize(("read_before", "kept"), [(0, 7), (14, 21), (84, 90)])
def test_ctrl_c_keeps_every_scored_batch(
    tmp_path: Path,
    read_before: int,
    kept: int,
    per_class: int,
    capfd: pytest.CaptureFixture[str],
) -> None:
    out, before = tmp_path / "p", signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        predict(out, batch_size=7, per_class=per_class, ctrl_c=(read_before, 1))
    assert not out.exists() and signal.getsignal(signal.SIGINT) is before
    log = " ".join(capfd.readouterr().err.split())
    assert "stopping after this batch" in log
    assert f"{kept} of 90 videos are done" in log and "the same command goes on" in log
    assert predict(out, batch_size=7, per_class=per_class).resumed_at == kept
    predict(tmp_path / "whole", batch_size=7, per_class=per_class)
    for kind in ("videos", "segments"):
        assert pairs(out, kind) == pytest.approx(pairs(tmp_path / "whole", kind), abs=1e-5)


def test_second_ctrl_c_does_not_wait_for_the_batch(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        predict(tmp_path / "p", batch_size=7, ctrl_c=(14, 2))
    assert list(tmp_path.iterdir()) == []


def test_killed_run_resumes_from_whole_parts(tmp_path: Path, launch: Launch) -> None:
    killed = launch(predict_until_killed, tmp_path / "p").wait()
    assert killed.status == -signal.SIGKILL
    assert not (tmp_path / "p").exists()
    assert predict(tmp_path / "p").resumed_at > 0
    predict(tmp_path / "whole")
    for kind in ("videos", "segments"):
        expected = pairs(tmp_path / "whole", kind)
        assert pairs(tmp_path / "p", kind) == pytest.approx(expected, abs=1e-5)


def predict_until_killed(out: Path) -> None:
    """Kill this process in the middle of the tenth batch."""

    class Deadly(MeanTagger):
        def forward(self, frames: Tensor, mask: Tensor) -> Tensor:
            if len(self.calls) == 9:
                os.kill(os.getpid(), signal.SIGKILL)
            return super().forward(frames, mask)

    predict(out, batch_size=8, part_seconds=0, tagger=Deadly())


def _predict_until(out: Path, function: str) -> None:
    pytest.MonkeyPatch().setattr(function, die)
    predict(out)


@pytest.mark.parametrize(
    "function", ["_remove", "remove_ours", "Path.rmdir", "reeltag.core.locks.Lock.release"]
)
def test_run_killed_when_its_file_is_whole_is_cleared_away(
    tmp_path: Path, launch: Launch, function: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "p"
    where = function if "core" in function else f"reeltag.predictions.parts.{function}"
    assert launch(_predict_until, out, where).wait().status == -signal.SIGKILL
    written = out.read_bytes()
    assert len([*tmp_path.iterdir()]) > 1
    with hold_result(out), pytest.raises(OutputError, match="p: exists already"):
        check_output(out, overwrite=False)  # it may be a living process that removes them
    if parts_of(out).exists():
        assert "is whole" not in capsys.readouterr().err
        with pytest.raises(OutputError, match="p: exists already"):
            check_output(out, overwrite=False)
        assert "p is whole: the run that wrote it was killed" in capsys.readouterr().err
    assert [*tmp_path.iterdir()] == [out]
    assert out.read_bytes() == written


def test_parts_of_a_file_that_was_not_replaced_yet_are_kept(tmp_path: Path, launch: Launch) -> None:
    out = tmp_path / "p"
    out.write_text("of before")
    killed = launch(_predict_until, out, "reeltag.inference.stream.merge_parts").wait()
    assert killed.status == -signal.SIGKILL
    with pytest.raises(OutputError, match="p: exists already"):
        check_output(out, overwrite=False)
    check_output(out, overwrite=True)
    assert predict(out).resumed_at == len(VIDEOS)
    assert [*tmp_path.iterdir()] == [out]


def predict_on_a_full_disk(out: Path, part_seconds: float) -> str:
    """Return the text of the error."""
    with pytest.raises(OutputError) as caught, redirect_stderr(io.StringIO()):
        predict(out, batch_size=8, part_seconds=part_seconds)
    return str(caught.value)


def test_full_disk_keeps_whole_parts(tmp_path: Path, launch: Launch) -> None:
    full = launch(predict_on_a_full_disk, tmp_path / "p", 0.0, most_bytes=8000)
    assert "cannot be written" in full.result()
    assert not (tmp_path / "p").exists() and not list(tmp_path.rglob("*.part"))
    assert predict(tmp_path / "p").resumed_at > 0
    assert [path.name for path in tmp_path.iterdir()] == ["p"]


def test_full_disk_at_start_leaves_no_parts(tmp_path: Path, launch: Launch) -> None:
    full = launch(predict_on_a_full_disk, tmp_path / "p", 60.0, most_bytes=10)
    assert "state.json: cannot be written" in full.result()
    assert list(tmp_path.iterdir()) == []
    assert predict(tmp_path / "p").videos == len(VIDEOS)


def test_stream_raises_for_parts_of_other_settings(tmp_path: Path) -> None:
    out = tmp_path / "p"
    with pytest.raises(KeyboardInterrupt):
        predict(out, batch_size=7, stop_at=14, part_seconds=0)
    with pytest.raises(ConfigError, match=r"top_k 20 there, 5 now(.|\n)*--restart"):
        predict(out, top_k=5)
    assert predict(out, top_k=5, restart=True).resumed_at == 0
    assert len(pairs(out, "videos")) == 5 * len(VIDEOS)


def test_second_prediction_into_one_file_names_the_first(tmp_path: Path) -> None:
    holder = f"p: is in use by process {os.getpid()} on "
    with hold_result(tmp_path / "p"), pytest.raises(OutputError, match=holder):
        predict(tmp_path / "p")
    assert predict(tmp_path / "p").videos == len(VIDEOS)


@pytest.mark.parametrize("restart", [False, True])
def test_folder_in_the_way_of_the_parts_is_left_alone(tmp_path: Path, restart: bool) -> None:
    thesis = tmp_path / "p.parts" / "thesis.txt"
    thesis.parent.mkdir()
    thesis.write_text("precious")
    with pytest.raises(DataError, match=r"p\.parts: is in the way"):
        predict(tmp_path / "p", restart=restart)
    assert thesis.read_text() == "precious"


def test_what_is_not_ours_among_the_parts_is_left_alone(tmp_path: Path) -> None:
    out, mine = tmp_path / "p", tmp_path / "p.parts" / "mine.txt"
    with pytest.raises(KeyboardInterrupt):
        predict(out, batch_size=7, stop_at=14, part_seconds=0)
    mine.write_text("precious")
    assert predict(out).resumed_at == 14
    assert [*mine.parent.iterdir()] == [mine]


def test_failure_before_first_part_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        predict(tmp_path / "p", batch_size=7, stop_at=14)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("segments", "kind"), [(True, "segments"), (False, "videos")])
def test_per_class_keeps_the_best_of_each_class(tmp_path: Path, segments: bool, kind: Kind) -> None:
    predict(tmp_path / "all", batch_size=16, segments=segments)
    outcome = predict(
        tmp_path / "best", batch_size=16, segments=segments, per_class=25, part_seconds=0
    )
    everything = pairs(tmp_path / "all", kind)
    expected: Pairs = {}
    for c in range(NUM_CLASSES):
        mine = [key for key in everything if key[2] == c]
        best = sorted(mine, key=lambda key: -everything[key])[:25]
        expected |= {key: everything[key] for key in best}
    assert pairs(tmp_path / "best", kind) == expected
    assert outcome.rows["videos"] == len(VIDEOS)
    if segments:
        assert outcome.rows["segments"] == len({key[:2] for key in expected})
        assert pairs(tmp_path / "best", "videos") == pairs(tmp_path / "all", "videos")


@pytest.mark.parametrize(
    ("choices", "most"),
    [({}, NUM_CLASSES), ({"segment_classes": (1, 4, 6)}, 3), ({"segment_top_k": 5}, 5)],
    ids=["all", "some classes", "cut"],
)
def test_per_class_ranks_possible_entries_alone(
    tmp_path: Path, choices: dict[str, Any], most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    how: dict[str, Any] = {"batch_size": 4, "videos": False, **choices}
    predict(tmp_path / "once", per_class=3, **how)
    ranked = []

    def counted(logits: Tensor, k: int) -> tuple[Tensor, Tensor]:
        ranked.append(k)
        return top_classes(logits, k)

    monkeypatch.setattr(scoring, "top_classes", counted)
    monkeypatch.setattr(top_k, "_FEW_PAIRS", 1)  # the lists are brought up to date at each batch
    predict(tmp_path / "often", per_class=3, **how)
    assert pairs(tmp_path / "often", "segments") == pairs(tmp_path / "once", "segments")
    assert ranked[0] == most
    assert (min(ranked) < most) == ("segment_top_k" not in choices)  # else the cut is first


def test_per_class_keeps_the_first_of_equal_scores(tmp_path: Path) -> None:
    same = [VIDEOS[5][:5]] * 30
    predict(tmp_path / "p", same, batch_size=5, per_class=9, part_seconds=0)
    assert {name for name, _, _ in pairs(tmp_path / "p", "segments")} == {f"v{n}" for n in range(9)}


def test_check_output_raises_for_existing_files(tmp_path: Path) -> None:
    out = tmp_path / "p"
    check_output(out, overwrite=False)
    out.write_text("precious")
    with pytest.raises(OutputError, match=r"exists already(.|\n)*--overwrite"):
        check_output(out, overwrite=False)
    check_output(out, overwrite=True)
    with pytest.raises(OutputError, match="is a folder"):
        check_output(tmp_path, overwrite=True)
