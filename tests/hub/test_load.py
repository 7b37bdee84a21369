"""Runs from the hub, wherever a run is named; and what strangers may put there."""

import json
import shutil
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import huggingface_hub.constants
import pyarrow.parquet as pq
import pytest
import torch

import reeltag
from reeltag.cli.main import run as command
from reeltag.core.errors import ConfigError, DataError, HubUnreachableError
from reeltag.deploy.pushing import prepare_upload, push
from reeltag.tagger.hub_runs import MOST_BYTES, RUN_FILES, HubAddress, hub_address, local_run
from reeltag.tagger.tagger import Tagger
from tests.hub.stand_in import Hub

ADDRESS = "hf://ann/birds"


@pytest.fixture
def files(run: Path) -> dict[str, bytes]:
    """The files of a run, as a push sends them."""
    upload = prepare_upload(run, "ann/birds")
    return {
        name: of if isinstance(of, bytes) else of.read_bytes() for name, of in upload.files.items()
    }


@pytest.fixture
def pushed(hub: Hub, files: dict[str, bytes]) -> Hub:
    """A hub that has the run."""
    hub.create("ann/birds", files)
    return hub


def test_pushed_run_is_loaded_with_the_same_weights(hub: Hub, run: Path) -> None:
    push(prepare_upload(run, "ann/birds"))
    loaded, own = reeltag.load(ADDRESS), Tagger.load(run)
    assert loaded.class_names == own.class_names and loaded.features == own.features
    theirs, ours = loaded.state_dict(), own.state_dict()
    assert theirs.keys() == ours.keys()
    assert all(torch.equal(theirs[name], ours[name]) for name in ours)


def test_python_verbs_take_an_address(
    pushed: Hub, run: Path, corpus: Path, predictions: Path, tmp_path: Path
) -> None:
    reeltag.predict(ADDRESS, corpus, tmp_path / "p.parquet")
    assert pq.read_table(tmp_path / "p.parquet").equals(pq.read_table(predictions))
    own = reeltag.moments(run, corpus, ["Music"], prob=0.01, split="test")
    assert own["Music"]
    assert reeltag.moments(ADDRESS, corpus, ["Music"], prob=0.01, split="test") == own
    assert reeltag.export(ADDRESS, tmp_path / "model.onnx")["max_difference"] < 1e-5


def predict(run: str, data: str, out: str) -> list[str]:
    return ["predict", run, "--data", data, "--out", f"{out}.parquet"]


def moments(run: str, data: str, out: str) -> list[str]:
    return ["moments", run, "--data", data, "--prob", "0.01", "--csv", f"{out}.csv"]


def soft_labels(run: str, data: str, out: str) -> list[str]:
    return ["soft-labels", run, "--data", data, "--out", f"{out}.parquet", "--videos"]


def average(run: str, data: str, out: str) -> list[str]:
    return ["average", run, run, "--out", out]


def train(run: str, data: str, out: str) -> list[str]:
    recipe = ["--max-steps", "2", "--batch-size", "8"]
    return ["train", "logistic", "--init", run, "--data", data, "--out", out, *recipe]


def video_run(run: str, data: str, out: str) -> list[str]:
    candidates = ["--segments", "--candidates", "3", "--video-run", run]
    return ["predict", run, "--data", data, "--out", f"{out}.parquet", *candidates]


COMMANDS = (predict, moments, soft_labels, average, train, video_run)


@pytest.mark.parametrize("words", COMMANDS)
def test_command_takes_an_address(
    pushed: Hub, run: Path, corpus: Path, tmp_path: Path, words: Callable[..., list[str]]
) -> None:
    for of, out in ((str(run), "own"), (ADDRESS, "from-hub")):
        assert command(words(of, str(corpus), str(tmp_path / out))) == 0
    own, theirs = (next(tmp_path.glob(f"{name}*")) for name in ("own", "from-hub"))
    if own.suffix == ".parquet":
        assert pq.read_table(own).equals(pq.read_table(theirs))
    elif own.suffix == ".csv":
        assert own.read_bytes() == theirs.read_bytes()
    else:
        weights = [(of / "model.safetensors").read_bytes() for of in (own, theirs)]
        assert weights[0] == weights[1]


