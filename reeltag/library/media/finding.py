"""Which videos and sound files are below given paths, and what else is there.

The ending of a name is a hint, the first bytes decide. Files and folders whose name begins with a
dot and folders of reeltag's own data are left out; links are followed, each folder once.
"""

import hashlib
import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from reeltag.core.errors import reason_of
from reeltag.library.media.sniffing import kind_of, read_head

LIBRARY_FILE = "library.sqlite"  # in a folder of our own data
ID_BYTES = 65_536

_VIDEO = """3g2 3gp asf avi divx dv f4v flv gif m2t m2ts m2v m4v mj2 mjpeg mjpg mk3d mkv mov mp4
mpe mpeg mpg mts mxf nut ogm ogv qt rm rmvb ts vob webm wmv wtv y4m"""
_SOUND = """aac ac3 aif aiff amr ape au caf dts eac3 flac m4a m4b mka mp2 mp3 mpc oga ogg opus ra
tak tta w64 wav wma wv"""
MEDIA_ENDINGS = frozenset(f".{ending}" for ending in f"{_VIDEO} {_SOUND}".split())
_AMBIGUOUS = frozenset((".ts", ".mts"))  # TypeScript as well
_OTHERS = {
    "pictures": "avif bmp cr2 dng heic heif ico jpe jpeg jpg nef png psd svg tga tif tiff webp",
    "subtitles": "ass lrc sbv smi srt ssa sub ttml vtt idx",
    "text and tables": """css csv doc docx htm html json jsonl log md nfo ods odt pdf pptx py rst
    toml tsv txt url xls xlsx xml yaml yml ipynb ini js sh lua""",
    "archives": "7z bz2 gz iso rar tar tgz xz zip zst",
    "unfinished downloads": "crdownload download part ytdl tmp partial",
    "data": "db npy npz parquet pkl pt pth safetensors sqlite tfrecord h5 hdf5 onnx",
}
_REASON = {f".{end}": reason for reason, ends in _OTHERS.items() for end in ends.split()}


@dataclass(frozen=True, order=True)
class MediaFile:
    """A file that is a video or sound by its name or first bytes.

    Attributes:
        path: absolute.
        size: bytes.
        mtime_ns: when it was last changed.
        is_named_so: whether its name says that it is one, or it was given itself: it is an error
            then if it cannot be opened.
    """

    path: Path
    size: int
    mtime_ns: int
    is_named_so: bool = True


@dataclass
class FoundMedia:
    """What is below the given paths.

    Attributes:
        files: by path.
        left_out: reason -> number of files, or folders, that are no videos.
        problems: (path, reason) of what is not there or cannot be read.
        roots: the given paths, absolute.
    """

    files: list[MediaFile] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    problems: list[tuple[Path, str]] = field(default_factory=list)
    roots: list[Path] = field(default_factory=list)


def content_id(path: Path) -> str:
    """Return 32 hex digits that tell contents apart: of size, first and last 64 KiB.

    OSError where it cannot be read.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        digest = hashlib.sha256(size.to_bytes(8, "big"))
        digest.update(file.read(ID_BYTES))
        if size > ID_BYTES:
            file.seek(max(ID_BYTES, size - ID_BYTES))
            digest.update(file.read(ID_BYTES))
    return digest.hexdigest()[:32]


def find_media(paths: Iterable[Path]) -> FoundMedia:
    """Return the videos and sound files at and below paths."""
    found = FoundMedia()
    folders, files = set[tuple[int, int]](), set[Path]()
    for root in paths:
        path = Path(os.path.abspath(root))
        found.roots.append(path)
        try:
            is_folder = stat.S_ISDIR(path.stat().st_mode)
        except OSError as error:
            found.problems.append((path, reason_of(error)))
            continue
        below = _below(path, found, folders) if is_folder else [path]
        for file in below:
            if file not in files:
                files.add(file)
                _take(file, found, is_given=not is_folder)
    found.files.sort()
    found.problems.sort()
    return found


def _below(root: Path, found: FoundMedia, seen: set[tuple[int, int]]) -> Iterator[Path]:
    """Yield the files in and below a folder."""
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        try:
            status = folder.stat()
            with os.scandir(folder) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except OSError as error:
            found.problems.append((folder, reason_of(error)))
            continue
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        if any(entry.name == LIBRARY_FILE for entry in entries):
            found.left_out["folders of reeltag's own data"] += 1
            continue
        for entry in entries:
            if entry.name.startswith("."):
                found.left_out["hidden"] += 1
            elif _is_folder(entry):
                waiting.append(Path(entry.path))
            else:
                yield Path(entry.path)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _take(path: Path, found: FoundMedia, is_given: bool) -> None:
    """Add a file to what is found."""
    ending = path.suffix.lower()
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            found.left_out["no ordinary files"] += 1
            return
        reason = "" if is_given else _reason_against(path, ending, status.st_size)
    except OSError as error:
        if is_given or ending in MEDIA_ENDINGS:
            found.problems.append((path, reason_of(error)))
        else:
            found.left_out["not readable"] += 1
        return
    if reason:
        found.left_out[reason] += 1
        return
    named = is_given or ending in MEDIA_ENDINGS
    found.files.append(MediaFile(path, status.st_size, status.st_mtime_ns, named))


def _reason_against(path: Path, ending: str, size: int) -> str:
    """Return why a file is no video, "" = it may be one; OSError where it cannot be read."""
    if ending in _REASON:
        return _REASON[ending]
    if ending in MEDIA_ENDINGS and ending not in _AMBIGUOUS:
        return ""
    kind = kind_of(read_head(path)) if size else "empty"
    if kind == "media" or (ending in MEDIA_ENDINGS and kind not in ("text", "empty")):
        return ""
    return {"picture": "pictures", "text": "text and tables", "empty": "empty"}.get(kind, "others")
