"""Files of videos over HTTP: ranges, files that are not what they were, playable copies."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from reeltag.core.errors import OutputError
from reeltag.core.parts import part_name
from reeltag.library.database.tables import StreamRow
from reeltag.library.media.finding import find_media
from reeltag.library.media.media_info import probe
from reeltag.server.project import proxy_job
from reeltag.server.project.played_file import PlayedFile
from reeltag.server.project.proxies import ProxyStore
from tests.library.media.tiny_films import TinyFilm, decoded_pictures, moving, tone
from tests.processes import Launch, wait_until
from tests.server.shells import PROGRAM
from tests.server.shown import Shown, showing

EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def tiny_films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film that browsers play, one that they do not, and a page that calls itself a film."""
    films = tmp_path_factory.mktemp("films")
    TinyFilm(pictures=moving(20), tracks=[tone(2.0)]).write(films / "plays.mp4")
    old = TinyFilm(pictures=moving(15), tracks=[tone(1.5)], video="mpeg4")
    old.write(films / "old.avi")
    shutil.copy(films / "plays.mp4", films / f"{EVIL}.mp4")
    with (films / f"{EVIL}.mp4").open("ab") as file:
        file.write(b"<script>alert(1)</script>")
    return films


@pytest.fixture(scope="module")
def shown(
    corpus: Path, tiny_films: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shown]:
    """A server for all tests that change nothing."""
    with showing(corpus, tiny_films, tmp_path_factory.mktemp("shown")) as shown:
        yield shown


@pytest.fixture
def changing(corpus: Path, tiny_films: Path, tmp_path: Path) -> Iterator[Shown]:
    """A server for this test alone."""
    with showing(corpus, tiny_films, tmp_path) as shown:
        yield shown


def test_file_is_served_whole_and_in_parts(shown: Shown) -> None:
    film = (shown.films / "plays.mp4").read_bytes()
    size = len(film)
    whole = shown.get("/media/video", "plays")
    assert whole.status_code == 200 and whole.content == film
    assert whole.headers["accept-ranges"] == "bytes"
    assert whole.headers["content-type"] == "video/mp4"
    for asked, first, stop in (
        ("0-99", 0, 100),
        ("100-", 100, size),
        ("-7", size - 7, size),
        (f"5-{size + 99}", 5, size),
    ):
        part = shown.get("/media/video", "plays", range=f"bytes={asked}")
        assert part.status_code == 206 and part.content == film[first:stop]
        assert part.headers["content-range"] == f"bytes {first}-{stop - 1}/{size}"
    beyond = shown.get("/media/video", "plays", range=f"bytes={size}-")
    assert beyond.status_code == 416 and beyond.headers["content-range"] == f"bytes */{size}"
    assert set(beyond.json()) == {"error", "hint"}
    again = shown.get("/media/video", "plays", range=f"bytes={size}-", if_range='"x"')
    assert again.status_code == 200 and again.content == film
    head = shown.client.head("/media/video", params={"id": "plays"})
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) == size


@pytest.mark.parametrize(
    "asked",
    [
        *("bytes=b-a", "lines=1-2", "bytes", "bytes=", "bytes=-", "bytes=9-3", "bytes=--5"),
        *("bytes=+1-+5", "bytes=1_0-2_0", "bytes=0x0-0x5", "bytes= 0 - 5", "bytes=-0"),
        *("bytes=0-" + "9" * 5000, "bytes=" + "9" * 300 + "-"),
        *("bytes=0-1,5-6", "bytes=" + "0-," * 5000, "bytes=" + ",".join(["0-"] * 1000)),
        "bytes=" + ",".join(f"{3 * of}-{3 * of}" for of in range(2000)),
    ],
)
def test_strange_or_several_ranges_are_not_heeded(shown: Shown, asked: str) -> None:
    """The file comes once and whole, however often parts of it are asked for."""
    whole = shown.get("/media/video", "plays", range=asked)
    assert whole.status_code == 200 and whole.content == (shown.films / "plays.mp4").read_bytes()
    static = shown.client.get("/static/dom.js", headers={"Range": asked})
    assert static.status_code == 200 and "content-range" not in static.headers


def test_known_file_is_not_sent_again(shown: Shown) -> None:
    etag = shown.get("/media/video", "plays").headers["etag"]
    same = shown.get("/media/video", "plays", if_none_match=f'"x", {etag}')
    assert (same.status_code, same.content) == (304, b"")
    part = shown.get("/media/video", "plays", range="bytes=0-9", if_range=etag)
    assert part.status_code == 206
    other = shown.get("/media/video", "plays", range="bytes=0-9", if_range='"x"')
    assert other.status_code == 200 and len(other.content) > 10


