"""Autohome 2019 as a graph: what starts from what, what is evaluated, what a number changes."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from reeltag.core.errors import ConfigError, DataError
from reeltag.data.dataset import Dataset
from reeltag.data.synth.config import SynthConfig
from reeltag.data.synth.corpus import write_corpus
from reeltag.labels.correlation import Correlation
from reeltag.labels.vectors import LabelVectors
from reeltag.papers.autohome2019.config import TINY, TINY_DATA, AutohomePlan, Config, make_plan
from reeltag.papers.autohome2019.program import solve
from reeltag.papers.common.implications import FILE, count_labels
from reeltag.papers.common.program import Goal
from reeltag.papers.common.splits.segments import assign_segment_splits
from reeltag.papers.common.steps.files import SCORES
from reeltag.papers.common.steps.train import NEVER, train
from reeltag.pipeline.steps import Step, ordered
from reeltag.training.batches import make_batches
from reeltag.training.config import Recipe
from reeltag.training.relabel_config import RelabelConfig


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    out = tmp_path_factory.mktemp("autohome") / "data"
    write_corpus(out, TINY_DATA, quiet=True)
    return Dataset.open(out, quiet=True)


def plan_of(data: Dataset, config: Config = TINY) -> AutohomePlan:
    return make_plan(config, assign_segment_splits(data, soft_labels=False))


def steps(goal: Goal) -> dict[str, Step]:
    return {node.name: node for node in ordered(goal.steps) if isinstance(node, Step)}


def trainings(goal: Goal) -> dict[str, Step]:
    named = steps(goal).items()
    return {n.removeprefix("train-"): of for n, of in named if n.startswith("train-")}


def recipe(step: Step) -> Recipe:
    found = step.config["recipe"]
    assert isinstance(found, Recipe)
    return found


def implied(step: Step, field: str) -> str:
    """Return the name of the step or source of a training's implications."""
    return str(step.config["fields"][field].node.name)


def changed(data: Dataset, **change: Any) -> set[str]:
    before, after = (steps(solve(data, config)) for config in (TINY, replace(TINY, **change)))
    return {name for name, step in after.items() if before.get(name, step).key != step.key} | (
        after.keys() - before.keys()
    )


def about(*names: str) -> set[str]:
    """Return the steps that train and evaluate rows: on the fifth, and on test."""
    marked = {name if name == "final" else f"{name}{of}" for name in names for of in ("", "-test")}
    found = {f"{what}-{name}" for name in marked for what in ("predict_segments", "score")}
    return found | {f"train-{name}" for name in names}


def gained(*pairs: str) -> set[str]:
    """Return the steps that compare rows."""
    return {f"compare-{pair}{of}" for pair in pairs for of in ("", "-test")}


def test_rows_start_from_the_papers_models(data: Dataset) -> None:
    found = trainings(solve(data, TINY))
    rows = {name: step for name, step in found.items() if not name.endswith("-pretrained")}
    starts = {name: step.config["fields"]["init"].node.name for name, step in rows.items()}
    of_four = {"gru", "m2", "m2.5", "m3", "tau0.4", "tau0.5", "tau0.6", "final"}
    own = {"same", "different", "dbof", "dbof-gcn"}
    expected = {name: f"train-{'gru' if name in of_four else name}-pretrained"
                for name in of_four | own}  # fmt: skip
    assert starts == expected and len(found) == 17
    assert all(recipe(found[f"{name}-pretrained"]).items == "videos" for name in own | {"gru"})
    assert all(recipe(step).validate_every == NEVER for step in found.values())


def test_rows_weigh_labels_as_the_papers_tables(data: Dataset) -> None:
    found = trainings(solve(data, TINY))
    labels = {name: recipe(step).labels for name, step in found.items()}
    absent = RelabelConfig(unrated_weight=1.0)  # eq. 1: no weights
    assert {
        labels[name] == absent for name in ("same", "different", "gru", "dbof", "dbof-gcn")
    } == {True}
    for m in (2.0, 2.5, 3.0):
        assert labels[f"m{m:g}"] == RelabelConfig(rated_weight=m, unrated_weight=0.1)
    for tau in (0.4, 0.5, 0.6):
        assert labels[f"tau{tau:g}"] == replace(labels["m2.5"], tau=tau)
        assert implied(found[f"tau{tau:g}"], "labels.correlation") == "count_labels"
    assert labels["final"] == labels["tau0.5"]
    assert implied(found["dbof-gcn-pretrained"], "labels.graph") == "count_labels"
    assert set(found["gru"].config["fields"]) == {"init"}


