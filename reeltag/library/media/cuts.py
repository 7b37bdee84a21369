"""Cuts of a video by how much pictures change from one to the next."""

from collections import deque

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

_ROWS, _COLUMNS = 24, 32  # of the points that are compared
_AROUND = 4  # pictures before and after that a change is compared with
_LEAST = 10.0  # mean change of brightness, of 255
_RATIO = 3.0  # of a cut's change to the mean change around it
_LEAST_S = 0.5  # between cuts


class CutFinder:
    """Finds cuts: changes of many points at once, that stand out of the changes around them."""

    def __init__(self) -> None:
        self._changes: deque[tuple[float, float]] = deque(maxlen=2 * _AROUND + 1)
        self._last: NDArray[np.int16] | None = None
        self._decided = 0  # place of the last change that was looked at
        self._cuts: list[float] = []

    def look(self, points: NDArray[np.int16], seconds: float) -> None:
        """Take the brightness of the next picture at some points, and its time in seconds."""
        last, self._last = self._last, points
        if last is None or last.shape != points.shape or not points.size:
            return
        self._changes.append((seconds, float(np.abs(points - last).mean())))
        if len(self._changes) == self._changes.maxlen:
            for place in range(self._decided, _AROUND + 1):
                self._decide(place)
            self._decided = _AROUND

    def finish(self) -> list[float]:
        """Return the times in seconds at which a new scene begins."""
        first = self._decided + 1 if self._decided else 0
        for place in range(first, len(self._changes)):
            self._decide(place)
        self._changes.clear()
        return self._cuts

    def _decide(self, place: int) -> None:
        """Take a change for a cut if it is one."""
        seconds, change = self._changes[place]
        if change < _LEAST or (self._cuts and seconds - self._cuts[-1] < _LEAST_S):
            return
        around = [of for at, (_, of) in enumerate(self._changes) if at != place]
        if change >= _RATIO * sum(around) / max(len(around), 1):
            self._cuts.append(seconds)


def brightness(frame: VideoFrame) -> NDArray[np.int16]:
    """Return the brightness, 0 to 255, of a picture at about 24 x 32 points."""
    plane, bits = frame.planes[0], frame.format.components[0].bits
    wide, line = bits > 8, plane.line_size
    if line <= 0 or line % 2:
        return np.zeros((0, 0), np.int16)
    rows = np.frombuffer(memoryview(plane), np.uint8)[: line * frame.height].reshape(-1, line)
    rows = rows[:: max(1, frame.height // _ROWS)]
    columns = slice(0, frame.width, max(1, frame.width // _COLUMNS))
    if wide:
        return np.asarray(rows.view(np.uint16)[:, columns] >> (bits - 8), np.int16)
    return np.asarray(rows[:, columns], np.int16)
