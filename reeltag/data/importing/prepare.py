"""One video on its way: checked against what all have, resampled, cut to one length."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from reeltag.core.errors import DataError
from reeltag.data.importing.resample import align, resample
from reeltag.data.importing.sources import Array, Content, SourceVideo, numbers_of
from reeltag.data.records.example import Values

_SAME_RATE = 1e-3  # of the rate: times in files are rounded
_HINT = "Leave it out with --skip-bad, or compute its features again."


@dataclass(frozen=True, kw_only=True)
class ArchiveSchema:
    """What every video of the archive has.

    Attributes:
        widths: stream -> values per frame, in the order of a batch.
        examples: stream -> where that width was found, for messages.
        is_vector: one vector per stream, no frames.
        rates_hz: stream -> frames/s as they are.
        rate_hz: frames/s as they are stored.
        own_rates: a video whose file gives its rate has that one.
        keep_codes: integers of dtype uint8 are codes of the given description.
    """

    widths: Mapping[str, int]
    examples: Mapping[str, str]
    is_vector: bool
    rates_hz: Mapping[str, float]
    rate_hz: float
    own_rates: bool = False
    keep_codes: bool = False


@dataclass(frozen=True)
class Prepared:
    """A video that is ready to be stored.

    Attributes:
        streams: name -> (T, D) numbers; uint8 where they are codes.
        context: labels and ratings of the records it comes from.
        cut: frames that were left out because another stream is one frame shorter.
        whole_numbers: streams that hold whole numbers, converted as such.
        unused: names of what is there and is not imported.
    """

    streams: dict[str, Array]
    context: dict[str, Values]
    cut: int
    whole_numbers: tuple[str, ...]
    unused: tuple[str, ...]

    @property
    def num_frames(self) -> int:
        """T."""
        return len(next(iter(self.streams.values())))


def arrays_of(contents: Sequence[Content]) -> dict[str, Array]:
    """Return the streams of the parts of a video as (T, D) arrays.

    DataError where an array is empty, is no matrix or vector of numbers, or a stream is there
    twice.
    """
    arrays = dict[str, Array]()
    for content in contents:
        for name, values in content.streams.items():
            if name in arrays:
                raise DataError(f"has the stream {name} twice", hint=_HINT)
            arrays[name] = _matrix(name, values)
    return arrays


def check_widths(
    video: SourceVideo,
    widths: Mapping[str, int],
    schema: ArchiveSchema,
    *,
    missing_too: bool = True,
) -> None:
    """Raise DataError, without `where`, for a stream that is missing or has another width."""
    for name, width in schema.widths.items():
        if name not in widths:
            if not missing_too:
                continue
            what = f"has no stream {name}; it has {', '.join(widths)}. {schema.examples[name]} has"
            hint = "Import one kind of features, some streams with --take, or leave such videos out"
            raise DataError(f"{what} {', '.join(schema.widths)}", hint=f"{hint} with --skip-bad.")
        if widths[name] != width:
            what = f"{name} has {widths[name]} values per frame, {schema.examples[name]} has"
            hint = (
                "All videos have features of one encoder: import others into another folder, some "
            )
            hint += "streams alone with --take, or leave such videos out with --skip-bad."
            raise DataError(f"{what} {width}", where=video.where, hint=hint)


def prepare(video: SourceVideo, contents: Sequence[Content], schema: ArchiveSchema) -> Prepared:
    """Return a video as it is stored, but for the dtype.

    DataError where it is not as the others are, with the file and the video.
    """
    try:
        arrays = arrays_of(contents)
        check_widths(video, {name: a.shape[1] for name, a in arrays.items()}, schema)
        arrays_taken = {name: arrays[name] for name in schema.widths}
        whole = tuple(n for n, a in arrays_taken.items() if _is_whole(a, schema))
        if schema.is_vector:
            longer = [name for name, a in arrays_taken.items() if len(a) > 1]
            if longer:
                what = f"{longer[0]} has {len(arrays[longer[0]])} frames, other videos are vectors"
                raise DataError(what, hint="Import frames and vectors into folders of their own.")
            cut = 0
        else:
            rates = _rates(contents, schema)
            arrays_taken = {
                name: _resampled(values, rates[name], schema)
                for name, values in arrays_taken.items()
            }
            arrays_taken, cut = align(arrays_taken)
    except DataError as error:
        raise DataError(error.what, where=error.where or video.where, hint=error.hint) from error
    context = dict[str, Values]()
    for content in reversed(contents):
        context |= content.context
    unused = Counter(name for content in contents for name in content.unused)
    unused.update(name for name in arrays if name not in schema.widths)
    return Prepared(arrays_taken, context, cut, whole, tuple(unused))


def _rates(contents: Sequence[Content], schema: ArchiveSchema) -> dict[str, float]:
    """Return frames/s of each stream of a video."""
    rates = dict(schema.rates_hz)
    if schema.own_rates:
        for content in contents:
            rates |= content.rates_hz
    return rates


def _resampled(values: Array, rate_hz: float, schema: ArchiveSchema) -> Array:
    if math.isclose(rate_hz, schema.rate_hz, rel_tol=_SAME_RATE):
        return values
    found = resample(values, rate_hz, schema.rate_hz)
    are_codes = schema.keep_codes and values.dtype == np.uint8
    return np.rint(found).astype(np.uint8) if are_codes else found  # linear: means of codes


def _is_whole(values: Array, schema: ArchiveSchema) -> bool:
    return values.dtype.kind in "iu" and not (schema.keep_codes and values.dtype == np.uint8)


def _matrix(name: str, values: Array) -> Array:
    try:
        array = numbers_of(values)
    except TypeError as error:
        raise DataError(f"{name} {error}", hint=_HINT) from error
    if array.ndim == 1:
        array = array[None]
    if array.ndim != 2:
        raise DataError(
            f"{name} has the shape {array.shape}; allowed are (frames, values) and (values,)",
            hint="Reshape it, or take the mean over the other axes, and save it again.",
        )
    if not array.size:
        raise DataError(f"{name} is empty: its shape is {array.shape}", hint=_HINT)
    return array
