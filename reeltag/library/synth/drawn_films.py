"""Synthetic films: mp4 files with drawn scenes and synthesised sounds whose moments are known.

OUT/film_001.mp4 ...   256x192, 10 frames/s, H.264 and mono AAC, about 0.6 MB per minute
    classes.csv        index, name
    moments.csv        video, start_s, end_s, class: the truth, exact to 0.1 s
    labels.csv         video, class: noisy labels of whole films
    ratings.csv        video, start_s, end_s, class, value (0 or 1): a few rated windows of 5 s
    synth.json         that they are synthetic, how they were made, and counts
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, NamedTuple, TypeAlias

import joblib
import numpy as np
from annotated_types import Ge
from numpy.typing import NDArray

from reeltag.core.bounds import CheckedFields, NotNegative, Part, Positive
from reeltag.core.console import progress_bar
from reeltag.core.csv_rows import CsvWriter
from reeltag.core.errors import ConfigError
from reeltag.core.extras import check_extra
from reeltag.core.files import PathLike, whole_folder
from reeltag.data.synth.about import write_marker

Rng: TypeAlias = np.random.Generator

WINDOW = 50  # tenths of a second that are rated together
_LEAST_SOUND = 8  # tenths of a second of a sound
_SOUND_NOISE = (-62, -52)  # dB of full scale


@dataclass(frozen=True, kw_only=True)
class FilmsConfig(CheckedFields):
    """What `reeltag synth-films` writes; the same config gives the same bytes."""

    number: Positive = 40
    """Number of films."""
    min_seconds: Annotated[float, Ge(5)] = 30.0
    """Length of the shortest film in seconds."""
    max_seconds: Annotated[float, Ge(5)] = 60.0
    """Length of the longest film in seconds."""
    seed: int = 0
    """Random seed of everything that is drawn."""
    precision: Part = 0.8
    """Fraction of the written labels that are true, in (0, 1]."""
    recall: Part = 0.5
    """Fraction of the true labels that are written, in (0, 1]."""
    ratings: NotNegative = 4
    """Rated windows of 5 s per film, half of them positive where the film has a moment."""

    def check(self) -> None:
        """Raise ConfigError where fields do not fit each other."""
        longer = self.max_seconds >= self.min_seconds
        self.check_field("max_seconds", longer, f"at least {self.min_seconds:g}")


@dataclass(kw_only=True)
class FilmCounts:
    """What was written.

    Attributes:
        films: number of files.
        seconds: of all films.
        bytes: of all files.
        moments: seen or heard.
        labels: written labels of whole films.
        correct_labels: those that are true.
        true_labels: pairs of a film and a class that is in it.
        ratings: rated windows.
        positive: those with value 1.
    """

    films: int = 0
    seconds: float = 0.0
    bytes: int = 0
    moments: int = 0
    labels: int = 0
    correct_labels: int = 0
    true_labels: int = 0
    ratings: int = 0
    positive: int = 0

    def add(self, other: "FilmCounts") -> None:
        """Add the counts of more films."""
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))


class _Span(NamedTuple):
    """A class is seen or heard from start to end, in tenths of a second."""

    start: int
    end: int
    name: str


@dataclass(frozen=True, kw_only=True)
class _Film:
    """A written film."""

    video: str
    tenths: int
    bytes: int
    moments: list[_Span]
    labels: list[str]
    ratings: list[tuple[_Span, int]]

    def count(self) -> FilmCounts:
        present = {moment.name for moment in self.moments}
        return FilmCounts(
            films=1,
            seconds=self.tenths / 10,
            bytes=self.bytes,
            moments=len(self.moments),
            labels=len(self.labels),
            correct_labels=len(present & set(self.labels)),
            true_labels=len(present),
            ratings=len(self.ratings),
            positive=sum(value for _, value in self.ratings),
        )


def write_films(
    out: PathLike, config: FilmsConfig, *, jobs: int | None = 1, quiet: bool = False
) -> FilmCounts:
    """Write the films of `config` to the new folder `out`, which appears whole or not at all.

    Args:
        out: the folder to make.
        config: what to write.
        jobs: processes; None = one per core. The bytes do not depend on it.
        quiet: show no progress.

    Returns:
        Counts of what was written.

    Raises:
        ConfigError: `jobs` is not positive.
        MissingPackageError: the extra `video` is not installed.
        OutputError: `out` exists, or cannot be written.
    """
    out = Path(out)
    if jobs is not None and jobs < 1:
        raise ConfigError(f"jobs must be at least 1, got {jobs}")
    check_extra("video", "av", "PIL")
    jobs = min(jobs or os.cpu_count() or 1, config.number)
    films: list[_Film] = []
    counts = FilmCounts()
    with whole_folder(out) as part, progress_bar() as bar:
        task = bar.add_task("writing films", total=config.number, visible=not quiet)
        for film in _write_all(part, config, jobs):
            films.append(film)
            counts.add(film.count())
            bar.advance(task)
        _write_tables(part, films)
        write_marker(part, "synth-films", asdict(config), asdict(counts))
    return counts


def class_names() -> list[str]:
    """Return the names of the classes, sorted: those that are seen and those that are heard."""
    from reeltag.library.synth.drawn_pictures import PICTURES
    from reeltag.library.synth.drawn_sounds import SOUNDS

    return sorted([*PICTURES, *SOUNDS])


def _write_all(folder: Path, config: FilmsConfig, jobs: int) -> Iterator[_Film]:
    """Write the films, in `jobs` processes, and yield them in their order."""
    numbers = range(1, config.number + 1)
    if jobs == 1:
        for number in numbers:
            yield _write_film(folder, config, number)
        return
    parallel = joblib.Parallel(n_jobs=jobs, return_as="generator", pre_dispatch="2*n_jobs")
    yield from parallel(joblib.delayed(_write_film)(folder, config, number) for number in numbers)


def _write_film(folder: Path, config: FilmsConfig, number: int) -> _Film:
    from reeltag.library.synth.drawn_pictures import PICTURES, draw_scene
    from reeltag.library.synth.drawn_sounds import SOUNDS
    from reeltag.library.synth.film_encoding import FPS, encode_film

    rng = np.random.default_rng([config.seed, number])
    tenths = round(10 * rng.uniform(config.min_seconds, config.max_seconds))
    scenes = _storyboard(_some(list(PICTURES), 2, 4, rng), tenths, rng)
    sound, heard = _soundtrack(_some(list(SOUNDS), 1, 3, rng), tenths, rng)
    pictures = (
        picture
        for scene in scenes
        for picture in draw_scene(scene.name, (scene.end - scene.start) * FPS // 10, rng)
    )
    width = len(str(max(config.number, 100)))
    path = folder / f"film_{number:0{width}d}.mp4"
    encode_film(path, pictures, sound)
    moments = sorted([*heard, *(scene for scene in scenes if scene.name)])
    return _Film(
        video=path.name,
        tenths=tenths,
        bytes=path.stat().st_size,
        moments=moments,
        labels=_noisy_labels({moment.name for moment in moments}, config, rng),
        ratings=_rated_windows(moments, tenths, config.ratings, rng),
    )


def _some(names: list[str], least: int, most: int, rng: Rng) -> list[str]:
    """Return the classes that a film has: some of all."""
    return [str(name) for name in rng.permutation(names)[: rng.integers(least, most + 1)]]


def _storyboard(cast: list[str], tenths: int, rng: Rng) -> list[_Span]:
    """Return scenes of 3 to 10 s one after the other, some of them nothing but background."""
    scenes: list[_Span] = []
    time, name = 0, ""
    while time < tenths:
        end = time + int(rng.integers(30, 101))
        end = tenths if end > tenths - 30 else end
        is_blank = name and rng.random() < 0.25
        name = "" if is_blank else str(rng.choice([of for of in cast if of != name]))
        scenes.append(_Span(time, end, name))
        time = end
    return scenes


def _soundtrack(cast: list[str], tenths: int, rng: Rng) -> tuple[NDArray[np.float32], list[_Span]]:
    """Return sounds of 1 to 6 s over faint noise, now and then two at a time, and when they are."""
    from reeltag.library.synth.drawn_sounds import TENTH, synthesise

    level = 10 ** (rng.uniform(*_SOUND_NOISE) / 20)
    track = rng.standard_normal(tenths * TENTH, dtype=np.float32) * np.float32(level)
    heard: list[_Span] = []
    time = int(rng.integers(0, 40))
    while time < tenths - _LEAST_SOUND:
        end = min(time + int(rng.integers(10, 61)), tenths)
        spans = [_Span(time, end, str(rng.choice(cast)))]
        others = [name for name in cast if name != spans[0].name]
        if others and end - time >= 20 and rng.random() < 0.3:
            start = time + int(rng.integers(5, end - time - 9))
            last = min(start + int(rng.integers(10, 41)), tenths)
            spans.append(_Span(start, last, str(rng.choice(others))))
        for span in spans:
            gain = np.float32(10 ** (rng.uniform(-9, 0) / 20))
            part = synthesise(span.name, span.end - span.start, rng) * gain
            track[span.start * TENTH : span.end * TENTH] += part
        heard += spans
        time = max(span.end for span in spans) + int(rng.integers(15, 80))
    return np.clip(track, -1, 1), heard


def _noisy_labels(present: set[str], config: FilmsConfig, rng: Rng) -> list[str]:
    """Return each true class with probability `recall`, and so many wrong ones as `precision`."""
    kept = [name for name in sorted(present) if rng.random() < config.recall]
    others = sorted(set(class_names()) - present)
    mean = config.recall * len(present) * (1 / config.precision - 1)
    wrong = rng.permutation(others)[: rng.poisson(mean)]
    return sorted([*kept, *map(str, wrong)])


def _rated_windows(
    moments: list[_Span], tenths: int, number: int, rng: Rng
) -> list[tuple[_Span, int]]:
    """Return windows at any tenth of a second and their values, in turn positive and negative.

    A window is positive if it has 1 s of a moment or all of a shorter one, and negative if it has
    nothing of its class. A negative is of a class that the film has seven times of ten.
    """
    present, names = sorted({moment.name for moment in moments}), class_names()
    rated: dict[_Span, int] = {}
    for turn in range(number):
        value = 1 - turn % 2
        for _ in range(200):
            start = int(rng.integers(0, max(tenths - WINDOW, 0) + 1))
            pool = present if value or rng.random() < 0.7 else names
            end = min(start + WINDOW, tenths)
            window = _Span(start, end, str(rng.choice(pool or names)))
            found = max((_coverage(moment, window) for moment in moments), default=0.0)
            if (found >= 1 if value else found <= 0) and window not in rated:
                rated[window] = value
                break
    return list(rated.items())


def _coverage(moment: _Span, window: _Span) -> float:
    """Return how much of 1 s of a moment, or of a shorter one, a window of its class has."""
    if moment.name != window.name:
        return 0.0
    common = min(moment.end, window.end) - max(moment.start, window.start)
    return common / min(10, moment.end - moment.start)


def _write_tables(folder: Path, films: list[_Film]) -> None:
    def times(span: _Span) -> list[object]:
        return [span.start / 10, span.end / 10, span.name]

    tables: dict[str, tuple[str, Iterable[list[object]]]] = {
        "classes": ("index,name", ([i, name] for i, name in enumerate(class_names()))),
        "moments": (
            "video,start_s,end_s,class",
            ([film.video, *times(span)] for film in films for span in film.moments),
        ),
        "labels": (
            "video,class",
            ([film.video, name] for film in films for name in film.labels),
        ),
        "ratings": (
            "video,start_s,end_s,class,value",
            ([film.video, *times(span), v] for film in films for span, v in film.ratings),
        ),
    }
    for name, (columns, rows) in tables.items():
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            CsvWriter(file).writerows([columns.split(","), *rows])
