"""Spans become features: equal pictures once, missing ones 0, missing sound silence."""

import numpy as np
import pytest

from reeltag.core.errors import ConfigError
from reeltag.library.extraction.encoding import EncodedSpan, StreamEncoders
from tests.library.extraction.toys import COLOUR, LOUDNESS, MeanColour, synthetic_spans


def encoded(
    colours: list[int | None], loudness: list[float | None], picture: str = COLOUR
) -> EncodedSpan:
    encoders = StreamEncoders(picture, LOUDNESS, 1.0)
    spans = list(encoders.encode(synthetic_spans(colours, loudness)))
    return EncodedSpan(
        np.concatenate([span.frames for span in spans]),
        np.concatenate([span.has for span in spans]),
    )


def test_streams_are_side_by_side_with_their_names() -> None:
    encoders = StreamEncoders(COLOUR, LOUDNESS, 1.0)
    assert [(of.name, of.width, of.encoder.name) for of in encoders.streams] == [
        ("rgb", 3, "mean_colour"),
        ("audio", 2, "loudness"),
    ]
    found = encoded([10, 20, 30, 40, 50], [0.1, 0.2, 0.3, 0.4, 0.5])
    assert found.frames[:, :3].tolist() == [[grey] * 3 for grey in (10, 20, 30, 40, 50)]
    assert found.frames[:, 4] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    assert found.has.all()


def test_missing_picture_is_0_and_missing_sound_is_as_a_silent_passage() -> None:
    found = encoded([None, 7, None, 9, None], [0.0, 0.5, None, None, None])
    assert found.frames[:, 0].tolist() == [0, 7, 0, 9, 0]
    silence = found.frames[0, 3:]
    assert (found.frames[2:, 3:] == silence).all()
    assert (found.frames[1, 3:] != silence).all()
    assert found.has[:, 0].tolist() == [False, True, False, True, False]
    assert found.has[:, 1].tolist() == [True, True, False, False, False]


def test_equal_neighbours_are_encoded_once() -> None:
    MeanColour.encoded.clear()
    found = encoded([5, 5, None, 5, 6, 6, 6, 5], [0.1] * 8)
    assert MeanColour.encoded == [1, 2]
    assert found.frames[:, 0].tolist() == [5, 5, 0, 5, 6, 6, 6, 5]


def test_pictures_that_differ_in_a_single_value_are_encoded_each() -> None:
    (span,) = synthetic_spans([5, 5, 5], [0.1] * 3)
    span.pictures[1, 3, 4, 1] = 6
    encoders = StreamEncoders(COLOUR, "", 1.0)
    (found,) = encoders.encode([span])
    assert found.frames[:, 1].tolist() == pytest.approx([5, 5 + 1 / 64, 5])


def test_one_stream_alone() -> None:
    encoders = StreamEncoders("", LOUDNESS, 1.0)
    (found,) = encoders.encode(synthetic_spans([1, 2], [0.1, None]))
    assert found.frames.shape == (2, 2)
    assert found.has.tolist() == [[True], [False]]


def test_encoder_of_the_other_kind_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"--picture: log_mel encodes sound, not pictures"):
        StreamEncoders("log_mel", "", 1.0)
    with pytest.raises(ConfigError, match="there is no encoder 'log_mell'"):
        StreamEncoders("", "log_mell", 1.0)
