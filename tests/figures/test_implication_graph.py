"""The picture of labels: boxes do not overlap, and the most frequent classes are shown."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from numpy.typing import NDArray

from reeltag.core.errors import ConfigError, DataError
from reeltag.core.sparse import SparseRows
from reeltag.figures import box_layout, implication_graph
from reeltag.figures.box_layout import place_boxes
from reeltag.figures.implication_graph import GraphSize, draw_implications
from reeltag.labels.cooccurrence import count_cooccurrence
from reeltag.labels.correlation import Correlation


def overlapping(centres: NDArray[np.float64], sizes: NDArray[np.float64], margin: float) -> int:
    near = np.abs(centres[:, None] - centres) < (sizes[:, None] + sizes) / 2 + margin - 1e-6
    return int(near.all(axis=2).sum() - len(centres)) // 2


def star(leaves: int) -> NDArray[np.int64]:
    return np.array([[0, leaf] for leaf in range(1, leaves + 1)])


@pytest.mark.parametrize(
    "edges",
    [
        star(24),
        np.array([[i, j] for i in range(9) for j in range(i)]),  # all with all
        np.concatenate([star(5), star(4) + 6, star(1) + 11, star(1) + 13]),  # apart
        np.random.default_rng(1).integers(0, 40, (60, 2)),  # also joined to itself
    ],
    ids=["star", "clique", "parts", "random"],
)
def test_boxes_do_not_overlap_and_are_reproducible(edges: NDArray[np.int64]) -> None:
    draw = np.random.default_rng(0)
    sizes = draw.uniform((0.3, 0.2), (1.6, 0.5), (edges.max() + 1, 2))
    centres = place_boxes(sizes, edges, gap=0.5, margin=0.1)
    assert np.isfinite(centres).all() and overlapping(centres, sizes, 0.1) == 0
    np.testing.assert_array_equal(centres, place_boxes(sizes, edges, gap=0.5, margin=0.1))


def test_boxes_in_the_same_place_are_separated() -> None:
    sizes, edges = np.full((3, 2), 0.5), np.array([[0, 1], [1, 2]])
    centres = box_layout._apart(np.zeros((3, 2)), sizes, edges, 0.1)
    assert overlapping(centres, sizes, 0.1) == 0


def test_joined_boxes_are_closer_than_others() -> None:
    edges = np.array([[i, i + 1] for i in range(11)])  # a chain
    centres = place_boxes(np.full((12, 2), 0.3), edges, gap=0.5, margin=0.1)
    distance = np.hypot(*(centres[:, None] - centres).transpose(2, 0, 1))
    neighbours = distance[edges[:, 0], edges[:, 1]]
    assert neighbours.max() < 0.5 * distance[0, 11] and neighbours.max() < 2 * np.median(distance)


def test_boxes_make_way_for_edges() -> None:
    sizes = np.array([[0.4, 0.3]] * 3)
    centres = np.array([[0.0, 0.0], [4.0, 0.0], [2.0, 0.1]])  # the third on the way
    edges = np.array([[0, 1]])
    start, end, other = box_layout._apart(centres, sizes, edges, 0.1)
    along = (end - start) / np.hypot(*(end - start))
    off = other - start
    assert abs(along[0] * off[1] - along[1] * off[0]) > 0.15


def correlated(videos: list[list[int]], names: tuple[str, ...]) -> Correlation:
    indptr = np.append(0, np.cumsum([len(labels) for labels in videos]))
    labels = SparseRows(indptr, np.array([c for labels in videos for c in labels], np.int32))
    return Correlation(count_cooccurrence(labels, len(names)), names, len(videos))


NAMES = (
    "Vehicle",
    "Car",
    "BMW & $co$",
    "Game <x>",
    "A very long name of a class that is wrapped",
    "Z",
)
VIDEOS = [[0]] * 20 + [[0, 1]] * 12 + [[0, 1, 2]] * 6 + [[3]] * 9 + [[3, 4]] * 5 + [[5]] * 30


def test_label_graph_is_reproducible_svg(tmp_path: Path) -> None:
    correlation = correlated(VIDEOS, NAMES)
    drawn = draw_implications(correlation, tmp_path / "a.svg")
    # car -> vehicle, BMW -> both, long -> game; Z stands alone and is left out
    assert drawn == GraphSize(classes=5, implications=4)
    text = (tmp_path / "a.svg").read_text()
    root = ElementTree.fromstring(text)
    assert root.tag.endswith("svg")
    draw_implications(correlation, tmp_path / "b.svg")
    assert (tmp_path / "b.svg").read_text() == text


def test_label_graph_shows_the_most_frequent_classes() -> None:
    correlation = correlated(VIDEOS, NAMES)
    chosen = implication_graph._chosen(correlation, 0.5, 1, 2, None)
    assert chosen.names == ("Vehicle", "Car") and chosen.edges_m2.tolist() == [[1, 0]]
    assert implication_graph._chosen(correlation, 0.5, 1, 3, None).names == NAMES[:3]
    assert implication_graph._chosen(correlation, 0.5, 6, 9, None).names == NAMES[:3]  # 5 videos
    among = np.array([True, False, True, True, True, True])
    assert implication_graph._chosen(correlation, 0.5, 1, 9, among).edges_m2.tolist() == [
        [1, 0],
        [3, 2],
    ]


def test_label_graph_limit_cuts_the_edges_of_one_class() -> None:
    correlation = correlated([[0, 1, 2, 3, 4]] * 3, NAMES)
    chosen = implication_graph._chosen(correlation, 0.5, 1, 3, None)
    assert len(chosen.names) <= 3 and len(chosen.edges_m2) > 0


@pytest.mark.parametrize("name", ["a.png", "a.pdf", "A.SVG"])
def test_label_graph_format_follows_the_suffix(name: str, tmp_path: Path) -> None:
    draw_implications(correlated(VIDEOS, NAMES), tmp_path / name, tau=1.0)
    assert (tmp_path / name).stat().st_size > 1000


def test_label_graph_errors_name_the_argument(tmp_path: Path) -> None:
    correlation = correlated(VIDEOS, NAMES)
    with pytest.raises(ConfigError, match=r"picture: must end in \.svg, .*got 'a\.jpg'"):
        draw_implications(correlation, tmp_path / "a.jpg")
    with pytest.raises(ConfigError, match="tau"):
        draw_implications(correlation, tmp_path / "a.svg", tau=0)
    with pytest.raises(DataError, match="no class implies another .* 1.5"):
        draw_implications(correlation, tmp_path / "a.svg", tau=1.5)
    assert not [*tmp_path.iterdir()]
