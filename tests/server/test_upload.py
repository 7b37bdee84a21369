"""Uploads: off unless wanted, no larger than allowed, and never outside of their folder."""

import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from reeltag.core.parts import new_part
from reeltag.server.api import upload
from reeltag.server.settings import ServerSettings
from reeltag.server.views.overview import JobView
from tests.library.media.tiny_films import TinyFilm, moving
from tests.processes import Launch
from tests.server.served_process import start
from tests.server.shells import PROGRAM
from tests.server.shown import Shown, showing

MOST = 200_000


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    return TinyFilm(pictures=moving(5), tracks=[]).write(path).read_bytes()


@pytest.fixture
def taking(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Shown, list[list[str]]]]:
    """A server that takes files, and the commands of the jobs that it starts."""
    empty = tmp_path / "none"
    empty.mkdir()
    started = list[list[str]]()
    with showing(corpus, empty, tmp_path, ServerSettings(upload_bytes=MOST)) as shown:
        jobs = shown.client.app.state.jobs  # type: ignore[attr-defined]
        start = jobs.start

        def listed(kind: str, title: str, argv: list[str], *, result: str = "") -> JobView:
            started.append(argv)
            view: JobView = start(kind, title, ["true"], result=result)
            return view

        monkeypatch.setattr(jobs, "start", listed)
        yield shown, started


def test_uploads_are_off_unless_wanted(corpus: Path, film: bytes, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    with showing(corpus, tmp_path / "none", tmp_path) as shown:
        response = shown.client.post(
            "/api/upload", files={"file": ("a.mp4", film)}, headers=PROGRAM
        )
        assert response.status_code == 403 and "--allow-upload" in response.json()["hint"]
        assert shown.client.get("/api/project").json()["can_upload"] is False
        assert not (shown.project.path / "uploads").exists()


def test_uploaded_film_is_kept_and_extracted(
    taking: tuple[Shown, list[list[str]]], film: bytes
) -> None:
    shown, started = taking
    assert shown.client.get("/api/project").json()["can_upload"] is True
    folder = shown.project.path / "uploads"
    for number in (1, 2):  # the second one of that name does not replace the first
        response = shown.client.post(
            "/api/upload", files={"file": ("My film.MP4", film)}, headers=PROGRAM
        )
        assert response.status_code == 202 and response.json()["kind"] == "extract"
        assert len(list(folder.iterdir())) == number
    assert sorted(of.name for of in folder.iterdir()) == ["My film-2.mp4", "My film.mp4"]
    assert (folder / "My film.mp4").read_bytes() == film
    data = str(shown.project.path)
    assert started[0] == [sys.executable, "-m", "reeltag", "extract", str(folder), "--out", data]


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../../evil.mp4", "evil.mp4"),
        ("..\\..\\evil.mp4", "evil.mp4"),
        ("/etc/evil.mp4", "evil.mp4"),
        (".hidden.mp4", "hidden.mp4"),
        ("<b>&.mp4", "_b_&.mp4"),
        ("x" * 300 + ".mp4", "x" * 120),
    ],
)
def test_name_of_an_upload_cannot_leave_its_folder(
    taking: tuple[Shown, list[list[str]]], film: bytes, tmp_path: Path, name: str, kept: str
) -> None:
    shown, _ = taking
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    files = {"file": (name, film)}
    assert shown.client.post("/api/upload", files=files, headers=PROGRAM).status_code == 202
    new = {path for path in tmp_path.rglob("*.mp4") if path not in before}
    (path,) = new
    assert path.parent == shown.project.path / "uploads" and path.name.startswith(kept[:100])


@pytest.mark.parametrize(
    ("name", "content", "status"),
    [
        ("a.mp4", b"", 415),
        ("a.mp4", b"#EXTM3U\nfile:///etc/passwd", 415),  # a list of other files
        ("a.mp4", b"<html><script>alert(1)</script>", 415),
        ("a.html", None, 415),
        ("a", None, 415),
        ("a.mp4", bytes(MOST), 413),
    ],
)
def test_what_is_no_film_or_too_large_is_not_kept(
    taking: tuple[Shown, list[list[str]]],
    film: bytes,
    name: str,
    content: bytes | None,
    status: int,
) -> None:
    shown, started = taking
    files = {"file": (name, film if content is None else content)}
    response = shown.client.post("/api/upload", files=files, headers=PROGRAM)
    assert response.status_code == status and response.json()["error"]
    folder = shown.project.path / "uploads"
    assert not started and not (folder.is_dir() and list(folder.iterdir()))


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("text/plain", b"x", 415),
        ("multipart/form-data", b"x", 415),
        ("multipart/form-data; boundary=b", b"nonsense", 400),
        ("multipart/form-data; boundary=b", b"--b--\r\n", 400),
        ("multipart/form-data; boundary=" + "b" * 5000, b"x", 400),
    ],
)
def test_broken_form_is_reported(
    taking: tuple[Shown, list[list[str]]], content_type: str, body: bytes, status: int
) -> None:
    headers = {"content-type": content_type, **PROGRAM}
    response = taking[0].client.post("/api/upload", content=body, headers=headers)
    assert response.status_code == status and response.json()["error"]


def test_upload_that_breaks_off_leaves_nothing(
    taking: tuple[Shown, list[list[str]]], film: bytes
) -> None:
    """Larger than what is kept in memory, and without its end."""
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n'
    headers = {"content-type": "multipart/form-data; boundary=b", **PROGRAM}
    body = head + film + bytes(100_000)
    response = taking[0].client.post("/api/upload", content=body, headers=headers)
    assert response.status_code == 400
    assert not list((taking[0].project.path / "uploads").iterdir())


def _receive(data: Path) -> None:
    """Have received half of a file when the power fails."""
    with new_part(data / upload.UPLOADS / upload._RECEIVED, folder=True) as part:
        (part / "0").write_bytes(bytes(1000))
        print(part, flush=True)
        signal.pause()


def test_what_a_killed_server_had_half_received_is_removed(
    launch: Launch, corpus: Path, tmp_path: Path
) -> None:
    data = Path(shutil.copytree(corpus, tmp_path / "data"))
    receiving = launch(_receive, data)
    receiving.until(lambda: receiving.out.read_text().endswith("\n"))
    part = Path(receiving.out.read_text().strip())
    upload.remove_half_received(data)
    assert part.is_dir()  # it comes still
    receiving.kill()
    start(launch, data)
    assert not list((data / upload.UPLOADS).iterdir())


def test_uploads_leave_room_on_the_disk(
    taking: tuple[Shown, list[list[str]]], film: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown, started = taking
    monkeypatch.setattr(upload, "_FREE_BYTES", 10**18)
    response = shown.client.post("/api/upload", files={"file": ("a.mp4", film)}, headers=PROGRAM)
    assert response.status_code == 507 and "almost full" in response.json()["error"]
    assert not started and not list((shown.project.path / upload.UPLOADS).iterdir())