def test_rows_train_on_four_fifths_and_the_final_model_on_all(data: Dataset) -> None:
    goal = solve(data, TINY)
    rows = {n: s for n, s in trainings(goal).items() if not n.endswith("-pretrained")}
    folds = {name: recipe(step).fold for name, step in rows.items()}
    assert folds.pop("final").count == 0
    evaluated = [s.config["evaluation"] for n, s in steps(goal).items() if n.startswith("predict")]
    on_fifth = [one for one in evaluated if one.fold.count]
    on_test = [one for one in evaluated if one.split == "test"]
    assert len(on_fifth) == len(folds) == len(on_test) - 1  # the final model only on test
    assert len(evaluated) == len(on_fifth) + len(on_test) and len(set(on_test)) == 1
    assert set(folds.values()) == {on_fifth[0].fold} and len(set(on_fifth)) == 1


def test_fifth_is_held_out_by_video_with_a_fifth_of_every_class(tmp_path: Path) -> None:
    config = replace(TINY_DATA, videos=400, classes=3, rgb=2, audio=0, min_frames=40, max_frames=60)
    write_corpus(tmp_path / "data", config, quiet=True)
    opened = Dataset.open(tmp_path / "data", quiet=True)
    plan = plan_of(opened)
    recipe = plan.segments(plan.absent, 0.0, plan.fifth)
    trained = make_batches(opened.with_splits(recipe.splits), recipe).items
    rated = opened.with_splits(plan.assignment.rated)
    held_out = rated.rated_segments("train", rows=plan.evaluation.rows(opened))
    ids = [set(items.ids(np.arange(len(items)))) for items in (trained, held_out)]
    assert ids[0] and ids[1] and not ids[0] & ids[1]
    every = rated.rated_segments("train")
    assert len(trained) + len(held_out) == len(every)
    for value in (0.0, 1.0):
        videos = [_videos(items, value) for items in (held_out, every)]
        assert np.abs(videos[0] - videos[1] / 5).max() <= 1.5  # of 15 to 60 per class


def _videos(items: Any, value: float) -> np.ndarray[Any, Any]:
    """Return (C,) how many videos have a segment that is rated so."""
    targets = items.targets
    rated = targets.entry_values() == value
    cells = items.video[targets.row_of_entry()[rated]] * items.num_classes + targets.classes[rated]
    return np.bincount(np.unique(cells) % items.num_classes, minlength=items.num_classes)


def test_changed_number_changes_only_steps_that_depend_on_it(data: Dataset) -> None:
    taus = about("tau0.4", "tau0.5", "tau0.6", "final")
    gains = gained("tau0.4-m2.5", "tau0.5-m2.5", "tau0.6-m2.5", "tau0.5-gru", "tau0.5-same")
    assert changed(data, min_videos=2) == taus | gains
    assert changed(data, noise=0.1) == about("noise", "final") | gained("noise-tau0.5")
    bag = about("dbof", "dbof-gcn") | {"train-dbof-pretrained", "train-dbof-gcn-pretrained"}
    assert changed(data, bag_hidden=9) == bag | gained("dbof-gcn-dbof")
    graph = about("dbof-gcn") | {"train-dbof-gcn-pretrained"}
    assert changed(data, train_graph=False) == graph | gained("dbof-gcn-dbof")
    assert changed(data, graph_rate=0.1) == graph | gained("dbof-gcn-dbof")
    assert changed(data, device="cpu") == set()
    assert {name.split("-")[0] for name in changed(data, bootstrap=9)} == {"score", "compare"}
    others = changed(data, seed=1)
    assert "count_labels" not in others and about("same", "final") <= others


