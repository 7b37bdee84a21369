"""What is in a file, and one line that says why one cannot be used."""

import json
import os
from dataclasses import asdict
from pathlib import Path

import av
import pytest

from reeltag.core.errors import reason_of
from reeltag.library.media.media_info import MediaError, info_from, probe
from tests.library.media.tiny_films import TinyFilm, moving, tone


def test_streams_are_described(tmp_path: Path) -> None:
    film = TinyFilm(tracks=[tone(6.0), tone(6.0, hz=660)], options={"movflags": "+faststart"})
    info = probe(film.write(tmp_path / "film.mp4"))
    assert info.duration_s == 6.0 and info.start_s == 0 and "mp4" in info.container
    assert info.picture is not None and info.sound is not None and len(info.streams) == 3
    assert (info.picture.codec, info.picture.width, info.picture.height) == ("h264", 64, 48)
    assert (info.picture.fps, info.picture.pixel_format) == (10.0, "yuv420p")
    assert (info.sound.codec, info.sound.sample_rate, info.sound.channels) == ("aac", 24_000, 1)
    assert info.note == "1 more sound stream not used"
    assert info_from(json.loads(json.dumps(asdict(info)))) == info


def test_duration_does_not_count_the_time_before_the_start(tmp_path: Path) -> None:
    for name in ("film.mkv", "film.mp4"):
        info = probe(TinyFilm(start=5.0).write(tmp_path / name))
        assert info.start_s == pytest.approx(5.0, abs=0.05)
        assert info.duration_s == pytest.approx(6.0, abs=0.1)


def cut_before_index(path: Path) -> None:
    TinyFilm().write(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])


def encrypted(path: Path) -> None:
    TinyFilm(tracks=[]).write(path)
    path.write_bytes(path.read_bytes().replace(b"avc1\0\0\0\0", b"encv\0\0\0\0"))


BROKEN = {
    "is empty": lambda path: path.write_bytes(b""),
    "is a text file": lambda path: path.write_text("This is no film.\n" * 9),
    "is a play list": lambda path: path.write_text("#EXTM3U\n/etc/passwd\n"),
    "is a single picture": lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(99)),
    "is cut off before its index": cut_before_index,
    "is encrypted": encrypted,
    "is no video or sound file": lambda path: path.write_bytes(bytes(range(256)) * 9),
    "cannot be read .*No such file": lambda path: None,
    "cannot be read .*directory": lambda path: path.mkdir(),
}


@pytest.mark.parametrize("words", BROKEN)
def test_broken_file_is_one_line_that_names_it_and_says_why(tmp_path: Path, words: str) -> None:
    path = tmp_path / "film.mp4"
    BROKEN[words](path)
    with pytest.raises(MediaError, match=words) as caught:
        probe(path)
    assert caught.value.where == str(path) and "\n" not in str(caught.value)


def test_file_that_may_not_be_read_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = TinyFilm(pictures=moving(5), tracks=[]).write(tmp_path / "film.mp4")
    denied = PermissionError(13, os.strerror(13))
    monkeypatch.setattr(
        "reeltag.library.media.opening.read_head", lambda path: (_ for _ in ()).throw(denied)
    )
    with pytest.raises(MediaError, match=reason_of(denied)):
        probe(path)


def test_cover_of_a_song_is_no_video(tmp_path: Path) -> None:
    song = TinyFilm(pictures=[]).write(tmp_path / "song.m4a")
    covered = tmp_path / "covered.mp4"
    with av.open(str(song)) as source, av.open(str(covered), "w") as out:
        sound = out.add_stream_from_template(source.streams.audio[0])
        cover = out.add_stream("mjpeg")
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        frame = av.VideoFrame.from_ndarray(moving(1)[0], "rgb24").reformat(format="yuvj420p")
        out.mux(cover.encode(frame))
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = sound
                out.mux(packet)
    info = probe(covered)
    assert info.picture is None and info.sound is not None


def test_stream_whose_time_stamps_are_broken_is_not_used(tmp_path: Path) -> None:
    """A tick of its clock lasts years: bytes of its header were overwritten."""
    film = TinyFilm(video="mpeg4", audio="libmp3lame").write(tmp_path / "film.avi")
    data = bytearray(film.read_bytes())
    scale = data.index(b"vids") + 20
    data[scale : scale + 4] = b"\xff\xff\xff\x7e"
    film.write_bytes(data)
    info = probe(film)
    assert info.picture is None and info.sound is not None
    assert info.note == "picture stream 0 not used: its time stamps are broken"