def test_revision_is_the_run_of_that_commit(hub: Hub, run: Path, files: dict[str, bytes]) -> None:
    repository = hub.create("ann/birds", files)
    first = repository.commits[-1][0]
    names = files["classes.csv"].replace(b"Music", b"Noise")
    repository.tags["v2"] = second = repository.add({**files, "classes.csv": names})
    for revision, commit, name in (
        (f"@{first}", first, "Music"),
        ("@v2", second, "Noise"),
        ("", second, "Noise"),
    ):
        folder = local_run(ADDRESS + revision)
        assert hub_address(folder) == HubAddress("ann/birds", commit)
        assert name in Tagger.load(folder).class_names


def test_what_the_cache_has_is_not_downloaded_again(hub: Hub, files: dict[str, bytes]) -> None:
    repository = hub.create("ann/birds", files)
    wanted = sorted(set(files) & set(RUN_FILES))
    local_run(ADDRESS)
    assert hub.fetched() == wanted
    local_run(ADDRESS)
    assert hub.fetched() == []
    repository.add({**files, "classes.csv": files["classes.csv"].replace(b"Music", b"Noise")})
    assert "Noise" in Tagger.load(local_run(ADDRESS)).class_names
    assert hub.fetched() == ["classes.csv"]


def test_files_of_other_names_are_not_downloaded(hub: Hub, files: dict[str, bytes]) -> None:
    others = {"resume.ckpt": b"pickle", "model.py": b"raise SystemExit", "pytorch_model.bin": b""}
    hub.create("ann/birds", {**files, **others})
    folder = local_run(ADDRESS)
    assert sorted(hub.fetched()) == sorted(set(files) & set(RUN_FILES))
    assert {path.name for path in folder.iterdir()} == set(files) & set(RUN_FILES)


def error_of(address: str = ADDRESS) -> Exception:
    with pytest.raises((ConfigError, DataError, HubUnreachableError)) as caught:
        local_run(address)
    return caught.value


@pytest.mark.parametrize("missing", ["config.json", "classes.csv", "model.safetensors"])
def test_what_is_no_run_is_not_downloaded(hub: Hub, files: dict[str, bytes], missing: str) -> None:
    hub.create("ann/birds", {name: of for name, of in files.items() if name != missing})
    assert f"hf://ann/birds: is no run: it has no {missing}" in str(error_of())
    assert hub.fetched() == []


