"""What the scores of `evaluate` mean, in words for tables."""

from collections.abc import Iterator, Mapping
from typing import Any

_ABOUT = {
    "gap@{top_k}": "global AP, each video in its {top_k:,} best classes",
    "hit@1": "fraction of videos whose best class is a label",
    "perr": "precision at equal recall rate",
    "map": "mean AP of {map_classes:,} classes, each video in its {map_truncated_at:,} best",
    "map@k": "mean AP of {classes:,} classes with a rated positive, each by its {k:,} best "
    "segments",
}
_UNLISTED = {
    "rated": "; {classes_unlisted:,} of them in no row: 0",
    "listed": "; {classes_unlisted:,} more in no row: left out",
}


def score_meanings(scores: Mapping[str, Any], top_k: int) -> Iterator[tuple[str, str]]:
    """Yield name and meaning of each score that was measured.

    Args:
        scores: as `evaluate` returns them.
        top_k: classes of a video that entered GAP.
    """
    values = {**scores, "top_k": top_k}
    for key, about in _ABOUT.items():
        name = key.format(**values)
        if name in scores:
            if name == "map@k" and scores["classes_unlisted"]:
                about += _UNLISTED[scores["average_over"]]
            yield name, about.format(**values)
