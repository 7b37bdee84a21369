"""The videos below the given paths: which files, in which format, what is in each of them."""

import dataclasses
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Self

from reeltag.core.console import track
from reeltag.core.errors import DataError
from reeltag.data.importing.arrays import Npy, Npz
from reeltag.data.importing.hdf5 import Hdf5
from reeltag.data.importing.naming import (
    ArrayName,
    ArrayPlace,
    look_alike_folders,
    name_arrays,
    split_of,
)
from reeltag.data.importing.sequence_examples import SequenceExamples
from reeltag.data.importing.sources import (
    Content,
    Format,
    FoundArray,
    FoundOther,
    FoundVideo,
    Part,
    Reader,
    SourceVideo,
)
from reeltag.data.importing.tables import TableFile
from reeltag.data.importing.tensors import Safetensors

_MOST_NAMED = 5


@dataclass(frozen=True)
class BadSource:
    """A file or video that cannot be imported.

    Attributes:
        where: file, and video where it is known.
        what: is wrong.
    """

    where: str
    what: str


@dataclass
class Found:
    """What is below the given paths.

    Attributes:
        videos: in the order of their files.
        bad: files that cannot be read, where these are skipped.
        other_arrays: number of files by name of what in them is no feature.
        other_files: number of files by extension that hold no features.
        notes: what a person should know of how names were read.
    """

    videos: list[SourceVideo] = field(default_factory=list)
    bad: list[BadSource] = field(default_factory=list)
    other_arrays: Counter[str] = field(default_factory=Counter)
    other_files: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)


def formats(dtypes: Mapping[str, str] | None = None) -> dict[str, Format]:
    """Return the formats by the ends of file names.

    Args:
        dtypes: stream -> dtype of frames that are byte strings, by a given description.
    """
    kinds: list[Format] = [Npy(), Npz(), Safetensors(), Hdf5(), TableFile()]
    kinds.append(SequenceExamples(dtypes))
    return {suffix: kind for kind in kinds for suffix in kind.suffixes}


def find_videos(
    paths: Sequence[Path],
    *,
    streams: Sequence[str] = (),
    dtypes: Mapping[str, str] | None = None,
    skip_bad: bool = False,
    leave_out: Sequence[Path] = (),
    quiet: bool = True,
) -> Found:
    """Return the videos below files and folders.

    Args:
        paths: files and folders.
        streams: names of folders, groups or ends of names that are streams.
        dtypes: see `formats`.
        skip_bad: count files that cannot be read instead of raising.
        leave_out: folders that are not looked into.
        quiet: show no progress.

    Raises:
        DataError: a path is not there, nothing can be imported, two videos have one id, or a file
            cannot be read.
    """
    kinds, found = formats(dtypes), Found()
    arrays = list[tuple[ArrayPlace, Path, FoundArray]]()
    files = _files(paths, leave_out)
    for root, path in files if quiet else track(files, "looking at files"):
        kind = kinds.get(path.suffix.lower())
        if kind is None or (path.exists() and not path.is_file()):  # a pipe, a device
            found.other_files[path.suffix.lower() or path.name] += 1
            continue
        name = _as_text(path.relative_to(root).with_suffix("").as_posix())
        try:
            for item in kind.find(path):
                if isinstance(item, FoundVideo):
                    found.videos.append(_video(item, path, split_of(name, of_many=True)))
                elif isinstance(item, FoundOther):
                    found.other_arrays[item.name] += 1
                else:
                    place = ArrayPlace(name, item.names)
                    arrays.append((place, path, item))
        except DataError as error:
            if not skip_bad:
                raise
            found.bad.append(BadSource(error.where or str(path), error.what))
    names = name_arrays([place for place, _, _ in arrays], streams)
    found.videos += _merged(names, arrays)
    if folders := look_alike_folders({name.id for name in names}):
        found.notes.append(
            f"{', '.join(folders[:_MOST_NAMED])} hold files of the same names, taken as "
            "different videos; where they are streams, give --streams NAME ..."
        )
    if any(name.split and name.id.startswith(f"{name.split}/") for name in names):
        found.notes.append("an id is in several splits: ids begin with theirs, as in train/1")
    _check_found(found, paths)
    return found


