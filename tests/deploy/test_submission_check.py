"""The check: each rule finds its fault, at its line, and nothing else."""

from pathlib import Path

import pytest

from reeltag.core.errors import DataError
from reeltag.deploy.submission_check import CheckedSubmission, check_submission

VIDEOS = "VideoId,LabelConfidencePairs\n"
SEGMENTS = "Class,Segments\n"


def check(tmp_path: Path, text: str, num_classes: int | None = None) -> CheckedSubmission:
    path = tmp_path / "s.csv"
    path.write_bytes(text.encode())
    known = range(num_classes) if num_classes else None
    return check_submission(path, {2018: known, 2019: known} if known else None)


@pytest.mark.parametrize(
    ("text", "challenge", "rows", "entries"),
    [
        (VIDEOS + "Abcd,12 0.97 3 5e-05 4 0\nEfgh,1 1.0\n", 2018, 2, 4),
        (SEGMENTS + "7,Abcd:35 Efgh:0\n12,a:b:115", 2019, 2, 3),
    ],
)
def test_check_detects_the_format(
    tmp_path: Path, text: str, challenge: int, rows: int, entries: int
) -> None:
    checked = check(tmp_path, text, num_classes=13)
    assert checked.is_sound and checked.problems == []
    assert (checked.challenge, checked.rows, checked.entries) == (challenge, rows, entries)


@pytest.mark.parametrize(
    ("text", "line", "rule"),
    [
        ("", 0, "the file is empty"),
        ("Id,Labels\nx\n", 1, "the header must be 'VideoId,LabelConfidencePairs' or 'Class,Seg"),
        ("Id,Labels\nAb,1 0.5\n", 1, "the header must be 'VideoId,LabelConfidencePairs', got 'Id"),
        ("Ab,1 0.5\n", 1, "the header 'VideoId,LabelConfidencePairs' is missing"),
        ("7,Ab:5\n", 1, "the header 'Class,Segments' is missing"),
        ("\ufeff" + VIDEOS + "Ab,1 0.5\n", 1, "byte order mark"),
        (VIDEOS, 0, "no rows after the header"),
        (VIDEOS + "Ab,1 0.5 \n", 2, "blank before the end of the line"),
        (VIDEOS + "Ab,1  0.5\n", 2, "one blank; found more"),
        (VIDEOS + "Ab, 1 0.5\n", 2, "one blank; found more, or one before"),
        (VIDEOS + "Ab,1 0.5\n\nCd,1 0.5\n", 3, "two fields and one comma"),
        (VIDEOS + "Ab,1 0.5,2 0.4\n", 2, "two fields and one comma"),
        (VIDEOS + '"Ab","1 0.5"\n', 2, "no quotes"),
        (VIDEOS + ",1 0.5\n", 2, "two fields"),
        (VIDEOS + "A b,1 0.5\n", 2, "id 'A b' holds a blank"),
        (VIDEOS + "Ab,1 0.5\nCd,1 0.5\nAb,2 0.1\n", 4, "video 'Ab' has a row already"),
        (VIDEOS + "Ab,1 0.5 2\n", 2, "come in pairs, got 3 entries"),
        (VIDEOS + "Ab,1 0.5 1 0.4\n", 2, "a label is repeated"),
        (VIDEOS + "Ab,1 0.4 2 0.5\n", 2, "scores must descend"),
        (VIDEOS + "Ab,1 1.5 2 0.5\n", 2, r"scores must be in \[0, 1\], got 1.5"),
        (VIDEOS + "Ab,1 0.5 2 -0.5\n", 2, r"scores must be in \[0, 1\], got -0.5"),
        (VIDEOS + f"Ab,{'9' * 5000} 0.5\n", 2, "a class is a whole number, got '9999"),
        (SEGMENTS + f"{'9' * 5000},Ab:5\n", 2, "a class is a whole number, got '9999"),
        (VIDEOS + "Ab,1 nan\n", 2, "a score is a number, got 'nan'"),
        (VIDEOS + "Ab,1 1_0\n", 2, "a score is a number"),
        (VIDEOS + "Ab,car 0.5\n", 2, "a class is a whole number, got 'car'"),
        (VIDEOS + "Ab,13 0.5\n", 2, "class 13 is not one of the 13 allowed"),
        (
            VIDEOS + "Ab," + " ".join(f"{n % 13} {1 - n / 100}" for n in range(21)) + "\n",
            2,
            "at most 20 labels are allowed, got 21",
        ),
        (SEGMENTS + "7,Ab:35 Ab:36 Ab\n", 2, "2 are not, the first 'Ab:36'"),
        (SEGMENTS + "7,Ab:05\n", 2, "start a multiple of 5"),
        (SEGMENTS + "7,Ab:-5\n", 2, "start a multiple of 5"),
        (SEGMENTS + "7,Ab:35 Cd:0 Ab:35\n", 2, "1 segments are repeated"),
        (SEGMENTS + "7,Ab:35\n8,Ab:0\n7,Cd:0\n", 4, "class '7' has a row already"),
        (SEGMENTS + "13,Ab:35\n", 2, "class 13 is not one of the 13"),
        (SEGMENTS + "7.0,Ab:35\n", 2, "a class is a whole number, got '7.0'"),
        (SEGMENTS + "7,Ab:35 \n", 2, "blank before the end of the line: the last entry is lost"),
    ],
)
def test_check_names_problem_with_its_line(tmp_path: Path, text: str, line: int, rule: str) -> None:
    checked = check(tmp_path, text, num_classes=13)
    assert not checked.is_sound
    found = [finding for finding in checked.problems if finding.line == line]
    assert found, checked.problems
    with pytest.raises(AssertionError, match=rule):
        raise AssertionError("; ".join(finding.what for finding in found))


