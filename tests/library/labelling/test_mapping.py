"""Words of sources and classes of the user: by name, by meaning, or as a person decides."""

from pathlib import Path

import pytest

from reeltag.core.errors import DataError
from reeltag.library.labelling.mapping import Match, Matcher, read_mapping, write_mapping
from tests.library.labelling.synthetic import SyntheticTexts

CLASSES = ("Dog", "Cat", "Rain, shower")


def pairs(matches: list[Match]) -> list[tuple[str, str]]:
    return [(match.word, match.class_name) for match in matches]


def test_word_means_the_class_of_its_name_and_else_none() -> None:
    found = Matcher(CLASSES).match("folders", ["dogs", "shower", "2019"], "word")
    assert pairs(found) == [("dogs", "Dog"), ("shower", "Rain, shower"), ("2019", "")]
    assert [match.cosine for match in found] == [1, 1, 0]


def test_text_encoder_finds_a_class_by_meaning_and_shows_the_nearest() -> None:
    found = Matcher(CLASSES, SyntheticTexts()).match(
        "tags", ["lovely cat video", "cats", "x"], "word"
    )
    assert pairs(found) == [("lovely cat video", "Cat"), ("cats", "Cat"), ("x", "")]
    assert found[0].cosine == pytest.approx(0.999) and found[1].cosine == 1


def test_class_of_an_encoder_is_meant_by_several_words() -> None:
    words = ["tabby cat", "Siamese cat", "hound, dog", "stove"]
    found = Matcher(CLASSES, SyntheticTexts()).match("encoder:x", words, "class")
    assert pairs(found) == [
        ("hound, dog", "Dog"),
        ("tabby cat", "Cat"),
        ("Siamese cat", "Cat"),
        ("", "Rain, shower"),
    ]
    assert found[0].cosine == 1  # a synonym: the others are not looked at


def test_most_words_of_a_class_are_five_unless_all_have_its_name() -> None:
    near = [f"{name} cat" for name in "abcdefg"]
    assert len(Matcher(("Cat",), SyntheticTexts()).match("e", near, "class")) == 5
    same = [f"{name}, cat" for name in "abcdefg"]
    assert len(Matcher(("Cat",), SyntheticTexts()).match("e", same, "class")) == 7


def test_rows_of_a_person_count_alone_for_what_they_name() -> None:
    given = (
        Match("folders", "dogs", "Cat", None),
        Match("folders", "rain", "", None),
        Match("other", "cats", "Dog", None),
    )
    found = Matcher(CLASSES, given=given).match("folders", ["dogs", "rain", "cats"], "word")
    assert pairs(found) == [("dogs", "Cat"), ("rain", ""), ("cats", "Cat")]
    nothing = (Match("e", "", "Dog", None),)
    found = Matcher(CLASSES[:2], given=nothing).match("e", ["dog", "cat"], "class")
    assert pairs(found) == [("", "Dog"), ("cat", "Cat")]


def test_class_of_a_person_that_is_none_is_an_error() -> None:
    given = (Match("folders", "dogs", "Wolf", None),)
    with pytest.raises(DataError, match="mapping of folders: maps 'dogs' to 'Wolf', which is no"):
        Matcher(CLASSES, given=given).match("folders", ["dogs"], "word")


def test_mapping_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "mapping.csv"
    matches = [Match("a", 'x, "y"', "Dog", 0.91), Match("a", "z", "", None)]
    write_mapping(path, [*matches, matches[0]])
    assert read_mapping(path) == tuple(matches)
    path.write_text("source,word,class,cosine\na,x,Dog,near\n")
    with pytest.raises(DataError, match="line 2: cosine must be a number or empty, got 'near'"):
        read_mapping(path)
    path.write_text("word,class\nx,Dog\n")
    with pytest.raises(DataError, match="has no column source"):
        read_mapping(path)
