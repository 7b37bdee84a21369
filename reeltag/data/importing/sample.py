"""What all videos have, and how their values are spread: by a sample over the whole archive."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reeltag.core.console import track
from reeltag.core.errors import DataError
from reeltag.data.importing.files import BadSource, Readers
from reeltag.data.importing.prepare import ArchiveSchema, arrays_of, prepare
from reeltag.data.importing.quantise import check_finite
from reeltag.data.importing.sources import Content, SourceVideo

NUM_FRAMES = 20_000
_MOST_VALUES = 1 << 26  # of all frames of a stream
_NUM_VIDEOS = 400
_NUM_PROBED = 16  # videos that decide which streams there are, where the files do not show it


@dataclass(frozen=True)
class Seen:
    """What the first look shows.

    Attributes:
        widths: stream -> values per frame, of most videos.
        examples: stream -> where it was found.
        rates_hz: stream -> frames/s, the lowest, where the files give it.
        frames_per_byte: stream -> frames of it per byte of the sources.
    """

    widths: dict[str, int]
    examples: dict[str, str]
    rates_hz: dict[str, float]
    frames_per_byte: dict[str, float]


def spread(count: int, most: int) -> NDArray[np.int64]:
    """Return at most `most` of the numbers 0 to count - 1, evenly spread."""
    taken = min(count, most)
    return (np.arange(taken) * count + count // 2) // max(taken, 1)


def look(videos: Sequence[SourceVideo], readers: Readers, bad: list[BadSource] | None) -> Seen:
    """Return which streams most videos have, and how wide they are.

    Args:
        videos: of the archive.
        readers: to read with.
        bad: where to note what cannot be read; None: raise.

    Raises:
        DataError: no video can be read, or one cannot and `bad` is None.
    """
    kinds, examples = Counter[tuple[tuple[str, int], ...]](), dict[str, SourceVideo]()
    rates, frames, num_bytes = dict[str, float](), Counter[str](), 0
    known = [video for video in videos if video.widths]
    for video in known:
        kinds[tuple(sorted(video.widths.items()))] += 1
    probed = [videos[i] for i in spread(len(videos), _NUM_PROBED)]
    for video, contents in _read(probed, readers, bad):
        arrays = arrays_of(contents)
        for content in contents:
            for name, rate in content.rates_hz.items():
                rates[name] = min(rate, rates.get(name, rate))
        num_bytes += video.num_bytes
        frames.update({name: len(a) for name, a in arrays.items()})
        if not video.widths:
            kinds[tuple(sorted((name, a.shape[1]) for name, a in arrays.items()))] += 1
            known.append(video._replace(widths={name: a.shape[1] for name, a in arrays.items()}))
    if not kinds:
        first = bad[0] if bad else BadSource("", "there is none")
        raise DataError(f"no video can be read; the first: {first.what}", where=first.where)
    widths = dict(kinds.most_common(1)[0][0])
    for video in reversed(known):
        examples |= {n: video for n, w in video.widths.items() if widths.get(n) == w}
    return Seen(
        widths,
        {name: video.where for name, video in examples.items()},
        {name: float(f"{rate:.6g}") for name, rate in rates.items()},
        {name: count / max(num_bytes, 1) for name, count in frames.items()},
    )


def sample_frames(
    videos: Sequence[SourceVideo],
    schema: ArchiveSchema,
    readers: Readers,
    bad: list[BadSource] | None,
    *,
    dtype: str = "float32",
    quiet: bool = True,
) -> dict[str, NDArray[np.float32]]:
    """Return stream -> (N, D) finite frames, evenly spread over the archive; codes are left out.

    Args:
        videos: of the archive.
        schema: what they have.
        readers: to read with.
        bad: where to note what cannot be read; None: raise.
        dtype: of floats that must hold the values.
        quiet: show no progress.

    Raises:
        DataError: no video can be used, or one cannot and `bad` is None.
    """
    chosen = [videos[i] for i in spread(len(videos), _NUM_VIDEOS)]
    wanted = min(NUM_FRAMES, _MOST_VALUES // max(schema.widths.values()))
    per_video = -(-wanted // len(chosen))
    parts: dict[str, list[NDArray[np.float32]]] = {name: [] for name in schema.widths}
    every = chosen if quiet else track(chosen, "reading a sample")
    for video, contents in _read(every, readers, bad):
        try:
            streams = prepare(video, contents, schema).streams
            rows = spread(len(next(iter(streams.values()))), per_video)
            taken = {name: values[rows] for name, values in streams.items()}
            for name, values in taken.items():
                check_finite(values, name, dtype)
        except DataError as error:
            if bad is None:
                raise DataError(
                    error.what, where=error.where or video.where, hint=error.hint
                ) from error
            bad.append(BadSource(error.where or video.where, error.what))
            continue
        for name, values in taken.items():
            if not (schema.keep_codes and values.dtype == np.uint8):
                parts[name].append(np.asarray(values, np.float32))
    if bad and not any(parts.values()) and not schema.keep_codes:
        raise DataError(f"no video can be used; the first: {bad[0].what}", where=bad[0].where)
    return {name: np.concatenate(of) for name, of in parts.items() if of}


def _read(
    videos: Iterable[SourceVideo], readers: Readers, bad: list[BadSource] | None
) -> Iterator[tuple[SourceVideo, list[Content]]]:
    """Yield videos with what they hold; what cannot be read is noted or raised."""
    for video in videos:
        try:
            contents = readers.read(video)
            arrays_of(contents)
        except DataError as error:
            if bad is None:
                where = error.where or video.where
                raise DataError(error.what, where=where, hint=error.hint) from error
            bad.append(BadSource(error.where or video.where, error.what))
            continue
        yield video, contents
