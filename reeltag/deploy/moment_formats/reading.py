"""Ratings that come back from other tools: which videos and classes of a data set they are of."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from reeltag.core.errors import ConfigError, DataError
from reeltag.core.files import PathLike, to_paths
from reeltag.data.class_cells import UNKNOWN, indices_of
from reeltag.data.class_list import ClassList
from reeltag.data.dataset import Dataset
from reeltag.data.id_matching import match_file_names
from reeltag.data.rating_table import Rating
from reeltag.deploy.moment_formats import audacity, csv_table, elan, fiftyone, label_studio
from reeltag.deploy.moment_formats.contract import DEFAULT_FPS, class_titles
from reeltag.deploy.moment_formats.names import file_stem, hashed_stem, one_line
from reeltag.deploy.moment_formats.verdicts import GivenRating
from reeltag.deploy.moment_formats.video_files import find_video_files

RatingFormat: TypeAlias = Literal["csv", "label-studio", "fiftyone", "elan", "audacity"]
_FORMATS: dict[str, RatingFormat] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "csv",
    ".json": "label-studio",
    ".eaf": "elan",
    ".txt": "audacity",
}


@dataclass(kw_only=True)
class ReadRatings:
    """What was read.

    Attributes:
        ratings: of videos and classes of the data, each once.
        unrated: number of unrated moments.
        twice: ratings that were given with different values; the mean counts.
        out_of_range: windows that are empty or begin outside their video, or values outside
            [0, 1], as text; they are left out.
        unknown_ids: id or name of a file -> ratings of it, which are left out.
        unknown_classes: name -> ratings of it, which are left out.
    """

    ratings: list[Rating] = field(default_factory=list)
    unrated: int = 0
    twice: int = 0
    out_of_range: list[str] = field(default_factory=list)
    unknown_ids: Counter[str] = field(default_factory=Counter)
    unknown_classes: Counter[str] = field(default_factory=Counter)


def read_ratings(
    sources: PathLike | Sequence[PathLike],
    data: Dataset,
    *,
    format: RatingFormat | None = None,
    fps: float = DEFAULT_FPS,
    unrated: float | None = None,
) -> ReadRatings:
    """Return the ratings of some files of other tools that are of videos and classes of the data.

    Args:
        sources: files, or folders of them.
        data: whose ids and classes they name.
        format: of the files; None: by their endings.
        fps: frames/s of Label Studio's tasks that do not name it, and of FiftyOne's frames.
        unrated: value of unrated moments; None: they are left out.

    Raises:
        ConfigError: there is no file, or a format is unknown.
        DataError: a file cannot be read, or names a video that may be two.
    """
    classes = _Classes(data.classes)
    places = files_of(sources, format)
    given = [(each, path) for path, kind in places for each in _given(path, kind, classes, fps)]
    videos = _videos({each.video: path for each, path in given}, data)
    lengths = _lengths(data)
    read = ReadRatings()
    values: dict[tuple[str, int, float, float], list[float]] = {}
    for each, path in given:
        read.unrated += each.value is None
        value = unrated if each.value is None else each.value
        if value is None:
            continue
        video, categories = videos.get(each.video), classes.indices_of(each.title)
        if video is None:
            read.unknown_ids[each.video] += 1
        elif UNKNOWN in categories or not categories:
            read.unknown_classes[each.title] += 1
        elif not _in_range(each, value, lengths[video]):
            span = f"{each.title!r} at [{each.start_s:g}, {each.end_s:g}) s of {video!r}"
            read.out_of_range.append(f"{path}: {span}, value {value:g}")
        else:
            times = round(each.start_s, 6), round(each.end_s, 6)
            for category in categories:
                values.setdefault((video, category, *times), []).append(value)
    for (video, category, start, end), every in values.items():
        read.twice += len(set(every)) > 1
        read.ratings.append(Rating(video, start, end, category, sum(every) / len(every)))
    return read


def files_of(
    sources: PathLike | Sequence[PathLike], format: RatingFormat | None
) -> list[tuple[Path, RatingFormat]]:
    """Return the files of some paths with their formats, those of a folder sorted.

    Args:
        sources: files, or folders of which all files with a known ending are taken.
        format: of all files; None: by their endings.

    Raises:
        ConfigError: a path is not there, a folder holds none, or an ending is unknown.
    """
    found: list[tuple[Path, RatingFormat]] = []
    for path in to_paths(sources):
        if not path.exists():
            raise ConfigError("is not there", where=path, hint="Name a file or a folder.")
        if not path.is_dir():
            kind = format or _kind_of(path)
            if kind is None:
                endings = ", ".join(_FORMATS)
                what = f"the format of {path.name!r} is not known by its ending ({endings})"
                raise ConfigError(what, where=path, hint="Give it with --format.")
            found.append((path, kind))
            continue
        inside = [(each, _kind_of(each)) for each in sorted(path.iterdir())]
        files = [(each, kind) for each, kind in inside if kind and kind == (format or kind)]
        if not files:
            what = f"holds no file of {format or 'a known format'}"
            raise ConfigError(what, where=path, hint=f"Known endings: {', '.join(_FORMATS)}.")
        found += files
    return found


def _kind_of(path: Path) -> RatingFormat | None:
    """Return the format of a file by its ending; JSON that is an object is FiftyOne's."""
    kind = _FORMATS.get(path.suffix.lower())
    if kind == "label-studio":
        with suppress(OSError), path.open("rb") as file:
            is_object = file.read(256).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")
            return "fiftyone" if is_object else kind
    return kind