def test_changed_or_vanished_file_is_reported(changing: Shown, tmp_path: Path) -> None:
    path = changing.films / "plays.mp4"
    os.utime(path, (1, 1))  # copied or restored: the content counts
    assert changing.get("/media/video", "plays").status_code == 200
    path.rename(tmp_path / "away.mp4")
    assert changing.proxy_state("plays") == "impossible"
    gone = changing.get("/media/video", "plays")
    assert gone.status_code == 410 and "plays.mp4" in gone.json()["error"]
    assert "extract" in gone.json()["hint"]
    path.write_bytes(b"x" * (tmp_path / "away.mp4").stat().st_size)
    assert changing.get("/media/video", "plays").status_code == 409
    path.unlink()
    os.mkfifo(path)  # would be waited for
    assert changing.get("/media/video", "plays").status_code == 409
    path.unlink()
    path.symlink_to("/etc/passwd")
    assert changing.get("/media/video", "plays").status_code == 409


def test_copy_is_served_where_the_first_file_has_vanished(changing: Shown) -> None:
    shutil.copy2(changing.films / "plays.mp4", changing.films / "copy.mp4")
    library = changing.project.library
    assert library is not None
    library.sync(find_media([changing.films]))
    library.get("plays").path.unlink()
    assert changing.get("/media/video", "plays").status_code == 200


@pytest.mark.parametrize(
    "video",
    ["", "nothing", "../../etc/passwd", "/etc/passwd", "plays.mp4", "..%2fplays", "plays/", "."],
)
@pytest.mark.parametrize("path", ["/media/video", "/media/proxy", "/media/poster", "/media/sprite"])
def test_only_listed_videos_are_served(shown: Shown, path: str, video: str) -> None:
    response = shown.get(path, video)
    assert response.status_code == 404 and set(response.json()) == {"error", "hint"}


def test_video_without_a_file_is_reported(shown: Shown) -> None:
    video = next(of for of in shown.project.videos.ids if of not in ("plays", "old"))
    response = shown.get("/media/video", video)
    assert response.status_code == 404 and "no file" in response.json()["error"]


def test_file_is_never_a_page_whatever_its_name(shown: Shown) -> None:
    video = next(of for of in shown.project.videos.ids if "img" in of)
    response = shown.get("/media/video", video)
    assert response.headers["content-type"] == "video/mp4"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "content-disposition" not in response.headers


def test_poster_and_sprite_are_those_of_the_previews(changing: Shown) -> None:
    assert changing.get("/media/poster", "plays").status_code == 404
    folder = changing.project.path / "previews"
    folder.mkdir()
    (folder / "plays.poster.jpg").write_bytes(b"poster")
    (folder / "plays.json").write_text(
        '{"poster": {"file": "plays.poster.jpg"}, "thumbnails": null, "loudness": null}'
    )
    poster = changing.get("/media/poster", "plays")
    assert poster.content == b"poster" and poster.headers["content-type"] == "image/jpeg"
    assert (
        changing.get("/media/poster", "plays", if_none_match=poster.headers["etag"]).content == b""
    )


def stream(kind: str, codec: str, pixels: str = "", *, is_used: bool = True) -> StreamRow:
    return StreamRow(
        video=1,
        index=0,
        kind=kind,
        codec=codec,
        start_s=0.0,
        duration_s=None,
        is_used=is_used,
        problem="",
        width=None,
        height=None,
        rotation=0,
        is_mirrored=False,
        fps=None,
        pixel_format=pixels,
        is_interlaced=False,
        sample_rate=None,
        channels=None,
    )


MP4, MKV = "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"
H264, AAC = ("picture", "h264", "yuv420p"), ("sound", "aac")


@pytest.mark.parametrize(
    ("name", "container", "streams", "plays"),
    [
        ("a.mp4", MP4, [H264, AAC], True),
        ("a.mov", MP4, [H264], True),
        ("a.m4a", MP4, [AAC], True),
        ("a.mp4", MP4, [("picture", "libdav1d", "yuv420p"), ("sound", "libopus")], True),
        ("a.mp4", MP4, [("picture", "h264", "yuv420p10le"), AAC], False),
        ("a.mp4", MP4, [("picture", "h264", "yuv444p"), AAC], False),
        ("a.mp4", MP4, [("picture", "hevc", "yuv420p"), AAC], False),
        ("a.mov", MP4, [("picture", "prores", "yuv422p10le")], False),
        ("a.mp4", MP4, [H264, ("sound", "ac3")], False),
        ("a.m4a", MP4, [("sound", "alac")], False),
        ("a.webm", MKV, [("picture", "vp9", "yuv420p"), ("sound", "opus")], True),
        ("a.WEBM", MKV, [("picture", "vp8", "yuv420p"), ("sound", "vorbis")], True),
        ("a.mkv", MKV, [H264, AAC], False),
        ("a.mkv", MKV, [("picture", "vp9", "yuv420p")], False),
        ("a.webm", MKV, [H264], False),
        ("a.avi", "avi", [H264, ("sound", "mp3float")], False),
        ("a.mpg", "mpeg", [("picture", "mpeg2video", "yuv420p")], False),
        ("a.mp3", "mp3", [("sound", "mp3float")], True),
        ("a.wav", "wav", [("sound", "pcm_s16le")], True),
        ("a.flac", "flac", [("sound", "flac")], True),
        ("a.ogg", "ogg", [("sound", "vorbis")], True),
        ("a.mp4", MP4, [], False),
    ],
)
def test_what_browsers_play(
    name: str, container: str, streams: list[tuple[str, ...]], plays: bool
) -> None:
    rows = tuple(stream(*of) for of in streams)
    file = PlayedFile(Path(name), os.stat("/"), "c", container, rows)
    assert file.is_playable is plays
    unused = stream("sound", "truehd", is_used=False)
    assert (
        PlayedFile(Path(name), os.stat("/"), "c", container, (*rows, unused)).is_playable is plays
    )


