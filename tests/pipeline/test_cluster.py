"""A Ray cluster of two nodes on one machine: steps are shared out, and retried; paths checked."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from reeltag.core.errors import ConfigError, DataError
from reeltag.pipeline import engines
from reeltag.pipeline.events import Event
from reeltag.pipeline.failures import FailedStepsError
from reeltag.pipeline.fleet import run_fleet
from reeltag.pipeline.steps import step
from reeltag.pipeline.store import folder_of, is_done, part_of
from tests.pipeline.made import failing, failing_at_first, meeting, slow, total, wait_for

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own, of every kind
if TYPE_CHECKING:
    from ray.cluster_utils import Cluster as Nodes

    from reeltag.pipeline import cluster
else:
    pytest.importorskip("ray", reason="ray is not installed (pip install 'reeltag[cluster]')")
    from ray.cluster_utils import Cluster as Nodes

    from reeltag.pipeline import cluster


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    """Two nodes of a core each."""
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
def two(nodes: Nodes) -> Iterator[cluster.Cluster]:
    with closing(cluster.Cluster(0)) as engine:
        yield engine


class Near:
    """Stands for the handle of an actor; what is asked of it, it does at once."""

    def __init__(self, agent: cluster.Agent) -> None:
        self.agent = agent

    def __getattr__(self, name: str) -> Any:
        return SimpleNamespace(remote=getattr(self.agent, name))


@pytest.fixture
def without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everything but Ray itself be as on a cluster of two nodes."""
    near = SimpleNamespace(
        is_initialized=lambda: True,
        get=lambda said, timeout=0: said,
        wait=lambda asked, **_: (asked, []),
        kill=lambda agent: None,
    )
    two = [{"NodeID": n, "NodeManagerHostname": n, "Resources": {"CPU": 1}} for n in ("a", "b")]
    monkeypatch.setattr(cluster, "ray", near)
    monkeypatch.setattr(cluster, "_nodes", lambda: two)
    monkeypatch.setattr(cluster, "_agent", lambda seat: Near(cluster.Agent(seat.cores)))


@pytest.mark.usefixtures("without_ray")
def test_the_engine_shares_out_retries_and_names_what_failed(tmp_path: Path) -> None:
    shared_out(tmp_path)
    root, flag, seen = tmp_path / "work", tmp_path / "flag", list[Event]()
    flag.touch()
    with closing(cluster.Cluster(0)) as engine, pytest.raises(FailedStepsError, match="tried twi"):
        goal = step(failing, runtime={"flag": flag})
        run_fleet(goal, root, engine, seen.append, retries=1)
    assert [(event.kind, event.place) for event in seen][1:] == [
        ("begun", "a worker 1"),
        ("again", "a worker 1"),
        ("resumed", "b worker 1"),
        ("failed", "b worker 1"),
    ]


def shared_out(tmp_path: Path) -> None:
    runtime = {"folder": tmp_path}
    goals = [step(meeting, mine=a, other=b, runtime=runtime) for a, b in (("x", "y"), ("y", "x"))]
    engines.make(goals, tmp_path / "work", engine="ray")
    said = [json.loads((folder_of(g, tmp_path / "work") / "said.json").read_text()) for g in goals]
    assert len({one["pid"] for one in said} | {os.getpid()}) == 3
    assert {one["OMP_NUM_THREADS"] for one in said} == {os.environ.get("OMP_NUM_THREADS", "1")}


@pytest.mark.slow
def test_both_nodes_work_at_the_same_time(nodes: Nodes, tmp_path: Path) -> None:
    shared_out(tmp_path)


@pytest.mark.slow
def test_failures_are_retried_on_the_other_node_then_named(
    two: cluster.Cluster, tmp_path: Path
) -> None:
    root, flag, log, seen = tmp_path / "work", tmp_path / "flag", tmp_path / "log", list[Event]()
    flag.touch()
    bad = step(failing, name="bad", runtime={"flag": flag})
    after = step(total, bad, name="after", runtime={"log": log})
    dying = step(failing_at_first, how="process", runtime={"log": log})
    with pytest.raises(FailedStepsError, match=r"1 of 3 .*bad \(Zero.*tried twice.*total-after"):
        run_fleet([after, dying], root, two, seen.append, keep_going=True, retries=1)
    assert is_done(dying, root)
    places = {e.place for e in seen if e.step is bad and e.kind in ("begun", "resumed")}
    assert places == set(two.places) and len(places) == 2


