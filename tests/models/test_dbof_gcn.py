"""DBoF with a graph classifier: 3862 and 1000 classes, and the label graph of training."""

import dataclasses
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from reeltag.core.errors import ConfigError
from reeltag.data.dataset import Dataset
from reeltag.layers.graph import label_graph
from reeltag.models import dbof_gcn
from reeltag.training.config import Optimisation, Recipe
from reeltag.training.fit import train

STILL = Recipe(batch_size=8, max_steps=1, optim=Optimisation(learning_rate=1e-9))


@pytest.mark.parametrize("num_classes", [3862, 1000])
def test_dbof_gcn_has_a_matrix_and_vectors_for_its_classes(num_classes: int) -> None:
    with torch.device("meta"):
        model = dbof_gcn.Config(num_classes=num_classes).build()
        logits = model.head(torch.zeros(2, 1024))
    assert logits.shape == (2, num_classes)
    body = 1152 * 8192 + 8192 * 1024 + 1152 + 2 * 8192 + 2 * 1024
    layers = 300 * 1024 + 1024 * 1024
    own = num_classes * (num_classes + 300)
    assert sum(p.numel() for p in model.parameters()) == body + layers + own


def test_training_begins_with_which_classes_appear_together(corpus: Path, tmp_path: Path) -> None:
    config = dataclasses.replace(dbof_gcn.TINY, threshold=0.1)
    train(Dataset.open(corpus, quiet=True), tmp_path / "run", config, STILL)
    found = load_file(tmp_path / "run" / "model.safetensors")["model.head.graph"]
    counts = torch.zeros(8, 8)
    items = Dataset.open(corpus).videos("train")
    bounds, classes = items.records.lists("labels")
    for n in range(len(items)):
        for i in classes[bounds[n] : bounds[n + 1]]:
            for j in classes[bounds[n] : bounds[n + 1]]:
                counts[i, j] += 1
    expected = label_graph(counts, threshold=0.1)
    assert not torch.equal(expected, torch.eye(8))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


def test_fixed_graph_stays_in_training(corpus: Path, tmp_path: Path) -> None:
    config = dataclasses.replace(dbof_gcn.TINY, threshold=0.1, train_graph=False)
    fast = dataclasses.replace(STILL, max_steps=3, optim=Optimisation(learning_rate=0.1))
    run = [tmp_path / "still", tmp_path / "fast"]
    graphs = []
    for out, recipe in zip(run, (STILL, fast), strict=True):
        train(Dataset.open(corpus, quiet=True), out, config, recipe)
        graphs.append(load_file(out / "model.safetensors")["model.head.graph"])
    assert torch.equal(graphs[0], graphs[1])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"label_size": 0}, "label_size is 0"),
        ({"threshold": -0.1}, "threshold is -0.1; allowed: a finite number >= 0"),
        ({"share": float("inf")}, "share is inf; allowed: a finite number >= 0"),
    ],
)
def test_wrong_sizes_raise(change: dict[str, float], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        dataclasses.replace(dbof_gcn.TINY, **change)  # type: ignore[arg-type]
