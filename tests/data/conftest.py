"""One small corpus that many tests of loading share; nothing writes to it."""

import pytest

from reeltag.data.items import VideoSet
from tests.data.corpora import Corpus, many_videos


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """40 videos of 1 to 23 frames in 4 shards."""
    return many_videos(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="session")
def items(corpus: Corpus) -> VideoSet:
    return corpus.data.videos("all")
