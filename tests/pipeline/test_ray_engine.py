"""A Ray cluster of two nodes on one machine: steps are spread and retried; paths are checked."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import torch

from reeltag.core.errors import ConfigError, DataError
from reeltag.data.synth.corpus import write_corpus
from reeltag.inference.prediction_job import PredictionJob
from reeltag.inference.scoring import InferenceConfig
from reeltag.inference.shares import score_on_workers
from reeltag.inference.stream import Output
from reeltag.pipeline import engines
from reeltag.pipeline.events import Event
from reeltag.pipeline.failures import FailedStepsError
from reeltag.pipeline.scheduler import run_on_workers
from reeltag.pipeline.steps import step
from reeltag.pipeline.store import folder_of, is_done, part_of
from reeltag.pipeline.worker_config import WorkerConfig
from tests.cli.moment_runs import CORPUS, untrained_tagger
from tests.deploy.synthetic_runs import run_of
from tests.pipeline.synthetic_steps import failing, failing_at_first, meeting, slow, total
from tests.processes import wait_until

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own, of every kind
if TYPE_CHECKING:
    from ray.cluster_utils import Cluster as Nodes

    from reeltag.pipeline import ray_engine
else:
    pytest.importorskip("ray", reason="ray is not installed (pip install 'reeltag[cluster]')")
    from ray.cluster_utils import Cluster as Nodes

    from reeltag.pipeline import ray_engine


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    """Start two nodes of a core each."""
    path = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), path]))
    os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"
    args: dict[str, Any] = {
        "num_cpus": 1,
        "object_store_memory": 100_000_000,
        "include_dashboard": False,
    }
    found = Nodes(initialize_head=True, head_node_args=args)
    found.add_node(**args)
    os.environ["RAY_ADDRESS"] = found.address
    yield found
    del os.environ["RAY_ADDRESS"]
    os.environ["PYTHONPATH"] = path
    found.shutdown()


@pytest.fixture
def two(nodes: Nodes) -> Iterator[ray_engine.RayEngine]:
    with closing(ray_engine.RayEngine(0)) as engine:
        yield engine


class Near:
    """A handle of an actor whose methods run at once, in this process."""

    def __init__(self, actor: ray_engine.WorkerActor) -> None:
        self.actor = actor

    def __getattr__(self, name: str) -> Any:
        return SimpleNamespace(remote=getattr(self.actor, name))


@pytest.fixture
def without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace Ray by calls in this process, as on a cluster of two nodes."""
    near = SimpleNamespace(
        is_initialized=lambda: True,
        get=lambda result, timeout=0: result,
        wait=lambda calls, **_: (calls, []),
        kill=lambda actor: None,
    )
    two = [{"NodeID": n, "NodeManagerHostname": n, "Resources": {"CPU": 1}} for n in ("a", "b")]
    monkeypatch.setattr(ray_engine, "ray", near)
    monkeypatch.setattr(ray_engine, "_nodes", lambda: two)
    monkeypatch.setattr(
        ray_engine, "_create_actor", lambda slot: Near(ray_engine.WorkerActor(slot.cores))
    )


@pytest.mark.usefixtures("without_ray")
def test_ray_engine_spreads_retries_and_names_failed_steps(tmp_path: Path) -> None:
    run_meeting_steps(tmp_path)
    root, flag, seen = tmp_path / "work", tmp_path / "flag", list[Event]()
    flag.touch()
    with (
        closing(ray_engine.RayEngine(0)) as engine,
        pytest.raises(FailedStepsError, match="tried twi"),
    ):
        goal = step(failing, runtime={"flag": flag})
        run_on_workers(goal, root, engine, seen.append, retries=1)
    assert [(event.kind, event.worker) for event in seen][1:] == [
        ("started", "a worker 1"),
        ("retrying", "a worker 1"),
        ("resumed", "b worker 1"),
        ("failed", "b worker 1"),
    ]


def run_meeting_steps(tmp_path: Path) -> None:
    runtime = {"folder": tmp_path}
    goals = [step(meeting, mine=a, other=b, runtime=runtime) for a, b in (("x", "y"), ("y", "x"))]
    engines.run_steps(goals, tmp_path / "work", engine="ray")
    files = [folder_of(goal, tmp_path / "work") / "environment.json" for goal in goals]
    found = [json.loads(file.read_text()) for file in files]
    assert len({one["pid"] for one in found} | {os.getpid()}) == 3
    assert {one["OMP_NUM_THREADS"] for one in found} == {os.environ.get("OMP_NUM_THREADS", "1")}


@pytest.mark.slow
def test_ray_nodes_run_at_the_same_time(nodes: Nodes, tmp_path: Path) -> None:
    run_meeting_steps(tmp_path)


@pytest.mark.slow
def test_ray_failures_are_retried_on_the_other_node(
    two: ray_engine.RayEngine, tmp_path: Path
) -> None:
    root, flag, log, seen = tmp_path / "work", tmp_path / "flag", tmp_path / "log", list[Event]()
    flag.touch()
    bad = step(failing, name="bad", runtime={"flag": flag})
    after = step(total, bad, name="after", runtime={"log": log})
    dying = step(failing_at_first, how="process", runtime={"log": log})
    with pytest.raises(FailedStepsError, match=r"1 of 3 .*bad \(Zero.*tried twice.*total-after"):
        run_on_workers([after, dying], root, two, seen.append, keep_going=True, retries=1)
    assert is_done(dying, root)
    worker_names = {e.worker for e in seen if e.step is bad and e.kind in ("started", "resumed")}
    assert worker_names == set(two.worker_names) and len(worker_names) == 2


