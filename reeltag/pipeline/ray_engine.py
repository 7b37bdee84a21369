"""Workers on the nodes of a Ray cluster: a process per GPU, or per node where there are none.

On every node an actor, which gets its resources from Ray, owns a worker process as on one machine
(`reeltag.pipeline.local_engine`): signals, crashes and logs are handled in the same way. Results,
logs and data are in folders that all nodes share; that is checked before a step begins.
"""

import logging
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import reeltag
from reeltag.core.console import say
from reeltag.core.errors import ConfigError, DataError
from reeltag.core.extras import check_extra
from reeltag.core.parts import new_part
from reeltag.pipeline.local_engine import Worker, thread_variables
from reeltag.pipeline.scheduler import WorkerReport
from reeltag.pipeline.tasks import StepReport, Task

with check_extra("cluster"):
    import ray
    from ray.exceptions import RayError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

_POLL_SECONDS = 0.2  # between two calls for reports
_QUIET_SECONDS = 20.0  # before a line says which workers we wait for
_VISIBLE_SECONDS = 30.0  # until a file written here must be seen on every node


@dataclass(frozen=True)
class WorkerSlot:
    """Resources of one worker: a node, cores of it, and at most one of its GPUs."""

    name: str
    node: str
    cores: int
    gpus: int


class WorkerActor:
    """An actor that owns a worker on a node; its methods return at once."""

    def __init__(self, cores: int) -> None:
        variables = thread_variables(1, cores)
        gpus = os.environ.get("CUDA_VISIBLE_DEVICES")  # as Ray gave them to this actor
        self.worker = Worker(variables | ({} if gpus is None else {"CUDA_VISIBLE_DEVICES": gpus}))

    def version(self) -> str:
        """Return the version of reeltag on the node."""
        return reeltag.__version__

    def missing_paths(self, token: Path, paths: Sequence[Path]) -> list[str]:
        """Return the paths that are not seen on the node.

        Args:
            token: a file just written to the folder of results.
            paths: of the data.
        """
        end = time.monotonic() + _VISIBLE_SECONDS
        while not (seen := _is_visible(token)) and time.monotonic() < end:
            if not token.parent.is_dir():
                break
            time.sleep(0.2)
        root = [] if seen else [str(token.parent)]
        return root + [str(path) for path in paths if not path.exists()]

    def begin(self, task: Task) -> None:
        """Send the worker a task."""
        self.worker.begin(task)

    def reports(self) -> list[StepReport]:
        """Return the worker's new reports."""
        return self.worker.reports()

    def interrupt(self) -> None:
        """Send the worker SIGINT."""
        self.worker.interrupt()

    def close(self) -> None:
        """End the worker, which is idle."""
        self.worker.close()

    def kill(self) -> None:
        """Kill the worker."""
        self.worker.kill()


class RayEngine:
    """The workers of a cluster.

    Args:
        workers: how many; 0: one per GPU of the cluster, or per node where there are none.

    Raises:
        ConfigError: no cluster is found, or it has too few GPUs or cores.
    """

    def __init__(self, workers: int) -> None:
        self._ours = not ray.is_initialized()
        if self._ours:
            connect()
        try:
            self.slots = {slot.name: slot for slot in assign_slots(_nodes(), workers)}
            self.actors: dict[str, Any] = {name: _create_actor(s) for name, s in self.slots.items()}
            self._check_versions()
        except BaseException:
            if self._ours:
                ray.shutdown()
            raise
        self.steps: dict[str, str] = {}  # the step of each worker

    @property
    def worker_names(self) -> Sequence[str]:
        """Names of the workers whose nodes are alive."""
        return list(self.actors)

    def check(self, root: Path, sources: Sequence[Path]) -> None:
        """Raise an error where a node does not see the folder of results, or the data.

        Raises ConfigError if a node does not see `root`, or has another folder at its path,
        DataError if a node does not see the data.
        """
        paths = [path.absolute() for path in sources]
        with new_part(root.absolute() / "seen") as token:
            calls = {n: a.missing_paths.remote(token, paths) for n, a in self.actors.items()}
            missing = dict(zip(calls, ray.get(list(calls.values())), strict=True))
        check_shared_paths(missing, root.absolute())

    def begin(self, worker: str, task: Task) -> None:
        """Send a task to an idle worker."""
        self.steps[worker] = task.step
        self.actors[worker].begin.remote(task)

    def reports(self, seconds: float) -> list[WorkerReport]:
        """Return the new reports; wait at most so many seconds for the first."""
        end = time.monotonic() + seconds
        while True:
            found = [one for worker in list(self.actors) for one in self._reports_of(worker)]
            if found or time.monotonic() >= end:
                return found
            time.sleep(_POLL_SECONDS)

    def interrupt(self) -> None:
        """Send SIGINT to all workers."""
        self._call_all("interrupt")

    def kill(self) -> None:
        """Kill all workers."""
        self._call_all("kill")

    def close(self) -> None:
        """End all workers, which are idle, and disconnect."""
        self._call_all("close")
        for actor in self.actors.values():
            ray.kill(actor)
        if self._ours:
            ray.shutdown()

    def _reports_of(self, worker: str) -> list[WorkerReport]:
        try:
            return [(worker, report) for report in ray.get(self.actors[worker].reports.remote())]
        except RayError as error:
            del self.actors[worker]
            why = f"{worker} is lost ({type(error).__name__})"
            say(f"{why}; {len(self.actors)} workers are left")
            step = self.steps.get(worker, "")
            return [(worker, StepReport(status="lost", step=step, message=why))] if step else []

    def _call_all(self, method: str) -> None:
        calls = [getattr(actor, method).remote() for actor in self.actors.values()]
        with suppress(RayError):
            ray.get(calls, timeout=15)

    def _check_versions(self) -> None:
        """Wait until all workers are alive; raise ConfigError for another version of reeltag."""
        names = {actor.version.remote(): name for name, actor in self.actors.items()}
        done, late = ray.wait(list(names), num_returns=len(names), timeout=_QUIET_SECONDS)
        if late:
            late_names = ", ".join(names[of] for of in late)
            say(f"waiting for {late_names}: the cluster is busy, or still starting")
        for of in [*done, *late]:
            if (version := ray.get(of)) != reeltag.__version__:
                raise ConfigError(
                    f"has reeltag {version}, and this is {reeltag.__version__}",
                    where=names[of],
                    hint="Install the same on all nodes.",
                )


