"""The class that a text means: by its name, or by what the words mean."""

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np

from reeltag.core.errors import ReeltagError
from reeltag.encoders import check_packages, create_encoder, find_encoder
from reeltag.encoders.base import Float32, TextEncoder
from reeltag.library.labelling.config import DEFAULT_TEXTS

LEAST_LIKE = 0.77  # cosine of bge_small_en; chosen by benchmarks.text_classes
_MOST_ALIKE = 3


class TextMeaning(NamedTuple):
    """What a text means.

    Attributes:
        name: of the class; "" = none is like it.
        is_name: whether the text is the class's name.
        alike: other classes that are nearest, best first; empty where texts cannot be compared.
    """

    name: str = ""
    is_name: bool = False
    alike: tuple[str, ...] = ()


@cache
def has_text_encoder() -> bool:
    """Return whether texts can be compared by what they mean: whether the extra is installed."""
    try:
        check_packages(find_encoder(DEFAULT_TEXTS).info)
    except ReeltagError:
        return False
    return True


def meaning_of(text: str, names: Sequence[str]) -> TextMeaning:
    """Return the class that a text means: called so, or the nearest by meaning, if one is near.

    Where texts cannot be compared, it is the shortest name that has the words in it.

    Args:
        text: in words.
        names: of the classes.
    """
    folded = text.strip().casefold()
    for name in names:
        if name.casefold() == folded:
            return TextMeaning(name, is_name=True)
    holding = [name for name in names if folded and _holds(name.casefold(), folded)]
    shortest = min(holding, key=len, default="")
    if not has_text_encoder() or not names:
        return TextMeaning(shortest)
    encoder = _text_encoder()
    likeness = _class_features(encoder, tuple(names)) @ encoder.encode([text])[0]
    best = [names[at] for at in np.argsort(-likeness, kind="stable")[: _MOST_ALIKE + 1].tolist()]
    found = best[0] if float(likeness.max()) >= LEAST_LIKE else shortest
    alike = tuple(name for name in best if name and name != found)
    return TextMeaning(found, alike=alike[:_MOST_ALIKE])


def _holds(name: str, words: str) -> bool:
    """Return whether a name has words in it that begin where a word begins."""
    return re.search(rf"(?<!\w){re.escape(words)}", name) is not None


@cache
def _text_encoder() -> TextEncoder:
    encoder = create_encoder(DEFAULT_TEXTS, device="cpu")
    assert isinstance(encoder, TextEncoder)
    return encoder


@lru_cache(maxsize=4)
def _class_features(encoder: TextEncoder, names: Sequence[str]) -> Float32:
    """Return (C, D) of unit norm."""
    return np.asarray(encoder.encode([*names]), np.float32)
