"""What is exported, and what a format is: moments of videos in, a file or a folder out."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from math import isfinite
from pathlib import Path
from typing import Literal, Self, TypeAlias

import numpy as np

from reeltag.core.errors import ConfigError, DataError
from reeltag.core.extras import check_extra
from reeltag.data.rating_table import Rating
from reeltag.deploy.moment_formats.names import file_stems, one_line
from reeltag.inference.moments import VideoMoment

DEFAULT_FPS = 25.0
Write: TypeAlias = Callable[["MomentExport", Path], list[str]]
_NTSC = (24, 30, 48, 60, 120)  # nominal rates of which 1000/1001 is meant


@dataclass(frozen=True, kw_only=True)
class ExportedMoment(VideoMoment):
    """A moment, how precise its class is, and its ratings.

    Attributes:
        precision_interval: ends of the 95 % interval of `precision`; None: not measured.
        yes: ratings within it that the class is there; None: nothing is rated.
        no: ratings within it that it is not.
    """

    precision_interval: tuple[float, float] | None = None
    yes: int | None = None
    no: int | None = None


@dataclass(frozen=True)
class VideoFile:
    """Where a video is.

    Attributes:
        path: absolute; empty = unknown.
        duration_s: seconds; None = unknown.
    """

    path: str = ""
    duration_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class MomentExport:
    """Moments to export, and what is known of their videos.

    Attributes:
        moments: in the order of tables; they may be made as they are asked for, several times.
        class_names: of all classes, by index.
        videos: id -> file; ids that are not there are unknown.
        fps: frames/s for formats that count frames.
        ratings: of windows of these and other videos, by index of the class; of formats that hold
            what people said next to what a model did.

    Raises:
        DataError: a time or probability of a moment is not a number, or it does not end after its
            start.
        ConfigError: `fps` is out of range.
    """

    moments: Sequence[ExportedMoment]
    class_names: Sequence[str]
    videos: Mapping[str, VideoFile] = field(default_factory=dict)
    fps: float = DEFAULT_FPS
    ratings: Sequence[Rating] = ()

    def __post_init__(self) -> None:
        if not 1 <= self.fps <= 1000:
            raise ConfigError(f"must be in [1, 1000], got {self.fps:g}", where="fps")
        for moment in self.moments:
            span = f"{moment.name!r} at [{moment.start_s:g}, {moment.end_s:g}) s"
            if not (0 <= moment.start_s < moment.end_s and isfinite(moment.end_s)):
                what = f"{span} must begin at 0 s or later, and end after that"
                raise DataError(what, where=repr(moment.id))
            if not 0 <= moment.prob <= 1:
                what = f"{span} must have a probability in [0, 1], got {moment.prob:g}"
                raise DataError(what, where=repr(moment.id))

    @classmethod
    def of(
        cls,
        moments: Iterable[VideoMoment],
        class_names: Sequence[str],
        *,
        videos: Mapping[str, VideoFile] | None = None,
        fps: float = DEFAULT_FPS,
        ratings: Sequence[Rating] = (),
    ) -> Self:
        """Return the export of moments as `reeltag.moments` returns them.

        Args:
            moments: of any videos.
            class_names: of all classes, by index.
            videos: id -> file.
            fps: frames/s for formats that count frames.
            ratings: of windows of the videos.
        """
        found = [
            each if isinstance(each, ExportedMoment) else ExportedMoment(**vars(each))
            for each in moments
        ]
        known = videos or {}
        return cls(moments=found, class_names=class_names, videos=known, fps=fps, ratings=ratings)

    @cached_property
    def by_video(self) -> Mapping[str, list[ExportedMoment]]:
        """Moments of each video that has some, by start; videos by id."""
        return _ByVideo(self.moments)

    @cached_property
    def stems(self) -> dict[str, str]:
        """Name of the file of each video with moments, without its ending."""
        return file_stems(self.by_video)

    @cached_property
    def titles(self) -> tuple[str, ...]:
        """C names of the classes in one printable line, each given once."""
        return class_titles(self.class_names)

    @cached_property
    def rate(self) -> Fraction:
        """Frames/s, exactly: 29.97 is 30000/1001."""
        return exact_rate(self.fps)

    def file_of(self, video: str) -> VideoFile:
        """Return what is known of a video's file."""
        return self.videos.get(video, VideoFile())

    def frames_of(self, moment: VideoMoment) -> tuple[int, int]:
        """Return the frames [first, end) of a moment, at least one."""
        first = round(moment.start_s * self.rate)
        return first, max(first + 1, round(moment.end_s * self.rate))


@dataclass(frozen=True, kw_only=True)
class MomentFormat:
    """A format that moments can be exported to.

    Attributes:
        name: by which it is chosen.
        what: it is, in a few words.
        makes: one file for all videos, or a folder.
        write: writes an export to the new file, or into the empty folder, of a path, and returns
            what was left out or changed, a sentence each.
        extra: of reeltag, that it needs.
    """

    name: str
    what: str
    makes: Literal["file", "folder"]
    write: Write
    extra: str = ""

    def check(self) -> None:
        """Raise MissingPackageError where the extra is not installed."""
        if self.extra:
            check_extra(self.extra)


def class_titles(names: Sequence[str]) -> tuple[str, ...]:
    r"""Return names in one printable line each; where several are equal, with their numbers.

    >>> class_titles(["Dog", "Cat", "Cat", "a\tb"])
    ('Dog', 'Cat (class 1)', 'Cat (class 2)', 'a b')
    """
    lines = [one_line(name) for name in names]
    times = Counter(lines)
    return tuple(f"{t} (class {i})" if times[t] > 1 else t for i, t in enumerate(lines))


def exact_rate(fps: float) -> Fraction:
    """Return frames/s as a fraction; 23.976, 29.97, 59.94, ... are those of NTSC.

    >>> exact_rate(29.97), exact_rate(12.5)
    (Fraction(30000, 1001), Fraction(25, 2))
    """
    for nominal in _NTSC:
        exact = Fraction(nominal * 1000, 1001)
        if abs(fps - exact) < 0.005:
            return exact
    return Fraction(fps).limit_denominator(1001)


class _ByVideo(Mapping[str, list[ExportedMoment]]):
    """Moments of each video, which are looked up when it is asked for.

    In memory are the places of the moments alone, 8 bytes each.
    """

    def __init__(self, moments: Sequence[ExportedMoment]) -> None:
        self._moments = moments
        codes, of = dict[str, int](), np.empty(len(moments), np.int32)
        keys = np.empty((3, len(moments)))
        for place, each in enumerate(moments):
            of[place] = codes.setdefault(each.id, len(codes))
            keys[:, place] = each.index, each.end_s, each.start_s
        self._order = np.lexsort((*keys, of))
        self._bounds = np.searchsorted(of[self._order], np.arange(len(codes) + 1)).tolist()
        self._codes = {name: codes[name] for name in sorted(codes)}

    def __getitem__(self, video: str) -> list[ExportedMoment]:
        code = self._codes[video]
        places = self._order[self._bounds[code] : self._bounds[code + 1]]
        return [self._moments[place] for place in places.tolist()]

    def __contains__(self, video: object) -> bool:
        return video in self._codes

    def __iter__(self) -> Iterator[str]:
        return iter(self._codes)

    def __len__(self) -> int:
        return len(self._codes)
