"""Options of an import of features: rates, streams, dtype, encoder, splits, companions."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from annotated_types import Gt

from reeltag.core.bounds import CheckedFields
from reeltag.core.errors import ConfigError
from reeltag.data.features import EncoderIdentity

Dtype: TypeAlias = Literal["auto", "uint8", "float16", "float32"]


@dataclass(frozen=True, kw_only=True)
class FeatureImportConfig(CheckedFields):
    """How features are imported."""

    rate: Annotated[float, Gt(0)] | None = None
    """Frames per second to store. None: the rate that the files name, or the lowest of --rates, or
    1. Without --rates all streams are taken to have this rate."""
    rates: tuple[str, ...] = ()
    """Frames per second of each stream as it is, as in `rgb=2 audio=1`. Streams of another rate
    than --rate are resampled: the mean of the frames whose middle is in the new one."""
    dtype: Dtype = "auto"
    """How values are stored. auto: uint8 with a scale and offset per dimension, fitted on a sample,
    where that keeps the vectors (cosine .999 on average, .995 for 99 of 100 frames), else float16.
    Video-level vectors are float32."""
    features: Path | None = None
    """A features.json to store by, instead of fitting scale and offset. With it, uint8 arrays and
    byte strings of dtype uint8 are kept as they are."""
    streams: tuple[str, ...] = ()
    """Names of folders, groups or ends of file names that are streams of one video, in addition to
    well-known ones (rgb, audio, clip, vggish, ...)."""
    take: tuple[str, ...] = ()
    """Streams to import; none: all."""
    encoder: tuple[str, ...] = ()
    """Which encoder computed the features: NAME for all streams, or STREAM=NAME ...; NAME@VERSION
    where it has a version. A run refuses features of another encoder."""
    labels: Path | None = None
    """CSV or Parquet with labels of videos, copied into the data."""
    ratings: Path | None = None
    """CSV or Parquet with rated intervals, copied into the data."""
    classes: Path | None = None
    """CSV with the classes (index, name), copied into the data."""
    split_by_hash: bool = False
    """Give every video its split by a hash of its id, 80 % train, 10 % validate, 10 % test, also
    where folders or files are named train, val, test; without such names this is the rule."""
    append: bool = False
    """Add to data that are there and have the same description."""
    skip_existing: bool = False
    """With --append: leave out videos that are there already, instead of refusing."""
    skip_bad: bool = False
    """Leave out what cannot be imported and list it, instead of refusing."""

    def check(self) -> None:
        """Raise ConfigError for a rate or an encoder that cannot be read."""
        self.source_rates()
        self.encoders(())
        if self.skip_existing and not self.append:
            raise ConfigError("--skip-existing goes with --append")

    def source_rates(self) -> dict[str, float]:
        """Return stream -> frames/s as given by --rates."""
        rates = dict[str, float]()
        for text in self.rates:
            name, _, number = text.rpartition("=")
            try:
                rates[name] = float(number)
            except ValueError:
                rates[name] = 0.0
            if not name or not 0 < rates[name] < float("inf"):
                raise ConfigError(
                    f"must be STREAM=HZ with a number above 0, got {text!r}",
                    where="--rates",
                    hint="As in --rates rgb=2 audio=1.",
                )
        return rates

    def encoders(self, streams: Sequence[str]) -> dict[str, EncoderIdentity]:
        """Return the encoder of each stream; ConfigError where one is given for another stream."""
        of = dict[str, str]()
        for text in self.encoder:
            stream, is_one, name = text.rpartition("=")
            if (is_one and not stream) or not name or stream in of:
                raise ConfigError(
                    f"must be NAME, or STREAM=NAME for each stream once, got {text!r}",
                    where="--encoder",
                )
            of[stream] = name
        unknown = sorted(of.keys() - {"", *streams}) if streams else []
        if unknown:
            what = f"there is no stream {unknown[0]!r}; there are {', '.join(streams)}"
            raise ConfigError(what, where="--encoder")
        return {name: _identity(of.get(name, of.get("", ""))) for name in streams}


def _identity(text: str) -> EncoderIdentity:
    name, _, version = text.partition("@")
    return EncoderIdentity(name=name, version=version)
