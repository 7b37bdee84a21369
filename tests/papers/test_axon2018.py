"""Axon 2018: what trains and is evaluated, the teacher of each student, the paper's numbers."""

import json
import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from reeltag.augment.plan import PlanConfig
from reeltag.augment.writing import SampleConfig
from reeltag.cli.main import run
from reeltag.core.errors import ConfigError
from reeltag.data.dataset import Dataset
from reeltag.data.records.example import decode_example
from reeltag.data.records.tfrecord import frame_records
from reeltag.data.splits import Split, Splits
from reeltag.data.synth.corpus import write_corpus
from reeltag.ensembling.blend_model import BlendModel
from reeltag.ensembling.members import EnsembleMember
from reeltag.models import netvlad
from reeltag.papers.axon2018.config import TINY, TINY_DATA, Config, make_plan
from reeltag.papers.axon2018.program import solve
from reeltag.papers.axon2018.tables import TABLE_4
from reeltag.papers.common.splits.assignment import VideoSplitAssignment
from reeltag.papers.common.splits.videos import assign_held_out_splits
from reeltag.papers.common.steps.augment import augment, average_frames
from reeltag.papers.common.steps.files import read_counts
from reeltag.pipeline.steps import Step, ordered
from tests.data.made import frame_record, some_frames, video_record, write_shard

TWO = replace(TINY, sets=2)
SEVEN = ("netvlad", "netfv", "gated-dbow", "dbow", "netrvlad", "gru", "lstm")
FIRST, EVERY = {f"{of}-1" for of in SEVEN}, {f"{of}-{k}" for of in SEVEN for k in (1, 2)}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("axon") / "data"
    write_corpus(folder, TINY_DATA, quiet=True)
    return Dataset.open(folder, quiet=True)


def graph(data: Dataset, config: Config = TWO) -> dict[str, Step]:
    nodes = ordered(solve(data, config).steps)
    steps = [node for node in nodes if isinstance(node, Step)]
    assert len({step.name for step in steps}) == len(steps)  # --only needs one name for each
    return {step.name: step for step in steps}


def needs(step: Step) -> set[str]:
    return {node.name for node in step.needs if isinstance(node, Step)}


def predictions(names: Iterable[str], split: str) -> set[str]:
    return {f"predict_videos-{name}-{split}" for name in names}


def moved(before: dict[str, Step], after: dict[str, Step]) -> set[str]:
    return {name for name, step in after.items() if step.key != before[name].key}


def assigned(data: Dataset) -> VideoSplitAssignment:
    return assign_held_out_splits(data, Splits())


def test_ensembles_have_their_members_and_learn_on_held_out_videos(data: Dataset) -> None:
    found = graph(data)
    for name, members in (("7", FIRST), ("14", EVERY)):
        assert needs(found[f"mean-mean-{name}-test"]) == predictions(members, "test")
        for solver in ("sgd", "nnls"):
            learned = f"learn_weights-weights-{name}-{solver}"
            assert needs(found[learned]) == predictions(members, "validate")
            combined = found[f"combine-weights-{name}-{solver}-test"]
            assert needs(combined) == predictions(members, "test") | {learned}
    assert found["learn_weights-class-weights-14-nnls"].config["method"] == "class-weights"
    seeds = {name: found[f"train-{name}"].config["recipe"].seed for name in EVERY}
    assert all(seed == int(name[-1]) - 1 for name, seed in seeds.items())
    assert needs(found["mean-netvlad+moe-augmented-test"]) == predictions(
        ("netvlad-1", "moe-augmented"), "test"
    )


def test_teacher_predicts_training_videos_for_students_of_positive_lambda(
    data: Dataset,
) -> None:
    found = graph(data)
    soft = found["soft_label_videos-by-weights-14-nnls"]
    assert needs(soft) == {"combine-weights-14-nnls-train"}
    members = needs(found["combine-weights-14-nnls-train"])
    assert members == predictions(EVERY, "train") | {"learn_weights-weights-14-nnls"}
    assert needs(found["train-student-0"]) == set()
    for fraction in (0.5, 1):
        student = found[f"train-student-{fraction:g}"]
        assert needs(student) == {soft.name}
        assert student.config["recipe"].soft.weight == fraction


def test_mixture_trains_on_augmented_means_and_predicts_plain_ones(data: Dataset) -> None:
    found = graph(data)
    assert needs(found["train-moe-augmented"]) == {"augment"}
    assert needs(found["train-moe-plain"]) == {"average_frames"}
    needed = needs(found["predict_videos-moe-augmented-test"])
    assert needed == {"train-moe-augmented", "average_frames"}
    steps = {found[f"train-moe-{of}"].config["recipe"].max_steps for of in ("plain", "augmented")}
    assert len(steps) == 1
    for name in ("relation", "longer"):
        assert needs(found[f"train-{name}"]) == {"train-netvlad-1"}
    weights = [
        found[f"train-{of}"].config["recipe"].relation.weight for of in ("relation", "longer")
    ]
    assert weights == [1e-6, 0.0]


