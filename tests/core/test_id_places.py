"""Ids are found wherever they are, in whatever order, and in the order of the list cheaply."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reeltag.core.id_places import IdPlaces


@given(
    st.lists(st.sampled_from("abcdefgh"), max_size=12),
    st.lists(st.lists(st.sampled_from("abcdefghxy"), max_size=6), max_size=6),
)
def test_places_are_those_of_a_look_through_all(ids: list[str], blocks: list[list[str]]) -> None:
    places = IdPlaces(pa.array(ids, pa.string()))
    for block in blocks:
        expected = [ids.index(each) if each in ids else -1 for each in block]
        assert places.of(pa.array(block, pa.string())).tolist() == expected


def test_blocks_in_order_are_not_looked_for_among_all(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = pa.array([f"v{n}" for n in range(1000)])
    places, sizes = IdPlaces(ids), []
    look = pc.index_in

    def counted(wanted: pa.Array, *, value_set: pa.Array) -> pa.Array:
        sizes.append(len(value_set))
        return look(wanted, value_set=value_set)

    monkeypatch.setattr(pc, "index_in", counted)
    rows = np.repeat(np.arange(1000), 3)  # three windows a video; blocks cut through videos
    for first in range(0, len(rows), 100):
        block = rows[first : first + 100]
        assert places.of(ids.take(pa.array(block))).tolist() == block.tolist()
    assert len(sizes) == 30 and max(sizes) <= 101
