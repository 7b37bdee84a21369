"""Places of the boxes of a graph: none overlaps another, and joined boxes are close.

networkx places the centres; boxes then make way for each other and for edges that would pass
behind them. Shape letters: n boxes, m edges. Lengths are in the unit of the boxes.
"""

import networkx as nx
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CLEARING = 150  # steps in which boxes make way for edges
GROWTH = 1.02  # of all distances per step, while boxes overlap


def place_boxes(sizes_n2: Floats, edges_m2: Ints, *, gap: float, margin: float) -> Floats:
    """Return the centres of boxes (n, 2); the same graph gives the same places.

    Connected components are next to and below each other, the largest at the top.

    Args:
        sizes_n2: width and height of each box.
        edges_m2: pairs of joined boxes; the direction does not matter.
        gap: wanted length of the visible part of an edge.
        margin: least distance between two boxes in at least one direction.
    """
    graph = nx.Graph()
    graph.add_nodes_from(range(len(sizes_n2)))
    graph.add_edges_from((one, other) for one, other in edges_m2.tolist() if one != other)
    reach = sizes_n2.mean(axis=1) / 2
    for one, other in graph.edges:
        low, high = sorted((graph.degree[one], graph.degree[other]))
        room = np.sqrt(max(1, low / 4, high / 10))
        graph.edges[one, other]["weight"] = gap * room + reach[one] + reach[other]
    parts = [np.array(sorted(part)) for part in nx.connected_components(graph)]
    parts.sort(key=len, reverse=True)
    centres_n2 = np.zeros_like(sizes_n2)
    for part in parts:
        piece = nx.convert_node_labels_to_integers(graph.subgraph(part), ordering="sorted")
        inside_m2 = np.array(piece.edges, np.int64).reshape(-1, 2)
        centres_n2[part] = _apart(_placed(piece), sizes_n2[part], inside_m2, margin)
    return _packed(centres_n2, sizes_n2, parts, 3 * margin)


def _placed(graph: nx.Graph) -> Floats:
    """Return places (n, 2) of a connected graph, wide rather than high.

    Distances are close to those of the shortest paths, short ones most (Kamada & Kawai 1989).
    """
    distances = dict(nx.all_pairs_dijkstra_path_length(graph))
    start = nx.spring_layout(graph, weight=None, seed=0)
    placed = nx.kamada_kawai_layout(graph, dist=distances, pos=start)
    places_n2 = np.array([placed[node] for node in range(len(graph))])
    wanted_nn = np.array([[distances[one][other] for other in graph] for one in graph])
    offset_nn2 = places_n2[:, None] - places_n2
    length_nn = np.hypot(offset_nn2[..., 0], offset_nn2[..., 1])
    ratio_nn = np.divide(length_nn, wanted_nn, out=np.zeros_like(wanted_nn), where=wanted_nn > 0)
    scale = ratio_nn.sum() / max((ratio_nn**2).sum(), 1e-9)  # networkx scales to [-1, 1]
    centred_n2 = scale * (places_n2 - places_n2.mean(axis=0))
    _, axes_22 = np.linalg.eigh(centred_n2.T @ centred_n2)
    turned_n2: Floats = centred_n2 @ axes_22[:, ::-1]
    return turned_n2


def _apart(centres_n2: Floats, sizes_n2: Floats, edges_m2: Ints, margin: float) -> Floats:
    """Return the centres moved in small steps until no box is too close to another.

    At first boxes also make way for edges that would pass behind them, as far as possible.
    """
    centres_n2 = centres_n2 * (1.25, 1.0)  # boxes with words are wide
    room_nn2 = (sizes_n2[:, None] + sizes_n2) / 2 + margin
    for one, other in (edges_m2.T, edges_m2.T[::-1]):
        room_nn2[one, other] += 1.5 * margin  # enough to see the arrow
    room_nn2[np.diag_indices(len(sizes_n2))] = -np.inf
    for _ in range(CLEARING):
        centres_n2 = centres_n2 + _pushed(centres_n2, room_nn2)[0]
        centres_n2 = centres_n2 + _off_edges(centres_n2, sizes_n2, edges_m2, margin)
    while True:
        push_n2, overlap = _pushed(centres_n2, room_nn2)
        if not overlap:
            return centres_n2
        centres_n2 = (centres_n2 + push_n2) * GROWTH


