"""Scale and offset: of the frames that have the stream, of the first videos."""

from pathlib import Path

import numpy as np
import pytest

from reeltag.core.errors import DataError
from reeltag.data.features import EncoderIdentity
from reeltag.library.extraction import fitting
from reeltag.library.extraction.encoding import EncodedStream
from reeltag.library.extraction.fitting import ScaleFitter
from reeltag.library.extraction.parts import FeaturePart, FeaturePartWriter

STREAMS = (
    EncodedStream(name="rgb", width=2, encoder=EncoderIdentity(name="colour")),
    EncodedStream(name="audio", width=1, encoder=EncoderIdentity(name="loudness")),
)


def part(
    folder: Path, key: str, low: float, high: float, *, rgb: bool = True, audio: bool = True
) -> FeaturePart:
    with FeaturePartWriter(folder, key, [(s.name, s.width) for s in STREAMS], "now") as writer:
        frames = np.linspace(low, high, 50, dtype=np.float32)[:, None].repeat(3, axis=1)
        frames[:, :2] *= rgb
        writer.add(frames, np.tile([rgb, audio], (50, 1)))
        return writer.finish()


def test_range_is_that_of_frames_that_have_the_stream(tmp_path: Path) -> None:
    fitter = ScaleFitter(STREAMS)
    fitter.add(part(tmp_path, "a", 10, 20))
    fitter.add(part(tmp_path, "b", 1000, 2000, rgb=False))
    features = fitter.fit(2.0, "uint8")
    rgb, audio = features.streams
    assert (features.rate_hz, rgb.encoder.name, audio.encoder.name) == (2.0, "colour", "loudness")
    assert rgb.scale is not None and rgb.offset is not None
    assert rgb.offset[0] == pytest.approx(10, abs=1)
    assert rgb.offset[1] + 255 * rgb.scale[1] == pytest.approx(20, abs=1)
    assert audio.scale is not None and audio.offset is not None
    assert audio.offset[0] + 255 * audio.scale[0] == pytest.approx(2000, abs=100)


def test_sample_is_spread_evenly_over_the_videos(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "NUM_FRAMES", 20)
    fitter = ScaleFitter(STREAMS)
    fitter.add(part(tmp_path, "a", 0, 49))
    fitter.add(part(tmp_path, "b", 100, 149))
    sample = fitter.sample("audio")[:, 0]
    assert len(sample) == 20
    assert (sample < 50).sum() == 10
    assert np.ptp(sample[:10]) > 40


def test_floats_need_no_scale(tmp_path: Path) -> None:
    fitter = ScaleFitter(STREAMS)
    fitter.add(part(tmp_path, "a", 0, 1))
    features = fitter.fit(1.0, "float16")
    assert [stream.scale for stream in features.streams] == [None, None]


def test_enough_when_each_stream_is_in_several_of_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "ENOUGH_VIDEOS", 3)
    monkeypatch.setattr(fitting, "_LEAST_VIDEOS", 2)
    fitter, enough = ScaleFitter(STREAMS), []
    for key, audio in (("a", True), ("b", False), ("c", False), ("d", False), ("e", True)):
        fitter.add(part(tmp_path, key, 0, 1, audio=audio))
        enough.append(fitter.is_enough)
    assert enough == [False, False, False, False, True]


def test_stream_that_no_video_has_is_an_error_with_the_way_out(tmp_path: Path) -> None:
    fitter = ScaleFitter(STREAMS)
    fitter.add(part(tmp_path, "a", 0, 1, audio=False))
    with pytest.raises(DataError, match="no video has sound") as caught:
        fitter.fit(1.0, "uint8")
    assert "--sound none" in caught.value.hint
