"""Submissions as predictions: the rows of both challenges, and each rule with file and line."""

import gc
import re
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from reeltag.core.errors import DataError
from reeltag.predictions import submission_lines, submissions
from reeltag.predictions.file import Predictions
from reeltag.predictions.rows import Kind
from reeltag.predictions.submissions import open_scores

VIDEOS, SEGMENTS = "VideoId,LabelConfidencePairs\n", "Class,Segments\n"


def written(folder: Path, text: str | bytes, name: str = "s.csv") -> Path:
    """Return a file of a text."""
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def rows_of(found: Predictions, kind: Kind) -> dict[tuple[str, float], dict[int, float]]:
    """Return (id, start) -> class -> score, in the order of the file, and see that scores fall."""
    rows: dict[tuple[str, float], dict[int, float]] = {}
    for part in found.rows(kind):
        assert not part.rises().any()
        for at in range(len(part)):
            here = slice(part.indptr[at], part.indptr[at + 1])
            pairs = zip(part.classes[here].tolist(), part.scores[here].tolist(), strict=True)
            rows[part.ids[at].as_py(), float(part.starts[at])] = dict(pairs)
    return rows


def test_rows_of_2018_have_the_logits_of_their_probabilities(tmp_path: Path) -> None:
    text = VIDEOS + "a,12 0.5 3 0.75\nb,\nc:d,7 1 8 0.9999999 2 0\n"
    found = open_scores(written(tmp_path, text))
    rows = rows_of(found, "videos")
    assert list(rows) == [("a", -1.0), ("b", -1.0), ("c:d", -1.0)] and not rows["b", -1.0]
    assert rows["a", -1.0] == {3: pytest.approx(np.log(3)), 12: 0.0}
    extreme = rows["c:d", -1.0]
    assert list(extreme) == [7, 8, 2] and all(np.isfinite([*extreme.values()]))
    assert extreme[7] == pytest.approx(36.7368) and extreme[8] == pytest.approx(16.1181)
    about = found.info
    assert (about.num_classes, about.inferred, about.ranks, about.top_k) == (13, True, False, 3)
    assert found.path.name == "s.csv" and found.holds("videos") and not found.holds("segments")


def test_rows_of_2019_are_segments_with_the_ranks_of_each_class(tmp_path: Path) -> None:
    text = SEGMENTS + "7,a:35 b:0 x:y:5\n3,\n9,b:0 a:35\n"
    found = open_scores(written(tmp_path, text))
    second = pytest.approx(-np.log(2))
    assert rows_of(found, "segments") == {
        ("a", 35.0): {7: 0.0, 9: second},
        ("b", 0.0): {9: 0.0, 7: second},
        ("x:y", 5.0): {7: pytest.approx(-np.log(3))},
    }
    about = found.info
    assert (about.num_classes, about.ranks, about.segment_top_k) == (10, True, 2)
    assert next(found.rows("segments")).ends.tolist() == [40.0, 5.0, 10.0]


def test_what_other_writers_do_is_taken_as_meant(tmp_path: Path) -> None:
    plain = rows_of(open_scores(written(tmp_path, VIDEOS + "a,3 0.75 12 0.5\n", "1")), "videos")
    other = "\ufeffvideoid,LABELCONFIDENCEPAIRS\r\na,12 .5  3 +7.5e-1 \r\n"
    assert rows_of(open_scores(written(tmp_path, other, "2")), "videos") == plain
    many = " ".join(f"{label} 0.5" for label in range(50))
    (row,) = rows_of(open_scores(written(tmp_path, f"{VIDEOS}a,{many}", "3")), "videos").values()
    assert list(row) == list(range(50))  # equal ones in their order, and no line feed at the end
    google = SEGMENTS + "3,a:0 a:5 \n"
    assert len(rows_of(open_scores(written(tmp_path, google, "4")), "segments")) == 2


