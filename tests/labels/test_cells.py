"""Sets of cells: against Python's own."""

import numpy as np
import pytest

from reeltag.labels.cells import distinct, is_among


@pytest.mark.parametrize("size", [0, 1, 2, 500])
def test_they_are_the_sets_of_python(size: int) -> None:
    rng = np.random.default_rng(size)
    some, others = rng.integers(0, 400, size), rng.integers(0, 400, 300)
    assert distinct(some).tolist() == sorted(set(some.tolist()))
    found = is_among(others, distinct(some))
    assert found.tolist() == [cell in set(some.tolist()) for cell in others.tolist()]
    assert not is_among(some, np.empty(0, np.int64)).any()
