"""The class that a text means: by its name, or by what the words mean."""

from collections.abc import Sequence
from functools import cache, lru_cache

import numpy as np

from reeltag.core.errors import ReeltagError
from reeltag.encoders import check_packages, create_encoder, find_encoder
from reeltag.encoders.base import Float32, TextEncoder
from reeltag.library.labelling.config import DEFAULT_TEXTS
from reeltag.server.project.missing import NotThereError

_LEAST_LIKE = 0.6  # cosine of two texts of bge_small_en that mean much the same


@cache
def has_text_encoder() -> bool:
    """Return whether texts can be compared by what they mean: whether the extra is installed."""
    try:
        check_packages(find_encoder(DEFAULT_TEXTS).info)
    except ReeltagError:
        return False
    return True


def class_of_text(text: str, names: Sequence[str]) -> str:
    """Return the name of the class that a text means: called so, or the nearest by meaning.

    Args:
        text: in words.
        names: of the classes.

    Raises:
        NotThereError: no class is like it.
    """
    folded = text.strip().casefold()
    for name in names:
        if name.casefold() == folded:
            return name
    if has_text_encoder() and names:
        likeness = _class_features(tuple(names)) @ _text_encoder().encode([text])[0]
        best = int(likeness.argmax())
        if likeness[best] >= _LEAST_LIKE:
            return names[best]
    holding = [name for name in names if folded and folded in name.casefold()]
    if holding:
        return min(holding, key=len)
    raise NotThereError.of("class like", text, names)


@cache
def _text_encoder() -> TextEncoder:
    encoder = create_encoder(DEFAULT_TEXTS, device="cpu")
    assert isinstance(encoder, TextEncoder)
    return encoder


@lru_cache(maxsize=4)
def _class_features(names: Sequence[str]) -> Float32:
    """Return (C, D) of unit norm."""
    return np.asarray(_text_encoder().encode([*names]), np.float32)
