"""Which video, stream and split an array is of, by its path and its names inside of a file.

ID.npy                        one stream, "features"; id = path without the extension
rgb/ID.npy + audio/ID.npy     streams by folder; likewise ID/rgb.npy, ID_rgb.npy, ID.rgb.npy
ID.npz with rgb, audio        where files repeat the names of arrays, a file is a video
ALL.npz, ALL.h5               else names are ids, or id/stream, or stream/id
train/..., test.h5            a folder, or a file of many videos, may name the split
"""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple, TypeAlias

from reeltag.data.importing.sources import DEFAULT_STREAM

_KNOWN = """
    rgb audio visual video image images picture pictures sound flow text speech music depth
    features frames clip clap vggish yamnet i3d resnet50 dino dinov2 siglip panns beats
"""
KNOWN_STREAMS = frozenset(_KNOWN.split())
_SPLITS = {
    "train": "train",
    "val": "validate",
    "valid": "validate",
    "validate": "validate",
    "validation": "validate",
    "dev": "validate",
    "test": "test",
    "eval": "test",
}
_WORD = re.compile(r"(?:(?:un)?bal_)?([a-z]+)(?![a-z])")
_SUFFIX = re.compile(r"(.+)[._-]([^._-]+)")
_DEFAULT_NAME = re.compile(r"^arr_0$")  # what numpy.savez calls one array
_MOST_STREAMS = 16  # in a file of one video
Parts: TypeAlias = tuple[str, ...]


class ArrayPlace(NamedTuple):
    """Where an array was found.

    Attributes:
        file: path of its file relative to what was given, without the extension.
        names: path inside of the file; () where the file is the array.
    """

    file: str
    names: tuple[str, ...]


class ArrayName(NamedTuple):
    """What an array is: of which video, which stream, and in which split ("": not known)."""

    id: str
    stream: str
    split: str


def split_word(name: str) -> str:
    """Return the split that a folder or file is called after; "" for none.

    >>> split_word("val_03"), split_word("bal_train"), split_word("training"), split_word("ID7")
    ('validate', 'train', '', '')
    """
    word = _WORD.match(name.lower())
    return _SPLITS.get(word[1], "") if word else ""


def split_of(file: str, *, of_many: bool) -> str:
    """Return the split that a path names: by its folders, and by its name where it is of many."""
    path = PurePosixPath(file)
    words = [*path.parent.parts, *([path.name] if of_many else [])]
    return next(filter(None, map(split_word, reversed(words))), "")


def name_arrays(places: Sequence[ArrayPlace], streams: Collection[str] = ()) -> list[ArrayName]:
    """Return what each array is.

    Args:
        places: of all arrays of one kind of file.
        streams: names that are streams, in addition to those that are known.
    """
    given = {name.lower() for name in streams}
    found = _named(places, KNOWN_STREAMS | given, by_level=True)
    if _are_categories(found):  # music/1, speech/2: no video has two of them
        found = _named(places, given, by_level=False)
    ids = ["/".join(_without_split(place)) for place in found]
    if len(set(zip(ids, (place.stream for place in found), strict=True))) < len(found):
        ids = [f"{place.split}/{name}".lstrip("/") for name, place in zip(ids, found, strict=True)]
    return [
        ArrayName(name, place.stream or DEFAULT_STREAM, place.split)
        for name, place in zip(ids, found, strict=True)
    ]


def look_alike_folders(names: Iterable[str]) -> list[str]:
    """Return folders that hold ids of the same names, which may be streams; [] for none."""
    folders = defaultdict[str, set[str]](set)
    for name in names:
        folder, _, last = name.rpartition("/")
        folders[folder].add(last)
    if len(folders) < 2:
        return []
    shared = set.intersection(*folders.values())
    most = max(map(len, folders.values()))
    return sorted(folders) if most > 1 and 2 * len(shared) > most else []


class _Place(NamedTuple):
    """An array on the way to its name: parts of the id by folders and file, and inside of it."""

    outer: Parts
    inner: Parts
    stream: str
    split: str


