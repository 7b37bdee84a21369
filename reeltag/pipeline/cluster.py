"""Workers on the nodes of a Ray cluster: a process for each GPU, or on each node.

On every node an actor, which has its resources from Ray, keeps a worker of the same kind as those
of one machine (`reeltag.pipeline.local`): so signals, crashes and logs are what they are there.
Results, logs and data lie on a folder that all nodes share; that is checked before anything begins.
"""

import logging
import os
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import reeltag
from reeltag.core.console import say
from reeltag.core.errors import ConfigError, DataError
from reeltag.core.extras import check_extra
from reeltag.pipeline.fleet import Said
from reeltag.pipeline.local import Worker, threads_each
from reeltag.pipeline.orders import Order, StepReport

with check_extra("cluster"):
    import ray
    from ray.exceptions import RayError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

_BETWEEN = 0.2  # seconds between two questions to the workers
_PATIENT = 20.0  # seconds until a person is told what we wait for
_SIGHT = 30.0  # seconds until a file written here must be seen on every node


@dataclass(frozen=True)
class Seat:
    """What one worker has: a node, a share of its cores, and at most one of its GPUs."""

    name: str
    node: str
    cores: int
    gpus: int


class Agent:
    """Keeps a worker on a node; what is asked of it, it answers at once."""

    def __init__(self, cores: int) -> None:
        variables = threads_each(1, cores)
        gpus = os.environ.get("CUDA_VISIBLE_DEVICES")  # as Ray gave them to this actor
        self.worker = Worker(variables | ({} if gpus is None else {"CUDA_VISIBLE_DEVICES": gpus}))

    def version(self) -> str:
        """Return which reeltag is installed on the node."""
        return reeltag.__version__

    def unseen(self, token: Path, paths: Sequence[Path]) -> list[str]:
        """Return what of all this cannot be seen from the node.

        Args:
            token: a file that was just written to the folder of results.
            paths: of the data.
        """
        end = time.monotonic() + _SIGHT
        while not (seen := _in_sight(token)) and time.monotonic() < end:
            if not token.parent.is_dir():
                break
            time.sleep(0.2)
        there = [] if seen else [str(token.parent)]
        return there + [str(path) for path in paths if not path.exists()]

    def begin(self, order: Order) -> None:
        """Let the worker make a step."""
        self.worker.begin(order)

    def reports(self) -> list[StepReport]:
        """Return what the worker said since."""
        return self.worker.reports()

    def interrupt(self) -> None:
        """Do what Ctrl-C does."""
        self.worker.interrupt()

    def close(self) -> None:
        """End the worker, who is idle."""
        self.worker.close()

    def kill(self) -> None:
        """End the worker at once."""
        self.worker.kill()


class Cluster:
    """The workers of a cluster.

    Args:
        workers: how many; 0: one for each GPU of the cluster, where there are none one a node.

    Raises:
        ConfigError: no cluster is found, or it has not so many GPUs or cores.
    """

    def __init__(self, workers: int) -> None:
        self._ours = not ray.is_initialized()
        if self._ours:
            _join()
        try:
            self.seats = {seat.name: seat for seat in seats(_nodes(), workers)}
            self.agents: dict[str, Any] = {name: _agent(s) for name, s in self.seats.items()}
            self._greet()
        except BaseException:
            if self._ours:
                ray.shutdown()
            raise
        self.at: dict[str, str] = {}  # the step of each worker

    @property
    def places(self) -> Sequence[str]:
        """Names of the workers whose node is there."""
        return list(self.agents)

    def check(self, root: Path, sources: Sequence[Path]) -> None:
        """Raise an error where a node does not see the folder of results, or the data.

        Raises:
            ConfigError: a node does not see `root`, or another folder lies there.
            DataError: a node does not see the data.
        """
        token = root.absolute() / f".seen-{uuid.uuid4().hex}"
        token.touch()
        paths = [path.absolute() for path in sources]
        try:
            asked = {n: a.unseen.remote(token, paths) for n, a in self.agents.items()}
            unseen = dict(zip(asked, ray.get(list(asked.values())), strict=True))
        finally:
            token.unlink(missing_ok=True)
        refuse_unseen(unseen, root.absolute())

    def begin(self, place: str, order: Order) -> None:
        """Let a worker make a step."""
        self.at[place] = order.step
        self.agents[place].begin.remote(order)

    def reports(self, seconds: float) -> list[Said]:
        """Wait up to so long for somebody to say something, and return that."""
        end = time.monotonic() + seconds
        while True:
            found = [said for place in list(self.agents) for said in self._said(place)]
            if found or time.monotonic() >= end:
                return found
            time.sleep(_BETWEEN)

    def interrupt(self) -> None:
        """Do to all what Ctrl-C does."""
        self._all("interrupt")

    def kill(self) -> None:
        """End all at once."""
        self._all("kill")

    def close(self) -> None:
        """End all, who are idle, and leave the cluster."""
        self._all("close")
        for agent in self.agents.values():
            ray.kill(agent)
        if self._ours:
            ray.shutdown()

    def _said(self, place: str) -> list[Said]:
        try:
            return [(place, report) for report in ray.get(self.agents[place].reports.remote())]
        except RayError as error:
            del self.agents[place]
            why = f"{place} is lost ({type(error).__name__})"
            say(f"{why}; {len(self.agents)} workers are left")
            step = self.at.get(place, "")
            return [(place, StepReport(answer="lost", step=step, words=why))] if step else []

    def _all(self, method: str) -> None:
        asked = [getattr(agent, method).remote() for agent in self.agents.values()]
        with suppress(RayError):
            ray.get(asked, timeout=15)

    def _greet(self) -> None:
        """Wait until all workers are there; refuse nodes with another reeltag."""
        asked = {agent.version.remote(): name for name, agent in self.agents.items()}
        done, late = ray.wait(list(asked), num_returns=len(asked), timeout=_PATIENT)
        if late:
            names = ", ".join(asked[of] for of in late)
            say(f"waiting for {names}: the cluster is at work on something else, or still starting")
        for of in [*done, *late]:
            if (version := ray.get(of)) != reeltag.__version__:
                raise ConfigError(
                    f"has reeltag {version}, and this is {reeltag.__version__}",
                    where=asked[of],
                    hint="Install the same on all nodes.",
                )


