"""Label correlation: by hand, at the limits of tau, and through a file."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from reeltag.core.errors import ConfigError, DataError
from reeltag.core.sparse import SparseRows, indptr_of
from reeltag.labels.cooccurrence import Cooccurrence, count_cooccurrence
from reeltag.labels.correlation import Correlation
from reeltag.layers.graph import label_graph

NAMES = ("Car", "BMW", "Game", "Lego", "Rare")
CAR, BMW, GAME, LEGO, RARE = range(5)
VIDEOS = [[CAR]] * 30 + [[CAR, BMW]] * 19 + [[BMW]] + [[GAME]] * 10 + [[GAME, LEGO]] * 10
VIDEOS += [[GAME, RARE]]


def correlated(videos: list[list[int]], names: tuple[str, ...] = NAMES) -> Correlation:
    indptr = indptr_of(np.array([len(labels) for labels in videos], np.int64))
    labels = SparseRows(indptr, np.array([c for labels in videos for c in labels], np.int32))
    return Correlation(count_cooccurrence(labels, len(names)), names, len(videos), "test")


def matrix(correlation: Correlation, tau: float, min_videos: int = 1) -> np.ndarray:
    found = correlation.implications(tau, min_videos=min_videos)
    assert (np.diff(found.cells(correlation.num_classes)) > 0).all()  # ascending in each row
    dense = np.zeros((correlation.num_classes,) * 2)
    dense[found.row_of_entry(), found.classes] = found.values
    return dense


def random_correlation() -> Correlation:
    rng = np.random.default_rng(0)
    videos = [rng.integers(0, 30, rng.integers(0, 8)).tolist() for _ in range(200)]
    return correlated(videos, tuple(f"class {i}" for i in range(30)))


def test_implications_are_not_symmetric() -> None:
    expected = np.zeros((5, 5))
    expected[BMW, CAR], expected[LEGO, GAME], expected[RARE, GAME] = 0.95, 1, 1
    np.testing.assert_array_equal(matrix(correlated(VIDEOS), 0.5), expected)
    expected[CAR, BMW] = 19 / 49  # below one half
    expected[GAME, LEGO] = 10 / 21
    np.testing.assert_array_equal(matrix(correlated(VIDEOS), 0.3), expected)


def test_tau_of_one_leaves_implications_without_exception() -> None:
    correlation = correlated(VIDEOS)
    sure = correlation.implications(1.0)
    assert sure.classes.tolist() == [GAME, GAME] and sure.indptr.tolist() == [0, 0, 0, 0, 1, 2]
    assert len(correlation.implications(1.0 + 1e-9).classes) == 0
    kinds = [str(array.dtype) for array in (sure.indptr, sure.classes, sure.values)]
    assert kinds == ["int64", "int32", "float64"]


def test_implications_include_tau_itself() -> None:
    videos = [[CAR, BMW]] * 3 + [[BMW]] * 2  # P(car | BMW) = 0.6
    found = correlated(videos).implications(0.6)
    assert found.classes.tolist() == [BMW, CAR] and found.values.tolist() == [1.0, 0.6]


def test_probabilities_equal_loops_and_agree_both_ways() -> None:
    correlation = random_correlation()
    p, n = matrix(correlation, 1e-9), correlation.counts.videos
    together = correlation.counts.dense()
    assert (p >= 0).all() and (p <= 1).all() and not p.diagonal().any()
    for i in range(30):
        for j in range(30):
            assert p[i, j] == (together[i, j] / n[i] if i != j else 0)
    np.testing.assert_allclose(p * n[:, None], (p * n[:, None]).T, rtol=1e-12)  # P_ij N_i


def test_min_videos_drops_implications_of_rare_classes() -> None:
    found = matrix(correlated(VIDEOS), 0.5, min_videos=2)
    assert found[RARE].sum() == 0 and found[LEGO, GAME] == 1


@pytest.mark.parametrize("tau", [0.0, -1.0, float("nan")])
def test_tau_that_is_not_positive_raises(tau: float) -> None:
    with pytest.raises(ConfigError, match="tau: must be > 0"):
        correlated(VIDEOS).implications(tau)


def test_strongest_implications_rank_rare_pairs_last() -> None:
    rows = correlated(VIDEOS).strongest(9)
    pairs = [(BMW, CAR), (LEGO, GAME), (GAME, LEGO), (CAR, BMW), (RARE, GAME), (GAME, RARE)]
    assert [(row.first, row.second) for row in rows] == pairs  # 1 of 1 ranks below 19 of 49
    assert rows[0][2:5] == (19, 20, 0.95)
    # the interval of 19 of 20 is 0.764 to 0.991
    assert rows[0].low == pytest.approx(0.7639, abs=1e-4)


def test_strongest_implications_of_one_class_and_among_some() -> None:
    correlation = correlated(VIDEOS)
    assert [row.second for row in correlation.strongest(9, first=BMW)] == [CAR]
    implying = correlation.strongest(9, second=GAME)
    assert [row.first for row in implying] == [LEGO, RARE]
    assert correlation.strongest(9, second=GAME, min_videos=2) == implying[:1]
    assert correlation.strongest(9, tau=0.96) == implying
    among = np.array([True, True, False, False, False])
    assert {row.first for row in correlation.strongest(9, among=among)} == {CAR, BMW}
    assert correlation.strongest(0) == []


def test_correlation_file_round_trip(tmp_path: Path) -> None:
    for number, saved in enumerate([random_correlation(), correlated([[]]), correlated(VIDEOS)]):
        path = tmp_path / f"{number}.parquet"
        saved.save(path)
        found = Correlation.load(path)
        assert (found.names, found.num_videos, found.source) == (
            saved.names,
            saved.num_videos,
            str(path),
        )
        np.testing.assert_array_equal(found.counts.dense(), saved.counts.dense())
        assert (matrix(found, 0.2) == matrix(saved, 0.2)).all()
    rows = pq.read_table(path).to_pylist()  # as any other tool sees it
    assert {"first": BMW, "second": CAR, "together": 19, "probability": 0.95,
            "first_name": "BMW", "second_name": "Car"} in rows  # fmt: skip


def test_correlation_load_raises_for_other_files(tmp_path: Path) -> None:
    text = tmp_path / "text.parquet"
    text.write_text("first,second\n")
    other = tmp_path / "other.parquet"
    pq.write_table(pa.table({"id": ["a"]}), other)
    bare = tmp_path / "bare.parquet"  # the right columns, but no metadata
    pq.write_table(
        pa.table({name: pa.array([1]) for name in ("first", "second", "together")}), bare
    )
    cut = tmp_path / "cut.parquet"
    correlated(VIDEOS).save(cut)
    cut.write_bytes(cut.read_bytes()[:-200])
    for path in (text, other, bare, cut, tmp_path, tmp_path / "gone.parquet"):
        with pytest.raises(DataError, match=str(path)) as caught:
            Correlation.load(path)
        assert "reeltag labels" in str(caught.value) and str(caught.value).count("\n") == 1


def damaged(path: Path, *, about: dict[str, Any] | None = None, **columns: list[int]) -> None:
    """Write a table of car and BMW, in part replaced."""
    values: dict[str, Any] = {"first": [0, 1], "second": [1, 0], "together": [3, 3], **columns}
    said = {"kind": "label correlation", "names": ["Car", "BMW"], "videos": [5, 3],
            "num_videos": 9, "source": "", **(about or {})}  # fmt: skip
    table = pa.table(values).replace_schema_metadata({"reeltag": json.dumps(said)})
    pq.write_table(table, path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"first": [0, 2]}, "outside 0..1"),
        ({"second": [1, -1]}, "outside 0..1"),
        ({"second": [0, 0]}, "distinct"),
        ({"first": [1, 0], "second": [0, 1]}, "ascending"),
        ({"together": [4, 4]}, "more often"),
        ({"together": [0, 0]}, "or never"),
        ({"together": [3, 2]}, "mirror"),
        ({"first": [0], "second": [1], "together": [3]}, "mirror"),
        ({"about": {"num_videos": 4}}, "more videos than were counted"),
        ({"about": {"names": ["Car"]}}, "others"),
        ({"about": {"kind": "predictions"}}, "others"),
        ({"about": {"videos": ["many", 3]}}, "others"),
        ({"first": [0, 2**40]}, "others"),
        ({"first": [0, None]}, "others"),
    ],
)
def test_correlation_load_raises_for_impossible_counts(
    change: dict[str, Any], words: str, tmp_path: Path
) -> None:
    path = tmp_path / "p.parquet"
    damaged(path)
    assert Correlation.load(path).counts.together.tolist() == [3, 3]
    damaged(path, **change)
    with pytest.raises(DataError, match=words):
        Correlation.load(path)


def test_correlation_needs_a_name_per_class() -> None:
    empty = Cooccurrence(
        np.zeros(3, np.int64), *(np.empty(0, np.int32),) * 2, np.empty(0, np.int64)
    )
    with pytest.raises(ValueError, match="2 names of 3 classes"):
        Correlation(empty, ("a", "b"), 0)


def test_label_graph_has_an_edge_per_implication() -> None:
    correlation = random_correlation()
    graph = label_graph(torch.from_numpy(correlation.counts.dense()), threshold=0.25).numpy()
    expected = matrix(correlation, 0.25) > 0
    assert 0 < expected.sum() < expected.size
    np.testing.assert_array_equal(
        graph.T * (1 - np.eye(30)) > 0, expected
    )  # what i implies, j hears
