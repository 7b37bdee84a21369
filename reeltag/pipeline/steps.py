"""Steps: functions whose result is a folder, named by a hash of all that determines it.

    @step_function("train", version=1)
    def train(out: Path, data: Path, *, recipe: Recipe) -> None: ...

    data = source(path, fingerprint)
    trained = step(train, data, name="II-A", recipe=RECIPE)      # a graph; nothing runs yet
    scored = step(score, trained, data, split="test")
    run(scored, Path("work"))                                     # reeltag.pipeline.running

`train` is then called as `train(out, data_folder, recipe=RECIPE)`. Its result is all that it writes
into the folder `out`. `out` may hold files of an earlier call that was killed: the function resumes
from them, or starts over. It must not store the path of `out`, which is renamed at the end.

A key is a hash of the function's id and version, the config and the keys of the inputs. It does not
depend on the function's code or module: moving a function keeps all folders; a change of what it
computes needs a higher `version`.
"""

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any, TypeVar

from reeltag.core.errors import ConfigError
from reeltag.pipeline.keys import Keyed, canonical, digest, references

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+=-]{0,99}")
_OWNERS: dict[str, str] = {}  # the function of each id, as module.name
_Function = TypeVar("_Function", bound=Callable[..., object])


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Expected cost of a step; None = unknown."""

    seconds: float | None = None
    bytes: int | None = None


def step_function(
    step_id: str, *, version: int, cost: "Callable[[Step], Estimate] | None" = None
) -> Callable[[_Function], _Function]:
    """Return the decorator that gives a function of a module its id and version.

    Args:
        step_id: beginning of the folders' names; stays when the function is renamed or moved.
        version: raised when the function computes something else.
        cost: expected cost of a step of the function; called when it is planned or begins.

    Raises:
        ConfigError: another function has the id.
    """

    def register(function: _Function) -> _Function:
        path = qualified_name(function)
        if (owner := _OWNERS.setdefault(step_id, path)) != path:
            raise ConfigError(
                f"two functions have the step id {step_id!r}: {owner} and {path}",
                hint="Give one of them another id: equal ids share folders.",
            )
        vars(function).update(step_id=step_id, step_version=version, step_cost=cost)
        return function

    return register


def qualified_name(function: Callable[..., object]) -> str:
    """Return module and name of a function."""
    return f"{function.__module__}.{getattr(function, '__qualname__', '<no name>')}"


class Node(Keyed):
    """An input of a step: another step, or data that no step writes."""

    name: str

    @property
    def node(self) -> "Node":
        """Itself."""
        return self

    def __truediv__(self, path: str) -> "ResultPath":
        """Return the file or folder `path` inside of the result."""
        return ResultPath(self, path)


@dataclass(frozen=True, eq=False)
class ResultPath(Keyed):
    """A file or folder inside the result of a step: `trained / "run"`."""

    of: Node
    path: str

    def __post_init__(self) -> None:
        path = PurePosixPath(self.path)
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise ConfigError(f"must be inside the result of a step, got {self.path!r}")

    @property
    def key(self) -> str:
        """Key of the step, and the path inside."""
        return f"{self.of.key}/{PurePosixPath(self.path)}"

    @property
    def node(self) -> Node:
        """The step that writes it."""
        return self.of

    def locate(self, folder_of: Callable[[Any], Path]) -> Path:
        """Return its path, given the function from steps to their paths."""
        return folder_of(self.of) / self.path

    def label(self) -> str:
        """Return the step's folder and the path inside."""
        return f"{self.of.label()}/{self.path}"


@dataclass(frozen=True, eq=False)
class Source(Node):
    """A folder or file that no step writes, identified by its fingerprint wherever it is."""

    path: Path
    fingerprint: str
    name: str = "data"

    @cached_property
    def key(self) -> str:
        """12 hex digits over the fingerprint; the path does not matter."""
        return digest(["source", self.fingerprint])

    @property
    def paths(self) -> tuple[Path, ...]:
        """All paths that must exist for the steps that need it."""
        return (self.path,)

    def locate(self, folder_of: Callable[[Any], Path]) -> Any:  # noqa: ANN401
        """Return its path."""
        return self.path

    def label(self) -> str:
        """Return name, key and path."""
        return f"{self.name}-{self.key} ({self.path})"


