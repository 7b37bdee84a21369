"""Written shards: what the loops say, byte for byte the same in any number of processes."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from reeltag.augment import output, writing
from reeltag.augment.output import prepare_folder, settings, works_of, write_all
from reeltag.augment.plan import Plan, PlanConfig, plan_of
from reeltag.augment.volume import Volume, chunks_of, volume_of
from reeltag.augment.writing import SampleConfig
from reeltag.core.errors import ConfigError, DataError, OutputError
from reeltag.core.locks import hold
from reeltag.core.parts import lock_next_to
from reeltag.data.dataset import Dataset
from reeltag.data.items import VideoSet
from reeltag.data.loader import Loader
from reeltag.data.origin import check_not_augmented, count_kinds, origin_of
from reeltag.data.records.example import Values, encode_example
from tests.augment.vectors import RGB, Made, Sample, many, read_back, write_data

CONFIG = PlanConfig(pivot=8, decades=1)
SHARDS = ("train0", "train1", "train2", "train3")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Four training shards of 15 videos with up to 9 labels, and one to validate on."""
    every = many(60, 9)
    shards = {name: every[15 * place : 15 * place + 15] for place, name in enumerate(SHARDS)}
    write_data(tmp_path / "data", {**shards, "validate0": many(5, 9, "w")})
    return tmp_path / "data"


def prepared(data: Path, config: PlanConfig = CONFIG) -> tuple[VideoSet, Plan]:
    items = Dataset.open(data, jobs=1, quiet=True).videos()
    return items, plan_of(items, config)


def augment(
    data: Path, out: Path, sampling: SampleConfig | None = None, *, jobs: int = 1, seed: int = 0
) -> Volume:
    """Augment as the command does; return what was planned."""
    sampling = sampling or SampleConfig(chunk_shards=2)
    items, plan = prepared(data)
    chunks = chunks_of(items, sampling.chunk_shards)
    prepare_folder(out, items, settings(items, plan, sampling, seed))
    works = works_of(out, items, plan, chunks, sampling, seed)
    write_all(items, works, jobs=jobs, quiet=True)
    return volume_of(items, plan, chunks, sampling)


def by_loops(chunk: list[Made], plan: Plan, names: dict[str, int]) -> Iterator[Sample]:
    """Yield the samples of a chunk by the definition, in float64, noise left out."""
    used = set[frozenset[str]]()
    of = {video.id: int(plan.decision[names[video.id]]) for video in chunk}
    for video in chunk:
        x_i = video.vector.astype(np.float64)
        if plan.kept[names[video.id]]:
            yield Sample(video.id, video.labels, video.vector)
        others = [other for other in chunk if other is not video and of[other.id] == of[video.id]]
        others.sort(
            key=lambda other: float(np.linalg.norm(other.vector[:RGB] - video.vector[:RGB]))
        )
        for other in others[: plan.neighbours[names[video.id]]]:
            pair = frozenset((video.id, other.id))
            if pair not in used:
                used.add(pair)
                x_j = other.vector.astype(np.float64)
                yield Sample(f"{video.id}~i~{other.id}", video.labels, x_i + 0.5 * (x_j - x_i))
                yield Sample(f"{video.id}~x~{other.id}", video.labels, x_i + 0.5 * (x_i - x_j))


def test_augmented_shards_equal_a_loop_over_the_definition(data: Path, tmp_path: Path) -> None:
    augment(data, tmp_path / "out", SampleConfig(chunk_shards=2, noise="never"))
    items, plan = prepared(data)
    names = {name: place for place, name in enumerate(items.ids(np.arange(len(items))))}
    every = many(60, 9)
    assert 0 < plan.kept.sum() < 60 and (plan.neighbours > 0).any()
    for chunk, shards in ((every[:30], SHARDS[:2]), (every[30:], SHARDS[2:])):
        expected = list(by_loops(chunk, plan, names))
        found = [sample for shard in shards for sample in read_back(tmp_path / "out", shard)]
        assert [(of.id, of.labels) for of in found] == [(of.id, of.labels) for of in expected]
        for ours, theirs in zip(found, expected, strict=True):
            # one float32 subtraction, multiplication and addition of numbers below 8
            np.testing.assert_allclose(ours.vector, theirs.vector, rtol=0, atol=2e-6)


def test_kept_records_are_copied_byte_for_byte(data: Path, tmp_path: Path) -> None:
    augment(data, tmp_path / "out")
    written = (tmp_path / "out" / "train2.tfrecord").read_bytes()
    _, plan = prepared(data)
    for place, video in enumerate(many(60, 9)[30:45], start=30):
        assert (video.payload in written) == plan.kept[place]


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("train*"))}


def test_augmented_bytes_depend_on_data_and_settings_alone(data: Path, tmp_path: Path) -> None:
    augment(data, tmp_path / "a", jobs=1)
    augment(data, tmp_path / "b", jobs=2)
    shutil.copytree(data, tmp_path / "moved")
    augment(tmp_path / "moved", tmp_path / "c")
    assert files(tmp_path / "a") == files(tmp_path / "b") == files(tmp_path / "c")
    for seed in (0, 1):
        augment(data, tmp_path / f"noisy{seed}", SampleConfig(method="noise"), seed=seed)
    assert files(tmp_path / "noisy0") != files(tmp_path / "noisy1")


