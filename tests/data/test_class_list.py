"""The class list: files of all kinds, search by name, MID or index, and "the same classes?"."""

from pathlib import Path

import pytest

from reeltag.core.errors import ConfigError, DataError
from reeltag.data.class_list import ClassList, find_segment_classes
from tests.conftest import REAL

AUDIOSET = 'index,mid,display_name\n0,/m/05zppz,"Male speech, man"\n1,/m/0bt9lr,Dog\n'
NAMES = ("Guitar", "Car", "car", "Bass guitar", "7", "Game")


def test_yt8m_vocabulary_gives_names_and_mids(tmp_path: Path) -> None:
    header = "Index,TrainVideoCount,KnowledgeGraphId,Name,WikiUrl,Vertical1,Vertical2,Vertical3"
    (tmp_path / "vocabulary.csv").write_text(
        f"{header}\n1,5,/m/01mw1,Video game,,,,\n0,9,,Game,,,,"
    )
    found = ClassList.find(tmp_path)
    assert found == ClassList(("Game", "Video game"), ("", "/m/01mw1"))


def test_audioset_list_gives_names_and_mids(tmp_path: Path) -> None:
    (tmp_path / "class_labels_indices.csv").write_text(AUDIOSET)
    found = ClassList.find(tmp_path)
    assert found == ClassList(("Male speech, man", "Dog"), ("/m/05zppz", "/m/0bt9lr"))


def test_saved_list_is_read_again(tmp_path: Path) -> None:
    for saved in (
        ClassList(('comma, "quote"', "line\nbreak", "Ü")),
        ClassList(("a", "b"), mids=("/m/0", "")),
        ClassList(("a", "b"), indices=(7, 3)),
    ):
        saved.save(tmp_path / "classes.csv")
        assert ClassList.open(tmp_path / "classes.csv") == saved


def test_find_takes_the_nearest_of_three_folders(tmp_path: Path) -> None:
    data = tmp_path / "a" / "b"
    (data / "c" / "d").mkdir(parents=True)
    assert ClassList.find(data) is None
    ClassList(("far",)).save(tmp_path / "classes.csv")
    assert ClassList.find(data) == ClassList(("far",))
    ClassList(("near",)).save(data.parent / "classes.csv")
    (data / "x.tfrecord").touch()
    assert ClassList.find(data) == ClassList.find(data / "x.tfrecord") == ClassList(("near",))
    (data.parent / "classes.csv").unlink()
    assert ClassList.find(data / "c" / "d") is None


def test_full_list_numbers_an_index_that_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("index,name,mid\n2,c,/m/2\n0,,\n")
    found = ClassList.open(tmp_path / "c.csv", full=True)
    assert found == ClassList(("class 0", "class 1", "c"), ("", "", "/m/2"))


def test_subset_keeps_the_order_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "ids.csv").write_text("Index\n31\n30\n7\n")
    found = ClassList.open(tmp_path / "ids.csv")
    assert found == ClassList(("class 31", "class 30", "class 7"), indices=(31, 30, 7))
    assert found.listed == (31, 30, 7)
    (tmp_path / "v.csv").write_bytes(b'\xef\xbb\xbfName,Index\r\n"a, b",4\r\nc,0\r\n\r\n')
    assert ClassList.open(tmp_path / "v.csv") == ClassList(("a, b", "c"), indices=(4, 0))


def test_mask_marks_the_listed_classes_and_raises_for_others(tmp_path: Path) -> None:
    (tmp_path / "ids.csv").write_text("Index\n3\n0\n")
    listed = ClassList.open(tmp_path / "ids.csv")
    assert listed.mask(4).tolist() == [True, False, False, True]
    with pytest.raises(DataError, match=r"ids.csv: lists class 3; the data has 3 \(0 to 2\)"):
        listed.mask(3)


@pytest.mark.realdata
def test_segment_classes_of_the_challenge() -> None:
    path = find_segment_classes(REAL / "yt8m")
    assert path == (REAL / "yt8m" / "segment_label_ids.csv").resolve()
    found = ClassList.open(path).listed
    assert len(found) == 1000 and found[:3] == (3, 7, 8) and max(found) < 3862