@pytest.mark.slow
def test_ray_paths_must_be_seen_from_every_node(two: ray_engine.RayEngine, tmp_path: Path) -> None:
    two.check(tmp_path, [tmp_path])
    assert not list(tmp_path.iterdir())
    with pytest.raises(DataError, match=r"gone: is not seen from .* worker 1"):
        two.check(tmp_path, [tmp_path / "gone"])
    actor = ray_engine.WorkerActor(1)
    elsewhere = tmp_path / "not-mounted"
    missing_paths = {"b worker 1": actor.missing_paths(elsewhere / "token", [tmp_path])}
    assert missing_paths == {"b worker 1": [str(elsewhere)]}
    with pytest.raises(ConfigError, match=r"not-mounted: is not seen from b worker 1, or"):
        ray_engine.check_shared_paths(missing_paths, elsewhere)


@pytest.mark.slow
def test_ray_ctrl_c_stops_workers_of_all_nodes(two: ray_engine.RayEngine, tmp_path: Path) -> None:
    root, runtime = tmp_path / "work", {"log": tmp_path / "log", "gate": tmp_path / "gate"}
    goals = [step(slow, name=name, ticks=9, runtime=runtime) for name in "ab"]
    started = set()

    def interrupt(event: Event) -> None:
        if event.kind == "started" and event.step:
            started.add(event.step.name)
        if len(started) == 2 and event.kind == "started":
            wait_until(lambda: all((part_of(of, root) / "ticks").exists() for of in goals))
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run_on_workers(goals, root, two, interrupt)
    assert not any(is_done(of, root) for of in goals) and not list(root.glob("*.lock"))


@pytest.mark.slow
def test_ray_steps_of_a_lost_node_run_on_another(nodes: Nodes, tmp_path: Path) -> None:
    args: dict[str, Any] = {
        "num_cpus": 1,
        "object_store_memory": 100_000_000,
        "include_dashboard": False,
    }
    third, root, gate = nodes.add_node(**args), tmp_path / "work", tmp_path / "gate"
    runtime = {"log": tmp_path / "log", "gate": gate}
    goals = [step(slow, name=name, ticks=9, runtime=runtime) for name in "abc"]
    started = list[str]()

    def lose(event: Event) -> None:
        if event.kind == "started":
            started.append(event.worker)
            if len(started) == 3:
                nodes.remove_node(third)
                gate.touch()

    with closing(ray_engine.RayEngine(0)) as engine:
        assert len(engine.worker_names) == 3
        run_on_workers(goals, root, engine, lose, retries=1)
        assert len(engine.worker_names) == 2
    assert all(is_done(of, root) for of in goals)


def test_worker_slots_are_spread_evenly_with_a_gpu_each() -> None:
    def node(name: str, **resources: float) -> dict[str, Any]:
        return {"NodeID": name * 3, "NodeManagerHostname": name, "Resources": resources}

    found = ray_engine.assign_slots(
        [node("a", CPU=9, GPU=2), node("b", CPU=4, GPU=1), node("c", CPU=2)], 0
    )
    assert [slot.name for slot in found] == ["a gpu 1", "a gpu 2", "b gpu 1"]
    assert [(slot.cores, slot.gpus) for slot in found] == [(4, 1), (4, 1), (4, 1)]
    small = [node("a", CPU=4), node("b", CPU=2)]
    assert [slot.name for slot in ray_engine.assign_slots(small, 0)] == ["a worker 1", "b worker 1"]
    assert [slot.cores for slot in ray_engine.assign_slots(small, 3)] == [2, 2, 2]
    with pytest.raises(ConfigError, match="6 CPUs on 2 nodes; --workers is 7"):
        ray_engine.assign_slots(small, 7)


def test_missing_ray_cluster_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    monkeypatch.setattr("ray.is_initialized", lambda: False)

    def fail(**_: object) -> None:
        raise ConnectionError("no cluster")

    monkeypatch.setattr("ray.init", fail)
    with pytest.raises(ConfigError, match="no Ray cluster is found at '127.0.0.1:1'"):
        ray_engine.RayEngine(0)


@pytest.mark.slow
def test_ray_nodes_predict_together_what_one_process_does(nodes: Nodes, tmp_path: Path) -> None:
    write_corpus(tmp_path / "DATA", CORPUS, quiet=True)
    run = run_of(untrained_tagger(), tmp_path / "RUN")
    how = InferenceConfig(segments=True, batch_size=4, device="cpu")
    job = PredictionJob(checkpoint=run, data=tmp_path / "DATA", choices=how, split="all")
    score_on_workers(job, Output(tmp_path / "ray"), WorkerConfig(engine="ray"))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    job.scoring("cpu").write(Output(tmp_path / "one"))
    torch.set_num_threads(threads)
    assert (tmp_path / "ray").read_bytes() == (tmp_path / "one").read_bytes()
