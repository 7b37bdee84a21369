"""Steps on segments: stopped, moved and resumed; what is evaluated; what must not be learned."""

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
from reeltag.data.synth.config import SynthConfig
from reeltag.data.synth.corpus import write_corpus
from reeltag.models import logistic, nextvlad
from reeltag.papers.common.dataset_source import dataset_source
from reeltag.papers.common.recipe import SplitRecipe
from reeltag.papers.common.splits.assignment import SplitAssignment
from reeltag.papers.common.splits.segments import assign_segment_splits
from reeltag.papers.common.steps.evaluate import score
from reeltag.papers.common.steps.files import read_scores
from reeltag.papers.common.steps.predict import copy_video_scores, predict_segments
from reeltag.papers.common.steps.soft_labels import soft_label_segments
from reeltag.papers.common.steps.train import NEVER, train
from reeltag.pipeline.running import run
from reeltag.pipeline.steps import Step, step
from reeltag.pipeline.store import folder_of, part_of, read_record
from reeltag.predictions.file import open_predictions
from reeltag.soft_labels.storage import SoftLabelRows, open_soft_labels
from reeltag.soft_labels.teacher import TeacherConfig
from reeltag.training.batches import make_batches
from reeltag.training.module import TaggerTraining
from tests.processes import Launch

CONFIG = SynthConfig(
    videos=48, classes=4, rgb=16, audio=4, min_frames=15, max_frames=30, shards=2, held_out=0.25
)
VIDEOS = SplitRecipe(batch_size=8, max_steps=2, validate_every=NEVER)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a corpus whose validate and test videos are rated."""
    folder = tmp_path_factory.mktemp("work") / "data"
    write_corpus(folder, CONFIG, quiet=True)
    return folder


def assigned(data: Path) -> SplitAssignment:
    return assign_segment_splits(Dataset.open(data, quiet=True))


def segment_recipe(data: Path, **changes: int) -> SplitRecipe:
    return replace(VIDEOS, items="segments", splits=assigned(data).rated, **changes)  # type: ignore[arg-type]


def long_training(data: Path) -> Step:
    recipe = SplitRecipe(batch_size=8, max_steps=80, validate_every=40, save_minutes=0.0)
    source = dataset_source(Dataset.open(data, quiet=True))
    model = logistic.Config()
    return step(train, source, name="I", model=model, recipe=recipe)


def trained(out: Path, data: Path, recipe: SplitRecipe, **fields: Path | int) -> Path:
    """Train NeXtVLAD into a folder; `soft__file` is the field soft.file of the recipe."""
    out.mkdir(parents=True, exist_ok=True)
    given = {name.replace("__", "."): value for name, value in fields.items()}
    train(out, data, model=nextvlad.TINY, recipe=recipe, fields=given)
    return out


def soft_labels(out: Path, teacher: Path, data: Path, equal: int = 0) -> Path:
    """Return the file of a teacher's soft labels, written into a folder."""
    out.mkdir()
    choices = TeacherConfig(skip_head=0, skip_tail=0, equal=equal)
    classes = assigned(data).evaluation.classes
    soft_label_segments(out, teacher, data, choices=choices, classes=classes)
    return out / "soft.parquet"


def signalled(number: int, batch: int) -> pytest.MonkeyPatch:
    """Send this process a signal at the start of a training batch, counted from 0."""
    patch, begin = pytest.MonkeyPatch(), TaggerTraining.on_train_batch_start

    def send(self: TaggerTraining, frames: FrameBatch, at: int) -> None:
        begin(self, frames, at)
        if at == batch:
            os.kill(os.getpid(), number)

    patch.setattr(TaggerTraining, "on_train_batch_start", send)
    return patch


def train_until_killed(data: Path, root: Path) -> None:
    """Run the step, and be killed in the middle of it."""
    signalled(signal.SIGKILL, 60)
    run(long_training(data), root)


def test_stopped_training_resumes_to_the_same_weights_after_a_move(
    data: Path, tmp_path: Path
) -> None:
    root, recipe = tmp_path / "a", segment_recipe(data, max_steps=60, log_every=1)
    first = trained(root / "I", data, VIDEOS)
    soft = soft_labels(root / "soft", first, data)
    fields: dict[str, Path | int] = {"init": first / "run", "soft__file": soft, "soft__equal": 3}
    whole = trained(root / "whole", data, recipe, **fields)
    assert not (whole / "run" / "resume.ckpt").exists()

    part = root / "II.part"
    patch = signalled(signal.SIGINT, 20)
    with pytest.raises(KeyboardInterrupt):
        trained(part, data, recipe, **fields)
    patch.undo()
    assert (part / "run" / "resume.ckpt").exists()
    assert not (part / "run" / "metrics.json").exists()

    moved = (root.rename(tmp_path / "b"), shutil.copytree(data, tmp_path / "data"))
    root, elsewhere = moved
    fields |= {"init": root / "I" / "run", "soft__file": root / "soft" / "soft.parquet"}
    part = trained(root / "II.part", elsewhere, recipe, **fields)
    one, other = (load_file(f / "run" / "model.safetensors") for f in (part, root / "whole"))
    assert all((one[name] == other[name]).all() for name in other)
    assert str(part) not in (part / "run" / "metrics.json").read_text()
    before = (part / "run" / "model.safetensors").stat().st_mtime_ns
    trained(part, elsewhere, recipe, init=root / "I" / "run")  # a kill after all was done
    assert (part / "run" / "model.safetensors").stat().st_mtime_ns == before


