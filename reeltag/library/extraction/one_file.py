"""Features of one file, for a tagger: as `extract` would have stored them."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reeltag.core.errors import ConfigError, DataError
from reeltag.data.features import Features
from reeltag.data.importing.quantise import encode
from reeltag.encoders.base import Float32
from reeltag.library.extraction.encode_task import check_has_any, decode, load_encoders
from reeltag.library.extraction.encoding import PICTURE, SOUND, StreamEncoders
from reeltag.library.extraction.jobs import EncodingSettings
from reeltag.library.extraction.settings import check_streams


def features_of_file(
    path: Path | str, features: Features, *, quick: bool = False, device: str = "auto"
) -> NDArray[Any]:
    """Return the frames (T, D) of a video or sound file, as they are stored, streams side by side.

    Args:
        path: of the file.
        features: description of what a tagger reads.
        quick: decode key frames only.
        device: where encoders compute.

    Returns:
        uint8, or floating point where the features are stored as such.

    Raises:
        ConfigError: the encoders are not known here, or are not as when the features were made.
        DataError: the file cannot be decoded.
    """
    encoders = encoders_of(features, device)
    decoded = decode(Path(path), encoders, quick=quick)
    spans = [_stored(span.frames, features) for span in encoders.encode(decoded)]
    try:
        check_has_any(decoded, encoders.streams)
    except DataError as error:
        raise DataError(error.what, where=path) from error
    return np.concatenate(spans)


def _stored(frames_TD: Float32, features: Features) -> NDArray[Any]:
    """Return frames (T, D) as they are stored."""
    end, parts = 0, list[NDArray[Any]]()
    for stream in features.streams:
        first, end = end, end + stream.width
        stored = encode(frames_TD[:, first:end], stream).stored
        parts.append(stored.view(np.dtype(stream.dtype).newbyteorder("<")))
    return np.concatenate(parts, axis=1)


@lru_cache(maxsize=2)
def encoders_of(features: Features, device: str = "auto") -> StreamEncoders:
    """Return the encoders that computed some features, loaded.

    Args:
        features: description.
        device: where they compute.

    Raises:
        ConfigError: they are not known here, or differ in version, weights or width.
    """
    names = {stream.name: stream.encoder.name for stream in features.streams}
    known = [(PICTURE,), (SOUND,), (PICTURE, SOUND)]
    if tuple(names) not in known or not all(names.values()):
        listed = ", ".join(map(str, features.streams))
        raise ConfigError(
            f"the features are {listed}: how to compute them of a video is not known",
            hint="Give it frames of such features; or extract videos with `reeltag extract`, and "
            "train on these.",
        )
    settings = EncodingSettings(
        picture=names.get(PICTURE, ""),
        sound=names.get(SOUND, ""),
        rate_hz=features.rate_hz,
        device=device,
    )
    encoders = load_encoders(settings)
    check_streams(encoders.streams, features, "the tagger")
    return encoders
