"""What a finder has learned from: by this it is known which ratings it has never seen.

FOLDER/learn/learned/KEY.json
"""

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from reeltag.core.files import write_json
from reeltag.core.writing import make_folder
from reeltag.server.project.finders import Finder

if TYPE_CHECKING:  # which has finders
    from reeltag.server.project.project import Project


@dataclass(frozen=True, kw_only=True)
class LearnedFrom:
    """The ratings that a finder learned from.

    Attributes:
        last_key: of the last rating that there was; later ones it has not seen.
        num_ratings: of videos that train.
        per_class: class -> how many of these.
    """

    last_key: int
    num_ratings: int
    per_class: dict[str, int] = field(default_factory=dict)

    @classmethod
    def find(cls, project: "Project", finder: Finder) -> "LearnedFrom":
        """Return what a finder learned from.

        Of one that was trained elsewhere it is not known: what was rated before it was made counts
        as seen.
        """
        try:
            path = _path(project, finder.key)
            return _read(path, path.stat().st_mtime_ns)
        except (OSError, ValueError, TypeError):
            before = [
                rating.key or 0
                for rating in project.ratings.all()
                if rating.rated_at is None or _text(rating.rated_at) < finder.made_at
            ]
            return cls(last_key=max([0, *before]), num_ratings=finder.num_ratings)

    def save(self, project: "Project", key: str) -> None:
        """Remember it for the finder with a key; OutputError if it cannot be written."""
        path = _path(project, key)
        make_folder(path.parent)
        write_json(path, asdict(self))


@lru_cache(maxsize=256)
def _read(path: Path, _mtime_ns: int) -> LearnedFrom:
    return LearnedFrom(**json.loads(path.read_text(encoding="utf-8")))


def _path(project: "Project", key: str) -> Path:
    return project.folder / "learn" / "learned" / f"{key}.json"


def _text(moment: datetime) -> str:
    return moment.replace(tzinfo=UTC).isoformat(timespec="seconds")
