"""Videos are encoded by the nodes of a Ray cluster: Ray Data, a pool of actors over the files.

On its node each actor owns a worker process, as on one machine: what crashes or hangs there costs
one video. A block of files whose node is lost is given to another actor; what had been encoded of
it is in the folder of parts, which all nodes share, and is not encoded again.
"""

import logging
import os
import pickle
import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from reeltag.core.errors import ConfigError
from reeltag.core.extras import check_extra
from reeltag.core.parts import new_part
from reeltag.library.extraction.encoding import EncodedStream
from reeltag.library.extraction.engines import LocalEncoding, OnReport
from reeltag.library.extraction.jobs import EncodingSettings, VideoJob
from reeltag.library.extraction.parts import find_part
from reeltag.library.extraction.worker_process import PoolTask, TaskOutcome
from reeltag.pipeline.ray_engine import connect

with check_extra("cluster"):
    import ray
    import ray.data

_BLOCKS = 20  # per worker: the more, the less is done again when a node is lost
_MOST_FILES = 16  # in a block: results of a block come together
_SEEN_SECONDS = 30.0  # until a file written on one node must be seen on the others
_Batch = Mapping[str, NDArray[np.object_]]


class EncodingActor:
    """Encodes the videos of a block, one after the other, in a worker process of its node.

    Args:
        token: a file in the folder of parts, which shows whether that is shared.
    """

    def __init__(self, token: Path) -> None:
        self._token, self._is_seen = token, False
        self._local = LocalEncoding(1)

    def __call__(self, batch: _Batch) -> dict[str, NDArray[np.object_]]:
        """Return the outcomes of the tasks of a batch, pickled as these are."""
        found = np.empty(len(batch["task"]), object)
        for number, pickled in enumerate(batch["task"]):
            found[number] = pickle.dumps(self._outcome(pickle.loads(pickled)))
        return {"outcome": found}

    def _outcome(self, task: PoolTask) -> TaskOutcome:
        job: VideoJob = task.payload
        if not self._sees_folder():
            error = ConfigError(
                f"is not seen from {socket.gethostname()}, or is another folder on it",
                where=self._token.parent,
                hint="Take an --out on a folder that all nodes share (NFS, Lustre, ...), mounted "
                "under the same path.",
            )
            return TaskOutcome(key=task.key, failure="error", message=error.what, error=error)
        if find_part(job.parts, job.key, job.how):  # by an actor whose node was lost
            return TaskOutcome(key=task.key)
        (outcome,) = self._local.run([task], lambda *_: None)
        return outcome

    def _sees_folder(self) -> bool:
        end = time.monotonic() + _SEEN_SECONDS
        while not self._is_seen:
            with suppress(OSError):  # a fresh listing, for network disks
                self._is_seen = self._token.name in os.listdir(self._token.parent)
            if time.monotonic() > end:
                break
            time.sleep(0 if self._is_seen else 0.2)
        return self._is_seen


class RayEncoding:
    """The actors of a cluster; a context manager that leaves it.

    Args:
        workers: how many; None: one per core of the cluster, or per GPU where encoders use these.
        parts: folder that all nodes share.
        on_gpu: whether encoders compute on GPUs.

    Raises:
        ConfigError: no cluster is found, or it has fewer cores or GPUs.
    """

    def __init__(self, workers: int | None, parts: Path, *, on_gpu: bool = False) -> None:
        self._ours = not ray.is_initialized()
        if self._ours:
            connect()
        self._on_gpu, self._stack = on_gpu, ExitStack()
        self._token = self._stack.enter_context(new_part(parts.absolute() / "seen"))
        unit = "GPU" if on_gpu else "CPU"
        there = int(ray.cluster_resources().get(unit, 0))
        self._workers = there if workers is None else workers
        if not 1 <= self._workers <= there:
            raise ConfigError(
                f"the cluster has {there} {unit}s; --workers is {self._workers}",
                where="--workers",
                hint=f"Take {there} or fewer, or add nodes with `ray start --address ...`.",
            )
        self._local = LocalEncoding(1)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the cluster, whose actors end."""
        self._local.__exit__(kind, error, traceback)
        self._stack.close()
        if self._ours:
            ray.shutdown()

    def describe(self, settings: EncodingSettings) -> tuple[EncodedStream, ...]:
        """Return the streams that encoders make, loaded here on the CPU."""
        return self._local.describe(replace(settings, device="cpu", precision="auto"))

    def probe(self, paths: Iterable[Path]) -> Iterator[tuple[bool, bool]]:
        """Yield of each file whether it has pictures, and sound, by looking into it here."""
        return self._local.probe(paths)

    def run(self, tasks: Iterable[PoolTask], on_report: OnReport) -> Iterator[TaskOutcome]:
        """Yield the outcomes of tasks, as blocks of them end; nothing is reported on the way."""
        del on_report
        rows = [{"task": pickle.dumps(task)} for task in tasks]
        if not rows:
            return
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        blocks = max(self._workers * _BLOCKS, -(-len(rows) // _MOST_FILES))
        videos = ray.data.from_items(rows, override_num_blocks=min(len(rows), blocks))
        options: dict[str, Any] = {"num_gpus": 1} if self._on_gpu else {"num_cpus": 1}
        encoded = videos.map_batches(
            EncodingActor,
            fn_constructor_args=(self._token,),
            batch_size=None,
            batch_format="numpy",
            compute=ray.data.ActorPoolStrategy(size=min(self._workers, len(rows))),
            **options,
        )
        for row in encoded.iter_rows():
            yield pickle.loads(row["outcome"])
