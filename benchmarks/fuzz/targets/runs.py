"""Run folders, blends with their trees, and the database of a library."""

import json
import random
import shutil
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import torch

from benchmarks.fuzz.json_mutation import mutated_json
from benchmarks.fuzz.mutation import mutated
from benchmarks.fuzz.target import Case, Outcome, Target, WrongError
from reeltag.core.files import write_json
from reeltag.core.sparse import SparseRows
from reeltag.ensembling.alignment import AlignedRows
from reeltag.ensembling.blend_model import BlendModel
from reeltag.ensembling.members import EnsembleMember
from reeltag.ensembling.stacking import train_trees
from reeltag.ensembling.tree_config import TreeConfig
from reeltag.evaluation.truth import RatedSegments, Truth
from reeltag.library.database.library import Library
from reeltag.models import moe
from reeltag.predictions.rows import WHOLE_VIDEO
from reeltag.tagger.tagger import Tagger
from reeltag.tagger.thresholds import Thresholds
from reeltag.training.run_folder import read_recipe, read_splits

_CLASSES, _WIDTH, _VIDEOS = 5, 4, 40
_DATABASE = "library.sqlite"


class Runs(Target):
    """A run, a blend or a database with one file that is damaged, loaded and used."""

    name = "runs"
    about = "run folders, blends, trees, thresholds, databases"
    limit_mb = 2048
    limit_s = 20.0

    @classmethod
    def prepare(cls, shared: Path) -> None:
        """Write a run, two blends and a library."""
        torch.manual_seed(0)
        config = moe.Config(num_classes=_CLASSES, dims=(_WIDTH,), num_experts=2)
        names = [f"class {number}" for number in range(_CLASSES)]
        tagger = Tagger(config, (("mean_rgb", _WIDTH),), names)
        run = shared / "run"
        run.mkdir()
        tagger.save_weights(run)
        tagger.save_classes(run)
        tagger.features.save(run)
        Thresholds.at_prob(names, 0.3).save(run)
        write_json(run / "config.json", {**tagger.describe(), "recipe": {}, "data": {"splits": {}}})
        _write_blends(shared)
        (shared / "library").mkdir()
        with Library.open(shared / "library", create=True):
            pass

    def __init__(self, shared: Path, own: Path) -> None:
        super().__init__(shared, own)
        self._files = {
            str(path.relative_to(shared)): path.read_bytes()
            for path in sorted(shared.rglob("*"))
            if (path.is_file() and path.suffix in (".json", ".csv", ".txt", ".parquet", ".npy"))
            or path.name in ("model.safetensors", _DATABASE)
        }
        torch.set_num_threads(1)

    def make(self, rng: random.Random) -> Case:
        """Return one file of a folder, damaged."""
        name = rng.choice([*self._files])
        data = self._files[name]
        if name.endswith(".json"):
            return Case(name, mutated_json(rng, data))
        return Case(name, mutated(rng, data))

    def run(self, case: Case) -> Outcome:
        """Load the folder with that file and use it."""
        folder = Path(case.variant).parts[0]
        shutil.rmtree(self.own / folder, ignore_errors=True)
        shutil.copytree(self.shared / folder, self.own / folder)
        (self.own / case.variant).write_bytes(case.data)
        if folder == "run":
            _use_run(self.own / folder)
        elif folder == "library":
            with Library.open(self.own / folder) as library:
                library.videos(), library.jobs(), library.splits()
        else:
            _use_blend(self.own / folder)
        return "accepted"


TARGET = Runs


def _use_run(run: Path) -> None:
    tagger = Tagger.load(run)
    frames = torch.zeros(2, 3, sum(width for _, width in tagger.streams))
    with torch.inference_mode():
        logits = tagger(frames, torch.ones(2, 3, dtype=torch.bool))
    if logits.shape != (2, tagger.num_classes):
        raise WrongError("logits of another shape", str(tuple(logits.shape)))
    config: dict[str, Any] = json.loads((run / "config.json").read_text())
    read_recipe(config)
    read_splits(config)


def _use_blend(folder: Path) -> None:
    blend = BlendModel.load(folder)
    if blend.trees:
        width = 1 + len(blend.trees.info.models)
        blend.trees.logits(np.zeros((4, width), np.float32), np.array([-1, 0, 1, -1], np.int16))


def _write_blends(shared: Path) -> None:
    """Write a blend by weights of each class, and one by trees."""
    members = (EnsembleMember(family="moe", run="a"), EnsembleMember(family="moe", run="b"))
    weights = np.full((2, _CLASSES), 0.5)
    method: Literal["class-weights"] = "class-weights"
    BlendModel(method=method, members=members, num_classes=_CLASSES, weights=weights).save(
        shared / "blend"
    )
    block, truth = _block_and_truth()
    config = TreeConfig(num_trees=5, num_leaves=4, folds=2, patience=5, threads=1, min_in_leaf=2)
    trees = train_trees(lambda: iter([block]), truth, shared / "grown", config, quiet=True)
    BlendModel(method="lightgbm", members=members, num_classes=_CLASSES, trees=trees).save(
        shared / "trees"
    )
    shutil.rmtree(shared / "grown")


def _block_and_truth() -> tuple[AlignedRows, Truth]:
    """Return predictions of two models for all classes of some videos, and their labels."""
    rng = np.random.default_rng(0)
    ids = [f"v{number}" for number in range(_VIDEOS)]
    starts = np.arange(_VIDEOS + 1, dtype=np.int64)
    labels = rng.integers(0, _CLASSES, _VIDEOS)
    classes = np.tile(np.arange(_CLASSES, dtype=np.int32), _VIDEOS)
    hits = classes == np.repeat(labels, _CLASSES)
    logits = np.stack([rng.normal(2.0 * hits - 1), rng.normal(size=len(hits))], axis=1)
    whole = np.full(_VIDEOS, WHOLE_VIDEO)
    block = AlignedRows(
        starts * _CLASSES,
        classes,
        logits.astype(np.float32),
        ids=pa.array(ids),
        starts=whole,
        ends=whole,
    )
    none, nothing = np.zeros(0, np.int64), np.zeros(1, np.int64)
    truth = Truth(
        data=Path("DATA"),
        ids=pa.array(ids),
        num_classes=_CLASSES,
        names=None,
        labels=SparseRows(starts, labels.astype(np.int32)),
        ratings=RatedSegments(
            nothing,
            none.astype(np.int32),
            none.astype(np.float32),
            videos=none,
            starts=none.astype(np.float64),
            ends=none.astype(np.float64),
        ),
    )
    return block, truth
