"""Lists of classes: those of the challenge and vocabularies are read, others are told off."""

from pathlib import Path

import pytest

from reeltag.core.errors import DataError
from reeltag.data.class_list import find_class_list, read_class_list, read_class_mask
from tests.conftest import REAL


def test_the_order_of_the_file_is_kept(tmp_path: Path) -> None:
    (tmp_path / "ids.csv").write_text("Index\n31\n30\n7\n")
    assert read_class_list(tmp_path / "ids.csv") == (31, 30, 7)


def test_a_vocabulary_is_a_list_as_well(tmp_path: Path) -> None:
    (tmp_path / "v.csv").write_bytes(b'\xef\xbb\xbfName,Index\r\n"a, b",4\r\nc,0\r\n\r\n')
    assert read_class_list(tmp_path / "v.csv") == (4, 0)


def test_classes_of_the_data_are_marked_and_others_refused(tmp_path: Path) -> None:
    (tmp_path / "ids.csv").write_text("Index\n3\n0\n")
    assert read_class_mask(tmp_path / "ids.csv", 4).tolist() == [True, False, False, True]
    with pytest.raises(DataError, match=r"ids.csv: lists class 3, the data has 3 \(0 to 2\)"):
        read_class_mask(tmp_path / "ids.csv", 3)


@pytest.mark.realdata
def test_the_list_of_the_challenge() -> None:
    found = read_class_list(REAL / "yt8m" / "segment_label_ids.csv")
    assert len(found) == 1000 and found[:3] == (3, 7, 8) and max(found) < 3862
    assert (
        find_class_list(REAL / "yt8m" / "video")
        == REAL.resolve() / "yt8m" / "segment_label_ids.csv"
    )


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "has no column named Index (it is empty)"),
        ("class\n3\n", "has no column named Index (it has: class)"),
        ("Index\n3\nx\n", "line 3: a class is a whole number, got 'x'"),
        ("Index\n-3\n", "line 2: a class is a whole number, got '-3'"),
        ("Index\n3\n3\n", "lists class 3 more than once"),
        ("Index\n", "lists no class"),
        ("Name,Index\na\n", "line 2: a class is a whole number, got ''"),
        ("Index\n\xff\n", "it is not CSV text"),
    ],
)
def test_what_is_no_list_is_refused(tmp_path: Path, text: str, rule: str) -> None:
    (tmp_path / "ids.csv").write_text(text, encoding="latin-1")
    with pytest.raises(DataError) as told:
        read_class_list(tmp_path / "ids.csv")
    sentence, hint = str(told.value).split("\n")
    assert sentence.startswith(str(tmp_path / "ids.csv: ")) and sentence.endswith(rule)
    assert "Such a list is a CSV file with a column Index" in hint


def test_a_place_without_a_file_is_told_in_one_sentence(tmp_path: Path) -> None:
    for path, words in ((tmp_path / "x.csv", "is not there"), (tmp_path, "cannot be read (Is a ")):
        with pytest.raises(DataError) as told:
            read_class_list(path)
        assert str(told.value).startswith(f"{path}: {words}") and "Errno" not in str(told.value)
        assert "column Index" in told.value.hint


def test_the_list_is_looked_for_up_to_two_folders_above(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b" / "c"
    deep.mkdir(parents=True)
    (tmp_path / "segment_label_ids.csv").touch()
    assert find_class_list(tmp_path / "a" / "b") == tmp_path / "segment_label_ids.csv"
    assert find_class_list(deep) is None
