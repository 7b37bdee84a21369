"""Keys: equal in every process for equal values, different for others."""

import dataclasses
import sys
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reeltag.core.errors import ConfigError
from reeltag.core.fields import ADDED, default_was
from reeltag.pipeline.keys import canonical, digest, json_value, references, resolved
from reeltag.pipeline.steps import Step, source, step
from tests.pipeline.synthetic_steps import Numbers, nested
from tests.processes import run_program


def key(config: Any) -> str:
    return step(nested, of={"config": config}, runtime={"log": Path("log")}).key


class Colour(Enum):
    RED = 1


@dataclass(frozen=True)
class OtherNumbers:
    rate: float = 0.5
    sizes: tuple[int, ...] = (3, 4)


PROGRAM = """
from pathlib import Path
from tests.pipeline.test_keys import rich_step
print(rich_step().key)
"""


def rich_step() -> Step:
    config = {"b": {"x", "y", "z"}, "a": [1, 2.5, None, True, Path("p"), Colour.RED, Numbers()]}
    return step(nested, of=config, runtime={"log": Path("anywhere")})


def test_key_is_the_same_in_a_process_with_another_hash_seed() -> None:
    keys = {
        run_program(
            [sys.executable, "-c", PROGRAM],
            environment={"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[2])},
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert keys == {rich_step().key}


def test_digest_stays_as_recorded() -> None:
    # a change of the canonical form would make all results run again: never by accident
    assert digest(canonical({"a": [1, 2.0, "x"]}, "")) == "d77b2c216a5e"


def test_added_field_changes_key_only_with_another_value() -> None:
    before = dataclasses.make_dataclass("Sizes", [("rate", float, 0.5)], frozen=True)
    added = dataclasses.field(default=(), metadata=ADDED)
    fields: list[Any] = [("rate", float, 0.5), ("frozen", tuple[str, ...], added)]
    after = dataclasses.make_dataclass("Sizes", fields, frozen=True)
    assert key(before()) == key(after()) == key(after(frozen=()))
    assert key(after(frozen=("head",))) != key(after())


def test_renamed_default_keeps_the_key() -> None:
    before = dataclasses.make_dataclass("Sizes", [("most", int, 300)], frozen=True)
    default = dataclasses.field(default=None, metadata=default_was(300))
    after = dataclasses.make_dataclass("Sizes", [("most", int | None, default)], frozen=True)
    assert key(before()) == key(after()) == key(after(most=300))
    assert key(after(most=0)) == key(before(most=0)) != key(after())


def test_key_ignores_order_of_dicts_and_kind_of_sequence() -> None:
    assert key({"a": 1, "b": 2}) == key({"b": 2, "a": 1})
    assert key((1, 2)) == key([1, 2])
    assert key({1, 2, 3}) == key({3, 2, 1})


DIFFERENT: list[Any] = [
    1,
    1.0,
    True,
    "1",
    None,
    "None",
    Path("1"),
    [1],
    {"1": 1},
    {1: 1},
    ["path", "1"],
    Colour.RED,
    Numbers(),
    OtherNumbers(),
    Numbers(rate=1),
    Numbers(rate=1.0),
    {"rate": 0.5, "sizes": (3, 4)},
    0.1,
    0.1 + 1e-17 * 2,
    {1},
]


def test_different_values_have_different_keys() -> None:
    assert len({key(value) for value in DIFFERENT}) == len(DIFFERENT)


def test_config_class_keeps_its_key_in_another_module() -> None:
    fields: list[Any] = [("rate", float, 0.5), ("sizes", Any, (3, 4))]
    moved = dataclasses.make_dataclass("Numbers", fields)
    moved.__module__ = "elsewhere"
    assert key(moved()) == key(Numbers())


def test_config_class_keeps_its_key_under_another_name_with_key_name() -> None:
    fields: list[Any] = [("rate", float, 0.5), ("sizes", Any, (3, 4))]
    renamed = dataclasses.make_dataclass("Sizes", fields, namespace={"KEY_NAME": "Numbers"})
    assert key(renamed()) == key(Numbers())


def test_uncompared_field_does_not_change_key() -> None:
    assert key(Numbers(workers=9)) == key(Numbers())
    assert json_value(Numbers(workers=9)) == {"rate": 0.5, "sizes": [3, 4], "workers": 9}


@pytest.mark.parametrize("value", [object(), len, Numbers, b"x", 1j])
def test_unhashable_value_is_named_with_its_path(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"nested.of.config.x\[1\]: .* cannot be part"):
        key({"x": [0, value]})


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@given(plain, plain)
def test_keys_are_equal_iff_values_are(one: Any, other: Any) -> None:
    def text(value: Any) -> Any:  # repr with sorted dicts
        if isinstance(value, dict):
            return sorted((k, text(v)) for k, v in value.items()), "dict"
        return [text(item) for item in value] if isinstance(value, list) else repr(value)

    assert (key(one) == key(other)) == (text(one) == text(other))


def test_nested_step_is_found_and_replaced_by_its_folder() -> None:
    data = source(Path("data.txt"), "f")
    before = step(nested, of={"on": data}, runtime={"log": Path("log")})
    config = {"a": [before / "x.npy"], "b": Numbers(rate=before)}  # type: ignore[arg-type]
    assert [found.node for found in references(config)] == [before, before]
    found: Any = resolved(config, lambda _: Path("root/folder"))
    assert found == {
        "a": [Path("root/folder/x.npy")],
        "b": replace(Numbers(), rate=Path("root/folder")),  # type: ignore[arg-type]
    }
