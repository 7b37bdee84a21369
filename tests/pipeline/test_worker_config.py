"""Which processes and GPUs share a piece of work."""

from contextlib import closing

import pytest

from reeltag.core.errors import ConfigError
from reeltag.pipeline import local_engine, worker_config
from reeltag.pipeline.local_engine import LocalEngine
from reeltag.pipeline.worker_config import WorkerConfig, gpus_named


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let the machine have some GPUs; return the list of them."""
    there = ["4", "6", "7"]
    for module in (local_engine, worker_config):
        monkeypatch.setattr(module, "visible_gpus", lambda: list(there))
    return there


def gpus_of(config: WorkerConfig, device: str = "auto") -> list[str | None]:
    """Return the GPU that each worker sees, None = none is named."""
    with closing(config.create(device)) as engine:
        assert isinstance(engine, LocalEngine)
        return [one.variables.get(local_engine.GPUS) for one in engine.workers.values()]


def test_devices_get_a_process_each(gpus: list[str]) -> None:
    assert gpus_of(WorkerConfig(devices=("all",))) == gpus
    assert gpus_of(WorkerConfig(devices=("cuda:2", "cuda:0"))) == ["7", "4"]
    assert WorkerConfig(devices=("cuda:2",)).device("cpu") == "cuda"


def test_more_workers_than_devices_share_them(gpus: list[str]) -> None:
    found = gpus_of(WorkerConfig(devices=("cuda:1", "cuda:2"), workers=3))
    assert found == ["6", "7", "6"]


@pytest.mark.parametrize(
    ("device", "seen", "used"),
    [("auto", ["4", "6"], "auto"), ("cpu", [None, None], "cpu"), ("cuda:1", ["6", "6"], "cuda")],
)
def test_workers_use_the_named_device(
    gpus: list[str], device: str, seen: list[str | None], used: str
) -> None:
    config = WorkerConfig(workers=2)
    assert gpus_of(config, device) == seen and config.device(device) == used


def test_unknown_gpus_are_named_with_those_there_are(gpus: list[str]) -> None:
    with pytest.raises(ConfigError, match="no GPU cuda:3; found: cuda:0, cuda:1, cuda:2"):
        gpus_named(("cuda:3",))
    gpus.clear()
    with pytest.raises(ConfigError, match="there is no GPU"):
        gpus_named(("all",))


@pytest.mark.parametrize(
    ("devices", "engine", "message"),
    [
        (("cpu",), "local", "must be all, or cuda:0"),
        (("cuda:0", "cuda:0"), "local", "each is given once"),
        (("cuda:0", "all"), "local", "each is given once"),
        (("all",), "ray", "Ray gives each process its GPU"),
    ],
)
def test_devices_that_make_no_sense_are_an_error(
    devices: tuple[str, ...], engine: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        WorkerConfig(devices=devices, engine=engine)  # type: ignore[arg-type]


def test_work_is_divided_only_where_that_is_wanted() -> None:
    assert not WorkerConfig().is_divided
    divided = ({"workers": 1}, {"devices": ("all",)}, {"engine": "ray"})
    assert all(WorkerConfig(**given).is_divided for given in divided)
