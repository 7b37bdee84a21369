"""Which class implies which, as probabilities from counts: BMW -> Car 0.97, and not the reverse.

Shape letters: C classes, P ordered pairs of classes that appear together, E implications kept.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from reeltag.core.arrow_files import arrow_sink, arrow_source
from reeltag.core.errors import ConfigError, DataError, reason_of
from reeltag.core.files import PathLike, whole_file
from reeltag.core.sparse import SparseRows, indptr_of
from reeltag.core.text import json_text
from reeltag.labels.cooccurrence import Cooccurrence

__all__ = ["Correlation", "Implication", "Implications"]

Z = 1.96  # normal quantile of a 95 % interval
_KIND = "label correlation"
_SCHEMA = pa.schema(
    {
        "first": pa.int32(),
        "second": pa.int32(),
        "together": pa.int64(),
        "probability": pa.float64(),
        "first_name": pa.dictionary(pa.int32(), pa.string()),
        "second_name": pa.dictionary(pa.int32(), pa.string()),
    }
)
_READ = ("first", "second", "together")  # the other columns follow from these and the metadata
_HINT = "Such a file is written by `reeltag labels DATA --out P.parquet`."
_OTHER = "is no file of label correlations: its columns or its metadata 'reeltag' are others"


class Implication(NamedTuple):
    """One class implies another: of the `videos` with `first`, `together` have `second` too."""

    first: int
    second: int
    together: int
    videos: int
    prob: float
    """together / videos, in (0, 1]."""
    low: float
    """Lower end of the 95 % Wilson interval of `prob`."""


@dataclass(frozen=True, eq=False)
class Implications(SparseRows):
    """The matrix P' of Autohome 2019, sec. 3.3 eq. 6: row i lists the classes that class i implies.

    Attributes:
        classes: (E,) int32, ascending in each of the C rows, and never i itself.
        values: (E,) float64 in [tau, 1], P(class | i).
    """

    values: NDArray[np.float64] = field()


@dataclass(frozen=True, eq=False)
class Correlation:
    """How classes depend on each other: N_i, M_ij and P_ij = M_ij / N_i = P(j | i).

    Source: Autohome 2019, sec. 3.3 eq. 4 to 6. Only pairs that occur are kept, and no
    class is paired with itself. P is not symmetric; P_ij N_i = P_ji N_j is.

    Attributes:
        counts: N_i and M_ij.
        names: (C,) the class list that they are of.
        num_videos: videos that were counted, also those without labels.
        source: what was counted, or the file that it was read from.
    """

    counts: Cooccurrence
    names: tuple[str, ...]
    num_videos: int
    source: str = ""

    def __post_init__(self) -> None:
        if len(self.names) != len(self.counts.videos):
            raise ValueError(f"{len(self.names)} names of {len(self.counts.videos)} classes")

    @property
    def num_classes(self) -> int:
        """Return C."""
        return len(self.names)

    def implications(self, tau: float, *, min_videos: int = 1) -> Implications:
        """Return P where it is at least tau; smaller probabilities count as 0.

        Args:
            tau: > 0. At 1 only implications without an exception are left, above 1 none.
            min_videos: classes with fewer videos imply nothing.

        Raises:
            ConfigError: tau is not > 0.
        """
        check_tau(tau)
        probs = self.counts.conditional()
        kept = (probs >= tau) & (self.counts.videos[self.counts.first] >= min_videos)
        per_class = np.bincount(self.counts.first[kept], minlength=self.num_classes)
        return Implications(indptr_of(per_class), self.counts.second[kept], probs[kept])

    def strongest(
        self,
        n: int,
        *,
        min_videos: int = 1,
        tau: float = 0.0,
        first: int | None = None,
        second: int | None = None,
        among: NDArray[np.bool_] | None = None,
    ) -> list[Implication]:
        """Return the n implications that are most certain, by the low end of their interval.

        A pair seen in 3 of 3 videos has probability 1, yet ranks below 1,234 of 1,270. Equal ones
        are ordered by class number.

        Args:
            n: largest number returned.
            min_videos: classes with fewer videos imply nothing.
            tau: least probability.
            first: only implications of this class.
            second: only implications that this class follows from.
            among: (C,) only implications between these classes.
        """
        counts = self.counts
        videos = counts.videos[counts.first]
        probs = counts.conditional()
        kept = (videos >= min_videos) & (probs >= tau)
        for wanted, column in ((first, counts.first), (second, counts.second)):
            if wanted is not None:
                kept &= column == wanted
        if among is not None:
            kept &= among[counts.first] & among[counts.second]
        place = np.flatnonzero(kept)
        low = _wilson_low(counts.together[place], videos[place])
        best = np.argsort(-low, kind="stable")[:n]
        return [
            Implication(
                int(counts.first[at]),
                int(counts.second[at]),
                int(counts.together[at]),
                int(videos[at]),
                float(probs[at]),
                float(bound),
            )
            for at, bound in zip(place[best], low[best], strict=True)
        ]

    def save(self, path: PathLike) -> None:
        """Write a Parquet file, whole or not at all: a row is a pair of classes i, j.

        Columns: `first` i, `second` j, `together` M_ij, `probability` P(j | i), and both names.
        Its metadata, under `reeltag`, hold C names, N and what was counted, as JSON.

        Args:
            path: of the file.

        Raises:
            OutputError: it cannot be written.
        """
        path = Path(path)
        about = {
            "kind": _KIND,
            "names": self.names,
            "videos": self.counts.videos.tolist(),
            "num_videos": self.num_videos,
            "source": self.source,
        }
        names, counts = pa.array(self.names, pa.string()), self.counts
        sides = (pa.array(counts.first), pa.array(counts.second))
        columns = [
            counts.first,
            counts.second,
            counts.together,
            counts.conditional(),
            *(names.take(side).dictionary_encode() for side in sides),
        ]
        metadata = {b"reeltag": json_text(about).encode()}
        table = pa.table(columns, schema=_SCHEMA.with_metadata(metadata))
        with whole_file(path) as part, arrow_sink(part) as sink:
            pq.write_table(table, sink, compression="zstd")

    @classmethod
    def load(cls, path: PathLike) -> "Correlation":
        """Read what `save` wrote; `source` is then the path.

        Args:
            path: of the file.

        Raises:
            DataError: there is no such file, it is not one of correlations, or it is damaged.
        """
        path = Path(path)
        if not path.is_file():
            what = "is a folder, not a file" if path.is_dir() else "is not there"
            raise DataError(what, where=path, hint=_HINT)
        try:
            if not {*_READ} <= {*pq.read_schema(arrow_source(path)).names}:
                raise DataError(_OTHER, where=path, hint=_HINT)
            table = pq.read_table(arrow_source(path), columns=list(_READ))
        except (OSError, ValueError, pa.ArrowException) as error:
            what = f"cannot be read as Parquet ({reason_of(error)})"
            raise DataError(what, where=path, hint=_HINT) from error
        found = _parse(table, path)
        if broken := _inconsistency(found):
            raise DataError(f"is damaged: {broken}", where=path, hint=_HINT)
        return replace(found, source=str(path))


def check_tau(tau: float) -> None:
    """Raise ConfigError where a threshold of probabilities is not > 0."""
    if not tau > 0:
        raise ConfigError(
            f"must be > 0, got {tau}",
            where="tau",
            hint="It is the least probability of an implication: 0.5 in the paper; above 1: none.",
        )


def _wilson_low(hits: NDArray[np.int64], trials: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the lower end of the 95 % Wilson score interval of hits / trials."""
    rate = hits / trials
    spread = Z * np.sqrt(rate * (1 - rate) / trials + (Z / (2 * trials)) ** 2)
    low: NDArray[np.float64] = (rate + Z**2 / (2 * trials) - spread) / (1 + Z**2 / trials)
    return low