def test_changed_number_changes_only_steps_that_depend_on_it(data: Dataset) -> None:
    before = graph(data)
    assert moved(before, graph(data, replace(TWO, device="cpu"))) == set()
    relation = moved(before, graph(data, replace(TWO, relation=0.3)))
    assert relation and all("relation" in name for name in relation)
    student = moved(before, graph(data, replace(TWO, student_hidden=5)))
    assert student and all("student" in name for name in student)
    seed = moved(before, graph(data, replace(TWO, seed=1)))
    assert set(before) - seed == {"average_frames"}
    fewer = graph(data, replace(TWO, ablations=False, lambdas=(1.0,)))
    assert set(fewer) < set(before) and not moved(before, fewer)
    assert not any("plain" in name or "longer" in name for name in fewer)
    one = {name: of for name, of in graph(data, TINY).items() if name in before}
    others = moved(before, one)  # their teacher is another one
    assert others and all("student-1" in name or "student-0.5" in name for name in others)


def test_published_recipes_and_sizes_are_the_papers(data: Dataset) -> None:
    counts: dict[Split, int] = {"train": 5_000_000, "validate": 111_022}
    assignment = replace(assigned(data), counts=counts)
    plan = make_plan(Config(scale="published"), assignment, data)
    sizes = {name: vars(model) for name, model in plan.seven.items()}
    assert [sizes[of]["num_clusters"] for of in SEVEN[:5]] == [256, 128, 4096, 8000, 256]
    assert [sizes[of]["hidden"] for of in SEVEN[:5]] == [1024] * 5
    assert [sizes[of]["gate"] for of in SEVEN[:5]] == [True, True, False, False, True]
    assert [sizes[of]["pooling"] for of in ("netvlad", "gated-dbow", "dbow", "netrvlad")] == [
        *("vlad", "gated", "soft", "rvlad")
    ]
    assert [(sizes[of]["cells"], sizes[of]["num_layers"]) for of in SEVEN[5:]] == [(1024, 2)] * 2
    recipes = {name: plan.single(model, 0) for name, model in plan.seven.items()}
    drawn = {name: (of.frames.how, of.frames.num_frames) for name, of in recipes.items()}
    assert drawn == dict.fromkeys(SEVEN[:5], ("random", 300)) | {
        "gru": ("all", 0),
        "lstm": ("random", 150),
    }
    for recipe in recipes.values():
        assert (recipe.batch_size, recipe.max_steps, recipe.frames.replace) == (64, 350_000, True)
        optim = recipe.optim
        assert (optim.learning_rate, optim.schedule) == (2e-4, "staircase")
        assert (optim.decay, optim.decay_examples) == (0.8, 4_000_000)
    tuned = plan.fine_tuned(plan.seven["netvlad"], 0.2)
    assert (tuned.max_steps, tuned.relation.weight, tuned.relation.every) == (40_000, 0.2, 10)
    student = plan.distilled(0.5)
    assert (student.batch_size, student.max_steps, student.soft.weight) == (40, 647_000, 0.5)
    assert student.optim.learning_rate == 4e-4 and vars(plan.student)["hidden"] == 800
    assert vars(plan.experts)["num_experts"] == 16
    assert plan.descent.batch_size == 128
    how, making = plan.augmentation
    assert (how.pivot, making.weight, making.sigma, making.chunk_shards) == (1e4, 0.5, 0.03, 256)


def test_papers_student_fits_the_bytes_and_its_single_model_does_not() -> None:
    with torch.device("meta"):
        bytes_ = [
            4 * sum(p.numel() for p in netvlad.Config(hidden=h).build().parameters())
            for h in (800, 1024)
        ]
    assert bytes_[0] < Config().max_bytes < bytes_[1]


def test_sets_of_different_seeds_have_different_seeds(data: Dataset) -> None:
    assignment = assigned(data)
    drawn = [
        make_plan(replace(TWO, seed=seed), assignment, data).seed(k)
        for seed in range(3)
        for k in (0, 1)
    ]
    assert len(set(drawn)) == len(drawn)


