"""A Ray cluster of two nodes on one machine: the same shards, also when a node is lost."""

import os
import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from reeltag.core.errors import ConfigError
from reeltag.library.extraction.config import ExtractionConfig
from reeltag.library.extraction.jobs import EncodingSettings, VideoJob
from reeltag.library.extraction.run import extract
from reeltag.library.extraction.worker_process import PoolTask, TaskOutcome
from tests.library.extraction.synthetic_videos import write_film
from tests.library.extraction.toys import COLOUR, GATE, LOUDNESS
from tests.processes import wait_until

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own, of every kind
if TYPE_CHECKING:
    from ray.cluster_utils import Cluster as Nodes

    from reeltag.library.extraction import ray_encoding
else:
    pytest.importorskip("ray", reason="ray is not installed (pip install 'reeltag[cluster]')")
    from ray.cluster_utils import Cluster as Nodes

    from reeltag.library.extraction import ray_encoding

TOYS = ExtractionConfig(picture=COLOUR, sound=LOUDNESS, shard_mb=60e-6)
GATED = replace(TOYS, picture=COLOUR.replace("Mean", "Gated"))


def test_actor_returns_outcomes_and_does_nothing_twice(tmp_path: Path) -> None:
    token = tmp_path / "parts" / ".seen"
    token.parent.mkdir()
    token.touch()
    film = write_film(tmp_path / "film.mp4", [10, 20])
    settings = EncodingSettings(picture=COLOUR, sound="", rate_hz=1.0)
    job = VideoJob(
        settings=settings,
        how="now",
        key="a",
        id="film",
        path=film,
        parts=token.parent,
        previews=None,
    )
    actor = ray_encoding.EncodingActor(token)
    batch = {"task": np.empty(1, object)}
    batch["task"][0] = pickle.dumps(PoolTask(key="a", payload=job))
    outcome: TaskOutcome = pickle.loads(actor(batch)["outcome"][0])
    assert (outcome.key, outcome.failure) == ("a", "")
    film.unlink()  # it would fail now
    outcome = pickle.loads(actor(batch)["outcome"][0])
    assert (outcome.key, outcome.failure) == ("a", "")
    actor._local.__exit__(None, None, None)


def test_node_that_does_not_see_the_folder_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_encoding, "_SEEN_SECONDS", 0.1)
    actor = ray_encoding.EncodingActor(tmp_path / "nowhere" / ".seen")
    outcome = actor._outcome(PoolTask(key="a", payload=None))
    assert isinstance(outcome.error, ConfigError)
    assert os.uname().nodename in outcome.message


@pytest.fixture
def nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Nodes, Any]]:
    """Start two nodes of a core each; yield the cluster and its second node."""
    path = os.environ.get("PYTHONPATH", "")
    here = str(Path(__file__).parents[3])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [here, path])))
    monkeypatch.setenv("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    monkeypatch.setenv(GATE, str(tmp_path / "gate"))
    args: dict[str, Any] = {
        "num_cpus": 1,
        "object_store_memory": 100_000_000,
        "include_dashboard": False,
    }
    found = Nodes(initialize_head=True, head_node_args=args)
    try:
        second = found.add_node(**args)
        monkeypatch.setenv("RAY_ADDRESS", found.address)
        yield found, second
    finally:
        found.shutdown()


@pytest.mark.slow
def test_lost_node_changes_nothing_in_the_shards(tmp_path: Path, nodes: tuple[Nodes, Any]) -> None:
    films = tmp_path / "films"
    films.mkdir()
    for number in range(24):
        write_film(films / f"film{number}.mp4", [10 * number, 10 * number + 5], 0.1)
    (films / "broken.mp4").write_bytes(bytes(5000))
    local = extract([films], tmp_path / "local", TOYS, workers=1, quiet=True)
    parts = tmp_path / "cluster" / ".reeltag" / "extract" / "parts"
    cluster, second = nodes

    def lose_a_node() -> int:
        wait_until(lambda: len(list(parts.glob("*.json"))) >= 4)
        done_before = len(list(parts.glob("*.json")))
        cluster.remove_node(second, allow_graceful=False)
        (tmp_path / "gate").touch()
        return done_before

    with ThreadPoolExecutor(1) as pool:
        losing = pool.submit(lose_a_node)
        out = tmp_path / "cluster"
        found = extract([films], out, GATED, engine="ray", quiet=True)
    assert losing.result() < 20
    assert (found.extracted, len(found.failed)) == (24, 1) == (local.extracted, len(local.failed))
    assert len(shards(tmp_path / "local")) > 3
    assert shards(out) == shards(tmp_path / "local")


def shards(data: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in data.glob("*.tfrecord")}
