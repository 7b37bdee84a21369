"""A checkpoint over a data set: from the shards to the file, resume, and errors."""

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from reeltag.core.errors import ConfigError, DataError, OutputError
from reeltag.data.dataset import Dataset
from reeltag.data.folding import held_out_rows
from reeltag.data.shards import read_record
from reeltag.data.splits import Splits
from reeltag.data.synth.config import SynthConfig
from reeltag.data.synth.corpus import write_corpus
from reeltag.inference.policy import SegmentPolicy
from reeltag.inference.predict import predict
from reeltag.inference.scoring import InferenceConfig
from reeltag.inference.stream import Output
from reeltag.labels.folds import FoldConfig
from reeltag.models import nextvlad
from reeltag.predictions.file import open_predictions
from reeltag.tagger.tagger import Tagger
from tests.inference.test_stream import pairs, rows_in_order

CORPUS = SynthConfig(videos=60, classes=12, rgb=16, audio=8, min_frames=3, max_frames=33, shards=3)
CPU = InferenceConfig(device="cpu")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "corpus"
    write_corpus(path, CORPUS, quiet=True)
    return path


@pytest.fixture(scope="module")
def dataset(corpus: Path) -> Dataset:
    return Dataset.open(corpus, jobs=1, quiet=True)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def make_tagger(
    num_classes: int = 12, streams: tuple[tuple[str, int], ...] = (("rgb", 16), ("audio", 8))
) -> Tagger:
    """Return a NeXtVLAD whose batch norms have statistics."""
    torch.manual_seed(0)
    config = dataclasses.replace(
        nextvlad.TINY, num_classes=num_classes, dims=tuple(width for _, width in streams)
    )
    names = [f"class {c}" for c in range(num_classes)]
    tagger = Tagger(config, streams, names)
    frames = torch.randint(0, 256, (8, 20, sum(config.dims)), dtype=torch.uint8)
    for _ in range(3):
        tagger.train()(frames, torch.ones(8, 20, dtype=torch.bool))
    return tagger


def test_predict_raises_for_another_class_list(
    dataset: Dataset, corpus: Path, tmp_path: Path
) -> None:
    tagger = make_tagger()  # its classes are numbered: they fit any names
    predict(tagger, dataset, tmp_path / "numbered", CPU)
    tagger.class_names = ("class 0", "Zebra", *tagger.class_names[2:])
    with pytest.raises(DataError, match=r"class 1 is '.*'; in the checkpoint it is 'Zebra'"):
        predict(tagger, dataset, tmp_path / "p", CPU)
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_predict_is_independent_of_batch_size(
    dataset: Dataset, tmp_path: Path, batch_size: int
) -> None:
    choices = InferenceConfig(segments=True, device="cpu")
    predict(make_tagger(), dataset, tmp_path / "a", choices, split="all")
    choices = dataclasses.replace(choices, batch_size=batch_size)
    predict(make_tagger(), dataset, tmp_path / "b", choices, split="all")
    for kind in ("videos", "segments"):
        expected, found = pairs(tmp_path / "a", kind), pairs(tmp_path / "b", kind)
        assert found == pytest.approx(expected, abs=1e-5)
        assert rows_in_order(found) == rows_in_order(expected)


def test_predict_matches_the_tagger_on_single_videos(dataset: Dataset, tmp_path: Path) -> None:
    tagger = make_tagger()
    outcome = predict(tagger, dataset, tmp_path / "p", InferenceConfig(segments=True, device="cpu"))
    videos, segments = pairs(tmp_path / "p", "videos"), pairs(tmp_path / "p", "segments")
    names = dataset.table["id"].to_pylist()
    mine = sorted({name for name, _, _ in videos})
    assert len(mine) == outcome.videos == 9
    for name in mine:
        streams = read_record(dataset.index, names.index(name))
        frames = np.concatenate([streams["rgb"], streams["audio"]], axis=1)
        cuts = {-1: frames} | {t: frames[t : t + 5] for t in range(0, len(frames), 5)}
        for start, cut in cuts.items():
            found = videos if start < 0 else segments
            expected = {tag.index: tag.prob for tag in tagger.predict(cut, top_k=12)}
            probs = {c: 1 / (1 + np.exp(-found[name, start, c])) for c in range(12)}
            assert probs == pytest.approx(expected, abs=1e-5)
    assert len(segments) == 12 * outcome.rows["segments"]


