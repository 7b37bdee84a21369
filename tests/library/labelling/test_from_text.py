"""Texts of classes, and what of a video is like them."""

from collections.abc import Sequence

import numpy as np
import pytest

from reeltag.core.errors import ConfigError
from reeltag.encoders.base import Float32
from reeltag.library.labelling.from_text import class_features
from tests.library.labelling.synthetic import SyntheticTexts


class Told(SyntheticTexts):
    """Keeps the texts that it is given."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def encode(self, texts: Sequence[str]) -> Float32:
        self.texts += texts
        return super().encode(texts)


def test_class_is_the_mean_of_its_prompts_of_unit_norm() -> None:
    texts = Told()
    found = class_features(texts, ["cat", "dog"], ["a {} in the rain", "{}"])
    assert texts.texts == ["a cat in the rain", "a dog in the rain", "cat", "dog"]
    parts = SyntheticTexts().encode(texts.texts).reshape(2, 2, -1).sum(0)
    np.testing.assert_allclose(found, parts / np.linalg.norm(parts, axis=1, keepdims=True))


@pytest.mark.parametrize("prompts", [[], ["a photo"], ["{}", "a photo of"]])
def test_prompt_without_a_place_for_the_class_is_refused(prompts: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"--prompts: must be texts with \{\} in the place"):
        class_features(SyntheticTexts(), ["cat"], prompts)
