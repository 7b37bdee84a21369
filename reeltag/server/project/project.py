"""A data folder as the server sees it: one object, safe for threads, that notices changes.

DATA/.reeltag/serve/
    finders.json     which runs there are, and which is shown
    curves/KEY/      the curves of a finder, or of the encoder
    jobs/ learn/ proxies/
"""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from threading import RLock

from reeltag.core.console import say
from reeltag.core.errors import ReeltagError
from reeltag.core.files import file_state
from reeltag.data.class_list import CLASS_LISTS, folder_of
from reeltag.data.dataset import Dataset
from reeltag.data.indexing.locations import find_shards, writable_place
from reeltag.library.database.library import Library
from reeltag.library.media.finding import LIBRARY_FILE
from reeltag.server.project.curves import ENCODER, META_FILE, CurveStore, curves_folder
from reeltag.server.project.finders import Finders, check_finder
from reeltag.server.project.missing import NotThereError
from reeltag.server.project.progress import Progress
from reeltag.server.project.queue import RateQueue
from reeltag.server.project.ratings import ProjectRatings
from reeltag.server.project.similar_moments import SimilarMoments
from reeltag.server.project.text_classes import has_text_encoder
from reeltag.server.project.text_moments import TextMoments
from reeltag.server.project.videos import VideoTable, read_videos
from reeltag.server.views.overview import Basis

_PATIENCE_S = 2.0  # how old what is known of the folder may be
_ANNOTATIONS = ("labels.csv", "labels.parquet", "ratings.csv", "ratings.parquet")


@dataclass(frozen=True)
class _Known:
    """The data set and its videos as they were read, and what they were read from."""

    data: Dataset
    stamp: object
    videos: VideoTable
    videos_stamp: object


