"""From a folder of 20 films to a finder of own classes, as a newcomer goes through the browser.

    films -> extract -> serve -> make a class -> mark 2 windows -> rate 58 more -> learn -> find

A program plays the person, over HTTP: it knows what is when in the films, and says yes to a window
of which a second or more shows the class. Half of the films are of the split `test`, from which
nothing is learned; of these, average precision is measured second by second. Before learning there
is the search for moments like the one that was marked. Minutes are by the clock, but for the
person, who is given 4 seconds for each window.
"""

import csv
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from sklearn.metrics import average_precision_score

from benchmarks.figure import figure
from benchmarks.results import Row
from benchmarks.served_process import served

FILMS, WINDOWS, WINDOW_S, ANSWER_S = 20, 60, 5.0, 4.0
CLASSES = ("stars", "stripes", "drum", "chirps")  # two of pictures, two of sound
_ENOUGH_S = 1.0  # of a class in a window, for a yes
_LIKE = 100  # moments of the search before learning that are scored

_HALVES = ("--split", "50", "0", "50")  # train, validate, test

Events = dict[tuple[str, str], list[tuple[float, float]]]


def run(quick: bool) -> list[Row]:
    films, windows = (12, 10) if quick else (FILMS, WINDOWS)
    with tempfile.TemporaryDirectory() as name:
        folder, began = Path(name), time.monotonic()
        _reeltag("synth-films", str(folder / "films"), "--number", str(films))
        made_s = time.monotonic() - began
        _reeltag("extract", str(folder / "films"), "--out", str(folder / "data"), *_HALVES)
        events = _events(folder / "films" / "moments.csv")
        with served(folder / "data") as server, server.client() as client:
            person = _Person(client, events)
            before = {each: person.begin(each) for each in CLASSES}
            for each in CLASSES:
                person.rate(each, windows - 2)
            person.learn()
            after = {each: person.found(each) for each in CLASSES}
        seconds = time.monotonic() - began - made_s
    asked_s = ANSWER_S * windows * len(CLASSES)
    details = {
        "films": films,
        "ratings of each class": windows,
        "test seconds": person.test_seconds,
    }
    rows = [
        figure(
            f"AP of {each}, after learning",
            round(after[each], 3),
            "AP",
            details=details
            | {
                "like the marked moment": round(before[each], 3),
                "fraction of seconds": round(person.prevalence(each), 3),
            },
        )
        for each in CLASSES
    ]
    clock = {"machine": round(seconds / 60, 1), "person": round(asked_s / 60, 1)}
    minutes = round((seconds + asked_s) / 60, 1)
    return [*rows, figure("from the folder to what is found", minutes, "minutes", details=clock)]


class _Person:
    """Somebody who knows what is in the films.

    Args:
        client: of the server.
        events: (video, class) -> when.
    """

    def __init__(self, client: httpx.Client, events: Events) -> None:
        self._client, self._events = client, events
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
