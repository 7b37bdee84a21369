"""Jobs of the server: progress, turns, cancelling, and no process that outlives it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from reeltag.core.errors import ConfigError
from reeltag.server.errors import RequestError
from reeltag.server.events import JobEvents
from reeltag.server.jobs import Jobs
from reeltag.server.views.overview import JobState, JobView
from tests.processes import HANG_S, is_alive, program, wait_until
from tests.server.shells import PROGRAM, client_of, shell

FOREVER = ["sleep", "infinity"]


class Watched:
    """Jobs, and what became of them."""

    def __init__(self, folder: Path, at_once: int = 2, most_waiting: int = 16) -> None:
        self.seen, self._news = list[JobView](), threading.Condition()
        self.jobs = Jobs(
            folder, at_once=at_once, most_waiting=most_waiting, on_change=self._on_change
        )

    def _on_change(self, job: JobView) -> None:
        with self._news:
            self.seen.append(job)
            self._news.notify_all()

    def until(self, key: str, *states: JobState) -> JobView:
        """Wait until a job is in one of some states."""
        return self._first(lambda job: job.key == key and job.state in states)

    def number_from(self, key: str) -> int:
        """Wait until a job says a number."""
        return int(self._first(lambda job: job.key == key and job.message.strip() != "").message)

    def _first(self, is_so: Callable[[JobView], bool]) -> JobView:
        with self._news:
            assert self._news.wait_for(lambda: any(map(is_so, self.seen)), HANG_S)
            return next(filter(is_so, self.seen))


@contextmanager
def watching(folder: Path, **options: int) -> Iterator[Watched]:
    """Yield jobs that are gone after the block."""
    watched = Watched(folder, **options)
    try:
        yield watched
    finally:
        watched.jobs.close()


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    with watching(tmp_path) as watched:
        yield watched


def sh(script: str) -> list[str]:
    return ["sh", "-c", script]


def test_job_reports_progress_and_its_end(watched: Watched, tmp_path: Path) -> None:
    script = "echo out; echo reading >&2; echo 'progress: 0.42 half of it' >&2; echo bye >&2"
    job = watched.jobs.start("curves", "Curves", sh(script), result="/library")
    done = watched.until(job.key, "done")
    assert (done.fraction, done.message, done.result) == (1.0, "bye", "/library")
    messages = [(of.fraction, of.message) for of in watched.seen if of.state == "running"]
    assert (None, "reading") in messages and (0.42, "half of it") in messages
    log = (tmp_path / f"{job.key}.log").read_text()
    assert sorted(log.split("\n")) == sorted(
        ["", "bye", "out", "progress: 0.42 half of it", "reading"]
    )


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo 'error: no space' >&2; echo '  Free some.' >&2; exit 2", "no space Free some."),
        ("echo 'last words' >&2; exit 3", "last words"),
        ("exit 3", "it ended with status 3"),
        ("kill -9 $$", "it ended with status 137"),
    ],
)
def test_job_that_fails_says_why(watched: Watched, script: str, words: str) -> None:
    job = watched.jobs.start("learn", "Learn", sh(script))
    assert watched.until(job.key, "failed").message == words


def test_program_that_is_not_there_fails_in_words(watched: Watched) -> None:
    job = watched.jobs.start("learn", "Learn", ["/no/such/program"])
    assert "/no/such/program" in watched.until(job.key, "failed").message


def test_on_done_runs_before_the_job_is_done(watched: Watched) -> None:
    states = list[JobState]()
    key = list[str]()
    began = threading.Event()

    def on_done() -> None:
        assert began.wait(HANG_S)
        states.append(watched.jobs.get(key[0]).state)

    key.append(watched.jobs.start("curves", "Curves", ["true"], on_done=on_done).key)
    began.set()
    watched.until(key[0], "done")
    assert states == ["running"]

    def refuse() -> None:
        raise ConfigError("these are other features")

    job = watched.jobs.start("curves", "Curves", ["true"], on_done=refuse)
    assert watched.until(job.key, "failed").message == "these are other features"


def test_jobs_take_turns_and_no_more_than_fit_wait(tmp_path: Path) -> None:
    with watching(tmp_path, at_once=1, most_waiting=1) as watched:
        first = watched.jobs.start("learn", "1", FOREVER)
        second = watched.jobs.start("learn", "2", ["true"])
        assert (first.state, second.state) == ("running", "waiting")
        assert watched.jobs.start("learn", "again", ["true"]).key == second.key
        with pytest.raises(RequestError, match="too many jobs") as caught:
            watched.jobs.start("learn", "3", ["false"])
        assert caught.value.status == 429
        watched.jobs.cancel(first.key)
        watched.until(second.key, "done")


def test_cancelled_job_is_gone_with_all_that_it_started(watched: Watched) -> None:
    script = "sleep infinity & echo $! >&2; wait"
    job = watched.jobs.start("learn", "Learn", sh(script))
    pid = watched.number_from(job.key)
    watched.jobs.cancel(job.key)
    assert watched.until(job.key, "cancelled").message == "cancelled"
    wait_until(lambda: not is_alive(pid))


def test_waiting_job_is_cancelled_without_running(tmp_path: Path) -> None:
    with watching(tmp_path / "jobs", at_once=1) as watched:
        watched.jobs.start("learn", "1", FOREVER)
        mark = tmp_path / "ran"
        job = watched.jobs.start("learn", "2", ["touch", str(mark)])
        assert watched.jobs.cancel(job.key).state == "cancelled"
    assert not mark.exists()


def test_killed_server_takes_its_jobs_along(tmp_path: Path) -> None:
    """SIGKILL leaves a server no time for anything; the next one says what was interrupted."""
    code = (
        "import signal, sys; from pathlib import Path; from reeltag.server.jobs import Jobs\n"
        "def show(job):\n"
        "    if job.message: print(job.message, flush=True)\n"
        "jobs = Jobs(Path(sys.argv[1]), on_change=show)\n"
        "jobs.start('learn', 'Learn', ['sh', '-c', 'sleep infinity & echo $! $$ >&2; wait'])\n"
        "signal.pause()\n"
    )
    with program(
        [sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        pids = [int(of) for of in server.stdout.readline().split()]
        assert len(pids) == 2 and all(map(is_alive, pids))
        server.send_signal(signal.SIGKILL)
        wait_until(lambda: not any(map(is_alive, pids)))
    (job,) = Jobs(tmp_path).all()
    assert job.state == "failed" and "interrupted" in job.message


def test_damaged_list_of_jobs_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{")
    (tmp_path / "b.json").write_text(json.dumps({"key": "b"}))
    (tmp_path / "c.json").write_text("[]")
    assert Jobs(tmp_path).all() == []


def test_api_lists_cancels_and_misses_jobs(tmp_path: Path) -> None:
    app = shell(tmp_path)
    with client_of(app) as client:
        job = app.state.jobs.start("proxy", "Copy", FOREVER)
        assert [of["key"] for of in client.get("/api/jobs").json()] == [job.key]
        assert client.get(f"/api/jobs/{job.key}").json()["state"] == "running"
        assert client.delete(f"/api/jobs/{job.key}").status_code == 403
        assert client.delete(f"/api/jobs/{job.key}", headers=PROGRAM).status_code == 200
        for key in ("nothing", "..%2f..%2fetc%2fpasswd"):
            assert client.get(f"/api/jobs/{key}").status_code in (400, 404)
    assert app.state.jobs.get(job.key).state in ("cancelled", "failed")


def view(key: str, fraction: float) -> JobView:
    return JobView(
        key=key,
        kind="learn",
        title="Learn",
        state="running",
        fraction=fraction,
        message="",
        result="",
        started_at="",
        seconds=0.0,
    )


def test_events_come_from_other_threads_and_the_last_of_a_job_counts() -> None:
    async def listen() -> list[dict[str, object]]:
        events, found = JobEvents(), list[dict[str, object]]()

        def publish() -> None:
            for step in range(100):
                events.publish(view("b", step / 100))
            events.publish(view("c", 1.0))

        async for part in events.listen([view("a", 0.0)]):
            for line in part.decode().splitlines():
                if line.startswith("data: "):
                    found.append(json.loads(line.removeprefix("data: ")))
            if len(found) == 1:
                await asyncio.to_thread(publish)
            if any(of["key"] == "c" for of in found):
                events.close()
        return found

    found = asyncio.run(asyncio.wait_for(listen(), HANG_S))
    assert found[0]["key"] == "a" and found[-1]["key"] == "c"
    steps = [of["fraction"] for of in found if of["key"] == "b"]
    assert steps[-1] == 0.99 and len(steps) < 100


def test_stream_of_events_ends_with_the_server(tmp_path: Path) -> None:
    app = shell(tmp_path)
    events = app.state.events

    def close_once_it_is_heard() -> None:
        wait_until(lambda: bool(events._listeners))
        events.close()

    with client_of(app) as client, ThreadPoolExecutor(1) as pool:
        closing = pool.submit(close_once_it_is_heard)
        response = client.get("/api/jobs/events")
        closing.result()
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-store"


def test_job_of_a_process_group_of_its_own(watched: Watched) -> None:
    """Ctrl-C in the terminal of the server is for the server alone."""
    job = watched.jobs.start("learn", "Learn", sh("ps -o pgid= -p $$ >&2; sleep infinity"))
    assert watched.number_from(job.key) != os.getpgrp()
