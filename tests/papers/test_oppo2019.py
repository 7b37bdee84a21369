"""OPPO 2019: which stage learns from what, at which rates, and what one changed number moves."""

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from reeltag.cli.main import run
from reeltag.data.index import open_index
from reeltag.data.synth.corpus import write_corpus
from reeltag.labels.folds import FoldConfig
from reeltag.papers.common.splits.segments import roles
from reeltag.papers.oppo2019.config import planned
from reeltag.papers.oppo2019.program import TINY, TINY_DATA, Config, solve
from reeltag.pipeline.planning import plan
from reeltag.pipeline.steps import Step, ordered
from tests.data.made import frame_record, rated_record, video_record, write_shard

STAGE_1 = {"train-I", "train-III-I", "train-I-all-frames"}
WHOLE_VIDEOS = STAGE_1 | {
    of.replace("train", step)
    for of in STAGE_1
    for step in ("predict_segments", "score", "copy_video_scores")
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("oppo") / "data"
    write_corpus(folder, TINY_DATA, quiet=True)
    return folder


def graph(data: Path, config: Config = TINY) -> dict[str, Step]:
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


def test_each_stage_starts_from_stage_1_and_learns_from_the_teacher_before(data: Path) -> None:
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
    equal = {name: of.config["equal"] for name, of in found.items() if "equal" in of.config}
    assert {name for name, m in equal.items() if m} == {
        *("train-II-B", "train-II-C", "train-III-A", "train-III-B", "train-III-C"),
        "train-equal-fresh",
    }
    assert set(equal.values()) == {0, TINY.per_class}


def test_one_changed_number_moves_what_depends_on_it_and_nothing_else(data: Path) -> None:
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


def test_without_ablations_what_remains_is_the_same(data: Path) -> None:
    less = graph(data, replace(TINY, ablations=False))
    every = graph(data)
    assert set(less) < set(every) and not moved(every, less)
    assert not any("fresh" in name or "original" in name for name in less)


def test_recipes_are_the_papers(data: Path) -> None:
    made = planned(Config(scale="published"), roles(open_index(data, quiet=True)))
    first, second, third = made.videos(), made.segments(), made.segments(mix=True)
    assert first.frames.how == "stride" and first.frames.stride_range == (5, 10)
    assert made.videos(all_frames=True).frames.how == "all"
    assert first.items == "videos" and first.augment.mixup == 0  # mixup: stages II and III alone
    for recipe in (second, third, made.segments(fresh=True)):
        assert recipe.items == "segments" and recipe.augment.mixup == 0.4
        assert recipe.labels.unrated_weight == 0  # the mask
        assert (recipe.batch_size, recipe.epochs) == (160, 7.0)
    assert (first.batch_size, first.epochs, first.precision) == (160, 5.0, "fp32")
    rates = [recipe.optim.learning_rate for recipe in (first, second, third)]
    assert rates == [2e-4, 2e-5, 4e-5]
    assert made.videos(mix=True).optim.learning_rate == 2e-4
    assert made.segments(fresh=True).optim == first.optim
    stairs = [(r.optim.schedule, r.optim.decay, r.optim.decay_examples) for r in (first, third)]
    assert stairs == [("staircase", 0.8, 2_000_000), ("staircase", 0.8, 2_500_000)]
    assert [(r.members.weight, r.members.temperature) for r in (second, third)] == [
        (0.0, 3.0),
        (9.0, 3.0),
    ]
    single, mix = vars(made.single), vars(made.mix)
    assert (single["num_clusters"], single["hidden"], single["reduction"]) == (128, 2048, 8)
    assert (mix["num_members"], mix["num_clusters"], mix["reduction"]) == (3, 112, 16)
    assert (made.draws().per_label, made.draws().equal, made.sizes.per_class) == (2, 0, 1000)


def test_a_fold_that_judges_is_kept_back_in_all_stages_on_segments(data: Path) -> None:
    parts = roles(open_index(data, quiet=True))
    kept_back = replace(parts, fold=FoldConfig(count=5, by="ratings"))
    made = planned(TINY, kept_back)
    recipes = (made.segments(), made.segments(mix=True), made.segments(fresh=True))
    assert all(recipe.fold == kept_back.fold for recipe in recipes)
    assert made.videos().fold == FoldConfig()  # stage I learns from other videos


def test_the_scale_follows_the_data_and_given_numbers_stay(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = roles(open_index(data, quiet=True))
    made = planned(Config(per_class=7), parts)
    assert made.sizes.batch_size == 80 and made.sizes.per_class == 7
    assert "20 training videos: small sizes (--scale" in capsys.readouterr().err
    many = replace(parts, num_videos=3_900_000)
    assert planned(Config(clusters=32), many).sizes.batch_size == 160
    assert planned(Config(clusters=32), many).sizes.clusters == 32
    assert planned(Config(scale="small"), many).sizes.batch_size == 80


def test_a_plan_knows_the_cost_of_every_step(data: Path, tmp_path: Path) -> None:
    made = plan(solve(data, TINY).steps, tmp_path)
    assert made.unknown == 0 and 0 < made.seconds < 60
    seconds = {row.step.name: row.seconds or 0.0 for row in made.rows}
    assert seconds["train-I"] < seconds["train-I-all-frames"]
    assert (
        seconds["soft_label_segments-by-II-B"] < seconds["soft_label_segments-by-II-A"]
    )  # the Equal set, the Original one


@pytest.mark.parametrize(
    ("records", "told"),
    [
        ({"train0": [video_record("a")], "validate0": [video_record("b")]}, "one vector a video"),
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
def test_bad_data_are_refused_before_anything_runs(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    records: dict[str, Iterable[bytes]],
    told: str,
) -> None:
    (tmp_path / "vocabulary.csv").write_text("Index,Name\n0,a\n1,b\n2,c\n")
    for name, some in records.items():
        write_shard(tmp_path / f"{name}.tfrecord", [*some])
    out = tmp_path / "work"
    assert run(["solve", "oppo2019", "--data", str(tmp_path), "--out", str(out)]) == 2
    said = " ".join(capfd.readouterr().err.split())
    assert told in said and "`reeltag" in said and "Traceback" not in said
    assert not out.exists()


def test_the_tables_hold_every_row_of_the_paper(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    options = ["--tiny", "--data", str(data), "--out", str(tmp_path), "--no-ablations", "--json"]
    assert run(["solve", "oppo2019", *options]) == 0
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