def test_implications_come_from_the_data_another_folder_or_a_file(
    data: Dataset, tmp_path: Path
) -> None:
    count_labels(tmp_path, data.path, splits=plan_of(data).assignment.videos)
    found = Correlation.load(tmp_path / FILE)
    records = data.select("train")
    assert found.num_videos == len(records) == 30
    assert found.counts.videos.sum() == len(records.lists("labels")[1])
    others = SynthConfig(videos=30, classes=4, rgb=2, audio=0, level="video", seed=1)
    write_corpus(tmp_path / "others", others, quiet=True)
    for path, kind in ((tmp_path / "others", "count_labels"), (tmp_path / FILE, "implications")):
        names = {"train-tau0.4", "train-dbof-gcn-pretrained"}
        assert names <= changed(data, implications=path)
        again = trainings(solve(data, replace(TINY, implications=path)))
        assert implied(again["tau0.4"], "labels.correlation") == kind


def test_label_vectors_of_a_file_are_what_the_graph_classifier_begins_with(
    data: Dataset, tmp_path: Path
) -> None:
    path = tmp_path / "V.parquet"
    LabelVectors(data.classes.names, np.eye(4, 7, dtype=np.float32)).save(path)
    graph = about("dbof-gcn") | {"train-dbof-gcn-pretrained"}
    assert changed(data, vectors=path) == graph | gained("dbof-gcn-dbof")
    found = trainings(solve(data, replace(TINY, vectors=path, graph_rate=0.1)))
    began = found["dbof-gcn-pretrained"]
    assert began.config["model"].label_size == 7 and implied(began, "labels.vectors") == "vectors"
    assert "labels.vectors" not in found["dbof-gcn"].config["fields"]  # goes on from there
    rates = {name: recipe(of).optim.rates for name, of in found.items() if "dbof" in name}
    of_graph = ("head.graph=0.1",)
    assert rates == {"dbof": (), "dbof-pretrained": (), "dbof-gcn": of_graph,
                     "dbof-gcn-pretrained": of_graph}  # fmt: skip
    with pytest.raises(ConfigError, match="graph_rate has no effect"):
        replace(TINY, graph_rate=0.1, train_graph=False)
    LabelVectors(("a", "b"), np.eye(2, dtype=np.float32)).save(path)
    with pytest.raises(DataError, match=r"has 2 classes; .* has 4"):
        solve(data, replace(TINY, vectors=path))


def test_implications_of_other_classes_raise(data: Dataset, tmp_path: Path) -> None:
    others = SynthConfig(videos=30, classes=5, rgb=2, audio=0, level="video")
    write_corpus(tmp_path / "others", others, quiet=True)
    with pytest.raises(DataError, match=r"has 5 classes; .* has 4"):
        solve(data, replace(TINY, implications=tmp_path / "others"))
    count_labels(tmp_path, tmp_path / "others", splits=plan_of(data).assignment.videos)
    with pytest.raises(DataError, match=r"has 5 classes; .* has 4"):
        solve(data, replace(TINY, implications=tmp_path / FILE))
    with pytest.raises(DataError, match="is needed for which class implies which"):
        solve(data, replace(TINY, implications=tmp_path / "nothing"))


def test_resumed_training_finds_moved_implications(data: Dataset, tmp_path: Path) -> None:
    plan, root = plan_of(data), tmp_path / "a"
    recipe_ = plan.segments(plan.correlated(0.5), 0.0, plan.fifth)
    for _ in range(2):
        (root / "train").mkdir(parents=True, exist_ok=True)
        (root / "train" / "run" / "metrics.json").unlink(missing_ok=True)  # not yet done
        if not (root / FILE).exists():
            count_labels(root, data.path, splits=plan.assignment.videos)
        train(
            root / "train",
            data.path,
            model=plan.different,
            recipe=recipe_,
            fields={"labels.correlation": root / FILE},
        )
        root = root.rename(tmp_path / "b")
    assert (root / "train" / "run" / "metrics.json").exists()


