"""Blends: what they write, are fitted on and refuse, and that their folders keep them."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from reeltag.core.errors import ConfigError, DataError, OutputError
from reeltag.data.dataset import Dataset
from reeltag.data.folding import held_out_rows
from reeltag.data.origin import interpolated_id, noisy_id
from reeltag.data.splits import PUBLISHED_SPLITS, Split
from reeltag.ensembling.blend_model import BlendFit, BlendModel, Method
from reeltag.ensembling.blending import BlendConfig, Solver, blend, fit_blend, unfitted_blend
from reeltag.ensembling.members import EnsembleMember
from reeltag.ensembling.tree_config import TreeConfig
from reeltag.evaluation.config import EvaluationConfig
from reeltag.evaluation.scores import evaluate
from reeltag.labels.folds import FoldConfig
from reeltag.predictions.file import open_predictions
from reeltag.predictions.rows import KINDS
from tests.data.made import frame_record, write_shard
from tests.ensembling.synthetic import Listed, drawn, read, write

CLASSES = 8  # of the corpus
NOISES = (0.7, 1.5, 3.0)
WEIGHTS = BlendConfig(method="weights")


def labels(data: Path, split: Split) -> dict[str, set[int]]:
    records = Dataset.open(data, quiet=True).with_splits(PUBLISHED_SPLITS).select(split)
    offsets, values = records.lists("labels")
    ids = records.table["id"].to_pylist()
    return {
        name: set(values[offsets[at] : offsets[at + 1]].tolist()) for at, name in enumerate(ids)
    }


def noisy_predictions(data: Path, split: Split, noise: float, seed: int = 0) -> Listed:
    """Return predictions whose logits have so much noise."""
    random = np.random.default_rng([seed, int(10 * noise)])
    listed: Listed = {}
    for name, truth in labels(data, split).items():
        right = np.where([c in truth for c in range(CLASSES)], 1.5, -1.5)
        logits = right + noise * random.normal(size=CLASSES)
        best = np.argsort(-logits)[:6]
        listed[name, -1] = {int(c): float(np.float32(logits[c])) for c in best}
    return listed


def files(folder: Path, data: Path, split: Split, **about: str) -> list[Path]:
    folder.mkdir(exist_ok=True)
    return [
        write(
            folder / f"{split}{at}",
            noisy_predictions(data, split, noise),
            num_classes=CLASSES,
            **{"family": f"model{at}", "split": split, **about},
        )
        for at, noise in enumerate(NOISES)
    ]


def test_mean_blend_averages_probabilities_of_videos_and_segments(tmp_path: Path) -> None:
    models = [[drawn(seed), drawn(seed + 9, start=0)] for seed in range(3)]
    paths = [write(tmp_path / str(at), *each) for at, each in enumerate(models)]
    assert blend(paths, unfitted_blend(paths, "mean"), tmp_path / "mean") == {
        "videos": 40,
        "segments": 40,
    }
    for number, kind in enumerate(KINDS):
        found = read(tmp_path / "mean", kind)
        assert list(found) == list(models[0][number])
        for key, of in found.items():
            every = [each[number][key] for each in models]
            assert set(of) == {c for each in every for c in each}
            for c, logit in of.items():
                probs = [1 / (1 + np.exp(-each[c])) if c in each else 0 for each in every]
                assert 1 / (1 + np.exp(-logit)) == pytest.approx(np.mean(probs), rel=1e-5)
    about = open_predictions(tmp_path / "mean").info
    assert about.num_classes == 6 and about.family == "mean of logistic"


@pytest.mark.parametrize("method", ["mean", "geometric", "rank"])
def test_blend_of_one_keeps_the_order_and_cuts_at_top_k(tmp_path: Path, method: Method) -> None:
    listed = drawn(1)
    path = write(tmp_path / "p", listed)
    blend([path], unfitted_blend([path], method), tmp_path / "out", top_k=2)
    for key, of in read(tmp_path / "out").items():
        assert list(of) == sorted(listed[key], key=lambda c: -listed[key][c])[:2]
    assert open_predictions(tmp_path / "out").info.top_k == 2


@pytest.mark.parametrize("method", ["weights", "class-weights"])
@pytest.mark.parametrize("solver", ["nnls", "sgd"])
def test_fitted_weights_are_larger_for_better_models(
    corpus: Path, tmp_path: Path, method: Method, solver: Solver
) -> None:
    paths = files(tmp_path / "f", corpus, "train")
    config = BlendConfig(method=method, solver=solver)
    found = fit_blend(
        paths, Dataset.open(corpus, quiet=True), config, split="train", allow_leak=True
    )
    assert found.weights is not None and found.fitted is not None
    assert found.weights.shape == ((3,) if method == "weights" else (3, CLASSES))
    if solver == "nnls":
        by_model = found.weights.reshape(3, -1).mean(1)
        assert (found.weights >= 0).all() and by_model[0] > by_model[1] > by_model[2]
        assert found.fitted.error is not None and found.fitted.error_of_mean is not None
        assert found.fitted.error < found.fitted.error_of_mean
    assert found.fitted.rows == len(labels(corpus, "train"))
    assert found.members == tuple(EnsembleMember(family=f"model{at}") for at in range(3))


def test_saved_blend_weights_apply_to_another_split(corpus: Path, tmp_path: Path) -> None:
    made = fit_blend(
        files(tmp_path / "f", corpus, "train"),
        Dataset.open(corpus, quiet=True),
        WEIGHTS,
        split="train",
        allow_leak=True,
    )
    made.save(tmp_path / "BLEND")
    again = BlendModel.load(tmp_path / "BLEND")
    assert made.weights is not None
    np.testing.assert_array_equal(again.weights, made.weights)
    assert (again.method, again.members, again.fitted) == ("weights", made.members, made.fitted)
    tests = files(tmp_path / "f", corpus, "test")
    blend(tests, again, tmp_path / "weighted")
    data, config = Dataset.open(corpus, quiet=True), EvaluationConfig(bootstrap=0)
    single = [evaluate(path, data, config, quiet=True)["gap@20"] for path in tests]
    gap = evaluate(tmp_path / "weighted", data, config, quiet=True)["gap@20"]
    assert gap >= max(single) - 1e-9


def test_tree_blend_round_trip(corpus: Path, tmp_path: Path) -> None:
    paths = files(tmp_path / "f", corpus, "train")
    trees = TreeConfig(num_trees=5, folds=2, min_in_leaf=2, threads=1)
    config = BlendConfig(method="lightgbm", trees=trees)
    made = fit_blend(
        paths, Dataset.open(corpus, quiet=True), config, split="train", allow_leak=True
    )
    made.save(tmp_path / "BLEND")
    again = BlendModel.load(tmp_path / "BLEND")
    for how, name in ((made, "1"), (again, "2")):
        assert blend(files(tmp_path / "f", corpus, "test"), how, tmp_path / name)
    assert read(tmp_path / "1") == read(tmp_path / "2")


def test_fit_on_segments_uses_ratings_alone(corpus: Path, tmp_path: Path) -> None:
    records = Dataset.open(corpus, quiet=True).with_splits(PUBLISHED_SPLITS).select("validate")
    starts, classes = records.lists("segment_starts")[1], records.lists("segment_labels")[1]
    offsets, scores = records.lists("segment_scores")
    owner = np.repeat(np.arange(len(records)), np.diff(offsets))
    listed: Listed = {}
    for row, start, c, score in zip(owner, starts, classes, scores, strict=True):
        key = records.table["id"][int(row)].as_py(), int(start)
        listed.setdefault(key, {})[int(c)] = 3.0 if score > 0 else -3.0
    for of in listed.values():
        of.setdefault(next(c for c in range(CLASSES) if c not in of), 9.0)  # unrated
    path = write(tmp_path / "p", listed, num_classes=CLASSES)
    found = fit_blend([path], Dataset.open(corpus, quiet=True), WEIGHTS)
    assert found.fitted is not None and found.fitted.pairs == len(scores)
    yes, no = 1 / (1 + np.exp(-3)), 1 / (1 + np.exp(3))
    positive = (scores > 0).sum()
    best = positive * yes / (positive * yes**2 + (len(scores) - positive) * no**2)
    assert found.weights == pytest.approx([best])


def run_folder(path: Path, data: Path, **fold: int) -> Path:
    path.mkdir()
    config = {
        "data": {"root": str(data), "splits": {}},
        "recipe": {"fold": {"count": 0, **fold}},
    }
    (path / "config.json").write_text(json.dumps(config))
    return path


def test_fit_refuses_training_videos_of_a_member(corpus: Path, tmp_path: Path) -> None:
    run = run_folder(tmp_path / "run", corpus)
    known = files(tmp_path / "known", corpus, "train", run=str(run))
    count = len(labels(corpus, "train"))
    error = f"{count} of the {count} videos are of videos that .*run was trained on"
    with pytest.raises(ConfigError, match=error):
        fit_blend(known, Dataset.open(corpus, quiet=True), WEIGHTS, split="train")
    with pytest.raises(ConfigError, match="is of the split 'train', and it is not known"):
        fit_blend(
            files(tmp_path / "unknown", corpus, "train"),
            Dataset.open(corpus, quiet=True),
            WEIGHTS,
            split="train",
        )
    assert (
        fit_blend(
            known, Dataset.open(corpus, quiet=True), WEIGHTS, split="train", allow_leak=True
        ).weights
        is not None
    )
    fresh = files(tmp_path / "fresh", corpus, "validate", run=str(run))
    assert fit_blend(fresh, Dataset.open(corpus, quiet=True), WEIGHTS).weights is not None


def test_fit_refuses_sources_of_augmented_training_samples(corpus: Path, tmp_path: Path) -> None:
    listed = noisy_predictions(corpus, "validate", 0.7)
    first, second, *_, partner = (name for name, _ in listed)
    (tmp_path / "augmented").mkdir()
    samples = [noisy_id(first, 1), interpolated_id(second, partner)]
    write_shard(tmp_path / "augmented" / "train0.tfrecord", map(frame_record, samples))
    about = {"split": "validate", "run": str(run_folder(tmp_path / "run", tmp_path / "augmented"))}
    path = write(tmp_path / "p", listed, num_classes=CLASSES, **about)
    with pytest.raises(ConfigError, match=f"2 of the {len(listed)} videos are of videos that"):
        fit_blend([path], Dataset.open(corpus, quiet=True), WEIGHTS)


def test_fit_accepts_the_held_out_fold_alone(corpus: Path, tmp_path: Path) -> None:
    dataset = Dataset.open(corpus, quiet=True)
    paths = []
    for fold in (0, 1):
        run = run_folder(tmp_path / f"run{fold}", corpus, count=2, hold_out=fold)
        paths.append((fold, run))
    held = held_out_rows(dataset, FoldConfig(count=2, hold_out=0))
    mine = {(name, -1) for name in dataset.table["id"].filter(held).to_pylist()}
    listed = {key: of for key, of in noisy_predictions(corpus, "train", 0.7).items() if key in mine}
    for fold, run in paths:
        about = {"split": "train", "run": str(run)}
        path = write(tmp_path / f"p{fold}", listed, num_classes=CLASSES, **about)
        if fold == 0:
            assert (
                fit_blend([path], Dataset.open(corpus, quiet=True), WEIGHTS, split="train").weights
                is not None
            )
        else:
            with pytest.raises(ConfigError, match=f"{len(mine)} of the {len(mine)} videos"):
                fit_blend([path], Dataset.open(corpus, quiet=True), WEIGHTS, split="train")


def test_fit_refuses_data_without_the_predicted_videos(corpus: Path, tmp_path: Path) -> None:
    strange = write(tmp_path / "p", drawn(0, classes=CLASSES), num_classes=CLASSES)
    with pytest.raises(DataError, match="holds no video 'v0'"):
        fit_blend([strange], Dataset.open(corpus, quiet=True), WEIGHTS)


def test_blend_refuses_files_of_other_members(tmp_path: Path) -> None:
    runs = [str(tmp_path / "A"), str(tmp_path / "B")]
    one, two = (write(tmp_path / str(at), drawn(at), run=run) for at, run in enumerate(runs))
    how = unfitted_blend([one, two], "mean")
    with pytest.raises(DataError, match="is file 1, and of logistic .*B; member 1 .*A"):
        blend([two, one], how, tmp_path / "out")
    with pytest.raises(DataError, match="1 files for a blend of 2 models"):
        blend([one], how, tmp_path / "out")
    moved = write(tmp_path / "moved", drawn(0), run=str(tmp_path / "elsewhere"))
    assert blend([moved, two], how, tmp_path / "out")
    other = write(tmp_path / "other", drawn(0), family="nextvlad", run=runs[0])
    with pytest.raises(DataError, match="nextvlad"):
        blend([other, two], how, tmp_path / "out2")
    assert not (tmp_path / "out2").exists()
    seven = write(tmp_path / "7", drawn(0), run=runs[0], num_classes=7)
    with pytest.raises(DataError, match="has 7 classes; the blend has 6"):
        blend([seven], unfitted_blend([one], "mean"), tmp_path / "out2")


def test_damaged_blend_folder_is_named(tmp_path: Path) -> None:
    made = BlendModel(
        method="weights",
        members=(EnsembleMember(family="a"), EnsembleMember(family="b")),
        num_classes=6,
        weights=np.array([0.5, 0.4]),
        fitted=BlendFit(data="D", split="validate", kind="videos", solver="nnls", rows=1, pairs=2),
    )
    made.save(tmp_path / "B")
    with pytest.raises(OutputError, match="exists already"):
        made.save(tmp_path / "B")
    np.save(tmp_path / "B" / "weights.npy", np.ones(3))
    with pytest.raises(DataError, match=r"of the shape \(2,\), has the shape \(3,\)"):
        BlendModel.load(tmp_path / "B")
    (tmp_path / "B" / "weights.npy").write_bytes(b"no")
    with pytest.raises(DataError, match="weights.npy: cannot be read"):
        BlendModel.load(tmp_path / "B")
    (tmp_path / "B" / "blend.json").write_text(
        '{"method": "magic", "members": [], "num_classes": 6}'
    )
    with pytest.raises(DataError, match="blend.method must be 'mean' or"):
        BlendModel.load(tmp_path / "B")
    with pytest.raises(DataError, match="is no blend"):
        BlendModel.load(tmp_path)


def test_blend_keeps_how_many_classes_its_files_list(tmp_path: Path) -> None:
    about = {"top_k": 9, "segment_top_k": 4}
    of_videos = write(tmp_path / "videos", drawn(0), drawn(1, start=0), **about)
    of_segments = write(tmp_path / "segments", drawn(2, start=0), **about)
    members = unfitted_blend([of_videos, of_segments], "mean").members
    assert [member.listed for member in members] == [9, 4]


def test_blend_of_other_lists_than_weights_were_learned_on_is_logged(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    old, new = (
        [write(tmp_path / f"{top_k}-{seed}", drawn(seed), top_k=top_k) for seed in range(2)]
        for top_k in (20, 50)
    )
    plain = unfitted_blend(old, "mean")
    learned = dataclasses.replace(plain, method="weights", weights=np.array([0.5, 0.5]))
    for model, files_, logged in ((learned, old, 0), (plain, new, 0), (learned, new, 2)):
        blend(files_, model, tmp_path / "P", quiet=False)
        error = capfd.readouterr().err
        words = "lists 50 classes of a row, and the weights were learned on 20"
        assert error.count(words) == logged