def test_prediction_info_names_run_data_and_split(dataset: Dataset, tmp_path: Path) -> None:
    choices = InferenceConfig(segments=True, top_k=3, segment_classes=(2, 5), device="cpu")
    predict(make_tagger(), dataset, tmp_path / "p", choices, split="validate", run=Path("RUN"))
    about = open_predictions(tmp_path / "p").info
    assert (about.num_classes, about.top_k, about.segment_top_k) == (12, 3, 2)
    assert (about.family, about.split, about.data) == ("nextvlad", "validate", str(dataset.root))
    assert about.run == str(Path("RUN").resolve())
    assert (about.device, about.batch_size) == ("cpu", choices.batch_size)


def test_predict_selects_shards_by_pattern(dataset: Dataset, tmp_path: Path) -> None:
    only = dataset.with_splits(Splits(test="train0001"))
    predict(make_tagger(), only, tmp_path / "p", CPU)
    found = {name for name, _, _ in pairs(tmp_path / "p", "videos")}
    shard = dataset.shards.index("train0001.tfrecord")
    mine = dataset.table.filter(np.asarray(dataset.table["shard"]) == shard)
    assert found == set(mine["id"].to_pylist())


def test_predict_reads_the_streams_of_the_tagger(dataset: Dataset, tmp_path: Path) -> None:
    predict(make_tagger(streams=(("audio", 8),)), dataset, tmp_path / "p", CPU)
    assert len(pairs(tmp_path / "p", "videos")) == 9 * 12


def interrupt(tagger: Tagger, batches: int) -> None:
    """Let the tagger interrupt the run, once, at the batch after so many."""
    calls: list[int] = []

    def fail_late(*_: object) -> None:
        calls.append(1)
        if len(calls) > batches:
            hook.remove()
            raise KeyboardInterrupt

    hook = tagger.register_forward_hook(fail_late)


def test_predict_resumes_with_the_rows_of_its_fold_alone(dataset: Dataset, tmp_path: Path) -> None:
    rows = held_out_rows(dataset, FoldConfig(count=2, hold_out=1))
    choices, tagger, out = dataclasses.replace(CPU, batch_size=4), make_tagger(), tmp_path / "p"
    interrupt(tagger, 3)
    with pytest.raises(KeyboardInterrupt):
        predict(tagger, dataset, Output(out, part_seconds=0), choices, split="train", rows=rows)
    assert predict(tagger, dataset, out, choices, split="train", rows=rows).resumed_at == 12
    found = rows_in_order(pairs(out, "videos"))
    assert sorted(name for name, _ in found) == sorted(dataset.table["id"].filter(rows).to_pylist())


