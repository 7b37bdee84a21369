"""An index that names the frames which are probably nearest, of a million frames and more.

    frame of unit norm per stream, all streams in one vector: products are the mean cosine
    -> its 128 principal components, rotated at random -> 4 bits each, in the list of the
    centroid that is nearest (faiss: IndexIVFScalarQuantizer, inner product)

A frame takes 64 bytes and 8 of its number, in a file next to the index of the data, which is
mapped and not read. A search looks into `PROBES` lists. What it finds are candidates: their
similarities are not taken from here, but computed from the frames as they are stored.

Source: Jegou, Douze, Schmid: Product quantization for nearest neighbor search, PAMI 2011 (inverted
lists); Douze et al.: The Faiss library, arXiv 2401.08281.
"""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reeltag.core.console import say, track
from reeltag.core.extras import check_extra
from reeltag.core.files import whole_file, write_json
from reeltag.core.seeding import derive_seed
from reeltag.core.system.open_files import OPEN_FILES_MOVE
from reeltag.core.utf8_names import utf8_name
from reeltag.data.indexing.locations import index_places, writable_place
from reeltag.library.similarity.compared_frames import ComparedFrames, Direction

if TYPE_CHECKING:
    import faiss

PROBES = 128
_COMPONENTS = 128
_MOST_LISTS = 4096
_SAMPLE = 64  # frames per list that train the centroids
_PCA_VALUES = 2**25  # that train the components: 128 MiB, at most
_ROWS = 8192  # frames that are added at a time
_VERSION = 1  # of the file


class CandidateIndex:
    """The index of a data set's frames, read where it is kept, or built and kept.

    Args:
        frames: all of them.

    Raises:
        MissingPackageError: faiss is not installed.
        OutputError: it cannot be written.
    """

    def __init__(self, frames: ComparedFrames) -> None:
        with check_extra("knn"):
            import faiss
        self._frames = frames
        self._index = self._kept() or self._built()
        faiss.extract_index_ivf(self._index).nprobe = PROBES

    def rows(self, directions: list[Direction], number: int) -> NDArray[np.int64]:
        """Return rows of frames that are probably nearest, in rising order.

        Args:
            directions: asked for, of streams.
            number: of rows, at most.
        """
        query = np.zeros((1, self._index.d), np.float32)
        ends = np.cumsum([stream.width for stream in self._frames.streams])
        for at, direction_D, *_ in directions:
            query[0, ends[at] - len(direction_D) : ends[at]] = direction_D
        with _threads(self._frames.threads):
            _, rows = self._index.search(query, min(number, len(self._frames)))
        found: NDArray[np.int64] = np.sort(rows[0][rows[0] >= 0])
        return found

    @property
    def _stem(self) -> str:
        names = "+".join(stream.name.replace("/", "_") for stream in self._frames.streams)
        return f"similar-{names}"

    def _kept(self) -> "faiss.Index | None":
        """Return the index that is kept; None where there is none, or it is of other data."""
        import faiss

        key = f"{_VERSION}-{self._frames.fingerprint()}"
        flags = faiss.IO_FLAG_MMAP if OPEN_FILES_MOVE else 0  # a mapped one cannot be replaced
        for place in index_places(self._frames.data.path):
            try:
                about = json.loads((place / f"{self._stem}.json").read_text(encoding="utf-8"))
                path = place / about["file"]
                if about["key"] == key and path.stat().st_size == about["bytes"]:
                    with utf8_name(path) as name:
                        return faiss.read_index(name, flags)
            except (OSError, ValueError, KeyError, TypeError, RuntimeError):
                continue
        return None

    def _built(self) -> "faiss.Index":
        """Return a new index, which is kept."""
        import faiss

        frames, place = self._frames, writable_place(self._frames.data.path)
        if not frames.quiet:
            say(f"An index of {len(frames):,} frames is built, once; --exact searches without.")
        with _threads(frames.threads):
            index = _trained(frames)
            blocks = range(0, len(frames), _ROWS)
            for start in blocks if frames.quiet else track(blocks, "index"):
                index.add(frames.units(np.arange(start, min(start + _ROWS, len(frames)))))
        fingerprint = frames.fingerprint()
        path = place / f"{self._stem}-{fingerprint[:16]}.faiss"
        with whole_file(path) as part, utf8_name(part) as name:
            faiss.write_index(index, name)
        about = {"key": f"{_VERSION}-{fingerprint}", "file": path.name}
        write_json(place / f"{self._stem}.json", about | {"bytes": path.stat().st_size})
        _remove_others(path, self._stem)
        return self._kept() or index


def _trained(frames: ComparedFrames) -> "faiss.Index":
    """Return an empty index: components and centroids of frames that are evenly spread."""
    import faiss

    width = sum(stream.width for stream in frames.streams)
    seed = derive_seed(0, "similar") % 2**31
    components = faiss.PCAMatrix(width, min(_COMPONENTS, width), 0, True)
    components.train(frames.units(_spread(len(frames), _PCA_VALUES // width)))
    lists = 2 ** round(math.log2(math.sqrt(len(frames))))
    lists = max(1, min(lists, _MOST_LISTS, len(frames) // _SAMPLE))
    inner = faiss.index_factory(components.d_out, f"IVF{lists},SQ4", faiss.METRIC_INNER_PRODUCT)
    clustering = faiss.extract_index_ivf(inner).cp
    clustering.spherical, clustering.seed = True, seed
    rows = _spread(len(frames), lists * _SAMPLE)
    parts = [rows[start : start + _ROWS] for start in range(0, len(rows), _ROWS)]
    inner.train(np.concatenate([components.apply(frames.units(part)) for part in parts]))
    return faiss.IndexPreTransform(components, inner)


def _spread(number: int, most: int) -> NDArray[np.int64]:
    """Return up to `most` of `number` rows, evenly spread."""
    return np.unique(np.linspace(0, number - 1, min(number, most)).astype(np.int64))


def _remove_others(path: Path, stem: str) -> None:
    """Remove indices of the same streams of data as they were before."""
    for other in path.parent.glob("*.faiss"):
        if other != path and other.name[: -len("-0123456789abcdef.faiss")] == stem:
            with suppress(OSError):
                other.unlink()


@contextmanager
def _threads(number: int) -> Iterator[None]:
    """Let faiss use so many threads."""
    import faiss

    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(number)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
