"""Previews of videos, as `reeltag extract` wrote them: thumbnails, posters, loudness and cuts."""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from reeltag.data.indexing.shard_names import is_shard_name
from reeltag.server.views.videos import SpriteView

_MOST_LOUDNESS = 4000  # values that are drawn


@dataclass(frozen=True)
class VideoPreviews:
    """Files and facts of one video; paths are those of files that its json names.

    Attributes:
        sprite: thumbnails; None = none.
        sprite_path: of their picture.
        poster_path: None = none.
        loudness_path: None = none.
        loudness_hz: values per second.
        cuts_s: where the picture changes.
    """

    sprite: SpriteView | None = None
    sprite_path: Path | None = None
    poster_path: Path | None = None
    loudness_path: Path | None = None
    loudness_hz: float = 0.0
    cuts_s: tuple[float, ...] = ()

    def loudness(self) -> tuple[float, tuple[float, ...]]:
        """Return values per second, and at most 4,000 values: root mean square, dB of full scale.

        Of several values that become one, the loudest counts.
        """
        if self.loudness_path is None:
            return 0.0, ()
        try:
            levels = np.load(self.loudness_path, allow_pickle=False)[0].astype(np.float64)
        except (OSError, ValueError, IndexError):
            return 0.0, ()
        factor = max(1, -(-len(levels) // _MOST_LOUDNESS))
        if factor > 1:
            levels = np.maximum.reduceat(levels, np.arange(0, len(levels), factor))
        return self.loudness_hz / factor, tuple(levels.round(1).tolist())


NO_PREVIEWS = VideoPreviews()


def previews_of(data: Path, video: str) -> VideoPreviews:
    """Return the previews of a video.

    Args:
        data: folder of the data.
        video: id, which names the files.
    """
    if PurePath(video).name != video or "\0" in video:  # no id of the library
        return NO_PREVIEWS
    folder = data.parent if is_shard_name(data.name) else data  # without a look at the disk
    path = folder / "previews" / f"{video}.json"
    try:
        status = path.stat()
    except OSError:
        return NO_PREVIEWS
    return _read(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=16_384)
def _read(path: Path, _mtime_ns: int, _size: int) -> VideoPreviews:
    try:
        about: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return NO_PREVIEWS
    sheet, poster, loudness = (about.get(of) for of in ("thumbnails", "poster", "loudness"))
    sprite = None
    if sheet:
        sprite = SpriteView(
            width=sheet["width"],
            height=sheet["height"],
            columns=sheet["columns"],
            count=sheet["count"],
            step_s=sheet["interval_s"],
        )
    return VideoPreviews(
        sprite=sprite,
        sprite_path=_file(path, sheet),
        poster_path=_file(path, poster),
        loudness_path=_file(path, loudness),
        loudness_hz=float(loudness["rate_hz"]) if loudness else 0.0,
        cuts_s=tuple(about.get("cuts_s") or ()),
    )


def _file(path: Path, part: dict[str, Any] | None) -> Path | None:
    """Return the file that a part names, which is in the folder of the json."""
    name = part["file"] if part else ""
    return path.parent / name if name and PurePath(name).name == name else None
