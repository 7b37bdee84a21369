"""Data that the server shows: drawn films with a run, and published features without files."""

import csv
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Self

import pytest
from starlette.testclient import TestClient

from reeltag.cli import main
from reeltag.data.dataset import Dataset
from reeltag.data.splits import Splits
from reeltag.library.database import tables
from reeltag.library.synth.drawn_films import FilmsConfig, write_films
from reeltag.models.frame_logistic import Config
from reeltag.server.project import curve_job, progress
from reeltag.server.project.curves import curves_folder
from reeltag.server.project.project import Project
from reeltag.training.batches import training_items
from reeltag.training.config import Recipe
from reeltag.training.frame_regression import FrameRegressionConfig, fit_frame_regression
from tests.server.shells import program_of

NUM_FILMS = 6


@dataclass(frozen=True)
class Served:
    """A data folder to be served.

    Attributes:
        data: DATA, with a library, previews, classes.csv and labels.csv.
        run: a finder of it.
        films: the video files, and moments.csv: what is in them, and when.
    """

    data: Path
    run: Path
    films: Path

    def truth(self) -> list[tuple[str, float, float, str]]:
        """Return video, start_s, end_s and class of what is in the films."""
        with (self.films / "moments.csv").open() as file:
            return [
                (Path(row["video"]).stem, float(row["start_s"]), float(row["end_s"]), row["class"])
                for row in csv.DictReader(file)
            ]


@pytest.fixture(scope="session")
def synthetic_films(tmp_path_factory: pytest.TempPathFactory) -> Served:
    """Six drawn films of some 10 s, extracted, with true labels and a run; not to be changed."""
    root = tmp_path_factory.mktemp("films")
    films, data, run = root / "films", root / "data", root / "run"
    config = FilmsConfig(number=NUM_FILMS, min_seconds=10, max_seconds=12, ratings=0, seed=3)
    write_films(films, config, jobs=1)
    assert main.run(["extract", str(films), "--out", str(data), "--split", "60", "0", "40"]) == 0
    made = Served(data, run, films)
    shutil.copy(films / "classes.csv", data)
    rows = sorted({(video, name) for video, _, _, name in made.truth()})
    lines = ["id,class", *(f"{video},{name}" for video, name in rows)]
    (data / "labels.csv").write_text("\n".join(lines) + "\n")
    every = Dataset.open(data, quiet=True).with_splits(Splits(train="*", holdout=0.0))
    how = FrameRegressionConfig(steps=40)
    fit_frame_regression(training_items(every, Recipe()), run, Config(), Recipe(), how)
    return made


@pytest.fixture
def served(synthetic_films: Served, tmp_path: Path) -> Served:
    """The films' data for this test alone; the files of the videos are shared."""
    data = tmp_path / "data"
    shutil.copytree(synthetic_films.data, data)
    return Served(data, synthetic_films.run, synthetic_films.films)


@pytest.fixture
def project(served: Served) -> Iterator[Project]:
    """The films' project, with a finder and without curves."""
    opened = Project.open(served.data, run=served.run)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def synthetic_curves(synthetic_films: Served, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The curves of the films by the run; not to be changed."""
    out = tmp_path_factory.mktemp("curves") / "curves"
    window = ["--length", "1"]  # films have events of a second
    given = [str(synthetic_films.data), str(synthetic_films.run), str(out)]
    assert curve_job.main([*given, *window]) == 0
    return out


@pytest.fixture
def curved(project: Project, synthetic_curves: Path) -> Project:
    """The films' project with the curves of its finder."""
    current = project.finders.current
    assert current is not None
    shutil.copytree(synthetic_curves, curves_folder(project.folder, current.key))
    return project


@pytest.fixture
def client(curved: Project) -> Iterator[TestClient]:
    """A program that talks with the app of the films' project; its curves are computed."""
    with program_of(curved) as opened:
        yield opened


@pytest.fixture
def at_noon(monkeypatch: pytest.MonkeyPatch) -> datetime:
    """Let it be noon, UTC, of a day to come, while a test runs; return the time without a zone."""

    class Noon(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls(2100, 3, 4, 12, tzinfo=tz)

    for module in (progress, tables):
        monkeypatch.setattr(module, "datetime", Noon)
    return datetime(2100, 3, 4, 12)


@pytest.fixture
def published(corpus: Path, tmp_path: Path) -> Path:
    """Features of 60 videos as they are published: no files, no library."""
    data = tmp_path / "published"
    shutil.copytree(corpus, data)
    return data