def test_segment_classes_are_looked_for_in_the_data_folder_alone(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "segment_label_ids.csv").touch()
    assert find_segment_classes(tmp_path / "data") is None
    assert find_segment_classes(tmp_path) == tmp_path.resolve() / "segment_label_ids.csv"


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "has no column named index (it is empty)"),
        ("class\n3\n", "has no column named index (it has: class)"),
        ("Index\n3\nx\n", "line 3: a class is a whole number from 0 to 1048575, got 'x'"),
        ("Index\n-3\n", "line 2: a class is a whole number from 0 to 1048575, got '-3'"),
        ("Index\n99999999\n", "from 0 to 1048575, got '99999999'"),
        ("Index\n3\n3\n", "lists class 3 more than once"),
        ("Index\n", "lists no class"),
        ("Name,Index\na\n", "line 2: a class is a whole number from 0 to 1048575, got ''"),
        ("Index\n\xff\n", "it is not CSV text"),
    ],
)
def test_broken_list_raises_with_its_line(tmp_path: Path, text: str, rule: str) -> None:
    (tmp_path / "ids.csv").write_text(text, encoding="latin-1")
    with pytest.raises(DataError) as raised:
        ClassList.open(tmp_path / "ids.csv")
    sentence, hint = str(raised.value).split("\n")
    assert sentence.startswith(str(tmp_path / "ids.csv: ")) and sentence.endswith(rule)
    assert "A class list is a CSV file with a column Index" in hint


def test_full_list_needs_names(tmp_path: Path) -> None:
    (tmp_path / "classes.csv").write_text("index,title\n0,a\n")
    with pytest.raises(DataError, match=r"no column named name \(it has: index, title\)"):
        ClassList.find(tmp_path)


def test_place_without_a_file_is_named_in_one_sentence(tmp_path: Path) -> None:
    for path, words in ((tmp_path / "x.csv", "is not there"), (tmp_path, "cannot be read (Is a ")):
        with pytest.raises(DataError) as raised:
            ClassList.open(path)
        assert str(raised.value).startswith(f"{path}: {words}")
        assert "Errno" not in str(raised.value) and "column Index" in raised.value.hint


@pytest.mark.parametrize(
    ("wanted", "index"),
    [("Guitar", 0), ("gUITAR", 0), ("Car", 1), ("car", 2), ("bass guitar", 3), ("5", 5), ("7", 4)],
)
def test_index_of_finds_names_in_any_case_and_indices(wanted: str, index: int) -> None:
    assert ClassList(NAMES).index_of(wanted) == index


def test_index_of_finds_mids_and_integers_and_indices_of_the_bigger_list() -> None:
    listed = ClassList(("a", "3"), mids=("/m/a", ""), indices=(3, 9))
    assert [listed.index_of(wanted) for wanted in ("A", "/m/a", "3", 3, "9")] == [3, 3, 9, 3, 9]
    with pytest.raises(ConfigError, match="class: must be in the list, got 1"):
        listed.index_of("1")


@pytest.mark.parametrize(
    ("wanted", "rule"),
    [
        ("CAR", r"2 classes are called 'CAR': 1, 2"),
        ("gitar", r"no class is called 'gitar'\n  Did you mean Guitar"),
        ("9", r"--class: must be in 0 to 5, got 9"),
        ("xyz", r"no class is called .xyz.\n  There are 6 classes"),
        ("bass", r"Did you mean Bass guitar"),
    ],
)
def test_index_of_names_similar_classes(wanted: str, rule: str) -> None:
    with pytest.raises(ConfigError, match=rule):
        ClassList(NAMES).index_of(wanted, where="--class")


def check(mine: ClassList, other: ClassList) -> None:
    mine.check_same(other, where="RUN", other_where="DATA")


@pytest.mark.parametrize(
    "other",
    [
        ClassList(("a", "b", "c")),
        ClassList(("a", "class 1", "c"), mids=("/m/0", "", "")),
        ClassList.numbered(3),
        ClassList.numbered(2, inferred=True),
    ],
)
def test_check_same_takes_equal_unnamed_and_inferred_lists(other: ClassList) -> None:
    check(ClassList(("a", "b", "c")), other)
    check(other, ClassList(("a", "b", "c")))


@pytest.mark.parametrize(
    ("other", "rule"),
    [
        (ClassList(("a", "x")), "RUN: class 1 is 'b'; in DATA it is 'x'"),
        (ClassList(("a", "x", "y")), "DATA has 3: class 1 is 'b'; in DATA it is 'x'"),
        (ClassList(("a",)), "RUN: has 2 classes; DATA has 1: 'b' is in RUN alone"),
        (ClassList(("a", "b", "c")), "has 2 classes; DATA has 3: 'c' is in DATA alone"),
        (ClassList.numbered(3, inferred=True), "has 2 classes; DATA has 3"),
        (ClassList(("a", "b"), indices=(0, 4)), "RUN: lists class 1 where DATA lists 4"),
    ],
)
def test_check_same_names_both_sides_and_the_first_difference(other: ClassList, rule: str) -> None:
    with pytest.raises(DataError) as raised:
        check(ClassList(("a", "b")), other)
    assert rule in str(raised.value) and "Both must be of the same classes" in raised.value.hint