@dataclass(frozen=True, eq=False, kw_only=True)
class Step(Node):
    """`fn(out, *inputs, **config, **runtime)`; two steps are the same iff name and key are.

    Attributes:
        name: begins the name of its folder. Not part of the key.
        fn: a `step_function` of a module.
        inputs: steps, data, or files inside of them; `fn` gets their paths.
        config: keyword arguments that determine the result. A step in it, however deep, is an
            input too.
        runtime: keyword arguments that do not change the result (workers, device); not in the key.
    """

    name: str
    fn: Callable[..., object]
    inputs: tuple[Keyed, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    runtime: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if "<" in qualified_name(self.fn) or not hasattr(self.fn, "step_id"):
            raise ConfigError(
                f"the function of a step needs a name in a module and an id, got {self.fn!r}",
                where=self.name,
                hint="Write @step_function(ID, version=1) above it.",
            )
        if not NAME.fullmatch(self.name):
            raise ConfigError(
                f"a step is named by letters, digits and ._+=- (at most 100), got {self.name!r}"
            )
        for given in self.inputs:
            if not isinstance(given, Keyed):
                raise ConfigError(
                    f"an input is a step or a source, got {given!r}",
                    where=self.name,
                    hint="Data that no step writes are given as source(path, fingerprint).",
                )
        try:
            parts = (self.name, *self.inputs)
            inspect.signature(self.fn).bind(*parts, **self.config, **self.runtime)
        except TypeError as error:
            raise ConfigError(
                f"{qualified_name(self.fn)} cannot be called with these arguments: {error}",
                where=self.name,
            ) from error
        object.__setattr__(self, "config", MappingProxyType(dict(self.config)))
        _ = self.key  # a config that cannot be hashed is an error here

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process needs to run the step."""
        state = {**self.__dict__, "config": dict(self.config)}
        state.pop("needs", None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, config=MappingProxyType(state["config"]))

    @property
    def id(self) -> str:
        """Id of the function."""
        return str(vars(self.fn)["step_id"])

    @property
    def version(self) -> int:
        """Version of the function."""
        return int(vars(self.fn)["step_version"])

    def estimate(self) -> Estimate:
        """Return the expected cost, by the rule of the function."""
        rule: Callable[[Step], Estimate] | None = vars(self.fn)["step_cost"]
        return rule(self) if rule else Estimate()

    @cached_property
    def key(self) -> str:
        """12 hex digits over the function's id and version, the config and the inputs' keys."""
        inputs = [canonical(given, self.name) for given in self.inputs]
        config = canonical(self.config, self.name)
        return digest([self.id, self.version, config, inputs])

    @cached_property
    def needs(self) -> tuple[Node, ...]:
        """The steps and sources it needs, each once, in the given order."""
        found = references([*self.inputs, self.config])
        return tuple({of.label(): of for of in map(_node, found)}.values())

    @property
    def folder_name(self) -> str:
        """Name of its folder: name and key."""
        return f"{self.name}-{self.key}"

    def locate(self, folder_of: Callable[[Any], Path]) -> Path:
        """Return the folder of its result."""
        return folder_of(self)

    def label(self) -> str:
        """Return the name of its folder."""
        return self.folder_name


def step(
    fn: Callable[..., object],
    *inputs: Keyed,
    name: str = "",
    runtime: Mapping[str, Any] | None = None,
    **config: object,
) -> Step:
    """Return the step of a call: `step(train, data, name="II-A", recipe=RECIPE)`.

    Args:
        fn: called as `fn(out, *inputs, **config, **runtime)`.
        *inputs: steps, sources, or files inside of them.
        name: added to the function's id: "train" and "II-A" make "train-II-A".
        runtime: see `Step`.
        **config: see `Step`.

    Raises:
        ConfigError: `fn` has no id or does not take these arguments, the name is no folder name,
            or the config holds a value that cannot be hashed.
    """
    parts = [getattr(fn, "step_id", "step"), name]
    return Step(
        name="-".join(filter(None, parts)),
        fn=fn,
        inputs=inputs,
        config=config,
        runtime=runtime or {},
    )


def source(path: Path, fingerprint: str, name: str = "data") -> Source:
    """Return data that no step writes as an input of steps.

    Args:
        path: where they are now; moving them changes no key.
        fingerprint: equal for equal data only.
        name: for people.
    """
    return Source(path, fingerprint, name)


def ordered(goals: Step | Iterable[Step]) -> list[Node]:
    """Return the goals and all nodes that they need: each once, inputs first."""
    found: dict[str, Node] = {}
    for goal in as_steps(goals):
        for node in _visit(goal, found):
            found[node.label()] = node
    return list(found.values())


def as_steps(goals: Step | Iterable[Step]) -> list[Step]:
    """Return one goal or several as a list."""
    return [goals] if isinstance(goals, Step) else list(goals)


def _visit(node: Node, found: Mapping[str, Node]) -> Iterator[Node]:
    if node.label() in found:
        return
    if isinstance(node, Step):
        for before in node.needs:
            yield from _visit(before, found)
    yield node


def _node(of: Keyed) -> Node:
    node = of.node
    assert isinstance(node, Node)
    return node
