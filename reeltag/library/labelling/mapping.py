"""Which word of a source means which class: by name, by meaning, or as a person decides.

A source has words of its own (folder names, tags, an encoder's classes); the user has classes. The
table of both is shown, and kept in a file that a person may correct:

    source,word,class,cosine
    folders,puppies,Dog,0.91
    encoder:yamnet,"Bark",dog barking,0.91

A file that is there counts: of a word (of an encoder: of a class) that it names, only its rows.
Leave the class (of an encoder: the word) empty to say that it means none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from reeltag.core.console import say
from reeltag.core.csv_rows import CsvWriter
from reeltag.core.errors import DataError
from reeltag.core.files import whole_file
from reeltag.encoders.base import Float32
from reeltag.library.labelling.names import forms_of
from reeltag.library.labelling.tables import read_rows

COLUMNS = ("source", "word", "class", "cosine")
Direction = Literal["word", "class"]
MOST_WORDS = 5  # of an encoder that mean one class
_MARGIN = 0.06  # of cosine, below that of the nearest word of a class
_HINT = f"A mapping is a CSV file with the columns {', '.join(COLUMNS)}."


class Texts(Protocol):
    """What encodes texts: a `reeltag.encoders.TextEncoder`."""

    def encode(self, texts: Sequence[str]) -> Float32:
        """Return (N, D) of unit norm."""


@dataclass(frozen=True)
class Match:
    """A word of a source that means a class.

    Attributes:
        source: as the labels name it.
        word: of the source; "" where nothing of it means the class.
        class_name: "" where the word means no class.
        cosine: of the two names, 1 where they are the same; of what is nearest, where there is no
            match; None where a person gave none.
    """

    source: str
    word: str
    class_name: str
    cosine: float | None


@dataclass(frozen=True)
class Matcher:
    """Matches words of sources with classes.

    Attributes:
        classes: names of the classes.
        texts: encoder for names that are not the same; None: only the same ones match.
        least_cosine: of two names that mean the same.
        given: rows of a file that a person may have corrected.
    """

    classes: tuple[str, ...]
    texts: Texts | None = None
    least_cosine: float = 0.8
    given: tuple[Match, ...] = ()

    def match(self, source: str, words: Sequence[str], by: Direction) -> list[Match]:
        """Return the matches of a source, what means nothing included.

        Args:
            source: as the labels name it.
            words: of the source, each once.
            by: "word": each word means one class at most. "class": each class is meant by several
                words, up to `MOST_WORDS`.
        """
        given = [match for match in self.given if match.source == source]
        if by == "word":
            known = {match.word for match in given}
            left, classes = [word for word in words if word not in known], list(self.classes)
        else:
            known = {match.class_name for match in given}
            left, classes = list(words), [name for name in self.classes if name not in known]
        self._check(source, given, words)
        return given + self._matches(source, left, classes, by)

    def _check(self, source: str, given: Sequence[Match], words: Sequence[str]) -> None:
        """Raise DataError for classes of a file that are none; log words that are not there."""
        classes = {*self.classes, ""}
        wrong = [match for match in given if match.class_name not in classes]
        if wrong:
            raise DataError(
                f"maps {wrong[0].word!r} to {wrong[0].class_name!r}, which is no class",
                where=f"the mapping of {source}",
                hint="Write the class as the class list does, or leave it empty.",
            )
        absent = [match.word for match in given if match.word not in {*words, ""}]
        if absent:
            shown = ", ".join(map(repr, absent[:3]))
            say(f"mapping: {len(absent):,} words are not in {source}: {shown}")

    def _matches(
        self, source: str, words: list[str], classes: list[str], by: Direction
    ) -> list[Match]:
        """Return the matches of words that no file explains."""
        if not words or not classes:
            return []
        cosines_WC = self._cosines(words, classes, by)
        found = []
        rows, names = (cosines_WC, words) if by == "word" else (cosines_WC.T, classes)
        others = classes if by == "word" else words
        for name, row in zip(names, rows, strict=True):
            best = np.argsort(-row, kind="stable")
            if by == "word":
                kept = best[:1][row[best[:1]] >= self.least_cosine]
            else:
                least = 1.0 if row.max() >= 1 else max(self.least_cosine, row.max() - _MARGIN)
                kept = best[: MOST_WORDS if least < 1 else None]
                kept = kept[row[kept] >= least]
            pairs = [(name, others[at]) for at in kept.tolist()] or [(name, "")]
            cosines = row[kept] if len(kept) else row[best[:1]]
            for (one, other), cosine in zip(pairs, cosines.tolist(), strict=True):
                word, class_name = (one, other) if by == "word" else (other, one)
                found.append(Match(source, word, class_name, round(cosine, 3)))
        return found

    def _cosines(self, words: list[str], classes: list[str], by: Direction) -> Float32:
        """Return (W, C) cosines, 1 where the names are the same, 0 where nothing is known."""
        forms = [forms_of(name) for name in classes]
        same = [[bool(mine & its) for its in forms] for mine in map(forms_of, words)]
        cosines = np.array(same, np.float32)
        left = np.flatnonzero(cosines.max(axis=1 if by == "word" else 0) < 1).tolist()
        if self.texts is None or not left:
            return cosines
        unsolved = [(words if by == "word" else classes)[at] for at in left]
        others = self.texts.encode(classes if by == "word" else words)
        near = np.clip(self.texts.encode(unsolved) @ others.T, 0, 0.999)
        if by == "word":
            cosines[left] = near
        else:
            cosines[:, left] = near.T
        return cosines


def read_mapping(path: Path) -> tuple[Match, ...]:
    """Return the rows of a mapping; DataError where the file cannot be read as one."""
    matches = []
    for number, row in read_rows(path, COLUMNS, _HINT):
        try:
            cosine = float(row["cosine"]) if row["cosine"] else None
        except ValueError as error:
            what = f"cosine must be a number or empty, got {row['cosine']!r}"
            raise DataError(what, where=f"{path}, line {number}", hint=_HINT) from error
        matches.append(Match(row["source"], row["word"], row["class"], cosine))
    return tuple(matches)


def write_mapping(path: Path, matches: Sequence[Match]) -> None:
    """Write a mapping, whole or not at all; OutputError where it cannot be written."""
    with whole_file(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = CsvWriter(file)
        writer.writerow(COLUMNS)
        for match in dict.fromkeys(matches):
            cosine = "" if match.cosine is None else f"{match.cosine:g}"
            writer.writerow((match.source, match.word, match.class_name, cosine))
