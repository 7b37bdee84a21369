"""Finders of a project: which runs were trained, and which one the pages show.

    FOLDER/finders.json     current and finders: key, path of the run, name, number of ratings

A finder is a run folder, or a file of `reeltag export`. Its key is a hash of its weights: the same
run under another path is the same finder.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from threading import RLock

from reeltag.core.errors import ConfigError, DataError, reason_of
from reeltag.core.files import write_json
from reeltag.data.dataset import Dataset
from reeltag.inference.predict import check_features
from reeltag.pipeline.keys import DIGITS
from reeltag.server.project.missing import NotThereError
from reeltag.tagger.loading import any_tagger, is_graph
from reeltag.tagger.tagger import AnyTagger

FINDERS_FILE = "finders.json"
_WEIGHTS = "model.safetensors"
_KEY = 12  # hexadecimal digits
_STEP = re.compile(rf"-[0-9a-f]{{{DIGITS}}}$")  # the key of a step of a program


@dataclass(frozen=True, kw_only=True)
class Finder:
    """A trained model of a project.

    Attributes:
        key: of its weights.
        path: of the run folder or graph.
        name: for people.
        made_at: UTC, ISO 8601.
        num_ratings: that it was trained on.
        num_classes: that it knows.
    """

    key: str
    path: str
    name: str
    made_at: str
    num_ratings: int
    num_classes: int

    @property
    def is_there(self) -> bool:
        """Whether its weights are still where they were."""
        return weights_of(Path(self.path)).is_file()

    def tagger(self) -> AnyTagger:
        """Load it, in eval mode; DataError where it is damaged or gone."""
        return any_tagger(Path(self.path))


class Finders:
    """The finders of a project, kept in a file; safe for threads.

    Args:
        folder: of the project.

    Raises:
        DataError: finders.json is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self._path, self._lock = folder / FINDERS_FILE, RLock()
        self._history: tuple[Finder, ...] = ()
        self._current = ""
        if self._path.is_file():
            self._read()

    @property
    def history(self) -> tuple[Finder, ...]:
        """All, newest first."""
        with self._lock:
            return self._history

    @property
    def current(self) -> Finder | None:
        """The one whose curves are shown; None = there is none."""
        with self._lock:
            return next((of for of in self._history if of.key == self._current), None)

    def get(self, key: str) -> Finder:
        """Return a finder by its key; NotThereError where there is none."""
        with self._lock:
            for finder in self._history:
                if finder.key == key:
                    return finder
            raise NotThereError.of("finder", key, [of.key for of in self._history])

    def use(self, key: str) -> Finder:
        """Make a finder the current one; NotThereError where there is none, DataError if gone."""
        with self._lock:
            finder = self.get(key)
            if not finder.is_there:
                raise DataError("is not there any more", where=finder.path)
            self._current = key
            self._save()
            return finder

    def add(self, run: Path, num_ratings: int, *, name: str = "") -> Finder:
        """Add a run and make it the current finder; one that is known becomes current again.

        Args:
            run: folder of a run, or graph.
            num_ratings: that it was trained on.
            name: for people; "" = that of its folder, or by its ratings if a program named that.

        Raises:
            DataError: it is no run.
        """
        key, tagger = key_of(run), any_tagger(run)
        made_at = datetime.fromtimestamp(weights_of(run).stat().st_mtime, UTC)
        finder = Finder(
            key=key,
            path=str(run.resolve()),
            name=name or _name_of(run, num_ratings),
            made_at=made_at.isoformat(timespec="seconds"),
            num_ratings=num_ratings,
            num_classes=tagger.num_classes,
        )
        with self._lock:
            others = [of for of in self._history if of.key != key]
            self._history, self._current = (finder, *others), key
            self._save()
        return finder

    def _save(self) -> None:
        write_json(
            self._path,
            {"current": self._current, "finders": [asdict(of) for of in self._history]},
        )

    def _read(self) -> None:
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"))
            self._history = tuple(Finder(**of) for of in kept["finders"])
            self._current = kept["current"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            what = f"cannot be read ({reason_of(error)})"
            raise DataError(what, where=self._path, hint="Delete the file; runs stay.") from error


def check_finder(run: Path, data: Dataset) -> None:
    """Check that a run can score a data set.

    Its classes may be others: curves are those of the run's.

    Args:
        run: folder of a run, or graph.
        data: of frames.

    Raises:
        ConfigError: it was trained on other features, or the data hold one vector per video.
        DataError: it is no run.
    """
    if not run.exists():
        raise ConfigError("is not there", where=run, hint="Give the folder of a run.")
    check_features(any_tagger(run), data)
    if data.kind == "video":
        raise ConfigError(
            "holds one vector per video, in which there are no moments",
            where=data.location,
            hint="Leave out the run, or serve frame-level records.",
        )


def weights_of(run: Path) -> Path:
    """Return the file of a run's weights."""
    return run if is_graph(run) else run / _WEIGHTS


def key_of(run: Path) -> str:
    """Return the key of a run; DataError where it has no weights."""
    path = weights_of(run)
    try:
        status = path.stat()
    except OSError as error:
        raise DataError(f"is no finished run ({reason_of(error)})", where=run) from error
    return _digest(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=256)
def _digest(path: Path, _mtime_ns: int, _size: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:_KEY]


def name_by_ratings(number: int) -> str:
    """Return the name of a finder that was learned from a number of ratings."""
    if not number:
        return "finder of labels alone"
    return "finder of 1 rating" if number == 1 else f"finder of {number:,} ratings"


def _name_of(run: Path, num_ratings: int) -> str:
    """Return a name: that of the folder, or of the one above where that says nothing.

    Folders of steps, such as finder-final-0c27945b3f9f, are named by programs.
    """
    parts: Sequence[str] = [part for part in run.resolve().parts if part not in ("run", "runs")]
    if parts and num_ratings and _STEP.search(parts[-1]):
        return name_by_ratings(num_ratings)
    return Path(parts[-1]).stem if parts else str(run)
