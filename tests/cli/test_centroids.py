"""`reeltag centroids`: a sample of frames, k-means, a file that kmeans_resnet is trained from."""

import json
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch

from reeltag.cli.main import run


def result_of(capfd: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    """Run the command with --json and return its result."""
    assert run(["centroids", *map(str, arguments), "--json"]) == 0
    found: dict[str, Any] = json.loads(capfd.readouterr().out)
    return found


def test_centroids_file_starts_a_training(
    corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "C.safetensors"
    found = result_of(capfd, corpus, "--out", out, "--clusters", 12, "--frames", 200)
    assert found["streams"] == {"rgb": 16, "audio": 4} and found["frames"] == 200
    assert found["mean_squared_distance"] > 0 and found["path"] == str(out)
    tensors = safetensors.torch.load_file(out)
    assert list(tensors) == ["centroids_KD"] and tensors["centroids_KD"].shape == (12, 20)
    train = ["train", "kmeans_resnet", "--data", str(corpus), "--out", str(tmp_path / "RUN")]
    train += ["--model.num-clusters", "12", "--model.inner", "8", "--batch-size", "8"]
    assert run([*train, "--max-steps", "2"]) == 2
    assert "`reeltag centroids DATA --out C.safetensors` fits them" in capfd.readouterr().err
    assert run([*train, "--max-steps", "2", "--init", str(out)]) == 0
    trained = safetensors.torch.load_file(tmp_path / "RUN" / "model.safetensors")
    assert trained["model.centroids_KD"].equal(tensors["centroids_KD"])


def test_centroids_follow_the_seed(
    corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    found = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        path = tmp_path / name
        given = ("--clusters", 4, "--frames", 50, "--seed", seed, "--streams", "audio")
        result_of(capfd, corpus, "--out", path, *given)
        found.append(safetensors.torch.load_file(path)["centroids_KD"])
    assert found[0].equal(found[1]) and not found[0].equal(found[2])
    assert found[0].shape == (4, 4)


def test_centroids_follow_the_preprocessing_options(
    corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    given = ("--clusters", 4, "--frames", 4, "--preprocessing.normalise", "joint")
    result_of(capfd, corpus, "--out", tmp_path / "C", *given)
    centroids = safetensors.torch.load_file(tmp_path / "C")["centroids_KD"]
    assert centroids.norm(dim=1).tolist() == pytest.approx([1.0] * 4)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--clusters", "0"], "clusters: must be at least 1, got 0"),
        (["--frames", "-1"], "frames: must be at least 0"),
        (["--clusters", "90", "--frames", "80"], "90 centroids need as many frames, and the sampl"),
        (["--streams", "smell"], "smell cannot be read"),
        (["--train", "nothing*"], "nothing*"),
    ],
)
def test_centroids_wrong_options_have_status_2_and_write_nothing(
    corpus: Path,
    tmp_path: Path,
    arguments: list[str],
    words: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert run(["centroids", str(corpus), "--out", str(tmp_path / "C"), *arguments]) == 2
    captured = capfd.readouterr()
    assert words in captured.err and not captured.out and not list(tmp_path.iterdir())


def test_centroids_keep_an_existing_file(
    corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "C"
    out.write_text("mine")
    assert run(["centroids", str(corpus), "--out", str(out)]) == 2
    assert "exists already" in capfd.readouterr().err and out.read_text() == "mine"
