"""Who makes the steps: this process alone, several on this machine, or the nodes of a cluster."""

from collections.abc import Callable, Iterable
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Literal

from reeltag.pipeline.failures import Failures
from reeltag.pipeline.fleet import Engine, run_fleet
from reeltag.pipeline.local import Local, places
from reeltag.pipeline.running import missing, run
from reeltag.pipeline.steps import Step

EngineName = Literal["local", "ray"]


def make(
    goals: Step | Iterable[Step],
    root: Path,
    *,
    engine: EngineName = "local",
    workers: int = 0,
    retries: int = 0,
    keep_going: bool = False,
) -> None:
    """Make the goals, and of all that they need what is missing, under `root`.

    Args:
        goals: a step, or several.
        root: folder for all results.
        engine: "local": on this machine; "ray": on the nodes of a Ray cluster.
        workers: steps at once; 0: one for each GPU, and one (a node) where there are none. One on
            this machine is this process itself.
        retries: how often a step that failed is tried again.
        keep_going: after a step has failed, make what does not depend on it.

    Raises:
        ConfigError: there is no such cluster, or `root` is not seen by all its nodes.
        MissingPackageError: "ray" without ray (the extra `cluster`).
        Exception: as `reeltag.pipeline.running.run` and `reeltag.pipeline.fleet.run_fleet`.
    """
    Failures(retries)  # says what is wrong before a worker is started
    if engine == "local" and len(places(workers)) == 1:
        run(goals, root, keep_going=keep_going, retries=retries)
        return
    if not missing(goals, root):
        return
    with closing(_opened(engine, workers)) as opened:
        run_fleet(goals, root, opened, keep_going=keep_going, retries=retries)


def _opened(engine: EngineName, workers: int) -> Engine:
    if engine == "local":
        return Local(workers)
    # An extra: whoever has no cluster need not have ray.
    ray: Callable[[int], Engine] = import_module("reeltag.pipeline.cluster").Cluster
    return ray(workers)
