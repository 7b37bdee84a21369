"""Submissions: the two formats to the byte, the best segments of a stream, nothing twice."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from reeltag.core.errors import DataError
from reeltag.core.probability import sigmoid
from reeltag.deploy.submission import write_segments, write_videos
from reeltag.deploy.submission_check import check_submission
from reeltag.predictions.file import (
    PredictionInfo,
    Predictions,
    open_predictions,
    prediction_writer,
)
from reeltag.predictions.rows import WHOLE_VIDEO, PredictionRows

Row = tuple[str, int | None, list[int], list[float]]


def predictions(path: Path, *rows: Row, num_classes: int = 30) -> Predictions:
    """Write a prediction file of (id, start or None, classes, logits) rows, one write per row."""
    with prediction_writer(path, PredictionInfo(num_classes=num_classes)) as writer:
        for name, start, classes, scores in rows:
            writer.write(
                PredictionRows(
                    np.array([0, len(classes)]),
                    np.array(classes, np.int32),
                    np.array(scores, np.float32),
                    ids=pa.array([name], pa.string()),
                    starts=np.array([WHOLE_VIDEO if start is None else float(start)]),
                    ends=np.array([WHOLE_VIDEO if start is None else start + 5.0]),
                )
            )
    return open_predictions(path)


def test_submission_2018_format(tmp_path: Path) -> None:
    found = predictions(
        tmp_path / "p", ("Abcd", None, [12, 3], [50.0, 0.0]), ("Efgh", None, [29], [-900.0])
    )
    written = write_videos(found, tmp_path / "s.csv")
    assert (tmp_path / "s.csv").read_bytes() == (
        b"VideoId,LabelConfidencePairs\nAbcd,12 1.0 3 0.5\nEfgh,29 0.0\n"
    )
    assert (written.rows, written.entries, written.repeated) == (2, 3, 0)


def test_submission_2019_format(tmp_path: Path) -> None:
    found = predictions(
        tmp_path / "p",
        ("Abcd", 0, [7, 3], [2.0, 1.0]),
        ("Abcd", 5, [7, 3], [0.5, 0.25]),
        ("Efgh", 0, [3, 7], [9.0, 1.0]),
    )
    written = write_segments(found, tmp_path / "s.csv", [7, 4, 3])
    assert (tmp_path / "s.csv").read_bytes() == (
        b"Class,Segments\n7,Abcd:0 Efgh:0 Abcd:5\n4,\n3,Efgh:0 Abcd:0 Abcd:5\n"
    )
    assert (written.rows, written.entries, written.empty) == (3, 6, 1)


def test_submission_2018_has_the_twenty_best_labels(tmp_path: Path) -> None:
    logits = [float(-n) for n in range(30)]
    found = predictions(tmp_path / "p", ("a", None, list(range(30)), logits))
    write_videos(found, tmp_path / "s.csv")
    fields = (tmp_path / "s.csv").read_text().splitlines()[1].split(",")[1].split(" ")
    assert fields[::2] == [str(n) for n in range(20)]


def test_submission_keeps_order_of_close_logits(tmp_path: Path) -> None:
    logits = np.linspace(25, 15, 20, dtype=np.float32)  # %g of all of them is 1
    found = predictions(tmp_path / "p", ("a", None, list(range(20)), logits.tolist()))
    write_videos(found, tmp_path / "s.csv")
    fields = (tmp_path / "s.csv").read_text().splitlines()[1].split(",")[1].split(" ")
    scores = [float(text) for text in fields[1::2]]
    assert all(before > after for before, after in pairwise(scores))


def test_submission_probabilities_stay_in_range() -> None:
    extremes = np.array([-np.inf, -800, 0, 800, np.inf], np.float32)
    assert sigmoid(extremes).tolist() == [0.0, 0.0, 0.5, 1.0, 1.0]
    assert sigmoid(np.array([1, -20], np.float32)).tolist() == [
        pytest.approx(0.7310585786300049),
        pytest.approx(2.0611536181902037e-09),
    ]


def test_submission_2019_keeps_the_first_of_equal_segments(tmp_path: Path) -> None:
    rows: list[Row] = [(f"v{n}", 5 * n, [1], [float(n % 3)]) for n in range(12)]
    write_segments(predictions(tmp_path / "p", *rows), tmp_path / "s.csv", [1], max_segments=5)
    text = (tmp_path / "s.csv").read_text()
    assert text.splitlines()[1] == "1,v2:10 v5:25 v8:40 v11:55 v1:5"


def test_submission_leaves_out_repeated_rows(tmp_path: Path) -> None:
    videos = predictions(tmp_path / "v", ("a", None, [1], [0.0]), ("a", None, [2], [3.0]))
    written = write_videos(videos, tmp_path / "v.csv")
    assert (tmp_path / "v.csv").read_text().splitlines()[1:] == ["a,1 0.5"]
    assert written.repeated == 1
    segments = predictions(
        tmp_path / "s", ("a", 5, [1], [1.0]), ("b", 0, [1], [2.0]), ("a", 5, [1], [3.0])
    )
    written = write_segments(segments, tmp_path / "s.csv", [1])
    assert (tmp_path / "s.csv").read_text().splitlines()[1:] == ["1,a:5 b:0"]
    assert written.repeated == 1


def test_submission_of_wrong_predictions_is_an_error(tmp_path: Path) -> None:
    videos = predictions(tmp_path / "v", ("a", None, [1], [1.0]))
    segments = predictions(tmp_path / "s", ("a", 5, [1], [1.0]))
    with pytest.raises(DataError, match=r"no predictions of segments(.|\n)*--segments"):
        write_segments(videos, tmp_path / "out", [1])
    with pytest.raises(DataError, match=r"no predictions of videos(.|\n)*--no-videos"):
        write_videos(segments, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_submission_of_rising_scores_is_an_error(tmp_path: Path) -> None:
    sound = predictions(
        tmp_path / "p", ("a", None, [], []), ("b", None, [1], [0.0]), ("c", None, [1], [9.0])
    )
    assert write_videos(sound, tmp_path / "s.csv").empty == 1
    rising = predictions(tmp_path / "q", ("a", None, [1], [0.0]), ("b", None, [1, 2], [0.0, 1.0]))
    with pytest.raises(DataError, match="scores of 'b' are not best first"):
        write_videos(rising, tmp_path / "t.csv")


def test_submission_of_unknown_class_is_an_error(tmp_path: Path) -> None:
    segments = predictions(tmp_path / "s", ("a", 5, [1], [1.0]))
    with pytest.raises(DataError, match=r"class 30 is requested; .* classes 0\.\.29"):
        write_segments(segments, tmp_path / "out", [1, 30])


@pytest.mark.parametrize("name", ["a b", "a,b", 'a"b', "a\nb", ""])
def test_submission_of_unwritable_id_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="does not allow"):
        write_videos(predictions(tmp_path / "v", (name, None, [1], [1.0])), tmp_path / "out")
    with pytest.raises(DataError, match="does not allow"):
        write_segments(predictions(tmp_path / "s", (name, 0, [1], [1.0])), tmp_path / "out", [1])
    assert not (tmp_path / "out").exists()


def test_written_submission_passes_the_check(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    videos: list[Row] = []
    segments: list[Row] = []
    for n in range(40):
        classes = generator.permutation(30).tolist()
        logits = np.sort(generator.normal(0, 30, 30)).tolist()[::-1]
        videos.append((f"v{n}", None, classes, logits))
        segments += [(f"v{n}", start, classes, logits) for start in (0, 5, 10)]
    found = predictions(tmp_path / "p", *videos, *segments)
    for written in (
        write_videos(found, tmp_path / "2018.csv"),
        write_segments(found, tmp_path / "2019.csv", range(30)),
    ):
        checked = check_submission(written.path, {2018: range(30), 2019: range(30)})
        assert (checked.problems, checked.remarks) == ([], [])
        assert (checked.challenge, checked.rows) == (written.challenge, written.rows)
        assert checked.entries == written.entries
