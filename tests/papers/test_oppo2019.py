"""OPPO 2019: which stage learns from what, at which rates, and what one changed number moves."""

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from reeltag.cli.main import run
from reeltag.data.dataset import Dataset
from reeltag.data.synth.corpus import write_corpus
from reeltag.labels.folds import FoldConfig
from reeltag.papers.common.splits.segments import assign_segment_splits
from reeltag.papers.oppo2019.config import TINY, TINY_DATA, Config, make_plan
from reeltag.papers.oppo2019.program import solve
from reeltag.pipeline.steps import Step, ordered
from tests.data.made import frame_record, rated_record, video_record, write_shard

STAGE_1 = {"train-I", "train-III-I", "train-I-all-frames"}
WHOLE_VIDEOS = STAGE_1 | {
    of.replace("train", step)
    for of in STAGE_1
    for step in ("predict_segments", "score", "copy_video_scores")
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("oppo") / "data"
    write_corpus(folder, TINY_DATA, quiet=True)
    return Dataset.open(folder, quiet=True)


def graph(data: Dataset, config: Config = TINY) -> dict[str, Step]:
    nodes = ordered(solve(data, config).steps)
    steps = [node for node in nodes if isinstance(node, Step)]
    assert len({step.name for step in steps}) == len(steps)  # --only needs one name for each
    return {step.name: step for step in steps}


def trainings(step: Step) -> set[str]:
    return {node.name for node in ordered(step) if node.name.startswith("train-")} - {step.name}


def needs(step: Step) -> set[str]:
    return {node.name for node in step.needs if isinstance(node, Step)}


def moved(before: dict[str, Step], after: dict[str, Step]) -> set[str]:
    return {name for name, step in after.items() if step.key != before[name].key}


def test_stages_start_from_stage_1_and_learn_from_the_teacher_before(data: Dataset) -> None:
    found = graph(data)
    expected = {
        "train-I": set(),
        "train-II-A": {"train-I"},
        "train-II-B": {"train-I", "soft_label_segments-by-II-A"},
        "train-II-C": {"train-I", "soft_label_segments-by-II-B"},
        "train-III-I": set(),
        "train-III-A": {"train-III-I", "soft_label_segments-by-II-C"},
        "train-III-B": {"train-III-I", "soft_label_segments-by-III-A"},
        "train-III-C": {"train-III-I", "soft_label_segments-by-III-B"},
        "train-I-all-frames": set(),
        "train-original": {"train-I", "soft_label_segments-by-II-A"},
        "train-original-fresh": {"soft_label_segments-by-II-A"},
        "train-equal-fresh": {"soft_label_segments-by-II-A"},
    }
    assert {name: needs(of) for name, of in found.items() if name[:6] == "train-"} == expected
    assert needs(found["mean-ensemble"]) == {f"predict_segments-III-{x}" for x in "ABC"}
    assert needs(found["soft_label_segments-by-III-A"]) == {"train-III-A"}
    fields = {name: of.config["fields"] for name, of in found.items() if name[:6] == "train-"}
    equal = {name: of.get("soft.equal", 0) for name, of in fields.items()}
    assert {name for name, m in equal.items() if m} == {
        *("train-II-B", "train-II-C", "train-III-A", "train-III-B", "train-III-C"),
        "train-equal-fresh",
    }
    assert set(equal.values()) == {0, TINY.per_class}


def test_changed_number_changes_only_steps_that_depend_on_it(data: Dataset) -> None:
    before = graph(data)
    every = set(before)
    assert moved(before, graph(data, replace(TINY, device="cpu"))) == set()
    mixup = moved(before, graph(data, replace(TINY, mixup=0.2)))
    assert every - mixup == WHOLE_VIDEOS & every | {"compare-I-I-all-frames", "score-copied"}
    per_class = moved(before, graph(data, replace(TINY, per_class=3)))
    assert {"train-II-A", "soft_label_segments-by-II-A", "train-original"} <= every - per_class
    assert {
        "train-II-B",
        "soft_label_segments-by-II-B",
        "train-equal-fresh",
        "mean-ensemble",
    } <= per_class
    members = moved(before, graph(data, replace(TINY, mix_members=3)))
    assert all("III" in name or "ensemble" in name for name in members)
    assert moved(before, graph(data, replace(TINY, seed=1))) == every


def test_other_steps_stay_the_same_without_ablations(data: Dataset) -> None:
    less = graph(data, replace(TINY, ablations=False))
    every = graph(data)
    assert set(less) < set(every) and not moved(every, less)
    assert not any("fresh" in name or "original" in name for name in less)


def test_published_recipes_are_the_papers(data: Dataset) -> None:
    plan = make_plan(Config(scale="published"), assign_segment_splits(data))
    first, second, third = plan.videos(), plan.segments(), plan.segments(mix=True)
    assert first.frames.how == "stride" and first.frames.stride_range == (5, 10)
    assert plan.videos(all_frames=True).frames.how == "all"
    assert first.items == "videos" and first.augment.mixup == 0  # mixup: stages II and III alone
    for recipe in (second, third, plan.segments(fresh=True)):
        assert recipe.items == "segments" and recipe.augment.mixup == 0.4
        assert recipe.labels.unrated_weight == 0  # the mask
        assert (recipe.batch_size, recipe.epochs) == (160, 7.0)
    assert (first.batch_size, first.epochs, first.precision) == (160, 5.0, "fp32")
    rates = [recipe.optim.learning_rate for recipe in (first, second, third)]
    assert rates == [2e-4, 2e-5, 4e-5]
    assert plan.videos(mix=True).optim.learning_rate == 2e-4
    assert plan.segments(fresh=True).optim == first.optim
    stairs = [(r.optim.schedule, r.optim.decay, r.optim.decay_examples) for r in (first, third)]
    assert stairs == [("staircase", 0.8, 2_000_000), ("staircase", 0.8, 2_500_000)]
    assert [(r.members.weight, r.members.temperature) for r in (second, third)] == [
        (0.0, 3.0),
        (9.0, 3.0),
    ]
    single, mix = vars(plan.single), vars(plan.mix)
    assert (single["num_clusters"], single["hidden"], single["reduction"]) == (128, 2048, 8)
    assert (mix["num_members"], mix["num_clusters"], mix["reduction"]) == (3, 112, 16)
    assert (plan.drawn(0).per_label, plan.drawn(0).equal, plan.sizes.per_class) == (2, 0, 1000)


def test_evaluated_fold_is_held_out_in_all_stages_on_segments(data: Dataset) -> None:
    assignment = assign_segment_splits(data)
    kept_back = replace(assignment, fold=FoldConfig(count=5, by="ratings"))
    plan = make_plan(TINY, kept_back)
    recipes = (plan.segments(), plan.segments(mix=True), plan.segments(fresh=True))
    assert all(recipe.fold == kept_back.fold for recipe in recipes)
    assert plan.videos().fold == FoldConfig()  # stage I learns from other videos


def test_scale_follows_the_data_and_given_numbers_stay(
    data: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    assignment = assign_segment_splits(data)
    plan = make_plan(Config(per_class=7), assignment)
    assert plan.sizes.batch_size == 80 and plan.sizes.per_class == 7
    assert "20 training videos: small sizes (--scale" in capsys.readouterr().err
    many = replace(assignment, num_videos=3_900_000)
    assert make_plan(Config(clusters=32), many).sizes.batch_size == 160
    assert make_plan(Config(clusters=32), many).sizes.clusters == 32
    assert make_plan(Config(scale="small"), many).sizes.batch_size == 80


def test_cost_grows_with_frames_and_segments(data: Dataset) -> None:
    seconds = {name: step.estimate().seconds or 0.0 for name, step in graph(data).items()}
    assert seconds["train-I"] < seconds["train-I-all-frames"]
    equal, original = (f"soft_label_segments-by-{name}" for name in ("II-B", "II-A"))
    assert seconds[equal] < seconds[original]
    assert seconds["train-II-A"] < seconds["train-II-B"]  # soft segments too


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ({"train0": [video_record("a")], "validate0": [video_record("b")]}, "one vector per video"),
        ({"train0": [frame_record("a")], "validate0": [frame_record("b")]}, "has rated segments"),
        (
            {"train0": [frame_record("a")], "validate0": [rated_record("b", 9, [(0, 7, 1.0)])]},
            "outside the vocabulary",
        ),
        (
            {"train0": [frame_record("a", 4)], "validate0": [rated_record("b", 9, [(0, 1, 1.0)])]},
            "5-second segment",
        ),
    ],
)
def test_bad_data_raise_before_anything_runs(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    records: dict[str, Iterable[bytes]],
    words: str,
) -> None:
    (tmp_path / "vocabulary.csv").write_text("Index,Name\n0,a\n1,b\n2,c\n")
    for name, some in records.items():
        write_shard(tmp_path / f"{name}.tfrecord", [*some])
    out = tmp_path / "work"
    assert run(["solve", "oppo2019", "--data", str(tmp_path), "--out", str(out)]) == 2
    printed = " ".join(capfd.readouterr().err.split())
    assert words in printed and "`reeltag" in printed and "Traceback" not in printed
    assert not out.exists()


def test_tables_hold_every_row_of_the_paper(
    data: Dataset, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    options = ["--tiny", "--data", str(data.path), "--out", str(tmp_path), "--no-ablations"]
    assert run(["solve", "oppo2019", *options, "--json"]) == 0
    tables = {table["title"]: table for table in json.loads(capfd.readouterr().out)["tables"]}
    first = {line["name"]: line for line in tables["Table 1: models"]["lines"]}
    assert [line["paper"] for line in first.values() if line["paper"] != [None]] == [
        *([0.7277], [0.75723], [0.76901], [0.77455]),
        *([0.73589], [0.78425], [0.78585], [0.78595], [0.78687]),
    ]
    for line in first.values():
        (ours,), ((low, high),) = line["ours"], line["intervals"]
        assert 0 <= low <= ours <= 1.05 and low < high
    gains = {line["name"]: line for line in tables["What each stage gains"]["lines"]}
    over = gains["ensemble over copied video score"]
    difference = (
        first["Final ensemble"]["ours"][0]
        - next(line for name, line in first.items() if "copied" in name)["ours"][0]
    )
    assert over["ours"][0] == pytest.approx(difference)
    assert gains["II-A over stage I"]["paper"][0] == pytest.approx(0.02953)