@pytest.mark.slow
def test_results_and_data_must_be_seen_from_every_node(
    two: cluster.Cluster, tmp_path: Path
) -> None:
    two.check(tmp_path, [tmp_path])
    assert not list(tmp_path.iterdir())
    with pytest.raises(DataError, match=r"gone: is not seen from .* worker 1"):
        two.check(tmp_path, [tmp_path / "gone"])
    agent = cluster.Agent(1)
    elsewhere = tmp_path / "not-mounted"
    unseen = {"b worker 1": agent.unseen(elsewhere / "token", [tmp_path])}
    assert unseen == {"b worker 1": [str(elsewhere)]}
    with pytest.raises(ConfigError, match=r"not-mounted: is not seen from b worker 1, or"):
        cluster.refuse_unseen(unseen, elsewhere)


@pytest.mark.slow
def test_ctrl_c_stops_the_workers_of_all_nodes(two: cluster.Cluster, tmp_path: Path) -> None:
    root, runtime = tmp_path / "work", {"log": tmp_path / "log", "gate": tmp_path / "gate"}
    goals = [step(slow, name=name, ticks=9, runtime=runtime) for name in "ab"]
    begun = set()

    def interrupt(event: Event) -> None:
        if event.kind == "begun" and event.step:
            begun.add(event.step.name)
        if len(begun) == 2 and event.kind == "begun":
            wait_for(lambda: all((part_of(of, root) / "ticks").exists() for of in goals))
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run_fleet(goals, root, two, interrupt)
    assert not any(is_done(of, root) for of in goals) and not list(root.glob("*.lock"))


@pytest.mark.slow
def test_what_a_lost_node_was_at_is_made_by_the_other(nodes: Nodes, tmp_path: Path) -> None:
    args: dict[str, Any] = {
        "num_cpus": 1,
        "object_store_memory": 100_000_000,
        "include_dashboard": False,
    }
    third, root, gate = nodes.add_node(**args), tmp_path / "work", tmp_path / "gate"
    runtime = {"log": tmp_path / "log", "gate": gate}
    goals = [step(slow, name=name, ticks=9, runtime=runtime) for name in "abc"]
    begun = list[str]()

    def lose(event: Event) -> None:
        if event.kind == "begun":
            begun.append(event.place)
            if len(begun) == 3:
                nodes.remove_node(third)
                gate.touch()

    with closing(cluster.Cluster(0)) as engine:
        assert len(engine.places) == 3
        run_fleet(goals, root, engine, lose, retries=1)
        assert len(engine.places) == 2
    assert all(is_done(of, root) for of in goals)


def test_workers_are_spread_evenly_and_have_a_gpu_each() -> None:
    def node(name: str, **resources: float) -> dict[str, Any]:
        return {"NodeID": name * 3, "NodeManagerHostname": name, "Resources": resources}

    found = cluster.seats([node("a", CPU=9, GPU=2), node("b", CPU=4, GPU=1), node("c", CPU=2)], 0)
    assert [seat.name for seat in found] == ["a gpu 1", "a gpu 2", "b gpu 1"]
    assert [(seat.cores, seat.gpus) for seat in found] == [(4, 1), (4, 1), (4, 1)]
    small = [node("a", CPU=4), node("b", CPU=2)]
    assert [seat.name for seat in cluster.seats(small, 0)] == ["a worker 1", "b worker 1"]
    assert [seat.cores for seat in cluster.seats(small, 3)] == [2, 2, 2]
    with pytest.raises(ConfigError, match="6 CPUs on 2 nodes; 7 workers were wanted"):
        cluster.seats(small, 7)


def test_without_a_cluster_one_is_told_how_to_start_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    monkeypatch.setattr("ray.is_initialized", lambda: False)

    def refused(**_: object) -> None:
        raise ConnectionError("nobody is there")

    monkeypatch.setattr("ray.init", refused)
    with pytest.raises(ConfigError, match="no Ray cluster is found at '127.0.0.1:1'"):
        cluster.Cluster(0)
