"""The moment finder: what trains, what is evaluated, numbers that follow the data, the closing."""

import json
import shlex
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import reeltag
from reeltag.cli.main import run
from reeltag.data.dataset import Dataset
from reeltag.data.selection import lists_of
from reeltag.data.synth.corpus import write_corpus
from reeltag.labels.folds import FoldConfig
from reeltag.papers.common.splits.own_videos import OwnVideos, assign_own_splits
from reeltag.papers.moments.config import TINY, TINY_DATA, Config, MomentsPlan, sizes_for
from reeltag.papers.moments.program import solve
from reeltag.papers.moments.tables import format_thresholds, verdict
from reeltag.pipeline.steps import Step, ordered
from reeltag.tagger.run_files import find_run
from reeltag.tagger.thresholds import ClassThreshold, Thresholds
from reeltag.training.batches import make_batches
from tests.data.made import frame_record, rated_record, video_record, write_shard


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a corpus named as published; test is rated."""
    folder = tmp_path_factory.mktemp("moments") / "data"
    write_corpus(folder, TINY_DATA, quiet=True)
    return folder


@pytest.fixture(scope="module")
def unnamed(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the same videos in files of any name, without a test part."""
    folder = tmp_path_factory.mktemp("own") / "my videos"
    folder.mkdir()
    shutil.copy(data / "vocabulary.csv", folder)
    for name, other in (("train0000", "monday"), ("validate0000", "tuesday")):
        shutil.copy(data / f"{name}.tfrecord", folder / f"{other}.tfrecord")
    return folder


def opened(data: Path) -> Dataset:
    return Dataset.open(data, quiet=True)


def own(data: Path, *, without_ratings: bool = False) -> OwnVideos:
    return assign_own_splits(opened(data), folds=5, without_ratings=without_ratings)


def evaluated(data: Path) -> set[str]:
    """Return the ids of the evaluated videos."""
    rows = own(data).assignment.evaluation.rows(opened(data))
    return set(opened(data).table["id"].filter(rows).to_pylist())


def graph(data: Path, config: Config = TINY) -> dict[str, Step]:
    nodes = ordered(solve(opened(data), config).steps)
    return {node.name: node for node in nodes if isinstance(node, Step)}


def trained_on(data: Path, step: Step) -> set[str]:
    """Return the ids of the videos that a training sees."""
    recipe = replace(step.config["recipe"], batch_size=1)
    items = make_batches(opened(data).with_splits(recipe.splits), recipe).items
    return set(items.ids(np.arange(len(items))))


def test_evaluated_videos_train_the_final_fit_alone(unnamed: Path) -> None:
    found, held_out = graph(unnamed), evaluated(unnamed)
    trainings = {name: step for name, step in found.items() if step.id == "train"}
    assert set(trainings) == {"train-I", "train-II", "train-final"} and len(held_out) > 3
    every = set(opened(unnamed).table["id"].to_pylist())
    assert trained_on(unnamed, trainings["train-I"]) == every - held_out
    second = trained_on(unnamed, trainings["train-II"])
    assert not second & held_out
    assert trained_on(unnamed, trainings["train-final"]) == second | held_out
    starts = [trainings[name].config["fields"]["init"].node for name in ("train-II", "train-final")]
    assert starts == [found["train-I"]] * 2


def test_rated_test_videos_are_evaluated_and_all_other_ratings_train(data: Path) -> None:
    found, assignment = graph(data), own(data).assignment
    assert "train-final" not in found and not found["train-II"].config["recipe"].fold.count
    assert assignment.evaluation.split == "test"
    assert assignment.num_videos == TINY_DATA.videos * 0.4
    validate = {f"validate-{number:06}" for number in range(TINY_DATA.videos)}
    assert trained_on(data, found["train-II"]) <= validate
    assert all(name.startswith("train") for name in trained_on(data, found["train-I"]))


