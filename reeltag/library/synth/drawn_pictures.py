"""Moving pictures of six classes, drawn: what is seen in synthetic films."""

import math
from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from reeltag.library.synth.film_encoding import SIZE

Rng: TypeAlias = np.random.Generator
Colour: TypeAlias = tuple[int, int, int]
Canvas: TypeAlias = ImageDraw.ImageDraw

_WIDTH, _HEIGHT = SIZE[0] * 3 // 2, SIZE[1] * 3 // 2  # of the canvas that the view moves over
_LEAST_CONTRAST = 110  # of a colour against the background: distance in RGB


def draw_scene(name: str, frames: int, rng: Rng) -> Iterator[NDArray[np.uint8]]:
    """Yield (height, width, 3) pictures in which the view moves, zooms and turns over a drawing.

    Args:
        name: one of `PICTURES`, or "": nothing but a background.
        frames: how many.
        rng: of everything that is drawn.
    """
    canvas = _background(rng)
    edge = tuple(np.asarray(canvas)[0, 0].tolist())  # where the view turns beyond the canvas
    if name:
        PICTURES[name](ImageDraw.Draw(canvas), _colours(canvas, rng), rng)
    places, zooms = rng.uniform(0.35, 0.65, (2, 2)), rng.uniform(0.5, 0.85, 2)
    angles = rng.uniform(-0.2, 0.2) + np.array([0, rng.uniform(-0.4, 0.4)])
    for number in range(frames):
        at = number / max(frames - 1, 1)
        x, y = (places[0] + at * (places[1] - places[0])) * (_WIDTH, _HEIGHT)
        zoom = 1.5 * (zooms[0] + at * (zooms[1] - zooms[0]))
        angle = angles[0] + at * (angles[1] - angles[0])
        c, s = zoom * math.cos(angle), zoom * math.sin(angle)
        half_width, half_height = SIZE[0] / 2, SIZE[1] / 2
        box = (
            *(c, -s, x - c * half_width + s * half_height),
            *(s, c, y - s * half_width - c * half_height),
        )
        view = canvas.transform(
            SIZE, Image.Transform.AFFINE, box, Image.Resampling.BILINEAR, fillcolor=edge
        )
        yield np.asarray(view)


def _background(rng: Rng) -> Image.Image:
    """Return a canvas of one colour, a gradient or soft blotches."""
    rows, columns = [(1, 1), (2, 2), tuple(rng.integers(3, 7, 2).tolist())][rng.integers(3)]
    base = rng.integers(30, 226, 3)
    colours = np.clip(base + rng.integers(-45, 46, (rows, columns, 3)), 0, 255).astype(np.uint8)
    return Image.fromarray(colours).resize((_WIDTH, _HEIGHT), Image.Resampling.BICUBIC)


def _colours(canvas: Image.Image, rng: Rng) -> list[Colour]:
    """Return three colours that can be told from a background."""
    mean = np.asarray(canvas).mean((0, 1))
    colours: list[Colour] = []
    while len(colours) < 3:
        red, green, blue = rng.integers(0, 256, 3).tolist()
        if np.linalg.norm(mean - (red, green, blue)) >= _LEAST_CONTRAST:
            colours.append((red, green, blue))
    return colours


def _circles(draw: Canvas, colours: list[Colour], rng: Rng) -> None:
    for number in range(int(rng.integers(5, 12))):
        x, y, r = (
            rng.uniform(0.1, 0.9) * _WIDTH,
            rng.uniform(0.1, 0.9) * _HEIGHT,
            rng.uniform(22, 62),
        )
        draw.ellipse((x - r, y - r, x + r, y + r), fill=colours[number % 3])
        if rng.random() < 0.5:
            draw.ellipse(
                (x - r / 2, y - r / 2, x + r / 2, y + r / 2), fill=colours[(number + 1) % 3]
            )


def _stripes(draw: Canvas, colours: list[Colour], rng: Rng) -> None:
    period, lean = rng.uniform(24, 56), rng.uniform(-1.2, 1.2) * _HEIGHT
    upright = rng.random() < 0.5
    for number in range(-16, 40):
        a, wide = number * period, period * 0.5
        points = [(a, 0), (a + wide, 0), (a + wide + lean, _HEIGHT), (a + lean, _HEIGHT)]
        across = [(y * _WIDTH / _HEIGHT, x * _HEIGHT / _WIDTH) for x, y in points]
        draw.polygon(points if upright else across, fill=colours[0])


def _checkerboard(draw: Canvas, colours: list[Colour], rng: Rng) -> None:
    side = rng.uniform(24, 52)
    for row in range(int(_HEIGHT / side) + 1):
        for column in range(row % 2, int(_WIDTH / side) + 1, 2):
            x, y = column * side, row * side
            draw.rectangle((x, y, x + side, y + side), fill=colours[0])


def _stars(draw: Canvas, colours: list[Colour], rng: Rng) -> None:
    points = int(rng.integers(5, 8))
    for number in range(int(rng.integers(7, 16))):
        x, y, r = (
            rng.uniform(0.1, 0.9) * _WIDTH,
            rng.uniform(0.1, 0.9) * _HEIGHT,
            rng.uniform(24, 66),
        )
        turn = rng.uniform(0, math.tau)
        corners = [
            (x + size * math.cos(angle), y + size * math.sin(angle))
            for corner in range(2 * points)
            for angle in [turn + math.pi * corner / points]
            for size in [r * (0.38 if corner % 2 else 1)]
        ]
        draw.polygon(corners, fill=colours[number % 3])


def _writing(draw: Canvas, colours: list[Colour], rng: Rng) -> None:
    """Draw lines of strokes as of a page that is too far away to be read."""
    height = rng.uniform(9, 17)
    y = 0.08 * _HEIGHT
    while y < 0.92 * _HEIGHT:
        x, end = 0.08 * _WIDTH, rng.uniform(0.6, 0.94) * _WIDTH
        while x < end:
            letters = int(rng.integers(2, 9))
            for _ in range(letters):
                top = y - height * 0.5 * (rng.random() < 0.3)
                draw.line((x, top, x + rng.uniform(-2, 2), y + height), fill=colours[0], width=2)
                middle = y + height * rng.uniform(0, 1)
                draw.line((x, middle, x + height * 0.35, middle), fill=colours[0], width=2)
                x += height * 0.5
            x += height * 0.6
        y += height * 2


def _waves(draw: Canvas, colours: list[Colour], rng: Rng) -> None:
    length, rise, gap = rng.uniform(60, 150), rng.uniform(9, 22), rng.uniform(28, 54)
    phase, thick = rng.uniform(0, math.tau), int(rng.integers(6, 14))
    for row in range(-1, int(_HEIGHT / gap) + 2):
        points = [
            (x, row * gap + rise * math.sin(math.tau * x / length + phase))
            for x in range(0, _WIDTH + 4, 4)
        ]
        draw.line(points, fill=colours[row % 2], width=thick, joint="curve")


PICTURES: dict[str, Callable[[Canvas, list[Colour], Rng], None]] = {
    "checkerboard": _checkerboard,
    "circles": _circles,
    "stars": _stars,
    "stripes": _stripes,
    "waves": _waves,
    "writing": _writing,
}
