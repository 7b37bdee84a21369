"""Labels from an encoder's own classes: ImageNet's in pictures, AudioSet's in sound.

    features of a second -> the encoder's last layer -> log-probabilities of its classes
          -> best (or sum) of those that mean a class of the user -> the best seconds of a video

Shape letters: T frames, D features, K classes of the encoder, C classes of the user.
"""

from collections.abc import Collection, Sequence

import numpy as np

from reeltag.core.console import say
from reeltag.core.errors import ConfigError, DataError, MissingPackageError
from reeltag.data.dataset import Dataset
from reeltag.data.features import StreamFeatures
from reeltag.encoders import create_encoder
from reeltag.encoders.base import Encoder, Float32
from reeltag.library.labelling.scores import stream_frames, top_mean


def encoders_of(data: Dataset, device: str = "auto") -> list[tuple[StreamFeatures, Encoder]]:
    """Return the streams of a data set whose encoder is known, each with the encoder.

    Streams of an encoder that is not installed are left out and named, unless there is no other.

    Args:
        data: with features.json.
        device: where encoders compute.

    Raises:
        ConfigError: no stream has a known encoder, or it cannot be loaded.
        DataError: the encoder here is another than the one that computed the features.
    """
    found, missing = list[tuple[StreamFeatures, Encoder]](), None
    for stream in data.features.streams:
        name = stream.encoder.name
        if not name:
            say(f"stream {stream.name}: features.json names no encoder")
            continue
        try:
            found.append((stream, encoder_of(data, stream, device)))
        except MissingPackageError as error:
            missing = missing or error
            say(f"stream {stream.name}: {name} {error}")
    if missing and not found:
        raise missing
    if not found:
        raise ConfigError(
            f"{data.path} names no encoder of its features",
            hint="Features of `reeltag extract` do; of imported ones, name it in features.json.",
        )
    return found


def encoder_of(data: Dataset, stream: StreamFeatures, device: str = "auto") -> Encoder:
    """Return the encoder that computed the features of a stream.

    Args:
        data: that has the stream.
        stream: whose encoder has a name.
        device: where it computes.

    Raises:
        ConfigError: it is not known or cannot be loaded.
        MissingPackageError: what it needs is not installed.
        DataError: the encoder here is another than the one that computed the features.
    """
    encoder = create_encoder(stream.encoder.name, device=device)
    if encoder.identity != stream.encoder:
        raise DataError(
            f"holds features of {stream.encoder} in stream {stream.name!r}; installed is "
            f"{encoder.identity}",
            where=data.location,
            hint="Extract the features again, or install the version that computed them.",
        )
    return encoder


def log_probabilities(encoder: Encoder, features_TD: Float32) -> Float32:
    """Return (T, K) the logarithm of the probability of each of the encoder's classes.

    Args:
        encoder: with classes of its own.
        features_TD: of seconds.
    """
    logits = encoder.classify(features_TD)
    if encoder.one_class:
        highest = logits.max(1, keepdims=True)
        total = np.log(np.exp(logits - highest).sum(1, keepdims=True)) + highest
        log_prob: Float32 = logits - total
    else:
        log_prob = -np.logaddexp(np.float32(0), -logits)
    return log_prob


def encoder_scores(
    data: Dataset,
    stream: StreamFeatures,
    encoder: Encoder,
    meant: Sequence[Collection[int]],
    fraction: float,
    *,
    quiet: bool = False,
) -> tuple[list[str], Float32]:
    """Return ids (V) and scores (V, C) of videos: log-probabilities of their best seconds.

    Args:
        data: of frames.
        stream: of the data.
        encoder: of the stream, with classes of its own.
        meant: the encoder's classes that mean each of the C classes; empty: the score is NaN.
        fraction: of seconds that count.
        quiet: show no progress.
    """
    ids, rows = [], []
    for video, features_TD in stream_frames(data, stream, quiet=quiet):
        scores = np.full(len(meant), np.nan, np.float32)
        if len(features_TD):
            log_TK = log_probabilities(encoder, features_TD)
            for column, places in enumerate(meant):
                if places:
                    mine = log_TK[:, sorted(places)]
                    # probabilities of classes that exclude each other add up
                    joined = np.logaddexp.reduce(mine, 1) if encoder.one_class else mine.max(1)
                    scores[column] = top_mean(joined[:, None], fraction)[0]
        ids.append(video)
        rows.append(scores)
    return ids, np.array(rows, np.float32).reshape(len(ids), len(meant))
