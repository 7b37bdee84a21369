"""Commands whose DATA is an address: those that read take it, those that write refuse it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from reeltag.cli.main import run
from reeltag.core.files import write_json
from reeltag.papers.common.dataset_source import dataset_source
from tests.data.corpora import many_videos
from tests.data.remote.buckets import Bucket, reads
from tests.data.remote.test_remote_data import forget_shards, opened


@pytest.fixture
def address(bucket: Bucket, tmp_path: Path) -> str:
    """A data set in a bucket."""
    return bucket.put(many_videos(tmp_path / "data").data.path)


def test_training_predictions_and_scores_are_of_an_address(
    bucket: Bucket, address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = opened(address).table["id"].to_pylist()
    labels = "id,class\n" + "".join(f"{name},{at % 3}\n" for at, name in enumerate(ids))
    bucket.write("data/labels.csv", labels.encode())
    out, scores = tmp_path / "run", tmp_path / "p.parquet"
    command = ["train", "logistic", "--data", address, "--out", str(out), "--batch-size", "8"]
    assert run([*command, "--max-steps", "2"]) == 0
    shown = capsys.readouterr()
    assert "order: shard after shard" in shown.err and f"--data {address}" in shown.err + shown.out
    config = json.loads((out / "config.json").read_text())
    assert (config["data"]["root"], config["data"]["labels"]) == (address, f"{address}/labels.csv")
    shutil.rmtree(tmp_path / "cache")  # as on another machine
    config["recipe"]["max_steps"] = 4
    write_json(out / "config.json", config)
    assert run(["train", "--resume", str(out)]) == 0
    command = ["predict", str(out), "--data", address, "--out", str(scores), "--split", "train"]
    assert run(command) == 0
    assert run(["evaluate", str(scores), "--data", address, "--split", "train"]) == 0
    assert f"videos of {address}" in capsys.readouterr().out


def test_info_names_the_address_and_what_is_kept(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["info", address, "--json"]) == 0
    about = json.loads(capsys.readouterr().out)
    assert about["data"] == address and about["records"] == 40
    assert about["remote"]["folder"].startswith(str(tmp_path / "cache"))
    assert about["remote"]["shards_here"] == about["shards"] == 4


@pytest.mark.parametrize(
    "command",
    [
        "ratings ADDRESS --from {folder}/r.csv",
        "library ADDRESS",
        "weak-labels ADDRESS --from folders",
        "serve ADDRESS",
        "import {folder}/f.npz --out ADDRESS",
        "synth ADDRESS",
        "train logistic --data {folder}/data --out ADDRESS --batch-size 8 --max-steps 1",
    ],
)
def test_command_that_writes_refuses_an_address(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    many_videos(tmp_path / "data")
    (tmp_path / "r.csv").write_text("id,start_s,end_s,class,value\n0-0,0,1,1,1\n")
    np.savez(tmp_path / "f.npz", a=np.zeros((3, 4), np.float32))
    words = command.format(folder=tmp_path).replace("ADDRESS", "s3://bucket/data").split()
    assert run(words) == 2
    error = capsys.readouterr().err
    assert "s3://bucket/data" in error and "never written to" in error
    assert not Path("s3:").exists()


def test_step_knows_remote_data_by_their_content(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = opened(address)
    forget_shards(data)
    with reads(monkeypatch) as seen:
        remote = dataset_source(data).key
    assert {end - begin for _, begin, end in seen} == {4}
    assert remote == dataset_source(many_videos(tmp_path / "data").data).key