def test_check_names_a_problem_once(tmp_path: Path) -> None:
    checked = check(tmp_path, VIDEOS + "Ab,1 0.5 \nCd,1 0.5\n")
    assert checked.num_problems == 1


def test_check_counts_segments(tmp_path: Path) -> None:
    many = " ".join(f"v{n}:0" for n in range(100_001))
    checked = check(tmp_path, f"{SEGMENTS}7,{many}\n")
    (finding,) = checked.problems
    assert "at most 100,000 segments are allowed, got 100,001" in finding.what


def test_check_remarks_a_cut_off_cell(tmp_path: Path) -> None:
    cell = " ".join(f"vide{n:04d}:{5 * (n % 10)}" for n in range(9999))[:32_767]
    checked = check(tmp_path, f"{SEGMENTS}7,{cell}\n")
    assert "cut off by a spreadsheet" in checked.remarks[0].what
    assert checked.remarks[0].line == 2


def test_check_remarks_unusual_rows(tmp_path: Path) -> None:
    checked = check(tmp_path, SEGMENTS + "1,Ab:35\r\n2,\r\n", num_classes=5)
    assert checked.is_sound
    found = [finding.what for finding in checked.remarks]
    assert found == [
        "class '2' has no entry",
        "2 lines end in Windows' way (CR LF)",
        "3 of 5 classes have no row, the first is 0",
    ]


def test_check_counts_all_and_keeps_the_first_problems(tmp_path: Path) -> None:
    checked = check(tmp_path, VIDEOS + "".join(f"v{n},1 2\n" for n in range(5000)))
    assert checked.num_problems == 5000
    assert [finding.line for finding in checked.problems] == list(range(2, 102))


def test_check_of_unreadable_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"s\.csv: cannot be read"):
        check_submission(tmp_path / "s.csv")
    with pytest.raises(DataError, match="cannot be read"):
        check_submission(tmp_path)
    (tmp_path / "s.csv.gz").write_bytes(b"\x1f\x8b\x08\x00" * 9)
    with pytest.raises(DataError, match="is not UTF-8 text"):
        check_submission(tmp_path / "s.csv.gz")