class Project:
    """What the server knows of a data folder; made by `open`.

    Args:
        data: the data set.
        library: of its videos; None = there is none.
        folder: for what the server keeps.

    Attributes:
        path: of the data, as given.
        folder: for what the server keeps.
        finders: what was trained.
        changing: held while a file of the data is changed.
        ratings: what people said of windows.
        queue: what to rate next.
        progress: how far one has come with each class.
        similar: moments like another one.
        texts: moments like a text.
    """

    def __init__(self, data: Dataset, library: Library | None, folder: Path) -> None:
        self.path, self.folder = data.path, folder
        self.finders = Finders(folder)
        self._lock, self._library = RLock(), library
        self._looked_at, self._problem = time.monotonic(), ""
        self._known = self._read(data, self._stamp())
        self.changing = RLock()
        self.ratings, self.queue = ProjectRatings(self), RateQueue(self)
        self.progress, self.similar = Progress(self), SimilarMoments()
        self.texts = TextMoments()
        self._curves: dict[str, tuple[object, CurveStore | None]] = {}

    @classmethod
    def open(cls, data: Path, *, run: Path | None = None) -> "Project":
        """Open a data folder.

        Args:
            data: folder of records, with a library or without.
            run: becomes the current finder; None: that of the last time.

        Raises:
            DataError: the data cannot be read, the library is damaged or of a newer reeltag, or
                the run is none.
            ConfigError: the run was trained on other features.
            OutputError: nothing can be written in the folder, nor in the cache.
        """
        path = Path(data)
        dataset = Dataset.open(path)
        if run is not None:
            check_finder(run, dataset)
        has_library = (folder_of(path) / LIBRARY_FILE).is_file()
        library = Library.open(folder_of(path)) if has_library else None
        project = cls(dataset, library, writable_place(path) / "serve")
        if run is not None:
            project.finders.add(run, ratings_behind(run))
        return project

    @property
    def data(self) -> Dataset:
        """The data set, read again where its shards, classes or labels have changed."""
        return self._fresh().data

    @property
    def videos(self) -> VideoTable:
        """All videos, at most two seconds behind the library."""
        return self._fresh().videos

    @property
    def curves(self) -> CurveStore | None:
        """The curves that the pages show; None = there are none yet, or they cannot be."""
        current = self.finders.current
        return self.curves_of(ENCODER if current is None else current.key)

    def curves_of(self, key: str) -> CurveStore | None:
        """Return the curves of a finder, or of the encoder; None = there are none yet.

        Args:
            key: of the finder.

        Raises:
            DataError: they are damaged.
        """
        folder = curves_folder(self.folder, key)
        stamp = file_state(folder / META_FILE)
        with self._lock:
            known = self._curves.get(key)
            if known is None or known[0] != stamp:
                known = stamp, CurveStore.open(folder) if stamp else None
                self._curves[key] = known
        store = known[1]
        return store if store is not None and store.classes else None

    @property
    def basis(self) -> Basis:
        """What the curves come from."""
        if self.finders.current is not None:
            return "finder"
        return "nothing" if self.curves is None else "encoder"

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the data's classes, and then of those that only the curves have."""
        curves = self.curves
        more = () if curves is None else curves.classes
        return tuple(dict.fromkeys((*self.data.classes.names, *more)))

    def class_name(self, name: str) -> str:
        """Return a class as the project writes it; NotThereError where there is none.

        Args:
            name: in any case.
        """
        names, folded = self.class_names, name.casefold()
        found = name if name in names else next((of for of in names if of.casefold() == folded), "")
        if not found:
            raise NotThereError.of("class", name, names)
        return found

    def class_index(self, name: str, curves: CurveStore | None = None) -> int | None:
        """Return where a class is in curves; None = they do not have it.

        Args:
            name: in any case.
            curves: None = those that the pages show.

        Raises:
            NotThereError: neither the data nor the curves of the pages have such a class.
        """
        curves = curves or self.curves
        places = {} if curves is None else curves.class_places
        found = places.get(name, places.get(name.casefold()))
        if found is None:
            self.class_name(name)
        return found

    def classes_of(self, video: str) -> tuple[str, ...]:
        """Return the names of all classes, what is strongest in a video first."""
        curves = self.curves
        if curves is None:
            return self.class_names
        strongest = (curves.classes[at] for at in curves.by_strength(video).tolist())
        return tuple(dict.fromkeys((*strongest, *self.class_names)))

    @property
    def has_text_search(self) -> bool:
        """Whether a text can be searched for by what it means."""
        return has_text_encoder() or self.texts.may_find(self.data)

    @property
    def problem(self) -> str:
        """Why the data could not be read again; "" = nothing is wrong."""
        return self._problem

    @property
    def library(self) -> Library | None:
        """The library; None = there is none yet."""
        return self._library

    def make_library(self) -> Library:
        """Return the library, made where there is none; OutputError if it cannot be."""
        with self._lock:
            if self._library is None:
                self._library = Library.open(folder_of(self.path), create=True)
            return self._library

    def reopen(self) -> None:
        """Look for changes at once."""
        with self._lock:
            self._looked_at = -_PATIENCE_S
            self._fresh()

    def close(self) -> None:
        """Close the library."""
        if self._library is not None:
            self._library.close()

    def _fresh(self) -> _Known:
        if time.monotonic() - self._looked_at < _PATIENCE_S:
            return self._known
        if not self._lock.acquire(blocking=False):  # another thread looks
            return self._known
        try:
            self._look()
            self._looked_at = time.monotonic()
            return self._known
        finally:
            self._lock.release()

    def _look(self) -> None:
        """Read again what has changed; what cannot be read stays as it was, with the reason."""
        known = self._known
        try:
            stamp = self._stamp()
            if stamp != known.stamp:
                data = Dataset.open(self.path, jobs=1, quiet=True)
                self._known = self._read(data, stamp)
            elif self._videos_stamp() != known.videos_stamp:
                self._known = self._read(known.data, known.stamp)
            self._problem = ""
        except ReeltagError as error:
            if not self._problem:
                say(str(error))
            self._problem = str(error)

    def _read(self, data: Dataset, stamp: object) -> _Known:
        videos_stamp = self._videos_stamp()
        return _Known(data, stamp, read_videos(data, self._library), videos_stamp)

    def _stamp(self) -> object:
        """Return by what a change of the data is noticed."""
        folder = folder_of(self.path)
        files = (*CLASS_LISTS, *_ANNOTATIONS, "features.json")
        return find_shards(self.path)[1], [file_state(folder / name) for name in files]

    def _videos_stamp(self) -> object:
        """Return by what a change of the library is noticed."""
        if self._library is None:
            return None
        path = folder_of(self.path) / LIBRARY_FILE
        return file_state(path), file_state(path.with_name(f"{path.name}-wal"))


def ratings_behind(run: Path) -> int:
    """Return how many ratings a run was trained on, as far as its metrics.json says."""
    try:
        found = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
        return int(found.get("ratings") or 0)
    except (OSError, ValueError, AttributeError, TypeError):
        return 0
