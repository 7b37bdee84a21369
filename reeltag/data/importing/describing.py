"""From what was seen to what is stored: rates, dtypes, scales, and how much is kept."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from reeltag.core.errors import ConfigError, DataError
from reeltag.data.features import EncoderIdentity, Features, StreamFeatures
from reeltag.data.importing.config import FeatureImportConfig
from reeltag.data.importing.prepare import ArchiveSchema
from reeltag.data.importing.quantise import Kept, fit_scale, kept_cosine
from reeltag.data.importing.sample import Seen
from reeltag.data.streams import StoredDtype, Stream, in_order

ENOUGH = Kept(mean=0.999, low=0.995)  # for --dtype auto to take uint8
_WARN_BELOW = 0.99
_SAME_RATE = 0.02
_HALF_MAX = float(np.finfo(np.float16).max)

Sample = dict[str, NDArray[np.float32]]


@dataclass
class Description:
    """What is stored, and what is to be known of it.

    Attributes:
        features: goes into features.json.
        kept: stream -> cosine between stored and given frames, on the sample.
        constant: stream -> dimensions that do not change.
        notes: what a person should know.
    """

    features: Features
    kept: dict[str, Kept] = field(default_factory=dict)
    constant: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def schema_of(
    seen: Seen,
    config: FeatureImportConfig,
    given: Features | None,
    *,
    is_vector: bool,
    notes: list[str],
) -> ArchiveSchema:
    """Return what every video must have, and its rates.

    ConfigError where a stream of --take or --rates is not there, or one of --rates is missing.
    """
    unknown = [name for name in config.take if name not in seen.widths]
    if unknown:
        there = ", ".join(seen.widths)
        raise ConfigError(f"there is no stream {unknown[0]!r}; there are {there}", where="--take")
    taken = config.take or ([s.name for s in given.streams] if given else seen.widths)
    present = [name for name in taken if name in seen.widths]
    streams = in_order(Stream(name, seen.widths[name], "float32") for name in present)
    names = [stream.name for stream in streams]
    rates, rate = dict.fromkeys(names, 1.0), 1.0
    if not is_vector:
        rates, rate = _rates(names, seen, config, given, notes)
    return ArchiveSchema(
        widths={stream.name: stream.width for stream in streams},
        examples=seen.examples,
        is_vector=is_vector,
        rates_hz=rates,
        rate_hz=rate,
        own_rates=not config.rates,
        keep_codes=config.features is not None,
    )


def _rates(
    names: Sequence[str],
    seen: Seen,
    config: FeatureImportConfig,
    given: Features | None,
    notes: list[str],
) -> tuple[dict[str, float], float]:
    """Return frames/s of each stream as it is, and as it is stored."""
    rates = config.source_rates()
    wanted = config.rate or (given.rate_hz if given else None)
    if rates:
        if set(rates) != set(names):
            wrong = sorted(set(rates) ^ set(names))[0]
            what = f"{'lacks' if wrong in names else 'names'} {wrong!r}; the streams are"
            raise ConfigError(f"{what} {', '.join(names)}", where="--rates")
    elif all(name in seen.rates_hz for name in names):
        rates = {name: seen.rates_hz[name] for name in names}
        listed = ", ".join(f"{name} {rate:g}" for name, rate in rates.items())
        notes.append(f"frames/s as the files give them: {listed}")
    else:
        if wanted is None:
            notes.append("no rate is given: a frame is taken to be 1 s; else give --rate")
        rates = dict.fromkeys(names, wanted or 1.0)
    rate = wanted or min(rates.values())
    changed = [name for name in names if not math.isclose(rates[name], rate, rel_tol=1e-6)]
    for name in changed:
        way = "mean of frames" if rates[name] > rate else "frames repeated"
        notes.append(f"{name}: {rates[name]:g} frames/s resampled to {rate:g} ({way})")
    return {name: rates[name] for name in names}, rate


def describe(
    schema: ArchiveSchema, config: FeatureImportConfig, sample: Sample, kept: Features | None = None
) -> Description:
    """Return how the streams are stored, fitted on a sample.

    Args:
        schema: what every video has.
        config: dtype and encoders.
        sample: stream -> (N, D) frames.
        kept: the result of an earlier try, which is used again where it is of the same streams.

    Raises:
        ConfigError: video-level vectors in another dtype than float32, or an unknown stream.
    """
    encoders = config.encoders(list(schema.widths))
    if schema.is_vector and config.dtype not in ("auto", "float32"):
        what = f"video-level vectors are stored as float32, not {config.dtype}"
        raise ConfigError(what, where="--dtype")
    dtype: StoredDtype = "uint8" if config.dtype == "auto" else config.dtype
    dtype = "float32" if schema.is_vector else dtype
    if kept and {stream.name: stream.width for stream in kept.streams} == dict(schema.widths):
        found = Description(kept)
    else:
        found = Description(_features(schema, dtype, encoders, sample))
    if config.dtype == "auto" and found.features.streams[0].dtype == "uint8":
        losses = _kept(found.features.streams, sample)
        lossy = [n for n, k in losses.items() if k.mean < ENOUGH.mean or k.low < ENOUGH.low]
        if lossy:
            largest = max(float(np.abs(sample[name]).max()) for name in schema.widths)
            wider: StoredDtype = "float16" if largest < _HALF_MAX / 4 else "float32"
            found.features = _features(schema, wider, encoders, sample)
            found.notes.append(
                f"stored as {wider}: uint8 would keep {lossy[0]} at a cosine of "
                f"{losses[lossy[0]].mean:.4f} ({losses[lossy[0]].low:.4f} for 1 of 100 frames)"
            )
    _measure(found, sample)
    return found


def _features(
    schema: ArchiveSchema,
    dtype: StoredDtype,
    encoders: Mapping[str, EncoderIdentity],
    sample: Sample,
) -> Features:
    """Return the description of streams that are all stored as one dtype."""
    streams = list[StreamFeatures]()
    for name, width in schema.widths.items():
        scale, offset = fit_scale(sample[name]) if dtype == "uint8" else (None, None)
        streams.append(
            StreamFeatures(
                name=name,
                width=width,
                dtype=dtype,
                scale=scale,
                offset=offset,
                encoder=encoders[name],
            )
        )
    return Features(rate_hz=schema.rate_hz, streams=tuple(streams))


def describe_as(
    given: Features,
    where: object,
    schema: ArchiveSchema,
    config: FeatureImportConfig,
    sample: Sample,
) -> Description:
    """Return a description that is given, where the features fit it.

    Args:
        given: by --features, or of data that are added to.
        where: it is from.
        schema: what every video has.
        config: the other options.
        sample: stream -> (N, D) frames.

    Raises:
        ConfigError: --dtype is another.
        DataError: a stream, width, rate or encoder is another.
    """
    names = list(schema.widths)
    encoders = config.encoders(names)
    theirs = {stream.name: stream.encoder for stream in given.streams}
    mine = tuple(
        StreamFeatures(
            name=name,
            width=width,
            dtype="float32",
            encoder=encoders[name] if config.encoder else theirs.get(name, encoders[name]),
        )
        for name, width in schema.widths.items()
    )
    own = Features(rate_hz=config.rate or schema.rate_hz, streams=mine)
    own.check_same(given, where=next(iter(schema.examples.values())), other_where=where)
    other = [stream for stream in given.streams if config.dtype not in ("auto", stream.dtype)]
    if other:
        what = f"is {config.dtype}, but {where} stores {other[0].name} as {other[0].dtype}"
        raise ConfigError(what, where="--dtype", hint="Leave --dtype out.")
    if schema.is_vector and any(stream.dtype != "float32" for stream in given.streams):
        raise DataError("is of frames, the features are video-level vectors", where=where)
    found = Description(given)
    _measure(found, sample)
    return found


def _measure(found: Description, sample: Sample) -> None:
    """Add what is kept, and which dimensions are constant."""
    for name, frames in sample.items():
        constant = int((frames.min(axis=0) == frames.max(axis=0)).sum())
        found.constant[name] = constant
        if 2 * constant > frames.shape[1]:
            found.notes.append(
                f"warning: {constant:,} of {frames.shape[1]:,} dimensions of {name} are constant"
            )
    found.kept = _kept(found.features.streams, sample)
    for stream in found.features.streams:
        kept = found.kept.get(stream.name)
        if kept and min(kept) < _WARN_BELOW:
            found.notes.append(
                f"warning: {stream.name} keeps a cosine of {kept.mean:.4f} on average, "
                f"{kept.low:.4f} for 1 of 100 frames, as {stream.dtype}; --dtype float16 keeps all"
            )


def _kept(streams: Sequence[StreamFeatures], sample: Sample) -> dict[str, Kept]:
    return {
        stream.name: kept_cosine(sample[stream.name], stream)
        for stream in streams
        if stream.name in sample
    }