class Readers:
    """Open files, the last of each format, closed at the end.

    Args:
        dtypes: see `formats`.
    """

    def __init__(self, dtypes: Mapping[str, str] | None = None) -> None:
        self._formats = formats(dtypes)
        self._open = dict[Format, tuple[str, Reader, ExitStack]]()

    def __enter__(self) -> Self:
        """Return the readers."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close all files."""
        for _, _, stack in self._open.values():
            stack.close()
        self._open.clear()

    def read(self, video: SourceVideo) -> list[Content]:
        """Return what each part of a video holds, with its streams named; DataError has `where`."""
        contents = list[Content]()
        for part in video.parts:
            try:
                content = self._reader(part.path).read(part.key)
            except DataError as error:
                where = error.where or (video.where if len(video.parts) == 1 else part.path)
                raise DataError(error.what, where=where, hint=error.hint) from error
            if part.stream:
                named = {part.stream: next(iter(content.streams.values()))}
                content = dataclasses.replace(content, streams=named)
            contents.append(content)
        return contents

    def _reader(self, path: str) -> Reader:
        kind = self._formats[PurePosixPath(path).suffix.lower()]
        name, reader, stack = self._open.get(kind, ("", None, None))
        if name == path and reader:
            return reader
        if stack:
            stack.close()
        stack = ExitStack()
        reader = stack.enter_context(kind.open(Path(path)))
        self._open[kind] = (path, reader, stack)
        return reader


def _files(paths: Iterable[Path], leave_out: Iterable[Path]) -> Iterator[tuple[Path, Path]]:
    """Yield (given folder, file) by name; hidden ones are left out."""
    left_out = {os.path.realpath(folder) for folder in leave_out}
    for path in paths:
        if path.is_file():
            yield path.parent, path
            continue
        if not path.is_dir():
            raise DataError("is not there", where=path, hint="Give files or folders of features.")
        seen = set[str]()
        for folder, subfolders, names in os.walk(path, followlinks=True):
            real = os.path.realpath(folder)
            if real in seen | left_out:  # a link to a folder above, or the output
                subfolders.clear()
                continue
            seen.add(real)
            subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
            for name in sorted(names):
                if not name.startswith("."):
                    yield path, Path(folder, name)


def _as_text(name: str) -> str:
    """Return a name of a file as text; bytes that are not UTF-8 become backslashes and digits."""
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")


def _video(item: FoundVideo, path: Path, split: str) -> SourceVideo:
    part = Part(str(path), item.key, "")
    return SourceVideo(item.id, split, (part,), item.widths or {}, item.num_bytes, item.is_vector)


def _merged(
    names: Sequence[ArrayName], several: Sequence[tuple[ArrayPlace, Path, FoundArray]]
) -> Iterator[SourceVideo]:
    """Yield videos of the arrays that have one id, in the order of their first."""
    by_id = dict[tuple[str, str], list[int]]()
    for number, name in enumerate(names):
        by_id.setdefault((name.id, name.split), []).append(number)
    for (video, split), numbers in by_id.items():
        parts, widths, size, is_vector = list[Part](), dict[str, int](), 0, True
        for number in numbers:
            _, path, array = several[number]
            stream = names[number].stream
            if stream in widths:
                other = parts[[part.stream for part in parts].index(stream)].path
                _raise_repeated(video, str(path), other)
            parts.append(Part(str(path), array.key, stream))
            widths[stream] = array.shape[-1] if array.shape else 0
            size += array.num_bytes
            is_vector &= len(array.shape) == 1 or (len(array.shape) == 2 and array.shape[0] == 1)
        yield SourceVideo(video, split, tuple(parts), widths, size, is_vector)


def _check_found(found: Found, paths: Sequence[Path]) -> None:
    """Raise DataError where there is nothing, or an id is there twice."""
    seen = dict[str, SourceVideo]()
    for video in found.videos:
        if not video.id:
            hint = "Give every video an id."
            raise DataError("has a video whose id is empty", where=video.where, hint=hint)
        if video.id in seen:
            _raise_repeated(video.id, video.parts[0].path, seen[video.id].parts[0].path)
        seen[video.id] = video
    if not found.videos:
        listed = found.other_files.most_common(_MOST_NAMED)
        names = list(found.other_arrays)[:_MOST_NAMED]
        others = ", ".join([*(f"{n} {end}" for end, n in listed), *names])
        bad = f"; cannot be read: {found.bad[0].where}: {found.bad[0].what}" if found.bad else ""
        raise DataError(
            f"holds no features (found: {others or 'no file'}){bad}",
            where=" ".join(map(str, paths)),
            hint=f"Give files that end in {', '.join(sorted(formats()))}, or folders of them.",
        )


def _raise_repeated(video: str, here: str, there: str) -> None:
    raise DataError(
        f"video {video!r} is there twice: in {there} and here",
        where=here,
        hint="Ids must be unique: rename one, or import one of the two. Where these are streams of "
        "one video, name the folders or ends of names with --streams; the rows of one video are in "
        "one table.",
    )