def test_playable_copy_is_made_on_demand(changing: Shown) -> None:
    """The copy has what the film has at the same second, and is served like a file."""
    assert changing.get("/media/proxy", "old").status_code == 404
    assert (changing.proxy_state("plays"), changing.proxy_state("old")) == ("not needed", "needed")
    needless = changing.client.post("/api/proxy", params={"id": "plays"}, headers=PROGRAM)
    assert needless.status_code == 409
    response = changing.client.post("/api/proxy", params={"id": "old"}, headers=PROGRAM)
    assert response.status_code == 202 and changing.proxy_state("old") in ("making", "ready")
    jobs = changing.client.app.state.jobs  # type: ignore[attr-defined]
    key = response.json()["key"]
    wait_until(lambda: jobs.get(key).state not in ("waiting", "running"))
    assert jobs.get(key).state == "done", jobs.get(key).message
    assert changing.proxy_state("old") == "ready"
    part = changing.get("/media/proxy", "old", range="bytes=4-7")
    assert (part.status_code, part.content) == (206, b"ftyp")
    copy = next((changing.project.folder / "proxies").glob("*.mp4"))
    info = probe(copy)
    assert info.picture is not None and info.sound is not None
    assert (info.picture.codec, info.picture.pixel_format) == ("h264", "yuv420p")
    assert info.sound.codec == "aac"
    # the sound of the film ends a packet later than its pictures: 1,024 samples of 24 kHz
    assert info.duration_s == pytest.approx(1.5, abs=0.11)
    assert copy.read_bytes().index(b"moov") < copy.read_bytes().index(b"mdat")
    old, new = brightness(changing.films / "old.avi"), brightness(copy)
    assert set(old) <= set(new) and len(old) == 15
    # brightness tells the picture: neighbours are 12 apart, and codecs lose less than half of it
    assert not {time for time in old if abs(old[time] - new[time]) > 6}


def brightness(path: Path) -> dict[float, float]:
    """Return time stamp in seconds -> brightness of a film's pictures."""
    return {
        round(float(time), 3): float(np.median(of.to_ndarray(format="gray")[20:, 30:]))
        for time, of in decoded_pictures(path)
    }


def test_copy_that_does_not_fit_is_not_left_half_written(
    shown: Shown, launch: Launch, tmp_path: Path
) -> None:
    out = tmp_path / "proxies" / "copy.mp4"
    arguments = [str(shown.films / "old.avi"), str(out)]
    job = launch(proxy_job.main, arguments, most_bytes=3000)
    assert job.result() == 2
    assert "error: " in job.err.read_text() and "cannot be written" in job.err.read_text()
    assert not list(out.parent.iterdir())


def test_copy_leaves_room_on_the_disk(
    shown: Shown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxy_job, "_FREE_BYTES", 10**18)
    with pytest.raises(OutputError, match="almost full"):
        list(proxy_job.make_proxy(shown.films / "old.avi", tmp_path / "copies" / "copy.mp4"))
    assert not list((tmp_path / "copies").iterdir())


def test_copies_that_were_not_used_for_longest_make_room(tmp_path: Path) -> None:
    store = ProxyStore(tmp_path, most_bytes=250)
    for age, name in enumerate("abc"):
        (tmp_path / f"{name}.mp4").write_bytes(bytes(100))
        os.utime(tmp_path / f"{name}.mp4", (1000 + age, 1000))
    first = PlayedFile(tmp_path / "x.avi", os.stat("/"), "a", "avi", ())
    found = store.find(first)  # used now
    assert found is not None and found.stat().st_mtime == 1000  # or parts of it would not fit
    store.trim()
    assert sorted(of.name for of in tmp_path.iterdir()) == ["a.mp4", "c.mp4"]
    ProxyStore(tmp_path, most_bytes=50).trim(keep=tmp_path / "c.mp4")
    assert [of.name for of in tmp_path.iterdir()] == ["c.mp4"]
    (tmp_path / part_name("d.mp4")).touch()
    (tmp_path / "mine.part").touch()
    store.clean()
    assert sorted(of.name for of in tmp_path.iterdir()) == ["c.mp4", "mine.part"]
