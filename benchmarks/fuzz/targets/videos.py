"""Video and sound files, decoded in a process of their own as `reeltag extract` does."""

import random
from pathlib import Path
from typing import Any

import av

from benchmarks.fuzz.mutation import mutated
from benchmarks.fuzz.target import Case, Outcome, Target, WrongError
from reeltag.library.extraction.worker_process import PoolTask, Report, Work, WorkerPool
from reeltag.library.media.decoding import read_spans
from reeltag.library.media.previews import Previews
from reeltag.library.synth.drawn_films import FilmsConfig, write_films

_LIMIT_S = 60.0


class Videos(Target):
    """A damaged file: the process that decodes it may die of it, this one may not."""

    name = "videos"
    about = "films and sounds, decoded in a process of their own with a limit of time"
    limit_mb = 2048
    limit_s = 60.0

    @classmethod
    def prepare(cls, shared: Path) -> None:
        """Draw a film, and write it in other containers and as sound."""
        config = FilmsConfig(number=1, min_seconds=5, max_seconds=5, ratings=0)
        write_films(shared / "films", config, jobs=1, quiet=True)
        (film,) = (shared / "films").glob("*.mp4")
        film.rename(shared / "film.mp4")
        for name in ("film.mkv", "film.mov"):
            _copied(shared / "film.mp4", shared / name, sound_only=False)
        for name in ("sound.m4a", "sound.mka"):
            _copied(shared / "film.mp4", shared / name, sound_only=True)

    def __init__(self, shared: Path, own: Path) -> None:
        super().__init__(shared, own)
        self._files = {path.name: path.read_bytes() for path in sorted(shared.glob("*.*"))}
        self._pool: WorkerPool | None = None

    def make(self, rng: random.Random) -> Case:
        """Return a damaged file: more often near its beginning, where the headers are."""
        name = rng.choice([*self._files])
        data = self._files[name]
        if rng.random() < 0.5:
            head = rng.choice((64, 600, 3000))
            return Case(name, mutated(rng, data[:head]) + data[head:])
        return Case(name, mutated(rng, data))

    def run(self, case: Case) -> Outcome:
        """Decode it in another process."""
        path = self.own / case.variant
        path.write_bytes(case.data)
        if self._pool is None:
            self._pool = WorkerPool(prepare_decoding).__enter__()
        task = PoolTask(key=case.variant, payload=path, limit_s=_LIMIT_S, quiet_s=_LIMIT_S)
        (outcome,) = self._pool.run([task])
        path.unlink()
        if outcome.failure == "timed out":
            raise WrongError("decoding does not end", outcome.message)
        if outcome.failure == "error" and outcome.detail:
            raise WrongError(f"an exception while it is decoded: {outcome.message}", outcome.detail)
        if outcome.failure == "died":
            raise WrongError(f"the process that decodes dies: {outcome.message}")
        return "refused" if outcome.failure else "accepted"


TARGET = Videos


def prepare_decoding() -> Work:
    """Return what decodes a file whole, as extraction does."""
    return _decode


def _decode(payload: Any, report: Report) -> object:  # noqa: ANN401  (a path)
    previews = Previews()
    decoded = read_spans(
        Path(payload), rate_hz=1.0, picture_size=(32, 32), context_s=0.5, previews=previews
    )
    return sum(1 for _ in decoded), decoded.error


def _copied(film: Path, to: Path, *, sound_only: bool) -> None:
    """Write the streams of a film into another container, without coding them again."""
    with av.open(str(film)) as source, av.open(str(to), "w") as target:
        streams = source.streams.audio if sound_only else source.streams
        copies = {stream.index: target.add_stream_from_template(stream) for stream in streams}
        for packet in source.demux(*streams):
            if packet.dts is not None:
                packet.stream = copies[packet.stream.index]
                target.mux(packet)
