"""The file of a video: whether it is the one that the library knows, and whether browsers play it.

Browsers are Chromium, Firefox and Safari of today on any machine: what plays in some of them only
(Matroska, HEVC, 10 bit) is taken not to play.
"""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from reeltag.core.errors import DataError
from reeltag.library.database.tables import StreamRow, VideoRow
from reeltag.library.media.finding import content_id
from reeltag.server.project.missing import NotThereError
from reeltag.server.project.project import Project

_MP4 = ("aac", "flac", "mp3", "opus", "av1", "h264", "vp9")
_WEBM = ("opus", "vorbis", "av1", "vp8", "vp9")
_CODECS = {  # name of FFmpeg's demuxer -> what browsers play in it
    "mov,mp4,m4a,3gp,3g2,mj2": _MP4,
    "matroska,webm": _WEBM,
    "ogg": ("flac", "opus", "vorbis"),
    "mp3": ("mp3",),
    "flac": ("flac",),
    "wav": ("pcm_s16le", "pcm_u8"),
    "aac": ("aac",),
}
_TYPES = {  # type with pictures, and without
    "mov,mp4,m4a,3gp,3g2,mj2": ("video/mp4", "audio/mp4"),
    "matroska,webm": ("video/webm", "audio/webm"),
    "ogg": ("video/ogg", "audio/ogg"),
    "mp3": ("audio/mpeg", "audio/mpeg"),
    "flac": ("audio/flac", "audio/flac"),
    "wav": ("audio/wav", "audio/wav"),
    "aac": ("audio/aac", "audio/aac"),
}
_DECODERS = {
    "libdav1d": "av1",
    "libopus": "opus",
    "libvorbis": "vorbis",
    "libvpx": "vp8",
    "libvpx-vp9": "vp9",
    "mp3float": "mp3",
}
_PIXELS = ("yuv420p", "yuvj420p")


class FileVanishedError(DataError):
    """The file of a video is not where it was."""

    status = 410


class FileChangedError(DataError):
    """The file of a video has another content than the one that the library knows."""

    status = 409


@dataclass(frozen=True)
class PlayedFile:
    """A file that is what the library says of it.

    Attributes:
        path: of the file.
        status: of it, when it was looked at.
        content: id of it.
        container: name of FFmpeg's demuxer.
        streams: in the order of the container.
    """

    path: Path
    status: os.stat_result
    content: str
    container: str
    streams: tuple[StreamRow, ...]

    @property
    def has_picture(self) -> bool:
        """Whether pictures of it are shown."""
        return any(of.kind == "picture" and of.is_used for of in self.streams)

    @property
    def is_playable(self) -> bool:
        """Whether browsers play it as it is."""
        used = [of for of in self.streams if of.is_used]
        if self.container == "matroska,webm" and self.path.suffix.lower() != ".webm":
            return False
        return bool(used) and all(self._is_playable(of) for of in used)

    @property
    def media_type(self) -> str:
        """Type of HTTP; one that no browser shows as a page, whatever the file holds."""
        with_picture, without = _TYPES.get(self.container, ("application/octet-stream",) * 2)
        return with_picture if self.has_picture else without

    def _is_playable(self, stream: StreamRow) -> bool:
        codec = _DECODERS.get(stream.codec, stream.codec)
        has_pixels = stream.kind != "picture" or stream.pixel_format in _PIXELS
        return codec in _CODECS.get(self.container, ()) and has_pixels


def find_played_file(project: Project, video: str) -> PlayedFile:
    """Return the file of a video, or a copy of it.

    Args:
        project: that the video is in.
        video: id.

    Raises:
        NotThereError: there is no such video, or it has no file.
        FileVanishedError: its file is not there.
        FileChangedError: its file is another one now.
    """
    at, library = project.videos.place(video), project.library
    if library is None or not project.videos.has_file[at]:
        raise NotThereError(f"{video!r} has features alone, no file")
    row = library.get(video)
    is_changed = False
    for path in library.paths(row):
        try:
            status = path.stat()
        except (OSError, ValueError):
            continue
        if stat.S_ISREG(status.st_mode) and _is_same(row, path, status):
            streams = tuple(library.streams(row))
            return PlayedFile(path, status, row.content, row.container, streams)
        is_changed = True
    if is_changed:
        raise FileChangedError(
            "the file has changed since its features were extracted",
            where=row.path,
            hint="Run `reeltag extract` again.",
        )
    raise FileVanishedError(
        "the file is not there any more",
        where=row.path,
        hint="Put it back, or run `reeltag extract` where it is now; the rest of its page works.",
    )


def _is_same(row: VideoRow, path: Path, status: os.stat_result) -> bool:
    """Return whether a file has the content of a video; it is read only where it may not."""
    known = (row.path, row.size, row.mtime_ns)
    if (path, status.st_size, status.st_mtime_ns) == known:
        return True
    try:
        return status.st_size == row.size and content_id(path) == row.content
    except OSError:
        return False


def played_file_or_none(project: Project, video: str) -> PlayedFile | None:
    """Return the file of a video; None = there is none that could be shown."""
    try:
        return find_played_file(project, video)
    except (NotThereError, FileVanishedError, FileChangedError):
        return None