def _pushed(centres_n2: Floats, room_nn2: Floats) -> tuple[Floats, bool]:
    """Return the push on each box by boxes too close to it, and whether there are such."""
    offset_nn2 = centres_n2[:, None] - centres_n2
    overlap_nn2 = room_nn2 - np.abs(offset_nn2)
    hit_nn = (overlap_nn2 > 1e-9).all(axis=2)
    along_x = overlap_nn2[..., 0] < overlap_nn2[..., 1]  # the shorter way out
    chosen_nn2 = np.stack([hit_nn & along_x, hit_nn & ~along_x], axis=2)
    order = np.arange(len(centres_n2))  # decides where two boxes have the same place
    later_nn1 = (order[:, None] > order)[..., None]
    ahead_nn2 = (offset_nn2 > 0) | ((offset_nn2 == 0) & later_nn1)
    push_nn2 = overlap_nn2 * np.where(ahead_nn2, 0.4, -0.4)
    return np.where(chosen_nn2, push_nn2, 0).sum(axis=1), bool(hit_nn.any())


def _off_edges(centres_n2: Floats, sizes_n2: Floats, edges_m2: Ints, margin: float) -> Floats:
    """Return the push on each box by edges of others that pass behind it."""
    start_m2, end_m2 = centres_n2[edges_m2[:, 0]], centres_n2[edges_m2[:, 1]]
    along_m2 = end_m2 - start_m2
    length_m1 = np.maximum(np.hypot(*along_m2.T), 1e-9)[:, None]
    along_m2 = along_m2 / length_m1
    normal_m2 = np.stack([-along_m2[:, 1], along_m2[:, 0]], axis=1)
    offset_mn2 = centres_n2 - start_m2[:, None]
    at_mn = np.einsum("mni,mi->mn", offset_mn2, along_m2)
    side_mn = np.einsum("mni,mi->mn", offset_mn2, normal_m2)
    room_mn = np.abs(normal_m2) @ sizes_n2.T / 2 + margin / 2
    hit_mn = (np.abs(side_mn) < room_mn) & (at_mn > 0) & (at_mn < length_m1)
    np.put_along_axis(hit_mn, edges_m2, False, axis=1)  # its own ends
    depth_mn = np.where(hit_mn, room_mn - np.abs(side_mn), 0) * np.where(side_mn >= 0, 1, -1)
    push_n2: Floats = 0.25 * np.einsum("mn,mi->ni", depth_mn, normal_m2)
    return push_n2


def _packed(centres_n2: Floats, sizes_n2: Floats, parts: list[Ints], margin: float) -> Floats:
    """Return the centres with the parts next to and below each other, in a landscape format."""
    low = np.array([(centres_n2[p] - sizes_n2[p] / 2).min(axis=0) for p in parts])
    extent = np.array([(centres_n2[p] + sizes_n2[p] / 2).max(axis=0) for p in parts]) - low + margin
    width = max(extent[:, 0].max(), np.sqrt(1.7 * extent.prod(axis=1).sum()))
    placed_n2, taken = centres_n2.copy(), np.empty((0, 4))  # left, top, right, bottom
    for number in np.argsort(-extent.prod(axis=1), kind="stable"):
        lefts, tops = np.append(0, taken[:, 2]), np.append(0, taken[:, 3])
        corners = np.stack(np.meshgrid(lefts, tops), axis=-1).reshape(-1, 2)
        ends = corners + extent[number]
        clash = (corners[:, None] < taken[:, 2:] - 1e-9).all(axis=2)
        clash &= (ends[:, None] > taken[:, :2] + 1e-9).all(axis=2)
        free = ~clash.any(axis=1) & (ends[:, 0] <= width + 1e-9)
        best = np.lexsort((corners[free, 0], corners[free, 1]))[0]
        corner, end = corners[free][best], ends[free][best]
        taken = np.vstack([taken, [*corner, *end]])
        placed_n2[parts[number]] += (corner[0], -end[1]) - low[number]
    return placed_n2