@pytest.mark.parametrize("per_class", [0, 15])
def test_predict_resumes_where_it_was_interrupted(
    dataset: Dataset, tmp_path: Path, per_class: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    choices = InferenceConfig(segments=True, batch_size=4, per_class=per_class, device="cpu")
    predict(make_tagger(), dataset, tmp_path / "whole", choices, split="all")
    tagger, out = make_tagger(), tmp_path / "p"
    interrupt(tagger, 10)
    with pytest.raises(KeyboardInterrupt):
        predict(tagger, dataset, Output(out, part_seconds=0), choices, split="all")
    other = make_tagger()
    other.model.state_dict()[next(iter(other.model.state_dict()))].add_(1)
    with pytest.raises(ConfigError, match=r"other settings is kept here: weights"):
        predict(other, dataset, out, choices, split="all")
    with pytest.raises(ConfigError, match="records"):
        predict(tagger, dataset, out, choices, split="train")
    with pytest.raises(ConfigError, match="batch_size 4 there, 9 now"):
        predict(tagger, dataset, out, dataclasses.replace(choices, batch_size=9), split="all")
    monkeypatch.setattr(InferenceConfig, "device_name", lambda _: "cuda (another)")
    with pytest.raises(ConfigError, match=r"device .*cpu.* there, .*cuda \(another\).* now"):
        predict(tagger, dataset, out, choices, split="all")
    monkeypatch.undo()
    outcome = predict(tagger, dataset, out, choices, split="all")
    assert outcome.resumed_at > 0 and outcome.resumed_at % 4 == 0
    for kind in ("videos", "segments"):
        assert pairs(out, kind) == pairs(tmp_path / "whole", kind)  # to the bit


def test_predict_counts_broken_records(corpus: Path, tmp_path: Path) -> None:
    shutil.copytree(corpus, tmp_path / "corpus", ignore=shutil.ignore_patterns(".reeltag"))
    shard = tmp_path / "corpus" / "test0000.tfrecord"
    data = bytearray(shard.read_bytes())
    data[200] ^= 0xFF
    shard.write_bytes(data)
    broken = Dataset.open(tmp_path / "corpus", jobs=1, quiet=True)
    outcome = predict(make_tagger(), broken, tmp_path / "p", CPU)
    assert (outcome.videos, outcome.skipped) == (8, 1)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"num_classes": 13}, "has 12 classes; the checkpoint has 13"),
        (
            {"streams": (("rgb", 16), ("audio", 9))},
            r"streams rgb \(16\), audio \(9\); the data hold rgb \(16\), audio \(8\)",
        ),
        ({"streams": (("depth", 8),)}, r"depth \(8\); the data hold rgb"),
    ],
)
def test_predict_raises_for_other_streams_before_reading(
    dataset: Dataset, tmp_path: Path, changes: dict[str, Any], rule: str
) -> None:
    with pytest.raises((ConfigError, DataError), match=rule):
        predict(make_tagger(**changes), dataset, tmp_path / "p", CPU)
    assert list(tmp_path.iterdir()) == []


