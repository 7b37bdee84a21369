"""Processes that one piece of work is divided among: on GPUs, on cores, or on a cluster."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from reeltag.core.bounds import CheckedFields, NotNegative
from reeltag.core.errors import ConfigError
from reeltag.pipeline.engines import EngineName
from reeltag.pipeline.local_engine import LocalEngine, visible_gpus
from reeltag.pipeline.scheduler import Engine

ALL = "all"
_CUDA = "cuda"


@dataclass(frozen=True, kw_only=True)
class WorkerConfig(CheckedFields):
    """How work is divided among processes. The result does not depend on it."""

    devices: tuple[str, ...] = ()
    """GPUs that share the work, a process on each: all, or cuda:0 cuda:1 ... None: one process on
    --device."""
    workers: NotNegative = 0
    """Processes that share the work: on --devices (several share a GPU, where there are more), else
    on the cores, with one thread each. 0: one for each of --devices; on a cluster one per GPU, or
    per node."""
    engine: EngineName = "local"
    """local: on this machine; ray: on the Ray cluster that RAY_ADDRESS names or this machine
    belongs to, whose nodes see all paths alike."""

    def check(self) -> None:
        """Raise ConfigError for devices that are no GPUs, twice the same, or of a cluster."""
        check_devices(self.devices, self.engine)

    @property
    def is_divided(self) -> bool:
        """Whether the work is done by other processes than this one."""
        return bool(self.devices or self.workers or self.engine != "local")

    def device(self, device: str) -> str:
        """Return the device that a worker uses, each of which sees one GPU at most.

        Args:
            device: that was named for one process.
        """
        if self.devices:
            return _CUDA
        return _CUDA if device.startswith(_CUDA) else device

    def create(self, device: str) -> Engine:
        """Return the workers; the caller closes them.

        Args:
            device: that was named for one process; auto: GPUs, where there are some.

        Raises:
            ConfigError: there is no such GPU, or no such cluster.
            MissingPackageError: "ray" without ray (the extra `cluster`).
        """
        if self.engine == "ray":  # imported here: ray is an extra
            ray: Callable[[int], Engine] = import_module("reeltag.pipeline.ray_engine").RayEngine
            return ray(self.workers)
        names = self.devices or ((device,) if device.startswith(_CUDA) else ())
        if not names and device == "auto":
            return LocalEngine(self.workers)
        return LocalEngine(self.workers, gpus_named(names))


def check_devices(names: tuple[str, ...], engine: EngineName = "local") -> None:
    """Raise ConfigError where names are not all, or GPUs, each once, or the engine has its own."""
    if names and engine == "ray":
        raise ConfigError(
            "Ray gives each process its GPU: --devices is for --engine local",
            where="--devices",
        )
    wrong = [name for name in names if name != ALL and not name.startswith(_CUDA)]
    if wrong:
        raise ConfigError(
            f"must be all, or cuda:0, cuda:1 and so on, got {wrong[0]!r}",
            where="--devices",
            hint="--workers N shares the work among N processes on the cores.",
        )
    if len(set(names)) < len(names) or (ALL in names and len(names) > 1):
        raise ConfigError("each is given once, or all alone", where="--devices")


def gpus_named(names: tuple[str, ...]) -> list[str]:
    """Return GPUs as CUDA_VISIBLE_DEVICES names them.

    Args:
        names: cuda, cuda:1, or all; none: no GPU.

    Raises:
        ConfigError: there is no such GPU, or it is given twice.
    """
    check_devices(names)
    there = visible_gpus()
    if ALL in names:
        if there:
            return there
        raise ConfigError(
            "there is no GPU",
            where="--devices",
            hint="--workers N shares the work among N processes on the cores.",
        )
    found = []
    for name in names:
        number = name.removeprefix(_CUDA).removeprefix(":") or "0"
        if not number.isdecimal() or int(number) >= len(there):
            shown = ", ".join(f"cuda:{at}" for at in range(len(there))) or "none"
            raise ConfigError(f"there is no GPU {name}; found: {shown}", where="--devices")
        found.append(there[int(number)])
    return found
