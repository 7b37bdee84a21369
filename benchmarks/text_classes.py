"""From which cosine on a text of a search means a class, by the texts of `text_queries`.

    python -m benchmarks.text_classes

The names of AudioSet's and of YouTube-8M's classes are compared with 60 texts that mean some of
them in other words, and with 60 that mean none: nonsense, and words about something else. Rule:
the lowest threshold, in steps of .01, from which on at most one in twenty of the latter finds a
class in either vocabulary.
"""

import csv
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.environment import environment
from benchmarks.proofs import DATA
from benchmarks.results import Row, write_rows
from benchmarks.text_queries import NONSENSE, QUERIES, UNRELATED
from reeltag.core.console import say
from reeltag.encoders import create_encoder
from reeltag.encoders.base import TextEncoder
from reeltag.library.labelling.config import DEFAULT_TEXTS

FALSE = 0.05  # of the texts that mean no class: what finds one at most
BEFORE = 0.6  # threshold that is compared with the chosen one
_NAMES = {
    "audioset": (DATA / "audioset" / "class_labels_indices.csv", "display_name"),
    "youtube8m": (DATA / "yt8m" / "vocabulary.csv", "Name"),
}


def main() -> int:
    """Write a row of each vocabulary at the chosen threshold, and at the one before."""
    encoder = create_encoder(DEFAULT_TEXTS, device="cpu")
    assert isinstance(encoder, TextEncoder)
    found = [_Vocabulary(encoder, name, _names(*_NAMES[name])) for name in _NAMES]
    steps = np.arange(0.5, 1, 0.01).round(2).tolist()
    chosen = next(at for at in steps if all(of.false_fraction(at) <= FALSE for of in found))
    rows = [row for at in (chosen, BEFORE) for of in found for row in of.rows(at, at == chosen)]
    for row in rows:
        say(str(row))
    measured = environment("python -m benchmarks.text_classes")
    write_rows("text_classes", rows, key=("vocabulary", "threshold"), measured=measured)
    return 0


def _names(path: Path, column: str) -> list[str]:
    with path.open(newline="", encoding="utf-8") as file:
        return [row[column] for row in csv.DictReader(file) if row[column]]


class _Vocabulary:
    """The nearest class of each text.

    Args:
        encoder: of texts.
        name: of the vocabulary, as the queries call it.
        names: of its classes.
    """

    def __init__(self, encoder: TextEncoder, name: str, names: Sequence[str]) -> None:
        self.name = name
        queries = [of for of in QUERIES if getattr(of, name)]
        class_CD = encoder.encode(names)
        cosines = encoder.encode([of.text for of in queries]) @ class_CD.T
        nearest = [names[at] for at in cosines.argmax(1)]
        meant = [getattr(of, name) for of in queries]
        self._is_right = np.array([of in some for of, some in zip(nearest, meant, strict=True)])
        self._cosines = cosines.max(1)
        self._others = (encoder.encode([*NONSENSE, *UNRELATED]) @ class_CD.T).max(1)

    def false_fraction(self, threshold: float) -> float:
        """Return the fraction of texts without a class that find one all the same."""
        return float((self._others >= threshold).mean())

    def rows(self, threshold: float, is_chosen: bool) -> Iterator[Row]:
        """Yield what a threshold does."""
        is_found = self._cosines >= threshold
        yield {
            "vocabulary": self.name,
            "threshold": threshold,
            "chosen": is_chosen,
            "texts_of_a_class": len(is_found),
            "right_class": round(float((is_found & self._is_right).mean()), 3),
            "wrong_class": round(float((is_found & ~self._is_right).mean()), 3),
            "texts_of_none": len(self._others),
            "finds_a_class": round(self.false_fraction(threshold), 3),
        }


if __name__ == "__main__":
    sys.exit(main())
