"""Ids of augmented samples: what each was made of.

02aa          the video itself
02aa~i~7Xcd   between 02aa, whose labels it has, and 7Xcd
02aa~x~7Xcd   beyond 02aa, away from 7Xcd
02aa~n3       02aa with the third draw of noise
"""

import re
from typing import Literal, NamedTuple, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from reeltag.core.errors import ConfigError
from reeltag.data.items import VideoSet

Kind: TypeAlias = Literal["original", "interpolated", "extrapolated", "noisy"]
_PATTERNS: dict[Kind, str] = {"interpolated": "~i~", "extrapolated": "~x~", "noisy": r"~n\d+$"}
_MADE = re.compile(r"^(.*?)~(?:([ix])~(.*)|n\d+)$", re.DOTALL)
_KINDS: dict[str | None, Kind] = {"i": "interpolated", "x": "extrapolated", None: "noisy"}


class Origin(NamedTuple):
    """Where a sample comes from.

    Attributes:
        source: id of the video whose labels it has.
        kind: how it was made.
        partner: id of the neighbour; empty where there is none.
    """

    source: str
    kind: Kind
    partner: str


def interpolated_id(source: str, partner: str) -> str:
    """Return the id of a sample between two videos."""
    return f"{source}~i~{partner}"


def extrapolated_id(source: str, partner: str) -> str:
    """Return the id of a sample beyond `source`, away from `partner`."""
    return f"{source}~x~{partner}"


def noisy_id(source: str, number: int) -> str:
    """Return the id of draw `number` (from 1) of noise around a video."""
    return f"{source}~n{number}"


def origin_of(sample_id: str) -> Origin:
    """Return where a sample comes from.

    >>> origin_of("02aa~x~7Xcd")
    Origin(source='02aa', kind='extrapolated', partner='7Xcd')
    """
    found = _MADE.match(sample_id) if "~" in sample_id else None
    if found is None:
        return Origin(sample_id, "original", "")
    return Origin(found[1], _KINDS[found[2]], found[3] or "")


def count_kinds(ids: pa.ChunkedArray) -> dict[Kind, int]:
    """Return how many ids there are of each kind."""
    counts: dict[Kind, int] = {}
    for kind, pattern in _PATTERNS.items():
        counts[kind] = pc.sum(pc.match_substring_regex(ids, pattern)).as_py() or 0
    return {"original": len(ids) - sum(counts.values()), **counts}


def check_not_augmented(items: VideoSet) -> None:
    """Raise ConfigError if some of the videos were themselves made by augmentation."""
    counts = count_kinds(items.records.table["id"])
    made = len(items) - counts["original"]
    if made:
        raise ConfigError(
            f"{made:,} of the {len(items):,} videos of the split were made by augmentation "
            "(their ids hold ~i~, ~x~ or end in ~n and a number)",
            where=items.dataset.location,
            hint="Augment the data that they were made from.",
        )