def test_evaluated_videos_are_held_out_of_whole_video_training_in_mixed_files(
    tmp_path: Path,
) -> None:
    ratings = [(5 * at, at % 2, float(at > 1)) for at in range(4)]
    records = [rated_record(f"r{n}", 20, ratings) for n in range(30)]
    write_shard(tmp_path / "all.tfrecord", [*records, *(frame_record(f"u{n}") for n in range(9))])
    first, held_out = own(tmp_path), evaluated(tmp_path)
    seen = trained_on(tmp_path, graph(tmp_path)["train-I"])
    assert len(held_out) == 6 and seen.isdisjoint(held_out) and len(seen) == 39 - 6
    write_shard(tmp_path / "train0.tfrecord", [*records[:9], frame_record("t")])  # some here too
    write_shard(tmp_path / "all.tfrecord", records[9:])
    held_out, seen = evaluated(tmp_path), trained_on(tmp_path, graph(tmp_path)["train-I"])
    assert len(held_out) == 6
    assert seen == {*(f"r{n}" for n in range(30)), "t"} - held_out
    assert (first.ratings, first.classes, first.seconds) == (120, 2, 20)


def test_videos_with_two_records_are_logged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ratings = [(5 * at, at % 2, float(at > 1)) for at in range(4)]
    records = [rated_record(f"r{n}", 20, ratings) for n in range(30)]
    twins = [frame_record(f"r{n}") for n in range(30)]
    write_shard(tmp_path / "named" / "validate0.tfrecord", records)
    write_shard(tmp_path / "named" / "train0.tfrecord", twins)
    own(tmp_path / "named")
    assert "6 of the 6 evaluated videos are also among the training" in capsys.readouterr().err
    write_shard(tmp_path / "unnamed" / "a.tfrecord", twins[:4])
    write_shard(tmp_path / "unnamed" / "b.tfrecord", records)
    own(tmp_path / "unnamed")
    logged = capsys.readouterr().err
    assert "4 records with ratings are left out, 4 of them because" in logged
    assert "also among" not in logged


def test_unusable_rated_records_are_logged_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ratings = [(5 * at, at % 2, float(at > 1)) for at in range(4)]
    records = [rated_record(f"r{n}", 20, ratings) for n in range(30)]
    lost = [rated_record("", 20, ratings, id=[]) for _ in range(2)]
    write_shard(tmp_path / "a.tfrecord", [*records, *lost])
    own(tmp_path)
    logged = capsys.readouterr().err
    assert "2 records with ratings are left out: no id (2)" in logged and "same id" not in logged


def test_ratings_between_scored_segments_are_logged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ratings = [(5 * at + 3 * (at == 2), at % 2, float(at > 1)) for at in range(4)]
    write_shard(tmp_path / "a.tfrecord", [rated_record(f"r{n}", 20, ratings) for n in range(30)])
    own(tmp_path)
    assert "30 ratings are of other windows than 5-second segments" in capsys.readouterr().err


def test_sizes_follow_the_data_and_given_ones_stay(data: Path) -> None:
    def sizes(
        videos: int, ratings: int, config: Config | None = None, **facts: object
    ) -> list[float]:
        some, config = own(data), config or Config()
        assignment = replace(some.assignment, num_videos=videos)
        facts = {"ratings": ratings, "classes": 500, "widths": (1024, 128), **facts}
        return list(vars(sizes_for(replace(some, assignment=assignment, **facts), config)).values())  # type: ignore[arg-type]

    reels = [64, 1024, 80, 20.0, 2e-3, 80, 7.0, 2e-4]
    assert sizes(4000, 5000, widths=(128,)) == reels
    youtube = sizes(3_900_000, 237_788)
    assert youtube[:4] == [128, 2048, 159, 5.0] and youtube[4] == pytest.approx(2e-4, rel=0.02)
    assert youtube[5:7] == [159, 7.0] and youtube[7] == pytest.approx(2.9e-5, rel=0.02)
    few = sizes(300, 200)
    assert few == [48, 768, 16, 33.6, 2e-3, 16, 16.0, 2e-4]
    assert 16.0 * 200 / 16 == 200  # steps on segments, at least
    assert sizes(4000, 5000, classes=12)[1] == 192  # 16 C, to a multiple of 64
    assert sizes(4000, 5000, widths=(40,))[1] == 320  # 8 D
    given = Config(batch_size=8, rated_rate=0.1)
    assert sizes(4000, 5000, given) == [64, 1024, 8, 20.0, 2e-3, 16, 7.0, 0.1]