def test_predict_accepts_fewer_classes_without_class_list(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    shutil.copy(corpus / "test0000.tfrecord", tmp_path / "a" / "b" / "c")
    bare = Dataset.open(tmp_path / "a" / "b" / "c", jobs=1, quiet=True)
    predict(make_tagger(num_classes=40), bare, tmp_path / "p", CPU)
    with pytest.raises(DataError, match="classes; the checkpoint has 1"):
        predict(make_tagger(num_classes=1), bare, tmp_path / "q", CPU)


def test_predict_raises_for_segments_of_video_level_data(tmp_path: Path) -> None:
    config = dataclasses.replace(CORPUS, level="video", videos=20)
    write_corpus(tmp_path / "corpus", config, quiet=True)
    dataset = Dataset.open(tmp_path / "corpus", jobs=1, quiet=True)
    tagger = make_tagger(streams=tuple((s.name, s.width) for s in dataset.streams))
    with pytest.raises(ConfigError, match=r"no segments(.|\n)*--segments"):
        predict(tagger, dataset, tmp_path / "p", InferenceConfig(segments=True, device="cpu"))
    assert predict(tagger, dataset, tmp_path / "p", CPU).rows == {"videos": 3}


def test_predict_logs_long_videos(
    dataset: Dataset, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    predict(make_tagger(), dataset, tmp_path / "p", InferenceConfig(max_frames=10, device="cpu"))
    assert "are scored by their first 10 frames" in capfd.readouterr().err


def test_predict_raises_for_an_existing_file_first(dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "p").write_text("precious")
    with pytest.raises(OutputError, match="exists already"):
        predict(make_tagger(), dataset, tmp_path / "p", CPU)
    assert (tmp_path / "p").read_text() == "precious"
    predict(make_tagger(), dataset, Output(tmp_path / "p", overwrite=True), CPU)
    assert open_predictions(tmp_path / "p").holds("videos")


FUSED = SegmentPolicy(candidates=4, video_power=0.3, segment_power=0.7, skip_tail=1)


def test_video_source_is_the_run_another_or_a_file(dataset: Dataset, tmp_path: Path) -> None:
    tagger, other = make_tagger(), make_tagger()
    for weight in other.model.parameters():
        weight.data.mul_(-1.5)
    fused = dataclasses.replace(CPU, videos=False, segments=True, policy=FUSED)
    sources: dict[str, Tagger | Path | None] = {"itself": None, "same": tagger, "other": other}
    for name, source in (("same", tagger), ("other", other)):
        videos = tmp_path / f"{name}-videos"
        predict(source, dataset, videos, dataclasses.replace(CPU, top_k=12), split="all")
        sources[f"{name}, file"] = videos
    found = {}
    for name, each in sources.items():
        predict(tagger, dataset, tmp_path / name, fused, split="all", video_source=each)
        found[name] = pairs(tmp_path / name, "segments")
    assert found["itself"] == pytest.approx(found["same"], abs=1e-5)
    assert found["itself"] == pytest.approx(found["same, file"], abs=1e-5)
    assert found["other"] == pytest.approx(found["other, file"], abs=1e-5)
    assert found["other"].keys() != found["itself"].keys()
    about = open_predictions(tmp_path / "other").info
    assert about.policy == "skip_tail 1, candidates 4, video_power 0.3, segment_power 0.7"


def test_predict_resumes_with_the_same_video_scores_alone(dataset: Dataset, tmp_path: Path) -> None:
    choices = InferenceConfig(videos=False, segments=True, batch_size=4, policy=FUSED, device="cpu")
    whole, out = tmp_path / "whole", tmp_path / "p"
    predict(make_tagger(), dataset, whole, choices, split="all", video_source=make_tagger())
    tagger = make_tagger()
    interrupt(tagger, 8)
    often, source = Output(out, part_seconds=0), make_tagger()
    with pytest.raises(KeyboardInterrupt):
        predict(tagger, dataset, often, choices, split="all", video_source=source)
    other = make_tagger()
    next(iter(other.model.parameters())).data.add_(1)
    with pytest.raises(ConfigError, match="other settings is kept here: video_scores"):
        predict(tagger, dataset, out, choices, split="all", video_source=other)
    fewer = dataclasses.replace(choices, policy=dataclasses.replace(FUSED, candidates=3))
    with pytest.raises(ConfigError, match="candidates 4 there, 3 now"):
        predict(tagger, dataset, out, fewer, split="all", video_source=make_tagger())
    outcome = predict(tagger, dataset, out, choices, split="all", video_source=make_tagger())
    assert outcome.resumed_at > 0
    assert pairs(out, "segments") == pytest.approx(pairs(whole, "segments"), abs=1e-5)


def test_video_source_raises_where_it_does_not_fit(dataset: Dataset, tmp_path: Path) -> None:
    fused = InferenceConfig(segments=True, policy=FUSED, device="cpu")
    one_stream = make_tagger(streams=(("rgb", 16),))
    with pytest.raises(ConfigError, match=r"reads the streams rgb \(16\);(.|\n)*--video-pred"):
        predict(make_tagger(), dataset, tmp_path / "p", fused, video_source=one_stream)
    own, other = make_tagger(), make_tagger()
    own.class_names = dataset.classes.names
    other.class_names = ("Zebra", *dataset.classes.names[1:])
    with pytest.raises(DataError, match="the video run: class 0 is 'Zebra'; in the run itself"):
        predict(own, dataset, tmp_path / "p", fused, video_source=other)
    with pytest.raises(ConfigError, match=r"nothing uses them(.|\n)*--candidates 20"):
        predict(make_tagger(), dataset, tmp_path / "p", CPU, video_source=make_tagger())


def test_predict_logs_or_raises_for_too_short_videos(
    dataset: Dataset, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for head, rule in ((4, "videos are too short: at head and tail"), (7, "")):
        policy = SegmentPolicy(skip_head=head)
        choices = InferenceConfig(videos=False, segments=True, policy=policy, device="cpu")
        if rule:
            predict(make_tagger(), dataset, tmp_path / "p", choices)
            assert rule in capfd.readouterr().err
            continue
        with pytest.raises(ConfigError, match=r"but the first 7 and the last 0(.|\n)*--skip-head"):
            predict(make_tagger(), dataset, tmp_path / "q", choices)
