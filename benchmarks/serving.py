"""How fast the server answers, whether it stays well under load, and whether ratings survive.

    python -m benchmarks serving pages      95th percentiles of requests, one client
    python -m benchmarks serving soak       50 clients, 10 minutes: errors, memory
    python -m benchmarks serving kill       100 x kill -9 while ratings are posted

The server is `reeltag serve` in a process of its own, asked over HTTP on this machine. Data: 1,000
videos of 6 minutes with random features and smooth random curves of 500 classes.
"""

import random
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from benchmarks.figure import figure
from benchmarks.results import Row
from benchmarks.served_data import write_served_data
from benchmarks.served_process import ServedProcess, rating, served
from reeltag.library.database.library import Library

VIDEOS, SECONDS, CLASSES = 1000, 360, 500
CLIENTS, MINUTES, KILLS, POSTERS = 50, 10.0, 100, 4
REQUESTS, WARM = 200, 10
_TARGETS_MS = {
    "library page": 150,
    "library list": 150,
    "a video's curves": 100,
    "class search": 100,
    "similar moments": 200,
    "rating stored": 30,
}


@dataclass(frozen=True)
class _Sizes:
    """How much is measured."""

    videos: int
    seconds: int
    classes: int

    def video(self, rng: random.Random) -> str:
        return f"video_{rng.randrange(self.videos):05d}"

    def class_name(self, rng: random.Random) -> str:
        return f"class {rng.randrange(self.classes):03d}"


_FULL, _QUICK = _Sizes(VIDEOS, SECONDS, CLASSES), _Sizes(20, 60, 30)
_Request = Callable[[httpx.Client, random.Random], httpx.Response]


def parts() -> dict[str, str]:
    """Return the parts, each its own group."""
    return {name: name for name in _PARTS}


def run(quick: bool, only: list[str] | None = None) -> list[Row]:
    """Return the figures; `quick`: 20 videos, some seconds of load, 2 kills."""
    with tempfile.TemporaryDirectory() as folder:
        rows = list[Row]()
        for name in only or parts():
            rows += _PARTS[name](Path(folder) / name, quick)
        return rows


def _requests(sizes: _Sizes) -> dict[str, _Request]:
    """Return what is asked for, with values drawn again each time."""

    def library(client: httpx.Client, _: random.Random) -> httpx.Response:
        return client.get("/", headers={"accept": "text/html"})

    def listed(client: httpx.Client, rng: random.Random) -> httpx.Response:
        sort = rng.choice(["name", "length", "newest", "rated", "class"])
        asked = {"sort": sort, "offset": str(rng.randrange(sizes.videos)), "limit": "60"}
        if rng.random() < 0.5:
            asked |= {"class": sizes.class_name(rng)} if rng.random() < 0.5 else {"search": "1"}
        return client.get("/api/videos", params=asked)

    def curves(client: httpx.Client, rng: random.Random) -> httpx.Response:
        return client.get("/api/curves", params={"id": sizes.video(rng), "top": sizes.classes})

    def search(client: httpx.Client, rng: random.Random) -> httpx.Response:
        threshold = f"{rng.uniform(0.2, 0.9):.6f}"  # another one each time: nothing is kept
        asked = {"class": sizes.class_name(rng), "threshold": threshold, "limit": "24"}
        return client.get("/api/search", params=asked)

    def similar(client: httpx.Client, rng: random.Random) -> httpx.Response:
        at = str(rng.randrange(sizes.seconds))
        return client.get("/api/search", params={"video": sizes.video(rng), "at": at})

    def rate(client: httpx.Client, rng: random.Random) -> httpx.Response:
        start = float(rng.randrange(sizes.seconds - 5))
        body = rating(sizes.video(rng), start, sizes.class_name(rng), rng.choice(["yes", "no"]))
        return client.post("/api/ratings", json=body)

    return dict(zip(_TARGETS_MS, (library, listed, curves, search, similar, rate), strict=True))


def _pages(folder: Path, quick: bool) -> list[Row]:
    """Return the 95th percentile of each kind of request."""
    sizes, number = (_QUICK, 20) if quick else (_FULL, REQUESTS)
    write_served_data(folder, **vars(sizes))
    rows = []
    with served(folder) as server, server.client() as client:
        for name, request in _requests(sizes).items():
            rng, times = random.Random(0), list[float]()
            for at in range(WARM + number):
                began = time.perf_counter()
                answer = request(client, rng)
                seconds = time.perf_counter() - began
                answer.raise_for_status()
                if at >= WARM:
                    times.append(1000 * seconds)
            p95 = statistics.quantiles(times, n=20)[-1]
            details: dict[str, object] = {
                "p95_of": number,
                "median_ms": round(statistics.median(times), 2),
                "videos": sizes.videos,
                "seconds": sizes.seconds,
                "classes": sizes.classes,
            }
            rows.append(figure(f"{name}, p95", p95, "ms", f"<= {_TARGETS_MS[name]} ms", details))
    return rows