@pytest.mark.parametrize(
    ("widths", "groups"), [((1024, 128), 8), ((6,), 4), ((8, 3), 4), ((7, 3), 2), ((5,), 2)]
)
def test_model_divides_frames_of_any_width_into_groups(
    data: Path, widths: tuple[int, ...], groups: int
) -> None:
    videos = replace(own(data), widths=widths)
    model = MomentsPlan(config=TINY, sizes=sizes_for(videos, TINY), own=videos).model
    assert model.groups == groups
    replace(model, dims=widths)  # its own checks


def test_long_videos_alone_are_down_sampled(data: Path) -> None:
    for seconds, how in ((200.0, "stride"), (20.0, "all")):
        videos = replace(own(data), seconds=seconds)
        plan = MomentsPlan(config=TINY, sizes=sizes_for(videos, TINY), own=videos)
        assert plan.videos().frames.how == how


def test_changed_number_changes_only_steps_that_depend_on_it(unnamed: Path) -> None:
    before = graph(unnamed)

    def moved(**changes: object) -> set[str]:
        after = graph(unnamed, replace(TINY, **changes))  # type: ignore[arg-type]
        return {name for name, step in after.items() if step.key != before[name].key}

    assert moved(device="cpu") == set() and moved(seed=1) == set(before)
    assert moved(rated_rate=0.1) == {
        *("train-II", "train-final", "predict_segments-II", "score-II", "compare-gains"),
        "finder-final",
    }
    assert moved(target_precision=0.8) == {"finder-final"}
    assert moved(bootstrap=9) == {"score-I", "score-II", "score-copied", "compare-gains"}