def test_killed_augmentation_resumes_to_the_same_bytes(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    augment(data, tmp_path / "whole")
    real = encode_example

    def killed(features: dict[str, Values]) -> bytes:
        if (tmp_path / "out" / "train0.tfrecord").exists():  # in the second shard
            raise KeyboardInterrupt
        return real(features)

    monkeypatch.setattr(writing, "encode_example", killed)
    with pytest.raises(KeyboardInterrupt):
        augment(data, tmp_path / "out")
    assert list(files(tmp_path / "out")) == ["train0.tfrecord"]  # no half file
    first = (tmp_path / "out" / "train0.tfrecord").stat().st_mtime_ns
    monkeypatch.undo()
    augment(data, tmp_path / "out")
    assert files(tmp_path / "out") == files(tmp_path / "whole")
    assert (tmp_path / "out" / "train0.tfrecord").stat().st_mtime_ns == first  # not made again


def test_folder_is_prepared_by_one_process_at_a_time(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with hold(lock_next_to(out), out), pytest.raises(OutputError, match="is in use by process"):
        augment(data, out)
    assert not out.exists()
    augment(data, out)
    assert not lock_next_to(out).exists()


def test_finished_chunks_are_not_read_again(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    augment(data, tmp_path / "out")
    (tmp_path / "out" / "train3.tfrecord").unlink()
    read = list[tuple[int, ...]]()
    monkeypatch.setattr(output, "write_chunk", lambda work: read.append(work.shards))
    augment(data, tmp_path / "out")
    assert read == [(2, 3)]


def test_noise_is_for_lone_videos_by_default(data: Path, tmp_path: Path) -> None:
    kinds = {}
    for name, sampling in {
        "alone": SampleConfig(chunk_shards=1),
        "always": SampleConfig(chunk_shards=1, noise="always"),
        "never": SampleConfig(chunk_shards=1, noise="never"),
        "noise": SampleConfig(chunk_shards=1, method="noise"),
    }.items():
        volume = augment(data, tmp_path / name, sampling)
        items = Dataset.open(tmp_path / name, jobs=1, quiet=True).videos()
        kinds[name] = count_kinds(items.records.table["id"])
        made = len(items) - kinds[name]["original"]
        assert kinds[name]["noisy"] == volume.noisy and volume.least <= made <= volume.most
    _, plan = prepared(data)
    wanted = int(plan.neighbours.sum())
    assert kinds["never"]["noisy"] == 0 < kinds["alone"]["noisy"] < wanted
    assert kinds["always"]["noisy"] == kinds["noise"]["noisy"] == wanted
    assert kinds["noise"]["interpolated"] == kinds["noise"]["extrapolated"] == 0
    assert kinds["alone"]["interpolated"] == kinds["alone"]["extrapolated"] > 0
    vectors = {video.id: video.vector for video in many(60, 9)}
    noisy = [sample for sample in read_back(tmp_path / "noise", "train0") if "~n" in sample.id]
    away = np.array([sample.vector - vectors[origin_of(sample.id).source] for sample in noisy])
    assert away.std() == pytest.approx(0.03, rel=0.25) and np.abs(away).max() < 0.2
    other = [sample for sample in read_back(tmp_path / "noise", "train1") if "~n" in sample.id]
    again = other[0].vector - vectors[origin_of(other[0].id).source]
    assert np.abs(again - away[0]).max() > 1e-3  # each shard has noise of its own


def test_neighbours_are_near_in_the_chosen_stream(data: Path, tmp_path: Path) -> None:
    augment(data, tmp_path / "rgb")
    augment(data, tmp_path / "audio", SampleConfig(chunk_shards=2, by="mean_audio"))
    assert files(tmp_path / "rgb") != files(tmp_path / "audio")
    items, _ = prepared(data)
    with pytest.raises(ConfigError, match="no stream 'smell'; it has mean_rgb, mean_audio"):
        SampleConfig(by="smell").columns(items)


def test_augmented_folder_is_indexed_without_problems_and_loads(data: Path, tmp_path: Path) -> None:
    augment(data, tmp_path / "out")
    dataset = Dataset.open(tmp_path / "out", jobs=1, quiet=True)
    assert dataset.table["problem"].null_count == len(dataset.table)
    assert dataset.num_classes == Dataset.open(data, jobs=1, quiet=True).num_classes
    assert [stream.name for stream in dataset.streams] == ["mean_rgb", "mean_audio"]
    validated = dataset.videos("validate")
    assert validated.ids(np.arange(5)) == [video.id for video in many(5, 9, "w")]
    items = dataset.videos()
    batch = next(iter(Loader(items, batch_size=8)))
    assert batch.frames.shape == (8, 1, 9) and batch.labels is not None
    with pytest.raises(ConfigError, match="were made by augmentation"):
        check_not_augmented(items)


@pytest.mark.parametrize(
    ("sample_id", "expected"),
    [
        ("02aa", ("02aa", "original", "")),
        ("02aa~i~7Xcd", ("02aa", "interpolated", "7Xcd")),
        ("-_~i~x~", ("-_", "interpolated", "x~")),
        ("02aa~n12", ("02aa", "noisy", "")),
        ("a~name", ("a~name", "original", "")),
    ],
)
def test_origin_is_read_from_the_id(sample_id: str, expected: tuple[str, str, str]) -> None:
    assert origin_of(sample_id) == expected


def test_folder_of_other_settings_or_content_raises(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    augment(data, out)
    with pytest.raises(ConfigError, match="was written with lambda 0.5, not 0.25"):
        augment(data, out, SampleConfig(chunk_shards=2, weight=0.25))
    with pytest.raises(ConfigError, match="was written with seed 0, not 7"):
        augment(data, out, seed=7)
    write_data(data, {"train0": many(16, 9)})
    with pytest.raises(ConfigError, match="was written from other data"):
        augment(data, out)
    (out / "augment.json").write_text("{")
    with pytest.raises(DataError, match="does not describe how the folder was written"):
        augment(data, out)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").touch()
    with pytest.raises(OutputError, match="exists already"):
        augment(data, tmp_path / "mine")
    with pytest.raises(ConfigError, match="is in the data"):
        augment(data, data / "out")
