"""Floods of requests for playable copies: the work is bounded, and nothing is left of it."""

import shutil
import signal
import socket
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from reeltag.library.database.library import Library
from reeltag.library.media.finding import find_media
from reeltag.library.media.media_info import probe
from tests.library.media.tiny_films import TinyFilm, moving, tone
from tests.processes import HANG_S, Launch, wait_until
from tests.server.served_process import jobs, post, start

AT_ONCE, WAITING = 2, 3
WHOLE = [f"old{of}" for of in range(6)]
STATUS = {  # of a request for a copy
    **dict.fromkeys(WHOLE, (202, 409, 429)),  # 409: there is one
    "broken": (202, 429),
    "plays": (409,),
    "changed": (409,),
    "vanished": (410,),
    "nobody": (404,),
    "../../etc/passwd": (404,),
}


@pytest.fixture
def data(corpus: Path, tmp_path: Path) -> Path:
    """Films that browsers do not play, one whose end is missing, and others that need no copy."""
    films, data = tmp_path / "films", Path(shutil.copytree(corpus, tmp_path / "data"))
    films.mkdir()
    TinyFilm(pictures=moving(20), tracks=[tone(2.0)]).write(films / "plays.mp4")
    old = TinyFilm(pictures=moving(40), tracks=[tone(4.0)], video="mpeg4")
    old.write(films / "old0.avi")
    content = (films / "old0.avi").read_bytes()
    for number, name in enumerate((*WHOLE[1:], "changed", "vanished")):
        (films / f"{name}.avi").write_bytes(content + bytes([number]))
    (films / "broken.avi").write_bytes(content[:2000] + b"\xff" * 4000)
    with Library.open(data, create=True) as library:
        library.sync(find_media([films]))
        for row in library.videos():
            is_broken = row.id == "broken"  # as a film whose file was damaged in its place
            library.describe(row, probe(films / "old0.avi" if is_broken else row.path))
    (films / "changed.avi").write_bytes(b"x" + content)
    (films / "vanished.avi").unlink()
    return data


class Flood:
    """Requests for copies, many at a time.

    Args:
        address: of the server.
    """

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._address, self._place = address, (str(parts.hostname), parts.port or 0)
        self.most_processes = 0

    def ask(self, video: str) -> int:
        """Ask for a copy; return the status."""
        return post(self._address, f"/api/proxy?id={video}")

    def abort(self, video: str) -> None:
        """Ask for a copy, and go away at once."""
        head = f"POST /api/proxy?id={video} HTTP/1.1\r\nHost: localhost\r\nX-Reeltag: 1\r\n\r\n"
        with closing(socket.create_connection(self._place, HANG_S)) as connection:
            connection.sendall(head.encode())

    def jobs(self) -> list[dict[str, Any]]:
        """Return the jobs of the server: its list is read while it is flooded."""
        return jobs(self._address)

    def run(self, launch: Launch, times: int) -> dict[str, Counter[int]]:
        """Ask for each copy many times at once; return the statuses of each."""
        asked = [video for _ in range(times) for video in STATUS]
        found: dict[str, Counter[int]] = {video: Counter() for video in STATUS}
        with ThreadPoolExecutor(24) as pool:
            aborted = [pool.submit(self.abort, video) for video in asked]
            statuses = pool.map(self.ask, asked)
            for video, status in zip(asked, statuses, strict=True):
                found[video][status] += 1
                if not sum(map(Counter.total, found.values())) % 16:  # while others wait
                    states = Counter(of["state"] for of in self.jobs())
                    assert states["running"] <= AT_ONCE and states["waiting"] <= WAITING
                    self.most_processes = max(self.most_processes, len(launch.left()))
            for of in aborted:
                of.result()
        return found


def copies(data: Path) -> list[Path]:
    """Return all that is in the folder of copies."""
    return [path for folder in data.rglob("proxies") for path in folder.iterdir()]


def test_work_is_bounded_and_others_are_answered(launch: Launch, data: Path) -> None:
    server, address = start(launch, data, jobs=AT_ONCE, waiting_jobs=WAITING)
    flood = Flood(address)
    for video, statuses in flood.run(launch, 6).items():
        assert set(statuses) <= set(STATUS[video]), (video, statuses)
    assert flood.most_processes <= 2 * AT_ONCE  # each with the one that ends it
    wait_until(lambda: all(of["state"] in ("done", "failed") for of in flood.jobs()))
    wait_until(lambda: launch.left() == [])
    jobs = [of for of in flood.jobs() if of["kind"] == "proxy"]
    done = Counter(of["title"] for of in jobs if of["state"] == "done")
    failed = {of["title"] for of in jobs if of["state"] == "failed"}
    assert set(done.values()) == {1} and failed <= {"Playable copy of broken.avi"}
    assert len(copies(data)) == len(done)
    assert all(of.suffix == ".mp4" and probe(of).picture is not None for of in copies(data))
    server.signal(signal.SIGTERM).wait()
    assert server.status == 0 and "Traceback" not in server.err.read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_server_that_is_ended_in_a_flood_leaves_nothing(
    launch: Launch, data: Path, number: signal.Signals
) -> None:
    server, address = start(launch, data, jobs=AT_ONCE, waiting_jobs=WAITING)
    flood = Flood(address)
    for video in WHOLE:
        flood.abort(video)

    def is_being_made() -> bool:
        has_ended = all(of["state"] in ("done", "failed") for of in flood.jobs())
        return has_ended or any(path.suffix != ".mp4" for path in copies(data))

    wait_until(lambda: bool(flood.jobs()))
    wait_until(is_being_made)
    server.signal(number).wait()
    wait_until(lambda: launch.left() == [])
    start(launch, data)  # what was killed left a part, which the next server removes
    assert all(of.suffix == ".mp4" and probe(of).picture is not None for of in copies(data))