def test_video_model_without_ratings_is_evaluated_on_held_out_videos(
    data: Path, unnamed: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config = replace(TINY, without_ratings=True)
    assert set(graph(data, config)) == {
        *("train-I", "predict_segments-I", "copy_video_scores-I"),
        *("score-I", "score-copied", "compare-gains", "finder-final"),
    }
    stage_1 = graph(unnamed, config)["train-I"]
    assert stage_1.config["recipe"].fold.count == 5  # one fold is evaluated
    (tmp_path / "data").mkdir()
    shutil.copy(unnamed / "monday.tfrecord", tmp_path / "data")
    assert set(graph(tmp_path / "data", config)) == {"train-I"}
    options = ["--tiny", "--without-ratings", "--data", str(tmp_path / "data")]
    assert run(["solve", "moments", *options, "--out", str(tmp_path / "out")]) == 0
    out = capfd.readouterr().out
    assert "how good it is remains open" in out and "reeltag moments" in out
    ratings = [(0, 1, 1.0), (5, 1, 0.0)]
    few = tmp_path / "few"
    write_shard(few / "train0.tfrecord", [frame_record(f"{n}") for n in range(3)])
    write_shard(few / "validate0.tfrecord", [rated_record(f"r{n}", 10, ratings) for n in range(3)])
    found = own(few, without_ratings=True)
    assert found.evaluable and found.assignment.evaluation.fold == FoldConfig()  # none has trained


def test_closing_has_a_verdict_and_commands_that_work(
    unnamed: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "my work"
    options = ["--tiny", "--target-precision", "0.3", "--data", str(unnamed), "--out", str(out)]
    assert run(["solve", "moments", *options]) == 0
    printed = capfd.readouterr().out
    assert "copied clip score" in printed and "The finder has MAP 0." in printed
    assert "The final model was then fitted on all ratings" in printed
    first, *_, last = [line for line in printed.splitlines() if line.startswith("  reeltag")]
    assert run([*shlex.split(first)[1:], "--json"]) == 0
    (found,) = json.loads(capfd.readouterr().out)["classes"]
    assert 0 < len(found["moments"]) <= 20 and found["precision"] >= 0.3
    assert "rated classes promise a precision of 0.3" in printed
    assert shlex.split(last)[:3] == ["reeltag", "report", str(out)]
    saved = json.loads((out / "moments.json").read_text())
    good, gains = saved["tables"]
    figures = {line["name"].split(":")[0]: line["ours"][0] for line in good["lines"]}
    best = figures["moment finder"]
    gained = {line["name"]: line["ours"][0] for line in gains["lines"]}
    assert gained["over stage I"] == pytest.approx(best - figures["stage I"])
    copied = figures["copied clip score"]
    assert gained["over the copied clip score"] == pytest.approx(best - copied)
    assert "The finder has MAP" in saved["closing"]
    less = ["--tiny", "--without-ratings", "--data", str(unnamed), "--out", str(out), "--json"]
    assert run(["solve", "moments", *less]) == 0
    gains = json.loads(capfd.readouterr().out)["tables"][1]
    (line,) = gains["lines"]
    assert line["name"] == "over the copied clip score"
    assert line["ours"] == pytest.approx([figures["stage I"] - copied])


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.1, 0.2, "It is better than stage I."),
        (-0.1, 0.1, "Whether it is better than stage I is open"),
        (-0.2, -0.1, "It is worse than stage I"),
        (None, None, "Whether it is better than stage I is open"),
    ],
)
def test_verdict_follows_the_interval(low: float | None, high: float | None, words: str) -> None:
    assert words in verdict(0.5, [("stage I", low, high)], rated=True)
    assert "rate more segments" in verdict(float("nan"), [("stage I", low, high)], rated=True)


def test_finder_is_the_final_run_with_thresholds_of_held_out_ratings(
    unnamed: Path, tmp_path: Path
) -> None:
    options = ["--tiny", "--target-precision", "0.3", "--data", str(unnamed)]
    assert run(["solve", "moments", *options, "--out", str(tmp_path), "--json"]) == 0
    (finder,) = tmp_path.glob("finder-final-*/run")
    (final,) = tmp_path.glob("train-final-*/run")
    for name in ("model.safetensors", "config.json", "classes.csv", "features.json"):
        assert (finder / name).read_bytes() == (final / name).read_bytes()
    assert not (final / "thresholds.json").exists()
    assert find_run(tmp_path) == finder
    thresholds = reeltag.load(tmp_path).thresholds
    assert thresholds is not None and thresholds.precision == 0.3
    table = opened(unnamed).table
    held_out = table.filter(own(unnamed).assignment.evaluation.rows(opened(unnamed)))
    counts = np.bincount(lists_of(held_out, "segment_labels")[1], minlength=4)
    assert [each.num_rated for each in thresholds.classes] == counts.tolist()


def threshold(name: str, **fields: Any) -> ClassThreshold:
    return ClassThreshold(name=name, num_rated=9, **fields)


def test_closing_names_the_classes_that_cannot_reach_the_precision() -> None:
    lost = [threshold(f"lost {n}", reason=f"reason {n}") for n in range(12)]
    classes = (threshold("kept", logit=0.0), *lost, ClassThreshold(name="unrated"))
    text = format_thresholds(Thresholds(precision=0.9, classes=classes))
    assert text.startswith("Thresholds of 1 of 13 rated classes promise a precision of 0.9;")
    assert "  lost 9: reason 9" in text and "lost 10" not in text and "unrated" not in text
    assert text.endswith("and 2 more, in thresholds.json")
    assert format_thresholds(Thresholds(precision=0.9, classes=classes[:1])).endswith("uses them.")