class _Classes:
    """Finds classes by the lines that exports write for them, or as labels.csv names them."""

    def __init__(self, classes: ClassList) -> None:
        self.classes = classes
        titles = class_titles(classes.names)
        self.by_title = {title.casefold(): index for index, title in enumerate(titles)}

    def indices_of(self, title: str) -> list[int]:
        """Return the classes of a title; `UNKNOWN` is among them where one is unknown."""
        index = self.by_title.get(one_line(title).casefold())
        return indices_of(title, self.classes) if index is None else [index]

    def knows(self, title: str) -> bool:
        """Tell whether a title is a class."""
        found = self.indices_of(title)
        return len(found) == 1 and found[0] != UNKNOWN


def _given(path: Path, kind: RatingFormat, classes: _Classes, fps: float) -> Iterator[GivenRating]:
    if kind == "csv":
        return csv_table.read(path)
    if kind == "elan":
        return elan.read(path)
    if kind == "label-studio":
        return label_studio.read(path, fps)
    if kind == "fiftyone":
        return fiftyone.read(path, fps)
    return audacity.read(path, classes.knows)


def _videos(names: Mapping[str, Path], data: Dataset) -> dict[str, str]:
    """Return the ids that names mean: ids, names of exported files, or of the videos' files.

    Args:
        names: with the file that each is in.
        data: whose ids they are.

    Raises:
        DataError: a name may mean two videos.
    """
    ids = {name: name for name in data.table["id"].to_pylist() if name}
    exported = {stem(name): name for name in ids for stem in (hashed_stem, file_stem)}
    found = {name: ids.get(name) or exported.get(name) for name in names}
    others = [name for name, meant in found.items() if meant is None]
    if others:
        paths = {file.path: name for name, file in find_video_files(data).items() if file.path}
        matched = match_file_names(others, [*ids, *paths])
        for name, likely in matched.items():
            meant = sorted({ids.get(each) or paths[each] for each in likely})
            if len(meant) > 1:
                what = f"{name!r} may be {meant[0]!r} or {meant[1]!r}"
                raise DataError(what, where=names[name], hint="Give the ids as in the data.")
            found[name] = meant[0]
    return {name: meant for name, meant in found.items() if meant is not None}


def _lengths(data: Dataset) -> dict[str, float]:
    """Return the seconds of each video, of the shortest record of its id."""
    seconds = (data.table["frames"].to_numpy() / data.features.rate_hz).tolist()
    lengths: dict[str, float] = {}
    for name, length in zip(data.table["id"].to_pylist(), seconds, strict=True):
        lengths[name] = min(length, lengths.get(name, length))
    return lengths


def _in_range(given: GivenRating, value: float, length_s: float) -> bool:
    is_window = 0 <= given.start_s < given.end_s < math.inf and given.start_s < length_s
    return is_window and 0 <= value <= 1
