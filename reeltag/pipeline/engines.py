"""Where steps run: in this process, in several on this machine, or on the nodes of a cluster."""

from collections.abc import Callable, Iterable
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Literal

from reeltag.pipeline.failures import Failures
from reeltag.pipeline.local_engine import LocalEngine, worker_names
from reeltag.pipeline.running import missing, run
from reeltag.pipeline.scheduler import Engine, run_on_workers
from reeltag.pipeline.steps import Step

EngineName = Literal["local", "ray"]


def run_steps(
    goals: Step | Iterable[Step],
    root: Path,
    *,
    engine: EngineName = "local",
    workers: int = 0,
    retries: int = 0,
    keep_going: bool = False,
) -> None:
    """Run the goals, and those of the steps they need that are missing under `root`.

    Args:
        goals: one step or several.
        root: folder for all results.
        engine: "local": on this machine; "ray": on the nodes of a Ray cluster.
        workers: steps that run at once; 0: one per GPU, or one (on Ray one per node) where there
            are none. A single local worker is this process itself.
        retries: how often a failed step is run again.
        keep_going: after a step has failed, run what does not depend on it.

    Raises:
        ConfigError: there is no such cluster, or some of its nodes do not see `root`.
        MissingPackageError: "ray" without ray (the extra `cluster`).
        Exception: as `reeltag.pipeline.running.run` and `scheduler.run_on_workers`.
    """
    Failures(retries)  # a wrong number is an error before a worker is started
    if engine == "local" and len(worker_names(workers)) == 1:
        run(goals, root, keep_going=keep_going, retries=retries)
        return
    if not missing(goals, root):
        return
    with closing(_create(engine, workers)) as created:
        run_on_workers(goals, root, created, keep_going=keep_going, retries=retries)


def _create(engine: EngineName, workers: int) -> Engine:
    if engine == "local":
        return LocalEngine(workers)
    # imported here: ray is an extra
    ray_engine: Callable[[int], Engine] = import_module("reeltag.pipeline.ray_engine").RayEngine
    return ray_engine(workers)
