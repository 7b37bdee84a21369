"""Real records: what is read by position is what decoding gives."""

from pathlib import Path

import numpy as np
import pytest

from reeltag.data.index import open_index
from reeltag.data.records.example import decode_sequence_example
from reeltag.data.shards import read_record
from tests.conftest import REAL

pytestmark = pytest.mark.realdata


@pytest.mark.parametrize(
    "name", ["yt8m/video/validate0079.tfrecord", "audioset/bal_train-07-of-08.tfrecord"]
)
def test_real_records_are_read_as_decoded(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    index = open_index(REAL / name, quiet=True)
    assert index.table["problem"].null_count == len(index.table) > 200
    assert all(stride for strides in index.table["stride"].to_pylist() for stride in strides)
    shard = (REAL / name).read_bytes()
    for row in range(0, len(index.table), 50):
        record = index.table.slice(row, 1).to_pylist()[0]
        payload = shard[record["offset"] : record["offset"] + record["size"]]
        context, lists = decode_sequence_example(payload)
        labels = context["labels"]
        assert isinstance(labels, np.ndarray) and sorted(labels.tolist()) == record["labels"]
        for stream, values in read_record(index, row).items():
            if index.kind == "video":
                np.testing.assert_array_equal(values[0], np.asarray(context[stream]))
            else:
                assert [[frame.tobytes()] for frame in values] == lists[stream]
