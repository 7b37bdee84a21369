"""Class names: the three published files, and what is wrong with a broken one."""

from pathlib import Path

import pytest

from reeltag.core.errors import DataError
from reeltag.data.vocabulary import Vocabulary, find_vocabulary

YT8M = "Index,TrainVideoCount,Name,WikiUrl\n0,9,Game,x\n1,5,,x\n3,1,Car,x\n"
AUDIOSET = 'index,mid,display_name\n0,/m/0,"Male speech, man"\n1,/m/1,Dog\n'


def test_names_of_youtube_8m_with_a_gap_and_a_blank(tmp_path: Path) -> None:
    (tmp_path / "vocabulary.csv").write_text(YT8M)
    found = find_vocabulary(tmp_path)
    assert found is not None and found.names == ("Game", "class 1", "class 2", "Car")


def test_names_of_audioset(tmp_path: Path) -> None:
    (tmp_path / "class_labels_indices.csv").write_text(AUDIOSET)
    assert find_vocabulary(tmp_path) == Vocabulary(("Male speech, man", "Dog"))


def test_names_come_back_from_what_was_saved(tmp_path: Path) -> None:
    names = Vocabulary(('comma, "quote"', "line\nbreak", "Ü"))
    names.save(tmp_path / "classes.csv")
    assert find_vocabulary(tmp_path) == names


def test_two_parents_are_looked_into_and_the_nearest_counts(tmp_path: Path) -> None:
    data = tmp_path / "a" / "b"
    data.mkdir(parents=True)
    assert find_vocabulary(data) is None
    Vocabulary(("far",)).save(tmp_path / "classes.csv")
    assert find_vocabulary(data) == Vocabulary(("far",))
    Vocabulary(("near",)).save(data.parent / "classes.csv")
    assert find_vocabulary(data) == Vocabulary(("near",))
    (data / "c").mkdir()
    (data / "c" / "d").mkdir()
    assert find_vocabulary(data / "c" / "d") is None


def test_a_shard_is_looked_beside(tmp_path: Path) -> None:
    Vocabulary(("one",)).save(tmp_path / "classes.csv")
    (tmp_path / "a.tfrecord").touch()
    assert find_vocabulary(tmp_path / "a.tfrecord") == Vocabulary(("one",))


def test_one_of_another_size_is_passed_over(tmp_path: Path) -> None:
    Vocabulary(("one",)).save(tmp_path / "classes.csv")
    (tmp_path / "class_labels_indices.csv").write_text(AUDIOSET)
    found = find_vocabulary(tmp_path, 2)
    assert found is not None and found.names[1] == "Dog"
    assert find_vocabulary(tmp_path, 3) is None


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("index,name\n0,a\n0,b\n", r"line 3: index '0' is no new"),
        ("index,name\n-1,a\n", r"line 2: index '-1'"),
        ("index,name\n99999999,a\n", "to 1048575"),
        ("index,name\nx,a\n", "index 'x'"),
        ("number,name\n0,a\n", "has the columns number, name; index and name are needed"),
        ("", "has the columns none"),
    ],
)
def test_a_broken_file_is_refused_with_its_line(tmp_path: Path, text: str, what: str) -> None:
    (tmp_path / "classes.csv").write_text(text)
    with pytest.raises(DataError, match=what):
        find_vocabulary(tmp_path)


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "classes.csv").write_bytes(b"index,name\n0,\xff\n")
    with pytest.raises(DataError, match="cannot be read as a vocabulary"):
        find_vocabulary(tmp_path)


def test_numbered_names() -> None:
    assert Vocabulary.numbered(2).names == ("class 0", "class 1")
    assert len(Vocabulary.numbered(2)) == 2