def seats(nodes: Sequence[Mapping[str, Any]], workers: int) -> list[Seat]:
    """Share the workers out among the nodes, evenly.

    Args:
        nodes: as `ray.nodes()` returns them: NodeID, NodeManagerHostname, Resources.
        workers: how many; 0: one for each GPU, where there are none one a node.

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
            f"the cluster has {most} {unit}s on {len(nodes)} nodes; {wanted} workers were wanted",
            where="workers",
            hint=f"Take --workers {most} or fewer, or add nodes with `ray start --address ...`.",
        )
    chosen = [0] * len(nodes)
    while sum(chosen) < wanted:
        open_ = [at for at, node in enumerate(nodes) if chosen[at] < _count(node, unit)]
        chosen[min(open_, key=lambda at: chosen[at])] += 1
    return [
        Seat(
            name=_seat_name(node, number, nodes),
            node=node["NodeID"],
            cores=max(1, _count(node, "CPU") // count) if _count(node, "CPU") else 0,
            gpus=1 if gpus else 0,
        )
        for node, count in zip(nodes, chosen, strict=True)
        for number in range(1, count + 1)
    ]


def refuse_unseen(unseen: Mapping[str, Sequence[str]], root: Path) -> None:
    """Raise an error where a worker cannot see something.

    Args:
        unseen: paths, by worker.
        root: folder of the results.

    Raises:
        ConfigError: it is the folder of results.
        DataError: it is other data.
    """
    blind = [name for name, paths in unseen.items() if str(root) in paths]
    if blind:
        raise ConfigError(
            f"is not seen from {', '.join(blind)}, or is another folder there",
            where=root,
            hint="Take an --out on a folder that all nodes share (NFS, Lustre, ...), mounted under "
            "the same path.",
        )
    for name, paths in unseen.items():
        for path in paths:
            raise DataError(
                f"is not seen from {name}",
                where=path,
                hint="Put the data on a folder that all nodes share, under the same path.",
            )


def _join() -> None:
    """Join the cluster that RAY_ADDRESS names, or that this machine belongs to."""
    address = os.environ.get("RAY_ADDRESS", "auto")
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"no Ray cluster is found at {address!r}",
            where="--engine ray",
            hint="`ray start --head` begins one on this machine, and says how other machines join; "
            "or set RAY_ADDRESS. One machine alone needs none: --engine local.",
        ) from error


def _nodes() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [node for node in ray.nodes() if node["Alive"]]
    return sorted(found, key=lambda node: (node["NodeManagerHostname"], node["NodeID"]))


def _agent(seat: Seat) -> Any:  # noqa: ANN401  (an actor handle has no type)
    options = {
        "num_cpus": seat.cores,
        "num_gpus": seat.gpus,
        "scheduling_strategy": NodeAffinitySchedulingStrategy(seat.node, soft=False),
    }
    return ray.remote(Agent).options(**options).remote(seat.cores)


def _seat_name(node: Mapping[str, Any], number: int, nodes: Sequence[Mapping[str, Any]]) -> str:
    host = node["NodeManagerHostname"]
    alike = [other["NodeID"] for other in nodes if other["NodeManagerHostname"] == host]
    if len(alike) > 1:  # several nodes on one machine, as tests have them
        host += f".{alike.index(node['NodeID']) + 1}"
    return f"{host} {'gpu' if _count(node, 'GPU') else 'worker'} {number}"


def _count(node: Mapping[str, Any], unit: str) -> int:
    return int(node["Resources"].get(unit, 0))


def _in_sight(file: Path) -> bool:
    """Return whether a file is seen, the folder being looked at anew."""
    with suppress(OSError):
        return file.name in os.listdir(file.parent)
    return False
