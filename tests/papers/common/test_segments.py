"""Steps of solutions: stopped, moved and gone on with; who judges; what must not be learned."""

import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from reeltag.core.batch import FrameBatch
from reeltag.core.errors import DataError
from reeltag.data.dataset import Dataset
from reeltag.data.index import open_index
from reeltag.data.synth.config import SynthConfig
from reeltag.data.synth.corpus import write_corpus
from reeltag.models import logistic, nextvlad
from reeltag.papers.common.data_source import data_source
from reeltag.papers.common.splits.segments import Roles, roles
from reeltag.papers.common.work.evaluation import score
from reeltag.papers.common.work.files import read_scores
from reeltag.papers.common.work.segments import copy_video_scores, predict_segments, soften
from reeltag.papers.common.work.training import NEVER, train
from reeltag.pipeline.running import run
from reeltag.pipeline.steps import Step, step
from reeltag.pipeline.store import folder_of, part_of, read_record
from reeltag.predictions.file import open_predictions
from reeltag.soft_labels.storage import SoftLabelRows, open_soft_labels
from reeltag.soft_labels.teacher import TeacherConfig
from reeltag.training.batches import make_batches
from reeltag.training.config import Recipe
from reeltag.training.module import TaggerTraining
from tests.processes import Launch

CONFIG = SynthConfig(
    videos=48, classes=4, rgb=16, audio=4, min_frames=15, max_frames=30, shards=2, held_out=0.25
)
VIDEOS = Recipe(batch_size=8, max_steps=2, validate_every=NEVER)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus whose validate and test videos are rated."""
    folder = tmp_path_factory.mktemp("work") / "data"
    write_corpus(folder, CONFIG, quiet=True)
    return folder


def of(data: Path) -> Roles:
    return roles(open_index(data, quiet=True))


def segment_recipe(data: Path, **changes: int) -> Recipe:
    return replace(VIDEOS, items="segments", splits=of(data).rated, **changes)  # type: ignore[arg-type]


def begun(data: Path) -> Step:
    recipe = Recipe(batch_size=8, max_steps=80, validate_every=40, save_minutes=0.0)
    given = data_source(data, open_index(data, quiet=True))
    model = logistic.Config()
    return step(train, given, name="I", model=model, recipe=recipe)


def learn(out: Path, data: Path, recipe: Recipe, **how: object) -> Path:
    out.mkdir(parents=True, exist_ok=True)
    train(out, data, model=nextvlad.TINY, recipe=recipe, **how)  # type: ignore[arg-type]
    return out


def ask(out: Path, teacher: Path, data: Path, equal: int = 0) -> Path:
    out.mkdir()
    choices = TeacherConfig(skip_head=0, skip_tail=0, equal=equal)
    soften(out, teacher, data, choices=choices, classes=of(data).judges.classes)
    return out


def signalled(number: int, batch: int) -> pytest.MonkeyPatch:
    """Send this process a signal at the start of a training batch, counted from 0."""
    patch, begin = pytest.MonkeyPatch(), TaggerTraining.on_train_batch_start

    def send(self: TaggerTraining, frames: FrameBatch, at: int) -> None:
        begin(self, frames, at)
        if at == batch:
            os.kill(os.getpid(), number)

    patch.setattr(TaggerTraining, "on_train_batch_start", send)
    return patch


def make_until_killed(data: Path, root: Path) -> None:
    """Make the step, and be killed in the middle of it."""
    signalled(signal.SIGKILL, 60)
    run(begun(data), root)


def test_a_stopped_training_goes_on_to_the_same_weights_wherever_it_was_moved(
    data: Path, tmp_path: Path
) -> None:
    root, recipe = tmp_path / "a", segment_recipe(data, max_steps=60, log_every=1)
    first = learn(root / "I", data, VIDEOS)
    soft = ask(root / "soft", first, data)
    whole = learn(root / "whole", data, recipe, start=first, soft=soft, equal=3)
    assert not (whole / "run" / "resume.ckpt").exists()

    part = root / "II.part"
    patch = signalled(signal.SIGINT, 20)
    with pytest.raises(KeyboardInterrupt):
        learn(part, data, recipe, start=first, soft=soft, equal=3)
    patch.undo()
    assert (part / "run" / "resume.ckpt").exists()
    assert not (part / "run" / "metrics.json").exists()

    moved = (root.rename(tmp_path / "b"), shutil.copytree(data, tmp_path / "data"))
    root, elsewhere = moved
    part = learn(root / "II.part", elsewhere, recipe, start=root / "I", soft=root / "soft", equal=3)
    one, other = (load_file(f / "run" / "model.safetensors") for f in (part, root / "whole"))
    assert all((one[name] == other[name]).all() for name in other)
    assert str(part) not in (part / "run" / "metrics.json").read_text()
    before = (part / "run" / "model.safetensors").stat().st_mtime_ns
    learn(part, elsewhere, recipe, start=root / "I")  # a kill after all was done
    assert (part / "run" / "model.safetensors").stat().st_mtime_ns == before


def test_a_training_killed_in_the_middle_goes_on_to_the_same_weights(
    data: Path, tmp_path: Path, launch: Launch
) -> None:
    made = begun(data)
    part = part_of(made, tmp_path / "killed")
    process = launch(make_until_killed, data, tmp_path / "killed").wait()
    assert process.status == -signal.SIGKILL and (part / "run" / "resume.ckpt").exists()
    assert part.is_dir() and not folder_of(made, tmp_path / "killed").exists()
    for root in ("killed", "whole"):
        run(made, tmp_path / root)
    killed, whole = (folder_of(made, tmp_path / root) for root in ("killed", "whole"))
    record = read_record(killed)
    assert record is not None and record.sessions == 2
    one, other = (load_file(folder / "run" / "model.safetensors") for folder in (killed, whole))
    assert one.keys() == other.keys() and all((one[name] == other[name]).all() for name in one)


def test_what_is_equal_is_the_same_whether_drawn_before_or_after_asking(
    data: Path, tmp_path: Path
) -> None:
    teacher = learn(tmp_path / "I", data, VIDEOS)
    original = open_soft_labels(ask(tmp_path / "original", teacher, data) / "soft.parquet")
    equal = open_soft_labels(ask(tmp_path / "equal", teacher, data, equal=3) / "soft.parquet")
    after, before = (
        SoftLabelRows.concatenate(original.drawn(3)),
        SoftLabelRows.concatenate(equal.drawn(3)),
    )
    assert len(before) == len(equal.read()) < len(original.read())
    assert after.ids.equals(before.ids) and after.starts.tolist() == before.starts.tolist()
    assert after.probs == pytest.approx(before.probs, abs=1e-6)


def test_copied_scores_are_those_of_the_video_for_each_segment(data: Path, tmp_path: Path) -> None:
    teacher, judges = learn(tmp_path / "I", data, VIDEOS), of(data).judges
    for name in ("said", "copied", "scores"):
        (tmp_path / name).mkdir()
    predict_segments(tmp_path / "said", teacher, data, judges=judges, videos=True)
    copy_video_scores(tmp_path / "copied", tmp_path / "said")
    of_video: dict[str, dict[int, float]] = {}
    said, copied = (
        open_predictions(tmp_path / name / "predictions.parquet") for name in ("said", "copied")
    )
    for rows in said.rows("videos"):
        for at, name in enumerate(rows.ids.to_pylist()):
            here = slice(rows.indptr[at], rows.indptr[at + 1])
            pairs = zip(rows.classes[here].tolist(), rows.scores[here].tolist(), strict=True)
            of_video[name] = dict(pairs)
    assert not copied.holds("videos")
    (rows,), (given,) = copied.rows("segments"), said.rows("segments")
    assert rows.ids.equals(given.ids) and rows.starts.tolist() == given.starts.tolist()
    assert len(rows) > len(of_video) > 1
    for row, category, found in zip(
        rows.row_of_entry(), rows.classes.tolist(), rows.scores.tolist(), strict=True
    ):
        assert found == of_video[rows.ids[int(row)].as_py()][category]
    score(tmp_path / "scores", tmp_path / "copied", data, judges=judges, bootstrap=10)
    scores = read_scores(tmp_path / "scores")
    assert 0 < scores["map@k"] <= 1 and scores["videos_without_prediction"] == 0


def test_where_test_is_not_rated_a_fold_judges_and_does_not_teach(
    data: Path, tmp_path: Path
) -> None:
    unrated = shutil.copytree(data, tmp_path / "data", ignore=shutil.ignore_patterns("test*"))
    index = open_index(unrated, quiet=True)
    found = roles(index, folds=3)
    judge = set(index.table["id"].filter(found.judges.rows(index)).to_pylist())
    recipe = replace(segment_recipe(data), splits=found.rated, fold=found.fold, batch_size=1)
    items = make_batches(Dataset.open(unrated, quiet=True), recipe).items
    taught = set(items.ids(np.arange(len(items))))
    rated = {name for name in index.table["id"].to_pylist() if name in judge | taught}
    assert not judge & taught and len(judge) == pytest.approx(len(rated) / 3, abs=1)
    model = learn(tmp_path / "model", unrated, recipe)
    for name in ("said", "scores"):
        (tmp_path / name).mkdir()
    predict_segments(tmp_path / "said", model, unrated, judges=found.judges)
    score(tmp_path / "scores", tmp_path / "said", unrated, judges=found.judges, bootstrap=10)
    assert read_scores(tmp_path / "scores")["videos"] == len(judge)


def test_soft_labels_of_other_data_are_refused(data: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    write_corpus(other, replace(CONFIG, seed=1), quiet=True)
    teacher = learn(tmp_path / "I", other, VIDEOS)
    soft = ask(tmp_path / "soft", teacher, other)
    with pytest.raises(DataError, match="Take the soft labels of these data"):
        learn(tmp_path / "II", data, segment_recipe(data), soft=soft)
