"""Which encoders, rate and dtype an archive has or gets: what it has already decides."""

from collections.abc import Iterator, Sequence

from reeltag.core.errors import ConfigError
from reeltag.data.features import FEATURES_FILE, Features, StreamFeatures
from reeltag.data.streams import StoredDtype
from reeltag.library.extraction.config import (
    AUTO,
    DEFAULT_PICTURE,
    DEFAULT_RATE,
    DEFAULT_SOUND,
    NONE,
    ExtractionConfig,
)
from reeltag.library.extraction.encoding import PICTURE, SOUND, EncodedStream
from reeltag.library.extraction.jobs import EncodingSettings

_ANOTHER = "Extract into another folder, or leave the option out."


def settings_of(
    config: ExtractionConfig, existing: Features | None, probed: Iterator[tuple[bool, bool]]
) -> EncodingSettings:
    """Return how videos are encoded.

    Args:
        config: as asked for.
        existing: description of the archive; None: it is new.
        probed: of its videos, has pictures and has sound; taken as far as is needed.

    Raises:
        ConfigError: the archive has other encoders, another rate or dtype.
    """
    if existing is not None:
        return _as_existing(config, existing)
    picture = DEFAULT_PICTURE if config.picture == AUTO else config.picture.replace(NONE, "")
    sound = DEFAULT_SOUND if config.sound == AUTO else config.sound.replace(NONE, "")
    if AUTO in (config.picture, config.sound):
        has_picture, has_sound = _seen(probed, bool(picture), bool(sound))
        if has_picture or has_sound:  # else each of them will say why it is no video
            picture = picture if has_picture or config.picture != AUTO else ""
            sound = sound if has_sound or config.sound != AUTO else ""
    return EncodingSettings(
        picture=picture,
        sound=sound,
        rate_hz=config.rate or DEFAULT_RATE,
        quick=config.quick,
        device=config.device,
        precision=config.precision,
    )


def dtype_of(config: ExtractionConfig) -> StoredDtype:
    """Return how values of a new archive are stored."""
    return "uint8" if config.dtype == AUTO else config.dtype


def check_streams(streams: Sequence[EncodedStream], existing: Features, where: object) -> None:
    """Raise DataError where encoders are not as when the archive was made: version, weights, width.

    Args:
        streams: of the encoders here.
        existing: description of the archive.
        where: it is.
    """
    mine = tuple(
        StreamFeatures(name=of.name, width=of.width, dtype="float32", encoder=of.encoder)
        for of in streams
    )
    own = Features(rate_hz=existing.rate_hz, streams=mine)
    own.check_same(existing, where="this reeltag", other_where=where)


def _seen(probed: Iterator[tuple[bool, bool]], picture: bool, sound: bool) -> tuple[bool, bool]:
    """Return whether some video has pictures, and sound, as far as that is asked."""
    has_picture = has_sound = False
    for picture_here, sound_here in probed:
        has_picture, has_sound = has_picture or picture_here, has_sound or sound_here
        if (has_picture or not picture) and (has_sound or not sound):
            break
    return has_picture, has_sound


def _as_existing(config: ExtractionConfig, existing: Features) -> EncodingSettings:
    streams = {stream.name: stream for stream in existing.streams}
    other = [name for name in streams if name not in (PICTURE, SOUND)]
    if other or not all(stream.encoder.name for stream in existing.streams):
        raise ConfigError(
            f"its {FEATURES_FILE} is not of videos that were extracted here",
            where="--out",
            hint="Extract into another folder.",
        )
    names = {name: stream.encoder.name for name, stream in streams.items()}
    for flag, wanted, name in (
        ("--picture", config.picture, PICTURE),
        ("--sound", config.sound, SOUND),
    ):
        if wanted == AUTO:
            continue
        if ":" in wanted and name in names:  # an own encoder, which is compared when loaded
            names[name] = wanted
        elif wanted != names.get(name, NONE):
            raise _differs(flag, wanted, names.get(name, NONE))
    if config.rate not in (None, existing.rate_hz):
        raise _differs("--rate", f"{config.rate:g}", f"{existing.rate_hz:g}")
    dtype = existing.streams[0].dtype
    if config.dtype not in (AUTO, dtype):
        raise _differs("--dtype", config.dtype, dtype)
    return EncodingSettings(
        picture=names.get(PICTURE, ""),
        sound=names.get(SOUND, ""),
        rate_hz=existing.rate_hz,
        quick=config.quick,
        device=config.device,
        precision=config.precision,
    )


def _differs(flag: str, wanted: str, has: str) -> ConfigError:
    return ConfigError(f"is {wanted}, but the archive has {has}", where=flag, hint=_ANOTHER)
