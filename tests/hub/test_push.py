"""What `reeltag push` sends, and what it refuses to."""

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from reeltag.cli.main import run as command
from reeltag.tagger.tagger import Tagger
from reeltag.tagger.thresholds import Thresholds
from tests.hub.stand_in import READER, Hub
from tests.processes import run_program

SENT = {
    "README.md",
    "classes.csv",
    "config.json",
    "features.json",
    "metrics.json",
    "model.safetensors",
}


def push(*arguments: object) -> int:
    return command(["push", *map(str, arguments)])


def test_push_makes_one_commit_of_the_run_and_a_card(
    hub: Hub, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert push(run, "ann/birds", "--json") == 0
    repository = hub.repositories["ann/birds"]
    assert (repository.private, len(repository.commits)) == (False, 2)  # (its making is the first)
    assert set(repository.files) == SENT | {".gitattributes"}
    for name in ("classes.csv", "features.json", "model.safetensors"):
        assert repository.files[name] == (run / name).read_bytes()
    printed = json.loads(capsys.readouterr().out)
    assert printed["url"] == f"{hub.address}/ann/birds"
    assert printed["revision"] == repository.commits[-1][0]
    assert printed["files"] == {name: len(repository.files[name]) for name in SENT}


def test_nothing_is_sent_that_was_not_asked_for(hub: Hub, run: Path) -> None:
    assert (run / "resume.ckpt").is_file() and (run / "metrics.csv").is_file()
    assert push(run, "ann/birds") == 0
    everything = b"".join(of.body for of in hub.asked)
    large = b"".join(hub.large.values())
    assert large == (run / "model.safetensors").read_bytes()
    assert str(run.parent).encode() not in everything + large


def test_paths_of_this_machine_are_cut_down(hub: Hub, run: Path, corpus: Path) -> None:
    assert push(run, "ann/birds") == 0
    files = hub.repositories["ann/birds"].files
    config, own = json.loads(files["config.json"]), json.loads((run / "config.json").read_text())
    assert Path(own["data"]["root"]) == corpus.resolve()
    assert config == own | {"data": own["data"] | {"root": corpus.name}}
    assert json.loads(files["metrics.json"])["run"] == run.name


def test_second_push_removes_what_the_run_no_longer_has(
    hub: Hub, run: Path, tmp_path: Path
) -> None:
    own = Path(shutil.copytree(run, tmp_path / "own"))
    Thresholds.at_prob(Tagger.load(own).class_names, 0.4).save(own)
    assert push(own, "ann/birds") == 0
    repository = hub.repositories["ann/birds"]
    repository.files["notes.txt"] = b"by hand"
    assert "thresholds.json" in repository.files
    (own / "thresholds.json").unlink()
    assert push(own, "ann/birds") == 0
    assert set(repository.files) == SENT | {".gitattributes", "notes.txt"}


def test_card_that_is_there_can_be_kept(hub: Hub, run: Path) -> None:
    assert push(run, "ann/birds", "--keep-card") == 0
    files = hub.repositories["ann/birds"].files
    assert b"reeltag push" in files["README.md"]  # there was none to keep
    files["README.md"] = b"by hand"
    assert push(run, "ann/birds", "--keep-card") == 0
    assert hub.repositories["ann/birds"].files["README.md"] == b"by hand"
    assert push(run, "ann/birds") == 0
    assert b"reeltag push" in hub.repositories["ann/birds"].files["README.md"]


def test_private_repository(hub: Hub, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert push(run, "ann/secret", "--private") == 0
    assert hub.repositories["ann/secret"].private
    hub.create("ann/known", {})
    assert push(run, "ann/known", "--private") == 2
    assert "is a public repository already, and nothing was sent" in capsys.readouterr().err
    assert len(hub.repositories["ann/known"].commits) == 1


def test_out_writes_what_would_be_sent_and_sends_nothing(
    hub: Hub, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    out = tmp_path / "card"
    assert push(run, "ann/birds", "--out", out) == 0
    assert {path.name for path in out.iterdir()} == SENT
    assert not hub.asked
    monkeypatch.setenv("HF_TOKEN", "hf_writer")
    assert push(run, "ann/birds") == 0
    sent = hub.repositories["ann/birds"].files
    assert {name: (out / name).read_bytes() for name in SENT} == {n: sent[n] for n in SENT}


REFUSED: Sequence[tuple[str, str, Sequence[str]]] = (
    ("hf_wrong", "ann/birds", ("the hub refuses it", "hf auth login", "HF_TOKEN")),
    (READER, "ann/birds", ("the hub refuses it", "read-only", "HF_TOKEN")),
    ("", "ann/birds", ("no token is known here", "hf auth login", "HF_TOKEN")),
    ("hf_writer", "birds", ("is no name of a repository", "user/name")),
    ("hf_writer", "ann/birds@v1", ("is no name of a repository", "user/name")),
    ("hf_writer", "ann/--birds", ("is no name of a repository", "user/name")),
)


@pytest.mark.parametrize(("token", "repo", "words"), REFUSED)
def test_refusal_names_the_way_out(
    hub: Hub,
    run: Path,
    token: str,
    repo: str,
    words: Sequence[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    assert push(run, repo) == 2
    shown = capsys.readouterr().err
    assert "this should not happen" not in shown
    assert [word for word in words if word not in shown] == []
    assert not hub.repositories


def test_broken_hub_is_an_error_in_words(
    hub: Hub, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.broken = 500
    assert push(run, "ann/birds") == 2
    shown = capsys.readouterr().err
    assert "the hub cannot be reached" in shown and "Try it again later" in shown


def test_unfinished_run_is_refused(hub: Hub, run: Path, tmp_path: Path) -> None:
    own = Path(shutil.copytree(run, tmp_path / "own"))
    (own / "model.safetensors").unlink()
    assert push(own, "ann/birds") == 2
    assert not hub.asked


def test_missing_client_is_named_with_its_command(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("reeltag.core.extras.find_spec", lambda name: None)
    for words in (["push", str(run), "ann/birds"], ["predict", "hf://ann/birds"]):
        rest = [] if words[0] == "push" else ["--data", "d", "--out", "p"]
        assert command([*words, *rest]) == 2
        assert "pip install 'reeltag[hub]'" in capsys.readouterr().err


def test_telemetry_of_the_client_is_off(
    hub: Hub, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a process of its own: that is settled when the client is imported."""
    monkeypatch.delenv("HF_HUB_DISABLE_TELEMETRY", raising=False)
    environment = {"HF_HOME": str(tmp_path), "HF_HUB_DISABLE_XET": "1"}
    program = "import sys; from reeltag.cli.main import main; main(sys.argv[1:])"
    words = [sys.executable, "-c", program, "push", str(run), "ann/birds"]
    run_program(words, environment=environment)
    assert "ann/birds" in hub.repositories
    assert not [of.path for of in hub.asked if "telemetry" in of.path]
    assert not [of.agent for of in hub.asked if "torch" in of.agent]
