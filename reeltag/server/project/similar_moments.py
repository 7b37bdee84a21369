"""Moments like one of a video, by the search that is kept open between requests."""

from functools import lru_cache
from threading import RLock

from reeltag.data.dataset import Dataset
from reeltag.library.similar import MomentSearch, SimilarMoment

MOST = 200  # moments that are looked for
_WINDOW_S = 1.0


class SimilarMoments:
    """Finds moments that look and sound like one; safe for threads."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._open: tuple[Dataset, MomentSearch] | None = None
        self._found = lru_cache(maxsize=64)(self._search)

    def find(self, data: Dataset, video: str, at_s: float) -> list[SimilarMoment]:
        """Return moments, best first; the first search of a data set reads all its frames.

        Args:
            data: of frames.
            video: id.
            at_s: second.

        Raises:
            ConfigError: there is no such second, or no stream of the video there.
            DataError: the data hold one vector per video, or a shard cannot be read.
        """
        with self._lock:
            if self._open is None or self._open[0] is not data:
                self._open = data, MomentSearch(data, quiet=True)
                self._found.cache_clear()
            return self._found(video, at_s)

    def _search(self, video: str, at_s: float) -> list[SimilarMoment]:
        assert self._open is not None
        return self._open[1].search(video, at_s, window_s=_WINDOW_S, top=MOST)
