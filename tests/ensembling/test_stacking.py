"""Trees over predictions: rows worked by hand, folds that are not mixed, and what is saved."""

import dataclasses
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Literal, TypeAlias

import lightgbm as lgb
import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from reeltag.core.errors import ConfigError, DataError, OutputError
from reeltag.core.sparse import SparseRows, from_cells
from reeltag.data.dataset import Dataset
from reeltag.data.folding import held_out_rows
from reeltag.ensembling.alignment import AlignedRows
from reeltag.ensembling.stacking import TreeSizes, predict_trees, train_trees
from reeltag.ensembling.tree_building import TreeTargets, folds_of
from reeltag.ensembling.tree_config import PUBLISHED, TreeConfig
from reeltag.ensembling.tree_growing import parameters_of
from reeltag.ensembling.tree_rows import RowFiles, keys_of, rows_of
from reeltag.ensembling.trees import Trees
from reeltag.evaluation.truth import RatedSegments, Truth, read_truth
from reeltag.labels.folds import FoldConfig
from reeltag.predictions.file import PredictionInfo, open_predictions
from reeltag.predictions.rows import WHOLE_VIDEO
from reeltag.soft_labels.conversion import convert_predictions
from reeltag.soft_labels.storage import open_soft_labels

CLASSES = 6
LabelId: TypeAlias = Literal["number", "category"]
QUICK = TreeConfig(num_trees=30, learning_rate=0.2, num_leaves=7, folds=3, patience=5, threads=1)
ABOUT = PredictionInfo(num_classes=CLASSES, family="trees")


def truth_about(labels: list[list[int]], ratings: dict[tuple[int, int, int], bool]) -> Truth:
    """Return the truth of videos v0, v1, ...; ratings by video, start and class."""
    cells = [v * CLASSES + c for v, classes in enumerate(labels) for c in sorted(classes)]
    segments = sorted({(v, start) for v, start, _ in ratings})
    rated = sorted(
        (segments.index((v, s)) * CLASSES + c, hit) for (v, s, c), hit in ratings.items()
    )
    rated_cells = np.array([cell for cell, _ in rated], np.int64)
    return Truth(
        data=Path("DATA"),
        ids=pa.array([f"v{v}" for v in range(len(labels))]),
        num_classes=CLASSES,
        names=None,
        labels=SparseRows(*from_cells(np.array(cells, np.int64), len(labels), CLASSES)),
        ratings=RatedSegments(
            *from_cells(rated_cells, len(segments), CLASSES),
            np.array([hit for _, hit in rated], np.float32),
            videos=np.array([v for v, _ in segments], np.int64),
            starts=np.array([float(s) for _, s in segments]),
            ends=np.array([s + 5.0 for _, s in segments]),
        ),
    )


def block(
    ids: list[str], candidates: list[list[int]], logits: NDArray[np.floating], starts: bool = False
) -> AlignedRows:
    return AlignedRows(
        np.append(0, np.cumsum([len(row) for row in candidates])).astype(np.int64),
        np.array([c for row in candidates for c in row], np.int32),
        logits.astype(np.float32),
        ids=pa.array(ids),
        starts=np.full(len(ids), 0.0 if starts else WHOLE_VIDEO),
        ends=np.full(len(ids), 5.0 if starts else WHOLE_VIDEO),
    )


def made(
    count: int = 120, blocks: int = 4, seed: int = 0
) -> tuple[Callable[[], Iterator[AlignedRows]], Truth]:
    """Return videos with 2 labels, of which the first model knows something, the second nothing."""
    rng = np.random.default_rng(seed)
    labels = [sorted(rng.choice(CLASSES, 2, replace=False).tolist()) for _ in range(count)]
    truth = truth_about(labels, {})
    positive = np.array([[c in row for c in range(CLASSES)] for row in labels])
    knows = rng.normal(2.0 * positive - 1, 1)
    logits = np.stack([knows, rng.normal(size=knows.shape)], axis=-1)

    def give() -> Iterator[AlignedRows]:
        for part in np.array_split(np.arange(count), blocks):
            rows = [list(range(CLASSES))] * len(part)
            yield block([f"v{v}" for v in part], rows, logits[part].reshape(-1, 2))

    return give, truth


