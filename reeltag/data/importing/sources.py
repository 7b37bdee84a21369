"""What can be imported: the files below the given paths, and the protocol of their formats.

A format lists what a file holds without reading the values where it can, and reads one video at a
time. Adding a format is one module with a `Format` and one line in `reeltag.data.importing.files`.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from reeltag.data.records.example import Values

Array: TypeAlias = NDArray[Any]
Key: TypeAlias = str | tuple[int, int] | None  # where in a file something is
DEFAULT_STREAM = "features"  # of an array without a name


class FoundArray(NamedTuple):
    """One array of a file: of one stream of one video.

    Attributes:
        names: path inside of the file, such as ("rgb", "video1"); () where the file is the array.
        key: what its reader takes.
        shape: (T, D) of frames, (D,) of a vector.
        num_bytes: of the values.
    """

    names: tuple[str, ...]
    key: Key
    shape: tuple[int, ...]
    num_bytes: int


class FoundOther(NamedTuple):
    """Something in a file that is no feature, such as text or a single number.

    Attributes:
        name: of it.
    """

    name: str


class FoundVideo(NamedTuple):
    """One video of a file that holds its id.

    Attributes:
        id: of the video.
        key: what its reader takes.
        widths: stream -> values per frame; None where they are not known before it is read.
        is_vector: it has one vector per stream and no frames.
        num_bytes: of the values, or about that many.
    """

    id: str
    key: Key
    widths: Mapping[str, int] | None
    is_vector: bool
    num_bytes: int


@dataclass(frozen=True)
class Content:
    """What was read of a video.

    Attributes:
        streams: name -> (T, D) or (D,) values; the name is "" where the reader does not know it.
        context: labels and ratings of the records it comes from, by their names.
        rates_hz: name -> frames/s, where the file gives it.
        unused: names of what is in the file and is not imported.
    """

    streams: dict[str, Array]
    context: dict[str, Values] = field(default_factory=dict)
    rates_hz: dict[str, float] = field(default_factory=dict)
    unused: tuple[str, ...] = ()


class Reader(Protocol):
    """An open file."""

    def read(self, key: Key) -> Content:
        """Return the values at a key; DataError, without `where`, if they cannot be read."""


class Format(Protocol):
    """A kind of file."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Ends of file names, in lower case."""

    def find(self, path: Path) -> Iterator[FoundArray | FoundOther] | Iterator[FoundVideo]:
        """Yield what a file holds, in the order in which it is best read."""

    def open(self, path: Path) -> AbstractContextManager[Reader]:
        """Return a reader of a file."""


class Part(NamedTuple):
    """Where some streams of a video are.

    Attributes:
        path: of the file.
        key: what its reader takes.
        stream: name of its array; "" where the file names the streams.
    """

    path: str
    key: Key
    stream: str


class SourceVideo(NamedTuple):
    """One video, and where its streams are.

    Attributes:
        id: of the video, unique.
        split: train, validate or test; "" where it is not known.
        parts: at least one.
        widths: stream -> values per frame, as far as they are known; else empty.
        num_bytes: of the values, or about that many.
        is_vector: it has one vector per stream and no frames.
    """

    id: str
    split: str
    parts: tuple[Part, ...]
    widths: Mapping[str, int]
    num_bytes: int
    is_vector: bool

    @property
    def where(self) -> str:
        """Name the video and its first file, for messages."""
        first = Path(self.parts[0].path)
        by_path = first.with_suffix("").as_posix().endswith(self.id)
        return str(first) if by_path else f"{first}, video {self.id!r}"


def time_before(name: str) -> str:
    """Return what is not imported of a video whose times do not begin at its first frame."""
    return f"the time before the first {name} (frames count from 0 s; so must ratings)"


def numbers_of(values: object) -> Array:
    """Return an array of numbers as it is; others raise TypeError with what they are."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiu":
        what = "Python objects" if array.dtype.hasobject else str(array.dtype)
        raise TypeError(f"holds {what}, not numbers")
    return array
