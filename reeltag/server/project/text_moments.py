"""Moments like a text, by the encoder that made the features of the data, where it knows texts."""

from functools import lru_cache
from threading import RLock
from typing import NamedTuple

from reeltag.core.console import say
from reeltag.core.errors import ReeltagError
from reeltag.data.dataset import Dataset
from reeltag.data.features import StreamFeatures
from reeltag.encoders import may_encode_texts
from reeltag.encoders.base import TextEncoder
from reeltag.library.labelling.from_encoder import encoder_of
from reeltag.library.labelling.from_text import class_features, usual_prompts
from reeltag.library.similar import MomentSearch, SimilarMoment
from reeltag.server.project.similar_moments import MOST


class TextSearch(NamedTuple):
    """Moments that are like a text.

    Attributes:
        encoder: name of the one that text and moments are compared by.
        moments: best first.
    """

    encoder: str
    moments: list[SimilarMoment]


class _Opened(NamedTuple):
    """What is kept open between requests."""

    data: Dataset
    texts: TextEncoder
    prompts: tuple[str, ...]
    search: MomentSearch


class TextMoments:
    """Finds moments that are like a text; safe for threads.

    The first stream counts whose encoder has an encoder of texts into the same space: pictures,
    or else sound. It is loaded by the first search, on the CPU.
    """

    def __init__(self) -> None:
        self._lock = RLock()
        self._open: _Opened | None = None
        self._failed = set[str]()
        self._found = lru_cache(maxsize=64)(self._search)

    @staticmethod
    def may_find(data: Dataset) -> bool:
        """Return whether texts can be searched for, as far as is known without loading."""
        return any(may_encode_texts(of.encoder.name) for of in _named_streams(data))

    def find(self, data: Dataset, text: str) -> TextSearch | None:
        """Return moments like a text; None where no encoder of the data knows texts.

        An encoder that cannot be loaded is named on stderr, once, and counts as none.

        Args:
            data: of frames.
            text: in words.

        Raises:
            DataError: a shard cannot be read.
        """
        with self._lock:
            if self._open is None or self._open.data is not data:
                self._open = self._opened(data)
                self._found.cache_clear()
            return None if self._open is None else self._found(text)

    def _opened(self, data: Dataset) -> _Opened | None:
        if data.kind == "video":
            return None
        for stream in _named_streams(data):
            name = stream.encoder.name
            if name in self._failed or not may_encode_texts(name):
                continue
            try:
                encoder = encoder_of(data, stream, "cpu")
            except ReeltagError as error:
                say(f"stream {stream.name}: no search by text; {name}: {error}")
                self._failed.add(name)
                continue
            texts = encoder.text_encoder()
            if texts is not None:
                search = MomentSearch(data, (stream.name,), quiet=True, is_centred=False)
                return _Opened(data, texts, usual_prompts(encoder), search)
            self._failed.add(name)
        return None

    def _search(self, text: str) -> TextSearch:
        assert self._open is not None
        _, texts, prompts, search = self._open
        (values_D,) = class_features(texts, [text], prompts)
        return TextSearch(texts.info.name, search.search_vector(values_D, top=MOST))


def _named_streams(data: Dataset) -> list[StreamFeatures]:
    """Return the streams whose encoder is named, pictures first."""
    named = [of for of in data.features.streams if of.encoder.name]
    return sorted(named, key=lambda of: of.name == "audio")
