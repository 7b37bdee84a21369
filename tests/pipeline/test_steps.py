"""Steps as graphs: what changes a key, what raises, and the order of work."""

from pathlib import Path
from typing import Any

import pytest

from reeltag.core.errors import ConfigError
from reeltag.pipeline import steps
from reeltag.pipeline.events import Event
from reeltag.pipeline.running import run
from reeltag.pipeline.steps import Step, ordered, source, step, step_function
from reeltag.pipeline.store import folder_of
from tests.pipeline.synthetic_steps import Numbers, diamond, nested, number, total, total_of_others

LOG = {"log": Path("log")}
DATA = source(Path("here/data.txt"), "sha 1")


def by_name(goal: Step) -> dict[str, str]:
    return {node.name: node.key for node in ordered(goal)}


def test_change_changes_keys_of_dependents_only() -> None:
    before, after = by_name(diamond(DATA, Path("l"))), by_name(diamond(DATA, Path("l"), plus=1.0))
    assert {name for name in before if before[name] != after[name]} == {"total-left", "total-goal"}


def test_moved_data_change_no_key_and_other_data_all() -> None:
    here = by_name(diamond(DATA, Path("l")))
    assert by_name(diamond(source(Path("there/moved"), "sha 1"), Path("l"))) == here
    other = by_name(diamond(source(Path("here/data.txt"), "sha 2"), Path("l")))
    assert all(other[name] != here[name] for name in here)


def test_key_depends_on_id_and_order_of_inputs_but_not_on_name_and_runtime() -> None:
    one = step(total, name="a", runtime=LOG)
    assert step(total, name="b", runtime={"log": Path("elsewhere")}).key == one.key
    assert step(total_of_others, name="a", runtime=LOG).key != one.key
    other = step(total, plus=1.0, runtime=LOG)
    assert step(total, one, other, runtime=LOG).key != step(total, other, one, runtime=LOG).key


def test_step_in_config_is_an_input() -> None:
    one, two = step(total, runtime=LOG), step(total, plus=1.0, runtime=LOG)
    goals = [step(nested, of={"paths": [of]}, runtime=LOG) for of in (one, two, one / "value.json")]
    assert len({goal.key for goal in goals}) == 3
    assert [goal.needs for goal in goals] == [(one,), (two,), (one,)]


def test_ordered_lists_each_step_once_after_its_inputs() -> None:
    names = [node.name for node in ordered(diamond(DATA, Path("l")))]
    assert names == ["data", "number-top", "total-left", "total-right", "total-goal"]
    goal = diamond(DATA, Path("l"))
    assert len(ordered([goal, diamond(DATA, Path("l")), goal])) == 5


@pytest.mark.parametrize("name", ["a/b", "../x", "a b", "é", "x" * 101])
def test_step_name_must_be_a_folder_name(name: str) -> None:
    with pytest.raises(ConfigError, match="a step is named by letters"):
        step(total, name=name, runtime=LOG)


def function_of(module: str, *, version: int = 1, step_id: str = "moved") -> Any:
    """Return a function as a module of this name would define it."""

    def write_one(out: Path) -> None:
        (out / "value.json").write_text("1.0")

    write_one.__module__, write_one.__qualname__ = module, "write_one"
    return step_function(step_id, version=version)(write_one)


def test_step_reuses_its_folder_after_its_function_moved_to_another_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(step(function_of("old.module"), name="x"), tmp_path)
    monkeypatch.setattr(steps, "_OWNERS", {})  # another process, in which the old module is gone
    moved, seen = step(function_of("new.module"), name="x"), list[Event]()
    run(moved, tmp_path, seen.append)
    assert folder_of(moved, tmp_path).is_dir() and [event.kind for event in seen] == ["present"]


def test_step_function_id_of_another_function_is_an_error() -> None:
    function_of("first.module", step_id="twice")
    function_of("first.module", step_id="twice")  # the same one, its module loaded again
    with pytest.raises(ConfigError, match="'twice': first.module.write_one and second.module"):
        function_of("second.module", step_id="twice")


def test_step_version_changes_its_key() -> None:
    one, two = (function_of("a.module", version=of, step_id="versioned") for of in (1, 2))
    assert step(one).key != step(two).key


@pytest.mark.parametrize("function", [lambda out: None, by_name], ids=["lambda", "no id"])
def test_step_function_without_name_or_id_is_an_error(function: Any) -> None:
    with pytest.raises(ConfigError, match="needs a name in a module and an id"):
        step(function, name="x")


def test_step_with_wrong_arguments_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"number: .*number cannot be called .*'numbers'"):
        step(number, DATA, runtime=LOG)
    with pytest.raises(ConfigError, match="unexpected keyword argument 'rates'"):
        step(number, DATA, numbers=Numbers(), rates=1, runtime=LOG)


def test_path_as_input_is_an_error() -> None:
    path: Any = Path("data")
    with pytest.raises(ConfigError, match="an input is a step or a source"):
        step(total, path, runtime=LOG)


@pytest.mark.parametrize("path", ["../x", "/x", ""])
def test_result_path_must_be_inside_the_result(path: str) -> None:
    with pytest.raises(ConfigError, match="must be inside"):
        step(total, runtime=LOG) / path
