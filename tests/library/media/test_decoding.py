"""Pictures and sound at the pace of features: as a plain loop over all decoded frames has them."""

import math
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from reeltag.encoders.base import span_samples
from reeltag.library.media.decoding import Decoded, DecodingConfig, Span, read_spans
from reeltag.library.media.demuxing import PacketReader
from reeltag.library.media.media_info import probe
from reeltag.library.media.opening import open_container
from tests.library.media.tiny_films import (
    TinyFilm,
    decoded_pictures,
    decoded_sound,
    moving,
    resampled,
    stamp,
    tone,
)

SMALL = (24, 32)


def read(path: Path, rate_hz: float = 1.0, **how: Any) -> tuple[list[Span], Decoded]:
    decoded = read_spans(
        path,
        rate_hz=rate_hz,
        picture_size=how.pop("size", SMALL),
        context_s=how.pop("context_s", 0.0),
        **how,
    )
    return list(decoded), decoded


def pictures_of(spans: list[Span]) -> NDArray[np.uint8]:
    return np.concatenate([span.pictures for span in spans])


def sound_of(spans: list[Span]) -> NDArray[np.float32]:
    return np.concatenate([span.sound for span in spans])


def whole_sound(path: Path, end: float) -> NDArray[np.float32]:
    """Return the sound of a file up to its end in seconds, resampled by one call."""
    samples, rate = decoded_sound(path)
    return resampled(samples[: round(min(end, 1e6) * rate)], rate)


def masks(spans: list[Span]) -> tuple[str, str]:
    """Return which frames have a picture and which sound, as 0 and 1."""
    both = ([span.has_picture for span in spans], [span.has_sound for span in spans])
    pictures, sounds = ("".join("01"[int(of)] for of in np.concatenate(parts)) for parts in both)
    return pictures, sounds


def scaled(frame: Any, size: tuple[int, int] = SMALL) -> NDArray[np.uint8]:
    small = frame.reformat(size[1], size[0], "rgb24", interpolation="AREA", threads=1)
    return np.asarray(small.to_ndarray(), np.uint8)


def shown(path: Path, rate: float, number: int, start: Fraction) -> list[Any]:
    """Return the picture on display at the middle of each frame by a plain loop; None = none."""
    pictures = decoded_pictures(path, number / rate + 1 + float(start))
    found: list[Any] = []
    for k in range(number):
        middle = (k + Fraction(1, 2)) / Fraction(rate) + start
        before = [frame for time, frame in pictures if time <= middle]
        found.append(before[-1] if before else None)
    return found


def check_pictures(path: Path, rate: float = 1.0, start: float | Fraction = 0) -> str:
    """Compare all pictures with those of the plain loop; return which frames have one."""
    spans, _ = read(path, rate)
    found, has = pictures_of(spans), masks(spans)[0]
    for k, frame in enumerate(shown(path, rate, len(found), Fraction(start))):
        assert has[k] == "0" or np.array_equal(found[k], scaled(frame)), k
        assert has[k] == "1" or not found[k].any()
    return has


@pytest.mark.parametrize("rate", [1.0, 2.0, 0.3, 25.0])
def test_picture_is_the_one_on_display_at_the_middle_of_the_frame(
    tmp_path: Path, rate: float
) -> None:
    film = TinyFilm().write(tmp_path / "film.mp4")
    has = check_pictures(film, rate)
    assert has == "1" * math.ceil(6 * rate)


def test_sound_is_that_of_one_resampling_of_the_whole(tmp_path: Path) -> None:
    film = TinyFilm().write(tmp_path / "film.mp4")
    spans, decoded = read(film, span_frames=2)
    sound, whole = sound_of(spans), whole_sound(film, 6.0)
    # float32 arithmetic in other portions: 1e-6 of full scale
    np.testing.assert_allclose(sound, whole, atol=1e-6)
    assert np.abs(sound).max() > 0.5 and decoded.duration_s == 6.0


def test_span_has_the_sound_around_it(tmp_path: Path) -> None:
    film = TinyFilm().write(tmp_path / "film.mp4")
    whole = whole_sound(film, 6.0)
    for span in read(film, rate_hz=1.5, context_s=0.7, span_frames=2)[0]:
        start, stop = span_samples(span.first_frame, span.num_frames, 1.5, 0.7)
        padded = np.pad(whole, 20_000)[start + 20_000 : stop + 20_000]
        assert len(span.sound) == stop - start
        np.testing.assert_allclose(span.sound, padded, atol=1e-6)  # float32