def test_missing_ratings_raise_before_anything_runs(data: Dataset, tmp_path: Path) -> None:
    write_corpus(tmp_path / "unrated", replace(TINY_DATA, rated_fraction=0.0), quiet=True)
    with pytest.raises(DataError, match="has rated segments, which are needed") as error:
        solve(Dataset.open(tmp_path / "unrated", quiet=True), TINY)
    assert "reeltag synth" in (error.value.hint or "")
    write_corpus(tmp_path / "vectors", replace(TINY_DATA, level="video"), quiet=True)
    with pytest.raises(DataError, match="one vector per video"):
        solve(Dataset.open(tmp_path / "vectors", quiet=True), TINY)
    with pytest.raises(ConfigError, match="15 rated videos cannot be divided into 50 folds"):
        solve(data, replace(TINY, folds=50))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"folds": 1}, r"folds is 1; allowed: an integer in \[2, 1000\]"),
        ({"unrated_weight": 0.0}, "unrated_weight is 0.0; allowed: a finite number > 0"),
        ({"tau": 0.0}, "labels.tau is 0.0; allowed: a number in"),
        ({"noise": -1.0}, "augment.noise is -1.0; allowed: a finite number >= 0"),
    ],
)
def test_numbers_out_of_range_raise(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        replace(TINY, **change)


def test_published_sizes_are_the_papers(data: Dataset) -> None:
    plan = plan_of(data, Config(scale="published"))
    with torch.device("meta"):
        sizes = [sum(p.numel() for p in m.parameters()) / 1e6 for m in plan.four.build().nextvlads]
        same = [sum(p.numel() for p in m.parameters()) for m in plan.same.build().nextvlads]
    assert sizes == [pytest.approx(size, abs=0.05) for size in (78.6, 93.2, 79.2)]
    assert len(same) == 3 and len(set(same)) == 1 and plan.different.gru is False
    videos, segments = plan.videos(plan.four), plan.segments(plan.absent, 0.0, plan.fifth)
    numbers = [(of.batch_size, of.max_steps, of.optim.learning_rate) for of in (videos, segments)]
    assert numbers == [(80, 200_000, 2e-4), (80, 250_000, 1e-5)]
    assert videos.frames.how == "all" and plan.videos(plan.bag).frames.num_frames == 30
    assert plan.graph.train_graph


def test_given_epochs_replace_steps(data: Dataset) -> None:
    assert plan_of(data, Config()).sizes.steps == 0  # few videos: small
    sizes = plan_of(data, Config(scale="published", epochs=2.0)).sizes
    assert (sizes.steps, sizes.epochs, sizes.rated_steps) == (0, 2.0, 250_000)


def test_figures_are_in_the_papers_rows(data: Dataset, tmp_path: Path) -> None:
    goal = solve(data, replace(TINY, noise=0.1, tau=0.7))
    gain = {"map@k": {"difference": 0.25, "interval": [0.1, 0.4]}}
    scores = {"map@k": 0.5, "map@k_interval": [0.4, 0.6], "segments": 12, "classes": 3}
    for step in goal.steps:
        (tmp_path / step.name).mkdir()
        value = [gain] if step.name.startswith("compare") else scores
        (tmp_path / step.name / SCORES).write_text(json.dumps(value))
    tables = {table.title: table for table in goal.tables(lambda step: tmp_path / step.name)}
    rows = {line.name: line for table in tables.values() for line in table.lines}
    assert rows["3NeXtVLAD_Same"].paper == (0.770,) and rows["Dbof with GCN"].paper == (0.749,)
    assert rows["+ reweight (n 0.1, m 2.5)"].paper == (0.783,)
    assert rows["+ Label Correlation (tau 0.4)"].paper == (0.788,)
    for name in ("+ Label Correlation (tau 0.7)", "+ Gaussian noise"):
        assert rows[name].paper == (None,) and rows[name].ours == (0.5, 0.5)
    assert rows["tau0.5 over m2.5"].paper == (0.008,)
    assert rows["+ GRU over 3 different"].ours == (0.25, 0.25)
    assert [title.split(":")[0] for title in tables] == [
        *(f"Table {number}" for number in (2, 3, 4, 5)),
        "What each row gains",
        "Final model",
    ]
    assert "Table 4: label correlation, with m = 2.5" in tables


def test_final_model_is_not_evaluated_without_rated_test_videos(
    data: Dataset, tmp_path: Path
) -> None:
    shutil.copytree(
        data.path, tmp_path / "data", ignore=shutil.ignore_patterns(".reeltag", "test*")
    )
    goal = solve(Dataset.open(tmp_path / "data", quiet=True), TINY)
    assert "train-final" in [step.name for step in goal.steps]
    assert "score-final" not in steps(goal) and "score-same" in steps(goal)
