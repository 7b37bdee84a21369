"""What every encoder must do, as checks of one; see `reeltag.testing.check_encoder`."""

from collections.abc import Callable
from typing import Any
from unittest import TestCase

import numpy as np

from reeltag.core.errors import ConfigError
from reeltag.encoders import (
    Encoder,
    PictureEncoder,
    SoundEncoder,
    TextEncoder,
    span_samples,
)
from reeltag.encoders.base import Float32

TOLERANCE: dict[str, Any] = {"rtol": 1e-4, "atol": 1e-4}  # float32, summed in another order
raises = TestCase().assertRaisesRegex
TEXTS = ("a dog barks", "rain", "a red car on a road in the evening, seen from above")


def pictures_for(encoder: PictureEncoder, number: int) -> Any:  # noqa: ANN401  (array)
    """Return pictures that differ: noise over a colour, the same each time."""
    rng = np.random.default_rng(5)
    shape = number, *encoder.size, 3
    colour = rng.integers(0, 256, (number, 1, 1, 3))
    return np.clip(colour + rng.integers(-40, 41, shape), 0, 255).astype(np.uint8)


def sound_of(seconds: float) -> Float32:
    """Return noise that swells, under tones that change."""
    rng, time = np.random.default_rng(6), np.arange(round(16_000 * seconds)) / 16_000
    tones = np.sin(2 * np.pi * (300 + 200 * np.floor(time)) * time)
    return (0.2 * tones + 0.1 * np.sin(time) * rng.standard_normal(len(time))).astype(np.float32)


def encode_span(encoder: SoundEncoder, first: int, number: int, rate: float) -> Float32:
    """Return the features of some frames of a file of sound, as `extract` asks for them."""
    start, end = span_samples(first, number, rate, encoder.context_s)
    sound = sound_of(12)
    padded = np.pad(sound, (max(0, -start), max(0, end - len(sound))))
    begin = start + max(0, -start)
    return encoder.encode(padded[begin : begin + end - start], number, rate, first)


def features_of(encoder: Encoder, number: int) -> Float32:
    """Return features of `number` pictures, frames or texts."""
    if isinstance(encoder, PictureEncoder):
        return encoder.encode(pictures_for(encoder, number))
    if isinstance(encoder, SoundEncoder):
        return encode_span(encoder, 0, number, 1.0)
    assert isinstance(encoder, TextEncoder)
    return encoder.encode(TEXTS[:number])


def description_agrees_with_the_encoder(encoder: Encoder) -> None:
    """Check `info` against the encoder's kind and width."""
    info, kinds = encoder.info, (PictureEncoder, SoundEncoder, TextEncoder)
    (kind,) = (at for at, of in enumerate(kinds) if isinstance(encoder, of))
    assert info.kind in (None, ("picture", "sound", "text")[kind])
    assert info.width in (None, encoder.width)
    assert all([info.licence, info.weights_from, info.description])
    assert "\n" not in info.description


def identity_is_complete(encoder: Encoder) -> None:
    """Check that name, version, weights and preprocessing are said."""
    of = encoder.identity
    assert all([of.name, of.version, of.weights, of.preprocessing])
    assert "\n" not in str(of)


def nothing_gives_no_features(encoder: Encoder) -> None:
    """Check that no input gives features (0, D)."""
    features = features_of(encoder, 0)
    assert features.shape == (0, encoder.width) and features.dtype == np.float32


def features_are_finite_float32_of_shape_N_D(encoder: Encoder) -> None:
    """Check what `encode` returns, and that other input gives other features."""
    features = features_of(encoder, 3)
    assert features.shape == (3, encoder.width) and features.dtype == np.float32
    assert np.isfinite(features).all()
    assert np.abs(features - features[0]).max(1)[1:].min() > 1e-3  # others for other input


def picture_or_text_is_encoded_alike_in_any_batch(encoder: Encoder) -> None:
    """Check that the company of an input does not matter."""
    if isinstance(encoder, SoundEncoder):
        return
    together = features_of(encoder, 3)
    inputs: Any = pictures_for(encoder, 3) if isinstance(encoder, PictureEncoder) else list(TEXTS)
    assert isinstance(encoder, PictureEncoder | TextEncoder)
    alone = np.concatenate([encoder.encode(inputs[at : at + 1]) for at in (2, 1, 0)])[::-1]
    np.testing.assert_allclose(together, alone, **TOLERANCE)


def frame_of_sound_does_not_depend_on_the_span(encoder: Encoder) -> None:
    """Check that frames are the same wherever a span of sound begins."""
    if not isinstance(encoder, SoundEncoder):
        return
    for rate in (1.0, 2.0, 3.0, 0.5):
        whole = encode_span(encoder, 0, int(11 * rate), rate)
        for first in (1, len(whole) - 2):
            part = encode_span(encoder, first, 2, rate)
            np.testing.assert_allclose(part, whole[first : first + 2], **TOLERANCE)


def silence_and_full_scale_are_sound(encoder: Encoder) -> None:
    """Check the quietest and the loudest sound."""
    if not isinstance(encoder, SoundEncoder):
        return
    start, end = span_samples(0, 2, 1.0, encoder.context_s)
    loud = np.tile(np.array([1, -1], np.float32), (end - start) // 2 + 1)[: end - start]
    for sound in (np.zeros(end - start, np.float32), loud):
        assert np.isfinite(encoder.encode(sound, 2, 1.0)).all()


def texts_have_unit_norm(encoder: Encoder) -> None:
    """Check the length of features of texts."""
    if isinstance(encoder, TextEncoder):
        norms = np.linalg.norm(encoder.encode([*TEXTS, ""]), axis=1)
        np.testing.assert_allclose(norms, 1, rtol=1e-5)


def input_is_left_as_it_was(encoder: Encoder) -> None:
    """Check that input is not written to."""
    if isinstance(encoder, PictureEncoder):
        pictures = pictures_for(encoder, 2)
        pictures.flags.writeable = False
        encoder.encode(pictures)
    if isinstance(encoder, SoundEncoder):
        start, end = span_samples(0, 2, 1.0, encoder.context_s)
        sound = np.resize(sound_of(3), end - start)
        before = sound.copy()
        encoder.encode(sound, 2, 1.0)
        np.testing.assert_array_equal(sound, before)


def own_classes_have_names_and_logits(encoder: Encoder) -> None:
    """Check `classify`, or that it says that there is nothing to classify by."""
    features = features_of(encoder, 2)
    if not encoder.class_names:
        with raises(ConfigError, "no classes of its own"):
            encoder.classify(features)
        return
    logits = encoder.classify(features)
    assert logits.shape == (2, len(encoder.class_names)) and logits.dtype == np.float32
    assert np.isfinite(logits).all() and all(encoder.class_names)
    assert len(set(encoder.class_names)) == len(encoder.class_names)
    assert not set(encoder.class_groups) & set(encoder.class_names)
    assert all(max(of) < len(encoder.class_names) for of in encoder.class_groups.values())
    assert encoder.classify(features[:0]).shape == (0, len(encoder.class_names))


CHECKS: tuple[Callable[[Encoder], None], ...] = (
    description_agrees_with_the_encoder,
    identity_is_complete,
    nothing_gives_no_features,
    features_are_finite_float32_of_shape_N_D,
    picture_or_text_is_encoded_alike_in_any_batch,
    frame_of_sound_does_not_depend_on_the_span,
    silence_and_full_scale_are_sound,
    texts_have_unit_norm,
    input_is_left_as_it_was,
    own_classes_have_names_and_logits,
)
