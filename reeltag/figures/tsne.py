"""A t-SNE map of some classes with their augmented samples, as in Axon AI 2018, Fig. 1.

Their figure shows videos with one label alone. Here a class is shown by the videos whose rarest
label it is: those whose neighbours are searched.

Shape letters: N samples on the map, D values of a vector.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from sklearn.manifold import TSNE

from reeltag.augment.plan import Plan, decision_labels
from reeltag.augment.writing import read_vectors
from reeltag.core.errors import ConfigError
from reeltag.core.seeding import derive_seed
from reeltag.data.class_list import ClassList
from reeltag.data.items import VideoSet
from reeltag.data.loading.reading import FrameReader
from reeltag.data.origin import Kind, origin_of
from reeltag.figures.svg import GRID, INK, PAPER, figure, to_svg_file

KINDS: tuple[Kind, ...] = ("original", "interpolated", "extrapolated", "noisy")
MARKS: dict[Kind, str] = {"original": "o", "interpolated": "^", "extrapolated": "x", "noisy": "+"}
HUES = ("#2563b8", "#c2570c", "#3f8f29", "#8a3fa0", "#b8901e", "#0f8b8d", "#c2306b", "#6b6b6b")
SHOWN = 150  # samples per class and kind; 8 classes then take a minute
PERPLEXITY = 30.0


@dataclass(frozen=True, eq=False)
class MapSamples:
    """N samples of a map.

    Attributes:
        vectors: (N, D) features.
        classes: (N,) position in `names` of the class of each.
        kinds: (N,) position in `KINDS` of the origin of each.
        names: of the classes.
    """

    vectors: NDArray[np.float32]
    classes: NDArray[np.int64]
    kinds: NDArray[np.int64]
    names: tuple[str, ...]


def named_classes(words: Sequence[str], names: ClassList) -> list[int]:
    """Return the classes of these numbers or names; case is ignored.

    Args:
        words: numbers or names.
        names: of all classes.

    Raises:
        ConfigError: there is no such class, or there are more than 8.
    """
    numbers = {name.casefold(): number for number, name in reversed(list(enumerate(names.names)))}
    found = []
    for word in words:
        number = int(word) if word.isdecimal() else numbers.get(word.casefold(), -1)
        if not 0 <= number < len(names):
            raise ConfigError(
                f"there is no class {word!r} among the {len(names):,}",
                where="tsne",
                hint="Give names of the vocabulary, or numbers, as `reeltag info` shows them.",
            )
        found.append(number)
    if not 1 <= len(set(found)) <= len(HUES):
        what = f"must be 1 to {len(HUES)} classes, got {len(set(found))}"
        raise ConfigError(what, where="tsne")
    return list(dict.fromkeys(found))


def fullest_classes(plan: Plan) -> list[int]:
    """Return the 5 over-sampled classes that are the rarest label of the most videos."""
    decided = plan.decision[plan.neighbours > 0]
    often = np.bincount(decided, minlength=len(plan.counts))
    best = np.argsort(-often, kind="stable")[:5]
    found: list[int] = best[often[best] > 0].tolist()
    return found


def sample_classes(
    items: VideoSet,
    counts: NDArray[np.int64],
    classes: Sequence[int],
    names: ClassList,
    columns: slice,
    seed: int = 0,
) -> MapSamples:
    """Return up to 150 videos of each class, and as many augmented samples of each kind.

    Args:
        items: the augmented split.
        counts: (C,) videos of each class before augmentation, for the rarest label of a sample.
        classes: to show.
        names: of all classes.
        columns: those of D of the stream in which neighbours were searched.
        seed: random seed of the choice.

    Raises:
        ConfigError: a class is the rarest label of no video, or there are fewer than 4 samples.
        DataError: a shard vanished, shrank or cannot be read.
    """
    decision = decision_labels(*items.records.lists("labels"), counts)
    rng = np.random.default_rng(derive_seed(seed, "t-SNE"))
    chosen, places, kinds = list[int](), list[int](), list[int]()
    for place, number in enumerate(classes):
        members = np.flatnonzero(decision == number)
        if not len(members):
            often = np.argsort(-np.bincount(decision[decision >= 0]), kind="stable")[:8].tolist()
            raise ConfigError(
                f"{names.names[number]!r} is the rarest label of no video, so it has no "
                "augmented samples",
                where="tsne",
                hint="Classes with many: " + ", ".join(names.names[best] for best in often),
            )
        taken = _chosen(members, items.ids(members), rng)
        chosen += [sample for sample, _ in taken]
        kinds += [KINDS.index(kind) for _, kind in taken]
        places += [place] * len(taken)
    if len(chosen) < 4:
        raise ConfigError(f"{len(chosen)} samples make no map; at least 4 are needed", where="tsne")
    order = np.argsort(chosen, kind="stable")
    with FrameReader(items) as reader:
        vectors = read_vectors(reader, items, np.array(chosen)[order])[:, columns]
    return MapSamples(
        vectors=vectors,
        classes=np.array(places)[order],
        kinds=np.array(kinds)[order],
        names=tuple(names.names[number] for number in classes),
    )


def _chosen(
    members: NDArray[np.int64], ids: list[str], rng: np.random.Generator
) -> list[tuple[int, Kind]]:
    """Return the samples of a class that are shown, and the kind of each."""
    origins = [origin_of(name) for name in ids]
    shown = set[str]()
    taken = list[tuple[int, Kind]]()
    for kind in KINDS:  # the videos first: what is made of others has no place on the map
        there = [
            place
            for place, origin in enumerate(origins)
            if origin.kind == kind and (kind == "original" or origin.source in shown)
        ]
        some = rng.choice(there, min(SHOWN, len(there)), replace=False).tolist() if there else []
        taken += [(int(members[place]), kind) for place in some]
        if kind == "original":
            shown = {origins[place].source for place in some}
    return taken


def fit_map(samples: MapSamples, seed: int = 0) -> NDArray[np.float32]:
    """Return the positions (N, 2) of the samples by t-SNE; N >= 4."""
    perplexity = min(PERPLEXITY, (len(samples.vectors) - 1) / 3)
    positions: NDArray[np.float32] = TSNE(
        perplexity=perplexity, init="pca", random_state=seed % 2**32
    ).fit_transform(samples.vectors)
    return positions


def draw_map(samples: MapSamples, positions: NDArray[np.float32]) -> str:
    """Draw samples at their positions (N, 2); colour marks the class, shape the kind."""
    with figure(8.6, 6.2) as drawn:
        axes = drawn.add_subplot()
        for kind, name in reversed(list(enumerate(KINDS))):  # the videos themselves on top
            here = samples.kinds == kind
            colours = [HUES[place % len(HUES)] for place in samples.classes[here].tolist()]
            thin = MARKS[name] in "x+"
            axes.scatter(
                positions[here, 0],
                positions[here, 1],
                s=26 if name == "original" else 17,
                marker=MARKS[name],
                c=colours,
                alpha=1.0 if name == "original" else 0.5,
                linewidths=0.9 if thin else 0.5 if name == "original" else 0,
                edgecolors=None if thin else PAPER,
            )
        axes.set(xticks=[], yticks=[])
        for spine in axes.spines.values():
            spine.set(visible=True, color=GRID)
        _legend(axes, samples)
        axes.set_title("t-SNE of the features: videos and augmented samples")
        return to_svg_file(drawn, "tsne", "t-SNE map of samples by class and origin")


def _legend(axes: Axes, samples: MapSamples) -> None:
    """Explain colours and shapes, with numbers, to the right of the map."""
    entries = []
    for place, name in enumerate(samples.names):
        shown = name if len(name) <= 26 else f"{name[:25]}…"
        entries.append(_entry("o", HUES[place % len(HUES)], shown))
    for kind, name in enumerate(KINDS):
        number = int((samples.kinds == kind).sum())
        if number:
            entries.append(_entry(MARKS[name], INK, f"{name} ({number:,})"))
    axes.legend(handles=entries, loc="center left", bbox_to_anchor=(1.0, 0.5), handletextpad=0.4)


def _entry(mark: str, colour: str, words: str) -> Line2D:
    return Line2D([], [], linestyle="", marker=mark, color=colour, markersize=6, label=words,
                  markeredgewidth=1.4 if mark in "x+" else 0)  # fmt: skip
