"""From a folder of 20 films to a finder of own classes, as a newcomer goes through the browser.

    films -> extract -> serve -> make a class -> mark 2 windows -> rate 58 more -> learn -> find

A program plays the person, over HTTP: it knows what is when in the films, and says yes to a window
of which a second or more shows the class. Half of the films are of the split `test`, from which
nothing is learned; of these, average precision is measured second by second. Before learning there
is the search for moments like the one that was marked. Minutes are by the clock, but for the
person, who is given 4 seconds for each window.

Several persons come to the same films, one after the other; each marks other windows, so that all
that follows is another. A figure is their mean, with the lowest and the highest of them.
"""

import csv
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
from sklearn.metrics import average_precision_score

from benchmarks.figure import figure
from benchmarks.results import Row
from benchmarks.served_process import served

FILMS, WINDOWS, WINDOW_S, ANSWER_S = 20, 60, 5.0, 4.0
CLASSES = ("stars", "stripes", "drum", "chirps")  # two of pictures, two of sound
PERSONS = 8
_ENOUGH_S = 1.0  # of a class in a window, for a yes
_LIKE = 100  # moments of the search before learning that are scored

_HALVES = ("--split", "50", "0", "50")  # train, validate, test

Events = dict[tuple[str, str], list[tuple[float, float]]]


class _Visit(NamedTuple):
    """What a person has found.

    Attributes:
        before: class -> AP of moments like the one that was marked.
        after: class -> AP after learning.
        yes: class -> ratings that said yes.
        prevalence: class -> fraction of test seconds that show it.
        test_seconds: that there are.
        seconds: that the machine took.
    """

    before: dict[str, float]
    after: dict[str, float]
    yes: dict[str, int]
    prevalence: dict[str, float]
    test_seconds: int
    seconds: float


