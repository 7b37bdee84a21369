"""`reeltag moments`: from a run, a graph or a prediction file to moments of classes."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from reeltag.cli.main import run
from reeltag.core.probability import sigmoid
from reeltag.data.dataset import Dataset
from reeltag.data.synth.corpus import write_corpus
from reeltag.predictions.file import open_predictions
from reeltag.tagger.tagger import Tagger
from reeltag.tagger.thresholds import THRESHOLDS_FILE, Thresholds
from tests.cli.moment_runs import CORPUS, PLAIN, places, run_json
from tests.inference.test_stream import pairs


@pytest.fixture(scope="module")
def predictions(data: Path, checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("p") / "p.parquet"
    command = ["predict", checkpoint, "--data", data, "--out", out, "--segments", "--json"]
    command += ["--hop", "5", "--split", "validate"]
    assert run([*map(str, command), "--top-k", "12"]) == 0
    return out


def loop(
    windows: dict[tuple[str, int, int], float], lengths: dict[str, int], c: int, prob: float
) -> list[tuple[float, str, float, float]]:
    """Return moments of a class from windows side by side: runs above a low threshold."""
    odds = prob / (1 - prob) / 4
    low, found = odds / (1 + odds), []
    for name in sorted({key[0] for key in windows}):
        starts = sorted(key[1] for key in windows if key[0] == name and key[2] == c)
        held: list[int] = []
        for start in [*starts, -1]:
            value = windows.get((name, start, c), -np.inf)
            if value >= low:
                held.append(start)
                continue
            peak = max((windows[name, at, c] for at in held), default=0.0)
            if peak >= prob:
                found.append((peak, name, held[0], min(held[-1] + 5, lengths[name])))
            held = []
    return sorted(found, key=lambda each: -each[0])


def test_moments_are_the_runs_above_the_threshold(
    data: Path, checkpoint: Path, predictions: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    common = ("--data", data, "--split", "validate", *PLAIN, "--prob", 0.6)
    found = run_json(capfd, checkpoint, *common, "--class", "guitar", "--class", 3)
    assert [each["name"] for each in found["classes"]] == ["Sport", "Guitar"]  # by class
    table = Dataset.open(data, quiet=True).table
    lengths = dict(zip(table["id"].to_pylist(), table["frames"].to_pylist(), strict=True))
    scores = pairs(predictions, "segments")
    # a window ends with its video, and is then scored by what there is of it
    probs = {k: float(sigmoid(np.array([v], np.float32))[0]) for k, v in scores.items()}
    for each in found["classes"]:
        expected = loop(probs, lengths, each["class"], 0.6)
        assert [(m["id"], m["start_s"], m["end_s"]) for m in each["moments"]] == [
            row[1:] for row in expected
        ]
        peaks = [row[0] for row in expected]
        assert [m["prob"] for m in each["moments"]] == pytest.approx(peaks, abs=1e-6)
        assert each["count"] == len(expected) > 2
    some = run_json(capfd, checkpoint, *common, "--class", 3, "--top", 2)
    assert places(some) == places(found)[:2]


def test_moments_of_all_classes_and_of_one_video(
    data: Path, checkpoint: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    every = places(run_json(capfd, checkpoint, "--data", data, "--split", "all"))
    assert len({row[0] for row in every}) > 6 and {row[2] % 1 for row in every} == {0}
    assert {row[3] - row[2] for row in every} - {5.0}  # of any length
    names = sorted({str(row[1]) for row in every})[3:5]
    options = [word for name in names for word in ("--video", name)]
    some = run_json(capfd, checkpoint, "--data", data, *options)  # whatever the split
    assert places(some) == [row for row in every if row[1] in names]
    common = ["moments", str(checkpoint), "--data", str(data)]
    assert run([*common, "--video", names[0][:-1]]) == 2
    assert f"Did you mean {names[0]}" in " ".join(capfd.readouterr().err.split())


def test_moments_search_all_data_without_a_test_split(
    data: Path, checkpoint: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("vocabulary.csv", "train0000.tfrecord"):
        shutil.copy(data / name, tmp_path)
    common = (checkpoint, "--data", tmp_path, "--class", "3")
    found = run_json(capfd, *common)
    assert found["split"] == "all" and found == run_json(capfd, *common, "--split", "all")
    assert run_json(capfd, checkpoint, "--data", data, "--class", "3")["split"] == "test"
    assert run(["moments", *map(str, common), "--test", "nothing*"]) == 2  # named, and not there


def test_moments_of_a_prediction_file_are_the_same(
    data: Path, checkpoint: Path, predictions: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    ours = run_json(capfd, checkpoint, "--data", data, "--split", "validate", *PLAIN)
    for more in ((), ("--data", data)):
        theirs = run_json(capfd, "--predictions", predictions, *PLAIN, *more)
        assert places(theirs) == places(ours)
    name = ours["classes"][0]["moments"][0]["id"]
    one = run_json(capfd, "--predictions", predictions, *PLAIN, "--video", name)
    assert places(one) == [row for row in places(ours) if row[1] == name]


def test_moments_of_a_graph_are_those_of_its_run(
    data: Path, checkpoint: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    graph = tmp_path / "model.onnx"
    assert run(["export", str(checkpoint), "--out", str(graph), "--json"]) == 0
    options = ("--data", data, "--class", "Guitar")
    ours, theirs = (run_json(capfd, source, *options) for source in (checkpoint, graph))
    assert places(theirs) == places(ours)
    command = ["moments", str(graph), *map(str, options), "--precision", "0.5"]
    assert run(command) == 0
    assert "these are not saved" in capfd.readouterr().err


def test_moments_show_the_ratings_within_them(
    data: Path, checkpoint: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rated: dict[tuple[str, float, int], bool] = {}
    for row in Dataset.open(data, quiet=True).table.to_pylist():
        triples = zip(
            row["segment_starts"], row["segment_labels"], row["segment_scores"], strict=True
        )
        rated |= {(row["id"], start, c): score > 0 for start, c, score in triples}
    common = (checkpoint, "--data", data, "--split", "all", "--prob", 0.4)
    found = run_json(capfd, *common)
    sums = {True: 0, False: 0}
    for each in found["classes"]:
        for m in each["moments"]:
            within = [
                yes
                for (name, start, c), yes in rated.items()
                if (name, c) == (m["id"], each["class"])
                and m["start_s"] <= start + 2.5 < m["end_s"]
            ]
            assert (m["yes"], m["no"]) == (sum(within), len(within) - sum(within))
            sums = {True: sums[True] + m["yes"], False: sums[False] + m["no"]}
    assert sums[True] and sums[False]
    only = run_json(capfd, *common, "--rated")
    assert places(only) == [
        place
        for place, m in zip(
            places(found), [m for c in found["classes"] for m in c["moments"]], strict=True
        )
        if m["yes"] + m["no"]
    ]


def test_moments_choose_thresholds_for_a_precision_and_save_them(
    data: Path, checkpoint: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "RUN"
    shutil.copytree(checkpoint, copy)
    common = ("moments", str(copy), "--data", str(data), "--precision", "0.03")
    assert run([*common, "--no-save"]) == 0
    assert not (copy / THRESHOLDS_FILE).exists()
    first = capfd.readouterr()
    assert "classes have no threshold that promises a precision of 0.03" in first.err
    assert "chosen on " in first.err and "too few positive ratings" in first.err
    assert run(list(common)) == 0
    second = capfd.readouterr()
    assert "thresholds.json: written" in second.err and second.out == first.out
    thresholds = Thresholds.find(copy, Tagger.load(copy).class_names)
    assert thresholds is not None and thresholds.precision == 0.03
    found = run_json(capfd, copy, "--data", data)  # those of the run from now on
    lost = [c for c, of in enumerate(thresholds.classes) if of.logit is None]
    assert len(found["unreached"]) == len(lost) > 0 < len(found["classes"])
    assert list(found["unreached"].values()) == list(thresholds.unreached.values())
    assert not {each["class"] for each in found["classes"]} & set(lost)
    for each in found["classes"]:
        of = thresholds.classes[each["class"]]
        assert (each["threshold"], each["precision"]) == (of.prob, of.precision)
        assert each["precision_interval"] == list(of.interval or ())
        assert all(m["prob"] >= (of.prob or 1) - 1e-6 for m in each["moments"])
        assert f"precision {of.precision:.2f} (" in second.out
    assert run(["moments", str(copy), "--data", str(data), "--class", str(lost[0])]) == 0
    assert "no threshold: " in capfd.readouterr().out


def test_thresholds_are_those_of_scores_of_exactly_the_rated_windows(
    data: Path, checkpoint: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rated = tmp_path / "rated.parquet"
    command = ["predict", checkpoint, "--data", data, "--out", rated, "--segments", "--rated"]
    command += ["--split", "validate", "--json"]
    assert run([*map(str, command)]) == 0
    capfd.readouterr()
    options = ("--precision", "0.03", "--json")
    copy = tmp_path / "RUN"
    shutil.copytree(checkpoint, copy)
    assert run(["moments", str(copy), "--data", str(data), *options]) == 0
    ours = json.loads(capfd.readouterr().out)["unreached"]
    assert run(["moments", "--predictions", str(rated), *options]) == 0
    assert json.loads(capfd.readouterr().out)["unreached"] == ours
    more = ["--thresholds-split", "test"]
    assert run(["moments", "--predictions", str(rated), *options, *more]) == 2
    assert "holds no rated window of the split 'test'" in capfd.readouterr().err


def test_moments_of_predictions_have_the_thresholds_of_their_run(
    data: Path, checkpoint: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    copy, out = tmp_path / "RUN", tmp_path / "p.parquet"
    shutil.copytree(checkpoint, copy)
    names = Tagger.load(copy).class_names
    Thresholds.at_prob(names, 0.8).save(copy)
    command = ["predict", copy, "--data", data, "--out", out, "--segments", "--json"]
    assert run([*map(str, command)]) == 0
    assert {each["threshold"] for each in run_json(capfd, "--predictions", out)["classes"]} == {0.8}
    given = run_json(capfd, "--predictions", out, "--prob", 0.3)
    assert {each["threshold"] for each in given["classes"]} == {0.3}


def test_moments_name_the_runs_in_a_work_folder(
    data: Path, checkpoint: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    last = tmp_path / "WORK" / "train-final-0" / "run"
    shutil.copytree(checkpoint, last)
    command = ["moments", str(tmp_path / "WORK"), "--data", str(data), "--class", "3"]
    assert run(command) == 2
    error = capfd.readouterr().err
    assert (
        "is the WORK of `reeltag solve`" in error and f"the last that was made is {last}." in error
    )


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (["--class", "Gitar"], "Did you mean Guitar?"),
        (["--class", "12"], "--class: must be in 0 to"),
        (["--export", "eln:x"], "there is no format 'eln'"),
        (["--export", "elan"], "Give FORMAT:PATH, as in --export elan:FOLDER."),
        (["--export", "csv:x", "--csv", "./x"], "is given for two exports"),
        (["--export", "edl:x", "--fps", "0"], "fps: must be in [1, 1000], got 0"),
        (["--top", "0"], "--top: must be at least 1, got 0"),
        (["--batch-size", "0"], "--batch-size: must be at least 1, got 0"),
        (["--prob", "1.5"], "--prob: must be in (0, 1), got 1.5"),
        (["--precision", "0"], "--precision: must be in (0, 1), got 0"),
        (["--precision", "0.9", "--prob", "0.5"], "both set the thresholds; give one"),
        (["--precision", "0.9", "--thresholds-split", "train"], "nothing to choose thresholds on"),
        (["--hop", "6"], "hop_s is 6.0; allowed: at most length_s (5)"),
        (["--hop", "0"], "hop_s is 0.0"),
        (["--split", "train", "--rated"], "is rated"),
        (["--predictions", "p"], "give either a RUN, or a file"),
    ],
)
def test_moments_wrong_options_have_status_2(
    data: Path,
    checkpoint: Path,
    arguments: list[str],
    rule: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert run(["moments", str(checkpoint), "--data", str(data), *arguments]) == 2
    captured = capfd.readouterr()
    assert rule in captured.err and not captured.out


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (["--length", "6"], "--length was set when the predictions were written"),
        (["--split", "test"], "--split was set when the predictions were written"),
        (["--data", "absent"], "which is not there"),
    ],
)
def test_moments_raise_for_options_set_by_the_predictions(
    predictions: Path, arguments: list[str], rule: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["moments", "--predictions", str(predictions), "--class", "3", *arguments]) == 2
    assert rule in capfd.readouterr().err


def test_moments_raise_without_segments_or_frames(
    data: Path, checkpoint: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    command = ["predict", checkpoint, "--data", data, "--out", tmp_path / "p", "--json"]
    assert run([*map(str, command)]) == 0
    assert not open_predictions(tmp_path / "p").holds("segments")
    assert run(["moments", "--predictions", str(tmp_path / "p"), "--class", "3"]) == 2
    assert "holds no predictions of segments" in capfd.readouterr().err
    config = dataclasses.replace(CORPUS, level="video", videos=6)
    write_corpus(tmp_path / "flat", config, quiet=True)
    flat = ["moments", str(checkpoint), "--data", str(tmp_path / "flat"), "--class", "3"]
    assert run(flat) == 2
    assert "frame-level records" in capfd.readouterr().err
