"""Near copies are found; clips that only look alike are not."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from reeltag.library.database.library import Library
from reeltag.library.grouping import NearCopies, NearCopyGroups, same_pictures
from reeltag.library.media.decoding import read_spans
from reeltag.library.media.finding import find_media
from reeltag.library.media.hashes import Hashes, load_hashes, picture_hashes
from reeltag.library.media.previews import Previews
from tests.library.media.tiny_films import TinyFilm

Pictures = NDArray[np.uint8]


def scenes(seed: int, number: int = 40, each: int = 4) -> Pictures:
    """Return pictures (number, 96, 128, 3) of scenes of `each` that move over a rough drawing."""
    rng = np.random.default_rng(seed)
    pictures = []
    for _ in range(-(-number // each)):
        drawing = np.kron(rng.integers(20, 235, (14, 20, 3)), np.ones((12, 12, 1)))
        steps = rng.integers(1, 5, 2)
        for at in range(each):
            top, left = at * steps
            pictures.append(drawing[top : top + 96, left : left + 128])
    return np.stack(pictures[:number]).astype(np.uint8)


def hashes_of(pictures: Pictures, noise: float = 0.0, seed: int = 9) -> Hashes:
    noisy = pictures + np.random.default_rng(seed).normal(0, noise, pictures.shape)
    return picture_hashes(np.clip(noisy, 0, 255).astype(np.uint8))


@cache
def film(seed: int) -> Hashes:
    return hashes_of(scenes(seed))


FILM = scenes(0)
COPIES = {
    "noise": hashes_of(FILM, 12.0),
    "half the size": hashes_of(FILM[:, ::2, ::2], 4.0),
    "another shape": hashes_of(np.repeat(FILM, 2, 2), 4.0),
    "brighter": hashes_of((FILM * 0.7 + 60).astype(np.uint8), 2.0),
    "beginning cut": hashes_of(FILM[9:], 4.0),
    "end cut": hashes_of(FILM[:22], 4.0),
    "middle cut": hashes_of(np.delete(FILM, slice(15, 22), 0), 4.0),
    "part of it": hashes_of(FILM[12:24], 4.0),
}


@pytest.mark.parametrize("kind", COPIES)
def test_near_copy_is_found_among_others(kind: str) -> None:
    copies = NearCopies()
    for seed in range(1, 20):
        copies.add(f"other {seed}", film(seed))
    assert copies.find(COPIES[kind]) is None
    copies.add("film", film(0))
    assert copies.find(COPIES[kind]) == "film"


def test_other_films_share_almost_nothing() -> None:
    films = [film(seed) for seed in range(12)]
    assert max(same_pictures(a, b) for i, a in enumerate(films) for b in films[:i]) < 0.1


def test_clips_of_a_fixed_camera_are_no_copies() -> None:
    """Or a whole archive of them would be one group."""
    view = np.repeat(scenes(0, 1), 30, 0)
    copies = NearCopies()
    copies.add("morning", hashes_of(view, 5.0, seed=1))
    assert copies.find(hashes_of(view, 5.0, seed=2)) is None


def test_flat_and_missing_pictures_say_nothing() -> None:
    flat = picture_hashes(np.full((20, 48, 64, 3), 90, np.uint8))
    assert not flat.any() and same_pictures(flat, flat) == 0
    assert same_pictures(flat[:0], hashes_of(FILM)) == 0
    assert len(picture_hashes(np.zeros((3, 0, 0, 3), np.uint8))) == 3


def test_small_pictures_have_hashes_like_large_ones() -> None:
    small = picture_hashes(FILM[:, ::6, ::6])
    bits = np.unpackbits((small ^ hashes_of(FILM)).view(np.uint8)).reshape(len(FILM), 64).sum(1)
    assert np.median(bits) <= 10


def test_groups_of_a_library_are_those_of_the_first_copy(tmp_path: Path) -> None:
    """With files that are encoded, decoded and hashed while they are."""
    videos, previews = tmp_path / "videos", tmp_path / "previews"
    videos.mkdir()
    other = scenes(5, 24, each=6)
    films = {
        "a": TinyFilm(pictures=list(FILM[:24]), fps=2, tracks=[]),
        "b": TinyFilm(pictures=list(FILM[:24, ::2, ::2]), fps=2, tracks=[], video="mpeg4"),
        "c": TinyFilm(pictures=list(other), fps=2, tracks=[]),
    }
    for name, tiny in films.items():
        kept = Previews()
        path = tiny.write(videos / f"{name}.mp4")
        for _ in read_spans(
            path, rate_hz=2.0, picture_size=(64, 64), context_s=None, previews=kept
        ):
            pass
        kept.save(previews, name)
    with Library.open(tmp_path, create=True) as library:
        library.sync(find_media([videos]))
        rows = {row.id: row for row in library.videos()}
        groups = NearCopyGroups(library, previews)
        found = {name: groups(rows[name]) for name in "abc"}
        assert found == {"a": rows["a"].content, "b": rows["a"].content, "c": rows["c"].content}
        for name in "ac":
            rows[name].group = found[name]
        library.save(rows.values())
        again = NearCopyGroups(library, previews)
        assert again(rows["b"]) == rows["a"].content
    assert len(load_hashes(previews, "a")) == 24 and len(load_hashes(previews, "none")) == 0