def _shown(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def _parse(table: pa.Table, path: Path) -> Correlation:
    """Return the correlation in a table, its numbers unchecked; DataError: another kind."""
    try:
        about: dict[str, Any] = json.loads((table.schema.metadata or {})[b"reeltag"])
        if about["kind"] != _KIND:
            raise ValueError(f"it is a file of {about['kind']}")
        if any(table[name].null_count for name in _READ):
            raise ValueError("a row without a number")
        first, second, together = (
            table[name].cast(_SCHEMA.field(name).type).to_numpy() for name in _READ
        )
        videos = np.array(about["videos"], np.int64)
        counts = Cooccurrence(videos, first, second, together)
        return Correlation(counts, tuple(map(str, about["names"])), int(about["num_videos"]),
                           str(about["source"]))  # fmt: skip
    except (KeyError, TypeError, ValueError, OverflowError, pa.ArrowException) as error:
        raise DataError(_OTHER, where=path, hint=_HINT) from error


def _inconsistency(found: Correlation) -> str:
    """Return what is impossible about the counts, or nothing."""
    counts, size = found.counts, found.num_classes
    pairs = np.stack([counts.first, counts.second]).astype(np.int64)
    if pairs.size and not (pairs.min() >= 0 and pairs.max() < size):
        return f"a class is outside 0..{size - 1}"
    keys, mirrored = pairs[0] * size + pairs[1], pairs[1] * size + pairs[0]
    if (np.diff(keys) <= 0).any() or (pairs[0] == pairs[1]).any():
        return "its pairs are not distinct classes in ascending order"
    least = np.minimum(counts.videos[pairs[0]], counts.videos[pairs[1]])
    if (counts.together < 1).any() or (counts.together > least).any():
        return "a pair was counted more often than one of its classes, or never"
    order = np.argsort(mirrored)
    if not (
        np.array_equal(mirrored[order], keys)
        and np.array_equal(counts.together[order], counts.together)
    ):
        return "a pair has another count than its mirror image"
    if size and not (counts.videos.min() >= 0 and counts.videos.max() <= found.num_videos):
        return "a class has more videos than were counted"
    return ""
