"""Samsung 2018: what trains on what, the first level, all rows of the slides."""

import json
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from reeltag.cli.main import run
from reeltag.core.errors import ConfigError
from reeltag.data.dataset import Dataset
from reeltag.data.splits import Splits
from reeltag.data.synth.corpus import write_corpus
from reeltag.papers.common.splits.videos import assign_fold_splits
from reeltag.papers.samsung2018.config import TINY, TINY_DATA, Config, SamsungPlan, make_plan
from reeltag.papers.samsung2018.first_level import (
    first_level_models,
    published_frames,
    published_videos,
    small_frames,
    small_videos,
)
from reeltag.papers.samsung2018.program import solve
from reeltag.papers.samsung2018.tables import OF_ROW, RESULTS
from reeltag.pipeline.steps import Step, ordered
from reeltag.predictions.file import open_predictions
from tests.data.made import frame_record, video_record, write_shard
from tests.papers.conftest import TinyRun

MEMBERS = ("fcn", "sub-net-b", "video-only")
NETS = [f"train-net-{name}" for name in "abcdef"]
SOFT = {"train-soft", *NETS, "train-final"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("samsung") / "data"
    write_corpus(folder, TINY_DATA, quiet=True)
    return Dataset.open(folder, quiet=True)


@pytest.fixture(scope="module")
def work(tiny_run: TinyRun) -> Path:
    """Return the folder of a tiny run."""
    return tiny_run("samsung2018")[0]


def graph(data: Dataset, config: Config = TINY) -> dict[str, Step]:
    nodes = ordered(solve(data, config).steps)
    steps = [node for node in nodes if isinstance(node, Step)]
    assert len({step.name for step in steps}) == len(steps)  # --only needs one name for each
    return {step.name: step for step in steps}


def inputs(step: Step) -> list[str]:
    return [node.name for node in step.needs if isinstance(node, Step)]


def needs(step: Step) -> set[str]:
    return {*inputs(step)}


def moved(before: dict[str, Step], after: dict[str, Step]) -> set[str]:
    return {name for name, step in after.items() if step.key != before[name].key}


def plan_of(data: Dataset, config: Config) -> SamsungPlan:
    return make_plan(config, assign_fold_splits(data, Splits(), folds=config.folds), data)


def folder_of(work: Path, name: str) -> Path:
    """Return the one folder of a step of that name."""
    (found,) = [path for path in work.iterdir() if path.name.rpartition("-")[0] == name]
    return found


def test_soft_labels_come_from_out_of_fold_predictions(data: Dataset) -> None:
    found = graph(data)
    for name in MEMBERS:
        folds = [found[f"train-{name}-fold-{fold}"] for fold in range(TINY.folds)]
        assert [of.config["recipe"].fold.hold_out for of in folds] == [0, 1]
        assert all(of.config["recipe"].fold.count == TINY.folds for of in folds)
        assert inputs(found[f"predict_folds-{name}"]) == [of.name for of in folds]
    members = {f"predict_folds-{name}" for name in MEMBERS}
    assert needs(found["stack-fleet"]) == needs(found["mean-fleet"]) == members
    assert found["stack-fleet"].config["config"].folds == TINY.folds
    assert found["soft_label_videos-by-lightgbm"].inputs[0].label().endswith("/out_of_fold.parquet")
    students = {name for name, of in found.items() if "soft_label_videos-by-lightgbm" in needs(of)}
    assert students == SOFT
    assert needs(found["train-final"]) == {"gather_tensors-nets", "soft_label_videos-by-lightgbm"}
    assert inputs(found["gather_tensors-nets"]) == NETS
    singles = {name for name in found if name[:6] == "train-" and "fold" not in name}
    assert all(found[name].config["recipe"].fold.count == 0 for name in singles)


def test_changed_number_changes_only_steps_that_depend_on_it(data: Dataset) -> None:
    before = graph(data)
    assert moved(before, graph(data, replace(TINY, device="cpu", threads=1))) == set()
    soft = moved(before, graph(data, replace(TINY, soft_weight=0.9)))
    assert {name for name in soft if name[:6] == "train-"} == SOFT
    frozen = moved(before, graph(data, replace(TINY, frozen=True)))
    assert {name for name in frozen if name[:6] == "train-"} == {"train-final"}
    trees = moved(before, graph(data, replace(TINY, trees=6)))
    assert {name for name in trees if name[:6] == "train-"} == SOFT and "stack-fleet" in trees
    seed = moved(before, graph(data, replace(TINY, seed=1)))
    assert {name for name in before if name[:6] == "train-"} <= seed
    alone = graph(data, replace(TINY, members=MEMBERS[:2]))
    assert not moved(before, {name: of for name, of in alone.items() if "fold" in name})


def test_first_level_has_the_size_and_every_row_of_the_slides() -> None:
    videos, frames = [*published_videos()], [*published_frames()]
    assert (len(videos), sum(one.stacked for one in frames)) == (95, 20)
    assert 10 <= len([*small_videos()]) <= 14 and len([*small_frames()]) == 10
    for members in (videos + frames, [*small_videos(), *small_frames()]):
        assert len({one.name for one in members}) == len(members)
        rows = [one.row for one in members if one.row]
        assert sorted([*rows, *OF_ROW]) == [row for row, *_ in RESULTS]
        assert [one.row for one in members if not one.stacked] == [10]  # as `Ens.` has it
        assert len(
            {(type(one.model), repr(one.model), repr(one.recipe)) for one in members}
        ) == len(members)
    models = {one.name: vars(one.model) for one in videos}
    assert (models["video-only"]["streams"], models["audio-only"]["streams"]) == ((0,), (1,))
    assert any(0 < of.get("features", 1.0) < 1 for of in models.values())
    assert sum("mixup" in name for name in models) in range(33, 38)  # 35 of the authors' configs
    assert min(one.recipe.epochs for one in videos) < 1  # under-fitted


def test_members_are_chosen_by_name_and_by_the_streams_of_the_data() -> None:
    def names(**how: object) -> list[str]:
        given = {"small": True, "frames": False, "num_streams": 2} | how
        return [one.name for one in first_level_models(**given)]  # type: ignore[arg-type]

    assert "clusters" in names(frames=True) and "clusters" not in names()
    assert "audio-only" in names() and "audio-only" not in names(num_streams=1)
    assert names(names=("fcn", "resnet")) == ["fcn", "resnet"]
    with pytest.raises(ConfigError, match="no member 'conv'"):
        names(names=("conv", "fcn"))
    with pytest.raises(ConfigError, match="at least two members"):
        names(names=("fcn",))


def test_published_recipes_are_the_authors(data: Dataset) -> None:
    many = replace(
        plan_of(data, Config()).assignment, counts={"train": 5_001_275, "test": 1_133_323}
    )
    at_scale = make_plan(Config(), many, data)
    recipe = at_scale.single_recipe("soft")
    assert (recipe.batch_size, recipe.optim.learning_rate, recipe.soft.weight) == (256, 5e-3, 1.0)
    assert (recipe.optim.clip, recipe.optim.clip_norm) == ("global", 10.0)
    sizes = vars(at_scale.single)
    assert (sizes["inner"], sizes["stream_blocks"], sizes["concat_blocks"]) == (2048, 4, 4)
    mixup = at_scale.single_recipe("mixup").augment
    assert (mixup.mixup_per, mixup.mixup_partner) == ("sample", "previous")
    assert at_scale.single_recipe("soft-ranking").loss.name == "soft-ranking"
    assert at_scale.single_recipe("plain").soft.weight * 0 == 0 and mixup.mixup == 0.4
    net = at_scale.net_recipe().optim
    assert (net.learning_rate, net.schedule, net.decay) == (0.01, "staircase", 0.95)
    assert (net.decay_examples, net.clip, net.clip_norm) == (4_000_000, "per-tensor", 1.0)
    assert (at_scale.final.divisor, at_scale.final.dropout) == (1, 0.0)
    trees = at_scale.trees
    assert (trees.candidates, trees.num_trees, trees.learning_rate) == (30, 3000, 0.01)
    assert at_scale.inference.top_k >= trees.candidates
    assert len(at_scale.members) == 95
    small = make_plan(Config(soft_weight=0.7), plan_of(data, Config()).assignment, data)
    assert len(small.members) < 20 and small.sizes.soft_weight == 0.7


@pytest.mark.parametrize(
    ("records", "options", "words"),
    [
        ({"train0": [video_record(f"v{n}") for n in range(9)]}, [], "no test video has labels"),
        ({"train0": [video_record("a")], "test0": [video_record("b")]}, [], "2 folds need 4"),
        (
            {"train0": [video_record("a")]},
            ["--folds", "1"],
            "folds is 1; allowed: an integer",
        ),
        ({}, ["--soft-weight", "0"], "soft_weight is 0.0; allowed: a number in (0, 1]"),
        (
            {
                "train0": [frame_record(f"v{n}") for n in range(9)],
                "test0": [frame_record(f"t{n}") for n in range(9)],
            },
            ["--members", "nobody"],
            "no member 'nobody'",
        ),
    ],
)
def test_bad_data_and_options_raise_before_anything_runs(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    records: dict[str, Iterable[bytes]],
    options: list[str],
    words: str,
) -> None:
    (tmp_path / "vocabulary.csv").write_text("Index,Name\n0,a\n1,b\n2,c\n3,d\n")
    for name, some in records.items():
        write_shard(tmp_path / f"{name}.tfrecord", [*some])
    command = ["solve", "samsung2018", "--tiny", "--data", str(tmp_path), *options]
    assert run([*command, "--out", str(tmp_path / "work")]) == 2
    printed = " ".join(capfd.readouterr().err.split())
    assert words in printed and "Traceback" not in printed
    assert not (tmp_path / "work").exists()


def test_tables_hold_every_row_of_the_slides(tiny_run: TinyRun) -> None:
    _, printed = tiny_run("samsung2018")
    tables = {table["title"]: table for table in json.loads(printed)["tables"]}
    first = tables["Results"]
    assert first["marks"] == ["Fr.", "Ens."]
    lines = [line for line in first["lines"] if line["paper"]]
    assert [line["paper"] for line in lines] == [[gap, loss] for _, _, _, gap, loss, _ in RESULTS]
    by_row = {row: line for (row, *_), line in zip(RESULTS, lines, strict=True)}
    assert by_row[10]["marks"] == ["\N{CHECK MARK}", "\N{MULTIPLICATION SIGN}"]
    for row in (0, 1, 2, 4, 9):
        (gap, loss), ((low, high), about) = by_row[row]["ours"], by_row[row]["intervals"]
        assert 0 <= low <= gap <= high <= 1 and about[0] <= loss <= about[1]
    assert by_row[3]["ours"] == [None, None] and "no frames" in by_row[3]["note"]
    first_level = tables["First level"]["lines"]
    assert [line["name"] for line in first_level] == [*MEMBERS]
    assert all(0 < line["ours"][0] < 1 for line in first_level)  # out of fold
    gained = {line["name"]: line for line in tables["What each stage gains"]["lines"]}
    over = gained["soft labels over mixup"]
    assert over["paper"][0] == pytest.approx(0.01312)
    assert over["ours"][0] == pytest.approx(by_row[1]["ours"][0] - by_row[2]["ours"][0])
    ensembles = {line["name"]: line["ours"][0] for line in tables[list(tables)[2]]["lines"]}
    best = next(line for name, line in gained.items() if name.startswith("final graph over net-"))
    nets = max(gap for name, gap in ensembles.items() if name.startswith("Small net"))
    assert best["ours"][0] == pytest.approx(ensembles["Final ensemble (one graph)"] - nets)


def test_training_videos_are_predicted_out_of_fold_once(work: Path) -> None:
    data = Dataset.open(work / "tiny-data", quiet=True)
    records = zip(data.table["shard"].to_pylist(), data.table["id"].to_pylist(), strict=True)
    trained = [name for shard, name in records if not data.shards[shard].startswith("test")]
    for step in ("predict_folds-fcn", "stack-fleet"):
        rows = open_predictions(folder_of(work, step) / "out_of_fold.parquet").rows("videos")
        assert sorted(name for part in rows for name in part.ids.to_pylist()) == sorted(trained)


def test_final_graph_starts_from_the_nets_and_freezes_them_with_the_flag(
    work: Path, tmp_path: Path
) -> None:
    nets = load_file(folder_of(work, "gather_tensors-nets") / "tensors.safetensors")
    first = load_file(folder_of(work, "train-net-d") / "run" / "model.safetensors")
    weight = "towers.1.0.linear.weight"
    assert torch.equal(nets[f"nets.3.{weight}"], first[f"model.net.{weight}"])
    assert not any("output" in name for name in nets)
    joint = load_file(folder_of(work, "train-final") / "run" / "model.safetensors")
    assert not torch.equal(joint[f"model.nets.3.{weight}"], nets[f"nets.3.{weight}"])
    other = shutil.copytree(work, tmp_path / "work")
    options = ["--tiny", "--frozen", "--only", "train-final"]
    assert run(["solve", "samsung2018", *options, "--out", str(other)]) == 0
    (name,) = {path.name for path in other.iterdir()} - {path.name for path in work.iterdir()}
    frozen = load_file(other / name / "run" / "model.safetensors")
    assert all(torch.equal(frozen[f"model.{name}"], tensor) for name, tensor in nets.items())
