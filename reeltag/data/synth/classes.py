"""The classes of the synthetic corpus: readable names, parents and Zipf frequencies.

The first 231 classes are plain words; further ones are invented makes of the leaves
("Sports car: Velora"), so that YouTube-8M's 3862 classes, and more, can be named.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import count, product

import numpy as np
from numpy.typing import NDArray

# A line is a parent and its children; a line whose parent no line before it names starts a root.
TREE = """
Vehicle: Car, Motorcycle, Bicycle, Train, Aeroplane, Boat, Truck, Tractor, Bus
Car: Sports car, Racing car, Vintage car, Electric car, Pickup truck, Taxi
Boat: Sailboat, Rowing boat, Ferry, Canoe
Aeroplane: Glider, Airliner, Seaplane
Train: Steam locomotive, Tram, High-speed train
Music: Guitar, Piano, Drum kit, Violin, Choir, Orchestra, Trumpet, Flute, Accordion, Harp
Guitar: Electric guitar, Bass guitar, Classical guitar, Ukulele
Piano: Grand piano, Pipe organ, Synthesizer
Drum kit: Snare drum, Cymbal
Sport: Football, Basketball, Tennis, Swimming, Cycling, Skiing, Boxing, Golf, Athletics, Climbing
Football: Goalkeeper, Penalty kick
Skiing: Ski jumping, Cross-country skiing, Slalom
Athletics: Hurdles, High jump, Marathon, Pole vault
Animal: Dog, Cat, Horse, Bird, Fish, Cow, Sheep, Bear, Elephant, Snake
Dog: Puppy, Sheepdog, Greyhound
Bird: Parrot, Owl, Penguin, Rooster, Eagle
Fish: Shark, Goldfish, Salmon
Game: Video game, Board game, Card game, Puzzle, Playground
Video game: Strategy game, Racing game, Platform game, Role-playing game, Shooter game
Board game: Chess, Draughts, Backgammon
Food: Cake, Bread, Pizza, Soup, Salad, Rice, Cheese, Chocolate, Coffee, Tea
Cake: Birthday cake, Cupcake, Pancake, Cheesecake
Bread: Sourdough, Bagel, Flatbread
Fashion: Dress, Shoe, Hairstyle, Make-up, Jewellery, Hat, Handbag
Shoe: Boot, Sandal, Trainer
Hairstyle: Braid, Ponytail, Beard
Technology: Mobile phone, Computer, Camera, Robot, Television, Loudspeaker, Drone, Printer
Mobile phone: Smartphone, Touchscreen
Computer: Laptop, Keyboard, Circuit board
Camera: Film camera, Lens, Tripod
Nature: Mountain, River, Ocean, Forest, Desert, Snow, Rain, Volcano, Sunset, Waterfall
Forest: Rainforest, Pine, Mushroom
Ocean: Beach, Wave, Coral reef
Garden: Flower, Tree, Vegetable, Lawn, Greenhouse, Pond
Flower: Rose, Tulip, Sunflower, Orchid
Vegetable: Tomato, Pumpkin, Carrot, Potato
Building: House, Bridge, Tower, Castle, Kitchen, Workshop, Museum, Stadium, Lighthouse
House: Cottage, Roof, Staircase
Workshop: Woodworking, Welding, Pottery, Lathe
Stage: Concert, Dance, Theatre, Comedy, Magic, Circus, Parade, Fireworks
Dance: Ballet, Tango, Breakdance, Flamenco
Concert: Rock concert, Chamber concert, Street musician
Learning: Lecture, Experiment, Painting, Drawing, Knitting, Calligraphy, Origami, Microscope
Painting: Watercolour, Oil painting, Graffiti
Experiment: Magnet, Telescope, Prism
"""
SYLLABLES = (
    ("Ve", "Ka", "To", "Mi", "Sa", "Lu", "Ro", "Be", "No", "Da", "Fi", "Zu"),
    ("lo", "ra", "mi", "ne", "ta", "ri", "ku", "sa", "do", "ve"),
    ("ra", "no", "ta", "lis", "mar", "vex", "dan", "rio"),
)


@dataclass(frozen=True, kw_only=True)
class ClassTree:
    """C classes by falling expected frequency; a parent's index is below its children's.

    Attributes:
        names: C distinct names.
        parents: per class the index of its parent, -1 for a root.
        roots: per class the index of the root of its tree; its own for a root.
        weights: (C,) float64, sums to 1: how likely a class is drawn as a video's subject.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    roots: tuple[int, ...]
    weights: NDArray[np.float64]

    @cached_property
    def closures(self) -> tuple[tuple[int, ...], ...]:
        """Return per class the class itself, then its parent, and so on up to the root."""
        lines: list[tuple[int, ...]] = []
        for index, parent in enumerate(self.parents):
            lines.append((index, *(lines[parent] if parent >= 0 else ())))
        return tuple(lines)


def class_tree(num_classes: int, exponent: float) -> ClassTree:
    """Return the tree of the `num_classes` best-known names.

    The class of rank r among the names is drawn as a subject with weight (r + 1)^-exponent (Zipf);
    a parent is true wherever a child is, so its frequency adds up theirs. Indices follow that sum.
    """
    pairs = [pair for _, pair in zip(range(num_classes), _names_and_parents(), strict=False)]
    rank_of = {name: rank for rank, (name, _) in enumerate(pairs)}
    parents = [rank_of.get(parent, -1) for _, parent in pairs]
    own = np.arange(1, num_classes + 1) ** -float(exponent)
    total = own.copy()
    for rank in reversed(range(num_classes)):  # children come after their parents
        if parents[rank] >= 0:
            total[parents[rank]] += total[rank]
    order = np.argsort(-total, kind="stable")
    index_of = np.empty(num_classes, dtype=int)
    index_of[order] = np.arange(num_classes)
    by_index = [int(index_of[parents[rank]]) if parents[rank] >= 0 else -1 for rank in order]
    roots: list[int] = []
    for index, parent in enumerate(by_index):
        roots.append(roots[parent] if parent >= 0 else index)
    return ClassTree(
        names=tuple(pairs[rank][0] for rank in order),
        parents=tuple(by_index),
        roots=tuple(roots),
        weights=own[order] / own.sum(),
    )


def _names_and_parents() -> Iterator[tuple[str, str]]:
    """Yield (name, parent or "") without end, parents first, the trees taking turns by twos."""
    children: dict[str, list[str]] = {}
    parent_of: dict[str, str] = {}
    for line in TREE.strip().splitlines():
        parent, _, names = line.partition(": ")
        children[parent] = names.split(", ")
        parent_of |= dict.fromkeys(children[parent], parent)
    queues = []
    for root in (parent for parent in children if parent not in parent_of):
        tree = [root]
        for name in tree:  # grows while it is walked: breadth first
            tree += children.get(name, [])
        queues.append(tree)
    for turn in range(0, max(map(len, queues)), 2):
        for tree in queues:
            yield from ((name, parent_of.get(name, "")) for name in tree[turn : turn + 2])
    leaves = [name for name in parent_of if name not in children]
    for series in count(1):
        suffix = f" {series}" if series > 1 else ""
        for make, leaf in product(map("".join, product(*SYLLABLES)), leaves):
            yield f"{leaf}: {make}{suffix}", leaf
