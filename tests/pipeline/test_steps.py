"""Steps as graphs: what changes a key, what is refused, and the order of work."""

from pathlib import Path
from typing import Any

import pytest

from reeltag.core.errors import ConfigError
from reeltag.pipeline.steps import Step, ordered, source, step
from tests.pipeline.made import Numbers, diamond, nested, number, total, total_of_others

LOG = {"log": Path("log")}
DATA = source(Path("here/data.txt"), "sha 1")


def by_name(goal: Step) -> dict[str, str]:
    return {node.name: node.key for node in ordered(goal)}


def test_a_changed_number_changes_only_the_keys_of_what_depends_on_it() -> None:
    before, after = by_name(diamond(DATA, Path("l"))), by_name(diamond(DATA, Path("l"), plus=1.0))
    assert {name for name in before if before[name] != after[name]} == {"total-left", "total-goal"}


def test_moved_data_change_no_key_and_other_data_all() -> None:
    here = by_name(diamond(DATA, Path("l")))
    assert by_name(diamond(source(Path("there/moved"), "sha 1"), Path("l"))) == here
    other = by_name(diamond(source(Path("here/data.txt"), "sha 2"), Path("l")))
    assert all(other[name] != here[name] for name in here)


def test_version_function_and_order_of_inputs_count_and_name_and_means_do_not() -> None:
    one = step(total, name="a", means=LOG)
    assert step(total, name="b", means={"log": Path("elsewhere")}).key == one.key
    assert step(total, name="a", version=2, means=LOG).key != one.key
    assert step(total_of_others, name="a", means=LOG).key != one.key
    other = step(total, plus=1.0, means=LOG)
    assert step(total, one, other, means=LOG).key != step(total, other, one, means=LOG).key


def test_a_step_in_the_config_is_an_input_and_a_file_of_it_another_one() -> None:
    one, two = step(total, means=LOG), step(total, plus=1.0, means=LOG)
    goals = [step(nested, of={"paths": [of]}, means=LOG) for of in (one, two, one / "value.json")]
    assert len({goal.key for goal in goals}) == 3
    assert [goal.needs for goal in goals] == [(one,), (two,), (one,)]


def test_each_step_stands_once_and_after_all_that_it_needs() -> None:
    names = [node.name for node in ordered(diamond(DATA, Path("l")))]
    assert names == ["data", "number-top", "total-left", "total-right", "total-goal"]
    goal = diamond(DATA, Path("l"))
    assert len(ordered([goal, diamond(DATA, Path("l")), goal])) == 5


@pytest.mark.parametrize("name", ["a/b", "../x", "a b", "é", "x" * 101])
def test_a_name_that_is_none_of_a_folder_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="a step is named by letters"):
        step(total, name=name, means=LOG)


def test_a_function_without_a_name_of_its_own_is_refused() -> None:
    with pytest.raises(ConfigError, match="must stand in a module under a name"):
        step(lambda out: None, name="x")


def test_a_call_that_cannot_work_is_refused_before_anything_runs() -> None:
    with pytest.raises(ConfigError, match=r"number: .*number cannot be called .*'numbers'"):
        step(number, DATA, means=LOG)
    with pytest.raises(ConfigError, match="unexpected keyword argument 'rates'"):
        step(number, DATA, numbers=Numbers(), rates=1, means=LOG)


def test_a_path_is_no_input() -> None:
    path: Any = Path("data")
    with pytest.raises(ConfigError, match="an input is a step or a source"):
        step(total, path, means=LOG)


@pytest.mark.parametrize("path", ["../x", "/x", ""])
def test_what_is_taken_of_a_result_lies_inside_it(path: str) -> None:
    with pytest.raises(ConfigError, match="must lie inside"):
        step(total, means=LOG) / path
