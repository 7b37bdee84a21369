"""Mutations of JSON that keep it JSON: other values, kinds, names, depths."""

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

from benchmarks.fuzz.mutation import INTEGERS, mutated

_TEXTS = (
    *("", " ", "a" * 5000, "../../etc/passwd", "/dev/zero", "\x00", "\ud800", "\x1b[31m", "NaN"),
    *("-1", "1e999", "é" * 300, "None", "os.system", "reeltag.cli.main:run"),
)
_NUMBERS = (*INTEGERS, 0.5, -0.5, 1e308, -1e308, 1e-320, 10**400, float("nan"), float("inf"))
_PLAIN: tuple[Any, ...] = (None, True, False, [], {}, [[]], {"": None}, *_TEXTS, *_NUMBERS)


def mutated_json(rng: random.Random, data: bytes) -> bytes:
    """Return JSON with some values, names or kinds changed; now and then as bytes.

    Args:
        rng: draws what.
        data: JSON, or anything: then its bytes are mutated.
    """
    try:
        value = json.loads(data)
    except ValueError:
        return mutated(rng, data)
    if rng.random() < 0.15:
        return mutated(rng, data)
    try:
        for _ in range(1 + int(rng.expovariate(1.0))):
            value = changed(rng, value)
        return json.dumps(value).encode()
    except RecursionError:  # too deep for Python to write
        return b'{"a": ' * 5000 + b"1" + b"}" * 5000


def changed(rng: random.Random, value: Any) -> Any:  # noqa: ANN401  (JSON)
    """Return a JSON value with one place changed."""
    value = copy.deepcopy(value)
    places = list(_places(value))
    if not places or rng.random() < 0.03:
        return odd_value(rng, value)
    holder, key = rng.choice(places)
    kind = rng.random()
    if kind < 0.55:
        holder[key] = odd_value(rng, holder[key])
    elif kind < 0.7:
        del holder[key]
    elif isinstance(holder, dict):
        name = rng.choice((*holder, *_TEXTS))
        holder[name] = holder.pop(key) if kind < 0.85 else copy.deepcopy(holder[key])
    else:
        holder += [copy.deepcopy(holder[key])] * rng.choice((1, 1, 3, 1000))
    return value


def odd_value(rng: random.Random, value: Any) -> Any:  # noqa: ANN401  (JSON)
    """Return another value in the place of one: near to it, of another kind, or deep."""
    kind = rng.random()
    if kind < 0.3 and isinstance(value, int | float) and not isinstance(value, bool):
        return value + rng.choice((-1, 1, 0.5, 1000) if abs(value) < 1 << 60 else (-1, 1))
    if kind < 0.3 and isinstance(value, str) and value:
        return mutated(rng, value.encode(errors="surrogatepass")).decode(errors="replace")
    if kind < 0.34:
        deep: Any = value
        for _ in range(rng.choice((1, 2, 20, 400))):
            deep = [deep] if rng.random() < 0.5 else {"a": deep}
        return deep
    if kind < 0.4:
        return [value] if not isinstance(value, list) else {"0": value}
    return copy.deepcopy(rng.choice(_PLAIN))


def _places(value: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401  (JSON)
    """Yield every holder and key of a value, all depths."""
    waiting = [value]
    while waiting:
        holder = waiting.pop()
        keys = range(len(holder)) if isinstance(holder, list) else holder
        if isinstance(holder, list | dict):
            for key in keys:
                yield holder, key
                waiting.append(holder[key])
