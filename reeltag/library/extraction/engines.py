"""Where videos are encoded: by worker processes of this machine; by a cluster in `ray_engine`."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from reeltag.core.errors import ConfigError, ReeltagError
from reeltag.core.system.processors import total_memory, usable_cores
from reeltag.library.extraction.encode_task import prepare
from reeltag.library.extraction.encoding import EncodedStream
from reeltag.library.extraction.jobs import DescribeJob, EncodingSettings, ProbeJob
from reeltag.library.extraction.worker_process import PoolTask, TaskOutcome, WorkerPool
from reeltag.pipeline.local_engine import GPUS

OnReport = Callable[[str, Any], None]
PROBE_SECONDS = 60.0
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_WORKER_BYTES = 600_000_000
_MOST_ON_GPU = 16  # workers of a GPU: each has the encoders' weights in its memory


class EncodingEngine(Protocol):
    """What works on jobs."""

    def run(self, tasks: Iterable[PoolTask], on_report: OnReport) -> Iterator[TaskOutcome]:
        """Yield the outcomes of tasks, as they end; what is reported on the way is passed on."""

    def describe(self, settings: EncodingSettings) -> tuple[EncodedStream, ...]:
        """Return the streams that encoders make; ConfigError where they cannot be loaded."""

    def probe(self, paths: Iterable[Path]) -> Iterator[tuple[bool, bool]]:
        """Yield of each file whether it has pictures, and sound; of one that fails neither."""


class LocalEncoding:
    """Worker processes of this machine; a context manager that ends them.

    Features are computed by one thread each, so that they do not depend on how many workers there
    are.

    Args:
        workers: how many; None: one per core, as far as half of the memory holds them.
        on_gpu: whether encoders compute on a GPU.
        gpus: that the workers take in turns, as CUDA_VISIBLE_DEVICES names them; empty: each sees
            all.

    Attributes:
        workers: how many.

    Raises:
        ConfigError: `workers` is less than 1.
    """

    def __init__(
        self, workers: int | None = None, *, on_gpu: bool = False, gpus: Sequence[str] = ()
    ) -> None:
        if workers is not None and workers < 1:
            raise ConfigError(f"must be at least 1, got {workers}", where="--workers")
        self.workers = workers or default_workers(usable_cores(), on_gpu=on_gpu, gpus=len(gpus))
        self._pool = WorkerPool(
            prepare,
            workers=self.workers,
            variables=dict.fromkeys(_THREADS, "1"),
            in_turns=[{GPUS: gpu} for gpu in gpus],
        )

    def __enter__(self) -> Self:
        """Return itself; workers are started with their first jobs."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the workers."""
        self._pool.__exit__(kind, error, traceback)

    def run(self, tasks: Iterable[PoolTask], on_report: OnReport) -> Iterator[TaskOutcome]:
        """Yield the outcomes of tasks, as they end."""
        return self._pool.run(tasks, on_report)

    def describe(self, settings: EncodingSettings) -> tuple[EncodedStream, ...]:
        """Return the streams that encoders make; ConfigError where they cannot be loaded."""
        (outcome,) = self._pool.run([PoolTask(key="", payload=DescribeJob(settings=settings))])
        if outcome.failure:
            raise outcome.error or ReeltagError(outcome.message)
        streams: tuple[EncodedStream, ...] = outcome.value
        return streams

    def probe(self, paths: Iterable[Path]) -> Iterator[tuple[bool, bool]]:
        """Yield of each file whether it has pictures, and sound; of one that fails neither."""
        for path in paths:
            task = PoolTask(key="", payload=ProbeJob(path=path), limit_s=PROBE_SECONDS)
            (outcome,) = self._pool.run([task])
            yield outcome.value or (False, False)


def default_workers(cores: int, *, on_gpu: bool, gpus: int = 1) -> int:
    """Return how many workers there are: one per core, as far as half of the memory holds them.

    Args:
        cores: that may be used.
        on_gpu: whether encoders compute on a GPU.
        gpus: that they share.
    """
    most = max(1, total_memory() // 2 // _WORKER_BYTES)
    return min(cores, most, _MOST_ON_GPU * max(gpus, 1) if on_gpu else cores)
