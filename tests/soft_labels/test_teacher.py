"""A teacher's soft labels: its probabilities of the segments that were drawn, and no others."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from reeltag.core.errors import ConfigError, DataError, OutputError
from reeltag.data.dataset import Dataset
from reeltag.data.shards import read_record
from reeltag.data.synth.config import SynthConfig
from reeltag.data.synth.corpus import write_corpus
from reeltag.inference.predict import predict
from reeltag.inference.scoring import InferenceConfig
from reeltag.inference.stream import Output
from reeltag.soft_labels.conversion import convert_predictions, draw_soft_labels
from reeltag.soft_labels.storage import SoftLabelRows, open_soft_labels
from reeltag.soft_labels.teacher import TeacherConfig, chosen_segments, write_soft_labels
from tests.inference.scored import Row, write_rows
from tests.inference.test_predict import make_tagger

CORPUS = SynthConfig(videos=40, classes=12, rgb=16, audio=8, min_frames=3, max_frames=99, shards=3)
HERE = TeacherConfig(device="cpu")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("soft") / "corpus"
    write_corpus(path, CORPUS, quiet=True)
    return path


@pytest.fixture(scope="module")
def dataset(corpus: Path) -> Dataset:
    torch.set_num_threads(1)
    return Dataset.open(corpus, jobs=1, quiet=True)


def rows_of(path: Path) -> SoftLabelRows:
    return open_soft_labels(path).read()


def same(one: SoftLabelRows, other: SoftLabelRows) -> bool:
    """Return whether two are equal, but for float32 sums of batches of another size."""
    assert one.probs == pytest.approx(other.probs, abs=1e-6)
    probs = np.zeros_like(one.probs)
    return bool(
        dataclasses.replace(one, values=probs)
        .to_arrow()
        .equals(dataclasses.replace(other, values=probs).to_arrow())
    )


def labels_of(dataset: Dataset) -> dict[str, tuple[int, list[int]]]:
    """Return frames and labels of every video."""
    columns = dataset.table.select(["id", "frames", "labels"]).to_pylist()
    return {of["id"]: (of["frames"], of["labels"]) for of in columns}


@pytest.mark.parametrize(("head", "tail"), [(6, 2), (0, 0)])
def test_soft_labels_are_of_the_drawn_segments_and_labels(
    dataset: Dataset, tmp_path: Path, head: int, tail: int
) -> None:
    choices = dataclasses.replace(HERE, skip_head=head, skip_tail=tail)
    outcome = write_soft_labels(make_tagger(), dataset, tmp_path / "s", choices, split="all")
    rows = rows_of(tmp_path / "s")
    assert outcome.rows == {"segments": len(rows)} and len(rows) > 40
    names = np.array(rows.ids.to_pylist())
    for name, (frames, labels) in labels_of(dataset).items():
        mine = np.flatnonzero(names == name)
        grid = range(5 * head, 5 * (-(-frames // 5) - tail), 5)
        starts = [start for start in grid if start + 5 <= frames]
        assert len(mine) == min(2 * len(labels), len(starts))
        assert len(set(rows.starts[mine])) == len(mine) and set(rows.starts[mine]) <= set(starts)
        assert set(rows.drawn_for[mine]) <= set(labels)
        for row in mine:
            assert rows.classes[rows.indptr[row] : rows.indptr[row + 1]].tolist() == labels
    assert ((rows.probs > 0) & (rows.probs < 1)).all()


def test_soft_probs_are_the_teachers_for_the_segment_alone(
    dataset: Dataset, tmp_path: Path
) -> None:
    tagger = make_tagger()
    write_soft_labels(tagger, dataset, tmp_path / "s", HERE, split="all")
    rows, names = rows_of(tmp_path / "s"), dataset.table["id"].to_pylist()
    for row in range(0, len(rows), 5):
        streams = read_record(dataset.index, names.index(rows.ids[row].as_py()))
        start = int(rows.starts[row])
        frames = np.concatenate([streams["rgb"], streams["audio"]], axis=1)[start : start + 5]
        expected = {tag.index: tag.prob for tag in tagger.predict(frames, top_k=12)}
        pairs = slice(rows.indptr[row], rows.indptr[row + 1])
        for of, prob in zip(rows.classes[pairs], rows.probs[pairs], strict=True):
            assert prob == pytest.approx(expected[of], abs=1e-6)


def test_soft_labels_are_independent_of_batch_size(dataset: Dataset, tmp_path: Path) -> None:
    for name, changes in (("a", {}), ("b", {"batch_size": 7}), ("c", {"seed": 1})):
        choices = dataclasses.replace(HERE, **changes)  # type: ignore[arg-type]
        write_soft_labels(make_tagger(), dataset, tmp_path / name, choices)
    assert same(rows_of(tmp_path / "a"), rows_of(tmp_path / "b"))
    a, c = rows_of(tmp_path / "a"), rows_of(tmp_path / "c")
    assert a.starts.tolist() != c.starts.tolist()
    again = tmp_path / "again"
    write_soft_labels(make_tagger(), dataset, again, HERE)
    assert again.read_bytes() == (tmp_path / "a").read_bytes()


def test_equal_draw_is_the_same_before_and_after_scoring(dataset: Dataset, tmp_path: Path) -> None:
    classes = (0, 1, 2, 3, 4)
    equal = dataclasses.replace(HERE, equal=3)
    common = {"split": "all", "segment_classes": classes}
    write_soft_labels(make_tagger(), dataset, tmp_path / "all", HERE, **common)  # type: ignore[arg-type]
    write_soft_labels(make_tagger(), dataset, tmp_path / "few", equal, **common)  # type: ignore[arg-type]
    draw_soft_labels(tmp_path / "all", tmp_path / "drawn", 3)
    every, few, drawn = (rows_of(tmp_path / name) for name in ("all", "few", "drawn"))
    assert same(few, drawn)
    for of in range(12):
        pool = int((every.drawn_for == of).sum())
        assert (few.drawn_for == of).sum() == (min(3, pool) if of in classes else 0)
    assert set(few.classes) <= set(classes) and not set(every.classes) <= set(classes)
    draw_soft_labels(tmp_path / "all", tmp_path / "kept", 3, keep_outside=True)
    assert set(rows_of(tmp_path / "kept").drawn_for) == set(every.drawn_for)


def test_soft_labels_resume_where_they_were_interrupted(dataset: Dataset, tmp_path: Path) -> None:
    choices = dataclasses.replace(HERE, batch_size=8)
    write_soft_labels(make_tagger(), dataset, tmp_path / "whole", choices)
    tagger, calls = make_tagger(), []

    def fail_late(*_: object) -> None:
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt

    hook, out = tagger.register_forward_hook(fail_late), tmp_path / "s"
    with pytest.raises(KeyboardInterrupt):
        write_soft_labels(tagger, dataset, Output(out, part_seconds=0), choices)
    hook.remove()
    assert not out.exists()
    with pytest.raises(ConfigError, match="other settings is kept here: segments"):
        write_soft_labels(tagger, dataset, out, dataclasses.replace(choices, seed=5))
    outcome = write_soft_labels(tagger, dataset, out, choices)
    assert outcome.resumed_at == 24 and same(rows_of(out), rows_of(tmp_path / "whole"))
    assert not (tmp_path / "s.parts").exists()


def test_soft_labels_raise_for_nan_logits(dataset: Dataset, tmp_path: Path) -> None:
    tagger = make_tagger()
    next(tagger.model.parameters()).data.fill_(float("nan"))
    with pytest.raises(DataError, match="not a number"):
        write_soft_labels(tagger, dataset, tmp_path / "s", HERE)
    assert not list(tmp_path.iterdir())


def test_soft_labels_log_videos_too_short_to_draw_from(dataset: Dataset, tmp_path: Path) -> None:
    choices = dataclasses.replace(HERE, skip_head=30)
    with pytest.raises(ConfigError, match=r"no segment can be drawn(.|\n)*--skip-head 0"):
        write_soft_labels(make_tagger(), dataset, tmp_path / "s", choices)


def test_soft_labels_log_videos_that_are_rated(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    monkeypatch.setattr("reeltag.soft_labels.teacher.say", lines.append)
    chosen_segments(dataset, HERE, split="train")
    assert not any("have rated segments already" in line for line in lines)
    chosen_segments(dataset, HERE, split="validate")
    assert any("have rated segments already" in line for line in lines)


def test_soft_labels_raise_for_classes_without_videos(tmp_path: Path) -> None:
    write_corpus(tmp_path / "data", dataclasses.replace(CORPUS, videos=3, shards=1), quiet=True)
    few = Dataset.open(tmp_path / "data", jobs=1, quiet=True)
    unused = set(range(12)) - {of for _, labels in labels_of(few).values() for of in labels}
    choices = dataclasses.replace(HERE, equal=3, skip_head=0, skip_tail=0)
    with pytest.raises(ConfigError, match=r"no segment is drawn for any(.|\n)*--keep-outside"):
        write_soft_labels(
            make_tagger(), few, tmp_path / "s", choices, segment_classes=(min(unused),), split="all"
        )


def test_soft_labels_of_videos_keep_the_best_classes(dataset: Dataset, tmp_path: Path) -> None:
    choices = dataclasses.replace(HERE, videos=True, top_k=4)
    write_soft_labels(make_tagger(), dataset, tmp_path / "s", choices)
    predict(make_tagger(), dataset, tmp_path / "p", InferenceConfig(device="cpu"), split="train")
    convert_predictions([tmp_path / "p"], dataset, tmp_path / "t", top_k=4)
    rows = rows_of(tmp_path / "s")
    assert set(rows.counts()) == {4} and set(rows.starts) == {-1}
    assert same(rows, rows_of(tmp_path / "t"))
    assert open_soft_labels(tmp_path / "s").info.class_names == tuple(make_tagger().class_names)


def test_soft_labels_raise_for_an_existing_file(dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "s").write_text("precious")
    with pytest.raises(OutputError, match="exists already"):
        write_soft_labels(make_tagger(), dataset, tmp_path / "s", HERE)
    write_soft_labels(make_tagger(), dataset, Output(tmp_path / "s", overwrite=True), HERE)
    assert len(rows_of(tmp_path / "s"))


def test_convert_predictions_joins_folds(
    dataset: Dataset, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    names = [of for of in dataset.table["id"].to_pylist() if of.startswith("train")]
    files = []
    for part in range(3):
        predicted: list[Row] = [(name, None, {1: 2.0, 5: -1.0}) for name in names[part::3]]
        files.append(write_rows(tmp_path / f"p{part}", predicted, num_classes=12))
    convert_predictions(files, dataset, tmp_path / "s")
    rows = rows_of(tmp_path / "s")
    assert sorted(rows.ids.to_pylist()) == sorted(names)
    assert rows.probs[:2] == pytest.approx([1 / (1 + np.exp(-2)), 1 / (1 + np.exp(1))])
    assert f"{len(names)} of the {len(names)} videos of the split 'train'" in capfd.readouterr().err
    convert_predictions(files[:2], dataset, tmp_path / "t")
    line = f"{len(names) - len(names[2::3])} of the {len(names)} videos"
    assert line in capfd.readouterr().err
    rated: list[Row] = [(names[0], None, {1: 2.0}), (names[0], 5, {1: 2.0})]
    both = write_rows(tmp_path / "b", rated, num_classes=12)
    convert_predictions([both], dataset, tmp_path / "u")
    assert rows_of(tmp_path / "u").starts.tolist() == [-1]
    assert "only its whole videos become soft labels" in capfd.readouterr().err


def test_convert_predictions_raises_where_files_do_not_fit(
    dataset: Dataset, tmp_path: Path
) -> None:
    names = dataset.table["id"].to_pylist()
    out = tmp_path / "s"

    def file(name: str, ids: list[str], start: int | None = None, num_classes: int = 12) -> Path:
        rows = [(of, start, {1: 0.5}) for of in ids]
        return write_rows(tmp_path / name, rows, num_classes=num_classes)

    one = file("one", names[:4])
    with pytest.raises(DataError, match=f"two: the video '{names[3]}' is there also in .*one"):
        convert_predictions([one, file("two", names[3:6])], dataset, out)
    with pytest.raises(DataError, match=f"three: the video '{names[5]}' is there twice"):
        convert_predictions([file("three", [names[5]] * 2)], dataset, out)
    with pytest.raises(DataError, match="not in .*: 'x', 'y', 'z', ..."):
        convert_predictions([file("four", [names[0], *"xyzq"])], dataset, out)
    with pytest.raises(DataError, match="has 11 classes; .* has 12"):
        convert_predictions([file("five", names[:1], num_classes=11)], dataset, out)
    with pytest.raises(DataError, match="holds no whole videos(.|\n)*reeltag soft-labels RUN"):
        convert_predictions([file("six", names[:1], start=5)], dataset, out)
    assert not out.exists()


def test_video_in_two_shards_is_drawn_from_once(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for name in ("train0000", "train0007"):
        shard = (corpus / "train0000.tfrecord").read_bytes()
        (tmp_path / "data" / f"{name}.tfrecord").write_bytes(shard)
    twice = Dataset.open(tmp_path / "data", jobs=1, quiet=True)
    items, _ = chosen_segments(twice, HERE, split="all")
    keys = list(zip(items.ids(np.arange(len(items))), items.first, strict=True))
    assert len(set(keys)) == len(keys) > 0
