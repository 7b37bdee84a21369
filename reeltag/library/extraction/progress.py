"""How far an extraction is: videos, hours, times real time, time left."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TextColumn

from reeltag.core.console import STDERR, say
from reeltag.library.extraction.jobs import Advanced, Probed

_LINE_SECONDS = 60.0  # between lines where stderr is no terminal


class ExtractionProgress:
    """Count what is done and show it on stderr: a bar on a terminal, else a line per minute.

    The time left is estimated by bytes of files: their seconds are not known before they are
    opened.

    Args:
        sizes: bytes of each file to encode, by content id.
        rate_hz: frames per second.
        quiet: show nothing.

    Attributes:
        frames: encoded so far.
    """

    def __init__(self, sizes: dict[str, int], rate_hz: float, *, quiet: bool = False) -> None:
        self._sizes, self._rate, self._quiet = sizes, rate_hz, quiet
        self._began = self._told = time.monotonic()
        self._lasts = dict[str, float]()  # seconds of those that are being encoded
        self._frames = dict[str, int]()  # of those
        self._ended, self._bytes_done, self.frames = 0, 0, 0
        self._bar: Progress | None = None

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show it within the block."""
        columns = (TextColumn("extracting"), BarColumn(), TextColumn("{task.description}"))
        disable = self._quiet or not STDERR.is_terminal
        with Progress(*columns, console=STDERR, transient=True, disable=disable) as self._bar:
            self._task = self._bar.add_task(self.text, total=max(1, sum(self._sizes.values())))
            yield
        self._bar = None

    def hear(self, content: str, report: object) -> None:
        """Take what a worker reports of a video.

        Args:
            content: id of the video's content.
            report: `Probed` or `Advanced`.
        """
        if isinstance(report, Probed):
            self._lasts[content] = report.duration_s or 0.0
        elif isinstance(report, Advanced):
            self.frames += report.num_frames
            self._frames[content] = self._frames.get(content, 0) + report.num_frames
            self._show()

    def end(self, content: str, frames: int) -> None:
        """Take it that a video has ended, well or not.

        Args:
            content: id of the video's content.
            frames: of the whole video; 0 where it failed.
        """
        self._ended += 1
        self.frames += max(0, frames - self._frames.get(content, 0))
        self._bytes_done += self._sizes.get(content, 0)
        self._lasts.pop(content, None)
        self._frames.pop(content, None)
        self._show()

    @property
    def seconds(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self._began

    @property
    def speed(self) -> float:
        """Seconds of video that are encoded per second."""
        return self.frames / self._rate / max(self.seconds, 1e-9)

    @property
    def text(self) -> str:
        """What is done, in words."""
        done, total = self._done(), max(1, sum(self._sizes.values()))
        hours = self.frames / self._rate / 3600
        words = f"{self._ended:,} of {len(self._sizes):,} videos, {hours:,.2f} hours"
        if done and self.seconds > 1:
            left = self.seconds * (total - done) / done
            words += f", {self.speed:,.1f} x real time, {format_seconds(left)} left"
        return words

    def _done(self) -> float:
        """Return bytes that are done, those of videos that are being encoded in part."""
        done = float(self._bytes_done)
        for content, frames in self._frames.items():
            lasts = self._lasts.get(content, 0.0)
            if lasts > 0:
                done += self._sizes[content] * min(1.0, frames / self._rate / lasts)
        return done

    def _show(self) -> None:
        if self._bar is not None and not self._bar.disable:
            self._bar.update(self._task, completed=self._done(), description=self.text)
        elif not self._quiet and time.monotonic() - self._told > _LINE_SECONDS:
            self._told = time.monotonic()
            say(self.text)


def format_seconds(seconds: float) -> str:
    """Return a duration in words.

    >>> [format_seconds(of) for of in (12.4, 300, 9000, 200_000)]
    ['12 s', '5 min', '2 h 30 min', '56 h']
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    if minutes < 1440:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{round(minutes / 60)} h"