def rated(count: int, score: float = 1.0, videos: int = 10, category: int = 1) -> list[bytes]:
    """Return videos with so many ratings in all, the second half of each rated by the score."""
    each = count // videos
    ratings = [(5 * n, category, 1.0 if n < each // 2 else score) for n in range(each)]
    return [rated_record(f"r{n}", 5 * each, ratings) for n in range(videos)]


def nameless(count: int) -> list[bytes]:
    return [frame_record("", id=[]) for _ in range(count)]


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ({"a": [frame_record("a")]}, "holds no rating of any segment"),
        ({"a": [frame_record("a")], "b": rated(90, 0.0)}, "holds 90 ratings of segments"),
        ({"a": rated(100)}, "all of the 100 ratings are yes"),
        ({"a": rated(100, 0.3)}, "all of the 100 ratings are yes"),  # any score above 0 is a yes
        ({"a": rated(100, 0.0, videos=4)}, "are of 4 videos; one of 5 parts"),
        ({"a": rated(100, 0.0, category=7)}, "outside the vocabulary of 3 classes"),
        ({"a": [video_record("a")]}, "one vector per video"),
        ({"a": [frame_record("a", labels=())], "test": rated(100, 0.0)}, "has a video label"),
        (
            {"a": nameless(4)},
            "none of the 4 records to train on can be used: no id (4)",
        ),
    ],
)
def test_bad_data_raise_with_what_is_needed(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    records: dict[str, Iterable[bytes]],
    words: str,
) -> None:
    (tmp_path / "vocabulary.csv").write_text("Index,Name\n0,a\n1,b\n2,c\n")
    for name, some in records.items():
        write_shard(tmp_path / f"{name}.tfrecord", [*some])
    out = tmp_path / "work"
    command = ["solve", "moments", "--data", str(tmp_path), "--finder", "nextvlad"]
    assert run([*command, "--out", str(out)]) == 2
    printed = " ".join(capfd.readouterr().err.split())
    assert words in printed and "Traceback" not in printed and not out.exists()
    if "ratings are" in words or "holds" in words:
        assert "segment_start_times" in printed and "--without-ratings" in printed


def test_few_videos_are_regressed_frame_by_frame(unnamed: Path, tmp_path: Path) -> None:
    """Labels and ratings at once; the evaluated videos train the final fit alone."""
    config = replace(TINY, finder="auto")
    found, held_out = graph(unnamed, config), evaluated(unnamed)
    fits = {name: step for name, step in found.items() if step.id == "regress_frames"}
    assert set(fits) == {"regress_frames-I", "regress_frames-II", "regress_frames-final"}
    every = set(opened(unnamed).table["id"].to_pylist())
    assert trained_on(unnamed, fits["regress_frames-II"]) == every - held_out
    assert trained_on(unnamed, fits["regress_frames-final"]) == every
    assert fits["regress_frames-I"].config["rated"] is None
    out = tmp_path / "work"
    command = ["solve", "moments", "--data", str(unnamed), "--out", str(out), "--tiny"]
    assert run([*command, "--finder", "frames"]) == 0
    (finder,) = out.glob("finder-final-*/run")
    assert reeltag.load(finder).family == "frame_logistic"


@pytest.mark.parametrize(("rate", "stride"), [(0.5, (5, 10)), (1.0, (5, 10)), (2.0, (10, 20))])
def test_long_videos_train_by_frames_as_far_apart_at_any_rate(
    data: Path, rate: float, stride: tuple[int, int]
) -> None:
    of = replace(own(data), seconds=100.0, rate_hz=rate)
    plan = MomentsPlan(config=TINY, sizes=sizes_for(of, TINY), own=of)
    assert (plan.videos().frames.how, plan.videos().frames.stride_range) == ("stride", stride)