@pytest.mark.parametrize(
    ("text", "line", "rule"),
    [
        (VIDEOS, None, "has no row after the header"),
        (VIDEOS + "a,1 0.5\n\n", 3, "a row has two fields and one comma and no quotes, got ''"),
        (VIDEOS + "a 1 0.5\n", 2, "a row has two fields"),
        (VIDEOS + "a,1 0.5,2 0.4\n", 2, "a row has two fields"),
        (VIDEOS + '"a",1 0.5\n', 2, "a row has two fields and one comma and no quotes"),
        (VIDEOS + ",1 0.5\n", 2, "an id is not empty and holds no blank, comma or quote, got ''"),
        (VIDEOS + "a b,1 0.5\n", 2, "an id is not empty and holds no blank"),
        (VIDEOS + "a,1 0.5\nb,1\n", 3, "labels and probabilities come in pairs, got 1"),
        (VIDEOS + "a,1 0.5 1 0.4\n", 2, "label '1' is in the row twice"),
        (VIDEOS + "a,1 0.5\nb,-1 0.5\n", 3, "a class is a whole number, got '-1'"),
        (VIDEOS + "a,1.0 0.5\n", 2, "a class is a whole number, got '1.0'"),
        (VIDEOS + "a,01 0.5\n", 2, "a class is a whole number, got '01'"),
        (VIDEOS + "a,\u0661 0.5\n", 2, "a class is a whole number"),
        (VIDEOS + f"a,{'9' * 5000} 0.5\n", 2, "a class is a whole number, got '9999"),
        (VIDEOS + "a,1 1.5\n", 2, r"a probability is a number in [0, 1], got '1.5'"),
        (VIDEOS + "a,1 -0.5\n", 2, "a probability is a number"),
        (VIDEOS + "a,1 nan\n", 2, "a probability is a number"),
        (VIDEOS + "a,1 inf\n", 2, "a probability is a number"),
        (VIDEOS + "a,1 1e999\n", 2, "a probability is a number"),
        (VIDEOS + "a,1 1_0\n", 2, "a probability is a number"),
        (VIDEOS + "a,1 0x1\n", 2, "a probability is a number"),
        (VIDEOS + "a,1 0.5\nb,1 0.5\na,2 0.5\n", 4, "video 'a' has a row already, at line 2"),
        (VIDEOS.encode() + b"a,1 0.5\n\xff,1 0.5\n", 3, "is not UTF-8 text"),
        (SEGMENTS, None, "has no row after the header"),
        (SEGMENTS + "x,a:0\n", 2, "a class is a whole number, got 'x'"),
        (SEGMENTS + f"{'9' * 5000},a:0\n", 2, "a class is a whole number"),
        (SEGMENTS + "7,a:0\n7,b:0\n", 3, "class 7 has a row already, at line 2"),
        (SEGMENTS + "7,a:0 a:5 a:0\n", 2, "segment 'a:0' is in the row of its class twice"),
        (SEGMENTS + "7,a:3\n", 2, "a segment is <id>:<start>, start a multiple of 5, got 'a:3'"),
        (SEGMENTS + "7,a:-5\n", 2, "a segment is <id>:<start>"),
        (SEGMENTS + "7,a:05\n", 2, "a segment is <id>:<start>"),
        (SEGMENTS + "7,a:5.0\n", 2, "a segment is <id>:<start>"),
        (SEGMENTS + "7,:5\n", 2, "a segment is <id>:<start>"),
        (SEGMENTS + "7,a:99999999995\n", 2, "a segment is <id>:<start>"),
        ("id,class\na,1\n", 1, "the header must be 'VideoId,LabelConfidencePairs' or"),
        ("", 1, "the header must be"),
    ],
)
def test_broken_rule_is_named_with_file_and_line(
    text: str | bytes, line: int | None, rule: str, tmp_path: Path
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(DataError) as raised:
        open_scores(path)
    place = f"{path}, line {line}: " if line and not rule.startswith("the header") else str(path)
    assert str(raised.value).startswith(place) and rule in str(raised.value)


def test_lines_of_later_blocks_and_long_lines_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [f"v{n},1 0.5\n" for n in range(9000)]
    lines[8500] = "v8500,1 2\n"
    with pytest.raises(DataError, match=r"line 8,502: a probability"):
        open_scores(written(tmp_path, VIDEOS + "".join(lines)))
    lines[8500] = "v17,1 0.5\n"
    with pytest.raises(DataError, match=r"line 8,502: video 'v17' .* at line 19"):
        open_scores(written(tmp_path, VIDEOS + "".join(lines), "twice.csv"))
    monkeypatch.setattr(submission_lines, "_LONGEST", 100)
    with pytest.raises(DataError, match="line 2: has more than 100 bytes"):
        open_scores(written(tmp_path, SEGMENTS + "7," + "a:0 " * 1000, "long.csv"))


def test_class_beyond_those_of_the_data_is_named_with_its_line(tmp_path: Path) -> None:
    for header, row in ((VIDEOS, "{},{} 0.5\n"), (SEGMENTS, "{1},{0}:5\n")):
        text = header + "".join(row.format(f"v{n}", n if n != 3 else 40) for n in range(6))
        path = written(tmp_path, text, f"{header[:5]}.csv")
        assert open_scores(path, 41).info.num_classes == 41
        with pytest.raises(DataError, match=r", line 5: has class 40, outside 0\.\.39"):
            open_scores(path, 40)


def test_segments_in_many_portions_are_as_in_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(3)
    names = [f"v{n}:{5 * s}" for n in range(120) for s in range(6)]
    lines = [f"{c},{' '.join(rng.permutation(names)[: 20 * c])}\n" for c in range(30)]
    path = written(tmp_path, SEGMENTS + "".join(lines))
    whole = rows_of(open_scores(path), "segments")
    gc.collect()
    monkeypatch.setattr(submissions, "_BUCKET_BYTES", 5000)
    monkeypatch.setattr(submissions, "_HELD", 700)
    monkeypatch.setattr(submissions, "_ROWS", 50)
    parts = rows_of(open_scores(path), "segments")
    assert parts == whole and list(parts) != list(whole) and len(whole) > 600


def test_a_submission_is_read_once_as_long_as_it_is_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    path = written(tmp_path, VIDEOS + "a,1 0.5\n")
    first = open_scores(path)
    assert open_scores(path).parquet == first.parquet
    written(tmp_path, VIDEOS + "a,1 0.25\n")
    assert open_scores(path).parquet != first.parquet
    assert any((tmp_path / "tmp").iterdir())
    del first
    gc.collect()
    assert not any((tmp_path / "tmp").iterdir())


def test_what_is_no_submission_is_opened_as_predictions(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not there"):
        open_scores(tmp_path / "gone.csv")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        open_scores(written(tmp_path, "PAR1", "p.parquet"))


def test_text_hashes_depend_on_bytes_and_places() -> None:
    texts = ["ab:0", "ba:0", "a", "b", "ab:0", "é" * 30]
    hashes = submissions._text_hashes(pa.array(["skipped", *texts]).slice(1)).tolist()
    assert hashes[0] == hashes[4] and len(set(hashes)) == 5
    assert hashes == submissions._text_hashes(pa.array(texts)).tolist()


def test_error_names_the_rule_in_one_line(tmp_path: Path) -> None:
    path = written(tmp_path, VIDEOS + f"a,1 {'x' * 10_000}\n")
    with pytest.raises(DataError, match=re.escape("x...'")) as raised:
        open_scores(path)
    assert len(str(raised.value).splitlines()[0]) < 300
