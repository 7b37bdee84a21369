"""Steps on whole videos: means of networks, folds, trees that resume, the best of several."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from reeltag.data.dataset import Dataset
from reeltag.data.folding import held_out_rows
from reeltag.data.loader import Loader
from reeltag.data.splits import PUBLISHED_SPLITS
from reeltag.data.synth.config import SynthConfig
from reeltag.data.synth.corpus import write_corpus
from reeltag.ensembling.fitting import SgdConfig
from reeltag.ensembling.tree_config import TreeConfig
from reeltag.inference.scoring import InferenceConfig
from reeltag.labels.folds import FoldConfig
from reeltag.losses.cross_entropy import binary_cross_entropy
from reeltag.models import logistic
from reeltag.papers.common.recipe import SplitRecipe
from reeltag.papers.common.splits.assignment import EvalSplit
from reeltag.papers.common.steps.blend import combine, learn_weights, read_weights, stack
from reeltag.papers.common.steps.evaluate import compare_with_best, score_videos
from reeltag.papers.common.steps.predict import predict_folds, predict_videos
from reeltag.papers.common.steps.soft_labels import soft_label_videos
from reeltag.papers.common.steps.train import NEVER, train
from reeltag.predictions.file import open_predictions
from reeltag.soft_labels.storage import open_soft_labels
from reeltag.tagger.tagger import Tagger
from reeltag.training.config import Optimisation

CONFIG = SynthConfig(videos=80, classes=5, rgb=8, audio=4, level="video", shards=2, held_out=0.2)
INFERENCE = InferenceConfig(top_k=5, batch_size=7)
COUNT = 2


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos") / "data"
    write_corpus(folder, CONFIG, quiet=True)
    return folder


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Train one network without each of two folds."""
    root, found = tmp_path_factory.mktemp("trained"), []
    for fold in range(COUNT):
        recipe = SplitRecipe(
            batch_size=8,
            max_steps=10,
            validate_every=NEVER,
            fold=FoldConfig(count=COUNT, hold_out=fold),
            optim=Optimisation(learning_rate=0.3),
        )
        out = root / str(fold)
        out.mkdir()
        train(out, data, model=logistic.Config(), recipe=recipe)
        found.append(out)
    return found


