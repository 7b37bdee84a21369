"""When two names mean the same class."""

import pytest

from reeltag.library.labelling.names import forms_of, holds_words, words_of


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Dogs", "dog", True),
        ("fire-engine", "Fire Engines", True),
        ("rooster", "Chicken, rooster", True),
        ("Boat / Ship", "ships", True),
        ("Café", "cafe", True),
        ("buses", "bus", False),  # a rule, no dictionary
        ("glass", "glas", False),
        ("dog", "dog bark", False),
        ("berries", "berry", True),
        ("boxes", "box", True),
        ("", "dog", False),
    ],
)
def test_names_are_the_same_without_case_punctuation_and_plural(
    one: str, other: str, same: bool
) -> None:
    assert bool(forms_of(one) & forms_of(other)) == same


def test_title_holds_a_class_only_as_whole_words() -> None:
    assert holds_words("My 2 dogs at the BEACH!", "Dog")
    assert holds_words("a fire_engine passes", "fire engine")
    assert not holds_words("hotdog stand", "dog")
    assert not holds_words("engine fire", "fire engine")
    assert not holds_words("anything", "")


def test_other_scripts_keep_their_words() -> None:
    assert words_of("電影 собаки") == ("電影", "собаки")
