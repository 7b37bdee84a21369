"""What a model with a graph over the labels is told: counts of its training data, or of a file."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from reeltag.core.errors import ConfigError, DataError
from reeltag.core.sparse import SparseRows
from reeltag.data.class_list import ClassList
from reeltag.data.dataset import Dataset
from reeltag.labels.cooccurrence import Cooccurrence, count_cooccurrence
from reeltag.labels.correlation import Correlation
from reeltag.labels.vectors import LabelVectors
from reeltag.layers.graph import LABEL_STD
from reeltag.models import dbof_gcn
from reeltag.tagger.tagger import Tagger
from reeltag.training.config import Recipe
from reeltag.training.label_graph import set_label_graph, set_label_inputs, set_label_vectors
from reeltag.training.relabel_config import RelabelConfig
from reeltag.training.relabelling import relabelled


@pytest.fixture(scope="module")
def dataset(corpus: Path) -> Dataset:
    return Dataset.open(corpus, quiet=True)


def told(dataset: Dataset, counts: Cooccurrence | None = None) -> tuple[Tagger, torch.Tensor]:
    """Return an untold tagger, and the graph that it has when told of `counts`."""
    items = dataset.videos()
    widths = tuple(stream.width for stream in items.streams)
    names = ClassList.numbered(dataset.num_classes).names
    config = replace(dbof_gcn.TINY, dims=widths, num_classes=dataset.num_classes)
    streams = [(stream.name, stream.width) for stream in items.streams]
    torch.manual_seed(0)
    tagger = Tagger(config, streams, names)
    if counts is not None:
        tagger.model.set_cooccurrence(torch.from_numpy(counts.dense()))  # type: ignore[operator]
    return tagger, state(tagger)


def state(tagger: Tagger) -> torch.Tensor:
    return torch.cat([value.flatten().double() for value in tagger.state_dict().values()])


def test_labels_of_the_training_videos_are_counted(dataset: Dataset) -> None:
    counts = count_cooccurrence(
        SparseRows(*dataset.videos().records.lists("labels")), dataset.num_classes
    )
    _, expected = told(dataset, counts)
    tagger, untold = told(dataset)
    set_label_graph(tagger, dataset.videos())
    assert torch.equal(state(tagger), expected) and not torch.equal(untold, expected)


def test_labels_that_were_made_noisy_are_counted_as_they_are_taught(dataset: Dataset) -> None:
    noisy = relabelled(dataset.videos(), RelabelConfig(noise_recall=0.3))
    assert noisy.targets is not None
    counts = count_cooccurrence(noisy.targets, dataset.num_classes)
    _, expected = told(dataset, counts)
    tagger, _ = told(dataset)
    set_label_graph(tagger, noisy)
    assert torch.equal(state(tagger), expected)


def test_counts_of_a_file_are_taken_instead(dataset: Dataset, tmp_path: Path) -> None:
    videos_C = np.full(dataset.num_classes, 10)
    pair = np.array([0, 1], np.int32)
    counts = Cooccurrence(videos_C, pair, pair[::-1].copy(), np.array([9, 9]))
    names = ClassList.numbered(dataset.num_classes).names
    path = tmp_path / "P.parquet"
    Correlation(counts, names, 20).save(path)
    _, expected = told(dataset, counts)
    tagger, _ = told(dataset)
    set_label_graph(tagger, dataset.videos(), str(path))
    assert torch.equal(state(tagger), expected)
    Correlation(counts, ("another", *names[1:]), 20).save(path)
    tagger.class_names = ("one", *names[1:])
    with pytest.raises(DataError, match="class 0 is 'another'; in the model it is 'one'"):
        set_label_graph(tagger, dataset.videos(), str(path))


def test_label_vectors_of_a_file_are_what_they_begin_as(dataset: Dataset, tmp_path: Path) -> None:
    tagger, _ = told(dataset)
    size = dbof_gcn.TINY.label_size
    rng = np.random.default_rng(0)
    vectors_CV = rng.normal(5, 2, (dataset.num_classes, size)).astype(np.float32)
    known = LabelVectors(tagger.class_names, vectors_CV)
    known.save(tmp_path / "V.parquet")
    set_label_vectors(tagger, str(tmp_path / "V.parquet"))
    expected = torch.from_numpy(known.standardised(LABEL_STD))
    assert torch.equal(tagger.state_dict()["model.head.labels_CV"], expected)


def test_label_vectors_that_do_not_fit_raise_with_the_way_out(
    dataset: Dataset, tmp_path: Path
) -> None:
    tagger, untold = told(dataset)
    names, path = tagger.class_names, tmp_path / "V.parquet"
    LabelVectors(names, np.ones((len(names), 9), np.float32)).save(path)
    with pytest.raises(ConfigError, match="label vectors are") as found:
        set_label_vectors(tagger, str(path))
    assert found.value.hint.endswith("--model.label-size 9).")
    tagger.class_names = ("one", *names[1:])
    LabelVectors(("other", *names[1:]), np.ones((len(names), 9), np.float32)).save(path)
    with pytest.raises(DataError, match="class 0 is 'other'; in the model it is 'one'"):
        set_label_vectors(tagger, str(path))
    bag = Tagger(dbof_gcn.TINY.base(), [("rgb", 6), ("audio", 2)], ("a", "b", "c", "d", "e"))
    with pytest.raises(ConfigError, match="dbof has no label vectors") as found:
        set_label_vectors(bag, str(path))
    assert "dbof_gcn" in found.value.hint
    set_label_vectors(tagger, "")
    assert torch.equal(state(tagger), untold)


def test_inputs_that_a_run_to_start_from_has_already_raise(dataset: Dataset) -> None:
    tagger, _ = told(dataset)
    for name in ("graph", "vectors"):
        recipe = Recipe(init="RUN", labels=RelabelConfig(**{name: "file.parquet"}))  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match=f"labels.{name} has no effect: RUN has its own"):
            set_label_inputs(tagger, dataset.videos(), recipe)