def predicted(path: Path) -> dict[str, dict[int, float]]:
    found = {}
    for rows in open_predictions(path).rows("videos"):
        for at, name in enumerate(rows.ids.to_pylist()):
            here = slice(rows.indptr[at], rows.indptr[at + 1])
            assert (np.diff(rows.scores[here]) <= 0).all(), "best first"
            scores = rows.scores[here].tolist()
            found[name] = dict(zip(rows.classes[here].tolist(), scores, strict=True))
    return found


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix == ".txt"}


def test_tree_rows_hold_the_label_id_and_probabilities_with_0_for_unlisted() -> None:
    logits = np.array([[0.0, -np.inf], [np.log(3), np.log(1 / 3)], [-np.inf, 200.0]])
    rows = rows_of(block(["v0", "v1"], [[1, 4], [5]], logits))
    assert rows.tolist() == [[1, 0.5, 0], [4, 0.75, 0.25], [5, 0, 1]]


def test_tree_targets_are_labels_of_videos_and_ratings_of_segments() -> None:
    truth = truth_about([[1], [0, 5]], {(1, 0, 5): True, (1, 0, 2): False, (0, 5, 1): True})
    targets, rows = TreeTargets(truth), [[1, 4], [2, 3, 5]]
    videos = targets.videos_of(pa.array(["v0", "v1"]))
    assert videos.tolist() == [0, 1]
    usable, positive = targets.of(block(["v0", "v1"], rows, np.zeros((5, 1))), videos)
    assert usable.all() and positive.tolist() == [True, False, False, False, True]
    segments = block(["v0", "v1"], rows, np.zeros((5, 1)), starts=True)  # v0 is rated at 5 s only
    usable, positive = targets.of(segments, videos)
    assert usable.tolist() == [False, False, True, False, True]
    assert positive.tolist() == [False, False, False, False, True]