def assign_slots(nodes: Sequence[Mapping[str, Any]], workers: int) -> list[WorkerSlot]:
    """Return the slots of the workers, spread evenly over the nodes.

    Args:
        nodes: as `ray.nodes()` returns them: NodeID, NodeManagerHostname, Resources.
        workers: how many; 0: one per GPU, or per node where there are none.

    Raises:
        ConfigError: there are fewer GPUs, or cores where there are no GPUs.
    """
    if workers < 0:
        raise ConfigError(f"must be >= 0, got {workers}", where="workers")
    gpus = sum(_count(node, "GPU") for node in nodes)
    unit, most = ("GPU", gpus) if gpus else ("CPU", sum(_count(node, "CPU") for node in nodes))
    wanted = workers or (gpus if gpus else sum(_count(node, "CPU") > 0 for node in nodes))
    if not 1 <= wanted <= most:
        raise ConfigError(
            f"the cluster has {most} {unit}s on {len(nodes)} nodes; --workers is {wanted}",
            where="workers",
            hint=f"Take --workers {most} or fewer, or add nodes with `ray start --address ...`.",
        )
    chosen = [0] * len(nodes)
    while sum(chosen) < wanted:
        open_ = [at for at, node in enumerate(nodes) if chosen[at] < _count(node, unit)]
        chosen[min(open_, key=lambda at: chosen[at])] += 1
    return [
        WorkerSlot(
            name=_worker_name(node, number, nodes),
            node=node["NodeID"],
            cores=max(1, _count(node, "CPU") // count) if _count(node, "CPU") else 0,
            gpus=1 if gpus else 0,
        )
        for node, count in zip(nodes, chosen, strict=True)
        for number in range(1, count + 1)
    ]


def check_shared_paths(missing_paths: Mapping[str, Sequence[str]], root: Path) -> None:
    """Raise an error where a worker does not see the folder of results or the data.

    Args:
        missing_paths: that it does not see, by worker.
        root: folder of the results.

    Raises:
        ConfigError: it is the folder of results.
        DataError: it is other data.
    """
    names = [name for name, paths in missing_paths.items() if str(root) in paths]
    if names:
        raise ConfigError(
            f"is not seen from {', '.join(names)}, or is another folder on it",
            where=root,
            hint="Take an --out on a folder that all nodes share (NFS, Lustre, ...), mounted under "
            "the same path.",
        )
    for name, paths in missing_paths.items():
        for path in paths:
            raise DataError(
                f"is not seen from {name}",
                where=path,
                hint="Put the data on a folder that all nodes share, under the same path.",
            )


def connect() -> None:
    """Join the cluster that RAY_ADDRESS names, or that this machine belongs to.

    ConfigError where there is none.
    """
    address = os.environ.get("RAY_ADDRESS", "auto")
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"no Ray cluster is found at {address!r}",
            where="--engine ray",
            hint="`ray start --head` starts one on this machine, and prints how others join; "
            "or set RAY_ADDRESS. A single machine needs none: --engine local.",
        ) from error


def _nodes() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [node for node in ray.nodes() if node["Alive"]]
    return sorted(found, key=lambda node: (node["NodeManagerHostname"], node["NodeID"]))


def _create_actor(slot: WorkerSlot) -> Any:  # noqa: ANN401  (an actor handle has no type)
    options = {
        "num_cpus": slot.cores,
        "num_gpus": slot.gpus,
        "scheduling_strategy": NodeAffinitySchedulingStrategy(slot.node, soft=False),
    }
    return ray.remote(WorkerActor).options(**options).remote(slot.cores)


def _worker_name(node: Mapping[str, Any], number: int, nodes: Sequence[Mapping[str, Any]]) -> str:
    host = node["NodeManagerHostname"]
    nodes_on_host = [other["NodeID"] for other in nodes if other["NodeManagerHostname"] == host]
    if len(nodes_on_host) > 1:  # several nodes on one machine, as tests have them
        host += f".{nodes_on_host.index(node['NodeID']) + 1}"
    return f"{host} {'gpu' if _count(node, 'GPU') else 'worker'} {number}"


def _count(node: Mapping[str, Any], unit: str) -> int:
    return int(node["Resources"].get(unit, 0))


def _is_visible(file: Path) -> bool:
    """Return whether a file is seen, in a fresh listing of its folder."""
    with suppress(OSError):
        return file.name in os.listdir(file.parent)
    return False