@pytest.fixture(scope="module")
def predicted(data: Path, trained: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("predicted")
    predict_folds(out, data, *trained, splits=PUBLISHED_SPLITS, inference=INFERENCE)
    return out


def logits_of(run: Path, data: Path, split: str, rows: object = None) -> Iterator[tuple]:  # type: ignore[type-arg]
    """Yield id, logits (C,) and labels (C,) of each video, one by one."""
    tagger = Tagger.load(run / "run")
    items = Dataset.open(data, quiet=True).videos(split, rows=rows)  # type: ignore[arg-type]
    for batch in Loader(items, batch_size=1):
        assert batch.labels is not None
        with torch.inference_mode():
            yield batch.ids[0], tagger(batch.frames, batch.mask)[0], batch.labels[0].clone()


def dense(file: Path) -> dict[str, np.ndarray]:
    """Return the logits of all classes of each video of a file."""
    found = {}
    for rows in open_predictions(file).rows("videos"):
        for at, name in enumerate(rows.ids.to_pylist()):
            part = slice(rows.indptr[at], rows.indptr[at + 1])
            found[name] = np.empty(CONFIG.classes, np.float32)
            found[name][rows.classes[part]] = rows.scores[part]
    return found


def test_predict_videos_writes_mean_probability_and_cross_entropy(
    data: Path, trained: list[Path], predicted: Path
) -> None:
    both = [[*logits_of(run, data, "test")] for run in trained]
    found, losses = (
        dense(predicted / "predictions.parquet"),
        np.load(predicted / "cross_entropy.npy"),
    )
    assert len(found) == len(losses) == len(both[0]) == 16
    for (name, one, labels), (_, other, _), loss in zip(*both, losses, strict=True):
        mean = torch.logit((one.sigmoid() + other.sigmoid()).double() / 2)
        np.testing.assert_allclose(found[name], mean, atol=1e-4)  # float32 next to float64
        expected = binary_cross_entropy(mean[None].float(), labels[None]) / CONFIG.classes
        assert loss == pytest.approx(float(expected), rel=1e-4)


def test_predict_folds_scores_training_videos_by_the_network_without_them(
    data: Path, trained: list[Path], predicted: Path
) -> None:
    dataset = Dataset.open(data, quiet=True)
    found, seen = dense(predicted / "out_of_fold.parquet"), 0
    for number, run in enumerate(trained):
        fold = FoldConfig(count=COUNT, hold_out=number)
        rows = held_out_rows(dataset, fold)
        for name, logits, _ in logits_of(run, data, "train", rows):
            np.testing.assert_allclose(found[name], logits, atol=1e-5)
            seen += 1
    assert seen == len(found) == 48


def test_score_videos_adds_cross_entropy_and_out_of_fold_gap(
    data: Path, predicted: Path, tmp_path: Path
) -> None:
    score_videos(tmp_path, predicted, data, evaluation=EvalSplit(), bootstrap=50)
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["bce"] == pytest.approx(float(np.load(predicted / "cross_entropy.npy").mean()))
    low, high = scores["bce_interval"]
    assert low < scores["bce"] < high
    assert 0 < scores["out_of_fold"] <= 1 and scores["out_of_fold"] != scores["gap@20"]


def test_stack_keeps_grown_trees_and_gives_soft_labels(
    data: Path, predicted: Path, tmp_path: Path
) -> None:
    def stacked() -> None:
        stack(
            tmp_path,
            data,
            predicted,
            other,
            names=("a", "b"),
            splits=PUBLISHED_SPLITS,
            config=TreeConfig(num_trees=4, folds=COUNT, min_in_leaf=2),
            threads=1,
        )

    other = tmp_path / "other"
    other.mkdir()
    for file in ("predictions.parquet", "out_of_fold.parquet"):
        (other / file).write_bytes((predicted / file).read_bytes())
    stacked()
    first = {path: path.read_bytes() for path in tmp_path.glob("*.parquet")}
    stamp = (tmp_path / "trees" / "trees.json").stat().st_mtime_ns
    (tmp_path / "predictions.parquet").unlink()  # as if it had been stopped here
    stacked()
    assert (tmp_path / "trees" / "trees.json").stat().st_mtime_ns == stamp
    assert all(path.read_bytes() == content for path, content in first.items())
    soft_label_videos(
        tmp_path, tmp_path / "out_of_fold.parquet", data, splits=PUBLISHED_SPLITS, top_k=3
    )
    rows = [*open_soft_labels(tmp_path / "soft.parquet").rows()]
    assert sum(map(len, rows)) == 48 and all((of.counts() == 3).all() for of in rows)


def test_predict_videos_is_the_same_without_cross_entropy_and_runs_once(
    data: Path, trained: list[Path], tmp_path: Path
) -> None:
    for name in ("with", "without"):
        (tmp_path / name).mkdir()
        predict_videos(
            tmp_path / name,
            data,
            trained[0],
            splits=PUBLISHED_SPLITS,
            inference=INFERENCE,
            split="validate",
            cross_entropy=name == "with",
        )
    files = [tmp_path / name / "predictions.parquet" for name in ("with", "without")]
    one, other = map(dense, files)
    assert one.keys() == other.keys() and len(one) == 16
    assert all(np.array_equal(one[of], other[of]) for of in one)
    infos = [open_predictions(file).info for file in files]
    assert (
        infos[0].run == infos[1].run == str(trained[0] / "run")
    )  # what `reeltag export` looks for
    assert [path.name for path in files[1].parent.iterdir()] == ["predictions.parquet"]
    stamp = files[1].stat().st_mtime_ns
    predict_videos(
        files[1].parent,
        data,
        trained[0],
        splits=PUBLISHED_SPLITS,
        inference=INFERENCE,
        cross_entropy=False,
    )
    assert files[1].stat().st_mtime_ns == stamp


def test_learn_weights_follows_its_sgd_config(
    data: Path, trained: list[Path], tmp_path: Path
) -> None:
    held = []
    for number, run in enumerate(trained):
        held.append(tmp_path / f"held-{number}")
        held[-1].mkdir()
        predict_videos(
            held[-1], data, run, splits=PUBLISHED_SPLITS, inference=INFERENCE, split="validate"
        )
    found = []
    for number, steps in enumerate((SgdConfig(epochs=1), SgdConfig(epochs=90, batch_size=1))):
        out = tmp_path / f"learned-{number}"
        out.mkdir()
        learn_weights(
            out, data, *held, method="weights", solver="sgd", splits=PUBLISHED_SPLITS, sgd=steps
        )
        found.append(read_weights(out))
        combine(out, out, *held, top_k=3)
        predicted = [*open_predictions(out / "predictions.parquet").rows("videos")]
        assert all((of.counts() == 3).all() for of in predicted)
    once, often = map(np.array, found)
    assert np.abs(once - often).max() > 0.01  # one step of 1e-3, and 1440 of them


def test_compare_with_best_takes_the_best_of_several(
    data: Path, trained: list[Path], predicted: Path, tmp_path: Path
) -> None:
    singles = []
    for number, run in enumerate(trained):
        out = tmp_path / str(number)
        out.mkdir()
        predict_videos(out, data, run, splits=PUBLISHED_SPLITS, inference=INFERENCE)
        singles.append(out)
    gaps = []
    for out in singles:
        score_videos(out, out, data, evaluation=EvalSplit(), bootstrap=0)
        gaps.append(json.loads((out / "scores.json").read_text())["gap@20"])
    compare_with_best(tmp_path, data, predicted, *singles, evaluation=EvalSplit(), bootstrap=5)
    found = json.loads((tmp_path / "scores.json").read_text())
    assert found["best"] == int(np.argmax(gaps))
    assert found["difference"]["gap@20"]["against"] == pytest.approx(max(gaps))