def test_spans_do_not_depend_on_their_length(tmp_path: Path) -> None:
    film = TinyFilm().write(tmp_path / "film.mp4")
    spans, _ = read(film, span_frames=64)
    others, _ = read(film, span_frames=1)
    assert [span.first_frame for span in others] == list(range(6))
    assert np.array_equal(pictures_of(spans), pictures_of(others))
    assert np.array_equal(spans[0].sound, np.concatenate([span.sound for span in others]))


KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "mkv": ("film.mkv", {}),
    "vp9 and opus": ("film.webm", {"video": "libvpx-vp9", "audio": "libopus", "rate": 48_000}),
    "avi": ("film.avi", {"video": "mpeg4", "audio": "libmp3lame"}),
    "10 bit": ("film.mp4", {"pixels": "yuv420p10le"}),
    "4:4:4": ("film.mp4", {"pixels": "yuv444p"}),
    "odd size": ("film.mp4", {"pixels": "yuv444p", "pictures": moving(60, (65, 47))}),
    "lossless RGB": ("film.mkv", {"video": "ffv1", "pixels": "bgr0"}),
    "60 pictures a second": ("film.mp4", {"fps": 60, "pictures": moving(90)}),
    "no extension": ("film", {"file_format": "mp4"}),
    "other letters": ("späce 電影 #1 100%.mp4", {}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_any_kind_of_file_has_the_pictures_of_the_plain_loop(tmp_path: Path, kind: str) -> None:
    name, how = KINDS[kind]
    has = check_pictures(TinyFilm(**how).write(tmp_path / name), 2.0)
    assert has.startswith("111")


def test_variable_frame_rate_is_followed(tmp_path: Path) -> None:
    times = np.cumsum(np.random.default_rng(0).choice([0.02, 0.1, 0.4, 1.7], 40)).tolist()
    film = TinyFilm(pictures=moving(40), times=times, tracks=[tone(times[-1])])
    assert "1" * 20 in check_pictures(film.write(tmp_path / "film.mp4"), 2.0)
    assert "1" * 20 in check_pictures(film.write(tmp_path / "film.mkv"), 2.0)


@pytest.mark.parametrize("name", ["film.mkv", "film.ts", "film.mp4"])
def test_time_stamps_begin_at_the_first_stream(tmp_path: Path, name: str) -> None:
    film = TinyFilm(start=5.0).write(tmp_path / name)
    with av.open(str(film)) as source:
        start = min(of.start_time * of.time_base for of in source.streams)  # type: ignore[operator]
    assert start > 4
    assert check_pictures(film, 2.0, start).startswith("1" * 12)


def test_sound_that_starts_later_is_preceded_by_zeros(tmp_path: Path) -> None:
    film = TinyFilm(sound_starts=2.5, tracks=[tone(4.0)]).write(tmp_path / "film.mkv")
    spans, _ = read(film)
    sound = sound_of(spans)
    assert masks(spans) == ("1111110", "0011111")
    assert not sound[: 16_000 * 2].any() and np.abs(sound[16_000 * 3 :]).max() > 0.1
    later = sound[40_000:][:60_000] - whole_sound(film, 4.0)[:60_000]
    assert np.abs(later).max() < 0.02  # time stamps of Matroska are rounded to 1 ms


def test_streams_of_other_lengths_are_padded(tmp_path: Path) -> None:
    longer = TinyFilm(tracks=[tone(8.0)]).write(tmp_path / "longer.mp4")
    shorter = TinyFilm(tracks=[tone(3.5)]).write(tmp_path / "shorter.mp4")
    assert masks(read(longer)[0]) == ("11111100", "11111111")
    spans, _ = read(shorter)
    assert masks(spans) == ("111111", "111100")
    assert not spans[0].sound[16_000 * 4 :].any()


def test_one_kind_of_stream_is_enough(tmp_path: Path) -> None:
    silent = TinyFilm(tracks=[]).write(tmp_path / "silent.mp4")
    sound = TinyFilm(pictures=[]).write(tmp_path / "sound.m4a")
    assert masks(read(silent)[0]) == ("111111", "000000")
    spans, _ = read(sound)
    assert masks(spans) == ("000000", "111111") and not pictures_of(spans).any()


def test_nothing_of_a_kind_that_is_not_wanted_but_its_length(tmp_path: Path) -> None:
    film = TinyFilm(tracks=[tone(8.0)]).write(tmp_path / "film.mp4")
    spans, _ = read(film, context_s=None)
    assert masks(spans) == ("11111100", "00000000") and spans[0].sound.shape == (0,)
    spans, _ = read(film, size=None)
    assert masks(spans) == ("00000000", "11111111") and spans[0].pictures.shape == (8, 0, 0, 3)


@pytest.mark.parametrize(("rotation", "turns"), [(90, 1), (180, 2), (270, 3)])
def test_pictures_are_turned_as_displayed(tmp_path: Path, rotation: int, turns: int) -> None:
    flat = TinyFilm(tracks=[]).write(tmp_path / "flat.mp4")
    turned = TinyFilm(tracks=[], rotation=rotation).write(tmp_path / "turned.mp4")
    size = (24, 32) if turns == 2 else (32, 24)
    spans, decoded = read(turned, size=size)
    expected = np.rot90(pictures_of(read(flat)[0]), turns, (1, 2))
    assert np.array_equal(pictures_of(spans), expected)
    picture = decoded.info.picture
    assert picture is not None and picture.rotation == rotation
    assert (picture.width, picture.height) == ((64, 48) if turns == 2 else (48, 64))


@pytest.mark.parametrize("pixels", ["yuv420p", "yuv444p", "yuv420p10le", "yuvj420p"])
def test_colours_are_right(tmp_path: Path, pixels: str) -> None:
    colours = [(200, 40, 40), (40, 180, 60), (50, 60, 210), (128, 128, 128), (250, 250, 250)]
    pictures = [np.full((48, 64, 3), colour, np.uint8) for colour in colours for _ in range(5)]
    film = TinyFilm(pictures=pictures, fps=5, tracks=[], pixels=pixels, codec={"crf": "5"})
    found = pictures_of(read(film.write(tmp_path / "film.mp4"))[0])
    for picture, colour in zip(found, colours, strict=True):  # 4: of 8 bits and rounding twice
        assert np.abs(picture.astype(int).mean((0, 1)) - colour).max() < 4


def test_large_pictures_that_do_not_say_are_read_as_hd(tmp_path: Path) -> None:
    """BT.709, as players do; a small picture is BT.601."""
    colour = np.full((720, 64, 3), (40, 180, 60), np.uint8)
    found = []
    for rows in (720, 480):
        film = TinyFilm(pictures=[colour[:rows]] * 3, tracks=[], codec={"crf": "5"})
        found.append(
            pictures_of(read(film.write(tmp_path / f"{rows}.mp4"), 5.0)[0])[0].mean((0, 1))
        )
    assert np.abs(found[1] - (40, 180, 60)).max() < 4  # it is written as BT.601
    assert np.abs(found[0] - found[1]).max() > 10


def test_interlaced_pictures_are_read(tmp_path: Path) -> None:
    film = TinyFilm(tracks=[], codec={"x264-params": "asm=sse42:interlaced=1:threads=1"})
    path = film.write(tmp_path / "film.mp4")
    assert check_pictures(path) == "111111"
    picture = probe(path).picture
    assert picture is not None and picture.is_interlaced


def test_narrow_pixels_are_displayed_wide(tmp_path: Path) -> None:
    film = TinyFilm(tracks=[], codec={"x264-params": "asm=sse42:sar=2/1"})
    path = film.write(tmp_path / "film.mp4")
    picture = probe(path).picture
    assert picture is not None and (picture.width, picture.height) == (128, 48)
    whole = pictures_of(read(path, size=(24, 64))[0])
    cut = pictures_of(read(path, size=(24, 24), fit="crop")[0])
    assert np.array_equal(cut, whole[:, :, 20:44])


def test_crop_cuts_out_the_middle(tmp_path: Path) -> None:
    film = TinyFilm(tracks=[]).write(tmp_path / "film.mp4")
    found = pictures_of(read(film, size=(24, 24), fit="crop")[0])
    assert np.array_equal(found, pictures_of(read(film, size=(24, 32))[0])[:, :, 4:28])


@pytest.mark.parametrize(
    ("audio", "channels"),
    [("pcm_s16le", 2), ("pcm_u8", 2), ("aac", 2), ("aac", 6), ("aac", 8), ("pcm_s16le", 16)],
)
def test_all_channels_are_mixed(tmp_path: Path, audio: str, channels: int) -> None:
    tones = [tone(3.0, hz=220 * (of + 1)) / (of + 1) for of in range(channels)]
    track = np.stack(tones, dtype=np.float32)
    film = TinyFilm(pictures=[], tracks=[track], audio=audio).write(tmp_path / "film.mkv")
    sound = sound_of(read(film)[0])
    whole = whole_sound(film, math.inf)
    np.testing.assert_allclose(sound[: len(whole)], whole, atol=1e-6)  # float32
    assert np.abs(sound[: 3 * 16_000] - resampled(track.mean(0), 24_000)).max() < 0.05


def test_gap_in_the_sound_is_zeros(tmp_path: Path) -> None:
    """Packets of 1.3 s are left out of a file."""
    whole = TinyFilm(tracks=[tone(6.0)]).write(tmp_path / "whole.mkv")
    path = tmp_path / "gap.mkv"
    with av.open(str(whole)) as source, av.open(str(path), "w") as out:
        streams = {of.index: out.add_stream_from_template(of) for of in source.streams}
        for packet in source.demux():
            if packet.dts is None:
                continue
            lost = packet.stream.type == "audio" and 2.0 <= stamp(packet) < 3.3
            if not lost:
                packet.stream = streams[packet.stream_index]
                out.mux(packet)
    spans, _ = read(path, rate_hz=2.0)
    assert masks(spans)[1][:12] == "111110111111"
    sound, expected = sound_of(spans), sound_of(read(whole, rate_hz=2.0)[0])
    assert not sound[33_000:52_000].any()
    np.testing.assert_allclose(sound[54_500:], expected[54_500:], atol=2e-3)  # stamps of 1 ms


def test_sound_that_overlaps_is_there_once(tmp_path: Path) -> None:
    """The second of two joined recordings begins 0.5 s before the first ends."""
    parts = []
    for start, hz in ((0.0, 300.0), (2.5, 600.0)):
        film = TinyFilm(pictures=[], tracks=[tone(3.0, hz=hz)], start=start)
        parts.append(film.write(tmp_path / f"{start}.ts"))
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    spans, decoded = read(joined)
    first, second = (sound_of(read(part)[0]) for part in parts)
    sound = sound_of(spans)
    assert decoded.duration_s == pytest.approx(5.5, abs=0.1)
    np.testing.assert_allclose(sound[:47_000], first[:47_000], atol=1e-6)  # float32
    later = round(16_000 * (probe(parts[1]).start_s - probe(parts[0]).start_s))
    expected = second[51_000 - later : 80_000 - later]
    np.testing.assert_allclose(sound[51_000:80_000], expected, atol=0.1)  # half a sample


def test_joined_recordings_are_one(tmp_path: Path) -> None:
    """Of different sample rates: time stamps begin again midway."""
    parts = []
    for rate, hz in ((24_000, 300.0), (48_000, 600.0)):
        film = TinyFilm(rate=rate, tracks=[tone(6.0, rate, hz)])
        parts.append(film.write(tmp_path / f"{rate}.ts"))
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    spans, decoded = read(joined)
    assert masks(spans)[0].startswith("1" * 12) and masks(spans)[1].startswith("1" * 12)
    assert decoded.duration_s == pytest.approx(12.1, abs=0.2)
    sound = sound_of(spans)
    for begin, hz in ((32_000, 300), (32_000 + 96_000, 600)):
        spectrum = np.abs(np.fft.rfft(sound[begin : begin + 16_000]))
        assert np.argmax(spectrum) == hz
    first = pictures_of(read(parts[0])[0])
    assert np.array_equal(pictures_of(spans)[:5], first[:5])


def test_quick_shows_the_last_key_frame_and_says_how_old_it_is(tmp_path: Path) -> None:
    film = TinyFilm(gop=20).write(tmp_path / "film.mp4")
    spans, decoded = read(film, quick=True)
    keys = [(float(time), of) for time, of in decoded_pictures(film) if of.key_frame]
    assert masks(spans) == ("111111", "111111") and 2 < len(keys) < 6
    ages = []
    for k, picture in enumerate(pictures_of(spans)):
        time, key = next(of for of in reversed(keys) if of[0] <= k + 0.5)
        assert np.array_equal(picture, scaled(key))
        ages.append(k + 0.5 - time)
    assert decoded.picture_ages.count == 6
    assert decoded.picture_ages.mean_s == pytest.approx(np.mean(ages))
    assert decoded.picture_ages.max_s == pytest.approx(max(ages))


def test_threads_change_nothing(tmp_path: Path) -> None:
    film = TinyFilm().write(tmp_path / "film.mp4")
    config = DecodingConfig(rate_hz=1.0, picture_size=SMALL, context_s=0.0, threads=2)
    spans = list(Decoded(film, config, None))
    assert np.array_equal(pictures_of(spans), pictures_of(read(film)[0]))


def test_streams_that_are_not_interleaved_are_read_apart(tmp_path: Path) -> None:
    film = TinyFilm().write(tmp_path / "film.mkv")
    with open_container(film) as source:
        expected = [(of.stream_index, of.pts, of.size) for of in source.demux() if of.size]
    with open_container(film) as source, PacketReader(film, source, [0, 1], limit=500) as reader:
        packets = chain(islice(reader.packets(0), 5), reader.packets(1), reader.packets(0))
        found = [(of.stream_index, of.pts, of.size) for of in packets]
    assert len(expected) > 100 and sorted(found) == sorted(expected)