def run(quick: bool) -> list[Row]:
    """Return the figures; `quick`: 12 films, 10 ratings of a class, 2 persons."""
    films, windows, persons = (12, 10, 2) if quick else (FILMS, WINDOWS, PERSONS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _reeltag("synth-films", str(folder / "films"), "--number", str(films))
        began = time.monotonic()
        _reeltag("extract", str(folder / "films"), "--out", str(folder / "data"), *_HALVES)
        extracted_s = time.monotonic() - began
        events = _events(folder / "films" / "moments.csv")
        visits = [_visit(folder, events, windows, seed) for seed in range(persons)]
    first = visits[0]
    details = {
        "films": films,
        "ratings of each class": windows,
        "test seconds": first.test_seconds,
        "persons": persons,
    }
    rows = []
    for each in CLASSES:
        after, before = ([getattr(of, when)[each] for of in visits] for when in ("after", "before"))
        more = {
            "lowest": round(min(after), 3),
            "highest": round(max(after), 3),
            "like the marked moment": round(statistics.mean(before), 3),
            "of these, lowest": round(min(before), 3),
            "of these, highest": round(max(before), 3),
            "yes of the ratings": round(statistics.mean(of.yes[each] for of in visits), 1),
            "fraction of seconds": round(first.prevalence[each], 3),
        }
        mean = round(statistics.mean(after), 3)
        rows.append(figure(f"AP of {each}, after learning", mean, "AP", details=details | more))
    asked_s = ANSWER_S * windows * len(CLASSES)
    seconds = extracted_s + statistics.median(of.seconds for of in visits)
    clock = {"machine": round(seconds / 60, 1), "person": round(asked_s / 60, 1)}
    minutes = round((seconds + asked_s) / 60, 1)
    return [*rows, figure("from the folder to what is found", minutes, "minutes", details=clock)]


def _visit(folder: Path, events: Events, windows: int, seed: int) -> _Visit:
    """Return what a person finds in the films, who begins with a copy of the data."""
    data = shutil.copytree(folder / "data", folder / f"data {seed}")
    began = time.monotonic()
    with served(data) as server, server.client() as client:
        person = _Person(client, events, seed)
        before = {each: person.begin(each) for each in CLASSES}
        for each in CLASSES:
            person.rate(each, windows - 2)
        person.learn()
        after = {each: person.found(each) for each in CLASSES}
    seconds = time.monotonic() - began
    shutil.rmtree(data)
    prevalence = {each: person.prevalence(each) for each in CLASSES}
    return _Visit(before, after, person.yes, prevalence, person.test_seconds, seconds)


class _Person:
    """Somebody who knows what is in the films.

    Args:
        client: of the server.
        events: (video, class) -> when.
        seed: of the windows that are marked first; 0 = the first ones of the films.

    Attributes:
        test_seconds: of films that nobody learns from.
        yes: class -> how many windows were said yes to.
    """

    def __init__(self, client: httpx.Client, events: Events, seed: int) -> None:
        self._client, self._events = client, events
        self._random, self.yes = random.Random(seed), dict.fromkeys(CLASSES, 0)
        self._shuffles = seed > 0
        found = client.get("/api/videos", params={"limit": 200}).json()["videos"]
        lengths = {of["id"]: of["duration_s"] for of in found}
        views = (client.get("/api/video", params={"id": of}).json() for of in lengths)
        self._train, self._test = dict[str, float](), dict[str, float]()
        for view in views:
            video = view["card"]["id"]
            (self._test if view["split"] == "test" else self._train)[video] = lengths[video]
        self.test_seconds = sum(int(length) for length in self._test.values())

    def begin(self, name: str) -> float:
        """Make a class, mark a window with and one without it; return the AP of moments like it."""
        self._post("/api/classes", {"name": name})
        (video, start), (other, elsewhere) = self._marks(name)
        self._answer(video, start, name, "yes", "timeline")
        self._answer(other, elsewhere, name, "no", "timeline")
        like: dict[str, str | float] = {"video": video, "at": start, "limit": _LIKE}
        scores = {of: np.zeros(int(length)) for of, length in self._test.items()}
        for moment in self._client.get("/api/search", params=like).json()["moments"]:
            if moment["video"] in scores:
                part = slice(int(moment["start_s"]), int(np.ceil(moment["end_s"])))
                scores[moment["video"]][part] = moment["prob"]
        return self._ap(name, scores)

    def rate(self, name: str, windows: int) -> None:
        """Answer what the page asks about a class."""
        left = windows
        while left:
            params: dict[str, str | int] = {"class": name, "count": min(10, left)}
            asked = self._client.get("/api/rate", params=params).json()["windows"]
            if not asked:
                return
            for window in asked:
                video, start = window["video"], window["start_s"]
                seen = self._shown(video, name, start, window["end_s"])
                answer = "yes" if seen >= _ENOUGH_S else "no"
                self._answer(video, start, name, answer, "queue", window["end_s"], window["chance"])
            left -= len(asked)

    def learn(self) -> None:
        """Press the button, and wait."""
        job = self._post("/api/learn", {})
        while job["state"] in ("waiting", "running"):
            time.sleep(1)
            job = self._client.get(f"/api/jobs/{job['key']}").json()
        if job["state"] != "done":
            raise RuntimeError(job["message"])

    def found(self, name: str) -> float:
        """Return the AP of the curves of a class."""
        scores = {}
        for video in self._test:
            curves = self._client.get("/api/curves", params={"id": video, "class": name}).json()
            scores[video] = np.array(curves["curves"][0]["prob"])
        return self._ap(name, scores)

    def prevalence(self, name: str) -> float:
        """Return the fraction of test seconds that show a class."""
        return float(np.concatenate(list(self._truth(name).values())).mean())

    def _ap(self, name: str, scores: dict[str, np.ndarray]) -> float:
        truth = self._truth(name)
        pairs = [(truth[of][: len(scores[of])], scores[of][: len(truth[of])]) for of in truth]
        known, given = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
        return float(average_precision_score(known, given))

    def _truth(self, name: str) -> dict[str, np.ndarray]:
        return {
            video: np.array([self._shown(video, name, s, s + 1) >= 0.5 for s in range(int(length))])
            for video, length in self._test.items()
        }

    def _shown(self, video: str, name: str, start: float, end: float) -> float:
        """Return for how many seconds of a window a class is there."""
        events = self._events.get((video, name), [])
        return sum(max(0.0, min(end, b) - max(start, a)) for a, b in events)

    def _marks(self, name: str) -> Iterator[tuple[str, float]]:
        """Yield the first window with a class, and the first without it, of films that train."""
        windows = [
            (video, float(start), self._shown(video, name, start, start + WINDOW_S))
            for video, length in sorted(self._train.items())
            for start in range(0, int(length - WINDOW_S), int(WINDOW_S))
        ]
        if self._shuffles:
            self._random.shuffle(windows)
        yield next((video, start) for video, start, seen in windows if seen >= _ENOUGH_S)
        yield next((video, start) for video, start, seen in windows if seen == 0)

    def _answer(
        self,
        video: str,
        start: float,
        name: str,
        answer: str,
        origin: str,
        end: float | None = None,
        chance: float | None = None,
    ) -> None:
        self.yes[name] += answer == "yes"
        window = {"video": video, "start_s": start, "end_s": end or start + WINDOW_S}
        given = {"class_name": name, "answer": answer, "origin": origin, "chance": chance}
        self._post("/api/ratings", window | given)

    def _post(self, path: str, body: dict[str, Any]) -> Any:  # noqa: ANN401
        return self._client.post(path, json=body).raise_for_status().json()


def _events(path: Path) -> Events:
    events: Events = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            key = Path(row["video"]).stem, row["class"]
            events.setdefault(key, []).append((float(row["start_s"]), float(row["end_s"])))
    return events


def _reeltag(*arguments: str) -> None:
    command = [sys.executable, "-m", "reeltag", *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
