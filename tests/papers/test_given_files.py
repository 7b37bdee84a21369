"""Programs on a data set whose labels and ratings are files of its own."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from reeltag.cli.main import run
from reeltag.data.dataset import Dataset
from reeltag.data.loader import Loader
from reeltag.data.splits import PUBLISHED_SPLITS
from reeltag.data.synth.corpus import write_corpus
from reeltag.papers import autohome2019, axon2018, moments, oppo2019, samsung2018
from reeltag.papers.common.dataset_source import dataset_source
from reeltag.papers.common.program import Program
from reeltag.papers.common.steps.augment import average_frames
from reeltag.pipeline.steps import Step, ordered
from reeltag.tagger.run_files import read_config
from reeltag.training.run_folder import open_data

Rows = list[tuple[object, ...]]
PROGRAMS = (oppo2019.PROGRAM, autohome2019.PROGRAM, moments.PROGRAM)


def write(path: Path, columns: str, rows: Rows) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([tuple(columns.split()), *rows])
    return path


def write_labels(path: Path, rows: Rows) -> Path:
    return write(path, "id class", rows)


def write_ratings(path: Path, rows: Rows) -> Path:
    return write(path, "id start_s end_s class value", rows)


def labels_of(data: Path) -> Rows:
    rows = Dataset.open(data, quiet=True).table.to_pylist()
    return [(row["id"], label) for row in rows for label in row["labels"]]


def ratings_of(data: Path) -> Rows:
    found: Rows = []
    for row in Dataset.open(data, quiet=True).table.to_pylist():
        columns = (row[f"segment_{of}"] or [] for of in ("starts", "labels", "scores"))
        for start, label, value in zip(*columns, strict=True):
            found.append((row["id"], start, start + 5, label, value))
    return found


def graph(program: Program, data: Path, **files: Path) -> dict[str, Step]:
    opened = Dataset.open(data, quiet=True, **files)  # type: ignore[arg-type]
    nodes = ordered(program.solve(opened, program.tiny).steps)
    return {node.name: node for node in nodes if isinstance(node, Step)}


def same(one: dict[str, Step], other: dict[str, Step]) -> set[str]:
    return {name for name in one if one[name].key == other[name].key}


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_steps_depend_on_the_given_files_that_they_read(program: Program, tmp_path: Path) -> None:
    data = tmp_path / "data"
    write_corpus(data, program.tiny_data, quiet=True)
    labels = write_labels(tmp_path / "labels.csv", labels_of(data))
    ratings = write_ratings(tmp_path / "ratings.csv", ratings_of(data))
    published = graph(program, data)
    given = graph(program, data, labels=labels, ratings=ratings)
    assert same(published, given) == set(published)  # they are those of the records

    name, start, end, label, value = ratings_of(data)[0]
    flipped = (name, start, end, label, 1 - float(str(value)))
    write_ratings(ratings, [flipped, *ratings_of(data)[1:]])
    changed = graph(program, data, labels=labels, ratings=ratings)
    kept = same(given, changed)
    whole = {of for of in given if of.startswith("train-") and not _rated(given[of])}
    assert whole and kept == whole | {of for of in given if of.startswith("count_labels")}

    write_labels(labels, labels_of(data)[1:])
    assert not same(given, graph(program, data, labels=labels, ratings=ratings))


def test_solve_runs_again_what_depends_on_a_changed_file(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data, work = tmp_path / "data", tmp_path / "work"
    write_corpus(data, moments.PROGRAM.tiny_data, quiet=True)
    labels = write_labels(tmp_path / "labels.csv", labels_of(data)[1:])
    every = ratings_of(data)
    ratings = write_ratings(tmp_path / "ratings.csv", every[:-1])
    command = ["solve", "moments", "--tiny", "--data", data, "--out", work, "--json"]
    command += ["--labels", labels, "--ratings", ratings]

    def solved() -> dict[str, Path]:
        assert run([str(word) for word in command]) == 0
        steps = json.loads(capfd.readouterr().out)["steps"]
        return {step["name"]: Path(step["folder"]) for step in steps}

    first = solved()
    trained = {name: folder / "run" for name, folder in first.items() if "train" in name}
    opened = {name: open_data(of, read_config(of), quiet=True) for name, of in trained.items()}
    assert opened["train-I"].sources == {"labels": labels}
    assert opened["train-II"].sources == {"labels": labels, "ratings": ratings}
    assert sum(map(len, opened["train-II"].table["segment_labels"].to_pylist())) == len(every) - 1
    assert sum(map(len, opened["train-I"].table["labels"].to_pylist())) == len(labels_of(data)) - 1

    write_ratings(ratings, every)
    second = solved()
    assert {name for name in first if first[name] == second[name]} == {"train-I"}
    assert solved() == second


def test_average_frames_writes_given_labels_next_to_video_level_vectors(tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "step"
    write_corpus(data, samsung2018.PROGRAM.tiny_data, quiet=True)
    labels = write_labels(tmp_path / "labels.csv", labels_of(data)[1:])
    location = dataset_source(Dataset.open(data, quiet=True, labels=labels)).files
    out.mkdir()
    average_frames(out, location, splits=PUBLISHED_SPLITS, which=("train", "validate", "test"))
    written = Dataset.open(out / "data", quiet=True)
    assert labels_of(out / "data") == labels_of(data)[1:]
    assert written.streams == Dataset.open(data, quiet=True).streams
    one, other = (Loader(of.videos("all"), batch_size=99) for of in (written, location.open()))
    for copied, given in zip(one, other, strict=True):
        assert copied.ids == given.ids and copied.frames.equal(given.frames)


def test_axon_trains_on_records_with_the_given_labels(tmp_path: Path) -> None:
    data = tmp_path / "data"
    write_corpus(data, replace(axon2018.PROGRAM.tiny_data, level="video"), quiet=True)
    labels = write_labels(tmp_path / "labels.csv", labels_of(data)[1:])
    assert "average_frames" not in graph(axon2018.PROGRAM, data)
    found = graph(axon2018.PROGRAM, data, labels=labels)
    needs = {of.name for of in ordered(found["train-moe-augmented"])}
    assert needs >= {"average_frames", "augment"}


def _rated(step: Step) -> bool:
    return str(step.config["recipe"].items) == "segments"