def test_bins_from_files_equal_those_from_memory(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = rng.random((3000, 4), np.float32)
    targets, folds = rng.random(3000) < 0.3, rng.integers(0, 3, 3000).astype(np.int16)
    apart = rng.random(3000) < 0.2
    files = RowFiles(tmp_path, 4)
    for here in np.array_split(np.arange(3000), 7):
        files.add(rows[here], targets[here], folds[here], apart[here])
    cells = files.cells([0, 2], apart=False)
    mine = [np.flatnonzero((folds == fold) & ~apart) for fold in (0, 2)]
    order = np.concatenate(mine)
    assert files.targets(cells).tolist() == targets[order].tolist()
    parameters = parameters_of(PUBLISHED, 3)
    with ExitStack() as stack:
        read = [stack.enter_context(closing(part)) for part in files.sequences(cells)]
        for name, data in (("files", read), ("memory", rows[order].astype(np.float64))):
            dataset = lgb.Dataset(data, targets[order], params=parameters).construct()
            dataset.save_binary(tmp_path / name)
        assert (tmp_path / "files").read_bytes() == (tmp_path / "memory").read_bytes()
        one = rows[mine[0]]
        assert np.array_equal(read[0][5:9], one[5:9])
        assert read[0][5].dtype == np.float64 and np.array_equal(read[0][5], one[5])
        assert np.array_equal(read[0][[1, 4]], one[[1, 4]])


def test_booster_does_not_depend_on_labels_of_its_own_fold(tmp_path: Path) -> None:
    """Labels of a fold are turned round: its own booster must be the same, the others not."""
    blocks, truth = made()
    folds = (np.arange(120) % 3).astype(np.int16)
    config = dataclasses.replace(QUICK, stopping="apart", apart=0.3)
    train_trees(blocks, truth, tmp_path / "right", config, folds=folds, quiet=True)
    labels = truth.labels
    mirrored = folds[labels.row_of_entry()] == 1
    cells = labels.cells(CLASSES) + np.where(mirrored, (CLASSES - 1) - 2 * labels.classes, 0)
    turned = SparseRows(*from_cells(np.sort(cells), len(truth), CLASSES))
    wrong = dataclasses.replace(truth, labels=turned)
    train_trees(blocks, wrong, tmp_path / "wrong", config, folds=folds, quiet=True)
    one, other = files_of(tmp_path / "right"), files_of(tmp_path / "wrong")
    assert [one[f"booster-{k}.txt"] == other[f"booster-{k}.txt"] for k in range(3)] == [0, 1, 0]


def test_stopping_uses_the_held_out_fold_or_videos_set_apart(tmp_path: Path) -> None:
    blocks, truth = made()
    folds = (np.arange(120) % 3).astype(np.int16)
    held_out = train_trees(blocks, truth, tmp_path / "a", QUICK, folds=folds, quiet=True).info
    assert [b.rows for b in held_out.boosters] == [80 * CLASSES] * 3
    assert [b.stopping_rows for b in held_out.boosters] == [40 * CLASSES] * 3
    config = dataclasses.replace(QUICK, stopping="apart", apart=0.3)
    apart = train_trees(blocks, truth, tmp_path / "b", config, folds=folds, quiet=True).info
    chosen = TreeTargets(truth).apart(0.3, 0)
    for fold, booster in enumerate(apart.boosters):
        assert booster.stopping_rows == (chosen & (folds != fold)).sum() * CLASSES
        assert booster.rows == (~chosen & (folds != fold)).sum() * CLASSES
    assert 20 < chosen.sum() < 55  # 36 are expected, give or take 5


def test_trees_predict_out_of_fold_and_new_videos_by_the_mean(
    tmp_path: Path,
) -> None:
    blocks, truth = made()
    folds = (np.arange(120) % 3).astype(np.int16)
    train_trees(blocks, truth, tmp_path / "trees", QUICK, folds=folds, quiet=True)
    trees = Trees.load(tmp_path / "trees")
    assert predict_trees(blocks(), trees, tmp_path / "oof", ABOUT, quiet=True) == {"videos": 120}
    found = predicted(tmp_path / "oof")
    rows = np.concatenate([rows_of(part) for part in blocks()])
    probs = np.stack([np.asarray(booster.predict(rows)) for booster in trees.boosters])
    for video in (0, 1, 2, 118):
        own = probs[video % 3, video * CLASSES : (video + 1) * CLASSES]
        got = [found[f"v{video}"][c] for c in range(CLASSES)]
        assert got == pytest.approx(np.log(own / (1 - own)).tolist(), abs=1e-5)  # float32 in files
    new = [
        dataclasses.replace(part, ids=pa.array([f"new{i}" for i in range(len(part))]))
        for part in blocks()
    ]
    predict_trees(new[:1], trees, tmp_path / "new", ABOUT, quiet=True)
    mean = probs.mean(axis=0)[:CLASSES]
    got = [predicted(tmp_path / "new")["new0"][c] for c in range(CLASSES)]
    assert got == pytest.approx(np.log(mean / (1 - mean)).tolist(), abs=1e-5)


def test_trees_do_not_depend_on_threads_or_portions(tmp_path: Path) -> None:
    config = dataclasses.replace(QUICK, num_trees=5)
    for name, threads, parts in (("one", 1, 4), ("two", 2, 4)):
        blocks, truth = made(blocks=parts)
        own = dataclasses.replace(config, threads=threads)
        train_trees(blocks, truth, tmp_path / name, own, quiet=True)
    one, two = (
        {name: text.split(b"parameters:")[0] for name, text in files_of(tmp_path / of).items()}
        for of in ("one", "two")
    )  # the parameters tell the number of threads
    assert len(one) == 3 and one == two


def test_trees_stop_at_the_best_one(tmp_path: Path) -> None:
    blocks, truth = made()
    config = dataclasses.replace(QUICK, num_trees=400, learning_rate=0.5)
    trees = train_trees(blocks, truth, tmp_path / "trees", config, quiet=True)
    for booster, kept, grown in zip(
        trees.boosters, Trees.load(tmp_path / "trees").boosters, trees.info.boosters, strict=True
    ):
        assert grown.trees == booster.num_trees() == kept.num_trees() < 400


def test_tree_importance_ranks_the_informative_model_first(tmp_path: Path) -> None:
    blocks, truth = made()
    train_trees(blocks, truth, tmp_path / "trees", QUICK, models=("good", "noise"), quiet=True)
    importance = Trees.load(tmp_path / "trees").importance()
    assert list(importance) == ["label id", "good", "noise"]
    assert importance["good"]["gain"] > 0.5 > importance["noise"]["gain"]
    for kind in ("gain", "splits"):
        assert sum(of[kind] for of in importance.values()) == pytest.approx(1)
    told = json.loads((tmp_path / "trees" / "trees.json").read_text())
    assert told["importance"] == importance
    assert (told["rows"], told["videos"]) == (120 * CLASSES, 120)
    assert told["bytes_on_disk"] == 120 * CLASSES * (3 * 4 + 1)
    assert sorted(path.name for path in (tmp_path / "trees").iterdir()) == [
        *(f"booster-{k}.txt" for k in range(3)),
        "folds.parquet",
        "trees.json",
    ]


@pytest.mark.parametrize(("label_id", "finds"), [("number", False), ("category", True)])
def test_label_id_is_a_number_or_a_category(label_id: LabelId, finds: bool, tmp_path: Path) -> None:
    """Whether ids 1 and 4 are there is one split of categories, three of numbers."""
    truth = truth_about([[1, 4]] * 300, {})
    every = [list(range(CLASSES))] * 300
    rows = block([f"v{v}" for v in range(300)], every, np.zeros((300 * CLASSES, 1)))
    config = dataclasses.replace(
        QUICK, label_id=label_id, num_leaves=2, num_trees=1, learning_rate=1.0, patience=1
    )
    trees = train_trees(lambda: iter([rows]), truth, tmp_path / "trees", config, quiet=True)
    trees = Trees.load(tmp_path / "trees")
    logits = trees.logits(rows_of(rows)[:CLASSES], np.full(CLASSES, -1, np.int16))
    best = set(np.argsort(-logits, kind="stable")[:2].tolist())
    assert (best == {1, 4}) is finds


def test_tree_folds_equal_training_folds(corpus: Path) -> None:
    dataset = Dataset.open(corpus, quiet=True)
    truth = read_truth(dataset, "train", dataset.num_classes, quiet=True)
    folds = folds_of(truth, 4, seed=7)
    assert np.bincount(folds).min() > 0
    for fold in range(4):
        held_out = held_out_rows(dataset, FoldConfig(count=4, hold_out=fold, seed=7))
        expected = set(dataset.table["id"].filter(pa.array(held_out)).to_pylist())
        assert set(truth.ids.filter(pa.array(folds == fold)).to_pylist()) == expected


def test_out_of_fold_tree_predictions_become_soft_labels(corpus: Path, tmp_path: Path) -> None:
    dataset = Dataset.open(corpus, quiet=True)
    truth = read_truth(dataset, "train", dataset.num_classes, quiet=True)
    count, num_classes = len(truth), truth.num_classes
    rng = np.random.default_rng(0)
    every = [list(range(num_classes))] * count
    rows = block(truth.ids.to_pylist(), every, rng.normal(size=(count * num_classes, 2)))
    trees = train_trees(lambda: iter([rows]), truth, tmp_path / "trees", QUICK, quiet=True)
    predict_trees(
        [rows], trees, tmp_path / "oof", PredictionInfo(num_classes=num_classes), quiet=True
    )
    outcome = convert_predictions([tmp_path / "oof"], dataset, tmp_path / "soft", top_k=5)
    assert outcome.rows == {"videos": count}
    soft = next(open_soft_labels(tmp_path / "soft").rows())
    folds = trees.folds_of(keys_of(soft.ids[:1]))
    own = 1 / (
        1 + np.exp(-trees.logits(rows_of(rows)[:num_classes], np.repeat(folds, num_classes)))
    )
    assert soft.probs[:5].tolist() == pytest.approx(np.sort(own)[::-1][:5].tolist(), abs=1e-6)


def test_fold_of_minus_one_is_not_fitted_on(tmp_path: Path) -> None:
    blocks, truth = made()
    folds = (np.arange(120) % 4).astype(np.int16) - 1
    trees = train_trees(blocks, truth, tmp_path / "trees", QUICK, folds=folds, quiet=True)
    assert trees.info.videos == 90
    assert trees.folds_of(keys_of(truth.ids)).tolist() == folds.tolist()


def test_single_booster_predicts_everything(tmp_path: Path) -> None:
    blocks, truth = made()
    config = dataclasses.replace(QUICK, folds=1, stopping="apart", apart=0.3)
    trees = train_trees(blocks, truth, tmp_path / "trees", config, quiet=True)
    rows, none = rows_of(next(blocks())), np.full(180, -1, np.int16)
    assert len(trees.boosters) == 1
    assert np.array_equal(trees.logits(rows, none), trees.logits(rows, none + 1))


def test_unfittable_rows_are_named(tmp_path: Path) -> None:
    blocks, truth = made(count=30)
    out = tmp_path / "trees"
    stranger = block(["v0", "who"], [[1], [2]], np.zeros((2, 2)))
    with pytest.raises(DataError, match=r"no video 'who'.*\(1 of 2 videos"):
        train_trees(lambda: iter([stranger]), truth, out, QUICK, quiet=True)
    with pytest.raises(DataError, match="no candidate of a video"):
        train_trees(lambda: iter([]), truth, out, QUICK, quiet=True)
    none = dataclasses.replace(truth, labels=truth.labels.keep(truth.labels.classes < 0))
    with pytest.raises(DataError, match="booster 0 cannot be fitted: 120 rows, 0 of them positive"):
        train_trees(blocks, none, out, QUICK, quiet=True)
    with pytest.raises(ConfigError, match="a fold 3, but trees.folds = 3"):
        train_trees(blocks, truth, out, QUICK, folds=np.arange(30) % 4, quiet=True)
    with pytest.raises(ConfigError, match="3 names of models, but 2 columns"):
        train_trees(blocks, truth, out, QUICK, models=("a", "b", "c"), quiet=True)
    assert list(tmp_path.iterdir()) == []
    trees = train_trees(blocks, truth, out, QUICK, quiet=True)
    with pytest.raises(OutputError, match="exists already"):
        train_trees(blocks, truth, out, QUICK, quiet=True)
    with pytest.raises(DataError, match=r"over 2 models \(model 0, model 1\).*of 1"):
        predict_trees([block(["v0"], [[1]], np.zeros((1, 1)))], trees, tmp_path / "p", ABOUT)


def test_damaged_tree_folder_is_named(tmp_path: Path) -> None:
    blocks, truth = made(count=30)
    train_trees(blocks, truth, tmp_path / "trees", QUICK, quiet=True)
    for name in ("booster-1.txt", "folds.parquet", "trees.json"):
        path = tmp_path / "trees" / name
        whole = path.read_bytes()
        path.write_bytes(b"no trees")
        with pytest.raises(DataError, match=name):
            Trees.load(tmp_path / "trees")
        flipped = bytearray(whole)
        flipped[len(whole) // 2] ^= 1
        path.write_bytes(flipped)
        if name != "trees.json":
            with pytest.raises(DataError, match=f"{name}: does not match its checksum"):
                Trees.load(tmp_path / "trees")
        path.unlink()
        with pytest.raises(DataError, match=f"{name}.*is not there"):
            Trees.load(tmp_path / "trees")
        path.write_bytes(whole)
    Trees.load(tmp_path / "trees")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"num_trees": 0}, r"trees.num_trees is 0; allowed: an integer in \[1, 1e\+06\]"),
        ({"learning_rate": 0.0}, r"trees.learning_rate is 0.0; allowed: a number in \(0, 1\]"),
        ({"apart": 0.6}, r"trees.apart is 0.6; allowed: a number in \(0, 0.5\]"),
        ({"folds": 1}, "held-out needs trees.folds of 2 or more"),
    ],
)
def test_tree_options_out_of_range_are_named(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        dataclasses.replace(PUBLISHED, **wrong)


def test_tree_sizes_of_samsungs_rows() -> None:
    """5 M videos x 30 candidates over 95 models: 57.8 GB of files, 20.4 GB of memory."""
    assert TreeSizes.of(150_000_000, 95) == (57_750_000_000, 20_400_000_000)