def test_killed_training_resumes_to_the_same_weights(
    data: Path, tmp_path: Path, launch: Launch
) -> None:
    training = long_training(data)
    part = part_of(training, tmp_path / "killed")
    process = launch(train_until_killed, data, tmp_path / "killed").wait()
    assert process.status == -signal.SIGKILL and (part / "run" / "resume.ckpt").exists()
    assert part.is_dir() and not folder_of(training, tmp_path / "killed").exists()
    for root in ("killed", "whole"):
        run(training, tmp_path / root)
    killed, whole = (folder_of(training, tmp_path / root) for root in ("killed", "whole"))
    record = read_record(killed)
    assert record is not None and record.sessions == 2
    one, other = (load_file(folder / "run" / "model.safetensors") for folder in (killed, whole))
    assert one.keys() == other.keys() and all((one[name] == other[name]).all() for name in one)


def test_equal_soft_labels_are_the_same_drawn_before_or_after_scoring(
    data: Path, tmp_path: Path
) -> None:
    teacher = trained(tmp_path / "I", data, VIDEOS)
    original = open_soft_labels(soft_labels(tmp_path / "original", teacher, data))
    equal = open_soft_labels(soft_labels(tmp_path / "equal", teacher, data, equal=3))
    after, before = (
        SoftLabelRows.concatenate(original.drawn(3)),
        SoftLabelRows.concatenate(equal.drawn(3)),
    )
    assert len(before) == len(equal.read()) < len(original.read())
    assert after.ids.equals(before.ids) and after.starts.tolist() == before.starts.tolist()
    assert after.probs == pytest.approx(before.probs, abs=1e-6)


def test_copied_scores_are_the_videos_for_each_segment(data: Path, tmp_path: Path) -> None:
    teacher, evaluation = trained(tmp_path / "I", data, VIDEOS), assigned(data).evaluation
    for name in ("predicted", "copied", "scores"):
        (tmp_path / name).mkdir()
    predict_segments(tmp_path / "predicted", teacher, data, evaluation=evaluation, videos=True)
    copy_video_scores(tmp_path / "copied", tmp_path / "predicted")
    of_video: dict[str, dict[int, float]] = {}
    predicted, copied = (
        open_predictions(tmp_path / name / "predictions.parquet")
        for name in ("predicted", "copied")
    )
    for rows in predicted.rows("videos"):
        for at, name in enumerate(rows.ids.to_pylist()):
            here = slice(rows.indptr[at], rows.indptr[at + 1])
            pairs = zip(rows.classes[here].tolist(), rows.scores[here].tolist(), strict=True)
            of_video[name] = dict(pairs)
    assert not copied.holds("videos")
    (rows,), (given,) = copied.rows("segments"), predicted.rows("segments")
    assert rows.ids.equals(given.ids) and rows.starts.tolist() == given.starts.tolist()
    assert len(rows) > len(of_video) > 1
    for row, category, found in zip(
        rows.row_of_entry(), rows.classes.tolist(), rows.scores.tolist(), strict=True
    ):
        assert found == of_video[rows.ids[int(row)].as_py()][category]
    score(tmp_path / "scores", tmp_path / "copied", data, evaluation=evaluation, bootstrap=10)
    scores = read_scores(tmp_path / "scores")
    assert 0 < scores["map@k"] <= 1 and scores["videos_without_prediction"] == 0


def test_fold_is_evaluated_and_held_out_where_test_is_unrated(data: Path, tmp_path: Path) -> None:
    unrated = shutil.copytree(data, tmp_path / "data", ignore=shutil.ignore_patterns("test*"))
    opened = Dataset.open(unrated, quiet=True)
    found = assign_segment_splits(opened, folds=3)
    ids = opened.table["id"]
    evaluated = set(ids.filter(found.evaluation.rows(opened)).to_pylist())
    recipe = replace(segment_recipe(data), splits=found.rated, fold=found.fold, batch_size=1)
    items = make_batches(opened.with_splits(recipe.splits), recipe).items
    seen = set(items.ids(np.arange(len(items))))
    rated = {name for name in ids.to_pylist() if name in evaluated | seen}
    assert not evaluated & seen and len(evaluated) == pytest.approx(len(rated) / 3, abs=1)
    model = trained(tmp_path / "model", unrated, recipe)
    for name in ("predicted", "scores"):
        (tmp_path / name).mkdir()
    evaluation = found.evaluation
    predict_segments(tmp_path / "predicted", model, unrated, evaluation=evaluation)
    score(tmp_path / "scores", tmp_path / "predicted", unrated, evaluation=evaluation, bootstrap=10)
    assert read_scores(tmp_path / "scores")["videos"] == len(evaluated)


def test_training_raises_for_soft_labels_of_other_data(data: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    write_corpus(other, replace(CONFIG, seed=1), quiet=True)
    teacher = trained(tmp_path / "I", other, VIDEOS)
    soft = soft_labels(tmp_path / "soft", teacher, other)
    with pytest.raises(DataError, match="Take the soft labels of these data"):
        trained(tmp_path / "II", data, segment_recipe(data), soft__file=soft)