def test_scale_follows_the_data_and_given_numbers_stay(
    data: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    assignment = assigned(data)
    few = make_plan(Config(batch_size=8, hidden=7), assignment, data).sizes
    assert (few.batch_size, few.moe_batch_size, few.hidden, few.clusters) == (8, 8, 7, 64)
    assert "training videos: small sizes (--scale" in capsys.readouterr().err
    counts: dict[Split, int] = {"train": 5_000_000, "validate": 111_022}
    sparse = replace(
        assignment, videos_per_label=388.5, counts={**assignment.counts, "validate": 8670}
    )
    small = make_plan(Config(scale="small", batch_size=8), sparse, data)
    assert (small.augmentation[0].pivot, small.descent.batch_size) == (1000.0, 10)
    many = make_plan(Config(hidden=7), replace(assignment, counts=counts), data).sizes
    assert (many.batch_size, many.hidden, many.clusters, many.patience) == (64, 7, 256, 3)


def test_video_level_records_are_trained_on_as_they_are(tmp_path: Path) -> None:
    for name in ("train0", "validate0", "test0"):
        records = [video_record(f"{name}-{k}") for k in range(9)]
        write_shard(tmp_path / f"{name}.tfrecord", records)
    found = graph(Dataset.open(tmp_path, quiet=True), TINY)
    assert "average_frames" not in found and needs(found["train-moe-plain"]) == set()
    recipes = [of.config["recipe"] for of in found.values() if "recipe" in of.config]
    assert len(recipes) == 14 and {recipe.frames.how for recipe in recipes} == {"all"}
    published = replace(TINY, scale="published")
    assert (
        graph(Dataset.open(tmp_path, quiet=True), published)["train-lstm-1"]
        .config["recipe"]
        .frames.how
        == "all"
    )


def test_average_frames_writes_their_means_and_keeps_finished_shards(tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    names = ["train0", "validate0"]
    for at, name in enumerate(names):
        records = [frame_record(f"{name}-{n}", n, (at, n)) for n in (2, 5)]
        write_shard(data / f"{name}.tfrecord", records)
    splits = assigned(Dataset.open(data, quiet=True)).splits
    out.mkdir()
    average_frames(out, data, splits=splits, which=("train", "validate"))
    means = Dataset.open(out / "data", quiet=True)
    assert means.kind == "video" and [s.name for s in means.streams] == ["mean_rgb", "mean_audio"]
    assert means.table["id"].to_pylist() == [f"{name}-{n}" for name in names for n in (2, 5)]
    assert means.table["labels"].to_pylist() == [[0, 2], [0, 5], [1, 2], [1, 5]]
    path = out / "data" / "train0.tfrecord"
    payload = path.read_bytes()
    framed = list(frame_records(payload))[1]
    mean = decode_example(payload[framed.offset : framed.offset + framed.size])["mean_rgb"]
    expected = some_frames(5, 16).astype(float) * 4 / 255 + 4 / 512 - 2
    np.testing.assert_allclose(np.array(mean), expected.mean(axis=0), rtol=1e-6)  # float32
    before = path.stat().st_mtime_ns
    (out / "data" / "validate0.tfrecord").unlink()  # as after a kill between two shards
    average_frames(out, data, splits=splits, which=("train", "validate"))
    assert path.stat().st_mtime_ns == before and (out / "data" / "validate0.tfrecord").exists()
    with pytest.raises(ConfigError, match="is in the data"):
        average_frames(data / "work", data, splits=splits, which=("train",))


def test_augmentation_takes_training_videos_alone(tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    for name in ("train0", "validate0"):
        records = [video_record(f"{name}-{'x' * n}", (n % 2,)) for n in range(1, 9)]
        write_shard(data / f"{name}.tfrecord", records)
    splits = assigned(Dataset.open(data, quiet=True)).splits
    out.mkdir()
    how = PlanConfig(pivot=20.0)
    for _ in range(2):  # again: as after a kill
        augment(out, data, splits=splits, plan=how, making=SampleConfig(), seed=0)
    counts = read_counts(out)
    augmented = Dataset.open(out / "data", splits=splits, quiet=True)
    assert counts["before"] == counts["original"] == 8
    assert counts["after"] == len(augmented.videos("train")) > 8
    assert len(augmented.videos("validate")) == 8


def test_cost_grows_with_videos_and_files(data: Dataset) -> None:
    seconds = {name: step.estimate().seconds or 0.0 for name, step in graph(data, TINY).items()}
    assert seconds["predict_videos-gru-1-validate"] < seconds["predict_videos-gru-1-test"]
    assert seconds["score_videos-mean-7"] < seconds["compare_with_best-mean-7"]


def test_dry_run_shows_the_steps_and_writes_nothing(
    data: Dataset, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "work"
    options = ["--tiny", "--data", str(data.path), "--out", str(out), "--dry-run", "--json"]
    assert run(["solve", "axon2018", *options]) == 0
    shown = json.loads(capfd.readouterr().out)
    assert {step["name"] for step in shown["steps"]} == set(graph(data, TINY))
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--train", "none*"], "no shard belongs to the split 'train'"),
        (["--train", "train*", "--test", "train0000*"], "is named by the patterns of both"),
        (["--max-bytes", "1000"], "clusters has 2"),
        (["--batch-size", "1000"], "a batch takes 1,000"),
        (["--lambdas", "1.5"], "one or more, each a number in [0, 1]"),
        (["--lambdas", "1", "1"], "names a fraction twice"),
        (["--sets", "0"], "sets is 0; allowed: an integer >= 1"),
    ],
)
def test_bad_options_raise_before_anything_runs(
    data: Dataset, tmp_path: Path, capfd: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    out = tmp_path / "work"
    command = ["solve", "axon2018", "--tiny", "--data", str(data.path), "--out", str(out), *options]
    assert run(command) == 2
    printed = " ".join(capfd.readouterr().err.split())
    assert words in printed and "Traceback" not in printed
    assert not out.exists()


def figures(steps: Iterable[Step], root: Path) -> dict[str, float]:
    """Write synthetic results of the last steps; return the scores."""
    scores: dict[str, float] = {}
    for step in steps:
        folder = root / step.name
        folder.mkdir(parents=True)
        kind, _, name = step.name.partition("-")
        value: Any = None
        if kind == "score_videos":
            scores[name] = 0.5 + len(scores) / 1000
            gap = scores[name]
            value = {"gap@20": gap, "gap@20_interval": [gap - 0.01, gap + 0.01], "videos": 18}
        elif kind == "compare":
            value = [{"gap@20": {"difference": 0.05, "interval": None}}]
        elif kind == "compare_with_best":
            value = {"best": 6, "difference": {"gap@20": {"difference": 0.06, "interval": None}}}
        elif kind == "learn_weights":
            members = tuple(EnsembleMember(family=of) for of in SEVEN)
            weights = np.arange(1, 8) / 28
            blend = BlendModel(method="weights", members=members, num_classes=4, weights=weights)
            blend.save(folder / "blend")
        elif kind == "augment":
            kinds = dict.fromkeys(("original", "interpolated", "extrapolated", "noisy"), 2)
            (folder / "counts.json").write_text(json.dumps({"before": 3, "after": 9, **kinds}))
        if value is not None:
            (folder / "scores.json").write_text(json.dumps(value))
    return scores


def test_tables_hold_every_row_of_the_paper(data: Dataset, tmp_path: Path) -> None:
    goal = solve(data, TWO)
    scores = figures(goal.steps, tmp_path)
    found = {table.title: table for table in goal.tables(lambda step: tmp_path / step.name)}
    second = found["Table 2: progress"]
    assert [line.paper[0] for line in second.lines] == [
        *(0.8575, 0.8598, 0.8788, 0.8827, 0.8862, 0.8873, 0.8732)
    ]
    assert [line.ours[0] for line in second.lines] == [
        scores[name]
        for name in (
            *("netvlad-1", "netvlad+moe-augmented", "relation", "mean-7", "mean-14"),
            *("weights-14-sgd", "student-1"),
        )
    ]
    third = found["Table 3: training examples"]
    assert [line.paper for line in third.lines] == [(5_001_275.0,), (23_590_464.0,)]
    assert [line.ours for line in third.lines] == [(3.0,), (9.0,)] and "x 3.00" in third.note
    fourth = found["Table 4: learned weights of the first seven models"]
    published = [line.paper[0] for line in fourth.lines]
    assert math.fsum(of for of in published if of) == pytest.approx(1.036)  # the paper's, added up
    assert [line.ours[0] for line in fourth.lines] == [k / 28 for k in range(1, 8)]
    assert len(found["Single models"].lines) == 2 * len(TABLE_4) + 4
    ensembles = {line.name: line for line in found["Ensembles"].lines}
    assert len(ensembles) == 2 * 3 + 2
    assert ensembles["14 models, a weight per model, SGD on MSE"].paper == (0.8873,)
    distilled = next(of for title, of in found.items() if title.startswith("Distillation"))
    assert [line.name[-3:].strip("= ") for line in distilled.lines] == ["0", "0.5", "1"]
    gained = {line.name: line for line in found["What is gained"].lines}
    assert gained["mean-7 over its best, lstm-1"].ours == (0.06,)
    assert gained["mean-14 over mean-7"].paper[0] == pytest.approx(0.0035)
    assert gained["student-1 over netvlad-1"].paper == (None,)  # on other videos there
    closing = goal.closing(lambda step: tmp_path / step.name)
    assert f"student-1 has a GAP@20 of {scores['student-1']:.4f}" in closing
    assert f"reeltag export {tmp_path}/train-student-1/run --out" in closing
    assert f"{tmp_path}/learn_weights-weights-14-nnls/blend" in closing
    assert goal.run(lambda step: tmp_path / step.name) == tmp_path / "train-student-1" / "run"
    assert goal.best is not None and goal.best.name == "combine-weights-14-nnls-test"
