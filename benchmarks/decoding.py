"""Decoding own videos: against a bare loop of PyAV that does the same work, and by key frames.

The film is synthetic, 720p H.264 with stereo AAC (`benchmarks.synthetic_films`), read at
1 frame/s by one thread; processor seconds are counted.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import av
from av.video.reformatter import VideoReformatter

from benchmarks.figure import figure
from benchmarks.results import Row
from benchmarks.synthetic_films import repeat_film, write_unit
from reeltag.core.errors import DataError
from reeltag.encoders.base import SAMPLE_RATE
from reeltag.library.media.decoding import read_spans
from reeltag.library.media.previews import Previews

MINUTES = 3
SIZE = (224, 224)
OVERHEAD, QUICK, SPEED = "<= 1.10", ">= 8", ">= 20"


def run(quick: bool) -> list[Row]:
    """Return the figures; `quick`: a film of 20 s, once."""
    repeats = 1 if quick else 5
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        film = write_unit(folder / "unit.mp4")
        if not quick:
            film = repeat_film(film, folder / "film.mp4", 60 * MINUTES)
        with av.open(str(film)) as source:
            seconds = (source.duration or 0) / av.time_base
        ways: dict[str, Callable[[], None]] = {
            "a bare loop": partial(_bare, film),
            "pictures and sound": partial(_read, film),
            "with previews": partial(_read, film, previews=folder),
            "--quick": partial(_read, film, quick=True),
            "--quick with previews": partial(_read, film, quick=True, previews=folder),
        }
        costs: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(repeats):  # in turns, for the machine may be busier at times
            for way, work in ways.items():
                began = time.process_time()
                work()
                costs[way].append(time.process_time() - began)
    return _rows(seconds, {way: statistics.median(of) for way, of in costs.items()}, repeats)


def _rows(seconds: float, cost: dict[str, float], repeats: int) -> list[Row]:
    bare, whole, previews, quick, quick_previews = cost.values()
    details: dict[str, object] = {way: round(of, 2) for way, of in cost.items()}
    details |= {"unit": "processor seconds", "runs": repeats, "seconds": round(seconds)}
    name = "720p"
    return [
        figure(f"{name}, against a bare loop", round(whole / bare, 3), "x", OVERHEAD, details),
        figure(f"{name}, pictures and sound", round(seconds / whole, 1), "x real time", SPEED),
        figure(f"{name}, with previews, against a bare loop", round(previews / bare, 3), "x"),
        figure(f"{name}, with previews", round(seconds / previews, 1), "x real time", SPEED),
        figure(f"{name}, --quick", round(whole / quick, 1), "x faster", QUICK),
        figure(f"{name}, --quick with previews", round(previews / quick_previews, 1), "x faster"),
    ]


def _bare(film: Path) -> None:
    """Decode all, scale one picture/s, and resample the sound."""
    scaler, resampler, due = VideoReformatter(), av.AudioResampler("flt", "mono", SAMPLE_RATE), 0.5
    with av.open(str(film)) as source:
        video, audio = source.streams.video[0], source.streams.audio[0]
        video.codec_context.thread_count = 1
        for packet in source.demux(video, audio):
            for frame in packet.decode():
                if isinstance(frame, av.AudioFrame):
                    for part in resampler.resample(frame):
                        part.to_ndarray()
                elif isinstance(frame, av.VideoFrame) and frame.time >= due:
                    scaler.reformat(frame, *SIZE, "rgb24", threads=1).to_ndarray()
                    due += 1


def _read(film: Path, *, quick: bool = False, previews: Path | None = None) -> None:
    kept = Previews() if previews else None
    decoded = read_spans(
        film, rate_hz=1.0, picture_size=SIZE, context_s=0.5, quick=quick, previews=kept
    )
    for _ in decoded:
        pass
    if decoded.error:  # what is not decoded must not look fast
        raise DataError(decoded.error, where=film)
    if kept and previews:
        kept.save(previews, "film")