def test_absurdly_large_file_is_not_downloaded(
    hub: Hub, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reeltag.tagger.hub_runs.MOST_BYTES", 5000)
    hub.create("ann/birds", {**files, "classes.csv": b"x" * 5001})
    assert MOST_BYTES > 5000
    assert "its classes.csv has 5,001 bytes; at most 5,000 are read" in str(error_of())
    assert hub.fetched() == []


def test_damaged_weights_are_an_error(hub: Hub, files: dict[str, bytes]) -> None:
    hub.create("ann/birds", {**files, "model.safetensors": files["model.safetensors"][:-1]})
    with pytest.raises(DataError, match="damaged, or cut short"):
        reeltag.load(ADDRESS)


def test_module_that_a_stranger_names_is_not_imported(
    hub: Hub, files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "strange_module.py").write_text("raise SystemExit('it ran')")
    monkeypatch.syspath_prepend(tmp_path / "code")
    config, features = json.loads(files["config.json"]), json.loads(files["features.json"])
    config["family"] = "strange_module:Config"
    features["streams"][0]["encoder"] = {"name": "strange_module:Encoder"}
    for name, changed in (("config.json", config), ("features.json", features)):
        hub.create("ann/birds", {**files, name: json.dumps(changed).encode()})
        found = str(error_of())
        assert "names the Python module strange_module, which is not imported" in found
        assert "strange_module" not in sys.modules


def test_module_that_is_imported_already_may_be_named(hub: Hub, files: dict[str, bytes]) -> None:
    config = json.loads(files["config.json"])
    config["family"] = "reeltag.models.logistic:Config"
    hub.create("ann/birds", {**files, "config.json": json.dumps(config).encode()})
    assert reeltag.load(ADDRESS).family == "logistic"


def test_thresholds_are_not_written_into_the_cache(
    pushed: Hub, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["moments", ADDRESS, "--data", str(corpus), "--precision", "0.5"]
    assert command(words) == 0
    assert "keeps its thresholds: these are not saved" in capsys.readouterr().err
    assert not (local_run(ADDRESS) / "thresholds.json").exists()


REFUSED: Sequence[tuple[str, type[Exception], Sequence[str]]] = (
    ("hf://ann/cats", DataError, ("no such repository, or it is private", "hf auth login")),
    ("hf://ann/birds@v9", DataError, ("no such revision", "leave the @REVISION out")),
    ("hf://birds", ConfigError, ("is no address of a run", "hf://user/name@revision")),
    ("hf://ann/birds/x", ConfigError, ("is no address of a run", "hf://user/name@revision")),
    ("hf://ann/--birds", DataError, ("is no name of a repository", "user/name")),
)


@pytest.mark.parametrize(("address", "kind", "words"), REFUSED)
def test_wrong_address_names_the_way_out(
    pushed: Hub, address: str, kind: type[Exception], words: Sequence[str]
) -> None:
    found = error_of(address)
    assert type(found) is kind
    assert [word for word in words if word not in str(found)] == []


def test_private_and_gated_runs_need_a_token(
    hub: Hub, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = hub.create("ann/birds", files, private=True)
    monkeypatch.delenv("HF_TOKEN")
    assert "no such repository, or it is private" in str(error_of())
    monkeypatch.setenv("HF_TOKEN", "hf_reader")
    assert local_run(ADDRESS).is_dir()
    repository.gated = True
    assert "open only to who accepts its conditions" in str(error_of("hf://ann/birds"))


def unplug(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Close the port of the hub."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{free.getsockname()[1]}")


def out_of_order(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.broken = 503


def offline(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)


@pytest.mark.parametrize(
    ("cut", "hint"),
    [
        (unplug, "Connect this machine to the internet."),
        (out_of_order, "Try it again later."),
        (offline, "Unset HF_HUB_OFFLINE."),
    ],
)
def test_without_the_hub_its_copy_in_the_cache_is_used(
    pushed: Hub,
    cut: Callable[[Hub, pytest.MonkeyPatch], None],
    hint: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    folder = local_run(ADDRESS)
    cut(pushed, monkeypatch)
    assert local_run(ADDRESS) == folder
    assert "the hub cannot be reached" in (said := capsys.readouterr().err)
    assert f"its copy in the cache is used, {folder.name}" in said
    shutil.rmtree(tmp_path / "hub-cache")
    found = str(error_of())
    assert "there is no copy of it in the cache" in found and hint in found
    assert "Or give the folder of a run" in found


def test_path_of_an_address_is_the_address() -> None:
    assert HubAddress.parse(Path("hf://ann/birds@v1")) == HubAddress("ann/birds", "v1")
    assert HubAddress.parse("hf://ann/birds@refs/pr/1") == HubAddress("ann/birds", "refs/pr/1")
    assert HubAddress.parse("runs/hf/birds") is None
    assert str(HubAddress("ann/birds", "v1")) == "hf://ann/birds@v1"
    assert hub_address(Path("runs/snapshots/abc")) is None
    assert local_run("runs/birds") == Path("runs/birds")