@dataclass
class _Load:
    """What clients did so far."""

    requests: int = 0
    errors: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, error: str) -> None:
        with self.lock:
            self.requests += 1
            if error:
                self.errors.append(error)


def _soak(folder: Path, quick: bool) -> list[Row]:
    """Return errors, and memory at the end against that after a tenth of the time."""
    sizes, seconds = (_QUICK, 5.0) if quick else (_FULL, 60 * MINUTES)
    write_served_data(folder, **vars(sizes))
    load, requests = _Load(), [*_requests(sizes).values()]
    with served(folder) as server:
        stop = time.monotonic() + seconds

        def work(seed: int) -> None:
            rng = random.Random(seed)
            with server.client() as client:
                while time.monotonic() < stop:
                    load.count(_error_of(rng.choice(requests), client, rng))

        with ThreadPoolExecutor(CLIENTS) as pool:
            clients = [pool.submit(work, seed) for seed in range(CLIENTS)]
            time.sleep(seconds / 10)
            early = server.memory()
            for client in clients:
                client.result()
        late = server.memory()
    details: dict[str, object] = {
        "clients": CLIENTS,
        "seconds": seconds,
        "requests": load.requests,
        "errors": load.errors[:5],
    }
    growth: dict[str, object] = {"early_mb": early / 1e6, "late_mb": late / 1e6}
    return [
        figure("errors under load", len(load.errors), "requests", "<= 0 requests", details),
        figure(
            "memory at the end / after a tenth of the time", late / early, "x", "<= 1.1 x", growth
        ),
    ]


def _error_of(request: _Request, client: httpx.Client, rng: random.Random) -> str:
    """Return what went wrong; "" = nothing."""
    try:
        answer = request(client, rng)
    except httpx.HTTPError as error:
        return repr(error)
    return "" if answer.is_success else f"{answer.status_code} {answer.text[:200]}"


def _kill(folder: Path, quick: bool) -> list[Row]:
    """Return how many acknowledged ratings are not in the library after the server was killed."""
    sizes, kills = _QUICK, 2 if quick else KILLS
    write_served_data(folder, **vars(sizes))
    acknowledged, rng = dict[int, tuple[str, float, str, str]](), random.Random(0)
    for at in range(kills):
        with served(folder) as server:
            acknowledged |= _rate_until_killed(server, sizes, at, rng.uniform(0.05, 1.0))
    lost = 0
    with Library.open(folder) as library:
        stored = {of.key: of for of in library.ratings.all(history=True, unsure=True)}
        for key, wanted in acknowledged.items():
            found = stored.get(key)
            lost += found is None or wanted != (
                found.video_id,
                found.start_s,
                found.class_name,
                "yes" if found.is_yes else "no",
            )
    details: dict[str, object] = {"kills": kills, "acknowledged": len(acknowledged)}
    return [figure("ratings lost by kill -9", lost, "ratings", "<= 0 ratings", details)]


def _rate_until_killed(
    server: ServedProcess, sizes: _Sizes, seed: int, seconds: float
) -> dict[int, tuple[str, float, str, str]]:
    """Return the ratings that the server acknowledged before it was killed, by their keys."""
    acknowledged = dict[int, tuple[str, float, str, str]]()

    def post(number: int) -> None:
        rng = random.Random(POSTERS * seed + number)
        with server.client() as client:
            while True:
                video, name = sizes.video(rng), sizes.class_name(rng)
                start, answer = (
                    rng.randrange(1000 * (sizes.seconds - 5)) / 1000,
                    rng.choice(["yes", "no"]),
                )
                try:
                    reply = client.post("/api/ratings", json=rating(video, start, name, answer))
                except httpx.HTTPError:  # it is gone
                    return
                if reply.status_code == 201:
                    acknowledged[reply.json()["key"]] = video, start, name, answer

    with ThreadPoolExecutor(POSTERS) as pool:
        posters = [pool.submit(post, number) for number in range(POSTERS)]
        time.sleep(seconds)
        server.kill()
        for poster in posters:
            poster.result()
    return acknowledged


_PARTS: dict[str, Callable[[Path, bool], list[Row]]] = {
    "pages": _pages,
    "soak": _soak,
    "kill": _kill,
}