def _named(places: Sequence[ArrayPlace], known: Collection[str], *, by_level: bool) -> list[_Place]:
    """Return the parts of ids, the streams and the splits.

    Args:
        places: of the arrays.
        known: names of streams, in lower case.
        by_level: names a/b in files are of a stream and an id.
    """
    files = defaultdict[tuple[str, bool], list[Parts]](list)  # ID.npy and ID.npz are two
    for file, names in places:
        files[file, bool(names)].append(names)
    times = Counter(names for several in files.values() for names in several)
    videos = {key: _is_video(key[0], several, times, known) for key, several in files.items()}
    found = [_by_name(place, videos[place.file, bool(place.names)], known) for place in places]
    for rule in (_by_suffix, _by_level) if by_level else (_by_suffix,):
        left = [i for i, place in enumerate(found) if not place.stream]
        ruled = rule([found[i] for i in left], known)
        for i, place in zip(left, ruled, strict=False):
            found[i] = place
    return found


def _are_categories(found: Sequence[_Place]) -> bool:
    """Return whether there are several streams, but only one in each video."""
    streams = defaultdict[Parts, set[str]](set)
    for place in found:
        streams[_without_split(place)].add(place.stream)
    several = len(set().union(*streams.values())) > 1
    return several and all(len(of) == 1 for of in streams.values())


def _is_video(
    file: str, names: Sequence[Parts], times: Mapping[Parts, int], known: Collection[str]
) -> bool:
    """Return whether a file is one video: its names are streams, not ids."""
    if names == [()] or (len(names) == 1 and len(names[0]) == 1):
        return True
    word = PurePosixPath(file).name
    if len(names) > _MOST_STREAMS or split_word(word) or word.lower() in known:
        return False
    return all(times[of] > 1 for of in names)


def _by_name(place: ArrayPlace, is_video: bool, known: Collection[str]) -> _Place:
    """Return id, split, and the stream where it is known by a name."""
    path, names = PurePosixPath(place.file), place.names
    by_file = path.name.lower() in known
    split = split_of(place.file, of_many=not is_video)
    if is_video and names and not by_file:
        stream = "_".join(names)
        return _Place(path.parts, (), _DEFAULT_NAME.sub(DEFAULT_STREAM, stream), split)
    outer = path.parts if not names or by_file else path.parent.parts
    inner = () if by_file and is_video and len(path.parts) > 1 else names
    split = split or next(filter(None, map(split_word, inner[:-1])), "")
    for at, part in enumerate((*outer, *inner)):
        if part.lower() in known and len(outer) + len(inner) > 1:
            outer_left = tuple(of for i, of in enumerate(outer) if i != at)
            inner_left = tuple(of for i, of in enumerate(inner, len(outer)) if i != at)
            return _Place(outer_left, inner_left, part, split)
    return _Place(outer, inner, "", split)


def _by_suffix(places: Sequence[_Place], known: Collection[str]) -> list[_Place]:
    """Take the end of the last part, ID_rgb or ID.audio, where all have one; else return []."""
    found = list[_Place]()
    for place in places:
        parts = place.inner or place.outer
        match = _SUFFIX.fullmatch(parts[-1])
        if not match or match[2].lower() not in known:
            return []
        left = (*parts[:-1], match[1])
        outer, inner = (place.outer, left) if place.inner else (left, ())
        found.append(_Place(outer, inner, match[2], place.split))
    return found


def _by_level(places: Sequence[_Place], known: Collection[str]) -> list[_Place]:
    """Take of names a/b in files the level that has fewer; [] where not all are of two levels."""
    del known
    if not all(place.inner for place in places):
        return []
    inner = [_without_split(place._replace(outer=())) for place in places]
    if not all(len(parts) == 2 for parts in inner):
        return []
    counts = [len({parts[level] for parts in inner}) for level in (0, 1)]
    at = 0 if counts[0] < counts[1] else 1
    return [
        place._replace(inner=(parts[1 - at],), stream=parts[at])
        for place, parts in zip(places, inner, strict=True)
    ]


def _without_split(place: _Place) -> Parts:
    """Return the parts of an id without those that only name the split."""
    parts = (*place.outer, *place.inner)
    return (*(part for part in parts[:-1] if part.lower() not in _SPLITS), parts[-1])
