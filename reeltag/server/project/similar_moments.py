"""Moments like one of a video, by the search that is kept open between requests."""

from functools import lru_cache
from threading import RLock, Thread

from reeltag.core.console import say
from reeltag.core.errors import ReeltagError
from reeltag.data.dataset import Dataset
from reeltag.library.similar import MomentSearch, SimilarMoment

INDEX_FROM = 200_000  # frames: to compare all of them would take longer than 0.1 s
MOST = 200  # moments that are looked for
_WINDOW_S = 1.0


class SimilarMoments:
    """Finds moments that look and sound like one; safe for threads.

    All frames are compared. Of many, an index is built meanwhile; searches after that use it.

    Args:
        index_from: frames from which on.
    """

    def __init__(self, index_from: int = INDEX_FROM) -> None:
        self._index_from, self._lock = index_from, RLock()
        self._open: tuple[Dataset, MomentSearch] | None = None
        self._builder: Thread | None = None
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
                self._use(data, MomentSearch(data, quiet=True, exact=True))
                self._build(data)
            return self._found(video, at_s)

    @property
    def is_indexed(self) -> bool:
        """Whether an index names candidates by now."""
        return self._open is not None and self._open[1].is_indexed

    def wait(self) -> None:
        """Wait until an index that is being built can be used."""
        builder = self._builder
        if builder is not None:
            builder.join()

    def _use(self, data: Dataset, search: MomentSearch) -> None:
        self._open = data, search
        self._found.cache_clear()

    def _build(self, data: Dataset) -> None:
        """Begin to build an index, where the data are large and none is being built."""
        assert self._open is not None
        if len(self._open[1]) >= self._index_from and self._builder is None:
            self._builder = Thread(target=self._work, args=(data,), daemon=True)
            self._builder.start()

    def _work(self, data: Dataset) -> None:
        """Build an index, and use it unless the data were read again meanwhile: then another."""
        while True:
            search = self._indexed(data)
            with self._lock:
                assert self._open is not None
                if self._open[0] is data:
                    if search is not None and search.is_indexed:
                        self._use(data, search)
                    self._builder = None
                    return
                data = self._open[0]

    def _indexed(self, data: Dataset) -> MomentSearch | None:
        try:
            return MomentSearch(data, quiet=True, index_from=self._index_from)
        except (ReeltagError, OSError) as error:
            say(f"moments alike are searched without an index: {error}")
            return None

    def _search(self, video: str, at_s: float) -> list[SimilarMoment]:
        assert self._open is not None
        return self._open[1].search(video, at_s, window_s=_WINDOW_S, top=MOST)
