"""Where the boxes of a graph go, so that none lies on another and those that are joined are near.

Shape letters: n boxes, m edges. Lengths are in the unit of the boxes.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

STARTS, STEPS = 8, 200  # of the stress: random beginnings, and steps from each
CLEARING = 150  # steps in which boxes make way for edges
GROWTH = 1.02  # of all distances, a step, while boxes overlap


def place_boxes(sizes_n2: Floats, edges_m2: Ints, *, gap: float, margin: float) -> Floats:
    """Return the centres of boxes (n, 2); the same graph gives the same places.

    Parts of the graph that are not joined lie beside and below each other, the largest at the top.

    Args:
        sizes_n2: width and height of each box.
        edges_m2: which boxes are joined, as numbers; the direction does not matter.
        gap: wanted length of what is seen of an edge.
        margin: least distance between two boxes in at least one direction.
    """
    centres_n2 = np.zeros_like(sizes_n2)
    parts = _parts(len(sizes_n2), edges_m2)
    for part in parts:
        number = np.full(len(sizes_n2), -1)
        number[part] = np.arange(len(part))
        inside = edges_m2[number[edges_m2[:, 0]] >= 0]
        wanted_nn = _distances(sizes_n2[part], number[inside], gap)
        places_n2 = _least_stress(wanted_nn)
        centres_n2[part] = _apart(places_n2, sizes_n2[part], number[inside], margin)
    return _packed(centres_n2, sizes_n2, parts, 3 * margin)


def _parts(n: int, edges_m2: Ints) -> list[Ints]:
    """Return the boxes of each part that hangs together, ascending, the largest part first."""
    part = np.arange(n)
    while len(edges_m2):
        least = part.copy()
        for one, other in (edges_m2.T, edges_m2.T[::-1]):
            np.minimum.at(least, one, part[other])
        if np.array_equal(least, part):
            break
        part = least
    found = [np.flatnonzero(part == number) for number in np.unique(part)]
    return sorted(found, key=len, reverse=True)


def _distances(sizes_n2: Floats, edges_m2: Ints, gap: float) -> Floats:
    """Return the wanted distance of every two boxes: along the shortest way, box by box."""
    first, second = edges_m2.T
    reach = sizes_n2.mean(axis=1) / 2
    degree = np.bincount(edges_m2.reshape(-1), minlength=len(sizes_n2))
    crowd = np.maximum(
        np.minimum(degree[first], degree[second]) / 4,
        np.maximum(degree[first], degree[second]) / 10,
    )
    room = np.sqrt(np.maximum(1, crowd))
    length = gap * room + reach[first] + reach[second]
    wanted_nn = np.full((len(sizes_n2),) * 2, np.inf)
    np.fill_diagonal(wanted_nn, 0)
    wanted_nn[first, second] = wanted_nn[second, first] = length
    for via in range(len(sizes_n2)):  # Floyd and Warshall
        wanted_nn = np.minimum(wanted_nn, wanted_nn[:, via, None] + wanted_nn[via])
    return wanted_nn


def _least_stress(wanted_nn: Floats) -> Floats:
    """Return places (n, 2) whose distances are about those wanted, near ones most.

    Source: Gansner, Koren, North 2004, "Graph drawing by stress majorization", eq. 1 and 7, with
    weights d^-2; the best of some random beginnings.
    """
    n = len(wanted_nn)
    if n == 1:
        return np.zeros((1, 2))
    weight_nn = np.divide(1, wanted_nn**2, out=np.zeros_like(wanted_nn), where=wanted_nn > 0)
    pinned_nn = np.diag(weight_nn.sum(axis=1)) - weight_nn + 1 / n  # the mean stays at 0
    solve_nn = np.linalg.inv(pinned_nn)
    draw = np.random.default_rng(0)
    best, least = np.zeros((n, 2)), np.inf
    for _ in range(STARTS):
        places_n2 = draw.normal(size=(n, 2)) * wanted_nn.max() / 2
        for _ in range(STEPS):
            pull_nn = weight_nn * wanted_nn / np.maximum(_lengths(places_n2), 1e-9)
            pull_nn = np.diag(pull_nn.sum(axis=1)) - pull_nn
            places_n2 = solve_nn @ (pull_nn @ places_n2)
        stress = float((weight_nn * (_lengths(places_n2) - wanted_nn) ** 2).sum())
        if stress < least:
            best, least = places_n2, stress
    return _lying(best)


def _lengths(places_n2: Floats) -> Floats:
    offset_nn2 = places_n2[:, None] - places_n2
    return np.hypot(offset_nn2[..., 0], offset_nn2[..., 1])


def _lying(places_n2: Floats) -> Floats:
    """Return the places turned so that they reach farthest from left to right."""
    centred_n2 = places_n2 - places_n2.mean(axis=0)
    _, axes_22 = np.linalg.eigh(centred_n2.T @ centred_n2)
    turned_n2: Floats = centred_n2 @ axes_22[:, ::-1]
    return turned_n2


def _apart(centres_n2: Floats, sizes_n2: Floats, edges_m2: Ints, margin: float) -> Floats:
    """Return the centres moved, a little at a time, until no box comes too near to another.

    At first boxes also make way for edges that would pass behind them, as far as that goes.
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
    """Return where each box is pushed by those too near, and whether there are such."""
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
    """Return where each box is pushed by edges of others that pass behind it."""
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
    """Return the centres with the parts beside and below each other, in a landscape format."""
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
