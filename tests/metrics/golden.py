"""The starter's scores, read for the tests: golden/metrics and golden/segmap."""

import csv
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tests.conftest import golden_file


@dataclass(frozen=True)
class Case:
    """One file of golden/metrics, dense; arrays by their names there."""

    arrays: dict[str, NDArray[Any]]
    meta: dict[str, Any]
    scores: Tensor
    labels: Tensor

    @property
    def top_k(self) -> int:
        return int(self.meta["top_k"])

    @property
    def batches(self) -> list[tuple[Tensor, Tensor]]:
        sizes = self.arrays["in.splits"].tolist()
        return list(zip(self.scores.split(sizes), self.labels.split(sizes), strict=True))

    @property
    def tied(self) -> bool:
        return bool(self["check.gap_tie_max"] - self["check.gap_tie_min"] > 1e-9)

    @property
    def soft(self) -> bool:
        return bool((self.labels.double() % 1 != 0).any())

    def __getitem__(self, name: str) -> float:
        return float(self.arrays[name])


def read_case(path: Path) -> Case:
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files}
    meta = json.loads(str(arrays["meta"]))
    if "in.predictions" in arrays:
        scores, labels = torch.from_numpy(arrays["in.predictions"]), arrays["in.labels"]
        return Case(arrays, meta, scores, torch.from_numpy(labels))
    shape = meta["num_videos"], meta["num_classes"]
    scores = torch.zeros(shape).scatter_(
        1,
        torch.from_numpy(arrays["in.topk_class"].astype(np.int64)),
        torch.from_numpy(arrays["in.topk_score"]),
    )
    labels = np.zeros(shape, dtype=bool)
    rows = np.repeat(np.arange(shape[0]), np.diff(arrays["in.label_ptr"]))
    labels[rows, arrays["in.label_class"]] = True
    return Case(arrays, meta, scores, torch.from_numpy(labels))


@dataclass(frozen=True)
class Lists:
    """One case of golden/segmap: submitted lists, ratings, what the script made of them."""

    lists: dict[int, list[str]]
    ratings: dict[tuple[str, int], float]
    expected: dict[int, dict[str, Any]]

    def positives(self, num_classes: int) -> Tensor:
        found = [category for (_, category), rating in self.ratings.items() if rating > 0]
        return torch.tensor(found, dtype=torch.long).bincount(minlength=num_classes)

    @cached_property
    def pairs(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return scores, hits, classes and rated of all submitted pairs, in falling score."""
        rows = [(-i, s, c) for c, ids in self.lists.items() for i, s in enumerate(ids)]
        scores = torch.tensor([float(rank) for rank, _, _ in rows])
        hits = torch.tensor([self.ratings.get((s, c), 0) > 0 for _, s, c in rows])
        rated = torch.tensor([(s, c) in self.ratings for _, s, c in rows])
        return scores, hits, torch.tensor([c for _, _, c in rows]), rated


def read_lists(path: Path) -> Lists:
    """Return the case whose ratings are in a file of golden/segmap."""
    case = path.name.partition(".")[0]
    with path.open(encoding="utf-8") as file:
        ratings = {(i, int(c)): float(y) for i, c, y in csv.reader(file)}
    lines = golden_file(f"segmap/{case}.submission.csv").read_text().splitlines()
    rows = [line.partition(",")[::2] for line in lines if not line.startswith("Class")]
    lists = {int(category): ids.split() for category, ids in rows}
    expected = json.loads(golden_file("segmap/expected.json").read_text())["cases"][case]
    return Lists(lists, ratings, {int(n): result for n, result in expected["results"].items()})
