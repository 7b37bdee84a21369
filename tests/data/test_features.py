"""The description of features: how stored values are read, and which features are the same."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from reeltag.core.errors import ConfigError, DataError
from reeltag.data.dataset import Dataset
from reeltag.data.features import EncoderIdentity, Features, StreamFeatures
from reeltag.data.loader import Loader
from reeltag.data.records.problems import Problem
from reeltag.data.sampling import FrameChoice
from reeltag.data.shards import read_record
from reeltag.data.streams import Stream
from tests.data.corpora import many_videos, write_shard
from tests.data.described import (
    described,
    described_corpus,
    described_record,
    frames_of,
)

LENGTHS = (3, 7, 1, 12)
MIXED = {"visual": (5, "uint8"), "sound": (3, "float16")}


@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32"])
@pytest.mark.parametrize("how", ["all", "random"])
def test_loader_reads_frames_as_stored(tmp_path: Path, dtype: str, how: str) -> None:
    features = described({"visual": (5, dtype), "sound": (3, dtype)})
    data = described_corpus(tmp_path, features, LENGTHS)
    choice = FrameChoice(how=how, num_frames=0 if how == "all" else 4)  # type: ignore[arg-type]
    (batch,) = Loader(data.videos("train"), batch_size=4, frames=choice)
    assert str(batch.frames.dtype) == f"torch.{dtype}" and batch.frames.shape[-1] == 8
    for at, length in enumerate(LENGTHS):
        stored = frames_of(features, length, at)
        expected = np.concatenate([stored["visual"], stored["sound"]], axis=1)
        frames = batch.frames[at][batch.mask[at]].numpy()
        if how == "all":
            np.testing.assert_array_equal(frames, expected)
        else:
            assert all((row == expected).all(axis=1).any() for row in frames)


def test_loader_dequantises_streams_of_different_dtypes(tmp_path: Path) -> None:
    features = described(MIXED)
    data = described_corpus(tmp_path, features, LENGTHS)
    (batch,) = Loader(data.videos("train"), batch_size=4)
    stored = frames_of(features, LENGTHS[3], 3)
    visual = stored["visual"] * np.float32(0.01) * np.arange(1, 6) + np.arange(5)
    expected = np.concatenate([visual, stored["sound"]], axis=1)
    np.testing.assert_allclose(batch.frames[3].numpy(), expected, rtol=1e-6)  # float32 rounding


@pytest.mark.parametrize("widths", [{"visual": (4, "float16")}, MIXED])
def test_record_without_constant_stride_is_read_as_stored(
    tmp_path: Path, widths: dict[str, tuple[int, str]]
) -> None:
    data = described_corpus(tmp_path, described(widths), LENGTHS)
    (straight,) = Loader(data.videos("train"), batch_size=4)
    index = data.index.table.schema.get_field_index("stride")
    nowhere = pa.array([[0] * len(widths)] * len(data), pa.list_(pa.int32()))
    table = data.index.table.set_column(index, data.index.table.schema.field(index), nowhere)
    walked = dataclasses.replace(data, index=dataclasses.replace(data.index, table=table))
    (batch,) = Loader(walked.videos("train"), batch_size=4)
    assert torch.equal(batch.frames[batch.mask], straight.frames[straight.mask])
    np.testing.assert_array_equal(
        read_record(walked.index, 1)["visual"], read_record(data.index, 1)["visual"]
    )


def test_float_frames_that_are_not_finite_are_a_problem(tmp_path: Path) -> None:
    features = described({"visual": (4, "float16")})
    frames = frames_of(features, 3, 0)["visual"]
    frames[1, 2] = np.nan
    records = [described_record("bad", {"visual": frames})]
    records += [described_record("good", frames_of(features, 3, 1))]
    write_shard(tmp_path / "train0.tfrecord", records)
    features.save(tmp_path)
    data = Dataset.open(tmp_path, jobs=1, quiet=True)
    assert data.table["skip"].to_pylist() == [True, False]
    assert data.table["problem"][0].as_py() == Problem.NOT_FINITE.text


def test_description_that_does_not_fit_the_records_names_both(tmp_path: Path) -> None:
    data = described_corpus(tmp_path, described({"visual": (5, "float16")}), LENGTHS)
    assert data.streams == (Stream("visual", 5, "float16"),)
    described({"visual": (5, "float32")}).save(tmp_path)
    with pytest.raises(DataError, match=r"train0.tfrecord: has 10 bytes a frame .* 20 bytes"):
        Dataset.open(tmp_path, jobs=1, quiet=True)


def test_index_follows_a_changed_description(tmp_path: Path) -> None:
    described_corpus(tmp_path, described({"visual": (6, "float16")}), LENGTHS)
    described({"visual": (3, "float32")}).save(tmp_path)
    data = Dataset.open(tmp_path, jobs=1, quiet=True)
    assert data.streams == (Stream("visual", 3, "float32"),)
    (tmp_path / "features.json").unlink()
    data = Dataset.open(tmp_path, jobs=1, quiet=True)
    assert data.streams == (Stream("visual", 12, "uint8"),)


def test_folder_without_description_is_as_published(tmp_path: Path) -> None:
    data = many_videos(tmp_path).data
    assert data.features == Features.published(data.streams) and data.features.is_published
    assert data.features.rate_hz == 1
    rgb = data.features.streams[0]
    np.testing.assert_allclose(  # the half-step bias of the released reader
        rgb.dequantise(np.array([[0, 255] * 3], np.uint8)),
        [[-1.9921875, 2.0078125] * 3],
    )


@pytest.mark.parametrize("also_root", [True, False])
def test_features_with_two_descriptions_in_one_folder_raise(
    tmp_path: Path, also_root: bool
) -> None:
    one, other = (described({"visual": (4, "float16")}, rate_hz=rate) for rate in (1.0, 2.0))
    for name, features in (("a", one), ("b", other)):
        described_corpus(tmp_path / name, features, (3,))
    if also_root:
        one.save(tmp_path)
    with pytest.raises(DataError, match="features.json: differs from the description"):
        Dataset.open(tmp_path, jobs=1, quiet=True)


def test_description_of_some_shards_only_is_refused(tmp_path: Path) -> None:
    described_corpus(tmp_path / "a", described({"visual": (4, "float16")}), (3,))
    described_corpus(tmp_path / "b", described({"visual": (4, "float16")}), (3,))
    (tmp_path / "b" / "features.json").unlink()
    with pytest.raises(DataError, match="a/features.json: describes only some of the shards"):
        Dataset.open(tmp_path, jobs=1, quiet=True)


def test_description_survives_its_file(tmp_path: Path) -> None:
    features = described({"visual": (4, "uint8"), "sound": (2, "float32")}, rate_hz=12.5)
    features.save(tmp_path)
    assert Features.find(tmp_path) == features
    assert Features.find(tmp_path / "nothing") is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rate_hz": 0}, "rate_hz"),
        ({"rate_hz": "fast"}, "must be a number"),
        ({"streams": []}, "must have names"),
        ({"colour": 1}, "unknown field features.colour"),
    ],
)
def test_description_with_a_wrong_field_names_it(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    stored = dataclasses.asdict(described({"visual": (4, "float16")}))
    (tmp_path / "features.json").write_text(json.dumps(stored | change))
    with pytest.raises(DataError, match=message):
        Features.find(tmp_path)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"dtype": "uint8"}, "is needed for uint8"),
        ({"dtype": "float16", "scale": (1.0,) * 2, "offset": (0.0,) * 2}, "no meaning for float16"),
        ({"dtype": "uint8", "scale": (1.0,), "offset": (0.0,)}, "must be 2 finite numbers"),
        ({"dtype": "uint8", "scale": (1.0, -1.0), "offset": (0.0, 0.0)}, "must be above 0"),
    ],
)
def test_stream_with_scale_that_does_not_fit_is_refused(
    fields: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        StreamFeatures(name="visual", width=2, **fields)  # type: ignore[arg-type]


def test_features_of_another_kind_are_told_apart() -> None:
    codes = described({"visual": (4, "uint8")})
    floats = described({"visual": (4, "float16")})
    floats.check_same(codes, where="a", other_where="b")  # they are what the bytes stand for
    stream = codes.streams[0]
    scale = tuple(2 * value for value in stream.scale or ())
    others = {
        "rate: 2 Hz": described({"visual": (4, "uint8")}, rate_hz=2),
        "kind of streams: sound": described({"sound": (4, "uint8")}),
        "width: visual 5": described({"visual": (5, "uint8")}),
        "encoder: visual 4 uint8 of clip": described(
            {"visual": (4, "uint8")}, encoder=EncoderIdentity(name="clip")
        ),
        "scale or offset of visual": dataclasses.replace(
            codes, streams=(dataclasses.replace(stream, scale=scale),)
        ),
    }
    for difference, other in others.items():
        with pytest.raises(DataError, match=f"DATA: has features of another {difference}.*RUN"):
            other.check_same(codes, where="DATA", other_where="RUN")
